"""Decoding of VL53L8CH result frames: bytes in, one TofFrame out, for whatever outputs were asked for.

The chip protects a frame by nothing but a counter at both ends, which finds torn frames and no flipped bits. So
everything that has to be so is checked: block headers, counters, status flags, target counts, status codes,
temperature, limits of every quantity. `contradictions` goes further and compares quantities with each other; since that
was seen on one piece of silicon only, the driver believes what repeats itself.

A decoder is made once per start: it knows where every value lies, so that a frame is a handful of array operations.
What a newcomer gets wrong: words are big-endian on the wire, so arrays of bytes and of 16-bit values come permuted
until every 32-bit word has been reversed.
"""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from drivers.errors import FrameCorruptError
from drivers.frames import TofFrame, TofTargets
from drivers.vl53l8ch_cnh import BLOCK_INDEX as CNH_INDEX
from drivers.vl53l8ch_cnh import CnhDecoder
from drivers.vl53l8ch_motion import BLOCK_BYTES, BLOCK_SEVERAL, BLOCK_SINGLE, decode_motion
from drivers.vl53l8ch_settings import Output, TofSettings

VALID_STATUSES = (5, 6, 9, 10)  # UM3109 table 4: valid, wrap-around unchecked, merged pulse, new target
NO_TARGET = 255
DISTANCE_MAX_MM = 4000.0
DISTANCE_BOUNDS_MM = (-100.0, 4500.0)  # a valid zone outside of this is a flipped bit, not a surface
TEMPERATURE_BOUNDS_C = (-40, 125)  # silicon; the part is specified from -30 to 85
SIGNAL_KCPS_MAX = 1e6  # twice what was seen from a target at 4 mm
AMBIENT_KCPS_MAX = 1e4  # bright sun on a white surface stays below a tenth of it
SPADS_MAX = {8: 16, 4: 64}  # zones a side -> SPADs of one
SIGMA_BOUNDS_MM = (0.25, 100.0)  # of a target that the chip itself calls valid
REFLECTANCE_CONSTANT = 2.06e8 / 100.0  # signal x distance² of one per cent
REFLECTANCE_TOLERANCE = 1.5  # 2,400 readings of a real chip at 4 to 27 mm lie within 1.0 to 1.2 of it
REFLECTANCE_ROUNDING_PCT = 2.0  # of very dark targets, rounding decides
REFLECTANCE_MAX_PCT = 127.5

_HEADER_BYTES = 12
_START, _FRAME_END, _LIST_END = 0x0000000D, 0x0000000E, 0x0000000F
_META, _META_BYTES, _META_TEMPERATURE = 0x54B400C0, 12, 8
_COMMON, _COMMON_BYTES = 0x54C00040, 4
# Field -> index with one target a zone, index with several, element type (ST's published driver).
_BLOCKS: dict[str, tuple[int, int, str]] = {
    "ambient": (0x54D0, 0x54D0, "<u4"),
    "spads": (0x55D0, 0x55D0, "<u4"),
    "detected": (0xDB84, 0x57D0, "<u1"),
    "signal": (0xDBC4, 0x5890, "<u4"),
    "sigma": (0xDEC4, 0x6490, "<u2"),
    "distance": (0xDF44, 0x6690, "<i2"),
    "reflectance": (0xE044, 0x6A90, "<u1"),
    "status": (0xE084, 0x6B90, "<u1"),
}
_PER_ZONE = ("ambient", "spads", "detected")
_ALWAYS = ("detected", "distance", "status")

_UNKNOWN, _REJECTED, _VALID = 0, 1, 2
_KIND = np.full(256, _UNKNOWN, np.uint8)
_KIND[[*range(14), NO_TARGET]] = _REJECTED
_KIND[list(VALID_STATUSES)] = _VALID


