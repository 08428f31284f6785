"""Who the device is, and the messages that say so: state, birth certificate, gap events."""

import uuid
from dataclasses import dataclass
from datetime import datetime
from importlib.metadata import PackageNotFoundError, version
from typing import Literal

from contract.bounds import Severity
from contract.codec import encode
from contract.messages import Event, EventKind, Gap, Result, State
from contract.sample import Reason, Sample
from contract.topics import TopicClass, device_topic
from edge.rows import Stamp

RESULT_BYTES_MAX = 512
StateName = Literal["online", "stopped", "lost"]


def agent_version() -> str:
    """Name and version of this software; the version is unknown in a tree that is not installed."""
    try:
        return f"sqal-edge {version('sqal')}"
    except PackageNotFoundError:
        return "sqal-edge"


@dataclass(frozen=True, slots=True)
class Identity:
    """A device in its place. session: of this process's connections; birth and will share it."""

    device_id: str
    site: str
    line: str
    session: uuid.UUID

    def topic(self, kind: TopicClass, *detail: str) -> str:
        """This device's topic of one class."""
        return device_topic(self.site, self.line, self.device_id, kind, *detail)

    def state(self, state: StateName, boot_id: uuid.UUID, timestamp: datetime | None) -> State:
        """`online`, `stopped` or `lost`; the will, made before anything happens, has no time."""
        return State(
            device_id=self.device_id,
            session=self.session,
            state=state,
            boot_id=boot_id,
            timestamp=timestamp,
        )

    def event(
        self,
        stamp: Stamp,
        kind: EventKind,
        *,
        severity: Severity = "info",
        reason: Reason | None = None,
        gap: Gap | None = None,
        data: dict[str, object] | None = None,
        lot_id: int | None = None,
        piece_id: str | None = None,
    ) -> Event:
        """An event of this device under the number and time of `stamp`."""
        return Event(
            device_id=self.device_id,
            timestamp=stamp.timestamp,
            boot_id=stamp.boot_id,
            seq=stamp.seq,
            kind=kind,
            severity=severity,
            site_code=self.site,
            line=self.line,
            piece_id=piece_id,
            lot_id=lot_id,
            reason=reason,
            gap=gap,
            data=data or {},
            clock=stamp.clock,
        )

    def gap(self, stamp: Stamp, gap: Gap) -> Event:
        """The event that stands in place of messages that will never arrive."""
        return self.event(stamp, "gap", severity="warning", gap=gap)


def result_of(sample: Sample) -> bytes:
    """The verdict on a sample for panels and PLCs, with as many reasons as fit into RESULT_BYTES_MAX."""
    for reasons in range(len(sample.reasons), -1, -1):
        result = Result(
            device_id=sample.device_id,
            sample_id=sample.sample_id,
            timestamp=sample.timestamp,
            final_score=sample.fusion.final_score,
            final_grade=sample.fusion.final_grade,
            is_compliant=sample.fusion.is_compliant,
            site_code=sample.site_code,
            lot_id=sample.lot_id,
            piece_id=sample.piece_id,
            reasons=sample.reasons[:reasons],
        )
        payload = encode(result)
        if len(payload) <= RESULT_BYTES_MAX:
            return payload
    raise AssertionError("the fixed fields of a result are below its limit")
