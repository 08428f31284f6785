"""`/api/blockchain`: the history of animals and lots, as the customer's front ends ask for it.

No coins and no miners: entries of our ledger. `hash` is the leaf, `block_hash` the root of the checkpoint that sealed
it.
"""

import asyncio
from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Annotated, Any, Literal

import msgspec
from litestar import Controller, Response, get, post
from litestar.di import NamedDependency
from litestar.params import JSONBody, PathParameter, QueryParameter

from cloud.api.problems import BadRequestError, ConflictError, NotFoundError, UnavailableError
from cloud.api.rights import ANY_SITE, PUBLIC, Rights, require_lot
from cloud.certificate import CertificateError
from cloud.certificate_file import Kind, write_file
from cloud.certificate_issue import NotReadyError, issue
from cloud.clock import Clock
from cloud.ledger_keys import check_signature
from cloud.ledger_queue import LedgerEvent, queue_event
from cloud.ledger_read import flush_lot, named_keys, private_parts
from cloud.ledger_report import Report, Trust, VerifyError
from cloud.ledger_verify import verify_ledger
from cloud.settings import LedgerSettings
from cloud.store.reader import Row, Store
from contract.bounds import INT_MAX
from contract.chain import Entry, EventEntry, SamplesEntry, decode_entry, leaf_hash, moment_of
from contract.checkpoint import parse_key

HISTORY_MAX = 1000
VERIFY_CACHE_S = 10.0
MEDIA_TYPES = {"html": "text/html; charset=utf-8", "pdf": "application/pdf", "json": "application/json"}

Animal = Annotated[str, PathParameter(pattern=r"^[A-Za-z0-9][A-Za-z0-9_-]{0,99}$(?!\n)")]
AnimalId = (
    Annotated[str, msgspec.Meta(pattern=r"^[A-Za-z0-9][A-Za-z0-9_-]{0,99}$(?!\n)")] | Annotated[int, msgspec.Meta(ge=0)]
)
Language = Annotated[Literal["fr", "en"], QueryParameter(name="lang")]
Format = Annotated[Literal["json", "html", "pdf"], QueryParameter(name="format")]
LotId = Annotated[int, msgspec.Meta(ge=1, le=INT_MAX)]


class Init(msgspec.Struct, frozen=True):
    """Begin the history of animals."""

    canard_ids: Annotated[list[AnimalId], msgspec.Meta(min_length=1, max_length=1000)]
    gaveur_id: int | str | None = None
    description: Annotated[str, msgspec.Meta(max_length=2000)] = ""


class NewEvent(msgspec.Struct, frozen=True):
    """Something that happened to an animal; `lot_id` binds it to a lot."""

    type_evenement: Annotated[str, msgspec.Meta(min_length=1, max_length=100)]
    donnees: dict[str, Any] = msgspec.field(default_factory=dict[str, Any])
    lot_id: LotId | None = None


class Accepted(msgspec.Struct, frozen=True):
    """What was put on record; the next checkpoint seals it."""

    success: bool
    events: int
    hashes: list[str]
    timestamp: datetime


class HistoryEvent(msgspec.Struct, frozen=True):
    """One entry of a history. donnees: null once erased; index: its place in the ledger."""

    index: int
    type_evenement: str
    timestamp: datetime
    lot_id: int | None
    donnees: dict[str, Any] | None
    hash: str
    block_hash: str | None


class Verdict(msgspec.Struct, frozen=True):
    """Whether the ledger is whole, by the keys that it names itself: who wants proof verifies with a key of his own."""

    valid: bool
    entries: int
    checkpoint: str | None
    first_error: str | None
    expired: int
    samples: int


class Verifier:
    """One verification at a time, remembered for a few seconds: it reads everything there is."""

    def __init__(self) -> None:
        self._lock = asyncio.Lock()
        self._verdict: Verdict | None = None
        self._at = 0.0

    async def verdict(self, store: Store, settings: LedgerSettings, clock: Clock, dsn: str) -> Verdict:
        """The state of the ledger. Raises UnavailableError."""
        async with self._lock:
            if self._verdict is None or clock.monotonic() - self._at > VERIFY_CACHE_S:
                keys = [parse_key(key) for key in await named_keys(store)]
                trust = Trust(keys, check_signature)
                retention = timedelta(days=settings.retention_days)
                try:
                    report = await asyncio.to_thread(verify_ledger, dsn, trust, now=clock.now(), retention=retention)
                except VerifyError as error:
                    raise UnavailableError(str(error)) from error
                self._verdict, self._at = _verdict(report), clock.monotonic()
            return self._verdict


