"""What went wrong, on record: dead letters, gaps, events. Keyset pages, newest first."""

import asyncio
import base64
import uuid
from datetime import datetime
from typing import Annotated, Any

import msgspec
from litestar import get, post
from litestar.di import NamedDependency
from litestar.params import PathParameter, QueryParameter

from cloud.api.cursor import cursor_of, key_of
from cloud.api.params import Before, DeviceFilter, SiteFilter, text_without_nul
from cloud.api.problems import ConflictError, NotFoundError, UnavailableError
from cloud.api.rights import ADMIN, Rights
from cloud.store.reader import Row, Store
from contract.bounds import SEQ_MAX, DeviceId, Seq
from contract.errors import ContractError
from contract.topics import DeviceTopic, parse
from messaging.client import Client
from messaging.errors import MessagingError

LIMIT_MAX = 200
PUBLISH_S = 5.0
PREVIEW_BYTES = 4096  # of a payload in a page; one letter by its id is whole
Limit = Annotated[int, QueryParameter(name="limit", ge=1, le=LIMIT_MAX)]
Cursor = Annotated[
    str | None, QueryParameter(name="before", max_length=500, description="the `next` of the page before")
]
ReasonFilter = Annotated[str | None, QueryParameter(name="reason", max_length=50)]
KindFilter = Annotated[str | None, QueryParameter(name="kind", max_length=30)]
LetterPath = Annotated[int, PathParameter(ge=1, le=SEQ_MAX)]


class DeadLetters(msgspec.Struct, frozen=True):
    """A page of dead letters; `next` is the `before` of the page after it, null on the last. `counts` is of all."""

    dead_letters: list[dict[str, Any]]
    next: int | None
    counts: list[dict[str, Any]]


class Replayed(msgspec.Struct, frozen=True):
    """When it was sent again; null where it was tidied away meanwhile."""

    dead_letter_id: int
    replayed_at: datetime | None


class Gaps(msgspec.Struct, frozen=True):
    """A page of gaps."""

    gaps: list[dict[str, Any]]
    next: str | None


class Events(msgspec.Struct, frozen=True):
    """A page of events."""

    events: list[dict[str, Any]]
    next: str | None


class GapKey(msgspec.Struct, frozen=True, array_like=True):
    """What gaps are ordered by."""

    time: datetime
    device_id: DeviceId
    boot_id: uuid.UUID
    first_seq: Seq
    last_seq: Seq


class EventKey(msgspec.Struct, frozen=True, array_like=True):
    """What events are ordered by."""

    time: datetime
    device_id: DeviceId
    boot_id: uuid.UUID
    seq: Seq


@get("/dead-letters", summary="Messages that were not accepted", tags=["records"])
async def dead_letters(
    store: NamedDependency[Store],
    before: Before = None,
    device_id: DeviceFilter = None,
    reason: ReasonFilter = None,
    limit: Limit = 50,
) -> DeadLetters:
    """Dead letters, newest first, each with the beginning of its payload and the reason."""
    rows = await store.rows(
        "api_dead_letters",
        before=before,
        device_id=text_without_nul(device_id, "device_id"),
        reason=text_without_nul(reason, "reason"),
        preview_bytes=PREVIEW_BYTES,
        limit=limit,
    )
    more = rows[-1]["dead_letter_id"] if len(rows) == limit else None
    return DeadLetters([_letter(row) for row in rows], more, await store.rows("api_dead_letter_counts"))


@get("/dead-letters/{dead_letter_id:int}", summary="One message that was not accepted", tags=["records"])
async def dead_letter(store: NamedDependency[Store], dead_letter_id: LetterPath) -> Row:
    """One dead letter with its whole payload. Raises NotFoundError."""
    row = await store.row("api_dead_letter", dead_letter_id=dead_letter_id)
    if row is None:
        raise NotFoundError(f"there is no dead letter {dead_letter_id}")
    return _letter(row)


