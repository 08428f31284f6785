"""`sqal cloud model`: the register of models; the hash of a model's file is computed here, from the file itself."""

import hashlib
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import click
import msgspec

from cloud.models import ModelError, NewModel, activate, register, retire
from cloud.store.reader import Row, Store
from sqal.with_store import SETTINGS, put_on_record, who, with_store

COLUMNS = ("accuracy", "precision", "recall", "f1_score")  # of the customer's table; other figures go under `metrics`


@click.group()
@SETTINGS
@click.pass_context
def model(context: click.Context, file: Path | None) -> None:
    """Models: which file, with which figures, who answers for it, and which one is in use."""
    context.obj = file


@model.command("register")
@click.argument("source", type=click.Path(path_type=Path, dir_okay=False, exists=True))
@click.option("--name", required=True)
@click.option("--kind", required=True, help="What it is for, such as grade or anomaly.")
@click.option("--version", required=True)
@click.option("--framework")
@click.option(
    "--metric", "metrics", multiple=True, help="NAME=VALUE; accuracy, precision, recall, f1_score or any other."
)
@click.option("--description", default="")
@click.pass_obj
def register_command(
    file: Path | None,
    source: Path,
    *,
    name: str,
    kind: str,
    version: str,
    framework: str | None,
    metrics: tuple[str, ...],
    description: str,
) -> None:
    """Register the model in the file SOURCE; it is not in use before it is activated."""
    figures = _figures(metrics)
    known = {each: figures.pop(each) for each in COLUMNS if each in figures}
    values: dict[str, Any] = {"model_name": name, "model_type": kind, "version": version, "framework": framework}
    values |= {"file_path": source.name, "description": description, "metrics": figures, **known}
    try:
        with source.open("rb") as content:
            values["file_sha256"] = hashlib.file_digest(content, "sha256").hexdigest()
        wanted = msgspec.convert(values | {"file_bytes": source.stat().st_size}, NewModel)
    except (msgspec.ValidationError, OSError) as error:
        raise click.ClickException(str(error)) from error

    async def work(store: Store) -> Row:
        row = await register(store, wanted, by=who(), now=datetime.now(UTC))
        await put_on_record(store, "model register", f"{row['model_id']} {name} {kind} {version}")
        return row

    row = _done(file, work)
    click.echo(f"model {row['model_id']}: sha256 {row['file_sha256']}")


@model.command("list")
@click.pass_obj
def list_models(file: Path | None) -> None:
    """List all models, those in use first."""
    rows = with_store(file, lambda store: store.rows("models", model_id=None))
    for row in rows:
        state = "in use" if row["is_active"] else "retired" if row["retired_at"] else "registered"
        name = f"{row['model_name']} ({row['model_type']}) {row['version']}"
        click.echo(f"{row['model_id']:>4} {name:<40} {state:<10} {(row['file_sha256'] or 'no hash')[:16]}")
    if not rows:
        click.echo("none")


@model.command("activate")
@click.argument("model_id", type=click.IntRange(1))
@click.pass_obj
def activate_command(file: Path | None, model_id: int) -> None:
    """Use a model from now on, in place of the one of its name and kind."""

    async def work(store: Store) -> Row:
        row = await activate(store, model_id, by=who(), now=datetime.now(UTC))
        await put_on_record(store, "model activate", str(model_id))
        return row

    row = _done(file, work)
    click.echo(f"model {model_id} is the {row['model_type']} model {row['model_name']} in use")


@model.command("retire")
@click.argument("model_id", type=click.IntRange(1))
@click.pass_obj
def retire_command(file: Path | None, model_id: int) -> None:
    """Do not use a model any more, for good."""

    async def work(store: Store) -> Row:
        row = await retire(store, model_id, by=who(), now=datetime.now(UTC))
        await put_on_record(store, "model retire", str(model_id))
        return row

    _done(file, work)
    click.echo(f"model {model_id} is retired")


def _done(file: Path | None, work: Any) -> Row:
    try:
        return with_store(file, work)
    except ModelError as error:
        raise click.ClickException(str(error)) from error


def _figures(metrics: tuple[str, ...]) -> dict[str, float]:
    found: dict[str, float] = {}
    for each in metrics:
        name, _, value = each.partition("=")
        try:
            found[name] = float(value)
        except ValueError as error:
            raise click.ClickException(f"--metric {each}: must be NAME=NUMBER") from error
    return found
