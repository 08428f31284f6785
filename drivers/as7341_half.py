"""Halves of a spectrum, and a frame made of two of them: values only, nothing here touches the chip."""

from typing import NamedTuple

import numpy as np

from drivers.as7341_settings import Settings
from drivers.frames import SpectralFrame


class Half(NamedTuple):
    """One integration of the six converters. middle_ns: bus clock in the middle of it.

    windows_ns: the middles of all integrations that are in it, where these are two.
    """

    counts: tuple[int, ...]
    digital: bool
    analogue: bool
    middle_ns: int
    windows_ns: tuple[int, ...] = ()


def bracket(before: Half, after: Half) -> Half:
    """The mean of two: what it would have been between them, had everything changed evenly."""
    return Half(
        tuple(round((first + second) / 2) for first, second in zip(before.counts, after.counts, strict=True)),
        before.digital or after.digital,
        before.analogue or after.analogue,
        (before.middle_ns + after.middle_ns) // 2,
        (before.middle_ns, after.middle_ns),
    )


def frame_of(first: Half, second: Half, settings: Settings, now_ns: int) -> SpectralFrame:
    """Ten channels; Clear and NIR, which both halves hold, as their means."""
    clear, nir = (first.counts[4], second.counts[4]), (first.counts[5], second.counts[5])
    counts = [*first.counts[:4], *second.counts[:4], round(sum(clear) / 2), round(sum(nir) / 2)]
    digital, analogue = first.digital or second.digital, first.analogue or second.analogue
    return SpectralFrame(
        captured_ns=now_ns,
        counts=np.array(counts, dtype=np.int64),
        clear_halves=clear,
        nir_halves=nir,
        gain=settings.real_gain,
        integration_ms=settings.integration_ms,
        full_scale=settings.full_scale,
        led_ma=settings.led_ma,
        saturated=digital or analogue,
        saturated_digital=digital,
        saturated_analogue=analogue,
        halves_ns=(first.middle_ns, second.middle_ns),
        windows_ns=(*(first.windows_ns or (first.middle_ns,)), second.middle_ns),
    )
