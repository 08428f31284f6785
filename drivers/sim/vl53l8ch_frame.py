"""Result frames of the simulated VL53L8CH: laid out as the host's output list asks, filled from zone readings.

The layout is made once per start: one buffer in host order with all block headers in place, and one array view per
block into it. A frame is then a dozen array assignments and one byte swap.
"""

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from drivers.sim.vl53l8ch_mailbox import Block
from drivers.sim.vl53l8ch_optics import ZoneReadings

HEADER_BYTES = 12
FOOTER_BYTES = 12
FRAME_END = 0x0000000E
LIST_END = 0x0000000F
START, META, COMMON, AMBIENT, SPADS, DETECTED = 0x0000, 0x54B4, 0x54C0, 0x54D0, 0x55D0, 0xDB84
SIGNAL, SIGMA, DISTANCE, REFLECTANCE, STATUS, MOTION = 0xDBC4, 0xDEC4, 0xDF44, 0xE044, 0xE084, 0xD858
TEMPERATURE_OFFSET = 8  # in the payload of META
COMMON_PAYLOAD = bytes([0xCE, 0x0F, 0x40, 0x02])  # as seen on silicon: wrap distance 4046, and two constants

Zones = NDArray[np.float64]


class LayoutError(Exception):
    """The host asked for an output that this firmware doesn't have."""


def _scaled(field: str, factor: float, top: float) -> Callable[[ZoneReadings], Zones]:
    def values(readings: ZoneReadings) -> Zones:
        return np.clip(np.rint(getattr(readings, field) * factor), -top - 1 if field == "distance_mm" else 0, top)

    return values


# Block index -> (element type on the host side, value in the unit of the wire)
ZONE_BLOCKS: dict[int, tuple[str, Callable[[ZoneReadings], NDArray[Any]]]] = {
    AMBIENT: ("<u4", _scaled("ambient_kcps", 2048, 2**32 - 1)),
    SPADS: ("<u4", _scaled("spads", 256, 2**32 - 1)),
    DETECTED: ("u1", lambda readings: readings.detected),
    SIGNAL: ("<u4", _scaled("signal_kcps", 2048, 2**32 - 1)),
    SIGMA: ("<u2", _scaled("sigma_mm", 128, 2**16 - 1)),
    DISTANCE: ("<i2", _scaled("distance_mm", 4, 2**15 - 1)),
    REFLECTANCE: ("u1", _scaled("reflectance_pct", 2, 255)),
    STATUS: ("u1", lambda readings: readings.status),
}
PLAIN_BLOCKS = {START, META, COMMON, MOTION}


class FrameLayout:
    """Where everything goes in the frames of one ranging session; `rows` zones a side, 4 or 8."""

    def __init__(self, headers: Sequence[int], rows: int) -> None:
        blocks = [Block.parse(word) for word in headers]
        self.rows = rows
        self.size = HEADER_BYTES + sum(4 + block.payload_bytes for block in blocks) + FOOTER_BYTES
        self._buffer = np.zeros(self.size, np.uint8)
        self._zones: list[tuple[NDArray[Any], Callable[[ZoneReadings], NDArray[Any]]]] = []
        self._temperature: NDArray[np.int8] | None = None
        position = HEADER_BYTES
        for block in blocks:
            self._word_at(position)[0] = block.word
            self._place(block, self._buffer[position + 4 : position + 4 + block.payload_bytes])
            position += 4 + block.payload_bytes
        self._word_at(position)[0] = FRAME_END
        self._word_at(position + 4)[0] = LIST_END
        self._ids = (self._word_at(8), self._word_at(position + 8))

    def render(self, frame_id: int, status: bytes, temperature_c: int, readings: ZoneReadings) -> bytes:
        """One frame in wire order. status: the four bytes that a poll for data reads, wire order."""
        self._buffer[0:4] = np.frombuffer(status, np.uint8)[::-1]
        for word in self._ids:
            word[0] = frame_id
        if self._temperature is not None:
            self._temperature[0] = temperature_c
        for target, values in self._zones:
            target[:] = _to_zones(values(readings), self.rows)
        return self._buffer.view("<u4").byteswap().tobytes()

    def _place(self, block: Block, payload: NDArray[np.uint8]) -> None:
        if block.index in ZONE_BLOCKS:
            dtype, values = ZONE_BLOCKS[block.index]
            target = payload.view(dtype)
            if len(target) != self.rows * self.rows:
                raise LayoutError(f"block 0x{block.word:08X} has {len(target)} elements for {self.rows**2} zones")
            self._zones.append((target, values))
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
