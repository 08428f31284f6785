"""Into the ledger's queue, in the transaction that stores the fact; the writer takes it from there (cloud.ledger)."""

import json
import secrets
import uuid
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import psycopg
from psycopg.rows import TupleRow

from cloud.judge import Fact, SampleFact
from cloud.store.facts import Written
from cloud.store.queries import Queries
from contract.chain import EventEntry, commitment, encode_entry, microseconds

SALT_BYTES = 32
Connection = psycopg.AsyncConnection[TupleRow]


@dataclass(frozen=True, slots=True)
class LedgerEvent:
    """Something that a person or a system did, for the ledger.

    public: what everybody may read for ever. private: what may have to be forgotten one day (persons, free text); the
    ledger gets a salted commitment to it.
    """

    type: str
    subject: str
    at: datetime
    lot_id: int | None
    public: Mapping[str, Any]
    private: Mapping[str, Any] | None = None


async def queue_samples(connection: Connection, queries: Queries, facts: Sequence[Fact], written: Written) -> None:
    """Queue what was new and has a lot. Raises psycopg.Error."""
    fresh = [
        (fact.sample.timestamp, fact.sample.sample_id)
        for n, fact in enumerate(facts)
        if isinstance(fact, SampleFact) and written.lots.get(n) is not None
    ]
    if fresh:
        times, sample_ids = zip(*fresh, strict=True)
        values = {"times": list(times), "sample_ids": list(sample_ids)}
        await connection.execute(queries["ledger_enqueue_samples"], values)


async def queue_event(connection: Connection, queries: Queries, event: LedgerEvent) -> bytes:
    """Queue an event and wake the writer; the bytes of its entry. Raises psycopg.Error, ChainError."""
    reference, sealed = bytes(16), bytes(32)
    if event.private is not None:
        kept = uuid.uuid4()
        salt, document = secrets.token_bytes(SALT_BYTES), canonical_json(event.private)
        values = {"reference": kept, "salt": salt, "document": document}
        await connection.execute(queries["ledger_keep_private"], values)
        reference, sealed = kept.bytes, commitment(salt, document.encode())
    lot = event.lot_id or 0
    public = canonical_json(event.public)
    at = microseconds(event.at)
    entry = encode_entry(EventEntry(at, event.type, event.subject, lot, public, reference, sealed))
    await connection.execute(queries["ledger_enqueue_event"], {"entry": entry})
    return entry


def canonical_json(value: Mapping[str, Any]) -> str:
    """JSON in one way only: keys sorted, no spaces, no escapes that are not needed. Raises ValueError for NaN."""
    return json.dumps(value, sort_keys=True, separators=(",", ":"), ensure_ascii=False, allow_nan=False)
