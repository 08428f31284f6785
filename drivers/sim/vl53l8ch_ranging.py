"""A running measurement of the simulated VL53L8CH: which frame is current, and what is in it.

Frames are computed when somebody reads them and not before: a chip that nobody looks at costs nothing.
"""

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from drivers.sim.vl53l8ch_cnh import CONFIGURATION as CNH_CONFIGURATION
from drivers.sim.vl53l8ch_cnh import CONFIGURATION_BYTES, CnhConfiguration, CnhModel
from drivers.sim.vl53l8ch_frame import FrameHead, FrameLayout, LayoutError, Readings
from drivers.sim.vl53l8ch_mailbox import Parameters
from drivers.sim.vl53l8ch_motion import MotionModel
from drivers.sim.vl53l8ch_optics import ChipOptics, Conditions, Exposure, TofScene, TofView, expose
from drivers.sim.vl53l8ch_rhythm import Periodic, Rhythm, Triggered
from drivers.sim.vl53l8ch_thresholds import Thresholds

RANGES_HZ = {4: (1, 60), 8: (1, 15)}  # UM3109 section 2.1, zones a side -> limits
INTEGRATIONS = {4: 1, 8: 4}  # one image of 8 x 8 zones takes four integrations (UM3109 section 4.5)
CONTINUOUS = 1
SYNC, SYNC_BIT = 0xB5F0, 0x02
CLOSEST = 1
CROSSTALK_SCALE = 2048.0  # of the calibrated grid, taken as that of all rates
SETUP_S = 0.001  # the period can't be shorter than the integrations and this (UM3109 section 4.5)
OUTPUT_ENTRIES_MAX = 128
NO_FRAME_YET = bytes([0xFF, 0x05, 0x05, 0x10])
WARM_UP_S = 180.0
COLD_C, WARMING_C = 25.0, 18.0


@dataclass(frozen=True, slots=True)
class Timing:
    """When frames are ready: the first `first_s` after the start, then every `period_s`.

    lit_s: for how long of a period the laser is on.
    """

    first_s: float
    period_s: float
    integration_s: float
    lit_s: float

    @classmethod
    def of(cls, parameters: Parameters, rows: int) -> "Timing":
        """As configured; a rate beyond the chip's limits is brought to the limit."""
        low, high = RANGES_HZ[rows]
        period_s = 1.0 / min(max(parameters[0x5458:0x545C][1], low), high)
        if parameters[0xAD30:0xAD38][1] == CONTINUOUS:
            return cls(period_s, period_s, period_s / INTEGRATIONS[rows], period_s)
        integration_s = max(parameters.u32(0x545C), 1) / 1e6
        busy_s = integration_s * INTEGRATIONS[rows] + SETUP_S
        return cls(busy_s, max(period_s, busy_s), integration_s, busy_s - SETUP_S)


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


@dataclass(frozen=True, slots=True)
class Specimen:
    """What stays the same from session to session. powered_ns: bus clock when the supply came."""

    scene: TofScene
    optics: ChipOptics
    rng: np.random.Generator
    powered_ns: int

    def temperature_c(self, time_s: float) -> float:
        """Of the silicon, which warms up with its supply."""
        on_s = max(0.0, time_s - self.powered_ns / 1e9)
        return COLD_C + WARMING_C * (1.0 - math.exp(-on_s / WARM_UP_S))


