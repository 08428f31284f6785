"""Histograms of the VL53L8CH ("compact normalised histogram"): what to ask for, what it costs, how to read them.

Zones are grouped into aggregates; each gets a histogram of `bins` bins, each the sum of `sub_sample` native bins of
0.25 ns. What a newcomer gets wrong: a returning pulse is ten native bins wide, so only targets further than half a
pulse from both ends are captured whole; with the first bin at 0 that begins at 206 mm.
"""

import struct
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from drivers.errors import FrameCorruptError, SettingError
from drivers.frames import CnhFrame

BIN_MM = 37.5348  # of one native bin
PULSE_BINS = 10  # full width of a returning pulse, in native bins
MEMORY_BYTES_MAX = 6160
RANGE_END_MM = 4046.0  # where the chip's distance scale wraps, as its frames say (0x0FCE)
BLOCK_INDEX = 0xC048
UNUSED = -1
# No ping-pong, no variance, ambient level, crosstalk removal, invalid bins zeroed, reference residual kept.
FLAGS = 0x3F
_HEADER_WORDS, _BUFFER_WORDS = 5, 2
_REFERENCE_SCALE = 2048.0
VALUE_KCPS_MAX = 1e6
EXPONENT_BOUNDS = (-8, 40)


def _padded(count: int) -> int:
    return (count + 3) // 4 * 4


