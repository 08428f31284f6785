"""Goal: the same line on TimescaleDB and on plain PostgreSQL gives the same answers through the same names.

Method: one story, told twice. A real broker and the real ingester fill the database: samples of now, of 40 days ago
(TimescaleDB has compressed that chunk by then) and of before the retention, a gap, a message that no column takes. Then
the customer's own statements, the aggregates, the policies (TimescaleDB's jobs run by hand, for this server has no
background workers; elsewhere `sqal db maintain`) and the check are asked. TimescaleDB runs as WebAssembly with one
backend for all connections, so nothing else is connected while the ingester is.
"""

import re
import shutil
import uuid
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import psycopg
import pytest

from cloud.store.maintain import Maintained, check, maintain
from cloud.store.migrate import migrate
from cloud.store.queries import Queries
from tests.kit.fix_broker import OwnBroker
from tests.kit.fix_database import Database
from tests.kit.fix_ingest import SQL, RunningIngest, TestDevice, ingest_settings, rows, value
from tests.kit.samples import BOOT, as_bytes, event, sample

pytestmark = pytest.mark.timeout(300)

CORRELATION = """
SELECT
    l.code_lot,
    l.itm_moyen,
    AVG(s.fusion_final_score) as avg_quality_score,
    COUNT(*) as nb_samples
FROM lots_gavage l
LEFT JOIN sqal_sensor_samples s ON s.lot_id = l.id
WHERE l.site_code = 'LL'
GROUP BY l.id, l.code_lot, l.itm_moyen
HAVING COUNT(*) > 10
ORDER BY l.itm_moyen DESC;
"""
LOTS = """INSERT INTO lots_gavage (id, code_lot, site_code, itm_moyen, debut_lot) VALUES
    (101, 'LL-101', 'LL', 15.5, NOW()), (102, 'LL-102', 'LL', 16.25, NOW()), (103, 'LL-103', 'LL', 14, NOW())"""
DEADLINE_S = 60.0


def one_line_copy(folder: Path) -> Path:
    """Our statements with the COPY on one line: the WebAssembly backend dies of line breaks in a COPY."""
    shutil.copytree(SQL / "queries", folder / "queries")
    file = folder / "queries" / "samples.sql"
    joined = re.sub(
        r"^COPY .*?;", lambda hit: " ".join(hit[0].split()), file.read_text(), flags=re.DOTALL | re.MULTILINE
    )
    file.write_text(joined)
    return folder


class Either:
    """One of the two databases, and how its policies are made to run."""

    def __init__(self, kind: str, dsn: str, sql: Path) -> None:
        self.kind = kind
        self.dsn = dsn
        self.sql = sql
        self.queries = Queries(sql / "queries")

    def put(self, statement: str, *values: Any) -> None:
        with psycopg.connect(self.dsn, autocommit=True) as connection:
            connection.execute(statement.encode(), values)

    def jobs(self, policy: str) -> None:
        """Run the jobs of one kind, as the background workers of a TimescaleDB would."""
        if self.kind == "plain":
            return
        found = rows(self.dsn, "SELECT job_id FROM timescaledb_information.jobs WHERE proc_name = %s", policy)
        assert found
        for (job,) in found:
            self.put("CALL run_job(%s)", job)

    def maintain(self, now: datetime) -> Maintained:
        return maintain(self.dsn, self.queries, now=now, dead_letter_days=30, dead_letter_bytes=1 << 30)

    def is_compressed(self, at: datetime) -> bool:
        query = """SELECT bool_or(is_compressed) FROM timescaledb_information.chunks
            WHERE hypertable_name = 'sqal_sensor_samples' AND %s >= range_start AND %s < range_end"""
        return bool(value(self.dsn, query, at, at))


@pytest.fixture(params=["plain", "timescale"])
def either(request: pytest.FixtureRequest, tmp_path: Path) -> Either:
    kind = request.param
    if kind == "plain":
        made: Callable[[], Database] = request.getfixturevalue("new_database")
        dsn = made().dsn
    else:
        dsn = request.getfixturevalue("timescale")
    migrate(dsn, SQL / "migrations", timescale="auto" if kind == "timescale" else "off")
    found = Either(kind, dsn, one_line_copy(tmp_path / "sql"))
    found.put(LOTS)
    return found


class Sending:
    """An ingester on `either` for the time of one block, and a device that waits for its receipts."""

    def __init__(self, either: Either, broker: OwnBroker, device: TestDevice) -> None:
        self.either = either
        self.ingest = RunningIngest(ingest_settings(either.dsn, broker.port, batch_age_s=0.02), sql=either.sql)
        self.device = device

    async def __aenter__(self) -> "Sending":
        await self.ingest.start()
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.ingest.stop()

    async def stored(self, messages: list[dict[str, Any]]) -> None:
        self.device.stored.clear()
        await self.device.send_all([as_bytes(each) for each in messages])
        wanted = {(BOOT, each["seq"]) for each in messages}
        await self.device.until(lambda each: wanted <= each.stored, timeout_s=DEADLINE_S)


