"""What keeps a database in shape: retention, late data in the aggregates, and a check that says whether all is well.

On TimescaleDB its own jobs compress and retain, and here is done what its refresh policies leave undone: data that came
late. On plain PostgreSQL retention is done here, day by day so that no transaction is long; aggregates are tables that
every INSERT keeps up to date, so late data is in them at once, and retention leaves them. Plain PostgreSQL has nothing
like compression: space comes back to the table, not to the disk.
"""

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import psycopg
from psycopg.rows import tuple_row

from cloud.store.migrate import MigrationError, Timescale, status
from cloud.store.queries import Queries

SAMPLES_KEPT = timedelta(days=90)  # the customer's retention
ALERTS_KEPT = timedelta(days=180)
NOTIFICATIONS_KEPT = timedelta(days=180)  # as long as the alerts they told of
STEP = timedelta(days=1)  # deleted in one transaction: some 260,000 rows of three devices at 1/s
REFRESH_MARGIN = timedelta(days=2)  # from the edge of retention: a bucket without its samples would be computed empty
CHECKED = timedelta(days=7)

Connection = psycopg.Connection[tuple[Any, ...]]


@dataclass(frozen=True, slots=True)
class Maintained:
    """What was done."""

    samples_deleted: int = 0
    alerts_deleted: int = 0
    life_cycles_deleted: int = 0
    dead_letters_deleted: int = 0
    aggregates_refreshed: int = 0
    notifications_deleted: int = 0


def maintain(
    dsn: str, queries: Queries, *, now: datetime, dead_letter_days: float, dead_letter_bytes: int
) -> Maintained:
    """Do all that is due. Safe to repeat and to interrupt. Raises MigrationError when the database is away."""
    with _session(dsn) as connection:
        bounds = {"age_s": dead_letter_days * 86_400, "bytes_max": dead_letter_bytes}
        letters = _value(connection, queries, "trim_dead_letters", bounds)
        cycles = _touched(connection, queries, "maintain_delete_cleared", {"before": now - ALERTS_KEPT})
        told = _touched(connection, queries, "maintain_delete_notifications", {"before": now - NOTIFICATIONS_KEPT})
        if _value(connection, queries, "maintain_has_timescale"):
            return Maintained(
                life_cycles_deleted=cycles,
                dead_letters_deleted=letters,
                aggregates_refreshed=_refresh(connection, queries, now),
                notifications_deleted=told,
            )
        samples = _retain(connection, queries, now - SAMPLES_KEPT)
        alerts = _touched(connection, queries, "maintain_delete_alerts", {"before": now - ALERTS_KEPT})
        if samples or alerts:
            connection.execute("VACUUM (ANALYZE) sqal_sensor_samples")
            connection.execute("VACUUM (ANALYZE) sqal_alerts")
        return Maintained(samples, alerts, cycles, letters, 0, told)


def check(dsn: str, queries: Queries, folder: Path, *, now: datetime, timescale: Timescale = "auto") -> list[str]:
    """Return what is wrong, one sentence each; empty when all is well. Changes nothing. Raises MigrationError."""
    waiting = [
        f"{each.version:04}_{each.name}" for each in status(dsn, folder, timescale=timescale) if not each.applied_at
    ]
    if waiting:
        return [f"migrations wait: {', '.join(waiting)}; run `sqal db migrate`"]
    hour = now.astimezone(UTC).replace(minute=0, second=0, microsecond=0)
    with _session(dsn) as connection:
        found = [
            f"the index {row[0]} is not valid: REINDEX it"
            for row in _rows(connection, queries, "maintain_invalid_indexes")
        ]
        differing = _rows(connection, queries, "maintain_hours_that_differ", {"since": hour - CHECKED, "before": hour})
        for bucket, device in differing[:10]:
            found.append(f"the figures of {device} in the hour {bucket:%Y-%m-%d %H:%M} differ from its samples")
        oldest = _value(connection, queries, "maintain_oldest_sample", {"before": now - SAMPLES_KEPT - 2 * STEP})
        if oldest is not None:
            found.append(f"samples of {oldest:%Y-%m-%d} outlived their retention: `sqal db maintain` is not run daily")
    return found


def _session(dsn: str) -> Connection:
    try:
        return psycopg.connect(dsn, autocommit=True, row_factory=tuple_row, options="-c timezone=UTC")
    except psycopg.OperationalError as error:
        raise MigrationError(f"the database cannot be reached: {error}".strip()) from error


def _retain(connection: Connection, queries: Queries, before: datetime) -> int:
    oldest = _value(connection, queries, "maintain_oldest_sample", {"before": before})
    deleted = 0
    while oldest is not None:
        until = min(oldest + STEP, before)
        deleted += _touched(connection, queries, "maintain_delete_samples", {"since": oldest, "before": until})
        oldest = _value(connection, queries, "maintain_oldest_sample", {"before": before})
    return deleted


def _refresh(connection: Connection, queries: Queries, now: datetime) -> int:
    since = (now - SAMPLES_KEPT + REFRESH_MARGIN).astimezone(UTC).replace(hour=0, minute=0, second=0, microsecond=0)
    names = ("sqal_hourly_stats", "sqal_site_stats")
    for name in names:
        connection.execute(queries["maintain_refresh"], {"name": name, "since": since, "before": now})
    return len(names)


def _rows(connection: Connection, queries: Queries, name: str, values: dict[str, Any] | None = None) -> list[Any]:
    return connection.execute(queries[name], values).fetchall()


def _value(connection: Connection, queries: Queries, name: str, values: dict[str, Any] | None = None) -> Any:
    row = connection.execute(queries[name], values).fetchone()
    return None if row is None else row[0]


def _touched(connection: Connection, queries: Queries, name: str, values: dict[str, Any]) -> int:
    return connection.execute(queries[name], values).rowcount
