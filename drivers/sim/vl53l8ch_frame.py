"""Result frames of the simulated VL53L8CH: laid out as the host's output list asks, filled from readings.

The layout is made once per start: one buffer in host order with all block headers in place, and one array view per
block into it. A frame is then a dozen array assignments and one byte swap.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from drivers.sim.vl53l8ch_cnh import BLOCK_INDEX as HISTOGRAMS
from drivers.sim.vl53l8ch_mailbox import Block
from drivers.sim.vl53l8ch_optics import Exposure

HEADER_BYTES = 12
FOOTER_BYTES = 12
FRAME_END = 0x0000000E
LIST_END = 0x0000000F
START, META, COMMON, AMBIENT, SPADS = 0x0000, 0x54B4, 0x54C0, 0x54D0, 0x55D0
MOTION = {0xD858, 0xCC50}  # with one target a zone, and with more
TEMPERATURE_OFFSET = 8  # in the payload of META
COMMON_PAYLOAD = bytes([0xCE, 0x0F, 0x40, 0x02])  # as seen on silicon: wrap distance 4046, and two constants


class LayoutError(Exception):
    """The host asked for an output that this firmware doesn't have."""


@dataclass(frozen=True, slots=True)
class ZoneField:
    """How a value per zone goes onto the wire: field of an exposure, element type, factor, limits."""

    name: str
    dtype: str
    factor: float
    low: float
    high: float
    per_target: bool

    def encode(self, values: NDArray[Any]) -> NDArray[Any]:
        """Values in the unit of the wire."""
        return np.clip(np.rint(values * self.factor), self.low, self.high)


_AMBIENT = ZoneField("ambient_kcps", "<u4", 2048, 0, 2**32 - 1, per_target=False)
_SPADS = ZoneField("spads", "<u4", 256, 0, 2**32 - 1, per_target=False)
_DETECTED = ZoneField("detected", "u1", 1, 0, 4, per_target=False)
_SIGNAL = ZoneField("signal_kcps", "<u4", 2048, 0, 2**32 - 1, per_target=True)
_SIGMA = ZoneField("sigma_mm", "<u2", 128, 0, 2**16 - 1, per_target=True)
_DISTANCE = ZoneField("distance_mm", "<i2", 4, -(2**15), 2**15 - 1, per_target=True)
_REFLECTANCE = ZoneField("reflectance_pct", "u1", 2, 0, 255, per_target=True)
_STATUS = ZoneField("status", "u1", 1, 0, 255, per_target=True)
# Block index with one target a zone and with more -> field (ST's published driver).
ZONE_FIELDS = {
    1: {
        AMBIENT: _AMBIENT,
        SPADS: _SPADS,
        0xDB84: _DETECTED,
        0xDBC4: _SIGNAL,
        0xDEC4: _SIGMA,
        0xDF44: _DISTANCE,
        0xE044: _REFLECTANCE,
        0xE084: _STATUS,
    },
    2: {
        AMBIENT: _AMBIENT,
        SPADS: _SPADS,
        0x57D0: _DETECTED,
        0x5890: _SIGNAL,
        0x6490: _SIGMA,
        0x6690: _DISTANCE,
        0x6A90: _REFLECTANCE,
        0x6B90: _STATUS,
    },
}
READ_ANEW = ("distance_mm", "status")  # differ from frame to frame even before a scene that stands still


@dataclass(frozen=True, slots=True)
class FrameHead:
    """What is said once a frame. status: the four bytes that a poll for data reads, wire order."""

    frame_id: int
    status: bytes
    temperature_c: int


@dataclass(frozen=True, slots=True)
class Readings:
    """What differs from frame to frame: distances with their noise, statuses, and blocks in host order, or b""."""

    distance_mm: NDArray[Any]
    status: NDArray[Any]
    histograms: bytes = b""
    motion: bytes = b""


