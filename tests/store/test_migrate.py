"""Goal: the migrations bring any database to the one schema, once, whole or not at all.

Method: real databases; the catalog is compared, not the text.
"""

import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import psycopg
import pytest
from click.testing import CliRunner

from cloud.store.migrate import MigrationError, migrate, read_migrations, status
from cloud.store.schema import schema_text
from sqal.commands.db import db
from tests.kit.fix_database import Database
from tests.kit.fix_ingest import SQL, rows, value

MIGRATIONS = SQL / "migrations"

CATALOG = {
    "columns": """SELECT table_name, column_name, ordinal_position, data_type, udt_name, character_maximum_length,
        numeric_precision, numeric_scale, is_nullable, column_default FROM information_schema.columns
        WHERE table_schema = 'public' ORDER BY 1, 3""",
    "constraints": """SELECT conrelid::regclass::text, conname, pg_get_constraintdef(oid) FROM pg_constraint
        WHERE connamespace = 'public'::regnamespace ORDER BY 1, 2""",
    "indexes": "SELECT tablename, indexname, indexdef FROM pg_indexes WHERE schemaname = 'public' ORDER BY 1, 2",
    "views": "SELECT viewname, definition FROM pg_views WHERE schemaname = 'public' ORDER BY 1",
    "functions": """SELECT oid::regprocedure::text, pg_get_functiondef(oid) FROM pg_proc
        WHERE pronamespace = 'public'::regnamespace ORDER BY 1""",
    "triggers": """SELECT tgrelid::regclass::text, tgname, pg_get_triggerdef(oid) FROM pg_trigger
        WHERE NOT tgisinternal ORDER BY 1, 2""",
}


def catalog(dsn: str) -> dict[str, list[tuple[Any, ...]]]:
    found = {name: rows(dsn, query) for name, query in CATALOG.items()}
    return {name: [row for row in part if "sqal_migrations" not in str(row[0])] for name, part in found.items()}


def folder(tmp_path: Path, **files: str) -> Path:
    for name, text in files.items():
        (tmp_path / f"{name}.sql").write_text(text)
    return tmp_path


def test_the_migrations_add_up_to_the_schema_file(new_database: Callable[..., Database]) -> None:
    by_steps, at_once = new_database(), new_database()
    assert (SQL / "schema.sql").read_text() == schema_text(MIGRATIONS), "run `sqal db schema > sql/schema.sql`"
    migrate(by_steps.dsn, MIGRATIONS, timescale="off")
    script = "".join(
        line
        for line in (SQL / "schema.sql").read_text().splitlines(keepends=True)
        if not line.startswith("\\")  # psql's own commands
    )
    with psycopg.connect(at_once.dsn) as connection:
        connection.execute(script.encode())
    assert migrate(at_once.dsn, MIGRATIONS) == []
    ours, theirs = catalog(by_steps.dsn), catalog(at_once.dsn)
    for part, expected in ours.items():
        assert theirs[part] == expected, part
    assert rows(at_once.dsn, "SELECT device_id FROM sqal_devices ORDER BY 1") == [
        ("ESP32_LL_01",),
        ("ESP32_LS_01",),
        ("ESP32_MT_01",),
    ]


def test_a_second_time_does_nothing(database: Database) -> None:
    assert len(migrate(database.dsn, MIGRATIONS)) == len(read_migrations(MIGRATIONS, timescale=False))
    assert migrate(database.dsn, MIGRATIONS) == []
    assert all(line.applied_at for line in status(database.dsn, MIGRATIONS))


