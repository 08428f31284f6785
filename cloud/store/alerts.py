"""Alerts in the database: the open ones of some devices, their moves, their history, their messages in the outbox."""

import uuid
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import fields, replace
from datetime import datetime
from typing import Any

from psycopg.rows import class_row
from psycopg.types.json import Jsonb

from cloud.alerts import (
    SEVERITIES,
    Observation,
    Occurrence,
    OpenAlert,
    Parameters,
    acknowledge,
    alarm_of,
    is_news,
    observe,
    rings,
    shelve,
    unshelve,
)
from cloud.store.queries import Queries
from cloud.store.session import Connection
from contract import encode
from contract.topics import alarm_topic

Subject = tuple[str | None, str | None]  # a device, or a site where it is about no device
HistoryRow = dict[str, Any]


async def apply_observations(
    connection: Connection,
    queries: Queries,
    *,
    live: Sequence[Observation],
    old: Sequence[Observation],
    new_id: Callable[[], uuid.UUID],
) -> list[OpenAlert]:
    """Record what a batch says about alerts and return the alerts that moved.

    `live` ones move life cycles, reach the outbox and the channels; `old` ones are history only, one row for each rule
    of a device and lot. In order of arrival, both.
    """
    before = await _open_alerts(connection, queries, live) if live else {}
    by_subject: dict[Subject, dict[uuid.UUID, OpenAlert]] = {}
    for alert in before.values():
        by_subject.setdefault(_subject(alert), {})[alert.alarm_id] = alert
    raised: dict[uuid.UUID, HistoryRow] = {}
    for observation in live:
        mine = by_subject.setdefault(_subject(observation), {})
        is_open = [alert for alert in mine.values() if alert.state != "cleared"]
        for alert in observe(is_open, observation, new_id=new_id):
            mine[alert.alarm_id] = alert
            if alert.alert_id is None and alert.alarm_id not in raised:
                raised[alert.alarm_id] = _history_row(observation, alert, alert.params, alert.alarm_id)
    records = [*raised.values(), *_records(old)]
    for row, alert_id in zip(records, await _take_ids(connection, queries, len(records)), strict=True):
        row["alert_id"] = alert_id
    now = [alert for mine in by_subject.values() for alert in mine.values()]
    changed = [alert for alert in now if before.get(alert.alarm_id) != alert]
    changed = [
        replace(alert, alert_id=raised[alert.alarm_id]["alert_id"]) if alert.alert_id is None else alert
        for alert in changed
    ]
    if records:
        await connection.cursor().executemany(queries["insert_alert"], records)
    await put_moves(connection, queries, before, changed)
    return changed


async def put_moves(
    connection: Connection, queries: Queries, before: Mapping[uuid.UUID, OpenAlert], changed: Sequence[OpenAlert]
) -> None:
    """Write life cycles as they are now, with what MQTT and the channels are to hear of it."""
    if not changed:
        return
    cursor = connection.cursor()
    await cursor.executemany(queries["put_alert_state"], [_parameters(alert) for alert in changed])
    if news := [alert for alert in changed if is_news(before.get(alert.alarm_id), alert)]:
        await cursor.executemany(queries["put_outbox"], [outbox_values(alert) for alert in news])
    if ringing := [alert for alert in changed if rings(before.get(alert.alarm_id), alert)]:
        await cursor.executemany(queries["put_notifications"], [_notification(alert) for alert in ringing])


async def acknowledge_alert(
    connection: Connection, queries: Queries, *, alert_id: int, acknowledged_by: str, comment: str | None = None
) -> tuple[Any, ...] | None:
    """Acknowledge a row of the history and its life cycle; (alert_id, alarm_id, by, at), or None: no such alert.

    Doing it again changes nothing. Call it inside a transaction.
    """
    values = {"alert_id": alert_id, "acknowledged_by": acknowledged_by}
    row = await (await connection.execute(queries["acknowledge_alert_row"], values)).fetchone()
    if row is None or row[1] is None:
        return row
    alert = await _alarm_of(connection, queries, alert_id)
    moved = None if alert is None else acknowledge(alert)
    if alert is not None and moved is not None and moved != alert:
        values = {"alarm_id": alert.alarm_id, "acknowledged_by": acknowledged_by}
        await connection.execute(queries["acknowledge_alarm_rows"], values)
        await put_moves(connection, queries, {alert.alarm_id: alert}, [moved])
        await connection.execute(queries["acknowledge_alarm"], values)
        await _note(connection, queries, alert, action="acknowledge", actor=acknowledged_by, comment=comment)
    return row


async def shelve_alert(
    connection: Connection, queries: Queries, *, alert_id: int, by: str, reason: str, until: datetime
) -> OpenAlert | None:
    """Silence the life cycle of a row of the history until a time; None: no such alert, or it is over.

    Call it inside a transaction.
    """
    alert = await _alarm_of(connection, queries, alert_id)
    if alert is None or alert.state == "cleared":
        return None
    shelved = shelve(alert, until)
    await put_moves(connection, queries, {alert.alarm_id: alert}, [shelved])
    await connection.execute(queries["note_shelved"], {"alarm_id": alert.alarm_id, "by": by, "reason": reason})
    await _note(connection, queries, alert, action="shelve", actor=by, comment=reason, until=until)
    return shelved


