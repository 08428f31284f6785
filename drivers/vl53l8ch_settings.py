"""How a VL53L8CH shall range: one frozen value, which cannot exist with numbers that the chip can't carry.

Whether the bus can carry it is known once the bus has been timed: `TofSettings.check_bus`. What a newcomer gets wrong:
frames that take longer on the wire than the chip needs to make them don't come a little later, every other one is
lost, because the chip goes on in its own time.
"""

import struct
from dataclasses import dataclass, replace
from enum import Enum, IntEnum, StrEnum, unique
from typing import Literal

from drivers.bus import MESSAGE_BYTES_MAX
from drivers.errors import SettingError
from drivers.vl53l8ch_cnh import CnhSettings
from drivers.vl53l8ch_motion import BLOCK_BYTES, MotionSettings

FREQUENCY_HZ = {4: (1, 60), 8: (1, 15)}  # zones a side -> limits (UM3109 section 4.4)
INTEGRATIONS = {4: 1, 8: 4}  # an image of 8 x 8 zones takes four (UM3109 section 4.6)
INTEGRATION_MS = (2, 1000)
SETUP_MS = 1  # the period must be longer than all integrations and this (UM3109 section 4.6)
SHARPENER_PCT = (0, 99)
TARGETS = (1, 4)
THRESHOLDS_MAX = 64
BUS_SHARE_MAX = 0.9  # of a period; the rest is for the other chip and for polling
POLL_BYTES = 4
CLOCKS_PER_BYTE = 9
READ_OVERHEAD_BYTES = 5  # device address twice, register address, one to spare


@unique
class Output(StrEnum):
    """What a frame may carry beside distance, status, number of targets and temperature, which it always does."""

    AMBIENT = "ambient"
    SPADS = "spads"
    SIGNAL = "signal"
    SIGMA = "sigma"
    REFLECTANCE = "reflectance"


EVERYTHING = frozenset(Output)
USUAL = EVERYTHING - {Output.SPADS}


@unique
class RangingMode(Enum):
    """Two bytes of the chip's mode block. Continuous: laser on all the time; autonomous: for the integration only."""

    CONTINUOUS = (1, 3)
    AUTONOMOUS = (3, 2)


@unique
class TargetOrder(IntEnum):
    """Which target of a zone is the first."""

    CLOSEST = 1
    STRONGEST = 2


@unique
class Measurement(Enum):
    """What a threshold looks at: the chip's code, and its scale."""

    DISTANCE_MM = (1, 4)
    SIGNAL_KCPS = (2, 2048)
    SIGMA_MM = (4, 128)
    AMBIENT_KCPS = (8, 2048)
    TARGETS = (9, 1)
    STATUS = (12, 1)
    SPADS = (13, 256)


@unique
class Window(IntEnum):
    """When a threshold is met."""

    INSIDE = 0
    OUTSIDE = 1
    AT_MOST_LOW = 2
    ABOVE_HIGH = 3
    EQUAL_LOW = 4
    NOT_EQUAL_LOW = 5


@dataclass(frozen=True, slots=True)
class Threshold:
    """A condition on one zone: row and column in scene orientation; low, high in the unit of the measurement.

    both: this and the zone's other condition must be met (4 x 4 zones with two a zone only).
    """

    row: int
    column: int
    measurement: Measurement
    window: Window
    low: float
    high: float = 0.0
    both: bool = False

    def packed(self, zone: int, last: bool) -> bytes:
        """The chip's 12 bytes. zone: chip zone number."""
        code, scale = self.measurement.value
        low, high = (round(value * scale) for value in (self.low, self.high))
        return struct.pack("<iiBBBB", low, high, code, self.window, zone | (128 if last else 0), 2 if self.both else 0)


