"""`/api/euralis`: supervision over sites and lots, and how the ITM of lots goes with their quality."""

import math
from collections.abc import Sequence
from datetime import timedelta
from typing import Annotated, Any

import msgspec
from litestar import Controller, get
from litestar.di import NamedDependency
from litestar.params import PathParameter, QueryParameter

from cloud.api.params import LotPath, Period, SiteFilter, period_of
from cloud.api.problems import NotFoundError
from cloud.api.rights import Rights, require_lot
from cloud.store.reader import Row, Store

LOTS_MAX = 1000
ALERTS_MAX = 500
LOTS_FOR_CORRELATION = 3  # two points always lie on a line
SitePath = Annotated[str, PathParameter(pattern=r"^[A-Za-z0-9]{1,2}$(?!\n)")]
SamplesMin = Annotated[int, QueryParameter(name="min_samples", ge=0, le=1_000_000, description="more than so many")]
MONTH = {"period": period_of(timedelta(days=30))}


class Lots(msgspec.Struct, frozen=True):
    """Lots by falling ITM. correlation: Pearson's r of ITM and mean score over these lots, null below three lots."""

    lots: list[dict[str, Any]]
    total: int
    correlation_itm_qualite: float | None


class Sites(msgspec.Struct, frozen=True):
    """Sites with their figures of a period."""

    sites: list[dict[str, Any]]
    total: int
    period: Period


class Kpis(msgspec.Struct, frozen=True):
    """Figures of all sites together; averages are weighted by samples."""

    total_sites: int
    total_devices: int
    total_lots: int
    total_samples: int
    avg_quality_score: float | None
    compliance_rate_pct: float | None
    correlation_itm_qualite: float | None
    active_alerts: int
    period: Period


class EuralisController(Controller):
    """`/api/euralis`."""

    path = "/api/euralis"
    tags = ("euralis",)

    @get("/sites", summary="All sites", dependencies=MONTH)
    async def sites(
        self, store: NamedDependency[Store], rights: NamedDependency[Rights], period: NamedDependency[Period]
    ) -> Sites:
        """Sites with the quality of a period (30 days by default)."""
        rows = [_site(row) for row in await _sites(store, period, rights.sites)]
        return Sites(rows, len(rows), period)

    @get("/sites/compare", summary="Sites beside each other", dependencies=MONTH)
    async def compare(
        self, store: NamedDependency[Store], rights: NamedDependency[Rights], period: NamedDependency[Period]
    ) -> Sites:
        """Sites by falling mean score; sites without samples last."""
        rows = [_site(row) for row in await _sites(store, period, rights.sites)]
        rows.sort(key=lambda row: (row["avg_quality_score"] is None, -(row["avg_quality_score"] or 0), row["code"]))
        return Sites(rows, len(rows), period)

    @get("/sites/{code:str}", summary="One site", dependencies=MONTH)
    async def site(
        self,
        store: NamedDependency[Store],
        rights: NamedDependency[Rights],
        period: NamedDependency[Period],
        code: SitePath,
    ) -> dict[str, Any]:
        """A site with the quality of a period. Raises NotFoundError."""
        rights.require(code)
        return _site(await _one_site(store, period, code))

    @get("/sites/{code:str}/stats", summary="Quality of a site, day by day", dependencies=MONTH)
    async def stats(
        self,
        store: NamedDependency[Store],
        rights: NamedDependency[Rights],
        period: NamedDependency[Period],
        code: SitePath,
    ) -> dict[str, Any]:
        """Days (UTC) of a site, the newest first. Raises NotFoundError."""
        rights.require(code)
        site = _site(await _one_site(store, period, code))
        days = await store.rows("api_site_days", start=period.start, end=period.end, sites=[code])
        return {"site": site, "stats": days, "period": period}

    @get("/sites/{code:str}/lots", summary="Lots of a site")
    async def lots_of_site(
        self,
        store: NamedDependency[Store],
        rights: NamedDependency[Rights],
        code: SitePath,
        samples_min: SamplesMin = 0,
    ) -> Lots:
        """Lots of a site that have samples, by falling ITM."""
        return await lots_with_quality(store, sites=rights.narrow(code), samples_min=samples_min)

    @get("/dashboard/kpis", summary="All in a few figures", dependencies=MONTH)
    async def kpis(
        self, store: NamedDependency[Store], rights: NamedDependency[Rights], period: NamedDependency[Period]
    ) -> Kpis:
        """Figures of a period over all sites of the caller."""
        sites = await _sites(store, period, rights.sites)
        lots = await lots_with_quality(store, sites=rights.sites, samples_min=0)
        total = sum(row["total_samples"] for row in sites)
        alerts = await store.rows("euralis_alerts", sites=rights.sites, limit=ALERTS_MAX)
        return Kpis(
            total_sites=len(sites),
            total_devices=sum(row["devices"] for row in sites),
            total_lots=sum(row["lots"] for row in sites),
            total_samples=total,
            avg_quality_score=_weighted(sites, "avg_quality_score", total),
            compliance_rate_pct=_weighted(sites, "compliance_rate_pct", total),
            correlation_itm_qualite=lots.correlation_itm_qualite,
            active_alerts=len(alerts),
            period=period,
        )

    @get("/lots", summary="Lots, ITM beside quality")
    async def lots(
        self,
        store: NamedDependency[Store],
        rights: NamedDependency[Rights],
        site_code: SiteFilter = None,
        samples_min: SamplesMin = 0,
    ) -> Lots:
        """Lots with more than `min_samples` samples by falling ITM: the mission's correlation."""
        return await lots_with_quality(store, sites=rights.narrow(site_code), samples_min=samples_min)

    @get("/lots/{lot_id:int}", summary="One lot")
    async def lot(
        self, store: NamedDependency[Store], rights: NamedDependency[Rights], lot_id: LotPath
    ) -> dict[str, Any]:
        """A lot with its row, its quality, its decisions. Raises NotFoundError."""
        await require_lot(store, rights, lot_id)
        lot = (await store.row("api_lot", lot_id=lot_id) or {}).get("lot")
        if lot is None:
            raise NotFoundError(f"there is no lot {lot_id}")
        quality = await store.row("api_lot_totals", lot_id=lot_id)
        decisions = await store.rows("lot_decisions", lot_id=lot_id)
        held = bool(decisions) and decisions[0]["decision"] == "hold"
        return {"lot": lot, "itm": lot.get(store.itm_column), "quality": quality, "is_held": held}

    @get("/alertes", summary="Alerts that are not cleared")
    async def alerts(
        self, store: NamedDependency[Store], rights: NamedDependency[Rights], site_code: SiteFilter = None
    ) -> list[dict[str, Any]]:
        """The newest first."""
        return await store.rows("euralis_alerts", sites=rights.narrow(site_code), limit=ALERTS_MAX)


