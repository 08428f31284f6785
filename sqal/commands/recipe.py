"""`sqal cloud recipe`: what pieces are judged by."""

from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import click
import msgspec

from cloud.recipes import differences, recipe_values
from cloud.store.reader import Store
from cloud.store.recipes import Scope, activate_recipe, add_recipe, load_recipe
from quality.recipe import DEFAULT_RECIPE
from sqal.with_store import SETTINGS, put_on_record, who, with_store

Json = dict[str, Any]


@click.group()
@SETTINGS
@click.pass_context
def recipe(context: click.Context, file: Path | None) -> None:
    """Recipes: what pieces are judged by, in versions that never change. A label is NAME@VERSION."""
    context.obj = file


@recipe.command("list")
@click.pass_obj
def list_recipes(file: Path | None) -> None:
    """List all versions, and which device is to use which."""

    async def work(store: Store) -> tuple[list[Json], list[Json]]:
        return await store.rows("recipes"), await store.rows("recipe_in_use", sites=None)

    stored, devices = with_store(file, work)
    for row in stored:
        label = f"{row['name']}@{row['version']}"
        click.echo(f"{label:<24} {row['created_at']:%Y-%m-%d} {row['created_by']:<20} {row['comment']}".rstrip())
    click.echo(f"{DEFAULT_RECIPE.label:<24} shipped with SQAL")
    for row in devices:
        wanted = DEFAULT_RECIPE.label if row["name"] is None else f"{row['name']}@{row['version']}"
        click.echo(f"{row['device_id']}: {wanted}; its newest sample says {row['measured_with'] or 'nothing'}")


@recipe.command("show")
@click.argument("label")
@click.pass_obj
def show(file: Path | None, label: str) -> None:
    """Print all values of a version as JSON."""
    found = with_store(file, lambda store: load_recipe(store, label))
    click.echo(msgspec.json.format(msgspec.json.encode(recipe_values(found)), indent=2).decode())


@recipe.command("add")
@click.argument("source", type=click.Path(path_type=Path, dir_okay=False, exists=True))
@click.option("--comment", default="", help="Why it is as it is.")
@click.pass_obj
def add(file: Path | None, source: Path, comment: str) -> None:
    """Store the values in SOURCE (JSON) as the next version of their name; nothing uses it before it is activated."""
    try:
        values = msgspec.json.decode(source.read_bytes(), type=dict[str, Any])
    except (msgspec.MsgspecError, OSError, UnicodeDecodeError) as error:
        raise click.ClickException(f"{source} is no JSON object: {error}") from error

    async def work(store: Store) -> str:
        made = await add_recipe(store, values, comment=comment, by=who(), now=datetime.now(UTC))
        await put_on_record(store, "recipe add", made.label)
        return made.label

    click.echo(with_store(file, work))


@recipe.command("diff")
@click.argument("before")
@click.argument("after")
@click.pass_obj
def diff(file: Path | None, before: str, after: str) -> None:
    """Print the fields in which two versions differ."""

    async def work(store: Store) -> list[str]:
        changes = differences(await load_recipe(store, before), await load_recipe(store, after))
        return [f"{each.path}: {each.before} -> {each.after}" for each in changes]

    click.echo("\n".join(with_store(file, work)) or "they do not differ")


@recipe.command("activate")
@click.argument("label")
@click.option("--site", "site_code", help="Only at this site.")
@click.option("--device", "device_id", help="Only on this device.")
@click.option("--reason", required=True, help="Why; it stays on record.")
@click.pass_obj
def activate(file: Path | None, label: str, site_code: str | None, device_id: str | None, reason: str) -> None:
    """From now on devices are to use LABEL; a running ingester tells them within seconds."""

    async def work(store: Store) -> list[str]:
        found = await load_recipe(store, label)
        scope = Scope(site_code, device_id)
        _, devices = await activate_recipe(store, found, scope, reason=reason, by=who(), now=datetime.now(UTC))
        await put_on_record(store, "recipe activate", f"{label} {site_code or ''} {device_id or ''}".strip())
        return devices

    devices = with_store(file, work)
    click.echo(f"{label} is to be used by {', '.join(devices) or 'every device to come'}")