@dataclass(frozen=True, slots=True)
class CnhSettings:
    """aggregate_of: for each of the 64 (or 16) zones, row-major in scene orientation, its aggregate or -1.

    bins: per histogram. first_bin: native bin at which they begin. sub_sample: native bins per bin, 1 to 255.
    """

    aggregate_of: tuple[int, ...]
    bins: int = 18
    first_bin: int = 0
    sub_sample: int = 1

    @classmethod
    def tiled(
        cls, rows: int = 4, columns: int = 4, *, bins: int = 18, first_bin: int = 0, sub_sample: int = 1, zones: int = 8
    ) -> "CnhSettings":
        """`rows` x `columns` equal aggregates over the whole field of `zones` x `zones` zones."""
        for field, count in (("rows", rows), ("columns", columns)):
            if count not in (1, 2, 4, 8) or count > zones:
                nearest = max(fit for fit in (1, 2, 4, 8) if fit <= min(max(count, 1), zones))
                raise SettingError(field, count, f"must divide {zones} zones evenly", nearest)
        high, wide = zones // rows, zones // columns
        each = tuple(row // high * columns + column // wide for row in range(zones) for column in range(zones))
        return cls(each, bins, first_bin, sub_sample)

    def __post_init__(self) -> None:
        used = sorted(set(self.aggregate_of) - {UNUSED})
        if len(self.aggregate_of) not in (16, 64):
            raise SettingError("aggregate_of", f"{len(self.aggregate_of)} zones long", "must be 16 or 64")
        if not used or used != list(range(len(used))):
            raise SettingError("aggregate_of", used, "must number the aggregates 0, 1, 2 … without a gap")
        for field, value, high in (("bins", self.bins, 255), ("sub_sample", self.sub_sample, 255)):
            if not 1 <= value <= high:
                raise SettingError(field, value, f"must be 1 to {high}", min(max(value, 1), high))
        if self.first_bin < 0:
            raise SettingError("first_bin", self.first_bin, "must not be negative", 0)
        self._check_memory()
        self._check_range()

    @property
    def aggregates(self) -> int:
        """How many histograms there are."""
        return max(self.aggregate_of) + 1

    @property
    def memory_bytes(self) -> int:
        """What the histograms take in the chip and in every frame."""
        return _memory_bytes(self.aggregates, self.bins)

    @property
    def bin_centres_mm(self) -> NDArray[np.float64]:
        """Distance at the middle of every bin."""
        middles: NDArray[np.float64] = np.arange(self.bins, dtype=np.float64) + 0.5
        return (self.first_bin + middles * self.sub_sample) * BIN_MM

    @property
    def captured_mm(self) -> tuple[float, float]:
        """From where to where a target's pulse lies wholly within the histogram; empty when the first is larger."""
        centres, half_pulse_mm = self.bin_centres_mm, PULSE_BINS / 2 * BIN_MM
        return float(centres[0] + half_pulse_mm), float(centres[-1] - half_pulse_mm)

    def _check_memory(self) -> None:
        if self.memory_bytes > MEMORY_BYTES_MAX:
            fit = max(bins for bins in range(self.bins) if _memory_bytes(self.aggregates, bins) <= MEMORY_BYTES_MAX)
            reason = (
                f"with {self.aggregates} aggregates that takes {self.memory_bytes} bytes of the chip's memory, "
                f"which has {MEMORY_BYTES_MAX}"
            )
            raise SettingError("bins", self.bins, reason, fit)

    def _check_range(self) -> None:
        end_mm = (self.first_bin + self.bins * self.sub_sample) * BIN_MM
        limit_mm = RANGE_END_MM + PULSE_BINS / 2 * BIN_MM
        if end_mm > limit_mm:
            fit = int((limit_mm / BIN_MM - self.first_bin) / self.sub_sample)
            reason = f"the histogram would end at {end_mm:.0f} mm, the chip's range at {limit_mm:.0f} mm"
            raise SettingError("bins", self.bins, reason, fit if fit >= 1 else None)

    def packed(self, zone_of_cell: NDArray[np.intp]) -> bytes:
        """The chip's configuration block. zone_of_cell: chip zone number of every scene cell, row-major."""
        zone_map = np.full(64, UNUSED, np.int8)
        zone_map[zone_of_cell.ravel()] = self.aggregate_of
        head = struct.pack("<i3I", self.first_bin * 2048, 0, 0, 0)
        counts = bytes([0, 0, self.sub_sample, self.bins, self.aggregates, 1, 0, 0, 0, FLAGS, 1, 0])
        return head + counts + zone_map.tobytes() + bytes(64)


def _memory_bytes(aggregates: int, bins: int) -> int:
    cells = aggregates * bins
    return 4 * (_HEADER_WORDS + _BUFFER_WORDS) + 4 * cells + _padded(cells) + 4 * aggregates + _padded(aggregates)


class CnhDecoder:
    """Reads the block of one configuration."""

    def __init__(self, settings: CnhSettings) -> None:
        self._shape = (settings.aggregates, settings.bins)
        self._centres_mm = settings.bin_centres_mm
        self._centres_mm.setflags(write=False)
        self._sizes = settings.bins << 16 | settings.aggregates
        self._buffer_words = settings.memory_bytes // 4 - _HEADER_WORDS
        cells = settings.aggregates * settings.bins
        self._mantissas = slice(7, 7 + cells)
        at = 4 * (7 + cells)
        self._exponents = slice(at, at + cells)
        at = (at + _padded(cells)) // 4
        self._ambient = slice(at, at + settings.aggregates)
        at = 4 * (at + settings.aggregates)
        self._ambient_exponents = slice(at, at + settings.aggregates)

    def decode(self, words: NDArray[Any], raw: bytes) -> CnhFrame:
        """words: the block's payload as u32 in host order. Raises FrameCorruptError with `raw` as evidence."""
        if words[4] != self._sizes:
            raise FrameCorruptError("histogram size", expected=self._sizes, received=int(words[4]), raw=raw)
        if int(words[1]) & 0xFFFF != self._buffer_words:
            expected = self._buffer_words
            raise FrameCorruptError("histogram words", expected=expected, received=int(words[1]), raw=raw)
        signed, octets = words.view(np.int32), words.view(np.int8)
        exponents, ambient_exponents = octets[self._exponents], octets[self._ambient_exponents]
        low, high = EXPONENT_BOUNDS
        if exponents.min() < low or exponents.max() > high or ambient_exponents.max() > high:
            worst = int(max(exponents.max(), -exponents.min(), ambient_exponents.max()))
            raise FrameCorruptError("histogram exponent", expected=f"{low} to {high}", received=worst, raw=raw)
        histogram = np.ldexp(signed[self._mantissas], -exponents.astype(np.int32))
        ambient = np.ldexp(signed[self._ambient], -ambient_exponents.astype(np.int32))
        highest = max(float(histogram.max()), -float(histogram.min()), float(ambient.max()))
        if highest > VALUE_KCPS_MAX:
            raise FrameCorruptError("histogram", expected=f"up to {VALUE_KCPS_MAX:g}", received=highest, raw=raw)
        return CnhFrame(histogram.reshape(self._shape), ambient, self._centres_mm, int(words[2]) / _REFERENCE_SCALE)
