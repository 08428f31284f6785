"""Bring a database to the present schema: numbered SQL files, forward only, each applied once.

A file `NNNN_name.sql` runs in one transaction, unless its first line is `-- non-transactional`: then it runs statement
by statement (each ends with `;` at the end of a line) and must be safe to repeat. `timescale/NNNN_name.sql` takes the
place of the file of that number where TimescaleDB is used. What was applied is recorded with its checksum in
`sqal_migrations`; a file that changed afterwards is an error, as is a database that is ahead of the files.

Errors:

    Exception
    └── MigrationError   one sentence for a person: what is wrong with which migration
"""

import hashlib
import re
from collections.abc import Generator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime
from itertools import pairwise
from pathlib import Path
from typing import Literal, LiteralString, cast

import psycopg
from psycopg.rows import tuple_row

ADVISORY_LOCK = 0x5351_414C_0001  # "SQAL", 1: two migrations at once wait for each other
NON_TRANSACTIONAL = "-- non-transactional"
NAME = re.compile(r"(\d{4})_([a-z0-9_]+)\.sql")

Timescale = Literal["auto", "on", "off"]
Connection = psycopg.Connection[tuple[object, ...]]

LEDGER = """
CREATE TABLE IF NOT EXISTS sqal_migrations (
    version INTEGER PRIMARY KEY,
    name VARCHAR(200) NOT NULL,
    variant VARCHAR(20) NOT NULL,
    checksum VARCHAR(64) NOT NULL,
    applied_at TIMESTAMPTZ NOT NULL DEFAULT clock_timestamp()
)"""
RECORD = "INSERT INTO sqal_migrations (version, name, variant, checksum) VALUES (%s, %s, %s, %s)"
APPLIED = "SELECT version, name, variant, checksum, applied_at FROM sqal_migrations ORDER BY version"


class MigrationError(Exception):
    """The schema cannot be brought forward; the text is one sentence for a person."""


@dataclass(frozen=True, slots=True)
class Migration:
    """One file: `variant` is `core` or `timescale`."""

    version: int
    name: str
    variant: str
    text: str

    @property
    def checksum(self) -> str:
        """SHA-256 of the text, in hexadecimal."""
        return hashlib.sha256(self.text.encode()).hexdigest()

    @property
    def is_transactional(self) -> bool:
        """Whether it runs as a whole or not at all."""
        return not self.text.startswith(NON_TRANSACTIONAL)


@dataclass(frozen=True, slots=True)
class Status:
    """One line of `sqal db status`: `applied_at` is None while it waits."""

    version: int
    name: str
    variant: str
    applied_at: datetime | None


def read_migrations(folder: Path, *, timescale: bool) -> list[Migration]:
    """Return the migrations in `folder` in their order. Raises MigrationError: a number used twice, a strange name.

    Numbers may leave holes: branches that are written at the same time take ranges of their own. What lies in a hole
    and arrives later is applied later.
    """
    files = {path.name: (path, "core") for path in folder.glob("*.sql")}
    for path in (folder / "timescale").glob("*.sql"):
        if path.name not in files:
            raise MigrationError(f"timescale/{path.name} takes the place of no migration of that name")
        if timescale:
            files[path.name] = (path, "timescale")
    found: list[Migration] = []
    for name, (path, variant) in sorted(files.items()):
        match = NAME.fullmatch(name)
        if match is None:
            raise MigrationError(f"{name} is no name of a migration: NNNN_words.sql")
        found.append(Migration(int(match[1]), match[2], variant, path.read_text(encoding="utf-8")))
    for one, other in pairwise(found):
        if one.version == other.version:
            raise MigrationError(f"{one.version:04} is the number of two migrations: {one.name} and {other.name}")
    return found


def migrate(dsn: str, folder: Path, *, timescale: Timescale = "auto") -> list[Migration]:
    """Apply what is missing and return it. Raises MigrationError; a failed file leaves no trace of itself.

    `timescale`: `auto` uses TimescaleDB where the server offers it; what a database began with, it keeps.
    """
    with _locked(dsn) as connection:
        connection.execute(LEDGER)
        migrations = read_migrations(folder, timescale=_with_timescale(connection, timescale))
        waiting = _waiting(connection, migrations)
        for migration in waiting:
            try:
                _apply(connection, migration)
            except psycopg.Error as error:
                raise MigrationError(
                    f"{migration.version:04}_{migration.name} ({migration.variant}): {error}"
                ) from error
        return waiting


