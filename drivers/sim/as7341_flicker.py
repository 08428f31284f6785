"""The flicker engine of a simulated AS7341: listens to the sixth converter and looks for two frequencies.

How long the chip really listens and how deep a flicker must be is not in any public document: half a second is what
known drivers wait for, a fiftieth is an assumption.
"""

from collections.abc import Callable
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

LISTEN_S = 0.5
DEPTH_MIN = 0.02  # amplitude over mean
AMPLITUDE_MIN = 0.15  # counts: with less the converter hears its own noise
BUILT_IN_HZ = (100.0, 120.0)
FOREIGN_HZ = (1000.0, 1200.0)  # with the coefficients that a well-known library loads into the RAM
OWN_COEFFICIENTS_OFF = 0x40  # of FD_CFG0: take those in the RAM instead
VALID, SATURATED, VALID_SECOND, VALID_FIRST, SECOND, FIRST = 0x20, 0x10, 0x08, 0x04, 0x02, 0x01
NOISE_COUNTS = 0.3

Readings = Callable[[NDArray[np.float64], float], NDArray[np.float64]]


class Stretch(NamedTuple):
    """A run of readings. ended_s: when. reading_s: length of one. full_scale: in counts."""

    ended_s: float
    reading_s: float
    full_scale: int


def listen(readings: Readings, stretch: Stretch, fd_cfg0: int, rng: np.random.Generator) -> int:
    """FD_STATUS at the end of a stretch.

    readings(times_s, window_s): mean counts of readings of `window_s` centred at `times_s`.
    """
    reading_s = stretch.reading_s
    middles = np.arange(max(8, int(LISTEN_S / reading_s)), dtype=np.float64) + 0.5
    times_s = stretch.ended_s - LISTEN_S + reading_s * middles
    counts = readings(times_s, reading_s)
    counts = np.rint(counts + NOISE_COUNTS * rng.standard_normal(counts.size))
    if counts.max() >= stretch.full_scale:
        return VALID | SATURATED
    status = VALID | VALID_FIRST | VALID_SECOND
    mean = float(counts.mean())
    amplitudes = [
        2.0 * abs(complex(np.mean((counts - mean) * np.exp(-2j * np.pi * hz * times_s))))
        for hz in (FOREIGN_HZ if fd_cfg0 & OWN_COEFFICIENTS_OFF else BUILT_IN_HZ)
    ]
    loudest = int(np.argmax(amplitudes))
    if amplitudes[loudest] < max(AMPLITUDE_MIN, DEPTH_MIN * mean):
        return status
    return status | (FIRST, SECOND)[loudest]