@dataclass(frozen=True, slots=True)
class TofSettings:
    """All of it; raises SettingError when made with something impossible.

    zones: a side. frequency_hz: 1 to 15 at 8 x 8, to 60 at 4 x 4. integration_ms: 2 to 1000, autonomous mode only.
    sharpener_pct: 0 to 99. targets: 1 to 4 per zone. vhv_repeat_frames: after how many frames the chip compensates for
    its temperature anew, 0 for never. crosstalk_margin_kcps: 0 to 10000 per SPAD. cnh: histograms; motion: how much
    moves, instead of them. thresholds: frames come only when one is met; autostop: and the chip stops then. sync_pin:
    every frame waits for an edge there. mounting_deg: how far the sensor is turned clockwise, seen from behind it.
    double_read: read every frame twice and compare, which finds any bit flipped on the wire and doubles the time on it.
    """

    zones: Literal[4, 8] = 8
    frequency_hz: int = 15
    mode: RangingMode = RangingMode.CONTINUOUS
    integration_ms: int = 10
    sharpener_pct: int = 1
    target_order: TargetOrder = TargetOrder.STRONGEST
    targets: int = 1
    outputs: frozenset[Output] = USUAL
    vhv_repeat_frames: int = 900
    crosstalk_margin_kcps: float = 50.0
    cnh: CnhSettings | None = None
    motion: MotionSettings | None = None
    thresholds: tuple[Threshold, ...] = ()
    autostop: bool = False
    sync_pin: bool = False
    mounting_deg: Literal[0, 90, 180, 270] = 0
    double_read: bool = False

    def __post_init__(self) -> None:
        _choice("zones", self.zones, (4, 8))
        _choice("mounting_deg", self.mounting_deg, (0, 90, 180, 270))
        _within("frequency_hz", self.frequency_hz, FREQUENCY_HZ[self.zones], f" at {self.zones} x {self.zones} zones")
        _within("sharpener_pct", self.sharpener_pct, SHARPENER_PCT)
        _within("targets", self.targets, TARGETS)
        _within("vhv_repeat_frames", self.vhv_repeat_frames, (0, 1_000_000))
        _within("crosstalk_margin_kcps", self.crosstalk_margin_kcps, (0, 10_000))
        unknown = sorted(str(each) for each in self.outputs if each not in EVERYTHING)
        if unknown:
            raise SettingError("outputs", ", ".join(unknown), f"must be of {', '.join(sorted(EVERYTHING))}")
        self._check_autonomous()
        self._check_cnh()
        self._check_thresholds()
        if self.frame_bytes > MESSAGE_BYTES_MAX:
            reason = f"a frame of {self.frame_bytes} bytes does not fit into one message of {MESSAGE_BYTES_MAX}"
            raise SettingError("outputs", "too much", reason)

    @property
    def frame_bytes(self) -> int:
        """Size of one frame on the wire."""
        cells = self.zones * self.zones
        per_zone = {Output.AMBIENT: 4, Output.SPADS: 4}
        per_target = {Output.SIGNAL: 4, Output.SIGMA: 2, Output.REFLECTANCE: 1}
        size = 12 + 4 + 16 + 8 + (4 + cells) + (4 + 2 * cells * self.targets) + (4 + cells * self.targets) + 12
        size += sum(4 + width * cells for output, width in per_zone.items() if output in self.outputs)
        size += sum(4 + width * cells * self.targets for output, width in per_target.items() if output in self.outputs)
        size += 0 if self.motion is None else 4 + BLOCK_BYTES
        return size + (0 if self.cnh is None else 4 + self.cnh.memory_bytes)

    @property
    def period_s(self) -> float:
        """The shortest time between frames; with `sync_pin` an edge may come as soon as the chip is free."""
        return self.busy_ms / 1000.0 if self.sync_pin else 1.0 / self.frequency_hz

    @property
    def busy_ms(self) -> int:
        """How long the chip works at one frame in autonomous mode."""
        return self.integration_ms * INTEGRATIONS[self.zones] + SETUP_MS

    def wire_s(self, bus_hz: float) -> float:
        """Time that one frame and the poll for it keep the bus busy."""
        reads = 2 if self.double_read else 1
        carried = reads * (self.frame_bytes + READ_OVERHEAD_BYTES) + POLL_BYTES + READ_OVERHEAD_BYTES
        return carried * CLOCKS_PER_BYTE / bus_hz

    def fitted(self, bus_hz: float) -> "TofSettings | None":
        """These settings as a bus of `bus_hz` carries them, None when it carries none of it.

        Reading twice is given up first, then the frequency is lowered.
        """
        highest = int(BUS_SHARE_MAX / self.wire_s(bus_hz))
        if highest < self.frequency_hz and self.double_read:
            return replace(self, double_read=False).fitted(bus_hz)
        if highest < 1:
            return None
        return self if highest >= self.frequency_hz else replace(self, frequency_hz=highest)

    def check_bus(self, bus_hz: float, bus_name: str) -> None:
        """Raise SettingError when a bus that carries `bus_hz` clocks a second is too slow for this."""
        fitted = self.fitted(bus_hz)
        if fitted is self:
            return
        reads = "twice " if self.double_read else ""
        reason = (
            f"but {bus_name} carries {bus_hz / 1000:.0f} kHz: reading {self.frame_bytes} bytes {reads}takes "
            f"{self.wire_s(bus_hz) * 1000:.1f} ms of {1000 / self.frequency_hz:.1f}; "
            "speed the bus up (dtparam=i2c_arm_baudrate=1000000) or ask for less"
        )
        if fitted is not None and fitted.frequency_hz == self.frequency_hz:
            raise SettingError("double_read", self.double_read, reason, nearest=False)
        raise SettingError("frequency_hz", self.frequency_hz, reason, None if fitted is None else fitted.frequency_hz)

    def _check_autonomous(self) -> None:
        _within("integration_ms", self.integration_ms, INTEGRATION_MS)
        if self.mode is RangingMode.CONTINUOUS:
            if self.sync_pin:
                raise SettingError("sync_pin", True, "works in autonomous mode only", False)
            return
        if self.busy_ms * self.frequency_hz > 1000:
            fit = (1000 // self.frequency_hz - SETUP_MS) // INTEGRATIONS[self.zones]
            reason = f"with {INTEGRATIONS[self.zones]} integrations a frame that is longer than its period"
            raise SettingError("integration_ms", self.integration_ms, reason, fit if fit >= INTEGRATION_MS[0] else None)

    def _check_cnh(self) -> None:
        if self.cnh is not None and self.motion is not None:
            raise SettingError("motion", "asked for", "but shares its memory with the histograms, asked for as well")
        if self.cnh is not None and len(self.cnh.aggregate_of) != self.zones * self.zones:
            reason = f"must name an aggregate for each of {self.zones * self.zones} zones"
            raise SettingError("cnh.aggregate_of", f"{len(self.cnh.aggregate_of)} zones long", reason)

    def _check_thresholds(self) -> None:
        if len(self.thresholds) > THRESHOLDS_MAX:
            raise SettingError("thresholds", f"{len(self.thresholds)} long", f"must be at most {THRESHOLDS_MAX}")
        if self.autostop and not self.thresholds:
            raise SettingError("autostop", True, "needs thresholds to stop at", False)
        for each in self.thresholds:
            _within("thresholds.row", each.row, (0, self.zones - 1))
            _within("thresholds.column", each.column, (0, self.zones - 1))
            _, scale = each.measurement.value
            for field, value in (("low", each.low), ("high", each.high)):
                _within(f"thresholds.{field}", value, (-(2**31 - 1) // scale, (2**31 - 1) // scale))
            if each.both and self.zones != 4:
                raise SettingError("thresholds.both", True, "works at 4 x 4 zones only", False)


def _within(field: str, value: float, bounds: tuple[int, int], where: str = "") -> None:
    low, high = bounds
    if not low <= value <= high:  # a NaN is outside too
        nearest = low if value < low else high
        raise SettingError(field, value, f"must be {low} to {high}{where}", nearest)


def _choice(field: str, value: int, choices: tuple[int, ...]) -> None:
    if value not in choices:
        nearest = min(choices, key=lambda choice: abs(choice - value))
        raise SettingError(field, value, f"must be one of {', '.join(map(str, choices))}", nearest)
