"""The stream of a running belt: every picture with the belt's travel, and a spectrum where one is wanted.

A spectrum takes three integrations, in which a belt at 200 mm/s moves on by more than the pictures may miss. So the
spectral sensor's waiting is used: its clock (`Meanwhile`) reads the pictures that fall due, and each integration is
held back until the ranging chip's laser is off (edge.gaps). Where that cannot be, because the chip ranges without a
pause, it is stopped for the spectrum on a slow belt; on a fast one its light is in the NIR channel, and that is said.
"""

from collections.abc import Callable
from typing import Protocol

from drivers.as7341 import As7341
from drivers.bus import BusError, Clock
from drivers.errors import DriverError
from drivers.frames import SpectralFrame, TofFrame
from drivers.life import Life
from drivers.vl53l8ch import Vl53l8ch
from edge.clock import EdgeClock
from edge.gaps import CREEP_NS, DarkGaps
from edge.travel import Travel
from quality.scan import STEP_MAX_MM

PAUSED_S = 0.30  # two frames of 67 ms, one to end and one to begin, and a spectrum
SEEN_EARLY_S = 0.004  # so much of the time before the end of a wait is left for the spectral sensor
FAILED_WAIT_S = 0.25  # before a ranging chip that gave nothing is asked again


class Taker(Protocol):
    """Who makes pieces of the stream."""

    def picture(self, taken_ns: int, frame: TofFrame | None, travel_mm: float) -> bool:
        """Whether a spectrum is wanted now."""
        ...

    def asked(self, travel_mm: float) -> None:
        """A spectrum is being taken."""
        ...

    def light(self, taken_ns: int, frame: SpectralFrame | None, travel_mm: float, *, laser: bool) -> None:
        """A spectrum."""
        ...


class Meanwhile:
    """drivers.bus.Clock that lets somebody else work while it sleeps. during: called with the end of the sleep, ns."""

    def __init__(self, clock: Clock) -> None:
        self.during: Callable[[int], None] | None = None
        self._clock = clock

    def monotonic_ns(self) -> int:
        """As the clock beneath says."""
        return self._clock.monotonic_ns()

    def sleep(self, seconds: float) -> None:
        """At least as long; longer where the work takes longer."""
        during, end_ns = self.during, self._clock.monotonic_ns() + round(seconds * 1e9)
        if during is not None:
            during(end_ns)
        self._clock.sleep(max(0.0, (end_ns - self._clock.monotonic_ns()) / 1e9))


class Rhythm:
    """How late a picture was read: the chip makes them in even steps, which the earliest so far sets."""

    def __init__(self) -> None:
        self._anchor_ns = 0.0
        self._last_id: int | None = None

    def late_s(self, frame_id: int, read_ns: int, period_ns: float) -> float:
        """Seconds since this picture could have been read; 0 for the first of a session."""
        base_ns = read_ns - frame_id * period_ns
        if self._last_id is None or frame_id <= self._last_id:
            self._anchor_ns = base_ns
        else:
            self._anchor_ns = min(base_ns, self._anchor_ns + (frame_id - self._last_id) * CREEP_NS)
        self._last_id = frame_id
        return (base_ns - self._anchor_ns) / 1e9


