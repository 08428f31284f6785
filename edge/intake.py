"""Messages that have their number and wait in memory for the disk, in the order of their numbers.

What a newcomer gets wrong: what is taken must be committed before anything that is numbered later. A gap event takes
the next number, so whoever adds one takes everything that waits with it; else a kill between two commits leaves a
number behind that is neither a row nor in a gap.
"""

from collections import deque
from concurrent.futures import Future

from edge.rows import Kind, Row, Span
from edge.spool_errors import SpoolDroppedError

Waiting = tuple[Row, Future[Row]]


class Intake:
    """At most `rows_max` messages. Not locked: its owner's lock is held around every call.

    lost: positions that gave way since `take_lost`, for a gap event.
    """

    def __init__(self, rows_max: int) -> None:
        self._rows_max = rows_max
        self._waiting: deque[Waiting] = deque()
        self.lost: list[Span] = []

    def __len__(self) -> int:
        return len(self._waiting)

    @property
    def newest(self) -> Future[Row] | None:
        """Who waits for the message that came last."""
        return self._waiting[-1][1] if self._waiting else None

    def put(self, row: Row, future: Future[Row]) -> None:
        """Let a message wait; where there is no room the oldest sample gives way, or the oldest message."""
        if len(self._waiting) >= self._rows_max:
            self._give_way()
        self._waiting.append((row, future))

    def take(self, limit: int) -> list[Waiting]:
        """Up to `limit` messages, oldest first."""
        return [self._waiting.popleft() for _ in range(min(limit, len(self._waiting)))]

    def take_lost(self) -> list[Span]:
        """What gave way, told once."""
        lost, self.lost = self.lost, []
        return lost

    def _give_way(self) -> None:
        index = next((i for i, (row, _) in enumerate(self._waiting) if row.kind is Kind.SAMPLE), 0)
        row, future = self._waiting[index]
        del self._waiting[index]
        if self.lost and row.position == self.lost[-1].last + 1:
            self.lost[-1] = Span(self.lost[-1].first, row.position)
        else:
            self.lost.append(Span(row.position, row.position))
        future.set_exception(SpoolDroppedError(row.seq))