def _verdict(report: Report) -> Verdict:
    note = None if report.checkpoint is None else report.checkpoint.root.hex()
    first = None if report.first is None else str(report.first)
    return Verdict(report.is_valid, report.entries, note, first, report.expired, report.samples)


class BlockchainController(Controller):
    """`/api/blockchain`."""

    path = "/api/blockchain"
    tags = ("blockchain",)

    @post("/init", summary="Begin the history of animals", opt=ANY_SITE)
    async def init(
        self, store: NamedDependency[Store], clock: NamedDependency[Clock], data: JSONBody[Init]
    ) -> Accepted:
        """One event `init` for each animal."""
        private = {"gaveur_id": data.gaveur_id, "description": data.description}
        now = clock.now()
        events = [LedgerEvent("init", subject_of(str(each)), now, None, {}, private) for each in data.canard_ids]
        return await record(store, events)

    @post("/canard/{canard_id:str}", summary="Something happened to an animal")
    async def add(
        self,
        store: NamedDependency[Store],
        clock: NamedDependency[Clock],
        rights: NamedDependency[Rights],
        canard_id: Animal,
        data: JSONBody[NewEvent],
    ) -> Accepted:
        """Put an event on record. Raises BadRequestError for a lot that is not there."""
        await _require_animal(store, rights, await _own_entries(store, canard_id))
        if data.lot_id is not None:
            await require_lot(store, rights, data.lot_id)
        if data.lot_id is not None and (await store.row("api_lot", lot_id=data.lot_id)) is None:
            raise BadRequestError("lot_id", f"there is no lot {data.lot_id}")
        event = LedgerEvent(data.type_evenement, subject_of(canard_id), clock.now(), data.lot_id, {}, data.donnees)
        return await record(store, [event])

    @get("/canard/{canard_id:str}/history", summary="History of an animal")
    async def history(
        self, store: NamedDependency[Store], rights: NamedDependency[Rights], canard_id: Animal
    ) -> list[HistoryEvent]:
        """Its own events and those of its lot, the oldest first. Raises NotFoundError."""
        await flush_lot(store, 0)
        own = await _own_entries(store, canard_id)
        if not own:
            raise NotFoundError(f"there is no history of animal {canard_id}")
        await _require_animal(store, rights, own)
        lot_id = _lot_of(own)
        lot = [] if lot_id is None else await store.rows("ledger_entries_of_lot", lot_id=lot_id, limit=HISTORY_MAX)
        own_indices = {row["leaf_index"] for row in own}
        others = [row for row in lot if row["leaf_index"] not in own_indices and not _is_other_animal(row)]
        return await history_of(store, [*own, *others])

    @get("/canard/{canard_id:str}/certificat", summary="Certificate of an animal")
    async def certificate(
        self,
        *,
        store: NamedDependency[Store],
        ledger: NamedDependency[LedgerSettings],
        clock: NamedDependency[Clock],
        rights: NamedDependency[Rights],
        canard_id: Animal,
        lang: Language = "fr",
        format: Format = "json",  # noqa: A002  # the name in the query
    ) -> Response[bytes]:
        """What was measured of its lot, with proofs. Raises NotFoundError, ConflictError, UnavailableError."""
        await flush_lot(store, 0)
        own = await _own_entries(store, canard_id)
        lot_id = _lot_of(own)
        if lot_id is None:
            raise NotFoundError(f"animal {canard_id} is bound to no lot: there is nothing to certify")
        await require_lot(store, rights, lot_id)
        return await certified(
            store, ledger, clock, subject=subject_of(canard_id), lot_id=lot_id, lang=lang, kind=format
        )

    @get("/verify", summary="Whether the ledger is whole", opt=PUBLIC)
    async def verify(
        self,
        store: NamedDependency[Store],
        ledger: NamedDependency[LedgerSettings],
        verifier: NamedDependency[Verifier],
        ledger_dsn: NamedDependency[str],
        clock: NamedDependency[Clock],
    ) -> Verdict:
        """Everything checked by the independent verifier; the answer may be some seconds old."""
        return await verifier.verdict(store, ledger, clock, ledger_dsn)


def subject_of(canard_id: str) -> str:
    """How the ledger names an animal."""
    return f"canard:{canard_id}"


async def record(store: Store, events: Sequence[LedgerEvent]) -> Accepted:
    """Put events on record together. Raises BadRequestError for data that have no canonical form."""
    try:
        async with store.transaction() as connection:
            entries = [await queue_event(connection, store.queries, event) for event in events]
    except ValueError as error:
        raise BadRequestError("donnees", str(error)) from error
    return Accepted(True, len(entries), [leaf_hash(entry).hex() for entry in entries], events[0].at)


