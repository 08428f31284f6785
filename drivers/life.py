"""A sensor's life: reads it, and when it fails climbs one ladder of remedies, the same for both chips.

    retry        read once more, at once
    soft reset   stop and start it anew; its firmware stays
    reload       from the supply up: reset, firmware, settings
    power cycle  switch its supply off and on, where a hook can
    given up     say so loudly, and try a reload now and then, ever more rarely

One rung a look; a good frame ends the climb. What the driver doubts, what nobody answers and what says exactly the same
thing again and again is a failure and never data. The thing a newcomer gets wrong: a frame after a failure proves only
that frame, so what had been reported is taken back with the first one, but every rung is counted.
"""

from collections import Counter, deque
from collections.abc import Callable
from dataclasses import dataclass, field
from enum import IntEnum, StrEnum, unique
from typing import Generic, TypeVar

from drivers.bus import BusError, BusTimeoutError, Clock, NakError
from drivers.errors import (
    DriverError,
    FirmwareError,
    FrameCorruptError,
    NotFoundError,
    SensorFaultError,
    SettingError,
    StaleFrameError,
)

FAILED_LOOKS = 2  # so many in a row are reported: within three periods of the schedule
UNSTEADY_LOOKS = 20  # of the last twenty …
UNSTEADY_FAILED = 4  # … so many failed: it recovers every time, but a person must know
RETRY_FIRST_S = 5.0  # after giving up; a reload of the ranging chip takes the bus for a second or more
RETRY_MOST_S = 60.0

Frame = TypeVar("Frame")


@unique
class Kind(StrEnum):
    """What is wrong, as far as the host can tell."""

    ABSENT = "absent"
    WRONG_CHIP = "wrong chip"
    STUCK_BUS = "stuck bus"
    BUS = "bus"
    BROWN_OUT = "brown-out"
    LASER = "laser"
    FIRMWARE = "firmware"
    CHIP = "chip"
    STALE = "stale"
    CORRUPT = "corrupt"
    FROZEN = "frozen"
    SETTING = "setting"


@unique
class Rung(IntEnum):
    """How far the ladder has been climbed; the names are those of the module's picture."""

    NONE = 0
    RETRY = 1
    SOFT_RESET = 2
    RELOAD = 3
    POWER_CYCLE = 4
    GIVEN_UP = 5

    @property
    def words(self) -> str:
        """For a reader."""
        return self.name.lower().replace("_", " ")


ADVICE = {
    Kind.ABSENT: "check the cable and its connector, then the 3.3 V supply, then whether LPn (VL53L8CH) is high",
    Kind.WRONG_CHIP: "check the part number on the breakout; SQAL needs a VL53L8CH at 0x29 and an AS7341 at 0x39",
    Kind.STUCK_BUS: "unplug one sensor after the other until the bus is free, then check the level shifter",
    Kind.BUS: "check cable length (1 MHz: at most some 30 cm), pull-ups and the level shifter",
    Kind.BROWN_OUT: "check the supply: both sensors and the lamp together need it steady; look for a loose contact",
    Kind.LASER: "replace the VL53L8CH: its laser must not be used any more",
    Kind.FIRMWARE: "the download arrives with errors: check the cable, then slow the bus down",
    Kind.CHIP: "switch the supply off and on; if it comes back, replace the sensor",
    Kind.STALE: "switch the supply off and on; if it comes back, replace the sensor",
    Kind.CORRUPT: "bits arrive wrong: check cable length, pull-ups, the level shifter, and motors nearby",
    Kind.FROZEN: "switch the supply off and on; if it comes back, replace the sensor",
    Kind.SETTING: "change the setting, or the speed of the bus",
}


_CHEAP = frozenset({Kind.ABSENT, Kind.WRONG_CHIP})  # one transfer tells that nothing has changed: ask at every look


class FrozenError(SensorFaultError):
    """The chip says exactly what it said before, which noise makes impossible."""


class LostStateError(SensorFaultError):
    """The chip is there and knows nothing of what it was told: its supply was gone for a moment."""


class LaserError(SensorFaultError):
    """The laser's safety circuit has tripped."""


def kind_of(error: Exception) -> Kind:
    """What an error of a bus or a driver means."""
    for types, kind in _KINDS:
        if isinstance(error, types):
            if kind is Kind.WRONG_CHIP and not getattr(error, "received", b""):
                return Kind.ABSENT
            if kind is Kind.CHIP and "laser" in str(error):
                return Kind.LASER
            return kind
    return Kind.CHIP


