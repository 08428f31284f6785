"""The ingester's one connection: it writes, and it holds the lock that makes it the only one.

Both in one session on purpose: who loses the connection has lost the lock, and cannot write any more either.
"""

import asyncio
from collections.abc import Mapping
from typing import Any

import psycopg
from psycopg.abc import Buffer
from psycopg.adapt import Dumper
from psycopg.pq import Format
from psycopg.rows import TupleRow, tuple_row

from cloud.recipes_in_use import Activation
from cloud.store.queries import Queries
from cloud.store.samples import Place

CONNECT_TIMEOUT_S = 5
# A dead peer is found by us, and by the server (who then frees the lock), after 2 s of silence and two lost probes.
KEEPALIVE_IDLE_S = 2
KEEPALIVE_PROBE_S = 1
KEEPALIVE_PROBES = 2
DEAD_PEER_S = KEEPALIVE_IDLE_S + KEEPALIVE_PROBE_S * KEEPALIVE_PROBES
STATEMENT_TIMEOUT_MS = 30_000  # a batch takes tens of milliseconds; what takes longer is stuck
CLOSE_S = 1.0
ENCODED_TYPES = ("int2[]", "int4[]", "text[]", "jsonb")

Connection = psycopg.AsyncConnection[TupleRow]
KEEPALIVES: dict[str, Any] = {
    "keepalives": 1,
    "keepalives_idle": KEEPALIVE_IDLE_S,
    "keepalives_interval": KEEPALIVE_PROBE_S,
    "keepalives_count": KEEPALIVE_PROBES,
    "tcp_user_timeout": DEAD_PEER_S * 1000,
    "options": f"-c tcp_keepalives_idle={KEEPALIVE_IDLE_S} -c tcp_keepalives_interval={KEEPALIVE_PROBE_S}"
    f" -c tcp_keepalives_count={KEEPALIVE_PROBES} -c tcp_user_timeout={DEAD_PEER_S * 1000}"
    f" -c statement_timeout={STATEMENT_TIMEOUT_MS} -c timezone=UTC",
}


class _EncodedDumper(Dumper):
    """Passes on what is in PostgreSQL's binary form already; chosen by the column's type, never by the value's."""

    format = Format.BINARY

    def dump(self, obj: Any) -> Buffer:
        return obj


async def open_session(dsn: str, queries: Queries) -> Connection:
    """Connect, ready to stage rows. Raises psycopg.OperationalError."""
    connection = await psycopg.AsyncConnection.connect(
        dsn,
        autocommit=True,
        row_factory=tuple_row,
        prepare_threshold=0,
        connect_timeout=CONNECT_TIMEOUT_S,
        application_name="sqal-ingest",
        **KEEPALIVES,
    )
    try:
        for name in ENCODED_TYPES:
            info = connection.adapters.types[name.removesuffix("[]")]
            oid = info.array_oid if name.endswith("[]") else info.oid
            connection.adapters.register_dumper(None, type(f"Encoded{oid}", (_EncodedDumper,), {"oid": oid}))
        await connection.execute(queries["create_stage_samples"])
    except BaseException:
        await connection.close()
        raise
    return connection


async def take_shard(connection: Connection, queries: Queries, shard: str) -> bool:
    """Try to become the active ingester of `shard`; the lock ends with the session."""
    cursor = await connection.execute(queries["take_shard"], {"shard": shard})
    row = await cursor.fetchone()
    return row is not None and bool(row[0])


async def read_registry(connection: Connection, queries: Queries) -> Mapping[str, Place]:
    """Return who may send, by device id; a device without a site stands nowhere and may not."""
    cursor = await connection.execute(queries["select_registry"])
    return {device: Place(device, site or "", line) for device, site, line in await cursor.fetchall()}


async def close_quietly(connection: Connection) -> None:
    """Close; a server that does not answer is not waited for."""
    async with asyncio.timeout(CLOSE_S):
        await connection.close()


async def select_recipes_in_use(connection: Connection, queries: Queries) -> list[Activation]:
    """What was activated last for each scope."""
    cursor = await connection.execute(queries["select_recipes_in_use"])
    return [Activation(*row) for row in await cursor.fetchall()]
