"""Alerts: their history, raising one by hand, acknowledging. What changes is announced through the outbox."""

import random
from datetime import datetime, timedelta
from typing import Annotated, Any, Literal

import msgspec
from litestar import Controller, get, post
from litestar.di import NamedDependency
from litestar.params import JSONBody, QueryParameter
from msgspec import Meta

from cloud.alerts import Observation, Occurrence, OpenAlert
from cloud.api.params import AlertPath, DeviceFilter, Period, SiteFilter, period_of, text_without_nul
from cloud.api.problems import BadRequestError, NotFoundError
from cloud.api.rights import Rights
from cloud.clock import Clock
from cloud.ids import uuid7
from cloud.store.alerts import acknowledge_alert, apply_observations, shelve_alert, unshelve_alert
from cloud.store.reader import Row, Store
from contract.bounds import DeviceId, LongText, SampleId, Severity
from contract.messages import AlarmState

LIMIT_MAX = 500
CONTEXT_BYTES_MAX = 16 * 1024
Limit = Annotated[int, QueryParameter(name="limit", ge=1, le=LIMIT_MAX)]
SeverityFilter = Annotated[Severity | None, QueryParameter(name="severity")]
AcknowledgedFilter = Annotated[bool | None, QueryParameter(name="is_acknowledged")]
AcknowledgedBy = Annotated[str, QueryParameter(name="acknowledged_by", min_length=1, max_length=200)]
CommentParameter = Annotated[str | None, QueryParameter(name="comment", max_length=1000, description="why")]
OPEN: tuple[AlarmState, ...] = ("unacknowledged", "returned_unacknowledged")
StateFilter = Annotated[AlarmState | Literal["open"] | None, QueryParameter(name="state")]
SHELF_MINUTES_MAX = 7 * 24 * 60  # longer means that the rule is wrong, not the moment


class NewAlert(msgspec.Struct, frozen=True):
    """An alert raised by a person or another system."""

    device_id: DeviceId
    alert_type: Annotated[str, Meta(min_length=1, max_length=50)]
    severity: Severity
    message: LongText
    sample_id: SampleId | None = None
    data_context: dict[str, Any] = {}


class Raised(msgspec.Struct, frozen=True):
    """The row in the history."""

    alert_id: int


class Acknowledged(msgspec.Struct, frozen=True):
    """Who acknowledged first, and when."""

    success: Literal[True]
    alert_id: int
    acknowledged_by: str
    acknowledged_at: datetime


class Shelf(msgspec.Struct, frozen=True):
    """For how long an alert is silenced, and why; at most seven days."""

    minutes: Annotated[int, Meta(ge=1, le=SHELF_MINUTES_MAX)]
    reason: Annotated[str, Meta(min_length=1, max_length=500)]


class LifeCycles(msgspec.Struct, frozen=True):
    """Alerts as they stand, one each, the most recent first; `truncated`: there are more than `limit`."""

    alerts: list[Row]
    truncated: bool


class Shelved(msgspec.Struct, frozen=True):
    """The state of a life cycle after a change."""

    success: Literal[True]
    alert_id: int
    alarm_id: str
    state: AlarmState
    shelved_until: datetime | None


