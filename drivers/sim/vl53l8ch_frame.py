"""Result frames of the simulated VL53L8CH: laid out as the host's output list asks, filled from zone readings.

The layout is made once per start: one buffer in host order with all block headers in place, and one array view per
block into it. A frame is then a dozen array assignments and one byte swap.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from drivers.sim.vl53l8ch_mailbox import Block
from drivers.sim.vl53l8ch_optics import Exposure

HEADER_BYTES = 12
FOOTER_BYTES = 12
FRAME_END = 0x0000000E
LIST_END = 0x0000000F
START, META, COMMON, AMBIENT, SPADS, DETECTED = 0x0000, 0x54B4, 0x54C0, 0x54D0, 0x55D0, 0xDB84
SIGNAL, SIGMA, DISTANCE, REFLECTANCE, STATUS, MOTION = 0xDBC4, 0xDEC4, 0xDF44, 0xE044, 0xE084, 0xD858
TEMPERATURE_OFFSET = 8  # in the payload of META
COMMON_PAYLOAD = bytes([0xCE, 0x0F, 0x40, 0x02])  # as seen on silicon: wrap distance 4046, and two constants


class LayoutError(Exception):
    """The host asked for an output that this firmware doesn't have."""


@dataclass(frozen=True, slots=True)
class ZoneField:
    """How a value per zone goes onto the wire: host-side element type, factor, limits."""

    dtype: str
    factor: float
    low: float
    high: float

    def encode(self, values: NDArray[Any]) -> NDArray[Any]:
        """Values in the unit of the wire."""
        return np.clip(np.rint(values * self.factor), self.low, self.high)


# The field of an Exposure, or of a frame's own readings, behind each block index (UM3109 section 5.5).
ZONE_FIELDS: dict[int, tuple[str, ZoneField]] = {
    AMBIENT: ("ambient_kcps", ZoneField("<u4", 2048, 0, 2**32 - 1)),
    SPADS: ("spads", ZoneField("<u4", 256, 0, 2**32 - 1)),
    DETECTED: ("detected", ZoneField("u1", 1, 0, 1)),
    SIGNAL: ("signal_kcps", ZoneField("<u4", 2048, 0, 2**32 - 1)),
    SIGMA: ("sigma_mm", ZoneField("<u2", 128, 0, 2**16 - 1)),
    DISTANCE: ("distance_mm", ZoneField("<i2", 4, -(2**15), 2**15 - 1)),
    REFLECTANCE: ("reflectance_pct", ZoneField("u1", 2, 0, 255)),
    STATUS: ("status", ZoneField("u1", 1, 0, 255)),
}
READ_ANEW = {DISTANCE, STATUS}  # differ from frame to frame even before a scene that stands still
PLAIN_BLOCKS = {START, META, COMMON, MOTION}


@dataclass(frozen=True, slots=True)
class FrameHead:
    """What is said once a frame. status: the four bytes that a poll for data reads, wire order."""

    frame_id: int
    status: bytes
    temperature_c: int


class FrameLayout:
    """Where everything goes in the frames of one ranging session; `rows` zones a side, 4 or 8."""

    def __init__(self, headers: Sequence[int], rows: int) -> None:
        blocks = [Block.parse(word) for word in headers]
        self.rows = rows
        self.size = HEADER_BYTES + sum(4 + block.payload_bytes for block in blocks) + FOOTER_BYTES
        self._buffer = np.zeros(self.size, np.uint8)
        self._zones: dict[int, NDArray[Any]] = {}
        self._exposure: Exposure | None = None
        self._temperature: NDArray[np.int8] | None = None
        position = HEADER_BYTES
        for block in blocks:
            self._word_at(position)[0] = block.word
            self._place(block, self._buffer[position + 4 : position + 4 + block.payload_bytes])
            position += 4 + block.payload_bytes
        self._word_at(position)[0] = FRAME_END
        self._word_at(position + 4)[0] = LIST_END
        self._ids = (self._word_at(8), self._word_at(position + 8))

    def render(self, head: FrameHead, exposure: Exposure, distance_mm: NDArray[Any], status: NDArray[Any]) -> bytes:
        """One frame in wire order. distance_mm and status are this frame's, all else is the exposure's."""
        self._buffer[0:4] = np.frombuffer(head.status, np.uint8)[::-1]
        for word in self._ids:
            word[0] = head.frame_id
        if self._temperature is not None:
            self._temperature[0] = head.temperature_c
        if exposure is not self._exposure:
            self._exposure = exposure
            for index in self._zones.keys() - READ_ANEW:
                self._fill(index, getattr(exposure, ZONE_FIELDS[index][0]))
        self._fill(DISTANCE, distance_mm)
        self._fill(STATUS, status)
        return self._buffer.view("<u4").byteswap().tobytes()

    def _fill(self, index: int, values: NDArray[Any]) -> None:
        if index in self._zones:
            self._zones[index][:] = _to_zones(ZONE_FIELDS[index][1].encode(values), self.rows)

    def _place(self, block: Block, payload: NDArray[np.uint8]) -> None:
        if block.index in ZONE_FIELDS:
            target = payload.view(ZONE_FIELDS[block.index][1].dtype)
            if len(target) != self.rows * self.rows:
                raise LayoutError(f"block 0x{block.word:08X} has {len(target)} elements for {self.rows**2} zones")
            self._zones[block.index] = target
        elif block.index == COMMON:
            payload[:] = np.frombuffer(COMMON_PAYLOAD, np.uint8)
        elif block.index == META:
            self._temperature = payload[TEMPERATURE_OFFSET : TEMPERATURE_OFFSET + 1].view(np.int8)
        elif block.index not in PLAIN_BLOCKS:
            raise LayoutError(f"block 0x{block.word:08X} is not among this firmware's outputs")

    def _word_at(self, offset: int) -> NDArray[np.uint32]:
        return self._buffer[offset : offset + 4].view("<u4")


def _to_zones(scene: NDArray[Any], rows: int) -> NDArray[Any]:
    """Chip order of what the scene shows.

    Zone 0, at the bottom left of the array, looks at the top right of the scene (UM3109 section 2.2): the numbering
    starts with the scene's top row and runs from right to left. At 4 x 4 a zone takes the reading of the first of the
    four that it covers; the host averages its calibration the same way, the light is a matter of degree.
    """
    if rows != scene.shape[0]:
        step = scene.shape[0] // rows
        scene = scene[::step, ::step]
    return scene[:, ::-1].reshape(-1)
