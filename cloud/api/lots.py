"""Lots of the customer's other system, seen from quality: ITM beside score."""

from datetime import datetime, timedelta
from typing import Annotated, Any

import msgspec
from litestar import Controller, get
from litestar.di import NamedDependency
from litestar.params import QueryParameter

from cloud.api.params import LotPath, Period, period_of
from cloud.api.problems import NotFoundError
from cloud.api.rights import Rights, require_lot
from cloud.api.stats import GradeCounts, grade_counts
from cloud.store.reader import Row, Store

SAMPLES_SHOWN = 50
LOTS_MAX = 1000
Limit = Annotated[int, QueryParameter(name="limit", ge=1, le=LOTS_MAX)]


class LotQuality(msgspec.Struct, frozen=True):
    """A lot's quality; `lot` is its row in `lots_gavage` and `itm` its ITM, null where it is not there."""

    lot_id: int
    total_samples: int
    avg_quality_score: float | None
    compliance_rate_pct: float | None
    grade_distribution: GradeCounts
    samples: list[dict[str, Any]]
    lot: dict[str, Any] | None
    itm: float | None


class LotSummary(msgspec.Struct, frozen=True):
    """One lot in sum, under the names that the customer's other system uses."""

    lot_id: int
    nb_echantillons: int
    score_qualite_moyen: float
    grade_majoritaire: str
    taux_conformite_pct: float
    distribution_grades: GradeCounts
    premier_echantillon: datetime
    dernier_echantillon: datetime
    code_lot: str | None
    site_code: str | None
    itm: float | None


class LotsAggregated(msgspec.Struct, frozen=True):
    """Lots with samples in a period, the latest first."""

    total_lots: int
    lots: list[LotSummary]


class LotsController(Controller):
    """`/api/sqal/integration`."""

    path = "/integration"
    tags = ("lots",)

    @get("/lot/{lot_id:int}", summary="Quality of a lot")
    async def one(self, store: NamedDependency[Store], rights: NamedDependency[Rights], lot_id: LotPath) -> LotQuality:
        """Figures and newest samples of a lot, beside its ITM. Raises NotFoundError."""
        await require_lot(store, rights, lot_id)
        lot = (await store.row("api_lot", lot_id=lot_id) or {}).get("lot")
        totals = await store.row("api_lot_totals", lot_id=lot_id)
        assert totals is not None, "an aggregate always has a row"
        if lot is None and totals["total_samples"] == 0:
            raise NotFoundError(f"there is no lot {lot_id}")
        return LotQuality(
            lot_id=lot_id,
            total_samples=totals["total_samples"],
            avg_quality_score=totals["avg_quality_score"],
            compliance_rate_pct=totals["compliance_rate_pct"],
            grade_distribution=grade_counts(totals),
            samples=await store.rows("api_lot_samples", lot_id=lot_id, limit=SAMPLES_SHOWN),
            lot=lot,
            itm=_itm(lot, store.itm_column),
        )

    @get(
        "/lots-aggregated",
        summary="All lots in sum",
        dependencies={"period": period_of(timedelta(days=90))},
    )
    async def aggregated(
        self,
        store: NamedDependency[Store],
        rights: NamedDependency[Rights],
        period: NamedDependency[Period],
        limit: Limit = 500,
    ) -> LotsAggregated:
        """Lots with samples in a period (90 days by default), the latest first."""
        rows = await store.rows(
            "api_lots_aggregated", start=period.start, end=period.end, sites=rights.sites, limit=limit
        )
        lots = [_summary(row, store.itm_column) for row in rows]
        return LotsAggregated(len(lots), lots)


def _summary(row: Row, itm_column: str) -> LotSummary:
    lot: dict[str, Any] = row["lot"] or {}
    return LotSummary(
        lot_id=row["lot_id"],
        nb_echantillons=row["nb_echantillons"],
        score_qualite_moyen=row["score_qualite_moyen"],
        grade_majoritaire=row["grade_majoritaire"],
        taux_conformite_pct=row["taux_conformite_pct"],
        distribution_grades=grade_counts(row),
        premier_echantillon=row["premier_echantillon"],
        dernier_echantillon=row["dernier_echantillon"],
        code_lot=lot.get("code_lot"),
        site_code=lot.get("site_code"),
        itm=_itm(lot, itm_column),
    )


def _itm(lot: dict[str, Any] | None, column: str) -> float | None:
    """The ITM of `lot`; the customer's databases differ in the name of its column."""
    return None if lot is None else lot.get(column)
