"""How far the belt has moved: from a counter that a wheel on it drives, or from a speed and the time.

The kernel counts the pulses (a `counter` device: interrupt-cnt or a quadrature decoder); its file is read with every
picture. Where no wheel is mounted the belt is taken to run evenly; every whole pass then says how fast (quality.scan).
"""

from pathlib import Path
from typing import Protocol

from drivers.bus import Clock

LEARNT_SHARE = 0.3  # of each pass in the running speed
SPEED_MIN_MM_S, SPEED_MAX_MM_S = 5.0, 220.0  # faster, and 15 pictures a second leave gaps


class Travel(Protocol):
    """A belt's travel. kind: `encoder` or `pictures`."""

    kind: str

    def mm(self) -> float:
        """Since some beginning; never falls while the source lives."""
        ...

    def learn(self, speed_mm_s: float) -> None:
        """What a pass said about the speed."""
        ...


class CounterTravel:
    """A count in a file, such as /sys/bus/counter/devices/counter0/count0/count.

    A file that cannot be read keeps the last value: a belt that seems to stand makes no samples, and `failures` tells.
    """

    kind = "encoder"

    def __init__(self, path: Path, pulses_per_mm: float) -> None:
        self.failures = 0
        self._path = path
        self._pulses_per_mm = pulses_per_mm
        self._last_mm = 0.0

    def mm(self) -> float:
        """Pulses over pulses a millimetre."""
        try:
            self._last_mm = int(self._path.read_text()) / self._pulses_per_mm
        except (OSError, ValueError):
            self.failures += 1
        return self._last_mm

    def learn(self, speed_mm_s: float) -> None:
        """An encoder knows better."""


class TimedTravel:
    """Speed times time, and a speed that follows what the passes say."""

    kind = "pictures"

    def __init__(self, clock: Clock, speed_mm_s: float) -> None:
        self.speed_mm_s = speed_mm_s
        self._clock = clock
        self._base_mm = 0.0
        self._base_ns = clock.monotonic_ns()

    def mm(self) -> float:
        """Since the making."""
        return self._base_mm + self.speed_mm_s * (self._clock.monotonic_ns() - self._base_ns) / 1e9

    def learn(self, speed_mm_s: float) -> None:
        """Move a share of the way towards what a pass said; travel goes on without a jump."""
        self._base_mm, self._base_ns = self.mm(), self._clock.monotonic_ns()
        wanted = self.speed_mm_s + LEARNT_SHARE * (speed_mm_s - self.speed_mm_s)
        self.speed_mm_s = min(SPEED_MAX_MM_S, max(SPEED_MIN_MM_S, wanted))
