"""A running measurement of the simulated VL53L8CH: which frame is current, and what is in it.

Frames are computed when somebody reads them and not before: a chip that nobody looks at costs nothing.
"""

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from drivers.sim.vl53l8ch_frame import FrameHead, FrameLayout, LayoutError
from drivers.sim.vl53l8ch_mailbox import Parameters
from drivers.sim.vl53l8ch_optics import Exposure, TofScene, TofView, expose

RANGES_HZ = {4: (1, 60), 8: (1, 15)}  # UM3109 section 2.1, zones a side -> limits
INTEGRATIONS = {4: 1, 8: 4}  # one image of 8 x 8 zones takes four integrations (UM3109 section 4.5)
CONTINUOUS = 1
SETUP_S = 0.001  # the period can't be shorter than the integrations and this (UM3109 section 4.5)
OUTPUT_ENTRIES_MAX = 128
NO_FRAME_YET = bytes([0xFF, 0x05, 0x05, 0x10])
WARM_UP_S = 180.0
COLD_C, WARMING_C = 25.0, 18.0


@dataclass(frozen=True, slots=True)
class Timing:
    """When frames are ready: the first `first_s` after the start, then every `period_s`."""

    first_s: float
    period_s: float
    integration_s: float

    @classmethod
    def of(cls, parameters: Parameters, rows: int) -> "Timing":
        """As configured; a rate beyond the chip's limits is brought to the limit."""
        low, high = RANGES_HZ[rows]
        period_s = 1.0 / min(max(parameters[0x5458:0x545C][1], low), high)
        if parameters[0xAD30:0xAD38][1] == CONTINUOUS:
            return cls(period_s, period_s, period_s / INTEGRATIONS[rows])
        integration_s = max(parameters.u32(0x545C), 1) / 1e6
        busy_s = integration_s * INTEGRATIONS[rows] + SETUP_S
        return cls(busy_s, max(period_s, busy_s), integration_s)


def stream_count(frame_id: int) -> int:
    """The first status byte of a frame, as silicon counts it: steps of four in seven bits, then bit 7 stays set."""
    turn = frame_id % 32
    if turn == 31:
        return 0x7F
    return (4 * turn + 3) | (0x80 if frame_id >= 32 else 0)


def output_headers(parameters: Parameters) -> list[int]:
    """The enabled entries of the output list; raises LayoutError when the list can't be right."""
    count = parameters.u32(0xD96C) - 1
    if not 0 < count <= OUTPUT_ENTRIES_MAX:
        raise LayoutError(f"the output list has {count} entries")
    enabled = [parameters.u32(0xD970 + 4 * (entry // 32)) >> (entry % 32) & 1 for entry in range(count)]
    return [parameters.u32(0xD980 + 4 * entry) for entry in range(count) if enabled[entry]]


class Ranging:
    """One session from start to stop. Times are bus clock."""

    def __init__(
        self, parameters: Parameters, scene: TofScene, rng: np.random.Generator, start_ns: int, powered_ns: int
    ) -> None:
        rows, columns = parameters[0x5450:0x5458][:2]
        if rows != columns or rows not in RANGES_HZ:
            raise LayoutError(f"no grid of {rows} x {columns} zones")
        if parameters[0xDB80:0xDB84][0] != 1:
            raise LayoutError("this model reports one target per zone")
        self.layout = FrameLayout(output_headers(parameters), rows)
        self.timing = Timing.of(parameters, rows)
        self._scene = scene
        self._rng = rng
        self._start_ns = start_ns
        self._powered_ns = powered_ns
        self._rendered_id = -1
        self._rendered = b""
        self._seen: NDArray[np.bool_] | None = None
        self._view: TofView | None = None
        self._exposure: Exposure | None = None

    def frame_id(self, now_ns: int) -> int:
        """The number of the newest complete frame, -1 before the first."""
        after_first_s = (now_ns - self._start_ns) / 1e9 - self.timing.first_s
        return -1 if after_first_s < 0 else int(after_first_s / self.timing.period_s)

    def ready_ns(self, frame_id: int) -> int:
        """When that frame is complete."""
        return self._start_ns + round((self.timing.first_s + frame_id * self.timing.period_s) * 1e9)

    def status(self, now_ns: int) -> bytes:
        """The four bytes at address 0, wire order."""
        frame_id = self.frame_id(now_ns)
        return NO_FRAME_YET if frame_id < 0 else _status_of(frame_id)

    def frame(self, now_ns: int) -> bytes:
        """The newest complete frame, wire order."""
        frame_id = self.frame_id(now_ns)
        if frame_id < 0:
            return NO_FRAME_YET + bytes(self.layout.size - len(NO_FRAME_YET))
        if frame_id != self._rendered_id:
            self._rendered = self._render(frame_id)
        return self._rendered

    def _render(self, frame_id: int) -> bytes:
        middle_s = self.ready_ns(frame_id) / 1e9 - self.timing.integration_s / 2
        if frame_id > 0 and self._rendered_id != frame_id - 1:
            self._seen = self._expose(middle_s - self.timing.period_s).detected
        exposure = self._expose(middle_s)
        status = exposure.status_after(self._seen)
        self._seen = exposure.detected
        self._rendered_id = frame_id
        on_s = max(0.0, middle_s - self._powered_ns / 1e9)
        temperature_c = round(COLD_C + WARMING_C * (1.0 - math.exp(-on_s / WARM_UP_S)))
        head = FrameHead(frame_id, _status_of(frame_id), temperature_c)
        return self.layout.render(head, exposure, exposure.distance_reading_mm(self._rng), status)

    def _expose(self, time_s: float) -> Exposure:
        """What the scene shows then; a view that is still the same object is not computed again."""
        view = self._scene.tof(time_s)
        if self._exposure is None or view is not self._view:
            self._view, self._exposure = view, expose(view, self.timing.integration_s)
        return self._exposure


def _status_of(frame_id: int) -> bytes:
    return bytes([stream_count(frame_id), 0x05, 0x9F, 0x11 | (frame_id & 1) << 5])
