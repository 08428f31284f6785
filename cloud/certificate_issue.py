"""Issuing a certificate: state it in the ledger, wait for the checkpoint, collect the proofs."""

from datetime import datetime
from typing import Any

import msgspec

from cloud.certificate import (
    FORMAT,
    SAMPLES_MAX,
    STATEMENT,
    CertificateError,
    Document,
    Summary,
    part,
    summarise,
)
from cloud.ledger_queue import LedgerEvent, canonical_json, queue_event
from cloud.ledger_read import flush_lot, named_keys, prove, wait_for_entry
from cloud.settings import LedgerSettings
from cloud.store.reader import Row, Store
from contract.chain import ChainError, EventEntry, SamplesEntry, decode_entry, moment_of


class NotReadyError(Exception):
    """The ledger has no checkpoint of it yet; trying again later makes sense."""


async def issue(
    store: Store, settings: LedgerSettings, *, subject: str, lot_id: int, language: str, now: datetime
) -> Document:
    """The certificate of a lot, or of an animal by its lot. Raises CertificateError, NotReadyError."""
    await flush_lot(store, lot_id)
    newest = await store.rows("ledger_newest_samples_of_lot", lot_id=lot_id, limit=SAMPLES_MAX)
    rows, records = await _embedded(store, newest[::-1])
    lot: dict[str, Any] = (await store.row("api_lot", lot_id=lot_id) or {}).get("lot") or {}
    total = await store.row("lot_ledger_total", lot_id=lot_id)
    summary = summarise(
        records,
        subject=subject,
        lot_id=lot_id,
        lot=str(lot.get("code_lot") or lot_id),
        site=str(lot.get("site_code") or ""),
        total=0 if total is None else total["total"],
        verify_url=f"{settings.public_url.rstrip('/')}/verify",
    )
    stated = await _statement(store, summary, now)
    checkpoint = await store.row("ledger_latest_checkpoint")
    if checkpoint is None or stated["leaf_index"] >= checkpoint["size"]:
        raise NotReadyError("the ledger has no checkpoint of this certificate yet: is its writer running?")
    try:
        said, *entries = await prove(store, [stated, *rows], checkpoint["size"])
    except ChainError as error:
        raise NotReadyError(f"the ledger is damaged: {error}") from error
    keys = await named_keys(store)
    return Document(
        format=FORMAT,
        language=language,
        verify_url=summary.verify_url,
        key=keys[0] if keys else "",
        checkpoint=checkpoint["note"],
        statement=part(said.index, said.entry, said.proof),
        entries=[part(each.index, each.entry, each.proof) for each in entries],
        records=[part(0, record, []).entry for record in records],
    )


async def _embedded(store: Store, rows: list[Row]) -> tuple[list[Row], list[bytes]]:
    """The newest entries that fit and whose samples are all still stored, oldest first, and the samples."""
    decoded = [(row, decode_entry(bytes(row["entry"]))) for row in rows]
    entries = [(row, entry) for row, entry in decoded if isinstance(entry, SamplesEntry)]
    items = [(item, entry.record) for _, entry in entries for item in entry.items]
    found = await store.rows(
        "ledger_records",
        times=[moment_of(item.time_us) for item, _ in items],
        sample_ids=[item.sample_id for item, _ in items],
        versions=[version for _, version in items],
    )
    stored = {(row["time"], row["device_id"], row["sample_id"]): bytes(row["record"]) for row in found}
    chosen: list[tuple[Row, list[bytes]]] = []
    left = SAMPLES_MAX
    for row, entry in reversed(entries):
        keys = [(moment_of(item.time_us), item.device_id, item.sample_id) for item in entry.items]
        if len(keys) > left:
            break
        if all(key in stored for key in keys):
            chosen.append((row, [stored[key] for key in keys]))
            left -= len(keys)
    chosen.reverse()
    return [row for row, _ in chosen], [record for _, records in chosen for record in records]


async def _statement(store: Store, summary: Summary, now: datetime) -> Row:
    """The entry that states `summary`: the one that is there, or a new one. Raises NotReadyError."""
    public = canonical_json(msgspec.to_builtins(summary))
    for row in reversed(await store.rows("ledger_statements", subject=summary.subject, type=STATEMENT, limit=20)):
        entry = decode_entry(bytes(row["entry"]))
        if isinstance(entry, EventEntry) and entry.type == STATEMENT and entry.public == public:
            return row
    event = LedgerEvent(STATEMENT, summary.subject, now, summary.lot_id, msgspec.to_builtins(summary))
    async with store.transaction() as connection:
        data = await queue_event(connection, store.queries, event)
    row = await wait_for_entry(store, summary.subject, data)
    if row is None:
        raise NotReadyError("the ledger's writer does not answer; the certificate will be ready once it runs")
    return row


__all__ = ["CertificateError", "NotReadyError", "issue"]