async def lots_with_quality(store: Store, *, sites: list[str] | None, samples_min: int) -> Lots:
    """Lots by falling ITM, with Pearson's correlation of ITM and mean score."""
    rows = await store.rows(
        "euralis_lots",
        itm_column=store.itm_column,
        sites=sites,
        samples_min=samples_min,
        limit=LOTS_MAX,
    )
    known = [row for row in rows if row["itm"] is not None and row["avg_quality_score"] is not None]
    return Lots(rows, len(rows), correlation([(row["itm"], row["avg_quality_score"]) for row in known]))


def correlation(pairs: Sequence[tuple[float, float]]) -> float | None:
    """Pearson's r, null below three pairs or where one side does not vary."""
    if len(pairs) < LOTS_FOR_CORRELATION:
        return None
    mean_x = math.fsum(x for x, _ in pairs) / len(pairs)
    mean_y = math.fsum(y for _, y in pairs) / len(pairs)
    xx = math.fsum((x - mean_x) ** 2 for x, _ in pairs)
    yy = math.fsum((y - mean_y) ** 2 for _, y in pairs)
    if xx <= 0 or yy <= 0:
        return None
    return round(math.fsum((x - mean_x) * (y - mean_y) for x, y in pairs) / math.sqrt(xx * yy), 4)


async def _sites(store: Store, period: Period, sites: list[str] | None) -> list[Row]:
    return await store.rows("euralis_sites", start=period.start, end=period.end, sites=sites)


async def _one_site(store: Store, period: Period, code: str) -> Row:
    rows = await _sites(store, period, [code])
    if not rows:
        raise NotFoundError(f"there is no site {code}")
    return rows[0]


def _site(row: Row) -> dict[str, Any]:
    return {**row["site"], **{name: value for name, value in row.items() if name != "site"}}


def _weighted(sites: Sequence[Row], column: str, total: int) -> float | None:
    if not total:
        return None
    return math.fsum(row[column] * row["total_samples"] for row in sites if row[column] is not None) / total
