"""Write a batch of facts in the caller's transaction, and say of each row what became of it.

A row is `accepted` (new), `duplicate` (there already and the same: as good as accepted) or `rejected` (there already
and different). Nothing here fails because of one row; a database that refuses a value raises, and the caller finds the
row by halves.
"""

import uuid
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Literal

import msgspec

from cloud.judge import EventFact, Fact, SampleFact
from cloud.store.queries import Queries
from cloud.store.samples import TYPES, sample_row
from cloud.store.session import Connection
from cloud.store.studies import write_report

RowOutcome = Literal["accepted", "duplicate", "rejected"]


@dataclass(frozen=True, slots=True)
class Written:
    """The outcome of each fact, in order, and for accepted samples the lot as stored."""

    outcomes: list[RowOutcome]
    lots: dict[int, int | None]


async def write_facts(connection: Connection, queries: Queries, facts: Sequence[Fact]) -> Written:
    """Insert samples, events and gaps; touch boots and devices. Raises psycopg.Error."""
    outcomes: list[RowOutcome] = ["accepted"] * len(facts)
    samples = [(n, fact) for n, fact in enumerate(facts) if isinstance(fact, SampleFact)]
    events = [(n, fact) for n, fact in enumerate(facts) if isinstance(fact, EventFact)]
    lots: dict[int, int | None] = {}
    if samples:
        lots = await _write_samples(connection, queries, samples, outcomes)
    if events:
        await _write_events(connection, queries, events, outcomes)
    await _touch(
        connection, queries, [fact for fact, outcome in zip(facts, outcomes, strict=True) if outcome != "rejected"]
    )
    return Written(outcomes, lots)


async def _write_samples(
    connection: Connection, queries: Queries, samples: Sequence[tuple[int, SampleFact]], outcomes: list[RowOutcome]
) -> dict[int, int | None]:
    async with connection.cursor() as cursor:
        async with cursor.copy(queries["copy_stage_samples"]) as copy:
            copy.set_types(TYPES)
            for n, fact in samples:
                await copy.write_row(sample_row(n, fact.sample, fact.place, fact.flags, fact.matrices))
        for n in await _refuse_renumbered(connection, queries, samples):
            outcomes[n] = "rejected"
        await _refuse_repeated(connection, queries, samples, outcomes)
        await cursor.execute(queries["insert_samples"], binary=True)
        new = {(time, sample_id): lot_id for time, sample_id, lot_id in await cursor.fetchall()}
    lots: dict[int, int | None] = {}
    old: list[int] = []
    for n, fact in samples:
        key = (fact.sample.timestamp, fact.sample.sample_id)
        if outcomes[n] == "rejected":
            continue
        if key in new:
            lots[n] = new.pop(key)
        else:
            old.append(n)
    if old:
        cursor = await connection.execute(queries["compare_samples"], {"places": old})
        for n, is_same in await cursor.fetchall():
            outcomes[n] = "duplicate" if is_same else "rejected"
    return lots


async def _refuse_repeated(
    connection: Connection, queries: Queries, samples: Sequence[tuple[int, SampleFact]], outcomes: list[RowOutcome]
) -> None:
    """Take from the stage, as rejected, what bears the number of an earlier sample of the batch and another time."""
    times: dict[tuple[str, int, int], datetime] = {}
    refused: list[int] = []
    for n, fact in samples:
        sample = fact.sample
        if sample.boot_id is None or sample.seq is None or outcomes[n] == "rejected":
            continue
        if times.setdefault((sample.device_id, sample.boot_id.int, sample.seq), sample.timestamp) != sample.timestamp:
            outcomes[n] = "rejected"
            refused.append(n)
    if refused:
        await connection.execute(queries["delete_staged"], {"places": refused})


