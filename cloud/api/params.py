"""Query parameters that many endpoints share: periods, identifiers, limits. What does not fit is a BadRequestError."""

import re
from datetime import UTC, datetime, timedelta
from typing import Annotated

import msgspec
from litestar.di import NamedDependency, Provide
from litestar.params import PathParameter, QueryParameter

from cloud.api.problems import BadRequestError
from cloud.clock import Clock
from contract.bounds import INT_MAX, SEQ_MAX, as_utc

PERIOD_MAX = timedelta(days=366)  # a year of hours and devices is the most that one answer may hold

# A `+` in a query is a space unless it is escaped; few people escape the one of a time zone.
_SPACED_ZONE = re.compile(r" (\d{2}:?\d{2})$")
_DATE = re.compile(r"\d{4}-\d{2}-\d{2}$")

StartTime = Annotated[
    str | None,
    QueryParameter(
        name="start_time", description="RFC 3339; without a zone it is UTC", schema_extra={"format": "date-time"}
    ),
]
EndTime = Annotated[
    str | None,
    QueryParameter(
        name="end_time", description="RFC 3339, not included; now by default", schema_extra={"format": "date-time"}
    ),
]
DeviceFilter = Annotated[str | None, QueryParameter(name="device_id", max_length=100, description="only this device")]
SiteFilter = Annotated[str | None, QueryParameter(name="site_code", max_length=2, description="only this site")]
LotPath = Annotated[int, PathParameter(ge=1, le=INT_MAX)]
AlertPath = Annotated[int, PathParameter(ge=1, le=INT_MAX)]
Before = Annotated[
    int | None, QueryParameter(name="before", ge=1, le=SEQ_MAX, description="the `next` of the page before this one")
]


class Period(msgspec.Struct, frozen=True):
    """From `start`, included, to `end`, not included; both UTC."""

    start: datetime
    end: datetime


def moment(text: str, path: str) -> datetime:
    """The time that `text` says, in UTC; a naive one or a bare date is read as UTC. Raises BadRequestError."""
    repaired = _SPACED_ZONE.sub(r"+\1", text.strip())
    if _DATE.match(repaired) and len(repaired) == 10:
        repaired += "T00:00:00Z"
    try:
        return as_utc(msgspec.convert(repaired, datetime))
    except (msgspec.ValidationError, ValueError) as error:
        raise BadRequestError(path, f"{text[:40]!r} is no RFC 3339 time such as 2026-01-31T08:00:00Z") from error


def period(start_time: str | None, end_time: str | None, *, default: timedelta, clock: Clock) -> Period:
    """The period asked for; it ends now and lasts `default` unless told otherwise. Raises BadRequestError."""
    end = clock.now() if end_time is None else moment(end_time, "end_time")
    if start_time is None:
        earliest = datetime.min.replace(tzinfo=UTC)
        start = end - default if end - earliest > default else earliest
    else:
        start = moment(start_time, "start_time")
    if start >= end:
        raise BadRequestError("start_time", f"must lie before end_time, which is {end.isoformat()}")
    if end - start > PERIOD_MAX:
        raise BadRequestError("start_time", f"the period may last {PERIOD_MAX.days} days, not {(end - start).days}")
    return Period(start, end)


def period_of(default: timedelta) -> Provide:
    """A Litestar dependency that reads the period of a request, `default` long where the request does not say."""

    def provide_period(clock: NamedDependency[Clock], start_time: StartTime = None, end_time: EndTime = None) -> Period:
        return period(start_time, end_time, default=default, clock=clock)

    return Provide(provide_period, sync_to_thread=False)


def text_without_nul(text: str | None, path: str) -> str | None:
    """`text` as it is. Raises BadRequestError where it holds U+0000, which PostgreSQL can't even compare with."""
    if text is not None and "\0" in text:
        raise BadRequestError(path, "may not hold the character U+0000")
    return text
