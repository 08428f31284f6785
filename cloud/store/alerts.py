"""Alerts in the database: the open ones of some devices, their moves, their history, their messages in the outbox."""

import uuid
from collections.abc import Callable, Sequence
from dataclasses import fields
from typing import Any

from psycopg.rows import class_row
from psycopg.types.json import Jsonb

from cloud.alerts import Observation, OpenAlert, acknowledge, alarm_of, observe
from cloud.store.queries import Queries
from cloud.store.session import Connection
from contract import encode
from contract.topics import alarm_topic


async def apply_observations(
    connection: Connection,
    queries: Queries,
    *,
    live: Sequence[Observation],
    old: Sequence[Observation],
    new_id: Callable[[], uuid.UUID],
) -> list[OpenAlert]:
    """Record what a batch says about alerts and return the alerts that moved.

    `live` ones move life cycles and reach the outbox; `old` ones are history only. In order of arrival, both.
    """
    history = _History(await _take_ids(connection, queries, [*live, *old]))
    before = await _open_alerts(connection, queries, sorted({each.device_id for each in live})) if live else {}
    by_device: dict[str, dict[uuid.UUID, OpenAlert]] = {}
    for alert in before.values():
        by_device.setdefault(alert.device_id, {})[alert.alarm_id] = alert
    for observation in live:
        mine = by_device.setdefault(observation.device_id, {})
        if not mine and not observation.occurrences:
            continue  # nothing to end either
        ids = history.next_ids(len(observation.occurrences))
        is_open = [alert for alert in mine.values() if alert.state != "cleared"]
        moved = observe(is_open, observation, alert_ids=ids, new_id=new_id)
        mine.update((alert.alarm_id, alert) for alert in moved)
        history.add(observation, ids, {each.alert_type: each.alarm_id for each in moved if each.alert_id in ids})
    for observation in old:
        history.add(observation, history.next_ids(len(observation.occurrences)), {})
    now = [alert for mine in by_device.values() for alert in mine.values()]
    changed = [alert for alert in now if before.get(alert.alarm_id) != alert]
    await _write(connection, queries, history.rows, changed)
    return changed


async def acknowledge_alert(
    connection: Connection, queries: Queries, *, alert_id: int, acknowledged_by: str
) -> tuple[Any, ...] | None:
    """Acknowledge an occurrence and the alert it belongs to; (alert_id, alarm_id, by, at), or None: no such alert.

    Doing it again changes nothing. Call it inside a transaction.
    """
    values = {"alert_id": alert_id, "acknowledged_by": acknowledged_by}
    row = await (await connection.execute(queries["acknowledge_alert_row"], values)).fetchone()
    if row is None or row[1] is None:
        return row
    cursor = connection.cursor(row_factory=class_row(OpenAlert))
    alert = await (await cursor.execute(queries["select_alarm_of_alert"], values)).fetchone()
    moved = None if alert is None else acknowledge(alert)
    if alert is not None and moved is not None and moved != alert:
        values = {"alarm_id": alert.alarm_id, "acknowledged_by": acknowledged_by}
        await connection.execute(queries["acknowledge_alarm_rows"], values)
        await _write(connection, queries, [], [moved])
        await connection.execute(queries["acknowledge_alarm"], values)
    return row


async def devices_with_open_alerts(connection: Connection, queries: Queries, devices: set[str]) -> set[str]:
    """Return those of `devices` that have an alert which a good sample could move."""
    if not devices:
        return set()
    cursor = await connection.execute(queries["select_devices_with_open_alerts"], {"device_ids": sorted(devices)})
    return {str(row[0]) for row in await cursor.fetchall()}


class _History:
    """Rows for sqal_alerts, with numbers taken beforehand."""

    def __init__(self, ids: list[int]) -> None:
        self._ids = iter(ids)
        self.rows: list[dict[str, Any]] = []

    def next_ids(self, count: int) -> list[int]:
        return [next(self._ids) for _ in range(count)]

    def add(self, seen: Observation, ids: Sequence[int], alarms: dict[str, uuid.UUID]) -> None:
        for occurrence, alert_id in zip(seen.occurrences, ids, strict=True):
            self.rows.append(
                {
                    "time": seen.at,
                    "alert_id": alert_id,
                    "device_id": seen.device_id,
                    "sample_id": seen.sample_id,
                    "alert_type": occurrence.alert_type,
                    "severity": occurrence.severity,
                    "message": occurrence.message,
                    "data_context": Jsonb(dict(occurrence.parameters)),
                    "site_code": seen.site_code,
                    "line": seen.line,
                    "lot_id": seen.lot_id,
                    "alarm_id": alarms.get(occurrence.alert_type),
                }
            )


async def _take_ids(connection: Connection, queries: Queries, seen: Sequence[Observation]) -> list[int]:
    count = sum(len(each.occurrences) for each in seen)
    if count == 0:
        return []
    cursor = await connection.execute(queries["take_alert_ids"], {"count": count})
    return [int(row[0]) for row in await cursor.fetchall()]


async def _open_alerts(connection: Connection, queries: Queries, devices: list[str]) -> dict[uuid.UUID, OpenAlert]:
    cursor = connection.cursor(row_factory=class_row(OpenAlert))
    await cursor.execute(queries["select_open_alerts"], {"device_ids": devices})
    return {alert.alarm_id: alert for alert in await cursor.fetchall()}


async def _write(
    connection: Connection, queries: Queries, history: list[dict[str, Any]], changed: Sequence[OpenAlert]
) -> None:
    cursor = connection.cursor()
    if history:
        await cursor.executemany(queries["insert_alert"], history)
    if changed:
        await cursor.executemany(queries["put_alert_state"], [_parameters(alert) for alert in changed])
        told = [alert for alert in changed if alert.is_notified]
        await cursor.executemany(queries["put_outbox"], [_message(alert) for alert in told])


def _parameters(alert: OpenAlert) -> dict[str, Any]:
    values = {each.name: getattr(alert, each.name) for each in fields(alert)}
    return values | {"params": Jsonb(dict(alert.params))}


def _message(alert: OpenAlert) -> dict[str, Any]:
    payload = b"" if alert.state == "cleared" else encode(alarm_of(alert))
    return {"topic": alarm_topic(alert.site_code, str(alert.alarm_id)), "payload": payload, "retain": True}
