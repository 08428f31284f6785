"""Health of the line and its overview in one answer each."""

from datetime import datetime, timedelta
from typing import Literal

import msgspec
from litestar import get
from litestar.di import NamedDependency

from cloud.api.params import Period
from cloud.api.rights import ANY_SITE, Rights
from cloud.api.stats import GradeCounts, grade_counts, period_totals
from cloud.clock import Clock
from cloud.live import StatusPayload
from cloud.relay import Relay
from cloud.store.reader import DATABASE_AWAY, Store

DEGRADED_S = 300.0
ERROR_S = 3_600.0


class LineHealth(msgspec.Struct, frozen=True):
    """Whether the line works: degraded when the newest sample is older than 5 minutes, error over an hour."""

    status: Literal["ok", "degraded", "error"]
    timestamp: datetime
    active_devices: int
    last_sample_age_seconds: float | None
    database_connected: bool
    broker_connected: bool
    storing: bool


class Day(msgspec.Struct, frozen=True):
    """The last 24 hours in sum."""

    total_samples: int
    avg_quality_score: float | None
    compliance_rate_pct: float | None


class Overview(msgspec.Struct, frozen=True):
    """What a dashboard shows at the top."""

    stats_24h: Day
    grade_distribution_7d: GradeCounts
    active_alerts: int
    critical_alerts: int
    total_devices: int
    active_devices: int
    timestamp: datetime


@get("/health", summary="Whether the line works", tags=["overview"], opt=ANY_SITE)
async def health(
    store: NamedDependency[Store], clock: NamedDependency[Clock], relay: NamedDependency[Relay]
) -> LineHealth:
    """Health of the whole line; it answers without a database too, and says so."""
    try:
        found = await store.row("api_health")
    except DATABASE_AWAY:
        relay.links.set_database(connected=False)
        return health_of(None, 0, relay.links.status, clock.now())
    assert found is not None, "a SELECT without FROM has one row"
    relay.links.set_database(connected=True)
    return health_of(found["last_sample_age_seconds"], found["active_devices"], relay.links.status, clock.now())


def health_of(age_s: float | None, active_devices: int, links: StatusPayload, now: datetime) -> LineHealth:
    """Judge the line by the age of its newest sample (None: there is none yet) and its links."""
    status: Literal["ok", "degraded", "error"] = "ok"
    if age_s is None or age_s > DEGRADED_S or not (links.broker_connected and links.storing):
        status = "degraded"
    if not links.database_connected or (age_s is not None and age_s > ERROR_S):
        status = "error"
    return LineHealth(
        status=status,
        timestamp=now,
        active_devices=active_devices,
        last_sample_age_seconds=age_s,
        database_connected=links.database_connected,
        broker_connected=links.broker_connected,
        storing=links.storing,
    )


@get("/dashboard/overview", summary="Key figures", tags=["overview"])
async def overview(
    store: NamedDependency[Store], clock: NamedDependency[Clock], rights: NamedDependency[Rights]
) -> Overview:
    """Key figures of the last 24 hours and 7 days, alerts and devices."""
    now = clock.now()
    day = await period_totals(store, Period(now - timedelta(hours=24), now), sites=rights.sites)
    week = await period_totals(store, Period(now - timedelta(days=7), now), sites=rights.sites)
    counts = await store.row("api_overview_counts", sites=rights.sites)
    assert counts is not None, "a SELECT without FROM has one row"
    return Overview(
        stats_24h=Day(day["total_samples"], day["avg_quality_score"], day["compliance_rate_pct"]),
        grade_distribution_7d=grade_counts(week),
        active_alerts=counts["active_alerts"],
        critical_alerts=counts["critical_alerts"],
        total_devices=counts["total_devices"],
        active_devices=counts["active_devices"],
        timestamp=now,
    )
