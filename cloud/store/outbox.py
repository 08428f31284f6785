"""Dead letters and outbox: what is kept beside the facts, in the same transaction."""

import hashlib
from collections.abc import Sequence
from typing import NamedTuple

from cloud.judge import Refusal
from cloud.store.queries import Queries
from cloud.store.session import Connection

DETAIL_MAX = 1_000  # of sqal_dead_letters.detail
PATH_MAX = 500


class OutboxMessage(NamedTuple):
    """A message that waits for the broker."""

    outbox_id: int
    topic: str
    payload: bytes
    retain: bool


async def put_dead_letter(
    connection: Connection, queries: Queries, *, topic: str, payload: bytes, refusal: Refusal
) -> int:
    """Keep a message that was not accepted and return its number; the same again only counts."""
    digest = hashlib.blake2b(digest_size=32)
    for part in (topic.encode(), refusal.code.encode(), payload):
        digest.update(len(part).to_bytes(8) + part)
    address = refusal.address
    cursor = await connection.execute(
        queries["put_dead_letter"],
        {
            "digest": digest.digest(),
            "reason": refusal.code,
            "path": None if refusal.path is None else plain(refusal.path)[:PATH_MAX],
            "detail": plain(refusal.detail)[:DETAIL_MAX],
            "topic": plain(topic),
            "device_id": None if address is None else address.device,
            "site_code": None if address is None else address.site,
            "boot_id": refusal.boot_id,
            "seq": refusal.seq,
            "is_held": refusal.is_held,
            "payload": payload,
            "payload_bytes": len(payload),
        },
    )
    row = await cursor.fetchone()
    assert row is not None
    return int(row[0])


async def trim_dead_letters(connection: Connection, queries: Queries, *, age_s: float, bytes_max: int) -> int:
    """Forget the oldest dead letters beyond the bounds; return how many."""
    cursor = await connection.execute(queries["trim_dead_letters"], {"age_s": age_s, "bytes_max": bytes_max})
    row = await cursor.fetchone()
    return 0 if row is None else int(row[0])


async def waiting(connection: Connection, queries: Queries, *, limit: int) -> list[OutboxMessage]:
    """Return the oldest messages that wait for the broker."""
    cursor = await connection.execute(queries["select_outbox"], {"limit": limit}, binary=True)
    return [
        OutboxMessage(number, topic, bytes(payload), retain)
        for number, topic, payload, retain in await cursor.fetchall()
    ]


async def remove(connection: Connection, queries: Queries, outbox_ids: Sequence[int]) -> None:
    """Forget messages that the broker has."""
    await connection.execute(queries["delete_outbox"], {"outbox_ids": list(outbox_ids)})


def plain(words: str) -> str:
    """Return text that PostgreSQL can hold: without U+0000 and lone surrogates."""
    return words.replace("\0", "\\0").encode("utf-8", "backslashreplace").decode()