async def _refuse_renumbered(
    connection: Connection, queries: Queries, samples: Sequence[tuple[int, SampleFact]]
) -> list[int]:
    """Take from the stage what bears the number of a stored sample and another time; return their places.

    The index that makes a number unique must contain the time, so it cannot say this. Only numbers that are not above
    the highest of their boot are looked up: in the ordinary course of things none.
    """
    boots = {fact.sample.boot_id.int: fact.sample.boot_id for _, fact in samples if fact.sample.boot_id is not None}
    if not boots:
        return []
    cursor = await connection.execute(queries["select_highest"], {"boot_ids": list(boots.values())})
    highest = {(device, boot.int): seq for device, boot, seq in await cursor.fetchall()}
    seen = [
        n
        for n, fact in samples
        if fact.sample.boot_id is not None
        and (fact.sample.seq or 0) <= highest.get((fact.sample.device_id, fact.sample.boot_id.int), 0)
    ]
    if not seen:
        return []
    cursor = await connection.execute(queries["delete_renumbered"], {"places": seen})
    return [int(row[0]) for row in await cursor.fetchall()]


async def _write_events(
    connection: Connection, queries: Queries, events: Sequence[tuple[int, EventFact]], outcomes: list[RowOutcome]
) -> None:
    document = msgspec.json.encode([_event_row(n, fact) for n, fact in events]).decode()
    cursor = await connection.execute(queries["insert_events"], {"events": document})
    new = set(await cursor.fetchall())
    old: list[int] = []
    for n, fact in events:
        event = fact.event
        key = (event.device_id, event.boot_id, event.seq)
        if key not in new:
            old.append(n)
            continue
        new.discard(key)
        if event.gap is not None:
            await connection.execute(queries["insert_gap"], _gap_row(fact))
        await write_report(connection, queries, fact)
    if old:
        cursor = await connection.execute(queries["compare_events"], {"events": document})
        same = dict(await cursor.fetchall())
        for n in old:
            outcomes[n] = "duplicate" if same.get(n) else "rejected"


def _event_row(n: int, fact: EventFact) -> dict[str, Any]:
    event = fact.event
    data = event.data if event.gap is None else {**event.data, "gap": event.gap}
    return {
        "n": n,
        "time": event.timestamp,
        "device_id": event.device_id,
        "boot_id": event.boot_id,
        "seq": event.seq,
        "kind": event.kind,
        "severity": event.severity,
        "site_code": fact.place.site_code,
        "line": fact.place.line,
        "piece_id": event.piece_id,
        "lot_id": event.lot_id,
        "reason": event.reason,
        "data": data,
        "hist": event.hist,
        "clock_state": event.clock.state if event.clock else None,
        "clock_error_ms": event.clock.error_ms if event.clock else None,
    }


def _gap_row(fact: EventFact) -> dict[str, Any]:
    event, gap = fact.event, fact.event.gap
    assert gap is not None
    return {
        "device_id": event.device_id,
        "boot_id": gap.boot_id,
        "first_seq": gap.first_seq,
        "last_seq": gap.last_seq,
        "reason": gap.reason,
        "time": event.timestamp,
        "site_code": fact.place.site_code,
        "line": fact.place.line,
    }


async def _touch(connection: Connection, queries: Queries, facts: Iterable[Fact]) -> None:
    """Note when devices were last heard, and the highest number of each boot."""
    highest: dict[tuple[str, int], tuple[uuid.UUID, int]] = {}  # boots by number: UUIDs themselves hash slowly
    devices: set[str] = set()
    for fact in facts:
        message = fact.sample if isinstance(fact, SampleFact) else fact.event
        devices.add(message.device_id)
        if message.boot_id is not None and message.seq is not None:
            key = (message.device_id, message.boot_id.int)
            known = highest.get(key)
            if known is None or known[1] < message.seq:
                highest[key] = (message.boot_id, message.seq)
    if devices:
        await connection.execute(queries["touch_devices"], {"device_ids": sorted(devices)})
    if highest:
        values = {
            "device_ids": [device for device, _ in highest],
            "boot_ids": [boot for boot, _ in highest.values()],
            "seqs": [seq for _, seq in highest.values()],
        }
        await connection.execute(queries["touch_boots"], values)