def status(dsn: str, folder: Path, *, timescale: Timescale = "auto") -> list[Status]:
    """Return every migration and when it was applied; changes nothing. Raises MigrationError like `migrate`."""
    with _connected(dsn) as connection:
        made = _exists(connection, "SELECT to_regclass('sqal_migrations') IS NOT NULL")
        migrations = read_migrations(folder, timescale=_with_timescale(connection, timescale, create=False))
        applied = _applied(connection) if made else {}
        _refuse_strangers(migrations, applied)
        return [
            Status(each.version, each.name, each.variant, applied[each.version][3] if each.version in applied else None)
            for each in migrations
        ]


@contextmanager
def _connected(dsn: str) -> Generator[Connection]:
    try:
        connection: Connection = psycopg.connect(dsn, autocommit=True, row_factory=tuple_row, prepare_threshold=None)
    except psycopg.OperationalError as error:
        raise MigrationError(f"the database cannot be reached: {error}".strip()) from error
    with connection:
        yield connection


@contextmanager
def _locked(dsn: str) -> Generator[Connection]:
    """Connect and hold the lock for as long as the session lives: it ends with us, however we end."""
    with _connected(dsn) as connection:
        connection.execute("SELECT pg_advisory_lock(%s)", (ADVISORY_LOCK,))
        yield connection


def _with_timescale(connection: Connection, wish: Timescale, *, create: bool = True) -> bool:
    """Decide whether TimescaleDB is used, and make its extension where it is and is missing."""
    if _exists(connection, "SELECT to_regclass('sqal_migrations') IS NOT NULL"):
        begun = connection.execute(
            "SELECT count(*), count(*) FILTER (WHERE variant = 'timescale') FROM sqal_migrations"
        )
        row = begun.fetchone()
        if row is not None and row[0]:
            reached = _exists(connection, "SELECT max(version) >= 3 FROM sqal_migrations")
            if reached:
                return bool(row[1])
    if wish == "off":
        return False
    offered = _exists(connection, "SELECT EXISTS (SELECT FROM pg_available_extensions WHERE name = 'timescaledb')")
    offered = offered or _exists(connection, "SELECT EXISTS (SELECT FROM pg_extension WHERE extname = 'timescaledb')")
    if not offered and wish == "on":
        raise MigrationError("TimescaleDB is asked for, but this server does not offer it")
    if offered and create:
        connection.execute("CREATE EXTENSION IF NOT EXISTS timescaledb")
    return offered


def _waiting(connection: Connection, migrations: list[Migration]) -> list[Migration]:
    applied = _applied(connection)
    _refuse_strangers(migrations, applied)
    return [migration for migration in migrations if migration.version not in applied]


def _applied(connection: Connection) -> dict[int, tuple[str, str, str, datetime]]:
    rows = cast("list[tuple[int, str, str, str, datetime]]", connection.execute(APPLIED).fetchall())
    return {version: (name, variant, checksum, at) for version, name, variant, checksum, at in rows}


def _refuse_strangers(migrations: list[Migration], applied: dict[int, tuple[str, str, str, datetime]]) -> None:
    known = {migration.version: migration for migration in migrations}
    for version, (name, _, checksum, _) in applied.items():
        if version not in known:
            raise MigrationError(f"the database is ahead: it has migration {version:04}_{name}, which this SQAL lacks")
        if known[version].checksum != checksum:
            raise MigrationError(f"migration {version:04}_{name} was changed after it had been applied")


def _apply(connection: Connection, migration: Migration) -> None:
    record = (migration.version, migration.name, migration.variant, migration.checksum)
    if migration.is_transactional:
        with connection.transaction():
            connection.execute(_sql(migration.text))
            connection.execute(RECORD, record)
        return
    for statement in re.split(r";[ \t]*$", migration.text, flags=re.MULTILINE):
        if re.sub(r"--.*", "", statement).strip():
            connection.execute(_sql(statement))
    connection.execute(RECORD, record)


def _sql(text: str) -> LiteralString:
    return cast("LiteralString", text)  # our own files, not input


def _exists(connection: Connection, question: LiteralString) -> bool:
    row = connection.execute(question).fetchone()
    return row is not None and bool(row[0])
