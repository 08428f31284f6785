"""The agent's log on standard error: what, where, how often. A line that says the same again and again is counted.

Of lines with the same level, event and chip, at most BURST a WINDOW_S are written; the next one after that says how
many were kept back (`suppressed`), and what is still kept back when the agent ends is said then. So a sensor that fails
fifteen times a second fills no SD card, and nothing that happened is silent.
"""

import logging
import sys
from collections import OrderedDict
from collections.abc import Callable, MutableMapping
from dataclasses import dataclass
from typing import Any, TextIO

import structlog
from structlog import DropEvent

BURST = 5
WINDOW_S = 60.0
KEYS_MAX = 500  # kinds of lines remembered; the one written longest ago is forgotten, with its count said

Event = MutableMapping[str, Any]
Key = tuple[str, str, str]


@dataclass(slots=True)
class _Kept:
    """One kind of line in its present window."""

    since_s: float
    written: int = 0
    suppressed: int = 0


class RateLimit:
    """A structlog processor. monotonic_s: of any clock; tests bring their own. say: writes a summary line."""

    def __init__(
        self,
        monotonic_s: Callable[[], float],
        *,
        burst: int = BURST,
        window_s: float = WINDOW_S,
        keys_max: int = KEYS_MAX,
    ) -> None:
        self.suppressed_total = 0
        self._monotonic_s = monotonic_s
        self._burst = burst
        self._window_s = window_s
        self._keys_max = keys_max
        self._kept: OrderedDict[Key, _Kept] = OrderedDict()
        self._forgotten = 0

    def __call__(self, _logger: Any, method: str, event: Event) -> Event:
        """Pass `event` on, with the count of its likes that were not. Raises DropEvent for one too many."""
        now_s = self._monotonic_s()
        key = (method, str(event.get("event")), str(event.get("chip", "")))
        kept = self._kept.get(key)
        if kept is None:
            kept = self._kept[key] = _Kept(now_s)
            self._forget()
        suppressed = 0
        if now_s - kept.since_s >= self._window_s:
            suppressed = kept.suppressed
            kept.since_s, kept.written, kept.suppressed = now_s, 0, 0
        if kept.written >= self._burst:
            kept.suppressed += 1
            self.suppressed_total += 1
            raise DropEvent
        kept.written += 1
        self._kept.move_to_end(key)
        if suppressed:
            event["suppressed"] = suppressed
        if self._forgotten:
            event["suppressed_of_others"] = self._forgotten
            self._forgotten = 0
        return event

    def left(self) -> dict[str, int]:
        """What is kept back and not said yet, by event; it counts as said afterwards."""
        found: dict[str, int] = {}
        for (_, event, _), kept in self._kept.items():
            if kept.suppressed:
                found[event] = found.get(event, 0) + kept.suppressed
                kept.suppressed = 0
        return found

    def _forget(self) -> None:
        while len(self._kept) > self._keys_max:
            _, kept = self._kept.popitem(last=False)
            self._forgotten += kept.suppressed


def configure_logs(monotonic_s: Callable[[], float], stream: TextIO | None = None) -> RateLimit:
    """Send what the agent says to `stream` (standard error), a line each."""
    limit = RateLimit(monotonic_s)
    structlog.configure(
        processors=[
            structlog.contextvars.merge_contextvars,
            structlog.processors.add_log_level,
            limit,
            structlog.processors.TimeStamper(fmt="iso", utc=True),
            structlog.processors.KeyValueRenderer(key_order=["timestamp", "level", "event"]),
        ],
        wrapper_class=structlog.make_filtering_bound_logger(logging.INFO),
        logger_factory=structlog.PrintLoggerFactory(stream or sys.stderr),
    )
    return limit