_KINDS: tuple[tuple[type[Exception], Kind], ...] = (
    (NakError, Kind.ABSENT),
    (BusTimeoutError, Kind.STUCK_BUS),
    (BusError, Kind.BUS),
    (NotFoundError, Kind.WRONG_CHIP),
    (FirmwareError, Kind.FIRMWARE),
    (StaleFrameError, Kind.STALE),
    (FrameCorruptError, Kind.CORRUPT),
    (SettingError, Kind.SETTING),
    (FrozenError, Kind.FROZEN),
    (LostStateError, Kind.BROWN_OUT),
    (SensorFaultError, Kind.CHIP),
)


@dataclass(slots=True)
class LifeCounters:
    """Totals since the making. looks: frames asked for; troubles by Kind; rungs: how often each was tried.

    cured: by which rung the sensor was brought back. recoveries: climbs that ended well.
    """

    looks: int = 0
    failed_looks: int = 0
    troubles: Counter[Kind] = field(default_factory=Counter[Kind])
    rungs: Counter[Rung] = field(default_factory=Counter[Rung])
    cured: Counter[Rung] = field(default_factory=Counter[Rung])

    def flat(self) -> dict[str, int]:
        """Every number by a name of its own, such as `trouble_stuck_bus` or `rung_reload`."""
        found = {"looks": self.looks, "failed_looks": self.failed_looks}
        found |= {f"trouble_{kind.replace(' ', '_').replace('-', '_')}": n for kind, n in self.troubles.items()}
        found |= {f"rung_{rung.name.lower()}": n for rung, n in self.rungs.items()}
        return found | {f"cured_by_{rung.name.lower()}": n for rung, n in self.cured.items()}


@dataclass(frozen=True, slots=True)
class Ailment:
    """What is wrong with a sensor now. looks: in a row without a frame. rung: the last that was tried."""

    kind: Kind
    reason: str
    looks: int
    rung: Rung

    @property
    def advice(self) -> str:
        """What to check first."""
        return ADVICE[self.kind]


@dataclass(frozen=True, slots=True)
class Care(Generic[Frame]):
    """How one kind of sensor is looked after; every call may raise DriverError or BusError.

    start: from any state to frames. soft_reset: the same without losing the firmware. reload: the same from the supply
    up. lost_state: whether the chip answers but has forgotten its settings. evidence: bytes of a frame that noise never
    repeats, None where it might. power_cycle: switches the supply off and on, None where nothing can.
    """

    chip: str
    start: Callable[[], None]
    read: Callable[[], Frame]
    soft_reset: Callable[[], None]
    reload: Callable[[], None]
    lost_state: Callable[[], bool]
    evidence: Callable[[Frame], bytes | None]
    power_cycle: Callable[[], None] | None = None


