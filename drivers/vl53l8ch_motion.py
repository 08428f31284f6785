"""The motion indicator of the VL53L8CH: how much the returning light of each of 16 groups of zones changes.

It looks at a window of distances, 400 mm away at the nearest, and compares what returns from there with what returned
before. Its configuration lies in the same memory as that of the histograms: a chip does one or the other. The scale of
the numbers, and the threshold, are the manufacturer's; what they mean in physical units is not published.
"""

import struct
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from drivers.errors import FrameCorruptError, SettingError
from drivers.frames import MotionFrame
from drivers.vl53l8ch_cnh import BIN_MM

NEAREST_MM, FURTHEST_MM, WIDEST_MM = 400, 4000, 1500  # UM3109, motion indicator
BLOCK_SINGLE, BLOCK_SEVERAL, BLOCK_BYTES = 0xD858, 0xCC50, 140  # with one target a zone, and with more
SIDE = 4  # of the grid of groups
GROUPS, GROUPS_MAX = SIDE * SIDE, 32  # in use; in the block
SCALE = 65535.0
# As the manufacturer's driver sets them: 44 in 16 bits of fraction, updating and summing as there.
_THRESHOLD, _UPDATE_MODE, _UPDATE_CHOICE, _SPAN, _ACCUMULATIONS, _GROUPS_NEEDED, _FORMAT = 44 << 16, 6, 2, 4, 16, 1, 8
_OFFSET_BINS, _OFFSET_SCALE = 4.0, 2048.5  # from the window's start to the reference bin
_LENGTH_STEP_MM, _LENGTH_BIAS_MM = 15.01392, 30.02784  # … and from its tenth to the number of features


@dataclass(frozen=True, slots=True)
class MotionSettings:
    """The window in which motion is looked for: at least 400 mm away, at most 1500 mm deep, 4000 mm at the end."""

    nearest_mm: int = 400
    furthest_mm: int = 1500

    def __post_init__(self) -> None:
        if not NEAREST_MM <= self.nearest_mm < FURTHEST_MM:
            nearest = min(max(self.nearest_mm, NEAREST_MM), FURTHEST_MM - 1)
            raise SettingError("motion.nearest_mm", self.nearest_mm, f"must be {NEAREST_MM} to {FURTHEST_MM}", nearest)
        furthest = min(self.nearest_mm + WIDEST_MM, FURTHEST_MM)
        if not self.nearest_mm < self.furthest_mm <= furthest:
            reason = f"must be {self.nearest_mm + 1} to {furthest}: {WIDEST_MM} mm from the nearest at most"
            raise SettingError("motion.furthest_mm", self.furthest_mm, reason, furthest)

    def packed(self, zone_of_cell: NDArray[np.intp]) -> bytes:
        """The chip's configuration block. zone_of_cell: chip zone number of every scene cell, (rows, rows)."""
        rows = zone_of_cell.shape[0]
        step = rows // SIDE
        group_of = np.full(64, -1, np.int8)
        row, column = np.indices(zone_of_cell.shape)
        group_of[zone_of_cell] = row // step * SIDE + column // step
        offset = int((self.nearest_mm / BIN_MM - _OFFSET_BINS) * _OFFSET_SCALE)
        features = int(((self.furthest_mm - self.nearest_mm) / 10.0 + _LENGTH_BIAS_MM) / _LENGTH_STEP_MM + 0.5)
        head = struct.pack("<i3I", offset, _THRESHOLD, 0, 0)
        counts = [_UPDATE_MODE, _UPDATE_CHOICE, _SPAN, features, GROUPS, _ACCUMULATIONS, _GROUPS_NEEDED, _FORMAT]
        return head + bytes([*counts, 0, 0, 0, 0]) + group_of.tobytes() + bytes(64)


def decode_motion(words: NDArray[Any], raw: bytes) -> MotionFrame:
    """words: the block's payload as u32 in host order. Raises FrameCorruptError with `raw` as evidence."""
    _, moving, groups, _ = (int(value) for value in words[2:3].view(np.uint8))
    if groups != GROUPS:
        raise FrameCorruptError("motion groups", expected=GROUPS, received=groups, raw=raw)
    if moving > GROUPS:
        raise FrameCorruptError("moving groups", expected=f"0 to {GROUPS}", received=moving, raw=raw)
    intensity: NDArray[np.float64] = words[3 : 3 + GROUPS].astype(np.float64) / SCALE
    return MotionFrame(moving, float(words[0]) / SCALE, intensity.reshape(SIDE, SIDE))