def zone_of_cell(zones: int, mounting_deg: int = 0) -> NDArray[np.intp]:
    """Chip zone number of every cell of the scene, (zones, zones).

    The lens turns the picture by 180 degrees: zone 0, bottom left on the array, looks at the top right of the scene
    (UM3109 section 2.2). As zone rows count upwards on the array, they count downwards in the scene, and only the
    columns run backwards. A sensor that is turned clockwise sees the scene turned the other way.
    """
    grid = np.arange(zones * zones).reshape(zones, zones)[:, ::-1]
    return np.ascontiguousarray(np.rot90(grid, -(mounting_deg // 90)))


def to_scene(zones: NDArray[Any]) -> NDArray[Any]:
    """Scene orientation of 64 values in the chip's zone order."""
    return zones[zone_of_cell(8)]


class _Planes:
    """All fields of one element type: where their planes (one per target) lie, and what they are scaled by."""

    def __init__(self, dtype: str) -> None:
        self.dtype = np.dtype(dtype)
        self.at: dict[str, slice] = {}
        self._starts: list[NDArray[np.intp]] = []

    def add(self, name: str, offset: int, cells: NDArray[np.intp], planes: int) -> None:
        """A block that begins at byte `offset`, its elements grouped by zone."""
        first = len(self._starts)
        base = offset // self.dtype.itemsize
        self._starts += [base + cells * planes + plane for plane in range(planes)]
        self.at[name] = slice(first, first + planes)

    def index(self) -> NDArray[np.intp]:
        """Element numbers, (planes, rows, columns)."""
        return np.array(self._starts, np.intp)


class FrameDecoder:
    """Frames of one configuration. headers: the output list to ask for. size: bytes of a frame."""

    def __init__(self, settings: TofSettings) -> None:
        self.settings = settings
        self.zone_of_cell = zone_of_cell(settings.zones, settings.mounting_deg)
        self.headers: list[int] = []
        self._marks: list[tuple[int, int]] = []
        self._planes = {dtype: _Planes(dtype) for dtype in ("<u4", "<i2", "<u2", "<u1")}
        self._position = _HEADER_BYTES
        self._block(_START, 0)
        self._temperature_at = self._block(_META, _META_BYTES) + _META_TEMPERATURE
        self._block(_COMMON, _COMMON_BYTES)
        wanted = {*_ALWAYS, *settings.outputs}
        for name, block in _BLOCKS.items():
            if name in wanted:
                self._field(name, block)
        self._motion_words: slice | None = None
        if settings.motion is not None:
            index = BLOCK_SINGLE if settings.targets == 1 else BLOCK_SEVERAL
            at = self._block(index << 16 | BLOCK_BYTES << 4, BLOCK_BYTES) // 4
            self._motion_words = slice(at, at + BLOCK_BYTES // 4)
        self._cnh: CnhDecoder | None = None
        if settings.cnh is not None:
            words = settings.cnh.memory_bytes // 4
            at = self._block(CNH_INDEX << 16 | words << 4 | 4, 4 * words) // 4
            self._cnh, self._cnh_words = CnhDecoder(settings.cnh), slice(at, at + words)
        self._marks += [(self._position // 4, _FRAME_END), (self._position // 4 + 1, _LIST_END)]
        self.size = self._position + 12
        assert self.size == settings.frame_bytes
        self._prepare()

    def _block(self, word: int, payload_bytes: int) -> int:
        """Note a block; returns the offset of its payload."""
        self.headers.append(word)
        self._marks.append((self._position // 4, word))
        payload = self._position + 4
        self._position = payload + payload_bytes
        return payload

    def _field(self, name: str, block: tuple[int, int, str]) -> None:
        single, several, dtype = block
        targets = 1 if name in _PER_ZONE else self.settings.targets
        planes = self._planes[dtype]
        count = self.zone_of_cell.size * targets
        width = planes.dtype.itemsize
        index = single if self.settings.targets == 1 else several
        payload = self._block(index << 16 | count << 4 | width, count * width)
        planes.add(name, payload, self.zone_of_cell, targets)

    def _prepare(self) -> None:
        """Everything that a frame needs and that does not change."""
        self._mark_words = np.array([at for at, _ in self._marks])
        self._mark_bytes = np.array([word for _, word in self._marks], "<u4").tobytes()
        words, octets = self._planes["<u4"], self._planes["<u1"]
        self._u4, self._u1 = words.index(), octets.index()
        self._i2, self._u2 = self._planes["<i2"].index(), self._planes["<u2"].index()
        scales, limits = np.empty(len(self._u4)), np.empty(len(self._u4), np.uint32)
        for name, scale, limit in (
            ("ambient", 2048.0, AMBIENT_KCPS_MAX),
            ("spads", 256.0, SPADS_MAX[self.settings.zones]),
            ("signal", 2048.0, SIGNAL_KCPS_MAX),
        ):
            at = words.at.get(name, slice(0, 0))
            scales[at], limits[at] = 1.0 / scale, int(limit * scale)
        self._u4_scale, self._u4_limit = scales[:, None, None], limits[:, None, None]
        self._u4_at, self._u1_at = words.at, octets.at
        self._wire_u1 = self._u1[[0, octets.at["status"].start]] ^ 3  # detected and first status before the swap
        self._order = np.arange(self.settings.targets, dtype=np.uint8)[:, None, None]
        nothing = np.full((self.settings.targets, *self.zone_of_cell.shape), np.nan)
        nothing.setflags(write=False)
        self._nothing = nothing

    def decode(self, raw: bytes, captured_ns: int) -> TofFrame:
        """One frame from its bytes as read; raises FrameCorruptError with the first thing that cannot be."""
        if len(raw) != self.size:
            raise FrameCorruptError("frame size", expected=self.size, received=len(raw), raw=raw)
        words = np.frombuffer(raw, ">u4").astype("<u4")
        frame_id, temperature_c = self._framing(words, raw)
        octets = words.view(np.uint8).take(self._u1)
        detected = octets[0]
        present = detected if self.settings.targets == 1 else detected > self._order
        status = np.where(present, octets[self._u1_at["status"]], np.uint8(NO_TARGET))
        kinds = _KIND.take(status)
        distance = words.view("<i2").take(self._i2)
        valid = kinds == _VALID
        self._check_values(detected, status, kinds, np.where(valid, distance, 0), raw)
        distance_mm = np.where(valid, np.clip(distance * 0.25, 0.0, DISTANCE_MAX_MM), np.nan)
        floats = self._rates(words, raw)
        sigma_mm = words.view("<u2").take(self._u2) / 128.0 if len(self._u2) else self._nothing
        at, none = self._u4_at, self._nothing
        signal = floats[at["signal"]] if "signal" in at else none
        reflectance: NDArray[np.float64] = none
        if "reflectance" in self._u1_at:
            reflectance = octets[self._u1_at["reflectance"]] * np.float64(0.5)
        targets = None
        if self.settings.targets > 1:
            targets = TofTargets(octets[0], distance_mm, sigma_mm, signal, reflectance, status)
        return TofFrame(
            captured_ns,
            frame_id,
            temperature_c,
            distance_mm[0],
            sigma_mm[0],
            signal[0],
            floats[at["ambient"]][0] if "ambient" in at else none[0],
            reflectance[0],
            floats[at["spads"]][0] if "spads" in at else none[0],
            status[0],
            targets,
            None if self._cnh is None else self._cnh.decode(words[self._cnh_words], raw),
            None if self._motion_words is None else decode_motion(words[self._motion_words], raw),
        )

    def _rates(self, words: NDArray[Any], raw: bytes) -> NDArray[np.float64]:
        """Everything that is a 32-bit number, in its unit."""
        if not len(self._u4):
            return self._nothing
        counts = words.take(self._u4)
        if (counts > self._u4_limit).any():
            raise self._rate_error(counts, raw)
        return counts * self._u4_scale

    def _framing(self, words: NDArray[Any], raw: bytes) -> tuple[int, int]:
        """Frame number and temperature, once headers, counters and flags are as they must be."""
        if words.take(self._mark_words).tobytes() != self._mark_bytes:
            found = zip(words.take(self._mark_words).tolist(), (word for _, word in self._marks), strict=True)
            wrong, right = next((found_word, word) for found_word, word in found if found_word != word)
            raise FrameCorruptError("block header", expected=f"0x{right:08X}", received=f"0x{wrong:08X}", raw=raw)
        frame_id, at_end = int(words[2]), int(words[-1])
        if frame_id != at_end:
            expected = f"{frame_id} as at its beginning"
            raise FrameCorruptError("frame number at the end", expected=expected, received=at_end, raw=raw)
        if raw[1] != 0x05 or raw[2] & 0x05 != 0x05 or raw[3] & 0x90 != 0x10:
            expected = "complete and without error"
            raise FrameCorruptError("frame status", expected=expected, received=raw[:4].hex(" "), raw=raw)
        temperature_c = raw[self._temperature_at ^ 3]
        temperature_c -= (temperature_c & 0x80) << 1
        low_c, high_c = TEMPERATURE_BOUNDS_C
        if not low_c <= temperature_c <= high_c:
            raise FrameCorruptError("temperature", expected=f"{low_c} to {high_c} C", received=temperature_c, raw=raw)
        return frame_id, temperature_c

    def _check_values(
        self, detected: NDArray[Any], status: NDArray[Any], kinds: NDArray[Any], distance: NDArray[Any], raw: bytes
    ) -> None:
        most = int(detected.max())
        if most > self.settings.targets:
            expected = f"0 to {self.settings.targets}"
            raise FrameCorruptError("targets in a zone", expected=expected, received=most, raw=raw)
        if int(kinds.min()) == _UNKNOWN:
            unknown = int(status[kinds == _UNKNOWN][0])
            raise FrameCorruptError("target status", expected="0 to 13, or 255", received=unknown, raw=raw)
        low_mm, high_mm = DISTANCE_BOUNDS_MM
        nearest_mm, furthest_mm = int(distance.min()) * 0.25, int(distance.max()) * 0.25
        if nearest_mm < low_mm or furthest_mm > high_mm:
            worst = furthest_mm if furthest_mm > high_mm else nearest_mm
            raise FrameCorruptError("distance", expected=f"{low_mm} to {high_mm} mm", received=worst, raw=raw)

    def _rate_error(self, counts: NDArray[Any], raw: bytes) -> FrameCorruptError:
        plane = int(np.argmax((counts > self._u4_limit).any(axis=(1, 2))))
        name = next(name for name, at in self._u4_at.items() if at.start <= plane < at.stop)
        scale = float(self._u4_scale[plane, 0, 0])
        limit, received = int(self._u4_limit[plane, 0, 0]) * scale, int(counts[plane].max()) * scale
        return FrameCorruptError(name, expected=f"at most {limit:g}", received=received, raw=raw)

    def contradictions(self, frame: TofFrame, raw: bytes) -> NDArray[np.bool_] | None:
        """Zones whose quantities contradict each other, None when there are none. raw: the bytes of `frame`.

        The reflectance that the chip reports has to follow from signal and distance, a target that it calls valid has
        a sigma, and a zone without target has no valid one. Outputs that were not asked for contradict nothing.
        """
        several = frame.targets
        seen = frame if several is None else several
        distance_mm = seen.distance_mm
        octets = np.frombuffer(raw, np.uint8).take(self._wire_u1)
        wrong = _mask((octets[0] == 0) & (_KIND.take(octets[1]) == _VALID))
        if Output.SIGMA in self.settings.outputs:
            low_mm, high_mm = SIGMA_BOUNDS_MM
            sigma_mm = seen.sigma_mm
            beyond = (sigma_mm < low_mm) | (sigma_mm > high_mm)
            wrong = _mask(wrong | beyond & (distance_mm >= 0.0))  # not where it is NaN
        if {Output.SIGNAL, Output.REFLECTANCE} <= self.settings.outputs:
            follows_pct = seen.signal_kcps * distance_mm
            follows_pct *= distance_mm
            follows_pct /= REFLECTANCE_CONSTANT
            least_pct = np.minimum(follows_pct / REFLECTANCE_TOLERANCE, REFLECTANCE_MAX_PCT) - REFLECTANCE_ROUNDING_PCT
            most_pct = follows_pct * REFLECTANCE_TOLERANCE + REFLECTANCE_ROUNDING_PCT
            wrong = _mask(wrong | (seen.reflectance_pct < least_pct) | (seen.reflectance_pct > most_pct))
        if not wrong.any():
            return None
        return wrong if several is None else _mask(wrong.max(axis=0))


def _mask(values: Any) -> NDArray[np.bool_]:
    """The type of what comparing arrays gives, which numpy's stubs leave open."""
    return values
