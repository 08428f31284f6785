"""The thread of one bus: reads both sensors on a monotonic schedule and nurses them when they fail.

A tick that cannot be kept is counted and left out, never made up for: measurements are never bunched. The two sensors
are read one after the other and never at once. Whatever fails is a fault and never data: a frame that the driver
doubts, a chip that does not answer, and one that says exactly the same thing again and again.

The schedule runs on the bus's clock, so that a simulation may be faster than life; the moment of a measurement is
taken from the agent's own.
"""

import threading
from collections import deque
from collections.abc import Callable
from concurrent.futures import Future
from dataclasses import dataclass
from typing import Any, Generic, TypeVar

import numpy as np
import structlog

from drivers.as7341 import As7341
from drivers.bus import Bus, BusError, Clock
from drivers.errors import DriverError, SensorFaultError
from drivers.frames import SpectralFrame, TofFrame
from drivers.vl53l8ch import Vl53l8ch
from edge.clock import EdgeClock

WAIT_S = 0.25  # of life: longest sleep between two looks at the request to stop
FAULT_TICKS = 2  # a sensor that fails so often in a row is reported: within three periods
RESTART_EVERY_S = 5.0  # a boot of the ToF chip takes the bus for a second or more
STUCK_COUNTS_MIN = 200  # in the dark, two spectra may well be equal; in the light noise sees to it that they are not

T = TypeVar("T")
Frame = TypeVar("Frame", TofFrame, SpectralFrame)
log = structlog.get_logger("sampler")


@dataclass(frozen=True, slots=True)
class Measurement:
    """One look of both sensors; a frame is None while its sensor fails. taken_ns: the agent's monotonic time."""

    taken_ns: int
    tof: TofFrame | None
    spectral: SpectralFrame | None


@dataclass(frozen=True, slots=True)
class Trouble:
    """A sensor began or ceased to fail. ticks: measurements without it so far."""

    chip: str
    failed: bool
    reason: str
    ticks: int
    taken_ns: int


@dataclass(slots=True)
class SamplerCounters:
    """Totals since the start."""

    ticks: int = 0
    missed_ticks: int = 0
    read_failures: int = 0
    restarts: int = 0


class _Patient(Generic[Frame]):
    """One sensor with its history: reads, retries, restarts, and says when it began and ceased to fail."""

    def __init__(
        self,
        chip: str,
        clock: Clock,
        counters: SamplerCounters,
        *,
        start: Callable[[], None],
        read: Callable[[], Frame],
        evidence: Callable[[Frame], bytes | None],
    ) -> None:
        self.chip = chip
        self.failed_ticks = 0
        self.reported = False
        self.reason = "not started yet"
        self._clock = clock
        self._counters = counters
        self._start = start
        self._read = read
        self._evidence = evidence
        self._running = False
        self._restart_ns = 0
        self._seen: bytes | None = None

    def begin(self) -> bool:
        """Start the sensor; False when it would not."""
        try:
            self.revive()
        except (DriverError, BusError) as error:
            self._failed(error)
            return False
        self.failed_ticks = 0
        return True

    def look(self) -> Frame | None:
        """A frame that can be believed, or None; one retry, then a restart now and then."""
        try:
            frame = self._attempt()
        except (DriverError, BusError) as error:
            self._failed(error)
            return None
        self.failed_ticks, self.reason = 0, ""
        return frame

    def _failed(self, error: Exception) -> None:
        self._counters.read_failures += 1
        self.failed_ticks += 1
        self.reason = str(error)

    def _attempt(self) -> Frame:
        self.revive()
        try:
            return self._believable(self._read())
        except SensorFaultError:
            self._running = False  # the chip has lost its state: reading again cannot help
            raise
        except (DriverError, BusError):
            self._counters.read_failures += 1
        try:
            return self._believable(self._read())
        except (DriverError, BusError):
            self._running = self.failed_ticks < FAULT_TICKS  # a short disturbance needs no restart
            raise

    def revive(self) -> None:
        """Start the sensor unless it runs, but not again and again without a pause. Raises DriverError, BusError."""
        if self._running:
            return
        now_ns = self._clock.monotonic_ns()
        if now_ns < self._restart_ns:
            raise SensorFaultError(self.reason)
        self._restart_ns = now_ns + round(RESTART_EVERY_S * 1e9)
        self._counters.restarts += 1
        self._start()
        self._running = True

    def _believable(self, frame: Frame) -> Frame:
        evidence = self._evidence(frame)
        repeated = evidence is not None and evidence == self._seen
        self._seen = evidence
        if repeated:
            raise SensorFaultError(f"the {self.chip} says exactly what it said before: it is stuck")
        return frame


