"""Statistics: hours, sites, grades."""

from datetime import datetime, timedelta
from typing import Annotated, Any

import msgspec
from litestar import Controller, get
from litestar.di import NamedDependency
from litestar.params import QueryParameter

from cloud.api.params import DeviceFilter, Period, SiteFilter, period_of, text_without_nul
from cloud.api.rights import Rights
from cloud.store.reader import Row, Store

HOURS_MAX = 50_000  # 11 weeks of 27 devices, some 20 MB of JSON
Limit = Annotated[int, QueryParameter(name="limit", ge=1, le=HOURS_MAX)]


class GradeCounts(msgspec.Struct, frozen=True):
    """How many samples have each grade."""

    a_plus: int = msgspec.field(name="A+")
    a: int = msgspec.field(name="A")
    b: int = msgspec.field(name="B")
    c: int = msgspec.field(name="C")
    reject: int = msgspec.field(name="REJECT")


class GradeShares(msgspec.Struct, frozen=True):
    """The share of each grade in percent."""

    a_plus: float = msgspec.field(name="A+")
    a: float = msgspec.field(name="A")
    b: float = msgspec.field(name="B")
    c: float = msgspec.field(name="C")
    reject: float = msgspec.field(name="REJECT")


class HourlyStats(msgspec.Struct, frozen=True):
    """Hours, newest first; `truncated` says that the period holds more than `limit`."""

    stats: list[dict[str, Any]]
    count: int
    period: Period
    truncated: bool


class SiteStats(msgspec.Struct, frozen=True):
    """A period in sum, its best devices, and its sites day by day."""

    period_start: datetime
    period_end: datetime
    total_samples: int
    avg_quality_score: float | None
    compliance_rate_pct: float | None
    grade_distribution: GradeCounts
    top_devices: list[dict[str, Any]]
    sites: list[dict[str, Any]]


class GradeDistribution(msgspec.Struct, frozen=True):
    """Grades of a period in counts and percent."""

    distribution: GradeCounts
    total: int
    percentages: GradeShares
    period: Period


def grade_counts(row: Row) -> GradeCounts:
    """The counts of `row` under the grades' own names."""
    return GradeCounts(row["count_a_plus"], row["count_a"], row["count_b"], row["count_c"], row["count_reject"])


def grade_shares(counts: GradeCounts) -> GradeShares:
    """`counts` in percent, two decimals; all zero where there is none."""
    numbers = msgspec.structs.astuple(counts)
    total = sum(numbers) or 1
    return GradeShares(*(round(100 * number / total, 2) for number in numbers))


async def period_totals(
    store: Store, period: Period, site_code: str | None = None, *, sites: list[str] | None = None
) -> Row:
    """The exact figures of `period`, of one site, of `sites`, or of all."""
    if site_code is None and sites is not None:
        totals = await store.row("api_sites_totals", start=period.start, end=period.end, sites=sites)
    else:
        totals = await store.row("api_period_totals", start=period.start, end=period.end, site_code=site_code)
    assert totals is not None, "an aggregate always has a row"
    return totals


class StatsController(Controller):
    """`/api/sqal/stats`."""

    path = "/stats"
    tags = ("statistics",)

    @get("/hourly", summary="Hour by hour", dependencies={"period": period_of(timedelta(days=7))})
    async def hourly(
        self,
        store: NamedDependency[Store],
        period: NamedDependency[Period],
        rights: NamedDependency[Rights],
        device_id: DeviceFilter = None,
        limit: Limit = 10_000,
    ) -> HourlyStats:
        """Each hour of a period (7 days by default) and device, newest first."""
        stats = await store.rows(
            "api_hourly_stats",
            start=period.start,
            end=period.end,
            device_id=text_without_nul(device_id, "device_id"),
            sites=rights.sites,
            limit=limit + 1,
        )
        shown = stats[:limit]
        return HourlyStats(shown, len(shown), period, truncated=len(stats) > limit)

    @get("/sites", summary="Site by site", dependencies={"period": period_of(timedelta(days=30))})
    async def sites(
        self,
        store: NamedDependency[Store],
        period: NamedDependency[Period],
        rights: NamedDependency[Rights],
        site_code: SiteFilter = None,
    ) -> SiteStats:
        """A period (30 days by default) in sum, its best devices, and one row per site and day (UTC)."""
        sites = rights.narrow(site_code)
        wanted = {"start": period.start, "end": period.end, "sites": sites}
        totals = await period_totals(store, period, site_code, sites=sites)
        return SiteStats(
            period_start=period.start,
            period_end=period.end,
            total_samples=totals["total_samples"],
            avg_quality_score=totals["avg_quality_score"],
            compliance_rate_pct=totals["compliance_rate_pct"],
            grade_distribution=grade_counts(totals),
            top_devices=await store.rows("api_top_devices", **wanted),
            sites=await store.rows("api_site_days", **wanted),
        )

    @get(
        "/grade-distribution",
        summary="How often each grade was given",
        dependencies={"period": period_of(timedelta(days=7))},
    )
    async def grade_distribution(
        self,
        store: NamedDependency[Store],
        period: NamedDependency[Period],
        rights: NamedDependency[Rights],
        site_code: SiteFilter = None,
    ) -> GradeDistribution:
        """Grades of a period (7 days by default) in counts and percent."""
        totals = await period_totals(store, period, site_code, sites=rights.narrow(site_code))
        counts = grade_counts(totals)
        return GradeDistribution(counts, totals["total_samples"], grade_shares(counts), period)
