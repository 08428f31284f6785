"""Goal: what an operator does to the database does what it says: maintain, check, back up, restore, separate roles.

Method: the commands themselves on real databases; a restored one must equal the other and go on ingesting.
"""

from collections.abc import Awaitable, Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path

import psycopg
import pytest
from click.testing import CliRunner, Result

from cloud.store.migrate import migrate
from sqal.commands.db import db
from tests.kit.fix_broker import OwnBroker
from tests.kit.fix_database import Database
from tests.kit.fix_ingest import SQL, RunningIngest, TestDevice, ingest_settings, rows, value
from tests.kit.samples import BOOT, as_bytes, event, sample

NewIngest = Callable[..., Awaitable[RunningIngest]]
NewDevice = Callable[..., Awaitable[TestDevice]]

PUT = """INSERT INTO sqal_sensor_samples (time, sample_id, device_id, vl53l8ch_distance_matrix,
    vl53l8ch_reflectance_matrix, vl53l8ch_amplitude_matrix, as7341_channels, fusion_final_score, fusion_final_grade)
    SELECT now() - make_interval(days => d), 's' || d, 'ESP32_LL_01', z.m, z.m, z.m, '{1,2,3,4,5,6,7,8,9,10}', 0.8, 'A'
    FROM generate_series(1, 200, 10) AS d,
        (SELECT array_agg(row_of ORDER BY n)::SMALLINT[] AS m
         FROM generate_series(1, 8) AS n, (SELECT array_fill(7, ARRAY[8]) AS row_of) AS r) AS z"""


def run(dsn: str, *statements: str) -> None:
    with psycopg.connect(dsn, autocommit=True) as connection:
        for statement in statements:
            connection.execute(statement.encode())


def command(dsn: str, *words: str) -> Result:
    return CliRunner().invoke(db, list(words), env={"SQAL_DATABASE_URL": dsn})


def test_maintain_forgets_what_is_old_and_keeps_its_figures(store: Database) -> None:
    run(store.dsn, PUT)
    old_alert = """INSERT INTO sqal_alerts (time, device_id, alert_type, severity, message)
        VALUES (now() - INTERVAL '200 days', 'ESP32_LL_01', 'gap', 'warning', 'x')"""
    run(store.dsn, old_alert)
    before = rows(store.dsn, "SELECT * FROM sqal_hourly_stats ORDER BY 1")
    checked = command(store.dsn, "check")
    assert checked.exit_code == 1
    assert "outlived their retention" in checked.output
    done = command(store.dsn, "maintain")
    assert done.exit_code == 0, done.output
    assert value(store.dsn, "SELECT count(*) FROM sqal_sensor_samples") == 9
    assert value(store.dsn, "SELECT count(*) FROM sqal_alerts") == 0
    assert rows(store.dsn, "SELECT * FROM sqal_hourly_stats ORDER BY 1") == before
    assert value(store.dsn, "SELECT sum(sample_count) FROM sqal_daily_stats") == 20
    assert value(store.dsn, "SELECT sum(total_samples) FROM sqal_site_days WHERE site_code = 'LL'") == 20
    assert command(store.dsn, "maintain").exit_code == 0
    assert command(store.dsn, "check").output == "all is well\n"


def test_maintain_forgets_old_messages_to_channels_but_none_that_wait(store: Database) -> None:
    run(
        store.dsn,
        "INSERT INTO sqal_channels (name, kind, target) VALUES ('mail', 'email', 'a@b.example')",
        """INSERT INTO sqal_notifications (channel_id, site_code, payload, state, created_at)
        SELECT c.channel_id, 'LL', '{}', s.state, now() - make_interval(days => s.days) FROM sqal_channels AS c,
            (VALUES ('sent', 200), ('dead', 200), ('waiting', 200), ('sent', 100)) AS s (state, days)""",
    )
    done = command(store.dsn, "maintain")
    assert "notifications deleted  2" in done.output
    left = rows(store.dsn, "SELECT state FROM sqal_notifications ORDER BY state")
    assert left == [("sent",), ("waiting",)]


def test_check_finds_figures_that_do_not_fit_their_samples(store: Database) -> None:
    run(store.dsn, PUT, "UPDATE sqal_stats_hours SET sample_count = 2 WHERE bucket > now() - INTERVAL '3 days'")
    found = command(store.dsn, "check")
    assert found.exit_code == 1
    assert "the figures of ESP32_LL_01 in the hour" in found.output