class Ranging:
    """One session from start to stop. Times are bus clock."""

    def __init__(self, parameters: Parameters, specimen: Specimen, start_ns: int) -> None:
        rows, columns = parameters[0x5450:0x5458][:2]
        if rows != columns or rows not in RANGES_HZ:
            raise LayoutError(f"no grid of {rows} x {columns} zones")
        targets = parameters[0xDB80:0xDB84][0]
        if not 1 <= targets <= parameters[0x5478:0x5488][0xC]:
            raise LayoutError(f"the firmware does not compute {targets} targets a zone")
        self.layout = FrameLayout(output_headers(parameters), rows, targets)
        self.timing = Timing.of(parameters, rows)
        self.stopped_at_ns: int | None = None
        self._specimen = specimen
        self.triggered = _triggered(parameters, self.timing)
        own = Periodic(start_ns, self.timing.first_s, self.timing.period_s)
        self._rhythm: Rhythm = own if self.triggered is None else self.triggered
        self._conditions = _conditions(parameters, specimen.optics, rows, self.timing.integration_s)
        self._vhv_repeat = parameters.u32(0xAD64)
        self._autostop = parameters[0xDB80:0xDB84][3] == 1
        self._thresholds = Thresholds(parameters)
        self._histograms = _histograms(parameters, self.layout, rows)
        self._motion = MotionModel.of(parameters, rows * rows) if self.layout.motion_bytes else None
        self._rendered_id = -1
        self._rendered = b""
        self._published_id = -1
        self._seen: NDArray[np.bool_] | None = None
        self._view: TofView | None = None
        self._exposure: Exposure | None = None

    def frame_id(self, now_ns: int) -> int:
        """The number of the newest complete frame, -1 before the first."""
        if self.stopped_at_ns is not None:
            now_ns = min(now_ns, self.stopped_at_ns)
        return self._rhythm.frame_id(now_ns)

    def ready_ns(self, frame_id: int) -> int:
        """When that frame is complete."""
        return self._rhythm.ready_ns(frame_id)

    def ends_ns(self, now_ns: int) -> int:
        """When the session has stopped if it is told to now."""
        return self._rhythm.ends_ns(now_ns)

    def shown_id(self, now_ns: int) -> int:
        """The number of the frame in the result registers: the newest that was worth an interrupt."""
        newest = self.frame_id(now_ns)
        if not self._thresholds.armed:
            return newest
        while self._rendered_id < newest and self.stopped_at_ns is None:
            frame_id = self._rendered_id + 1
            rendered, worth = self._render(frame_id)
            if worth:
                self._published_id, self._rendered = frame_id, rendered
                if self._autostop:
                    self.stopped_at_ns = self.ready_ns(frame_id)
        return self._published_id

    def status(self, now_ns: int) -> bytes:
        """The four bytes at address 0, wire order."""
        frame_id = self.shown_id(now_ns)
        return NO_FRAME_YET if frame_id < 0 else _status_of(frame_id)

    def frame(self, now_ns: int) -> bytes:
        """The frame in the result registers, wire order."""
        frame_id = self.shown_id(now_ns)
        if frame_id < 0:
            return NO_FRAME_YET + bytes(self.layout.size - len(NO_FRAME_YET))
        if not self._thresholds.armed and frame_id != self._rendered_id:
            self._rendered, _ = self._render(frame_id)
        return self._rendered

    def _render(self, frame_id: int) -> tuple[bytes, bool]:
        """The bytes of a frame, and whether it is worth an interrupt."""
        middle_s = self.ready_ns(frame_id) / 1e9 - self.timing.integration_s / 2
        if frame_id > 0 and self._rendered_id != frame_id - 1:
            self._seen = self._expose(middle_s - self.timing.period_s).detected > 0
        exposure = self._expose(middle_s)
        status = exposure.status_after(self._seen)
        self._seen = exposure.detected > 0
        self._rendered_id = frame_id
        temperature_c = self._specimen.temperature_c(middle_s)
        rng = self._specimen.rng
        distance_mm = exposure.distance_reading_mm(rng, self._drift_mm(frame_id, temperature_c))
        histograms = b"" if self._histograms is None else self._histograms.payload(exposure, rng)
        motion = b"" if self._motion is None else self._motion.payload(exposure, rng)
        readings = Readings(distance_mm, status, histograms, motion)
        head = FrameHead(frame_id, _status_of(frame_id), round(temperature_c))
        worth = not self._thresholds.armed or self._thresholds.met(exposure, readings)
        return self.layout.render(head, exposure, readings), worth

    def _drift_mm(self, frame_id: int, temperature_c: float) -> float:
        """What the temperature does to distances, more of it the longer ago the chip compensated for it."""
        optics = self._conditions.optics
        if not (optics.drift_mm_per_c or optics.uncompensated_mm_per_c):
            return 0.0
        since = frame_id % self._vhv_repeat if self._vhv_repeat else frame_id
        compensated_c = self._specimen.temperature_c(self.ready_ns(frame_id - since) / 1e9)
        residual_mm = optics.drift_mm_per_c * (temperature_c - COLD_C)
        return residual_mm + optics.uncompensated_mm_per_c * (temperature_c - compensated_c)

    def _expose(self, time_s: float) -> Exposure:
        """What the scene shows then; a view that is still the same object is not computed again."""
        view = self._specimen.scene.tof(time_s)
        if self._exposure is None or view is not self._view:
            self._view, self._exposure = view, expose(view, self._conditions)
        return self._exposure


def _triggered(parameters: Parameters, timing: Timing) -> Triggered | None:
    """The rhythm of the sync pin where that is in force, which it is in autonomous mode only."""
    wanted = parameters[SYNC : SYNC + 4][3] & SYNC_BIT and parameters[0xAD30:0xAD38][1] != CONTINUOUS
    return Triggered(round(timing.first_s * 1e9)) if wanted else None


def _conditions(parameters: Parameters, optics: ChipOptics, rows: int, integration_s: float) -> Conditions:
    grid = np.frombuffer(parameters[0x9FFC : 0x9FFC + 4 * rows * rows], "<u4") / CROSSTALK_SCALE
    return Conditions(
        rows=rows,
        integration_s=integration_s,
        targets=parameters[0xDB80:0xDB84][0],
        closest_first=parameters[0xAE64:0xAE68][0] == CLOSEST,
        crosstalk_kcps=grid.reshape(rows, rows)[:, ::-1],
        optics=optics,
    )


def _histograms(parameters: Parameters, layout: FrameLayout, rows: int) -> CnhModel | None:
    if not layout.histogram_bytes:
        return None
    block = parameters[CNH_CONFIGURATION : CNH_CONFIGURATION + CONFIGURATION_BYTES]
    configuration = CnhConfiguration.parse(block, rows * rows)
    if layout.histogram_bytes != 4 * configuration.payload_words:
        expected = 4 * configuration.payload_words
        raise LayoutError(f"the histogram block has {layout.histogram_bytes} bytes, must have {expected}")
    return CnhModel(configuration)


def _status_of(frame_id: int) -> bytes:
    return bytes([stream_count(frame_id), 0x05, 0x9F, 0x11 | (frame_id & 1) << 5])
