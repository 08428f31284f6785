"""What has been sent and not been receipted, and where the backlog lane reads on. Pure: no I/O, time comes in.

The window remembers at most `remembered_max` positions. What it does not remember lies behind the cursor, and so is
sent again: forgetting costs a duplicate, which the database knows by its number, never a message.

How many messages the backlog lane may have in flight follows from how long receipts take. Live samples wait behind them
at the ingester: with a fixed number a slow database would make every one of them late.
"""

from collections.abc import Iterable
from dataclasses import dataclass, field
from itertools import takewhile

from edge.rows import Row, Span

IN_FLIGHT_MAX = 4_000  # unreceipted messages of the backlog lane: 10 MB, some batches of the ingester's
REMEMBERED_MAX = 10_000  # 3 h of live samples at 1/s while nobody stores
IN_FLIGHT_START = 512
IN_FLIGHT_MIN = 32
RECEIPT_S = 0.4  # that a receipt may take: whatever lies before a live sample at the ingester delays that too
PATIENCE_S = 30.0  # a receipt that has not come by then will not come


@dataclass(slots=True)
class Window:
    """Positions in flight by time of sending (ns), oldest first, and the position up to which the backlog was read."""

    in_flight_max: int = IN_FLIGHT_MAX
    remembered_max: int = REMEMBERED_MAX
    patience_s: float = PATIENCE_S
    cursor: int = 0
    resent: int = 0
    sent: dict[int, int] = field(default_factory=dict[int, int])
    allowed: int = IN_FLIGHT_START

    @property
    def has_room(self) -> bool:
        """Whether the backlog lane may send another."""
        return len(self.sent) < min(self.allowed, self.in_flight_max)

    def note(self, position: int, now_ns: int) -> None:
        """`position` has been handed to the broker."""
        self.sent.pop(position, None)
        self.sent[position] = now_ns
        if len(self.sent) > self.remembered_max:
            self.missed(next(iter(self.sent)))

    def missed(self, position: int) -> None:
        """`position` was not sent, or nobody knows whether it arrived: the backlog lane takes it up."""
        self.sent.pop(position, None)
        self.cursor = min(self.cursor, position - 1)

    def receipted(self, spans: Iterable[Span], now_ns: int) -> int:
        """Forget what is stored, and learn from how long that took; returns how many of ours that were."""
        known: list[int] = []
        for span in spans:
            if span.last - span.first < len(self.sent):
                known += [position for position in range(span.first, span.last + 1) if position in self.sent]
            else:
                known += [position for position in self.sent if span.first <= position <= span.last]
        if known:
            self._learn(len(known), max(now_ns - self.sent[position] for position in known) / 1e9)
        for position in known:
            self.sent.pop(position, None)
        return len(known)

    def _learn(self, count: int, took_s: float) -> None:
        """What is in flight takes `took_s` to be stored: allow as much as takes RECEIPT_S."""
        if took_s > RECEIPT_S:
            self.allowed = max(IN_FLIGHT_MIN, min(self.allowed, round(len(self.sent) * RECEIPT_S / took_s)))
        else:
            self.allowed = min(self.in_flight_max, self.allowed + count)

    def forget_all(self) -> None:
        """The broker has lost the session, and with it perhaps everything it took: all is to be sent again."""
        self.resent += len(self.sent)
        self.sent.clear()
        self.cursor = 0

    def give_back(self, sent_before_ns: int) -> int:
        """Hand what was sent by then and has no receipt back to the backlog lane; returns how many."""
        late = list(takewhile(lambda position: self.sent[position] <= sent_before_ns, self.sent))
        for position in late:
            self.missed(position)
        self.resent += len(late)
        return len(late)

    def overdue(self, now_ns: int, stored_since_ns: int) -> int:
        """Hand what has waited too long for its receipt back to the backlog lane; returns how many.

        stored_since_ns: since when somebody stores: time before it is not held against a message.
        """
        limit_ns = now_ns - round(self.patience_s * 1e9)
        return 0 if stored_since_ns > limit_ns else self.give_back(limit_ns)

    def unsent(self, rows: Iterable[Row]) -> list[Row]:
        """Those of `rows` that are not in flight."""
        return [row for row in rows if row.position not in self.sent]
