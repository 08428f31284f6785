"""`/api/gaveurs`: what a breeder sees of a lot: its quality, its history, its certificate."""

from typing import Any

import msgspec
from litestar import Controller, Response, get
from litestar.di import NamedDependency

from cloud.api.blockchain import HISTORY_MAX, Format, HistoryEvent, Language, certified, history_of
from cloud.api.params import LotPath
from cloud.api.problems import NotFoundError
from cloud.api.rights import Rights, require_lot
from cloud.api.stats import GradeCounts, grade_counts
from cloud.clock import Clock
from cloud.settings import LedgerSettings
from cloud.store.reader import Store


class LotView(msgspec.Struct, frozen=True):
    """A lot as its breeder sees it."""

    lot_id: int
    lot: dict[str, Any]
    itm: float | None
    total_samples: int
    avg_quality_score: float | None
    compliance_rate_pct: float | None
    grade_distribution: GradeCounts
    is_held: bool
    history: list[HistoryEvent]


class GaveursController(Controller):
    """`/api/gaveurs`."""

    path = "/api/gaveurs"
    tags = ("gaveurs",)

    @get("/lots/{lot_id:int}", summary="A lot, its quality and its history")
    async def lot(self, store: NamedDependency[Store], rights: NamedDependency[Rights], lot_id: LotPath) -> LotView:
        """Figures of a lot and what the ledger holds of it. Raises NotFoundError."""
        await require_lot(store, rights, lot_id)
        lot = (await store.row("api_lot", lot_id=lot_id) or {}).get("lot")
        totals = await store.row("api_lot_totals", lot_id=lot_id)
        if lot is None or totals is None:
            raise NotFoundError(f"there is no lot {lot_id}")
        decisions = await store.rows("lot_decisions", lot_id=lot_id)
        entries = await store.rows("ledger_entries_of_lot", lot_id=lot_id, limit=HISTORY_MAX)
        return LotView(
            lot_id=lot_id,
            lot=lot,
            itm=lot.get(store.itm_column),
            total_samples=totals["total_samples"],
            avg_quality_score=totals["avg_quality_score"],
            compliance_rate_pct=totals["compliance_rate_pct"],
            grade_distribution=grade_counts(totals),
            is_held=bool(decisions) and decisions[0]["decision"] == "hold",
            history=await history_of(store, entries),
        )

    @get("/lots/{lot_id:int}/certificat", summary="Certificate of a lot")
    async def certificate(
        self,
        *,
        store: NamedDependency[Store],
        ledger: NamedDependency[LedgerSettings],
        clock: NamedDependency[Clock],
        rights: NamedDependency[Rights],
        lot_id: LotPath,
        lang: Language = "fr",
        format: Format = "json",  # noqa: A002  # the name in the query
    ) -> Response[bytes]:
        """What was measured of a lot, with proofs. Raises NotFoundError, ConflictError, UnavailableError."""
        await require_lot(store, rights, lot_id)
        if await store.row("api_lot", lot_id=lot_id) is None:
            raise NotFoundError(f"there is no lot {lot_id}")
        return await certified(store, ledger, clock, subject=f"lot:{lot_id}", lot_id=lot_id, lang=lang, kind=format)
