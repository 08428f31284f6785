"""Histograms of the simulated VL53L8CH: the returning pulses of all zones of an aggregate, in block-floating format.

A pulse is a squared cosine over ten native bins, which is the full support that ST's own driver counts with; its sum
over all bins is the signal. Every bin carries its own exponent: value = mantissa / 2^exponent.
"""

import struct
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from drivers.sim.vl53l8ch_optics import WINDOW_MM, Exposure, Grid

CONFIGURATION, CONFIGURATION_BYTES = 0xBFAC, 156
BLOCK_INDEX = 0xC048
BIN_MM = 37.5348
PULSE_BINS = 10.0
RANGE_END_MM = 4046.0
REMOVE_CROSSTALK, ZERO_INVALID = 0x08, 0x10
NOISE_KCPS, NOISE_AMBIENT_KCPS, NOISE_ZONES, NOISE_BINS = 0.8, 7.0, 4, 2  # of a published live reading
MANTISSA_BITS, EXPONENT_MAX = 31, 30  # a mantissa uses its whole word, small values all have the last exponent
HEADER_WORDS = 5
HEADER_FLAGS, BUFFER_FLAGS, BUFFER_HEAD = 0x24, 0x03010000, (1, 0x40)  # as seen on silicon …
REFERENCE_RESIDUAL = 1_573_981  # … and so was this, /2048


@dataclass(frozen=True, slots=True)
class CnhConfiguration:
    """The 156 bytes that the host wrote. groups: chip zone numbers of every aggregate."""

    first_bin: float
    sub_sample: int
    bins: int
    flags: int
    groups: tuple[NDArray[np.intp], ...]

    @classmethod
    def parse(cls, data: bytes, zones: int) -> "CnhConfiguration":
        """From the configuration block, for `zones` zones in all."""
        offset = struct.unpack_from("<i", data)[0]
        sub_sample, bins, aggregates = data[18], data[19], data[20]
        members = np.frombuffer(data, np.int8, 64, 28)[:zones]
        groups = tuple(np.flatnonzero(members == number) for number in range(aggregates))
        return cls(offset / 2048.0, max(sub_sample, 1), bins, data[25], groups)

    @property
    def payload_words(self) -> int:
        """Size of the block in a frame."""
        count = len(self.groups)
        cells = count * self.bins
        return HEADER_WORDS + len(BUFFER_HEAD) + cells + (cells + 3) // 4 + count + (count + 3) // 4


class CnhModel:
    """Fills histogram blocks; what the light of a view gives is computed once per exposure."""

    def __init__(self, configuration: CnhConfiguration) -> None:
        self._configuration = configuration
        self._exposure: Exposure | None = None
        self._clean = np.zeros(0)
        self._ambient = np.zeros(0)
        self._noise_scale = np.zeros(0)

    def payload(self, exposure: Exposure, rng: np.random.Generator) -> bytes:
        """One block in host order."""
        if exposure is not self._exposure:
            self._exposure = exposure
            self._expose(exposure)
        setup = self._configuration
        noisy = self._clean + self._noise_scale * rng.standard_normal(self._clean.shape)
        if setup.flags & ZERO_INVALID:
            edges = (setup.first_bin + np.arange(setup.bins) * setup.sub_sample) * BIN_MM
            noisy[:, edges > RANGE_END_MM] = 0.0
        mantissas, exponents = _floating(noisy)
        ambient, ambient_exponents = _floating(self._ambient)
        count = len(setup.groups)
        words = setup.payload_words - HEADER_WORDS
        head = (0, BUFFER_FLAGS | words, REFERENCE_RESIDUAL, HEADER_FLAGS, setup.bins << 16 | count, *BUFFER_HEAD)
        return b"".join(
            (
                struct.pack("<7I", *head),
                mantissas.tobytes(),
                _padded(exponents.tobytes()),
                ambient.tobytes(),
                _padded(ambient_exponents.tobytes()),
            )
        )

    def _expose(self, exposure: Exposure) -> None:
        setup = self._configuration
        steps: Grid = np.arange(setup.bins + 1, dtype=np.float64)
        edges = setup.first_bin + steps * setup.sub_sample
        zones = exposure.ambient_kcps.size
        distance = chip_order(exposure.rays.distance_mm).reshape(zones, -1)
        signal = chip_order(exposure.rays.signal_kcps).reshape(zones, -1)
        light = in_bins(np.nan_to_num(distance), signal, edges)
        if not setup.flags & REMOVE_CROSSTALK or exposure.crosstalk_kcps.any():
            residual = chip_order(exposure.crosstalk_kcps[:, :, None]).reshape(zones, 1)
            light = light + in_bins(np.full_like(residual, WINDOW_MM), residual, edges)
        ambient = chip_order(exposure.ambient_kcps[:, :, None]).ravel()
        empty = np.zeros(setup.bins)
        self._clean = np.array([light[group].mean(axis=0) if len(group) else empty for group in setup.groups])
        self._ambient = np.array([ambient[group].mean() if len(group) else 0.0 for group in setup.groups])
        members = np.array([max(len(group), 1) for group in setup.groups])[:, None]
        self._noise_scale = noise_kcps(self._ambient[:, None] + self._clean, setup.sub_sample, members)


def noise_kcps(light_kcps: Grid, native_bins: float, zones: NDArray[np.intp]) -> Grid:
    """Of a bin that is the sum of `native_bins` and the mean of `zones` zones, in such light, ambient included."""
    spread = light_kcps / NOISE_AMBIENT_KCPS * (native_bins / NOISE_BINS) * (NOISE_ZONES / zones)
    return NOISE_KCPS * np.sqrt(np.maximum(spread, 0.0))


def chip_order(values: Grid) -> Grid:
    """(rows, rows, n) in scene orientation -> (rows * rows, n) in the order of zone numbers."""
    return values[:, ::-1].reshape(-1, values.shape[2])


def in_bins(distance_mm: Grid, signal: Grid, edges: NDArray[np.floating]) -> Grid:
    """Signal of every zone's rays per bin, (zones, bins)."""
    place = np.clip((edges - distance_mm[:, :, None] / BIN_MM) / PULSE_BINS, -0.5, 0.5)
    below = place + np.sin(2 * np.pi * place) / (2 * np.pi)  # integral of the squared cosine, up to a constant
    return (np.diff(below, axis=2) * signal[:, :, None]).sum(axis=1)


def _floating(values: Grid) -> tuple[NDArray[np.int32], NDArray[np.int8]]:
    """Mantissas of MANTISSA_BITS and the exponents that go with them."""
    _, size = np.frexp(values)
    exponents = np.minimum(MANTISSA_BITS - size, EXPONENT_MAX)
    mantissas = np.clip(np.rint(np.ldexp(values, exponents)), -(2.0**31), 2.0**31 - 1)
    return mantissas.astype("<i4"), exponents.astype(np.int8)


def _padded(data: bytes) -> bytes:
    return data + bytes(-len(data) % 4)