class Sampler:
    """Call `start`, later `stop`. on_measurement, on_trouble and on_failure are called in the bus's thread.

    prepare: runs first in that thread, with both sensors started (a calibration). What it raises, and any defect, ends
    the thread and goes to on_failure. rate_hz may be changed at any time.
    """

    def __init__(
        self,
        *,
        bus: Bus,
        tof: Vl53l8ch,
        spectral: As7341,
        clock: EdgeClock,
        rate_hz: float,
        prepare: Callable[[], None] | None,
        on_measurement: Callable[[Measurement], None],
        on_trouble: Callable[[Trouble], None],
        on_failure: Callable[[Exception], None],
    ) -> None:
        self.counters = SamplerCounters()
        self.rate_hz = rate_hz
        self._bus = bus
        self._clock = clock
        self._prepare = prepare
        self._on_measurement = on_measurement
        self._on_trouble = on_trouble
        self._on_failure = on_failure
        self._drivers = (tof, spectral)
        self._tof = _Patient("VL53L8CH", bus.clock, self.counters, start=tof.start, read=tof.read, evidence=_tof_bytes)
        self._spectral = _Patient(
            "AS7341", bus.clock, self.counters, start=spectral.start, read=spectral.read, evidence=_spectral_bytes
        )
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
        patient = next(each for each in (self._tof, self._spectral) if each.chip == chip)
        return not patient.reason, patient.reason

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
            missing = [patient for patient in (self._tof, self._spectral) if not patient.begin()]
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
            if now_ns < due_ns:
                self._stopping_sleep((due_ns - now_ns) / 1e9)
                continue
            period_ns = round(1e9 / self.rate_hz)
            missed = (now_ns - due_ns) // period_ns
            self.counters.missed_ticks += missed
            due_ns += (missed + 1) * period_ns
            self.counters.ticks += 1
            self._tick()

    def _stopping_sleep(self, seconds: float) -> None:
        self._bus.clock.sleep(min(seconds, WAIT_S))

    def _tick(self) -> None:
        taken_ns = self._clock.monotonic_ns()
        tof = self._tof.look()
        spectral = self._spectral.look()
        self._report(taken_ns)
        self._on_measurement(Measurement(taken_ns, tof, spectral))

    def _report(self, taken_ns: int) -> None:
        for patient in (self._tof, self._spectral):
            failing = patient.failed_ticks >= FAULT_TICKS
            if failing != patient.reported and (failing or patient.failed_ticks == 0):
                patient.reported = failing
                log.warning("sampler.trouble", chip=patient.chip, failed=failing, reason=patient.reason)
                self._on_trouble(Trouble(patient.chip, failing, patient.reason, patient.failed_ticks, taken_ns))

    def _shut_down(self) -> None:
        for driver in self._drivers:
            try:
                driver.stop()
            except (DriverError, BusError) as error:
                log.info("sampler.stop", reason=str(error))  # a sensor that is gone needs no stopping
        self._bus.close()


def _tof_bytes(frame: TofFrame) -> bytes | None:
    seen = bool(np.isfinite(frame.distance_mm).any())
    return frame.distance_mm.tobytes() + frame.signal_kcps.tobytes() if seen else None


def _spectral_bytes(frame: SpectralFrame) -> bytes | None:
    return frame.counts.tobytes() if int(np.max(frame.counts)) >= STUCK_COUNTS_MIN else None
