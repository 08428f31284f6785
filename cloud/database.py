"""The active ingester's database: one session that writes and holds the shard's lock, kept through every trouble.

Work is done again and again until the database has done it; what the database says decides how (`cloud.store.trouble`).
While it is away everything waits, and after a keep-alive the broker is left on purpose, so that its session for us
keeps the backlog.
"""

import asyncio
import random
from collections.abc import Awaitable, Callable
from typing import Literal, Protocol, TypeVar

import psycopg
import structlog
from psycopg.pq import TransactionStatus

from cloud.counters import IngestCounters
from cloud.settings import Settings
from cloud.store.queries import Queries
from cloud.store.session import Connection, close_quietly, open_session, take_shard
from cloud.store.trouble import remedy
from messaging.backoff import FullJitter

log = structlog.get_logger("ingest")

STANDBY_POLL_S = 0.5  # how often a stand-by looks whether the lock is free

Phase = Literal["standby", "active", "away"]  # away: left the broker on purpose, the database is not there
OnPhase = Callable[[Phase], None]
Result = TypeVar("Result")
Work = Callable[[Connection], Awaitable[Result]]


class ShardLostError(Exception):
    """Somebody else is the active ingester now."""


class IngestStoppedError(Exception):
    """No retry can mend it: one sentence for a person."""


class Watcher(Protocol):
    """Who has to know how the database is."""

    def on_database(self, *, there: bool) -> None:
        """The database is there again, or in trouble."""
        ...

    async def on_long_absence(self) -> None:
        """It has been away for a keep-alive; called again and again until it is there."""
        ...


class Database:
    """The session of an active ingester."""

    def __init__(
        self,
        settings: Settings,
        queries: Queries,
        connection: Connection,
        *,
        rng: random.Random,
        totals: IngestCounters,
    ) -> None:
        """Take over `connection`, which holds the lock of the shard."""
        self._settings = settings
        self._queries = queries
        self._connection = connection
        self._rng = rng
        self._totals = totals
        self._one_user = asyncio.Lock()  # one user of the session at a time: transactions must not mix

    async def close(self) -> None:
        """Close the session, and with it give up the lock."""
        try:
            await close_quietly(self._connection)
        except (psycopg.Error, TimeoutError) as error:
            log.warning("the database session was left behind", why=str(error))

    async def use(self, work: Work[Result], watcher: Watcher) -> Result:
        """Do `work` with the session until the database has done it. Raises ShardLostError, IngestStoppedError."""
        backoff = FullJitter(self._rng)
        async with self._one_user:
            while True:
                try:
                    result = await work(self._connection)
                except psycopg.Error as error:
                    watcher.on_database(there=False)
                    await self._mend(error, backoff, watcher)
                else:
                    watcher.on_database(there=True)
                    return result

    async def _mend(self, error: psycopg.Error, backoff: FullJitter, watcher: Watcher) -> None:
        needed = remedy(error)
        why = str(error).strip()
        if needed == "stop":
            raise IngestStoppedError(explain(error)) from error
        is_usable = not self._connection.closed and self._connection.info.transaction_status == TransactionStatus.IDLE
        if needed == "retry" and is_usable:
            self._totals.database_retries_total += 1
            log.warning("the database could not do it now: the same again", why=why, sqlstate=error.sqlstate)
            await asyncio.sleep(backoff.next_delay_s())
            return
        self._totals.database_losses_total += 1
        log.warning("the database is in trouble: everything waits for it", why=why, sqlstate=error.sqlstate)
        await self._reopen(backoff, watcher)

    async def _reopen(self, backoff: FullJitter, watcher: Watcher) -> None:
        """Wait for the database, with a new session that holds the lock. Raises as `use` does."""
        loop = asyncio.get_running_loop()
        leave_at = loop.time() + self._settings.broker.keep_alive_s
        await self.close()
        while True:
            if loop.time() >= leave_at:
                await watcher.on_long_absence()
            try:
                self._connection = await open_session(self._settings.database.url, self._queries)
                is_ours = await take_shard(self._connection, self._queries, self._settings.ingest.shard)
            except psycopg.Error as error:
                refuse_hopeless(error)
                log.info("the database is away", why=str(error).strip())
                await asyncio.sleep(backoff.next_delay_s())
                continue
            await asyncio.sleep(backoff.next_delay_s())  # it may be the work that fails: not in a hot loop
            if not is_ours:
                raise ShardLostError(f"the lock of shard {self._settings.ingest.shard} is held by another session")
            return


async def become_active(settings: Settings, queries: Queries, rng: random.Random, on_phase: OnPhase) -> Connection:
    """Wait until the database is there and the shard's lock is ours. Raises IngestStoppedError."""
    backoff = FullJitter(rng)
    waits = False
    while True:
        try:
            connection = await open_session(settings.database.url, queries)
        except psycopg.Error as error:
            refuse_hopeless(error)
            log.info("the database is away", why=str(error).strip())
            await asyncio.sleep(backoff.next_delay_s())
            continue
        try:
            while not await take_shard(connection, queries, settings.ingest.shard):
                if not waits:
                    waits = True
                    on_phase("standby")
                    log.info("standing by: another ingester is active", shard=settings.ingest.shard)
                await asyncio.sleep(STANDBY_POLL_S)
        except psycopg.Error as error:
            log.info("the database went away", why=str(error).strip())
        except BaseException:
            await connection.close()
            raise
        else:
            return connection


def refuse_hopeless(error: psycopg.Error) -> None:
    """Raise IngestStoppedError for a refusal that waiting cannot change."""
    if remedy(error) == "stop":
        raise IngestStoppedError(explain(error)) from error


def explain(error: psycopg.Error) -> str:
    """Say for a person what the database will never do as things stand."""
    words = str(error).strip().partition("\n")[0]
    if error.sqlstate is not None and error.sqlstate.startswith("42"):
        return f"the database refuses what ingest does ({words}): run `sqal db migrate`, and see to the role's rights"
    return f"the database refuses this ingester ({words}): no retry can mend that"
