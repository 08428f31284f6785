"""The thread of one bus: reads both sensors on a monotonic schedule and nurses them when they fail.

A tick that cannot be kept is counted and left out, never made up for: measurements are never bunched. The two sensors
are read one after the other and never at once. Whatever fails is a fault and never data: a frame that the driver
doubts, a chip that does not answer, and one that says exactly the same thing again and again (drivers.life).

Three modes: `timed` looks rate_hz times a second, `free` as often as the sensors can, `belt` reads every picture of the
ranging chip with the belt's travel (edge.feed). In the first two the chip is paused while the spectrum is taken, so
that its laser does not light the NIR channel; a rate too high for that says so with every measurement.

The schedule runs on the bus's clock, so that a simulation may be faster than life; the moment of a measurement is
taken from the agent's own.
"""

import threading
from collections import deque
from collections.abc import Callable
from concurrent.futures import Future
from dataclasses import dataclass
from typing import Any, TypeVar

import structlog

from contract.messages import SamplingMode
from drivers.as7341 import As7341
from drivers.bus import Bus, BusError
from drivers.care import BusSpeed, Hook, care_for_spectral, care_for_tof
from drivers.errors import DriverError
from drivers.frames import SpectralFrame, TofFrame
from drivers.life import UNSTEADY_LOOKS, Ailment, Life, Rung
from drivers.vl53l8ch import Vl53l8ch
from edge.clock import EdgeClock
from edge.feed import Feed, Meanwhile, Taker, pause, resume
from edge.travel import Travel

PAUSE_PERIOD_S = 0.5  # of the schedule; a shorter one leaves no time for a pause of the ranging chip
IDLE_PERIODS = 1.5  # without a piece the spectral sensor is looked at so often: two failed looks within three periods
WAIT_S = 0.25  # of life: longest sleep between two looks at the request to stop
TOGETHER_S = 0.5  # from the ToF frame to the end of the spectrum, which takes 0.13 s where nothing is wrong

T = TypeVar("T")
log = structlog.get_logger("sampler")


@dataclass(frozen=True, slots=True)
class Measurement:
    """One look of both sensors; a frame is None while its sensor fails. taken_ns: the agent's monotonic time.

    laser: the ranging chip's was on while the spectrum was taken.
    """

    taken_ns: int
    tof: TofFrame | None
    spectral: SpectralFrame | None
    laser: bool = False


@dataclass(frozen=True, slots=True)
class Trouble:
    """A sensor began or ceased to fail, was given up, or is hampered. ticks: measurements without it so far.

    kind: of drivers.life.Kind, "" when it ceased; advice: what to check first. rung: how far the ladder was climbed.
    hampered: it delivers, but less than it was asked for.
    """

    chip: str
    failed: bool
    reason: str
    ticks: int
    taken_ns: int
    kind: str = ""
    advice: str = ""
    rung: str = ""
    hampered: bool = False

    @property
    def code(self) -> str:
        """The reason's code in messages, such as `sensor_stuck_bus`."""
        return "sensor_" + self.kind.replace(" ", "_").replace("-", "_")


@dataclass(slots=True)
class SamplerCounters:
    """Totals since the start. apart: measurements given up because their frames were not of one moment."""

    ticks: int = 0
    missed_ticks: int = 0
    read_failures: int = 0
    restarts: int = 0
    apart: int = 0


class _Told:
    """What has been reported of one sensor."""

    def __init__(self, life: Life[Any]) -> None:
        self.life = life
        self.failing = False
        self.given_up = False
        self.unsteady = False
        self.looks = 0

    def news(self, taken_ns: int) -> Trouble | None:
        """What must be reported now, if anything."""
        life, ailment = self.life, self.life.ailment
        if ailment is None:
            looks, failing, self.looks = self.looks, self.failing, 0
            self.failing = self.given_up = False
            return (
                Trouble(life.chip, False, "it delivers again", looks, taken_ns)
                if failing
                else self._steadiness(taken_ns)
            )
        self.looks = ailment.looks
        given_up = ailment.rung is Rung.GIVEN_UP
        if not life.failing or (self.failing and (self.given_up or not given_up)):
            return None
        self.failing, self.given_up = True, given_up
        return _trouble(life.chip, ailment, taken_ns)

    def _steadiness(self, taken_ns: int) -> Trouble | None:
        """A sensor that fails and recovers again and again is told of once, and once when that ends."""
        failed = self.life.unsteady
        if bool(failed) == self.unsteady:
            return None
        self.unsteady = bool(failed)
        if not failed:
            return Trouble(self.life.chip, False, "it delivers steadily again", 0, taken_ns)
        last = self.life.last_ailment
        assert last is not None
        reason = f"{failed} of the last {UNSTEADY_LOOKS} measurements failed, last: {last.reason}"
        return Trouble(self.life.chip, False, reason, failed, taken_ns, last.kind, last.advice, hampered=True)


