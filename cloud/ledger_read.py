"""Reading the ledger for the API: entries, their proofs, and the personal parts that are still there."""

import asyncio
import contextlib
import uuid
from collections.abc import Sequence
from typing import Any

import msgspec

from cloud.ledger_tree import StoredTree
from cloud.store.reader import Row, Store
from contract.chain import ChainError, EventEntry, commitment, decode_entry

WAIT_S = 5.0  # for a checkpoint that somebody waits for; the writer takes a tenth of that
POLL_S = 0.05


class Proven(msgspec.Struct, frozen=True):
    """An entry, its place, and the hashes that lead from it to a root."""

    index: int
    entry: bytes
    proof: list[bytes]


class KeyList(msgspec.Struct):
    """The public part of an event `ledger_keys`."""

    keys: list[str]


def tree_of(store: Store, size: int) -> StoredTree:
    """The stored tree of the first `size` entries."""

    async def read(name: str, values: dict[str, Any]) -> list[bytes]:
        return [next(iter(row.values())) for row in await store.rows(name, **values)]

    return StoredTree(read, size)


async def prove(store: Store, entries: Sequence[Row], size: int) -> list[Proven]:
    """Proofs of entries in the tree of `size`. Raises ChainError."""
    tree = tree_of(store, size)
    return [
        Proven(row["leaf_index"], bytes(row["entry"]), await tree.inclusion(row["leaf_index"]))
        for row in entries
        if row["leaf_index"] < size
    ]


async def wait_for_entry(store: Store, subject: str, entry: bytes) -> Row | None:
    """The row of an entry that was just queued, once the writer has put it into the tree; None after WAIT_S."""
    try:
        async with asyncio.timeout(WAIT_S):
            while True:
                found = await store.row("ledger_find_event", subject=subject, entry=entry)
                if found is not None:
                    return found
                await asyncio.sleep(POLL_S)
    except TimeoutError:
        return None


async def flush_lot(store: Store, lot_id: int) -> None:
    """Wait until no event and no sample of a lot (0: none) is queued any more, or for WAIT_S."""
    with contextlib.suppress(TimeoutError):
        async with asyncio.timeout(WAIT_S):
            while (await store.row("ledger_waiting_of_lot", lot_id=lot_id) or {}).get("is_waiting"):
                await store.row("ledger_wake")
                await asyncio.sleep(POLL_S)


async def named_keys(store: Store) -> list[str]:
    """The public keys that the ledger names, the newest first."""
    found: list[str] = []
    for row in reversed(await store.rows("ledger_entries_of_subject", subject="ledger", limit=1000)):
        entry = decode_entry(bytes(row["entry"]))
        if isinstance(entry, EventEntry) and entry.type == "ledger_keys":
            keys = msgspec.json.decode(entry.public, type=KeyList).keys
            found += [key for key in keys if key not in found]
    return found


async def private_parts(store: Store, events: Sequence[EventEntry]) -> dict[bytes, Any]:
    """Personal parts of events by reference, those that are there and are what was committed to."""
    references = [uuid.UUID(bytes=event.reference) for event in events if any(event.reference)]
    sealed = {event.reference: event.commitment for event in events}
    found: dict[bytes, Any] = {}
    for row in await store.rows("ledger_private", references=references):
        document: str = row["document"]
        reference: bytes = row["reference"].bytes
        try:
            is_same = commitment(bytes(row["salt"]), document.encode()) == sealed[reference]
        except ChainError:
            continue  # a salt that is no salt: as good as erased
        if is_same:
            found[reference] = msgspec.json.decode(document)
    return found