class FrameLayout:
    """Where everything goes in the frames of one ranging session; `rows` zones a side (4 or 8), `targets` per zone."""

    def __init__(self, headers: Sequence[int], rows: int, targets: int = 1) -> None:
        blocks = [Block.parse(word) for word in headers]
        self.rows = rows
        self.targets = targets
        self.size = HEADER_BYTES + sum(4 + block.payload_bytes for block in blocks) + FOOTER_BYTES
        self.histogram_bytes = self.motion_bytes = 0
        self._fields = ZONE_FIELDS[min(targets, 2)]
        self._buffer = np.zeros(self.size, np.uint8)
        self._zones: dict[str, tuple[ZoneField, NDArray[Any]]] = {}
        self._histogram = self._motion = self._buffer[:0]
        self._exposure: Exposure | None = None
        self._status: NDArray[Any] | None = None
        self._temperature: NDArray[np.int8] | None = None
        position = HEADER_BYTES
        for block in blocks:
            self._word_at(position)[0] = block.word
            self._place(block, self._buffer[position + 4 : position + 4 + block.payload_bytes])
            position += 4 + block.payload_bytes
        self._word_at(position)[0] = FRAME_END
        self._word_at(position + 4)[0] = LIST_END
        self._ids = (self._word_at(8), self._word_at(position + 8))

    def render(self, head: FrameHead, exposure: Exposure, readings: Readings) -> bytes:
        """One frame in wire order; what differs from frame to frame is in `readings`, all else in the exposure."""
        self._buffer[0:4] = np.frombuffer(head.status, np.uint8)[::-1]
        for word in self._ids:
            word[0] = head.frame_id
        if self._temperature is not None:
            self._temperature[0] = head.temperature_c
        if exposure is not self._exposure:
            self._exposure = exposure
            for name in self._zones.keys() - READ_ANEW:
                self._fill(name, getattr(exposure, name))
        self._fill("distance_mm", readings.distance_mm)
        if readings.status is not self._status:
            self._status = readings.status
            self._fill("status", readings.status)
        if readings.histograms:
            self._histogram[:] = np.frombuffer(readings.histograms, np.uint8)
        if readings.motion:
            self._motion[:] = np.frombuffer(readings.motion, np.uint8)
        return self._buffer.view("<u4").byteswap().tobytes()

    def _fill(self, name: str, values: NDArray[Any]) -> None:
        if name in self._zones:
            field, target = self._zones[name]
            target[:] = to_zones(field.encode(values))

    def _place(self, block: Block, payload: NDArray[np.uint8]) -> None:
        field = self._fields.get(block.index)
        if field is not None:
            target = payload.view(field.dtype)
            expected = self.rows**2 * (self.targets if field.per_target else 1)
            if len(target) != expected:
                raise LayoutError(f"block 0x{block.word:08X} has {len(target)} elements, must have {expected}")
            self._zones[field.name] = field, target
        elif block.index == COMMON:
            payload[:] = np.frombuffer(COMMON_PAYLOAD, np.uint8)
        elif block.index == META:
            self._temperature = payload[TEMPERATURE_OFFSET : TEMPERATURE_OFFSET + 1].view(np.int8)
        elif block.index == HISTOGRAMS:
            self._histogram, self.histogram_bytes = payload, len(payload)
        elif block.index in MOTION:
            self._motion, self.motion_bytes = payload, len(payload)
        elif block.index != START:
            raise LayoutError(f"block 0x{block.word:08X} is not among this firmware's outputs")

    def _word_at(self, offset: int) -> NDArray[np.uint32]:
        return self._buffer[offset : offset + 4].view("<u4")


def to_zones(scene: NDArray[Any]) -> NDArray[Any]:
    """Chip order of what the scene shows: (rows, columns), or (targets, rows, columns) with targets side by side.

    Zone 0, at the bottom left of the array, looks at the top right of the scene (UM3109 section 2.2): the numbering
    starts with the scene's top row and runs from right to left.
    """
    if scene.ndim == 2 or scene.shape[0] == 1:
        return scene[..., ::-1].reshape(-1)
    return scene[..., ::-1].reshape(scene.shape[0], -1).T.reshape(-1)