def _trouble(chip: str, ailment: Ailment, taken_ns: int) -> Trouble:
    reason = ailment.reason
    if ailment.rung is Rung.GIVEN_UP:
        reason = f"given up, tried again now and then: {reason}"
    rung = ailment.rung.words
    return Trouble(chip, True, reason, ailment.looks, taken_ns, ailment.kind, ailment.advice, rung)


class Sampler:
    """Call `start`, later `stop`. on_measurement, on_trouble and on_failure are called in the bus's thread.

    spectral_bus: that of the spectral sensor when it has its own; both are on one clock and served by the one thread.
    power_cycle: switches the supply of both sensors off and on. prepare: runs first in that thread, with both sensors
    started (a calibration). What it raises, and any defect, ends the thread and goes to on_failure. rate_hz and mode
    may be changed at any time. feed: what the mode `belt` reads, made by `feed_with`; without one that mode is refused.
    """

    def __init__(
        self,
        *,
        bus: Bus,
        tof: Vl53l8ch,
        spectral: As7341,
        spectral_bus: Bus | None = None,
        power_cycle: Hook = None,
        clock: EdgeClock,
        rate_hz: float,
        prepare: Callable[[], None] | None,
        on_measurement: Callable[[Measurement], None],
        on_trouble: Callable[[Trouble], None],
        on_failure: Callable[[Exception], None],
    ) -> None:
        self.counters = SamplerCounters()
        self.rate_hz = rate_hz
        self.mode: SamplingMode = "timed"
        self.feed: Feed | None = None
        self._chip = tof
        self._bus = bus
        self._clock = clock
        self._prepare = prepare
        self._on_measurement = on_measurement
        self._on_trouble = on_trouble
        self._on_failure = on_failure
        self._drivers = (tof, spectral)
        self.speed = BusSpeed(on_slow=self._report_speed)
        self._buses = (bus,) if spectral_bus is None else (bus, spectral_bus)
        self._tof = Life(care_for_tof(tof, bus, self.speed, power_cycle), bus.clock)
        self._spectral = Life(care_for_spectral(spectral, self._buses[-1], power_cycle), bus.clock)
        self._told = (_Told(self._tof), _Told(self._spectral))
        self._told_speed: str | None = None
        self._errands: deque[tuple[Callable[[], Any], Future[Any]]] = deque()
        self._stopping = threading.Event()
        self._thread = threading.Thread(target=self._run, name=f"bus.{bus.name}", daemon=True)

    def start(self) -> None:
        """Begin."""
        self._thread.start()

    def stop(self, timeout_s: float) -> bool:
        """Ask the thread to end and wait; False when it has not within `timeout_s` (a bus that hangs)."""
        self._stopping.set()
        self._thread.join(timeout_s)
        return not self._thread.is_alive()

    def ask(self, call: Callable[[], T]) -> Future[T]:
        """Run `call` in the bus's thread between two measurements; ticks that it takes are counted as missed."""
        future: Future[T] = Future()
        self._errands.append((call, future))
        return future

    def _run_errands(self) -> None:
        while self._errands:
            call, future = self._errands.popleft()
            if not future.set_running_or_notify_cancel():
                continue
            try:
                future.set_result(call())
            except Exception as error:  # whoever asked is told, and decides
                future.set_exception(error)

    def healthy(self, chip: str) -> tuple[bool, str]:
        """Whether `chip` delivers, and if not, why."""
        ailment = next(told.life for told in self._told if told.life.chip == chip).ailment
        return ailment is None, "" if ailment is None else ailment.reason

    @property
    def failing(self) -> list[str]:
        """The chips that were told to fail and do not deliver yet."""
        return [told.life.chip for told in self._told if told.failing]

    def troubles(self) -> dict[str, int]:
        """Every kind of trouble that was met and every rung that was tried, counted per sensor."""
        found: dict[str, int] = {}
        for prefix, life in (("tof", self._tof), ("spectral", self._spectral)):
            found |= {f"{prefix}_{name}": count for name, count in life.counters.flat().items()}
        return found

    def _run(self) -> None:
        try:
            if self._start_both():
                if self._prepare is not None:
                    self._prepare()
                self._sample()
        except Exception as error:  # a defect must end the agent, not leave it without a sampler
            log.critical("sampler.failed", error=str(error), kind=type(error).__name__)
            self._on_failure(error)
        finally:
            self._shut_down()

    def _start_both(self) -> bool:
        """For a preparation, which needs both: try until they run. True unless told to stop meanwhile."""
        while self._prepare is not None and not self._stopping.is_set():
            taken_ns = self._clock.monotonic_ns()
            missing = [life for life in (self._tof, self._spectral) if not life.begin()]
            self._report(taken_ns)
            if not missing:
                break
            self._bus.clock.sleep(WAIT_S)
        return not self._stopping.is_set()

    def _sample(self) -> None:
        due_ns = self._bus.clock.monotonic_ns()
        while not self._stopping.is_set():
            self._run_errands()
            now_ns = self._bus.clock.monotonic_ns()
            if self.mode == "belt" and self.feed is not None:
                self.step()
                due_ns = self._bus.clock.monotonic_ns()
                continue
            if self.mode == "free":
                due_ns = now_ns
            if now_ns < due_ns:
                self._stopping_sleep((due_ns - now_ns) / 1e9)
                continue
            period_ns = round(1e9 / self.rate_hz)
            missed = (now_ns - due_ns) // period_ns
            self.counters.missed_ticks += missed
            due_ns += (missed + 1) * period_ns
            self.counters.ticks += 1
            self.tick()

    def _stopping_sleep(self, seconds: float) -> None:
        self._bus.clock.sleep(min(seconds, WAIT_S))

    def feed_with(self, *, travel: Travel, meanwhile: Meanwhile | None, taker: Taker) -> None:
        """Make the mode `belt` possible."""
        self.feed = Feed(
            self._chip,
            self._tof,
            self._spectral,
            light_chip=self._drivers[1],
            clock=self._bus.clock,
            agent_clock=self._clock,
            travel=travel,
            meanwhile=meanwhile,
            taker=taker,
        )

    def step(self) -> None:
        """One picture of the belt, in the bus's thread."""
        feed = self.feed
        assert feed is not None
        feed.step(IDLE_PERIODS / self.rate_hz)
        self.counters.ticks, feed.pictures = self.counters.ticks + feed.pictures, 0
        self.counters.missed_ticks, feed.missed = self.counters.missed_ticks + feed.missed, 0
        self._count()
        self._report(self._clock.monotonic_ns())

    def tick(self) -> None:
        """One look at both sensors, in the bus's thread: what is seen and what is wrong goes to the callbacks."""
        tof = self._tof.look()
        taken_ns = self._clock.monotonic_ns()  # now, because a look that brings a chip back may take seconds
        wanted = tof is not None and (self.mode == "free" or self.rate_hz * PAUSE_PERIOD_S <= 1.0)
        dark = wanted and pause(self._chip)
        spectral = self._spectral.look()
        if wanted and not (dark and resume(self._chip)):
            self._tof.look()  # it would not be paused, or not range on: begin to mend it now, not at the next tick
        if tof is not None and spectral is not None and spectral.captured_ns - tof.captured_ns > TOGETHER_S * 1e9:
            self.counters.apart += 1
            tof = None  # what lay there may have moved on
        self._count()
        self._report(taken_ns)
        self._on_measurement(Measurement(taken_ns, tof, spectral, laser=not dark))

    def _count(self) -> None:
        both = (self._tof.counters, self._spectral.counters)
        self.counters.read_failures = sum(counters.troubles.total() for counters in both)
        self.counters.restarts = sum(counters.rungs.total() - counters.rungs[Rung.RETRY] for counters in both)

    def _report(self, taken_ns: int) -> None:
        for told in self._told:
            news = told.news(taken_ns)
            if news is not None:
                self._tell(news)
                if not (news.failed or news.hampered):
                    self._told_speed = None  # what is told as over may have hidden a bus that still is slow
        self._report_speed()

    def _report_speed(self) -> None:
        """A bus too slow is told of in the middle of the boot that finds it out, and once when that is over."""
        words, before, self._told_speed = self.speed.words, self._told_speed, self.speed.words
        if words == before:
            return
        taken_ns = self._clock.monotonic_ns()
        if words is None:
            self._tell(Trouble(self._tof.chip, False, "its bus is fast enough again", 0, taken_ns))
        else:
            self._tell(Trouble(self._tof.chip, False, words, 0, taken_ns, "slow bus", words, hampered=True))

    def _tell(self, trouble: Trouble) -> None:
        log.warning("sampler.trouble", chip=trouble.chip, failed=trouble.failed, reason=trouble.reason)
        self._on_trouble(trouble)

    def _shut_down(self) -> None:
        for driver in self._drivers:
            try:
                driver.stop()
            except (DriverError, BusError) as error:
                log.info("sampler.stop", reason=str(error))  # a sensor that is gone needs no stopping
        for bus in self._buses:
            bus.close()