@post(
    "/dead-letters/{dead_letter_id:int}/replay", summary="Send one again", tags=["records"], opt=ADMIN, status_code=200
)
async def replay_dead_letter(
    store: NamedDependency[Store], client: NamedDependency[Client], dead_letter_id: LetterPath
) -> Replayed:
    """Publish a dead letter once more, as it came; ingest judges it anew. Raises NotFoundError, ConflictError."""
    row = await store.row("api_dead_letter", dead_letter_id=dead_letter_id)
    if row is None:
        raise NotFoundError(f"there is no dead letter {dead_letter_id}")
    try:
        topic = parse(row["topic"])
    except ContractError as error:
        raise ConflictError(f"its topic is none of ours: {error}") from error
    if not isinstance(topic, DeviceTopic) or topic.kind not in ("sample", "event", "raw"):
        raise ConflictError("only samples, events and raw messages are stored, so only they can be sent again")
    try:
        async with asyncio.timeout(PUBLISH_S):
            await client.publish(str(topic), row["payload"])
    except (MessagingError, TimeoutError) as error:
        raise UnavailableError("the broker did not take it; try again later") from error
    marked = await store.row("api_dead_letter_replayed", dead_letter_id=dead_letter_id)
    return Replayed(dead_letter_id, None if marked is None else marked["replayed_at"])


def _letter(row: Row) -> Row:
    """`row` with its payload as text, or as base64 where it is no UTF-8."""
    payload: bytes = row.pop("payload")
    is_cut = len(payload) < row["payload_bytes"]
    try:
        text = payload.decode(errors="ignore" if is_cut and _is_text(payload) else "strict")
    except UnicodeDecodeError:
        return {**row, "payload_base64": base64.b64encode(payload).decode(), "payload_is_cut": is_cut}
    return {**row, "payload_text": text, "payload_is_cut": is_cut}


def _is_text(cut: bytes) -> bool:
    """Whether `cut` is UTF-8 but for a character that the cut went through."""
    try:
        cut.decode()
    except UnicodeDecodeError as error:
        return error.start >= len(cut) - 3 and error.reason == "unexpected end of data"
    return True


@get("/gaps", summary="Numbers that will never arrive", tags=["records"])
async def gaps(
    store: NamedDependency[Store],
    rights: NamedDependency[Rights],
    *,
    before: Cursor = None,
    device_id: DeviceFilter = None,
    site_code: SiteFilter = None,
    limit: Limit = 50,
) -> Gaps:
    """Gaps as the devices reported them, newest first."""
    key = key_of(GapKey, before)
    rows = await store.rows(
        "api_gaps",
        time=key and key.time,
        cursor_device_id=key and key.device_id,
        boot_id=key and key.boot_id,
        first_seq=key and key.first_seq,
        last_seq=key and key.last_seq,
        device_id=text_without_nul(device_id, "device_id"),
        sites=rights.narrow(site_code),
        limit=limit,
    )
    return Gaps(rows, _next(GapKey, rows, limit))


@get("/events", summary="What happened at the devices", tags=["records"])
async def events(
    store: NamedDependency[Store],
    rights: NamedDependency[Rights],
    *,
    before: Cursor = None,
    device_id: DeviceFilter = None,
    site_code: SiteFilter = None,
    kind: KindFilter = None,
    limit: Limit = 50,
) -> Events:
    """Events, newest first."""
    key = key_of(EventKey, before)
    rows = await store.rows(
        "api_events",
        time=key and key.time,
        cursor_device_id=key and key.device_id,
        boot_id=key and key.boot_id,
        seq=key and key.seq,
        device_id=text_without_nul(device_id, "device_id"),
        sites=rights.narrow(site_code),
        kind=text_without_nul(kind, "kind"),
        limit=limit,
    )
    return Events(rows, _next(EventKey, rows, limit))


def _next(kind: type[GapKey] | type[EventKey], rows: list[Row], limit: int) -> str | None:
    if len(rows) < limit:
        return None
    return cursor_of(kind(**{name: rows[-1][name] for name in kind.__struct_fields__}))