async def certified(
    store: Store, ledger: LedgerSettings, clock: Clock, *, subject: str, lot_id: int, lang: str, kind: Kind
) -> Response[bytes]:
    """A certificate as an answer. Raises ConflictError, UnavailableError."""
    try:
        document = await issue(store, ledger, subject=subject, lot_id=lot_id, language=lang, now=clock.now())
    except CertificateError as error:
        raise ConflictError(str(error)) from error
    except NotReadyError as error:
        raise UnavailableError(str(error)) from error
    name = f"certificate-{subject.replace(':', '-')}.{kind}"
    headers = {"Content-Disposition": f'inline; filename="{name}"', "Cache-Control": "no-store"}
    headers["Content-Security-Policy"] = "default-src 'none'; style-src 'unsafe-inline'; sandbox allow-popups"
    content = await asyncio.to_thread(write_file, document, kind)
    return Response(content, media_type=MEDIA_TYPES[kind], headers=headers)


async def history_of(store: Store, rows: Sequence[Row]) -> list[HistoryEvent]:
    """Entries as a history, in the order of the ledger."""
    ordered = sorted(rows, key=lambda row: row["leaf_index"])[-HISTORY_MAX:]
    entries: list[tuple[Row, Entry]] = [(row, decode_entry(bytes(row["entry"]))) for row in ordered]
    kept = await private_parts(store, [entry for _, entry in entries if isinstance(entry, EventEntry)])
    items = [item for _, entry in entries if isinstance(entry, SamplesEntry) for item in entry.items]
    samples = await store.rows(
        "ledger_history_samples",
        times=[moment_of(item.time_us) for item in items],
        sample_ids=[item.sample_id for item in items],
    )
    stored = {(row["time"], row["device_id"], row["sample_id"]): row for row in samples}
    checkpoints = await store.rows("ledger_sealing", leaf_indices=[row["leaf_index"] for row in ordered])
    roots = {row["leaf_index"]: row["root"] for row in checkpoints}
    found: list[HistoryEvent] = []
    for row, entry in entries:
        root = roots.get(row["leaf_index"])
        if isinstance(entry, EventEntry):
            found.append(_event(row, entry, kept.get(entry.reference), root))
        else:
            found += _measurements(row, entry, stored, root)
    return found


def _event(row: Row, entry: EventEntry, private: Any, root: str | None) -> HistoryEvent:
    public: dict[str, Any] = msgspec.json.decode(entry.public)
    is_erased = private is None and any(entry.reference)
    data: dict[str, Any] | None = None if is_erased and not public else {**public, **(private or {})}
    code = bytes(row["leaf_hash"]).hex()
    return HistoryEvent(row["leaf_index"], entry.type, moment_of(entry.time_us), entry.lot_id or None, data, code, root)


def _measurements(
    row: Row, entry: SamplesEntry, stored: dict[tuple[datetime, str, str], Row], root: str | None
) -> list[HistoryEvent]:
    code = bytes(row["leaf_hash"]).hex()
    found: list[HistoryEvent] = []
    for item in entry.items:
        at = moment_of(item.time_us)
        sample = stored.get((at, item.device_id, item.sample_id))
        data = None
        if sample is not None:
            data = {
                "sample_id": item.sample_id,
                "device_id": item.device_id,
                "score_qualite": sample["fusion_final_score"],
                "grade": sample["fusion_final_grade"],
                "conforme": sample["fusion_is_compliant"],
            }
        found.append(HistoryEvent(row["leaf_index"], "qualite_sqal", at, entry.lot_id or None, data, code, root))
    return found


async def _own_entries(store: Store, canard_id: str) -> list[Row]:
    return await store.rows("ledger_entries_of_subject", subject=subject_of(canard_id), limit=HISTORY_MAX)


async def _require_animal(store: Store, rights: Rights, own: Sequence[Row]) -> None:
    """An animal that is bound to a lot stands where the lot does; before that it stands nowhere and is everybody's."""
    lot_id = _lot_of(own)
    if lot_id is not None:
        await require_lot(store, rights, lot_id)


def _lot_of(rows: Sequence[Row]) -> int | None:
    """The lot that the newest binding event names."""
    for row in reversed(rows):
        entry = decode_entry(bytes(row["entry"]))
        if entry.lot_id:
            return entry.lot_id
    return None


def _is_other_animal(row: Row) -> bool:
    """Whether an entry of the lot is about one animal, which is not the one asked for."""
    entry = decode_entry(bytes(row["entry"]))
    return isinstance(entry, EventEntry) and entry.subject.startswith("canard:")
