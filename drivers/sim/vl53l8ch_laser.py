"""When the laser of the simulated VL53L8CH is on, as a neighbour sees it that asks about times gone by.

Continuous mode: from the start to the stop. Autonomous mode: for the integrations of every frame (UM3109 section 4.5).
A neighbour works out what it saw when somebody reads it, which may be a while later: the last sessions are kept.
"""

from collections import deque
from dataclasses import dataclass

SESSIONS_KEPT = 64  # one that pauses the chip for every spectrum looks back a second or two


@dataclass(slots=True)
class LaserSession:
    """From a start to its stop, in seconds of the bus clock; end_s None while it lasts.

    on_s: how long a frame's light lasts, from the beginning of each period; a whole period in continuous mode.
    """

    start_s: float
    period_s: float
    on_s: float
    end_s: float | None = None

    def lit_s(self, start_s: float, end_s: float) -> float:
        """Seconds with light between two moments."""
        low, high = max(start_s, self.start_s), end_s if self.end_s is None else min(end_s, self.end_s)
        return self._lit_until(high) - self._lit_until(low) if high > low else 0.0

    def is_lit(self, time_s: float) -> bool:
        """At an instant; a session ends before its last moment."""
        within = time_s >= self.start_s and (self.end_s is None or time_s < self.end_s)
        return within and (time_s - self.start_s) % self.period_s < self.on_s

    def _lit_until(self, time_s: float) -> float:
        periods, into_s = divmod(time_s - self.start_s, self.period_s)
        return periods * self.on_s + min(into_s, self.on_s)


class LaserLog:
    """The sessions of one chip, oldest first."""

    def __init__(self) -> None:
        self._sessions: deque[LaserSession] = deque(maxlen=SESSIONS_KEPT)

    def begin(self, start_s: float, period_s: float, on_s: float) -> None:
        """Light from now on, in this rhythm."""
        self.end(start_s)
        self._sessions.append(LaserSession(start_s, period_s, min(on_s, period_s)))

    def end(self, end_s: float) -> None:
        """No light from then on; what has ended already stays so unless this is earlier."""
        if self._sessions:
            last = self._sessions[-1]
            last.end_s = end_s if last.end_s is None else min(last.end_s, end_s)

    def share(self, start_s: float, end_s: float) -> float:
        """For which part of the time the laser is on, 0 to 1; at an instant 0 or 1."""
        if end_s <= start_s:
            return float(any(session.is_lit(start_s) for session in self._sessions))
        return sum(session.lit_s(start_s, end_s) for session in self._sessions) / (end_s - start_s)