class AlertsController(Controller):
    """`/api/sqal/alerts`."""

    path = "/alerts"
    tags = ("alerts",)

    @get("/", summary="Alerts of a period", dependencies={"period": period_of(timedelta(hours=24))})
    async def in_period(
        self,
        store: NamedDependency[Store],
        period: NamedDependency[Period],
        rights: NamedDependency[Rights],
        *,
        severity: SeverityFilter = None,
        is_acknowledged: AcknowledgedFilter = None,
        device_id: DeviceFilter = None,
        site_code: SiteFilter = None,
        limit: Limit = 100,
    ) -> list[Row]:
        """The newest `limit` occurrences of a period (24 hours by default), newest first."""
        return await store.rows(
            "api_alerts",
            start=period.start,
            end=period.end,
            severity=severity,
            is_acknowledged=is_acknowledged,
            device_id=text_without_nul(device_id, "device_id"),
            sites=rights.narrow(site_code),
            limit=limit,
        )

    @get("/states", summary="Alerts as they stand", dependencies={"period": period_of(timedelta(hours=24))})
    async def states(
        self,
        store: NamedDependency[Store],
        period: NamedDependency[Period],
        rights: NamedDependency[Rights],
        *,
        standing: StateFilter = None,
        severity: SeverityFilter = None,
        device_id: DeviceFilter = None,
        site_code: SiteFilter = None,
        limit: Limit = 100,
    ) -> LifeCycles:
        """One row for each life cycle that happened last in the period, and every one that is not cleared.

        `open` stands for both states that nobody has acknowledged; `alert_id` is what acknowledging and shelving take.
        """
        rows = await store.rows(
            "api_alert_states",
            start=period.start,
            end=period.end,
            states=None if standing is None else list(OPEN) if standing == "open" else [standing],
            severity=severity,
            device_id=text_without_nul(device_id, "device_id"),
            sites=rights.narrow(site_code),
            limit=limit + 1,
        )
        return LifeCycles(rows[:limit], len(rows) > limit)

    @post("/", summary="Raise an alert")
    async def raise_alert(
        self,
        store: NamedDependency[Store],
        clock: NamedDependency[Clock],
        rng: NamedDependency[random.Random],
        rights: NamedDependency[Rights],
        data: JSONBody[NewAlert],
    ) -> Raised:
        """Raise an alert of a registered device; an open one of the same type counts up."""
        _check(data)
        device = await store.row("api_device", device_id=data.device_id)
        if device is None or device["site_code"] is None:
            raise BadRequestError("device_id", f"no device {data.device_id!r} is registered at a site")
        rights.require(device["site_code"])
        occurrence = Occurrence(data.alert_type, data.severity, data.message, data.data_context)
        now = clock.now()
        observation = Observation(
            device_id=data.device_id,
            site_code=device["site_code"],
            line=device["line"],
            at=now,
            lot_id=None,
            sample_id=data.sample_id,
            occurrences=[occurrence],
            keeps_the_rest=False,
        )
        async with store.transaction() as connection:
            moved = await apply_observations(
                connection,
                store.queries,
                live=[observation],
                old=[],
                new_id=lambda: uuid7(int(now.timestamp() * 1000), rng),
            )
        alert_id = next(each.alert_id for each in moved if each.alert_type == data.alert_type)
        assert alert_id is not None, "an occurrence has a row in the history"
        return Raised(alert_id)

    @post("/{alert_id:int}/acknowledge", summary="Acknowledge an alert", status_code=200)
    async def acknowledge(
        self,
        store: NamedDependency[Store],
        rights: NamedDependency[Rights],
        alert_id: AlertPath,
        acknowledged_by: AcknowledgedBy,
        *,
        comment: CommentParameter = None,
    ) -> Acknowledged:
        """Acknowledge an alert and its life cycle; the first to do so stays on record. Raises NotFoundError."""
        text_without_nul(acknowledged_by, "acknowledged_by")
        text_without_nul(comment, "comment")
        await _require_site(store, rights, alert_id)
        async with store.transaction() as connection:
            row = await acknowledge_alert(
                connection, store.queries, alert_id=alert_id, acknowledged_by=acknowledged_by, comment=comment
            )
        if row is None:
            raise NotFoundError(f"there is no alert {alert_id}")
        _, _, by, at = row
        return Acknowledged(success=True, alert_id=alert_id, acknowledged_by=by, acknowledged_at=at)

    @post("/{alert_id:int}/shelve", summary="Silence an alert for a while", status_code=200)
    async def shelve(
        self,
        store: NamedDependency[Store],
        clock: NamedDependency[Clock],
        rights: NamedDependency[Rights],
        alert_id: AlertPath,
        data: JSONBody[Shelf],
    ) -> Shelved:
        """Silence an open alert until its time is over; it counts on meanwhile. Raises NotFoundError."""
        text_without_nul(data.reason, "reason")
        await _require_site(store, rights, alert_id)
        async with store.transaction() as connection:
            moved = await shelve_alert(
                connection,
                store.queries,
                alert_id=alert_id,
                by=rights.principal.name,
                reason=data.reason,
                until=clock.now() + timedelta(minutes=data.minutes),
            )
        return _shelved(alert_id, moved)

    @post("/{alert_id:int}/unshelve", summary="End an alert's silence", status_code=200)
    async def unshelve(
        self,
        store: NamedDependency[Store],
        rights: NamedDependency[Rights],
        alert_id: AlertPath,
        *,
        comment: CommentParameter = None,
    ) -> Shelved:
        """Take an alert off its shelf before its time. Raises NotFoundError where it is not on one."""
        text_without_nul(comment, "comment")
        await _require_site(store, rights, alert_id)
        async with store.transaction() as connection:
            moved = await unshelve_alert(
                connection, store.queries, alert_id=alert_id, by=rights.principal.name, comment=comment
            )
        return _shelved(alert_id, moved)

    @get("/{alert_id:int}/actions", summary="What was done about an alert")
    async def actions(
        self, store: NamedDependency[Store], rights: NamedDependency[Rights], alert_id: AlertPath
    ) -> list[Row]:
        """Acknowledgements and shelves with who, when and why, oldest first. Raises NotFoundError."""
        await _require_site(store, rights, alert_id, must_exist=True)
        return await store.rows("select_alert_actions", alert_id=alert_id)


async def _require_site(store: Store, rights: Rights, alert_id: int, *, must_exist: bool = False) -> None:
    known = await store.row("api_alert_site", alert_id=alert_id)
    if known is not None:
        rights.require(known["site_code"])
    elif must_exist:
        raise NotFoundError(f"there is no alert {alert_id}")


def _shelved(alert_id: int, moved: OpenAlert | None) -> Shelved:
    if moved is None:
        raise NotFoundError(f"there is no alert {alert_id} in a state that this could change")
    return Shelved(
        success=True,
        alert_id=alert_id,
        alarm_id=str(moved.alarm_id),
        state=moved.state,
        shelved_until=moved.shelved_until,
    )


def _check(alert: NewAlert) -> None:
    """Refuse what the column of a JSON document or text can't hold. Raises BadRequestError."""
    context = msgspec.json.encode(alert.data_context)
    if len(context) > CONTEXT_BYTES_MAX:
        raise BadRequestError("data_context", f"{len(context)} bytes, at most {CONTEXT_BYTES_MAX} are accepted")
    if b"\\u0000" in context:
        raise BadRequestError("data_context", "may not hold the character U+0000")
    for name in ("alert_type", "message", "sample_id"):
        text_without_nul(getattr(alert, name), name)