def test_two_at_once_wait_for_each_other(database: Database) -> None:
    results: list[int] = []
    threads = [
        threading.Thread(target=lambda: results.append(len(migrate(database.dsn, MIGRATIONS)))) for _ in range(3)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(30)
    assert sorted(results) == [0, 0, len(read_migrations(MIGRATIONS, timescale=False))]


def test_a_failing_migration_leaves_no_trace_and_the_ones_before_it_stay(database: Database, tmp_path: Path) -> None:
    files = folder(tmp_path, **{"0001_good": "CREATE TABLE a ();", "0002_bad": "CREATE TABLE b (); SELECT 1 / 0;"})
    with pytest.raises(MigrationError, match=r"0002_bad \(core\): division by zero"):
        migrate(database.dsn, files)
    assert value(database.dsn, "SELECT to_regclass('a') IS NOT NULL AND to_regclass('b') IS NULL")
    assert [line.applied_at is not None for line in status(database.dsn, files)] == [True, False]


def test_a_non_transactional_one_keeps_what_worked_and_can_be_repeated(database: Database, tmp_path: Path) -> None:
    text = "-- non-transactional\nCREATE TABLE IF NOT EXISTS a ();\n\nCREATE INDEX CONCURRENTLY ON missing (x);\n"
    files = folder(tmp_path, **{"0001_slow": text})
    with pytest.raises(MigrationError, match="missing"):
        migrate(database.dsn, files)
    with psycopg.connect(database.dsn) as connection:
        connection.execute("CREATE TABLE missing (x int)")
    assert [each.name for each in migrate(database.dsn, files)] == ["slow"]


def test_a_changed_migration_is_refused(database: Database, tmp_path: Path) -> None:
    files = folder(tmp_path, **{"0001_good": "CREATE TABLE a ();"})
    migrate(database.dsn, files)
    folder(tmp_path, **{"0001_good": "CREATE TABLE a (b int);"})
    with pytest.raises(MigrationError, match="0001_good was changed after"):
        migrate(database.dsn, files)


def test_a_database_that_is_ahead_is_refused(database: Database, tmp_path: Path) -> None:
    files = folder(tmp_path, **{"0001_good": "SELECT 1;", "0002_new": "SELECT 1;"})
    migrate(database.dsn, files)
    (tmp_path / "0002_new.sql").unlink()
    with pytest.raises(MigrationError, match="the database is ahead: it has migration 0002_new"):
        migrate(database.dsn, files)


@pytest.mark.parametrize(
    ("names", "words"),
    [(["1_a"], "no name of a migration"), (["0001_a", "0001_b"], "number of two migrations")],
)
def test_strange_files_are_refused(tmp_path: Path, names: list[str], words: str) -> None:
    with pytest.raises(MigrationError, match=words):
        read_migrations(folder(tmp_path, **dict.fromkeys(names, "SELECT 1;")), timescale=False)


def test_what_the_customer_has_already_is_not_touched(database: Database) -> None:
    """Their sites have other columns and rows, their lots call the ITM `itm`: both stay as they are."""
    with psycopg.connect(database.dsn) as connection:
        connection.execute(
            """CREATE TABLE sites_euralis (code VARCHAR(2) PRIMARY KEY, libelle TEXT NOT NULL);
            INSERT INTO sites_euralis VALUES ('LL', 'Chez nous');
            CREATE TABLE lots_gavage (id SERIAL PRIMARY KEY, code_lot TEXT UNIQUE NOT NULL, debut_lot DATE NOT NULL,
                itm NUMERIC)"""
        )
    neighbours = """SELECT table_name, column_name FROM information_schema.columns
        WHERE table_name IN ('sites_euralis', 'lots_gavage') ORDER BY 1, 2"""
    before = rows(database.dsn, neighbours)
    migrate(database.dsn, MIGRATIONS)
    assert rows(database.dsn, neighbours) == before
    assert rows(database.dsn, "SELECT * FROM sites_euralis") == [("LL", "Chez nous")]
    assert rows(database.dsn, "SELECT device_id FROM sqal_devices") == [("ESP32_LL_01",)]


def test_timescale_that_is_asked_for_and_not_there_is_a_sentence(database: Database) -> None:
    with pytest.raises(MigrationError, match="this server does not offer it"):
        migrate(database.dsn, MIGRATIONS, timescale="on")


def test_a_database_that_is_not_there_is_a_sentence() -> None:
    with pytest.raises(MigrationError, match="the database cannot be reached"):
        migrate("postgresql://postgres@127.0.0.1:1/none", MIGRATIONS)


def test_the_command_says_what_it_did(database: Database) -> None:
    run = CliRunner(env={"DATABASE_URL": database.dsn}).invoke
    waiting = run(db, ["status"])
    assert waiting.exit_code == 1
    assert "0001 neighbours" in waiting.output
    assert "waiting" in waiting.output
    first = run(db, ["migrate"])
    assert first.exit_code == 0, first.output
    assert "0002 tables (core)" in first.output
    assert run(db, ["migrate"]).output == "the schema is up to date\n"
    assert run(db, ["status"]).exit_code == 0


def test_the_command_names_a_wrong_key() -> None:
    result = CliRunner(env={"SQAL_DATABASE_URI": "x"}).invoke(db, ["status"])
    assert result.exit_code == 1
    assert "SQAL_DATABASE_URI" in result.output


def test_numbers_may_leave_holes_that_are_filled_later(tmp_path: Path, database: Database) -> None:
    """Branches that are written at the same time take ranges of their own and land in any order."""
    migrate(database.dsn, folder(tmp_path, **{"0001_one": "SELECT 1", "0030_late": "SELECT 30"}), timescale="off")
    applied = migrate(database.dsn, folder(tmp_path, **{"0010_early": "SELECT 10"}), timescale="off")
    assert [each.version for each in applied] == [10]
    assert [each.version for each in status(database.dsn, tmp_path)] == [1, 10, 30]
