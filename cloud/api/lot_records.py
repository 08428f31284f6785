"""`/api/sqal/lots`: holding and releasing, genealogy, reports, import. Their table is written only where we made it."""

import asyncio
from datetime import datetime
from typing import Annotated, Any, Literal

import msgspec
from litestar import Controller, Response, get, post, put
from litestar.di import NamedDependency
from litestar.params import JSONBody, QueryParameter

from cloud.api.cursor import cursor_of, key_of
from cloud.api.params import LotPath
from cloud.api.problems import BadRequestError, ConflictError, ForbiddenError, NotFoundError
from cloud.api.rights import Rights, require_lot
from cloud.clock import Clock
from cloud.ledger_queue import LedgerEvent, queue_event
from cloud.lot_import import Lot
from cloud.lot_report import csv_report, pdf_report
from cloud.store.reader import Row, Store
from contract.bounds import INT_MAX, Grade, SampleId

PIECES_MAX = 100_000
# fmt: off
REPORT_COLUMNS = (
    "time", "sample_id", "device_id", "piece_id", "fusion_final_score", "fusion_final_score_u", "fusion_final_grade",
    "fusion_is_compliant", "vl53l8ch_volume_mm3", "vl53l8ch_mass_g", "as7341_freshness_index",
    "as7341_oxidation_index", "recipe", "calibration_tof", "calibration_spectral", "quality_flags",
)
# fmt: on
Words = Annotated[str, msgspec.Meta(min_length=1, max_length=1000, pattern=r"^[^\x00]*\S[^\x00]*$")]
Person = Annotated[str, msgspec.Meta(min_length=1, max_length=200, pattern=r"^[^\x00]*\S[^\x00]*$")]
Cursor = Annotated[
    str | None, QueryParameter(name="before", max_length=500, description="the `next` of the page before")
]
GradeFilter = Annotated[Grade | None, QueryParameter(name="grade")]
Limit = Annotated[int, QueryParameter(name="limit", ge=1, le=500)]
Format = Annotated[Literal["csv", "pdf"], QueryParameter(name="format")]


