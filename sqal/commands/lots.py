"""`sqal lots`: bring lots of the customer's other system in from a CSV file."""

import os
from pathlib import Path

import click
import msgspec
import psycopg
from psycopg.rows import tuple_row

from cloud.lot_import import LotImportError, read_csv
from cloud.settings import SettingsError, load_settings
from cloud.store.queries import Queries
from sqal.resources import resource_path


@click.group()
def lots() -> None:
    """Lots of the customer's other system."""


@lots.command("import")
@click.argument("file", type=click.Path(path_type=Path, dir_okay=False, exists=True))
@click.option("--settings", "settings_file", type=click.Path(path_type=Path, dir_okay=False), help="TOML file.")
def import_command(file: Path, settings_file: Path | None) -> None:
    """Make the lots of FILE (CSV: code_lot, debut_lot, site_code, itm, …) or bring them up to date; all or none."""
    queries = Queries(resource_path("sql") / "queries")
    try:
        settings = load_settings(settings_file, os.environ)
        wanted = read_csv(file.read_text("utf-8"))
        with psycopg.connect(settings.database.url, row_factory=tuple_row) as connection:
            ours = connection.execute(queries["lot_is_ours"]).fetchone()
            if ours is None or not ours[0]:
                raise click.ClickException("lots_gavage belongs to the customer's other system: it is not written")
            made = 0
            for lot in wanted:
                row = connection.execute(queries["lot_upsert"], msgspec.structs.asdict(lot)).fetchone()
                made += row is not None and bool(row[1])
    except (LotImportError, SettingsError, psycopg.Error, OSError, UnicodeDecodeError) as error:
        raise click.ClickException(str(error).strip()) from error
    click.echo(f"{made} lots made, {len(wanted) - made} brought up to date")
