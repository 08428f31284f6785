"""`sql/schema.sql`: what the migrations add up to on plain PostgreSQL, in one file that psql loads.

It ends by recording the migrations it stands for, so that `sqal db migrate` goes on from there.
"""

from pathlib import Path

from cloud.store.migrate import LEDGER, read_migrations

HEAD = """\
-- SQAL's schema on plain PostgreSQL 15 or newer. Made by `sqal db schema` from the migrations; a test compares the two.
-- `psql -f sql/schema.sql` makes it whole in an empty database, and `sqal db migrate` goes on from there. Where
-- TimescaleDB is to be used, begin with `sqal db migrate`: this file has its plain counterpart.

\\set ON_ERROR_STOP on
BEGIN;
"""


def schema_text(folder: Path) -> str:
    """Return the text of the schema file for the migrations in `folder`. Raises MigrationError."""
    migrations = read_migrations(folder, timescale=False)
    parts = [HEAD, *(migration.text for migration in migrations), f"{LEDGER.strip()};\n"]
    values = ",\n".join(f"    ({each.version}, '{each.name}', 'core', '{each.checksum}')" for each in migrations)
    parts.append(f"INSERT INTO sqal_migrations (version, name, variant, checksum) VALUES\n{values};\n\nCOMMIT;\n")
    return "\n".join(parts)
