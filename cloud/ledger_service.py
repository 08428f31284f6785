"""The process behind `sqal ledger run`: writes rounds, shows checkpoints around, outlives database and broker."""

import asyncio
import random
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime

import psycopg
import structlog
from psycopg.rows import tuple_row

from cloud.broker import password, tls_context
from cloud.ledger import Connection, Ledger
from cloud.ledger_keys import Signer
from cloud.settings import Settings
from cloud.store.queries import Queries
from contract.topics import LEDGER_CHECKPOINT
from messaging import Client, MessagingError
from messaging.backoff import FullJitter

log = structlog.get_logger("sqal.ledger")

GATHER_S = 0.05  # after a wake-up: what else was done at the same moment comes along
LOCK = 0x5351_414C_0002  # "SQAL", 2: one writer for a database


@dataclass(frozen=True, slots=True)
class Writing:
    """What the writer is given."""

    settings: Settings
    queries: Queries
    signers: Sequence[Signer]
    rng: random.Random
    now: Callable[[], datetime]


async def run_ledger(writing: Writing, stop: asyncio.Event) -> None:
    """Write and publish until `stop`. A database or broker that is away is waited for. Raises LedgerError."""
    broker, rng = writing.settings.broker, writing.rng
    client = Client(
        host=broker.host,
        port=broker.port,
        client_id="sqal-ledger",
        rng=rng,
        clean_start=True,
        session_expiry_s=0,
        keepalive_s=broker.keep_alive_s,
        tls=tls_context(broker),
        username=broker.username,
        password=password(broker),
    )
    notes: asyncio.Queue[str] = asyncio.Queue(1)
    async with client, asyncio.TaskGroup() as tasks:
        work = [
            tasks.create_task(_write_forever(writing, notes), name="ledger.write"),
            tasks.create_task(_publish_forever(client, notes, rng), name="ledger.publish"),
        ]
        await stop.wait()
        for task in work:
            task.cancel()


async def _write_forever(writing: Writing, notes: asyncio.Queue[str]) -> None:
    settings = writing.settings.ledger
    backoff = FullJitter(writing.rng)
    while True:
        try:
            async with await open_ledger_session(writing.settings.database.url) as connection:
                ledger = Ledger(connection, writing.queries, settings, writing.signers, writing.now)
                await connection.execute("LISTEN sqal_ledger")
                await ledger.open()
                log.info("the ledger is written", origin=settings.origin)
                while True:
                    _offer(notes, ledger.latest)
                    if await ledger.write_round() is None:
                        await _wait(connection, settings.checkpoint_s)
        except (psycopg.Error, OSError) as error:
            log.warning("the ledger waits", why=str(error).strip())
            await asyncio.sleep(backoff.next_delay_s())


async def open_ledger_session(dsn: str) -> Connection:
    """A session that holds the writer's lock; waits for another writer to end. Raises psycopg.Error."""
    connection = await psycopg.AsyncConnection.connect(
        dsn, autocommit=True, row_factory=tuple_row, connect_timeout=5, application_name="sqal-ledger"
    )
    try:
        await connection.execute("SET timezone = 'UTC'")
        await connection.execute("SELECT pg_advisory_lock(%s)", (LOCK,))
    except BaseException:
        await connection.close()
        raise
    return connection


async def _wait(connection: Connection, seconds: float) -> None:
    """Until somebody asks for a checkpoint, or the time is over."""
    async for _ in connection.notifies(timeout=seconds, stop_after=1):
        await asyncio.sleep(GATHER_S)


def _offer(notes: asyncio.Queue[str], note: str | None) -> None:
    """The newest note replaces one that was not published yet."""
    if note is None:
        return
    if notes.full():
        notes.get_nowait()
    notes.put_nowait(note)


async def _publish_forever(client: Client, notes: asyncio.Queue[str], rng: random.Random) -> None:
    backoff = FullJitter(rng)
    shown: str | None = None
    while True:
        note = await notes.get()
        while note != shown:
            try:
                await client.wait_connected()
                await client.publish(LEDGER_CHECKPOINT, note.encode(), retain=True)
                shown = note
            except MessagingError as error:
                log.warning("a checkpoint waits for the broker", why=str(error))
                await asyncio.sleep(backoff.next_delay_s())
