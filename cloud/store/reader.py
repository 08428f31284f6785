"""The API's connections: a pool that survives the database's absence, rows as dictionaries, named statements only.

Numbers of type numeric come as float (a JSON number), times in UTC. A statement has STATEMENT_TIMEOUT_MS. While the
database is away a caller waits CONNECT_WAIT_S and gets psycopg_pool.PoolTimeout; the pool reconnects by itself.
"""

from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from typing import Any

import psycopg
from psycopg import AsyncConnection
from psycopg.rows import TupleRow, dict_row
from psycopg.types.numeric import FloatLoader
from psycopg_pool import AsyncConnectionPool, PoolClosed, PoolTimeout, TooManyRequests

from cloud.settings import DatabaseSettings
from cloud.store.queries import Queries

STATEMENT_TIMEOUT_MS = 10_000  # past that a viewer has left, and ingest needs the machine
CONNECT_WAIT_S = 2.0
WAITING_MAX = 200  # requests that wait for a connection; more are answered 503 at once
OPTIONS = f"-c timezone=UTC -c statement_timeout={STATEMENT_TIMEOUT_MS} -c application_name=sqal-serve"

Row = dict[str, Any]
Connection = AsyncConnection[TupleRow]


# What tells that the database is away, overloaded, or too slow. All mean: try again later.
DATABASE_AWAY = (psycopg.OperationalError, psycopg.InterfaceError, PoolTimeout, PoolClosed, TooManyRequests)


class Store:
    """What the API reads and writes. Open it with `async with`; it opens without a database too."""

    def __init__(self, settings: DatabaseSettings, queries: Queries) -> None:
        """Describe the pool; nothing is connected yet."""
        self.queries = queries
        self.itm_column = settings.itm_column
        self._pool: AsyncConnectionPool[Connection] = AsyncConnectionPool(
            settings.url,
            connection_class=AsyncConnection[TupleRow],
            min_size=settings.pool_min,
            max_size=max(settings.pool_min, settings.pool_max),
            timeout=CONNECT_WAIT_S,
            max_waiting=WAITING_MAX,
            kwargs={"autocommit": True, "options": OPTIONS, "connect_timeout": 2},
            configure=_configure,
            check=AsyncConnectionPool.check_connection,  # a connection that died with the database is not handed out
            open=False,
            name="sqal-serve",
        )

    async def __aenter__(self) -> "Store":
        """Begin connecting in the background."""
        await self._pool.open(wait=False)
        return self

    async def __aexit__(self, *_: object) -> None:
        """Close all connections."""
        await self._pool.close()

    async def rows(self, name: str, /, **params: Any) -> list[Row]:
        """All rows of the statement `name`. Raises psycopg.Error, psycopg_pool.PoolTimeout."""
        async with self._pool.connection() as connection, connection.cursor(row_factory=dict_row) as cursor:
            return await (await cursor.execute(self.queries[name], params)).fetchall()

    async def row(self, name: str, /, **params: Any) -> Row | None:
        """The first row of the statement `name`, or None."""
        async with self._pool.connection() as connection, connection.cursor(row_factory=dict_row) as cursor:
            return await (await cursor.execute(self.queries[name], params)).fetchone()

    async def run(self, name: str, /, **params: Any) -> int:
        """Run the statement `name`, which returns no rows; how many it touched."""
        async with self._pool.connection() as connection:
            return (await connection.execute(self.queries[name], params)).rowcount

    async def answers(self) -> bool:
        """Whether the database answers."""
        try:
            async with self._pool.connection() as connection:
                await connection.execute("SELECT 1")
        except DATABASE_AWAY:
            return False
        return True

    @asynccontextmanager
    async def transaction(self) -> AsyncGenerator[Connection]:
        """A connection inside a transaction, committed at the end of the block, rolled back by an error."""
        async with self._pool.connection() as connection, connection.transaction():
            yield connection


async def _configure(connection: Connection) -> None:
    connection.adapters.register_loader("numeric", FloatLoader)