class Feed:
    """For the bus's thread. taken: told of every picture and spectrum; idle_s: longest time without a spectrum."""

    def __init__(
        self,
        chip: Vl53l8ch,
        tof: Life[TofFrame],
        spectral: Life[SpectralFrame],
        *,
        light_chip: As7341,
        clock: Clock,
        agent_clock: EdgeClock,
        travel: Travel,
        meanwhile: Meanwhile | None,
        taker: Taker,
    ) -> None:
        self.pictures = 0
        self.missed = 0
        self._chip = chip
        self._tof = tof
        self._spectral = spectral
        self._light_chip = light_chip
        self._gaps = DarkGaps(chip)
        self._clock = clock
        self._agent_clock = agent_clock
        self._travel = travel
        self._meanwhile = meanwhile
        self._taker = taker
        self._rhythm = Rhythm()
        self._last_ns: int | None = None
        self._last_mm = 0.0
        self._speed_mm_s = 0.0
        self._light_ns = clock.monotonic_ns()
        self._missed_before = chip.frames_missed

    def step(self, idle_s: float) -> None:
        """One picture; a spectrum after it where a piece lies under the sensors, or where there was none for long."""
        wanted = self._picture()
        idle = self._clock.monotonic_ns() - self._light_ns >= idle_s * 1e9
        if wanted or idle:
            self._light()
        if self._last_ns is None:
            self._clock.sleep(FAILED_WAIT_S)

    def _picture(self) -> bool:
        frame = self._tof.look()
        taken_ns, travel_mm = self._agent_clock.monotonic_ns(), self._travel.mm()
        self.pictures += 1
        self._gaps.note(frame)
        if frame is None:
            self._last_ns = None
        else:
            if self._last_ns is not None and frame.captured_ns > self._last_ns:
                self._speed_mm_s = (travel_mm - self._last_mm) / (frame.captured_ns - self._last_ns) * 1e9
            self._last_ns, self._last_mm = frame.captured_ns, travel_mm
            late_s = self._rhythm.late_s(frame.frame_id, frame.captured_ns, 1e9 / self._chip.settings.frequency_hz)
            travel_mm -= late_s * self._speed_mm_s
        self.missed += max(0, self._chip.frames_missed - self._missed_before)
        self._missed_before = self._chip.frames_missed
        return self._taker.picture(taken_ns, frame, travel_mm)

    def _light(self) -> None:
        begun_mm = self._travel.mm()
        self._light_ns = self._clock.monotonic_ns()
        self._taker.asked(begun_mm)
        gated = self._gaps.known
        paused = not gated and self._speed_mm_s * PAUSED_S <= STEP_MAX_MM and pause(self._chip)
        if not paused and self._meanwhile is not None:
            self._meanwhile.during = self._until
        if gated:
            self._light_chip.before_half = self._wait_for_dark
        try:
            frame = self._spectral.look()
        finally:
            self._light_chip.before_half = None
            if self._meanwhile is not None:
                self._meanwhile.during = None
            if paused:
                resume(self._chip)
        taken_ns, travel_mm = self._agent_clock.monotonic_ns(), (begun_mm + self._travel.mm()) / 2.0
        dark = paused or (gated and frame is not None and self._gaps.hold(frame))
        if gated and frame is not None:
            since_ns = self._clock.monotonic_ns() - sum(frame.halves_ns) / 2
            travel_mm = self._travel.mm() - self._speed_mm_s * since_ns / 1e9
        self._taker.light(taken_ns, frame, travel_mm, laser=not dark)

    def _wait_for_dark(self, lead_s: float) -> None:
        """Until an integration that begins `lead_s` from then begins in the dark; pictures are read meanwhile."""
        if not self._gaps.known:
            return  # lost meanwhile: the look at the frame's times will tell
        lead_ns = round(lead_s * 1e9)
        start_ns = self._gaps.next_ns(self._clock.monotonic_ns() + lead_ns) - lead_ns
        self._until(start_ns)
        self._clock.sleep(max(0.0, (start_ns - self._clock.monotonic_ns()) / 1e9))

    def _until(self, end_ns: int) -> None:
        """Read the pictures that fall due before `end_ns`."""
        period_ns = round(1e9 / self._chip.settings.frequency_hz)
        while self._last_ns is not None and self._last_ns + period_ns <= end_ns - SEEN_EARLY_S * 1e9:
            self._picture()


def pause(chip: Vl53l8ch) -> bool:
    """Whether the ranging chip's laser is off now."""
    try:
        chip.pause()
    except (DriverError, BusError):
        return False  # the next look at the chip finds out what is wrong, and mends it
    return True


def resume(chip: Vl53l8ch) -> bool:
    """Let the chip range on after `pause`; whether it does."""
    try:
        chip.resume()
    except (DriverError, BusError):
        return False  # as above: it is not ranging, and the next look starts it anew
    return True