async def unshelve_alert(
    connection: Connection, queries: Queries, *, alert_id: int, by: str, comment: str | None = None
) -> OpenAlert | None:
    """Take a life cycle off its shelf before its time; None: no such alert, or it is not shelved."""
    alert = await _alarm_of(connection, queries, alert_id)
    if alert is None or alert.state != "shelved":
        return None
    moved = unshelve(alert)
    await put_moves(connection, queries, {alert.alarm_id: alert}, [moved])
    await _note(connection, queries, alert, action="unshelve", actor=by, comment=comment)
    return moved


async def expire_shelves(connection: Connection, queries: Queries, *, now: datetime) -> int:
    """Take off their shelves all alerts whose time is over at `now`; how many. Call it inside a transaction."""
    cursor = connection.cursor(row_factory=class_row(OpenAlert))
    expired = await (await cursor.execute(queries["select_expired_shelves"], {"now": now})).fetchall()
    before = {alert.alarm_id: alert for alert in expired}
    await put_moves(connection, queries, before, [unshelve(alert) for alert in expired])
    for alert in expired:
        await _note(connection, queries, alert, action="expire", actor="system")
    return len(expired)


async def devices_with_open_alerts(connection: Connection, queries: Queries, devices: set[str]) -> set[str]:
    """Return those of `devices` that have an alert which a good sample could move."""
    if not devices:
        return set()
    cursor = await connection.execute(queries["select_devices_with_open_alerts"], {"device_ids": sorted(devices)})
    return {str(row[0]) for row in await cursor.fetchall()}


def outbox_values(alert: OpenAlert) -> dict[str, Any]:
    """The retained message of an alert, for the outbox; an empty one ends it."""
    payload = b"" if alert.state == "cleared" else encode(alarm_of(alert))
    return {"topic": alarm_topic(alert.site_code, str(alert.alarm_id)), "payload": payload, "retain": True}


def _subject(of: Observation | OpenAlert) -> Subject:
    return (of.device_id, None) if of.device_id is not None else (None, of.site_code)


def _records(old: Sequence[Observation]) -> list[HistoryRow]:
    """One row for each rule of a device and lot: its first occurrence, and how often and until when it went on."""
    rows: dict[tuple[Subject, str, int | None], HistoryRow] = {}
    counts: Counter[tuple[Subject, str, int | None]] = Counter()
    last_at: dict[tuple[Subject, str, int | None], datetime] = {}
    for seen in old:
        for occurrence in seen.occurrences:
            key = (_subject(seen), occurrence.alert_type, seen.lot_id)
            if key not in rows:
                rows[key] = _history_row(seen, occurrence, occurrence.parameters, None)
            counts[key] += 1
            last_at[key] = seen.at
    for key, row in rows.items():
        if counts[key] > 1:
            more = {"occurrences": counts[key], "last_at": last_at[key].isoformat()}
            row["data_context"] = Jsonb({**row["data_context"].obj, **more})
    return list(rows.values())


def _history_row(
    seen: Observation, what: Occurrence | OpenAlert, parameters: Parameters, alarm_id: uuid.UUID | None
) -> HistoryRow:
    return {
        "time": seen.at,
        "alert_id": None,
        "device_id": seen.device_id,
        "sample_id": seen.sample_id,
        "alert_type": what.alert_type,
        "severity": what.severity,
        "message": what.message,
        "data_context": Jsonb(dict(parameters)),
        "site_code": seen.site_code,
        "line": seen.line,
        "lot_id": seen.lot_id,
        "alarm_id": alarm_id,
    }


async def _take_ids(connection: Connection, queries: Queries, count: int) -> list[int]:
    if count == 0:
        return []
    cursor = await connection.execute(queries["take_alert_ids"], {"count": count})
    return [int(row[0]) for row in await cursor.fetchall()]


async def _open_alerts(
    connection: Connection, queries: Queries, seen: Sequence[Observation]
) -> dict[uuid.UUID, OpenAlert]:
    values = {
        "device_ids": sorted({each.device_id for each in seen if each.device_id is not None}),
        "site_codes": sorted({each.site_code for each in seen if each.device_id is None}),
    }
    cursor = connection.cursor(row_factory=class_row(OpenAlert))
    await cursor.execute(queries["select_open_alerts"], values)
    return {alert.alarm_id: alert for alert in await cursor.fetchall()}


async def _alarm_of(connection: Connection, queries: Queries, alert_id: int) -> OpenAlert | None:
    cursor = connection.cursor(row_factory=class_row(OpenAlert))
    return await (await cursor.execute(queries["select_alarm_of_alert"], {"alert_id": alert_id})).fetchone()


async def _note(
    connection: Connection,
    queries: Queries,
    alert: OpenAlert,
    *,
    action: str,
    actor: str,
    comment: str | None = None,
    until: datetime | None = None,
) -> None:
    values = {"alarm_id": alert.alarm_id, "action": action, "actor": actor, "comment": comment, "until": until}
    await connection.execute(queries["put_alert_action"], values)


def _parameters(alert: OpenAlert) -> dict[str, Any]:
    values = {each.name: getattr(alert, each.name) for each in fields(alert)}
    return values | {"params": Jsonb(dict(alert.params))}


def _notification(alert: OpenAlert) -> dict[str, Any]:
    return {
        "alarm_id": alert.alarm_id,
        "site_code": alert.site_code,
        "severity": SEVERITIES.index(alert.severity),
        "payload": encode(alarm_of(alert)),
        "except": alert.params.get("channel", ""),
    }