class Life(Generic[Frame]):
    """One sensor with its history. ailment: None while it delivers; last_ailment: even then. For one thread."""

    def __init__(self, care: Care[Frame], clock: Clock) -> None:
        self.chip = care.chip
        self.counters = LifeCounters()
        self.ailment: Ailment | None = Ailment(Kind.STALE, "not started yet", 0, Rung.NONE)
        self.last_ailment: Ailment | None = None
        self._care = care
        self._clock = clock
        self._running = False
        self._born = False
        self._rung = Rung.NONE
        self._retry_ns = 0
        self._retry_s = RETRY_FIRST_S
        self._seen: bytes | None = None
        self._lately: deque[bool] = deque(maxlen=UNSTEADY_LOOKS)  # whether a look failed

    @property
    def unsteady(self) -> int:
        """How many of the last UNSTEADY_LOOKS looks failed for a moment, 0 while that is few."""
        failed = sum(self._lately)
        return failed if failed >= UNSTEADY_FAILED else 0

    @property
    def failing(self) -> bool:
        """Whether it has failed so often that somebody must be told."""
        return self.ailment is not None and self.ailment.looks >= FAILED_LOOKS

    def begin(self) -> bool:
        """Start the sensor unless it runs; False when it would not."""
        try:
            if not self._running:
                self._climb()
        except (DriverError, BusError) as error:
            self._failed(error)
            return False
        self._recovered()
        return True

    def look(self) -> Frame | None:
        """A frame that can be believed, or None; takes one rung of the ladder at most."""
        self.counters.looks += 1
        try:
            if not self._running or self._rung > Rung.NONE:
                self._climb()
            frame = self._attempt()
        except (DriverError, BusError) as error:
            self._failed(error)
            self._lately.append(True)
            if self.failing:
                self._lately.clear()  # this is told in full
            return None
        self._recovered()
        self._lately.append(False)
        return frame

    def _attempt(self) -> Frame:
        """Read, and read again after what may have been a short disturbance."""
        try:
            return self._believable(self._care.read())
        except (NakError, FrameCorruptError) as error:
            self.counters.troubles[kind_of(error)] += 1
            self.counters.rungs[Rung.RETRY] += 1
        return self._believable(self._care.read())

    def _believable(self, frame: Frame) -> Frame:
        evidence = self._care.evidence(frame)
        repeated = evidence is not None and evidence == self._seen
        self._seen = evidence
        if repeated:
            raise FrozenError(f"the {self.chip} says exactly what it said before: it is stuck")
        return frame

    def _climb(self) -> None:
        """Take the next rung; raises what it raises, and the old reason while it is too early for another try."""
        if not self._born:
            self._wait_for_turn()
            self._care.start()
            self._running = self._born = True
            return
        rung = self._next_rung()
        if rung is Rung.SOFT_RESET and self._forgot():  # a stop would fail, or hide it
            self.counters.troubles[Kind.BROWN_OUT] += 1
            rung = Rung.RELOAD
        cheap = self.ailment is not None and self.ailment.kind in _CHEAP
        if rung is Rung.GIVEN_UP and not cheap:
            self._wait_for_turn()
        self._rung = rung
        self.counters.rungs[rung] += 1
        self._running = False
        self._remedy(rung)()
        self._running = True
        self._seen = None

    def _remedy(self, rung: Rung) -> Callable[[], None]:
        if rung is Rung.SOFT_RESET:
            return self._care.soft_reset
        if rung is Rung.POWER_CYCLE:
            return self._switch
        return self._care.reload

    def _next_rung(self) -> Rung:
        if self._rung is Rung.NONE:
            return Rung.SOFT_RESET
        rung = Rung(min(self._rung + 1, Rung.GIVEN_UP))
        return Rung.GIVEN_UP if rung is Rung.POWER_CYCLE and self._care.power_cycle is None else rung

    def _switch(self) -> None:
        assert self._care.power_cycle is not None
        self._care.power_cycle()
        self._care.reload()

    def _wait_for_turn(self) -> None:
        now_ns = self._clock.monotonic_ns()
        if now_ns < self._retry_ns:
            ailment = self.ailment
            assert ailment is not None
            raise _StillError(ailment)
        self._retry_ns = now_ns + round(self._retry_s * 1e9)
        self._retry_s = min(2 * self._retry_s, RETRY_MOST_S)

    def _failed(self, error: Exception) -> None:
        self.counters.failed_looks += 1
        before = self.ailment
        looks = 1 if before is None else before.looks + 1
        if isinstance(error, _StillError):
            self.ailment = Ailment(error.ailment.kind, error.ailment.reason, looks, self._rung)
            return
        if self._born and self._rung is Rung.NONE:
            self._rung = Rung.RETRY
        if self._running and isinstance(error, SensorFaultError) and self._forgot():
            error = LostStateError(f"the {self.chip} lost its supply for a moment ({error})")
            self._rung = Rung.SOFT_RESET  # the next is a reload: nothing less helps
        if isinstance(error, SensorFaultError):
            self._running = False
        kind = kind_of(error)
        self.counters.troubles[kind] += 1
        self.ailment = self.last_ailment = Ailment(kind, str(error), looks, self._rung)

    def _forgot(self) -> bool:
        try:
            return self._care.lost_state()
        except (DriverError, BusError):
            return False

    def _recovered(self) -> None:
        if self._rung > Rung.NONE:
            self.counters.cured[self._rung] += 1
        self.ailment, self._rung = None, Rung.NONE
        self._retry_s, self._retry_ns = RETRY_FIRST_S, 0


class _StillError(DriverError):
    """Nothing was tried, because it is too early; what was wrong still is."""

    def __init__(self, ailment: Ailment) -> None:
        super().__init__(ailment.reason)
        self.ailment = ailment
