"""The open alerts as MQTT shows them: say them all again, end what should not be there."""

import uuid
from collections.abc import Mapping

from psycopg.rows import class_row

from cloud.alerts import OpenAlert
from cloud.store.alerts import outbox_values
from cloud.store.queries import Queries
from cloud.store.session import Connection


async def republish_open(connection: Connection, queries: Queries, sites: list[str] | None) -> int:
    """Put every open alert of `sites` (None: all) into the outbox once more; how many."""
    async with connection.transaction():
        cursor = connection.cursor(row_factory=class_row(OpenAlert))
        await cursor.execute(queries["select_all_open_alerts"], {"site_codes": sites})
        alerts = await cursor.fetchall()
        if alerts:
            await connection.cursor().executemany(queries["put_outbox"], [outbox_values(each) for each in alerts])
    return len(alerts)


async def missing_alarms(connection: Connection, queries: Queries, seen: Mapping[uuid.UUID, str]) -> int:
    """Put the end of each of `seen` (topic by alarm) that is not open into the outbox; how many."""
    async with connection.transaction():
        cursor = await connection.execute(queries["select_open_alarm_ids"], {"alarm_ids": list(seen)})
        is_open = {row[0] for row in await cursor.fetchall()}
        ended = [{"topic": topic, "payload": b"", "retain": True} for key, topic in seen.items() if key not in is_open]
        if ended:
            await connection.cursor().executemany(queries["put_outbox"], ended)
    return len(ended)