def many(first: int, count: int, at: datetime, **more: Any) -> list[dict[str, Any]]:
    return [sample(first + n, at=at + timedelta(seconds=n), **more) for n in range(count)]


async def test_one_line_two_databases(  # noqa: PLR0915  # one story, in its order
    either: Either, mosquitto: OwnBroker, new_device: Callable[..., Awaitable[TestDevice]]
) -> None:
    now = datetime.now(UTC).replace(microsecond=0)
    at_hour = now.replace(minute=0, second=0) - timedelta(hours=2)
    forty = at_hour - timedelta(days=40)
    ancient = at_hour - timedelta(days=100)
    device = await new_device(mosquitto.port)
    recent = many(1, 12, at_hour, lot_id=101) + many(13, 20, at_hour + timedelta(hours=1), lot_id=102, score=0.5)

    # The ingest path: new, again, in conflict, poison, a gap, an alert.
    async with Sending(either, mosquitto, device) as line:
        await line.stored(recent)
        await line.stored(recent)
        await line.stored(many(40, 5, forty, hist=True))
        await line.stored(many(50, 3, ancient, hist=True))
        await device.send(as_bytes(sample(1, at=at_hour, temperature_c=3, lot_id=101)))
        await device.send(as_bytes(sample(70, at=at_hour, meta={"poison": "\x00"})))
        await device.until(lambda each: {(BOOT, 1), (BOOT, 70)} <= each.rejected, timeout_s=DEADLINE_S)
        gap = {"boot_id": str(BOOT), "first_seq": 71, "last_seq": 90, "reason": "spool_full"}
        await device.send(as_bytes(event(91, "gap", gap=gap)), "event")
        await line.stored(many(60, 4, now - timedelta(seconds=5), score=0.5))
        assert line.ingest.counters.duplicates_total == len(recent)
    reasons = "SELECT reason FROM sqal_dead_letters ORDER BY reason"
    assert rows(either.dsn, reasons) == [("invalid",), ("sample_id_conflict",)]
    assert value(either.dsn, "SELECT count(*) FROM sqal_sensor_samples") == 44
    alert = "SELECT state, occurrences FROM sqal_alert_state WHERE alert_type = 'quality_low'"
    assert rows(either.dsn, alert) == [("unacknowledged", 4)]

    # The customer's statement as written; the third lot has no sample and its one empty row is not more than ten.
    assert [
        (code, float(itm), round(float(score), 2), count) for code, itm, score, count in rows(either.dsn, CORRELATION)
    ] == [
        ("LL-102", 16.25, 0.5, 20),
        ("LL-101", 15.5, 0.89, 12),
    ]

    # Real time: nothing was ever refreshed.
    assert value(either.dsn, "SELECT sum(sample_count) FROM sqal_hourly_stats") == 44
    assert value(either.dsn, "SELECT sum(total_samples) FROM sqal_site_stats WHERE site_code = 'LL'") == 44
    assert value(either.dsn, "SELECT sum(sample_count) FROM sqal_daily_stats") == 44

    # Forty days late, into what is compressed by now; the same again is the same row.
    either.jobs("policy_compression")
    assert either.is_compressed(forty) if either.kind == "timescale" else True
    late = many(100, 6, forty + timedelta(minutes=3), hist=True, score=0.7)
    async with Sending(either, mosquitto, device) as line:
        await line.stored(late)
        await line.stored(late)
        await line.stored(many(40, 5, forty, hist=True))
        assert line.ingest.counters.accepted_total == 6
        assert line.ingest.counters.duplicates_total == 11
    either.maintain(now)
    hour = "SELECT sum(sample_count), round(avg(avg_quality_score), 3) FROM sqal_hourly_stats WHERE bucket = %s"
    assert [(int(n), float(score)) for n, score in rows(either.dsn, hour, forty)] == [(11, 0.786)]

    # Retention takes samples older than 90 days and nothing of the figures.
    either.jobs("policy_retention")
    assert value(either.dsn, "SELECT count(*) FROM sqal_sensor_samples WHERE time < %s", now - timedelta(days=92)) == 0
    assert value(either.dsn, "SELECT count(*) FROM sqal_sensor_samples") == 47
    assert value(either.dsn, "SELECT sum(sample_count) FROM sqal_hourly_stats WHERE bucket > %s", forty) == 36
    days = "SELECT sum(total_samples) FROM sqal_site_stats WHERE bucket > %s"
    assert value(either.dsn, days, forty - timedelta(days=2)) == 47
    assert value(either.dsn, "SELECT total_samples FROM get_sqal_stats_period(%s, %s, 'LL')", forty, now) == 47
    assert value(either.dsn, "SELECT count(*) FROM get_latest_sqal_sample('ESP32_LL_01')") == 1
    again = either.maintain(now)
    assert (again.samples_deleted, again.dead_letters_deleted) == (0, 0)
    timescale = "on" if either.kind == "timescale" else "off"
    assert check(either.dsn, either.queries, SQL / "migrations", now=now, timescale=timescale) == []
    assert value(either.dsn, "SELECT count(*) FROM sqal_sensor_samples WHERE boot_id = %s", uuid.UUID(str(BOOT))) == 47
