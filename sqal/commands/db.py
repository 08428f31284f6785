"""`sqal db`: bring the database's schema forward, or say where it stands."""

import os
import tarfile
from dataclasses import asdict
from datetime import UTC, datetime
from pathlib import Path

import click

from cloud.settings import Settings, SettingsError, load_settings
from cloud.store.backup import backup, restore
from cloud.store.maintain import check, maintain
from cloud.store.migrate import MigrationError, Timescale, migrate, status
from cloud.store.queries import Queries
from cloud.store.schema import schema_text
from sqal.resources import resource_path


@click.group()
@click.option("--settings", "file", type=click.Path(path_type=Path, dir_okay=False), help="TOML file of the server.")
@click.option("--timescale", type=click.Choice(["auto", "on", "off"]), help="Use TimescaleDB; auto: where it is there.")
@click.pass_context
def db(context: click.Context, file: Path | None, timescale: Timescale | None) -> None:
    """Bring the database's schema forward, or say where it stands."""
    try:
        settings = load_settings(file, os.environ)
    except SettingsError as error:
        raise click.ClickException(str(error)) from error
    context.obj = (settings, timescale or settings.database.timescale)


@db.command("migrate")
@click.pass_obj
def migrate_command(chosen: tuple[Settings, Timescale]) -> None:
    """Apply every migration that is missing."""
    settings, timescale = chosen
    try:
        done = migrate(settings.database.url, resource_path("sql") / "migrations", timescale=timescale)
    except MigrationError as error:
        raise click.ClickException(str(error)) from error
    for migration in done:
        click.echo(f"{migration.version:04} {migration.name} ({migration.variant})")
    click.echo(f"{len(done)} applied" if done else "the schema is up to date")


@db.command("status")
@click.pass_obj
def status_command(chosen: tuple[Settings, Timescale]) -> None:
    """List the migrations; exit code 1 while any waits."""
    settings, timescale = chosen
    try:
        lines = status(settings.database.url, resource_path("sql") / "migrations", timescale=timescale)
    except MigrationError as error:
        raise click.ClickException(str(error)) from error
    for line in lines:
        when = "waiting" if line.applied_at is None else line.applied_at.isoformat(timespec="seconds")
        click.echo(f"{line.version:04} {line.name:<24} {line.variant:<10} {when}")
    if any(line.applied_at is None for line in lines):
        raise click.exceptions.Exit(1)


@db.command("schema")
def schema_command() -> None:
    """Print the whole schema as one SQL file for plain PostgreSQL."""
    click.echo(schema_text(resource_path("sql") / "migrations"), nl=False)


@db.command("maintain")
@click.pass_obj
def maintain_command(chosen: tuple[Settings, Timescale]) -> None:
    """Do what is due: retention, late data in the aggregates, dead letters. Run it daily."""
    settings, _ = chosen
    queries = Queries(resource_path("sql") / "queries")
    try:
        done = maintain(
            settings.database.url,
            queries,
            now=datetime.now(UTC),
            dead_letter_days=settings.ingest.dead_letter_days,
            dead_letter_bytes=settings.ingest.dead_letter_bytes_max,
        )
    except MigrationError as error:
        raise click.ClickException(str(error)) from error
    for name, count in asdict(done).items():
        click.echo(f"{name.replace('_', ' '):<22} {count}")


@db.command("check")
@click.pass_obj
def check_command(chosen: tuple[Settings, Timescale]) -> None:
    """Say whether the database is as it should be; exit code 1 when it is not."""
    settings, timescale = chosen
    sql = resource_path("sql")
    try:
        found = check(
            settings.database.url,
            Queries(sql / "queries"),
            sql / "migrations",
            now=datetime.now(UTC),
            timescale=timescale,
        )
    except MigrationError as error:
        raise click.ClickException(str(error)) from error
    for sentence in found or ["all is well"]:
        click.echo(sentence)
    if found:
        raise click.exceptions.Exit(1)


@db.command("backup")
@click.argument("file", type=click.Path(path_type=Path, dir_okay=False))
@click.pass_obj
def backup_command(chosen: tuple[Settings, Timescale], file: Path) -> None:
    """Write everything to FILE, out of one snapshot, while the line goes on."""
    try:
        rows = backup(chosen[0].database.url, file)
    except (MigrationError, OSError) as error:
        raise click.ClickException(str(error)) from error
    click.echo(f"{sum(rows.values())} rows of {len(rows)} tables in {file}")


@db.command("restore")
@click.argument("file", type=click.Path(path_type=Path, dir_okay=False, exists=True))
@click.pass_obj
def restore_command(chosen: tuple[Settings, Timescale], file: Path) -> None:
    """Load FILE into a database that the same migrations made and that holds no samples."""
    try:
        rows = restore(chosen[0].database.url, file)
    except (MigrationError, OSError, tarfile.TarError) as error:
        raise click.ClickException(str(error)) from error
    click.echo(f"{sum(rows.values())} rows of {len(rows)} tables restored")