class Decision(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Why, and who decides."""

    reason: Words
    person: Person


class Parent(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A lot that went into this one. share: of the parent, above 0 to 1, where known."""

    parent_lot_id: Annotated[int, msgspec.Meta(ge=1, le=INT_MAX)]
    share: Annotated[float, msgspec.Meta(gt=0, le=1)] | None = None


class Lots(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Lots to make or bring up to date, by their code."""

    lots: Annotated[list[Lot], msgspec.Meta(min_length=1, max_length=500)]


class PieceKey(msgspec.Struct, frozen=True, array_like=True):
    """What the pieces of a lot are ordered by."""

    time: datetime
    sample_id: SampleId


class LotPieces(msgspec.Struct, frozen=True):
    """A page of pieces; `next` is the `before` of the page after it, null on the last."""

    pieces: list[Row]
    next: str | None


class Decided(msgspec.Struct, frozen=True):
    """What holds now."""

    lot_id: int
    is_held: bool
    decided_at: datetime


class LotRecordsController(Controller):
    """`/api/sqal/lots`."""

    path = "/api/sqal/lots"
    tags = ("lots",)

    @put("/", summary="Make lots or bring them up to date")
    async def upsert(
        self, store: NamedDependency[Store], rights: NamedDependency[Rights], data: JSONBody[Lots]
    ) -> dict[str, Any]:
        """By code. Raises ConflictError where the table is the customer's own."""
        await _require_sites(store, rights, data.lots)
        ours = await store.row("lot_is_ours")
        if ours is None or not ours["is_ours"]:
            raise ConflictError("lots_gavage belongs to the customer's other system: lots are made there, not here")
        known = {row["site_code"] for row in await store.rows("api_sites", sites=None)}
        for n, lot in enumerate(data.lots):
            if lot.site_code is not None and lot.site_code not in known:
                raise BadRequestError(f"lots[{n}].site_code", f"there is no site {lot.site_code!r}")
        made: list[Row] = []
        for lot in data.lots:
            row = await store.row("lot_upsert", **msgspec.structs.asdict(lot))
            assert row is not None
            made.append({"code_lot": lot.code_lot, "lot_id": row["id"], "is_new": row["is_new"]})
        return {"lots": made}

    @post("/{lot_id:int}/hold", summary="Hold a lot back")
    async def hold(
        self,
        store: NamedDependency[Store],
        clock: NamedDependency[Clock],
        rights: NamedDependency[Rights],
        lot_id: LotPath,
        data: JSONBody[Decision],
    ) -> Decided:
        """Raises NotFoundError, and ConflictError for a lot that is held already."""
        await require_lot(store, rights, lot_id)
        return await _decide(store, clock, lot_id, "hold", data)

    @post("/{lot_id:int}/release", summary="Release a lot")
    async def release(
        self,
        store: NamedDependency[Store],
        clock: NamedDependency[Clock],
        rights: NamedDependency[Rights],
        lot_id: LotPath,
        data: JSONBody[Decision],
    ) -> Decided:
        """Raises NotFoundError, and ConflictError for a lot that is not held."""
        await require_lot(store, rights, lot_id)
        return await _decide(store, clock, lot_id, "release", data)

    @get("/{lot_id:int}/decisions", summary="What was decided about a lot")
    async def decisions(
        self, store: NamedDependency[Store], rights: NamedDependency[Rights], lot_id: LotPath
    ) -> list[Row]:
        """The newest first."""
        await require_lot(store, rights, lot_id)
        return await store.rows("lot_decisions", lot_id=lot_id)

    @post("/{lot_id:int}/parents", summary="Say which lot went into this one")
    async def add_parent(
        self,
        store: NamedDependency[Store],
        clock: NamedDependency[Clock],
        rights: NamedDependency[Rights],
        lot_id: LotPath,
        data: JSONBody[Parent],
    ) -> dict[str, Any]:
        """Raises NotFoundError, and BadRequestError where a lot would become its own ancestor."""
        for wanted in (lot_id, data.parent_lot_id):
            await require_lot(store, rights, wanted)
            await _lot(store, wanted)
        async with store.transaction() as connection:
            await connection.execute(store.queries["lot_lock"], {"lot_id": 0})
            cursor = await connection.execute(
                store.queries["lot_ancestors"], {"lot_id": data.parent_lot_id, "sites": None}
            )
            above = {row[0] for row in await cursor.fetchall()} | {data.parent_lot_id}
            if lot_id in above:
                raise BadRequestError("parent_lot_id", f"lot {lot_id} went into lot {data.parent_lot_id} already")
            values = {"parent": data.parent_lot_id, "child": lot_id, "share": data.share}
            await connection.execute(store.queries["lot_note_parent"], values)
            public = {"parent_lot_id": data.parent_lot_id, "share": data.share}
            event = LedgerEvent("lot_parent", f"lot:{lot_id}", clock.now(), lot_id, public)
            await queue_event(connection, store.queries, event)
        return {"lot_id": lot_id, **public}

    @get("/{lot_id:int}/genealogy", summary="What a lot was made of, and what was made of it")
    async def genealogy(
        self, store: NamedDependency[Store], rights: NamedDependency[Rights], lot_id: LotPath
    ) -> dict[str, Any]:
        """Over at most 20 steps; lots of the caller's sites only. Raises NotFoundError."""
        await require_lot(store, rights, lot_id)
        await _lot(store, lot_id)
        ancestors = await store.rows("lot_ancestors", lot_id=lot_id, sites=rights.sites)
        descendants = await store.rows("lot_descendants", lot_id=lot_id, sites=rights.sites)
        return {"lot_id": lot_id, "ancestors": ancestors, "descendants": descendants}

    @get("/{lot_id:int}/pieces", summary="Pieces of a lot")
    async def pieces(
        self,
        *,
        store: NamedDependency[Store],
        rights: NamedDependency[Rights],
        lot_id: LotPath,
        before: Cursor = None,
        grade: GradeFilter = None,
        limit: Limit = 50,
    ) -> LotPieces:
        """A page, newest first, of one grade where asked."""
        await require_lot(store, rights, lot_id)
        key = key_of(PieceKey, before)
        rows = await store.rows(
            "lot_pieces_page",
            lot_id=lot_id,
            time=key and key.time,
            sample_id=key and key.sample_id,
            grade=grade,
            limit=limit,
        )
        more = cursor_of(PieceKey(rows[-1]["time"], rows[-1]["sample_id"])) if len(rows) == limit else None
        return LotPieces(rows, more)

    @get("/{lot_id:int}/report", summary="Report of a lot")
    async def report(
        self,
        store: NamedDependency[Store],
        rights: NamedDependency[Rights],
        lot_id: LotPath,
        format: Format = "csv",  # noqa: A002  # the name in the query
    ) -> Response[bytes]:
        """All pieces as CSV, or figures, decisions and the first pieces as PDF. Raises NotFoundError."""
        await require_lot(store, rights, lot_id)
        lot = await _lot(store, lot_id)
        rows = await store.rows("lot_pieces", lot_id=lot_id, limit=PIECES_MAX)
        headers = {"Content-Disposition": f'attachment; filename="lot-{lot_id}.{format}"'}
        if format == "csv":
            text = await asyncio.to_thread(csv_report, rows, REPORT_COLUMNS)
            return Response(text.encode(), media_type="text/csv; charset=utf-8", headers=headers)
        totals = await store.row("api_lot_totals", lot_id=lot_id) or {}
        decisions = await store.rows("lot_decisions", lot_id=lot_id)
        content = await asyncio.to_thread(pdf_report, lot, totals, decisions, rows)
        return Response(content, media_type="application/pdf", headers=headers)


async def _require_sites(store: Store, rights: Rights, lots: list[Lot]) -> None:
    """Refuse lots that stand, or would stand, at a site that is not the caller's. Raises ForbiddenError."""
    if rights.sites is None:
        return
    known = await store.rows("lot_sites_by_code", codes=[lot.code_lot for lot in lots])
    present = {row["code_lot"]: row["site_code"] for row in known}
    for lot in lots:
        for site in {lot.site_code or present.get(lot.code_lot), present.get(lot.code_lot, lot.site_code)}:
            if not rights.principal.may_see(site):
                raise ForbiddenError(f"{rights.principal.name} has no rights at the site of lot {lot.code_lot!r}")


async def _lot(store: Store, lot_id: int) -> dict[str, Any]:
    """The lot's row. Raises NotFoundError."""
    found = (await store.row("api_lot", lot_id=lot_id) or {}).get("lot")
    if found is None:
        raise NotFoundError(f"there is no lot {lot_id}")
    return found


async def _decide(
    store: Store, clock: Clock, lot_id: int, decision: Literal["hold", "release"], data: Decision
) -> Decided:
    await _lot(store, lot_id)
    now = clock.now()
    async with store.transaction() as connection:
        await connection.execute(store.queries["lot_lock"], {"lot_id": lot_id})
        cursor = await connection.execute(store.queries["lot_decisions"], {"lot_id": lot_id})
        newest = await cursor.fetchone()
        if (newest is not None and newest[0] == "hold") == (decision == "hold"):
            raise ConflictError(f"lot {lot_id} is {'held already' if decision == 'hold' else 'not held'}")
        private = {"reason": data.reason, "person": data.person}
        values = {"lot_id": lot_id, "decision": decision, "now": now, **private}
        await connection.execute(store.queries["lot_decide"], values)
        event = LedgerEvent(f"lot_{decision}", f"lot:{lot_id}", now, lot_id, {"decision": decision}, private)
        await queue_event(connection, store.queries, event)
    return Decided(lot_id, decision == "hold", now)
