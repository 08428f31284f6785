"""Goal: with TimescaleDB the same names mean the same: hypertables, policies, real-time aggregates, same columns.

Method: PostgreSQL 17 + TimescaleDB as WebAssembly; jobs are run by hand, for it has no background workers.
"""

import uuid
from datetime import UTC, datetime, timedelta
from typing import LiteralString, cast

import psycopg
import pytest

from cloud.commit import Message, Refused, Rules, Stored, commit
from cloud.judge import judge
from cloud.store.maintain import maintain
from cloud.store.migrate import migrate, status
from cloud.store.queries import Queries
from cloud.store.session import Connection, open_session, read_registry
from tests.kit.fix_database import Database
from tests.kit.fix_ingest import SQL, rows, value
from tests.kit.samples import as_bytes, sample

pytestmark = pytest.mark.timeout(180)
TOPIC = "sqal/v1/LL/line1/ESP32_LL_01/sample"


class OneLine(Queries):
    """Statements on one line without blanks between columns: the WebAssembly backend dies of a COPY that is long."""

    def __getitem__(self, name: str) -> LiteralString:
        words = " ".join(super().__getitem__(name).split())
        return cast("LiteralString", words.replace(", ", ","))


class Committer:
    """Commits as the ingester does, all on one session: the server's connections share their prepared statements."""

    def __init__(self, connection: Connection, queries: Queries, now: datetime) -> None:
        self.connection = connection
        self.rules = Rules(queries=queries, language="fr", now=lambda: now, new_id=uuid.uuid4)
        self.now = now

    async def __call__(self, *messages: bytes) -> list[object]:
        registry = await read_registry(self.connection, self.rules.queries)
        judged = [judge(TOPIC, each, registry=registry, now=self.now, future_s_max=86_400) for each in messages]
        batch = [Message(TOPIC, each, verdict) for each, verdict in zip(messages, judged, strict=True)]
        return list(await commit(self.connection, self.rules, batch))


def columns(dsn: str, name: str) -> list[tuple[object, ...]]:
    """Without those of numeric columns' precision: an aggregate of TimescaleDB and a view of ours may say less."""
    query = """SELECT column_name, udt_name FROM information_schema.columns WHERE table_name = %s
        ORDER BY ordinal_position"""
    return rows(dsn, query, name)


async def test_the_whole_store_on_timescaledb(timescale: str, store: Database) -> None:
    """One test, for the server takes seconds to start: migrate, ingest, aggregate, compress, retain."""
    applied = migrate(timescale, SQL / "migrations", timescale="auto")
    assert [each.variant for each in applied if each.name == "statistics"] == ["timescale"]
    assert migrate(timescale, SQL / "migrations") == []
    assert all(line.applied_at for line in status(timescale, SQL / "migrations"))

    hypertables = "SELECT hypertable_name FROM timescaledb_information.hypertables ORDER BY 1"
    assert [name for (name,) in rows(timescale, hypertables)][-2:] == ["sqal_alerts", "sqal_sensor_samples"]
    policies = """SELECT proc_name, hypertable_name, config ->> 'drop_after', config ->> 'compress_after'
        FROM timescaledb_information.jobs WHERE hypertable_name IN ('sqal_alerts', 'sqal_sensor_samples')
        ORDER BY 2, 1"""
    assert rows(timescale, policies) == [
        ("policy_compression", "sqal_alerts", None, "30 days"),
        ("policy_retention", "sqal_alerts", "180 days", None),
        ("policy_compression", "sqal_sensor_samples", None, "7 days"),
        ("policy_retention", "sqal_sensor_samples", "90 days", None),
    ]
    for name in ("sqal_sensor_samples", "sqal_hourly_stats", "sqal_site_stats", "sqal_alerts"):
        assert columns(timescale, name) == columns(store.dsn, name), name

    now = datetime.now(UTC).replace(microsecond=0)
    queries = OneLine(SQL / "queries")
    commit_all = Committer(await open_session(timescale, queries), queries, now)
    messages = [as_bytes(sample(seq, at=now - timedelta(seconds=seq), score=0.5)) for seq in range(1, 31)]
    messages += [as_bytes(sample(31, at=now - timedelta(days=20))), as_bytes(sample(32, at=now - timedelta(days=100)))]
    settled = await commit_all(*messages)
    assert all(isinstance(each, Stored) and each.is_new for each in settled)
    again = await commit_all(*messages)
    assert all(isinstance(each, Stored) and not each.is_new for each in again)
    conflict = await commit_all(as_bytes(sample(1, at=now - timedelta(seconds=1), temperature_c=3)))
    assert [type(each) for each in conflict] == [Refused]
    assert value(timescale, "SELECT count(*) FROM sqal_sensor_samples") == 32
    assert value(timescale, "SELECT occurrences FROM sqal_alert_state WHERE alert_type = 'quality_low'") == 30

    # Real-time: nothing was ever refreshed, and the newest sample is in both.
    assert value(timescale, "SELECT sum(sample_count) FROM sqal_hourly_stats") == 32
    assert value(timescale, "SELECT sum(total_samples) FROM sqal_site_stats WHERE site_code = 'LL'") == 32
    period = (now - timedelta(days=21), now + timedelta(seconds=1))
    assert value(timescale, "SELECT total_samples FROM get_sqal_stats_period(%s, %s, 'LL')", *period) == 31
    assert value(timescale, "SELECT count(*) FROM get_latest_sqal_sample('ESP32_LL_01')") == 1

    with psycopg.connect(timescale, autocommit=True) as connection:
        jobs = "SELECT job_id FROM timescaledb_information.jobs WHERE proc_name = %s AND hypertable_name = %s"
        for policy in ("policy_compression", "policy_retention"):
            (job,) = connection.execute(jobs, (policy, "sqal_sensor_samples")).fetchone() or (0,)
            connection.execute("CALL run_job(%s)", (job,))
    compressed = "SELECT count(*) FROM timescaledb_information.chunks WHERE hypertable_name = %s AND is_compressed"
    assert value(timescale, compressed, "sqal_sensor_samples") >= 1
    assert value(timescale, "SELECT count(*) FROM sqal_sensor_samples") == 31
    old = await commit_all(as_bytes(sample(31, at=now - timedelta(days=20))))
    assert [isinstance(each, Stored) and not each.is_new for each in old] == [True]

    # Late data, into a compressed chunk, reaches the aggregates.
    late = await commit_all(as_bytes(sample(40, at=now - timedelta(days=20, minutes=1), score=0.5)))
    assert [isinstance(each, Stored) and each.is_new for each in late] == [True]
    done = maintain(timescale, queries, now=now, dead_letter_days=30, dead_letter_bytes=1 << 30)
    assert done.aggregates_refreshed == 2
    days = "SELECT sum(sample_count) FROM sqal_daily_stats WHERE bucket BETWEEN %s AND %s"
    assert value(timescale, days, now - timedelta(days=22), now - timedelta(days=19)) == 2
    materialized = "SELECT sum(total_samples) FROM sqal_site_stats WHERE bucket < now() - INTERVAL '19 days'"
    assert value(timescale, materialized) == 2
    await commit_all.connection.close()