async def test_a_restored_database_is_the_same_and_goes_on(
    *,
    store: Database,
    new_database: Callable[..., Database],
    migrated_template: str,
    mosquitto: OwnBroker,
    new_ingest: NewIngest,
    new_device: NewDevice,
    tmp_path: Path,
) -> None:
    ingest = await new_ingest(ingest_settings(store.dsn, mosquitto.port))
    device = await new_device(mosquitto.port)
    now = datetime.now(UTC)
    await device.send_all(
        [as_bytes(sample(seq, at=now - timedelta(seconds=60 - seq), score=0.5)) for seq in range(1, 41)]
    )
    await device.send(as_bytes(event(41, "restart")), "event")
    await device.until(lambda each: len(each.stored) == 41)
    await ingest.stop()
    run(store.dsn, "INSERT INTO lots_gavage (code_lot, site_code, debut_lot) VALUES ('L1', 'LL', '2026-11-01')")
    made = command(store.dsn, "backup", str(tmp_path / "sqal.tar.gz"))
    assert made.exit_code == 0, made.output
    other = new_database(template=migrated_template)
    loaded = command(other.dsn, "restore", str(tmp_path / "sqal.tar.gz"))
    assert loaded.exit_code == 0, loaded.output
    names = [
        name for (name,) in rows(store.dsn, "SELECT tablename FROM pg_tables WHERE schemaname = 'public' ORDER BY 1")
    ]
    for name in names:
        query = f"SELECT t::TEXT FROM {name} AS t ORDER BY 1"  # noqa: S608  # from the catalogue
        if name != "sqal_migrations":  # when each was applied
            assert rows(other.dsn, query) == rows(store.dsn, query), name
    assert "holds samples already" in command(other.dsn, "restore", str(tmp_path / "sqal.tar.gz")).output
    assert command(other.dsn, "check").output == "all is well\n"
    await new_ingest(ingest_settings(other.dsn, mosquitto.port))
    await device.send_all(
        [as_bytes(sample(40, at=now - timedelta(seconds=20), score=0.5)), as_bytes(sample(42, score=0.5))]
    )
    await device.until(lambda each: (BOOT, 42) in each.stored)
    assert value(other.dsn, "SELECT count(*) FROM sqal_sensor_samples") == 41


def test_a_backup_of_another_schema_is_refused(store: Database, database: Database, tmp_path: Path) -> None:
    file = tmp_path / "sqal.tar.gz"
    assert command(store.dsn, "backup", str(file)).exit_code == 0
    assert "run `sqal db migrate` first" in command(database.dsn, "restore", str(file)).output
    run(store.dsn, "UPDATE sqal_migrations SET checksum = 'other' WHERE version = 1")
    assert "made with other migrations" in command(store.dsn, "restore", str(file)).output


async def test_each_role_may_do_its_part_and_no_more(
    store: Database, mosquitto: OwnBroker, new_ingest: NewIngest, new_device: NewDevice
) -> None:
    """Ingest runs as a user of its role; nobody changes a fact."""
    run(store.dsn, (SQL / "roles.sql").read_text(), (SQL / "roles.sql").read_text())
    for role in ("ingest", "api"):
        run(store.dsn, f"DROP ROLE IF EXISTS test_{role}", f"CREATE USER test_{role} IN ROLE sqal_{role}")
    as_ingest, as_api = (store.dsn.replace("postgres@", f"test_{role}@") for role in ("ingest", "api"))
    await new_ingest(ingest_settings(as_ingest, mosquitto.port))
    device = await new_device(mosquitto.port)
    now = datetime.now(UTC)
    await device.send(as_bytes(sample(1, at=now, score=0.5)))
    await device.send(b"{}")
    await device.send(
        as_bytes(event(2, "gap", gap={"boot_id": str(BOOT), "first_seq": 9, "last_seq": 9, "reason": "x"})), "event"
    )
    await device.until(lambda each: len(each.stored) == 2)
    assert value(as_api, "SELECT count(*) FROM sqal_sensor_samples_json") == 1
    assert value(as_api, "SELECT count(*) FROM sqal_dead_letters") == 1
    for dsn in (as_ingest, as_api):
        for statement in (
            "UPDATE sqal_sensor_samples SET fusion_final_score = 1",
            "DELETE FROM sqal_sensor_samples",
            "DELETE FROM sqal_alerts",
            "UPDATE sqal_alerts SET message = ''",
            "TRUNCATE sqal_events",
        ):
            with pytest.raises(psycopg.errors.InsufficientPrivilege):
                run(dsn, statement)
    with pytest.raises(psycopg.errors.InsufficientPrivilege):
        run(as_api, PUT)
    run(as_api, "UPDATE sqal_alerts SET is_acknowledged = TRUE")


def test_a_database_with_neighbours_of_its_own_is_adopted(database: Database) -> None:
    """The customer's tables stay as they are, rows and columns; ours refer to them."""
    run(
        database.dsn,
        "CREATE TABLE sites_euralis (code VARCHAR(2) PRIMARY KEY, nom TEXT, directeur TEXT)",
        "INSERT INTO sites_euralis VALUES ('LL', 'Bretagne', 'Anne'), ('LS', 'Loire', 'Luc')",
        "CREATE TABLE lots_gavage (id SERIAL PRIMARY KEY, code_lot TEXT, site_code VARCHAR(2), itm NUMERIC(5,2))",
        "INSERT INTO lots_gavage (code_lot, site_code, itm) VALUES ('LL2512001', 'LL', 14.5)",
    )
    before = [rows(database.dsn, f"SELECT * FROM {name}") for name in ("sites_euralis", "lots_gavage")]  # noqa: S608
    migrate(database.dsn, SQL / "migrations", timescale="off")
    assert [rows(database.dsn, f"SELECT * FROM {name}") for name in ("sites_euralis", "lots_gavage")] == before  # noqa: S608
    assert rows(database.dsn, "SELECT device_id FROM sqal_devices ORDER BY 1") == [("ESP32_LL_01",), ("ESP32_LS_01",)]
    run(database.dsn, PUT, "UPDATE sqal_sensor_samples SET lot_id = 1")
    correlation = """SELECT l.code_lot, l.itm, avg(s.fusion_final_score), count(*)
        FROM lots_gavage l JOIN sqal_sensor_samples s ON s.lot_id = l.id GROUP BY 1, 2"""
    assert [row[0] for row in rows(database.dsn, correlation)] == ["LL2512001"]
    assert command(database.dsn, "status").exit_code == 0
