"""What the local page shows: the last piece, what went wrong lately, and how the device is. Kept on the event loop.

It looks at what has become durable, so the page never shows what a power cut could take back; the sampler does not know
that somebody looks.
"""

from collections import deque
from collections.abc import Mapping
from datetime import datetime
from pathlib import Path
from typing import Any

import msgspec

from contract.messages import Event
from contract.sample import Reason, Sample
from edge.health import Reporter
from edge.identity import Identity
from edge.rows import EPOCH, Row, utc_from_ns
from edge.sampler import Sampler
from edge.spool import Spool
from edge.twin import Twin
from edge.uplink import Uplink
from quality.errors import QualityError
from quality.texts import text

EVENTS_MAX = 20


class Onlooker:
    """Give it what is committed; ask it for `state`."""

    def __init__(
        self,
        *,
        identity: Identity,
        reporter: Reporter,
        spool: Spool,
        sampler: Sampler,
        uplink: Uplink,
        twin: Twin,
        folder: Path,
    ) -> None:
        self._identity = identity
        self._reporter = reporter
        self._spool = spool
        self._sampler = sampler
        self._uplink = uplink
        self._twin = twin
        self._folder = folder
        self._piece: tuple[Sample, int] | None = None
        self._events: deque[tuple[Event, int]] = deque(maxlen=EVENTS_MAX)

    def note(self, rows: list[Row]) -> None:
        """Look at what has just become durable."""
        for row in rows:
            if isinstance(row.message, Sample):
                self._piece = (row.message, row.monotonic_ns)
            elif isinstance(row.message, Event) and row.message.severity != "info":
                self._events.append((row.message, row.monotonic_ns))

    def state(self, now_ns: int, wall_ns: int | None) -> bytes:
        """All of it as JSON. wall_ns: None while the time is not known; ages are told in any case."""
        condition = self._reporter.condition(self._folder)
        stats = self._spool.stats()
        found: dict[str, Any] = {
            "device": self._identity.device_id,
            "site": self._identity.site,
            "line": self._identity.line,
            "time": None if wall_ns is None else utc_from_ns(wall_ns),
            "uptime_s": self._reporter.uptime_s(now_ns),
            "piece": None if self._piece is None else _piece(*self._piece, now_ns),
            "events": [_event(event, taken_ns, now_ns) for event, taken_ns in reversed(self._events)],
            "belt_empty_s": _age_s(self._reporter.belt_empty_since_ns, now_ns),
            "spool": {"rows": stats.rows, "bytes": stats.bytes, "dropped": stats.dropped},
            "uplink": {
                "connected": self._uplink.client.connected,
                "stored": self._uplink.hosts.since_ns is not None,
                "reason": self._uplink.client.last_reason,
            },
            "sensors": self._reporter.sensors(),
            "troubles": {name: count for name, count in self._sampler.troubles().items() if count},
            "measured": self._sampler.counters.ticks,
            "missed": self._sampler.counters.missed_ticks,
            "lot_id": self._twin.lot_id,
            "rate_hz": self._twin.rate_hz,
        }
        return msgspec.json.encode(found | condition)


def _piece(sample: Sample, taken_ns: int, now_ns: int) -> Mapping[str, Any]:
    return {
        "piece_id": sample.piece_id,
        "seq": sample.seq,
        "time": _time(sample.timestamp),
        "age_s": _age_s(taken_ns, now_ns),
        "grade": sample.fusion.final_grade,
        "is_compliant": sample.fusion.is_compliant,
        "score": sample.fusion.final_score,
        "score_u": sample.fusion.final_score_u,
        "lot_id": sample.lot_id,
        "mass_g": sample.vl53l8ch.analysis.mass_g,
        "reasons": [_words(each) for each in sample.reasons],
        "flags": sample.quality_flags,
    }


def _event(event: Event, taken_ns: int, now_ns: int) -> Mapping[str, Any]:
    return {
        "kind": event.kind,
        "severity": event.severity,
        "time": _time(event.timestamp),
        "age_s": _age_s(taken_ns, now_ns),
        "reason": None if event.reason is None else _words(event.reason),
        "data": {name: value for name, value in event.data.items() if isinstance(value, str | int | float | bool)},
    }


def _words(reason: Reason) -> Mapping[str, str]:
    given = {name: value for name, value in reason.params.items() if isinstance(value, str | float | int)}
    try:
        return {"fr": text(reason.code, given, "fr"), "en": text(reason.code, given, "en")}
    except QualityError:  # a code for which no text was written: shown as it is
        return {"fr": reason.code, "en": reason.code}


def _time(moment: datetime) -> datetime | None:
    return None if moment == EPOCH else moment


def _age_s(since_ns: int | None, now_ns: int) -> float | None:
    return None if since_ns is None else round((now_ns - since_ns) / 1e9, 1)
