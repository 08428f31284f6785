"""Backup and restore without the server's own programs: every table by binary COPY, out of one snapshot, in one file.

The file is a tar archive: `manifest.json` (migrations, tables with their columns and row counts, sequences), then one
member for each table. A backup is restored into a database that the same migrations made and that holds no samples;
what a person had entered there before is replaced. Neighbours' tables are only added to. Triggers and references are
off while it loads (the role must be a superuser, or the owner with the right to set `session_replication_role`).
"""

import io
import json
import tarfile
import tempfile
from collections.abc import Generator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import psycopg
from psycopg import sql

from cloud.store.migrate import MigrationError

FORMAT = 1
MANIFEST = "manifest.json"
NEIGHBOURS = ("sites_euralis", "lots_gavage")
SPOOL_BYTES = 64 * 1024 * 1024  # of one table in memory before it goes to a temporary file
TABLES = """SELECT c.relname, array_agg(a.attname ORDER BY a.attnum)
    FROM pg_class c JOIN pg_attribute a ON a.attrelid = c.oid AND a.attnum > 0 AND NOT a.attisdropped
    WHERE c.relnamespace = 'public'::REGNAMESPACE AND c.relkind IN ('r', 'p')
        AND (c.relname LIKE 'sqal\\_%%' OR c.relname = ANY(%s)) AND c.relname <> 'sqal_migrations'
    GROUP BY c.relname ORDER BY c.relname"""
SEQUENCES = """SELECT sequencename, last_value FROM pg_sequences
    WHERE schemaname = 'public' AND last_value IS NOT NULL ORDER BY 1"""
MIGRATIONS = "SELECT version, checksum FROM sqal_migrations ORDER BY version"

Connection = psycopg.Connection[tuple[Any, ...]]


def backup(dsn: str, file: Path) -> dict[str, int]:
    """Write a backup to `file`, which appears when it is whole; return rows by table. Raises MigrationError."""
    making = file.with_name(f"{file.name}.making")
    with _connected(dsn) as connection, connection.transaction():
        connection.execute("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ READ ONLY")
        tables = {str(name): list(columns) for name, columns in connection.execute(TABLES, (list(NEIGHBOURS),))}
        manifest: dict[str, Any] = {
            "format": FORMAT,
            "migrations": [list(row) for row in connection.execute(MIGRATIONS)],
            "sequences": dict(connection.execute(SEQUENCES).fetchall()),
            "tables": {},
        }
        with tarfile.open(making, "w:gz", compresslevel=3) as archive:
            for name, columns in tables.items():
                rows = _write_table(connection, archive, name, columns)
                manifest["tables"][name] = {"columns": columns, "rows": rows}
            _add(archive, MANIFEST, io.BytesIO(json.dumps(manifest).encode()))
    making.replace(file)
    return {name: table["rows"] for name, table in manifest["tables"].items()}


def restore(dsn: str, file: Path) -> dict[str, int]:
    """Load `file` in one transaction and return rows by table. Raises MigrationError: another schema, not empty."""
    with tarfile.open(file, "r:gz") as archive, _connected(dsn) as connection, connection.transaction():
        manifest = json.loads(_member(archive, MANIFEST).read())
        _refuse_unfit(connection, manifest)
        connection.execute("SET LOCAL session_replication_role = replica")
        for name, table in manifest["tables"].items():
            _read_table(connection, archive, name, table["columns"])
        for name, last in manifest["sequences"].items():
            connection.execute("SELECT setval(%s::REGCLASS, %s)", (f"public.{name}", last))
        return {name: _count(connection, name) for name in manifest["tables"]}


@contextmanager
def _connected(dsn: str) -> Generator[Connection]:
    try:
        connection = psycopg.connect(dsn, autocommit=True)
    except psycopg.OperationalError as error:
        raise MigrationError(f"the database cannot be reached: {error}".strip()) from error
    with connection:
        yield connection


def _write_table(connection: Connection, archive: tarfile.TarFile, name: str, columns: list[str]) -> int:
    """COPY of a query and not of the table: a hypertable keeps its rows in others."""
    query = sql.SQL("COPY (SELECT {} FROM {}) TO STDOUT (FORMAT BINARY)").format(_list(columns), sql.Identifier(name))
    with tempfile.SpooledTemporaryFile(SPOOL_BYTES) as spooled, connection.cursor() as cursor:
        with cursor.copy(query) as copy:
            for piece in copy:
                spooled.write(piece)
        rows = cursor.rowcount
        spooled.seek(0)
        _add(archive, f"{name}.copy", spooled)
    return rows


def _read_table(connection: Connection, archive: tarfile.TarFile, name: str, columns: list[str]) -> None:
    table, target = sql.Identifier(name), sql.Identifier(name)
    if name in NEIGHBOURS:
        target = sql.Identifier(f"restored_{name}")
        connection.execute(sql.SQL("CREATE TEMP TABLE {} (LIKE {}) ON COMMIT DROP").format(target, table))
    else:
        connection.execute(sql.SQL("DELETE FROM {}").format(table))
    query = sql.SQL("COPY {} ({}) FROM STDIN (FORMAT BINARY)").format(target, _list(columns))
    with connection.cursor() as cursor, cursor.copy(query) as copy, _member(archive, f"{name}.copy") as source:
        while piece := source.read(1 << 20):
            copy.write(piece)
    if name in NEIGHBOURS:
        added = sql.SQL("INSERT INTO {0} ({2}) SELECT {2} FROM {1} ON CONFLICT DO NOTHING")
        connection.execute(added.format(table, target, _list(columns)))


def _refuse_unfit(connection: Connection, manifest: dict[str, Any]) -> None:
    if manifest["format"] != FORMAT:
        raise MigrationError(f"the backup has format {manifest['format']}, this SQAL reads {FORMAT}")
    if connection.execute("SELECT to_regclass('sqal_migrations')").fetchone() == (None,):
        raise MigrationError("the database has no tables of SQAL yet: run `sqal db migrate` first")
    if [list(row) for row in connection.execute(MIGRATIONS)] != manifest["migrations"]:
        raise MigrationError(
            "the backup was made with other migrations than this database has: restore it with that SQAL"
        )
    if _count(connection, "sqal_sensor_samples"):
        raise MigrationError("the database holds samples already: restore into a fresh one")


def _count(connection: Connection, name: str) -> int:
    row = connection.execute(sql.SQL("SELECT count(*) FROM {}").format(sql.Identifier(name))).fetchone()
    return 0 if row is None else int(row[0])


def _list(columns: list[str]) -> sql.Composed:
    return sql.SQL(", ").join(sql.Identifier(column) for column in columns)


def _add(archive: tarfile.TarFile, name: str, content: Any) -> None:
    info = tarfile.TarInfo(name)
    content.seek(0, io.SEEK_END)
    info.size = content.tell()
    content.seek(0)
    archive.addfile(info, content)


def _member(archive: tarfile.TarFile, name: str) -> Any:
    try:
        found = archive.extractfile(name)
    except KeyError:
        found = None
    if found is None:
        raise MigrationError(f"the file is no backup of SQAL: it lacks {name}")
    return found
