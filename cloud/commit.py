"""One batch, one transaction: facts, alerts, outbox and dead letters, or none of it.

Each message ends as accepted or duplicate (`Stored`), or refused (`Refused`, kept as a dead letter). A row that the
database itself will not have is found by halving the batch, so that it costs nobody else anything.
"""

import uuid
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import NamedTuple

import psycopg

from cloud.alerts import RECORD_ONLY_AGE_S, Observation
from cloud.judge import EventFact, Fact, Refusal, SampleFact, Verdict
from cloud.ledger_queue import queue_samples
from cloud.recipes_in_use import RecipesInUse
from cloud.rules import WATCHED_EVENTS, is_good, observation_of_event, observation_of_sample
from cloud.store.alerts import apply_observations, devices_with_open_alerts
from cloud.store.facts import Written, write_facts
from cloud.store.outbox import put_dead_letter
from cloud.store.queries import Queries
from cloud.store.session import Connection
from cloud.store.trouble import remedy
from quality.texts import Language

# What a single row can bring about: the database's word on it (`trouble` says which), or Python's on its encoding. All
# else is trouble with the database, and the batch waits for it.
ROW_FAULTS = (psycopg.Error, ValueError, OverflowError)


class Message(NamedTuple):
    """A received message and what it was judged to be."""

    topic: str
    payload: bytes
    verdict: Verdict


class Stored(NamedTuple):
    """Committed; `is_new` is False for one that was there already."""

    fact: Fact
    is_new: bool


@dataclass(frozen=True, slots=True)
class Refused:
    """Kept as a dead letter."""

    refusal: Refusal
    dead_letter_id: int


Settled = Stored | Refused


@dataclass(frozen=True, slots=True)
class Rules:
    """What a commit needs beside the rows. `now` is UTC."""

    queries: Queries
    language: Language
    now: Callable[[], datetime]
    new_id: Callable[[], uuid.UUID]
    recipes: RecipesInUse = field(default_factory=RecipesInUse)


async def commit(connection: Connection, rules: Rules, messages: Sequence[Message]) -> list[Settled]:
    """Store what can be stored and return what became of each message, in order.

    Raises psycopg.Error when the database is in trouble; then nothing of the part that failed is stored, and doing it
    again is safe: what is stored already comes out as a duplicate.
    """
    try:
        async with connection.transaction():
            return await _write(connection, rules, messages)
    except ROW_FAULTS as error:
        if isinstance(error, psycopg.Error) and remedy(error) != "row":
            raise
        if len(messages) > 1:
            half = len(messages) // 2
            first = await commit(connection, rules, messages[:half])
            return first + await commit(connection, rules, messages[half:])
        message = messages[0]
        if isinstance(message.verdict, Refusal):
            raise  # not even a dead letter: the fault is ours
        refused = Message(message.topic, message.payload, _data_error(message.verdict, error))
        return await commit(connection, rules, [refused])


async def _write(connection: Connection, rules: Rules, messages: Sequence[Message]) -> list[Settled]:
    facts = [each.verdict for each in messages if not isinstance(each.verdict, Refusal)]
    written = await write_facts(connection, rules.queries, facts) if facts else Written([], {})
    await queue_samples(connection, rules.queries, facts, written)
    await _alert(connection, rules, facts, written)
    outcomes = iter(zip(facts, written.outcomes, strict=True))
    settled: list[Settled] = []
    for message in messages:
        refusal = message.verdict
        if not isinstance(refusal, Refusal):
            fact, outcome = next(outcomes)
            if outcome != "rejected":
                settled.append(Stored(fact, is_new=outcome == "accepted"))
                continue
            refusal = _conflict(fact)
        number = await put_dead_letter(
            connection, rules.queries, topic=message.topic, payload=message.payload, refusal=refusal
        )
        settled.append(Refused(refusal, number))
    return settled


async def _alert(connection: Connection, rules: Rules, facts: Sequence[Fact], written: Written) -> None:
    """Let the new facts, and only they, move the alerts."""
    accepted = [n for n, outcome in enumerate(written.outcomes) if outcome == "accepted"]
    watched = await devices_with_open_alerts(connection, rules.queries, {_device_of(facts[n]) for n in accepted})
    watched |= {_device_of(facts[n]) for n in accepted if not _is_harmless(facts[n], rules.recipes)}
    if not watched:
        return
    oldest = rules.now() - timedelta(seconds=RECORD_ONLY_AGE_S)
    live: list[Observation] = []
    old: list[Observation] = []
    for n in accepted:
        fact = facts[n]
        if _device_of(fact) not in watched:
            continue
        if isinstance(fact, SampleFact):
            limits = rules.recipes.limits(fact.place.device_id, fact.place.site_code)
            lot_id = written.lots.get(n)
            seen = observation_of_sample(fact, lot_id=lot_id, language=rules.language, limits=limits)
        else:
            seen = observation_of_event(fact, language=rules.language)
        if seen is not None:
            (live if seen.at >= oldest else old).append(seen)
    if live or any(each.occurrences for each in old):
        await apply_observations(connection, rules.queries, live=live, old=old, new_id=rules.new_id)


def _device_of(fact: Fact) -> str:
    return fact.sample.device_id if isinstance(fact, SampleFact) else fact.event.device_id


def _is_harmless(fact: Fact, recipes: RecipesInUse) -> bool:
    if isinstance(fact, SampleFact):
        return is_good(fact.sample, recipes.limits(fact.place.device_id, fact.place.site_code))
    return fact.event.kind not in WATCHED_EVENTS


def _conflict(fact: Fact) -> Refusal:
    message = fact.sample if isinstance(fact, SampleFact) else fact.event
    if isinstance(fact, EventFact):
        detail = f"an event of this boot with number {fact.event.seq} is stored with other content"
        return Refusal("event_conflict", "$.seq", detail, fact.address, message.boot_id, message.seq)
    at = fact.sample.timestamp.isoformat()
    detail = f"{fact.sample.sample_id!r} of {at}, or its number, is stored with other content or another time"
    return Refusal("sample_id_conflict", "$.sample_id", detail, fact.address, message.boot_id, message.seq)


def _data_error(fact: Fact, error: Exception) -> Refusal:
    message = fact.sample if isinstance(fact, SampleFact) else fact.event
    words = str(error).partition("\n")[0]
    return Refusal("data_error", None, f"the database refuses it: {words}", fact.address, message.boot_id, message.seq)
