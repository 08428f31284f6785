"""When the frames of a simulated VL53L8CH are complete: in the chip's own time, or one for every edge of its sync pin.

With the pin in force a rising edge starts one frame (UM3109, autonomous mode only). What the chip does with
an edge that comes while it works at a frame is not published; here it is lost, which is what hurts a driver most.
"""

from collections import deque
from dataclasses import dataclass, field
from typing import Protocol

EDGES_KEPT = 4096  # of which the moments are known; for the temperature compensation, which looks back 900 frames


class Rhythm(Protocol):
    """Frames of one session, numbered from 0. Times are bus clock."""

    def frame_id(self, now_ns: int) -> int:
        """The number of the newest complete frame, -1 before the first."""
        ...

    def ready_ns(self, frame_id: int) -> int:
        """When that frame is, or was, complete."""
        ...

    def ends_ns(self, now_ns: int) -> int:
        """When a session that is to stop now has stopped: a frame that has begun is finished."""
        ...


@dataclass(frozen=True, slots=True)
class Periodic:
    """The first frame `first_s` after `start_ns`, then one every `period_s`."""

    start_ns: int
    first_s: float
    period_s: float

    def frame_id(self, now_ns: int) -> int:
        """As Rhythm says."""
        after_first_s = (now_ns - self.start_ns) / 1e9 - self.first_s
        return -1 if after_first_s < 0 else int(after_first_s / self.period_s + 1e-9)

    def ready_ns(self, frame_id: int) -> int:
        """As Rhythm says."""
        return self.start_ns + round((self.first_s + frame_id * self.period_s) * 1e9)

    def ends_ns(self, now_ns: int) -> int:
        """As Rhythm says."""
        return self.ready_ns(self.frame_id(now_ns) + 1)


@dataclass(slots=True)
class Triggered:
    """A frame of `busy_ns` for every edge that finds the chip idle. lost: edges that did not."""

    busy_ns: int
    lost: int = 0
    _begun: int = 0
    _edges_ns: deque[int] = field(default_factory=lambda: deque[int](maxlen=EDGES_KEPT))

    def edge(self, now_ns: int) -> bool:
        """A rising edge; whether it starts a frame."""
        if self._edges_ns and now_ns < self._edges_ns[-1] + self.busy_ns:
            self.lost += 1
            return False
        self._edges_ns.append(now_ns)
        self._begun += 1
        return True

    def frame_id(self, now_ns: int) -> int:
        """As Rhythm says."""
        under_way = bool(self._edges_ns) and now_ns < self._edges_ns[-1] + self.busy_ns
        return self._begun - 1 - under_way

    def ready_ns(self, frame_id: int) -> int:
        """As Rhythm says; one too long ago as the oldest that is known."""
        place = frame_id - (self._begun - len(self._edges_ns))
        return self._edges_ns[max(0, min(place, len(self._edges_ns) - 1))] + self.busy_ns

    def ends_ns(self, now_ns: int) -> int:
        """As Rhythm says."""
        return max(now_ns, self._edges_ns[-1] + self.busy_ns) if self._edges_ns else now_ns
