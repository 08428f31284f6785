"""Decoding of VL53L8CH result frames at 8 x 8 zones with all outputs on: 1,444 bytes in, one TofFrame out.

The chip protects a frame by nothing but a counter at both ends, which finds torn frames and no flipped bits. So
everything that has to be so is checked: block headers, counters, target counts, status codes, temperature, range.
What a newcomer gets wrong: words are big-endian on the wire, so arrays of bytes and of 16-bit values come permuted
until every 32-bit word has been reversed.
"""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from drivers.errors import FrameCorruptError
from drivers.frames import TofFrame

FRAME_BYTES = 1444
VALID_STATUSES = (5, 6, 9, 10)  # UM3109 table 4: valid, wrap-around unchecked, merged pulse, new target
NO_TARGET = 255
DISTANCE_MAX_MM = 4000.0
DISTANCE_BOUNDS_MM = (-100.0, 4500.0)  # a valid zone outside of this is a flipped bit, not a surface
TEMPERATURE_BOUNDS_C = (-40, 125)  # silicon; the part is specified from -30 to 85

# Header word, field, element type, elements: in the order of the output list (UM3109 section 5).
_BLOCKS: tuple[tuple[int, str, str, int], ...] = (
    (0x0000000D, "", "", 0),
    (0x54B400C0, "meta", "i1", 12),
    (0x54C00040, "common", "u1", 4),
    (0x54D00404, "ambient", "<u4", 64),
    (0x55D00404, "spads", "<u4", 64),
    (0xDB840401, "detected", "u1", 64),
    (0xDBC40404, "signal", "<u4", 64),
    (0xDEC40402, "sigma", "<u2", 64),
    (0xDF440402, "distance", "<i2", 64),
    (0xE0440401, "reflectance", "u1", 64),
    (0xE0840401, "status", "u1", 64),
    (0xD85808C0, "motion", "u1", 140),
)
_HEADER_BYTES = 12
_END_MARKS = (0x0000000E, 0x0000000F)


def _layout() -> tuple[np.dtype[Any], NDArray[np.intp], NDArray[np.uint32]]:
    names, formats, offsets = ["stream", "frame_id"], ["u1", "<u4"], [3, 8]
    marks: list[tuple[int, int]] = []
    position = _HEADER_BYTES
    for word, name, kind, count in _BLOCKS:
        marks.append((position // 4, word))
        position += 4
        if name:
            names.append(name)
            formats.append(f"({count},){kind}")
            offsets.append(position)
            position += np.dtype(kind).itemsize * count
    for word in _END_MARKS:
        marks.append((position // 4, word))
        position += 4
    names.append("footer_id")
    formats.append("<u4")
    offsets.append(position)
    assert position + 4 == FRAME_BYTES
    spec: Any = {"names": names, "formats": formats, "offsets": offsets, "itemsize": FRAME_BYTES}
    return np.dtype(spec), np.array([mark[0] for mark in marks]), np.array([mark[1] for mark in marks], np.uint32)


_DTYPE, _MARK_WORDS, _MARKS = _layout()
_STATUS_KNOWN = np.zeros(256, np.bool_)
_STATUS_KNOWN[[*range(14), NO_TARGET]] = True
_STATUS_VALID = np.zeros(256, np.bool_)
_STATUS_VALID[list(VALID_STATUSES)] = True


def to_scene(zones: NDArray[Any]) -> NDArray[Any]:
    """Scene orientation of 64 values in the chip's zone order.

    The lens turns the picture by 180 degrees: zone 0, bottom left on the array, looks at the top right of the scene
    (UM3109 section 2.2). As zone rows count upwards on the array, they count downwards in the scene, and only the
    columns run backwards.
    """
    return zones.reshape(8, 8)[:, ::-1]


def decode(raw: bytes, captured_ns: int) -> TofFrame:
    """One frame from its bytes as read; raises FrameCorruptError with the first thing that cannot be."""
    _expect("frame size", len(raw), FRAME_BYTES, raw)
    words = np.frombuffer(raw, ">u4").astype("<u4")
    found = words[_MARK_WORDS]
    if not np.array_equal(found, _MARKS):
        wrong = int(np.flatnonzero(found != _MARKS)[0])
        _expect("block header", f"0x{found[wrong]:08X}", f"0x{_MARKS[wrong]:08X}", raw)
    fields: Any = words.view(_DTYPE)[0]
    frame_id = int(fields["frame_id"])
    _expect("frame number at the end", int(fields["footer_id"]), frame_id, raw)
    temperature_c = int(fields["meta"][8])
    low_c, high_c = TEMPERATURE_BOUNDS_C
    if not low_c <= temperature_c <= high_c:
        raise FrameCorruptError("temperature", expected=f"{low_c} to {high_c} C", received=temperature_c, raw=raw)
    status = _statuses(fields, raw)
    distance_mm = _distances(fields, status, raw)
    return TofFrame(
        captured_ns=captured_ns,
        frame_id=frame_id,
        temperature_c=temperature_c,
        distance_mm=to_scene(distance_mm),
        sigma_mm=to_scene(fields["sigma"] / 128.0),
        signal_kcps=to_scene(fields["signal"] / 2048.0),
        ambient_kcps=to_scene(fields["ambient"] / 2048.0),
        reflectance_pct=to_scene(fields["reflectance"] / 2.0),
        spads=to_scene(fields["spads"] / 256.0),
        status=to_scene(status),
    )


def _expect(field: str, received: object, expected: object, raw: bytes) -> None:
    if received != expected:
        raise FrameCorruptError(field, expected=expected, received=received, raw=raw)


def _statuses(fields: Any, raw: bytes) -> NDArray[np.uint8]:
    """Target statuses, 255 where no target was detected."""
    detected: NDArray[np.uint8] = fields["detected"]
    most = int(detected.max())
    if most > 1:
        raise FrameCorruptError("targets in a zone", expected="0 or 1", received=most, raw=raw)
    status = np.where(detected == 0, np.uint8(NO_TARGET), fields["status"])
    if not _STATUS_KNOWN[status].all():
        unknown = int(status[~_STATUS_KNOWN[status]][0])
        raise FrameCorruptError("target status", expected="0 to 13, or 255", received=unknown, raw=raw)
    return status


def _distances(fields: Any, status: NDArray[np.uint8], raw: bytes) -> NDArray[np.float64]:
    """Distances in mm, NaN without valid target; clamped to 0 to 4000, as readings at the edge scatter beyond."""
    distance_mm = np.where(_STATUS_VALID[status], fields["distance"] / 4.0, np.nan)
    low_mm, high_mm = DISTANCE_BOUNDS_MM
    if np.any(distance_mm < low_mm) or np.any(distance_mm > high_mm):
        worst = float(np.nanmax(np.abs(distance_mm)))
        raise FrameCorruptError("distance", expected=f"{low_mm} to {high_mm} mm", received=worst, raw=raw)
    return np.clip(distance_mm, 0.0, DISTANCE_MAX_MM)
