"""Recipes in the database: load one by its label, add a version, say where it is to be used and tell the devices."""

from collections.abc import Mapping
from datetime import datetime
from typing import Any, NamedTuple

import msgspec
from psycopg.rows import dict_row
from psycopg.types.json import Jsonb

from cloud.recipes import RecipeError, parse_label, read_recipe, recipe_values
from cloud.store.reader import Connection, Store
from contract.codec import encode
from contract.messages import DesiredConfiguration
from contract.topics import device_topic
from quality.recipe import DEFAULT_RECIPE, Recipe


class Scope(NamedTuple):
    """Where a recipe is to be used: everywhere, at one site, or on one device."""

    site_code: str | None = None
    device_id: str | None = None


async def load_recipe(store: Store, label: str) -> Recipe:
    """The recipe with this label. Raises RecipeError where there is none."""
    name, version = parse_label(label)
    if label == DEFAULT_RECIPE.label:
        return DEFAULT_RECIPE
    row = await store.row("recipe", name=name, version=version)
    if row is None:
        raise RecipeError("recipe", f"there is no recipe {label}")
    return read_recipe(row["recipe_values"])


async def add_recipe(store: Store, values: Mapping[str, Any], *, comment: str, by: str, now: datetime) -> Recipe:
    """Store `values` as the next version of their name, whatever version they say. Raises RecipeError."""
    wanted = read_recipe({**values, "version": 1})
    async with store.transaction() as connection:
        await connection.execute(store.queries["recipe_lock"])
        cursor = await connection.execute(store.queries["recipe_latest"], {"name": wanted.name})
        row = await cursor.fetchone()
        latest = (row[0] if row else None) or 0
        if wanted.name == DEFAULT_RECIPE.name:
            latest = max(latest, DEFAULT_RECIPE.version)
        recipe = _numbered(wanted, latest + 1)
        stored = {"name": recipe.name, "version": recipe.version, "values": Jsonb(recipe_values(recipe))}
        await connection.execute(store.queries["recipe_add"], {**stored, "comment": comment, "by": by, "now": now})
    return recipe


async def activate_recipe(
    store: Store, recipe: Recipe, scope: Scope, *, reason: str, by: str, now: datetime
) -> tuple[int, list[str]]:
    """From now on `recipe` is to be used within `scope`; its number on record, and the devices that are told.

    The devices hear it through the outbox, in the same transaction. Raises RecipeError for a scope without devices.
    """
    where = scope._asdict()
    async with store.transaction() as connection:
        cursor = connection.cursor(row_factory=dict_row)
        await cursor.execute(store.queries["twin_devices"], where)
        devices = await cursor.fetchall()
        if not devices and scope != Scope():
            raise RecipeError("device_id" if scope.device_id else "site_code", "no device is registered there")
        values = {"name": recipe.name, "version": recipe.version, "reason": reason, "by": by, "now": now}
        await cursor.execute(store.queries["recipe_activate"], {**values, **where})
        number = (await cursor.fetchone() or {})["activation_id"]
        changes = {"recipe": recipe.label, "recipe_values": recipe_values(recipe)}
        for device in devices:
            await desire(connection, store, device, changes, by=by, now=now)
    return number, [device["device_id"] for device in devices]


async def desire(
    connection: Connection, store: Store, device: Mapping[str, Any], changes: dict[str, Any], *, by: str, now: datetime
) -> DesiredConfiguration:
    """Add `changes` to what a device (id, site, line) shall be set to, and leave it for the broker. Keeps the rest."""
    cursor = await connection.execute(
        store.queries["twin_desire"],
        {
            "device_id": device["device_id"],
            "revision": int(now.timestamp() * 1000),
            "changes": Jsonb(changes),
            "by": by,
            "now": now,
        },
    )
    row = await cursor.fetchone()
    assert row is not None, "an INSERT that returns"
    desired = msgspec.convert({**row[1], "revision": row[0]}, DesiredConfiguration)
    topic = device_topic(device["site_code"], device["line"], device["device_id"], "cfg", "desired")
    values = {"topic": topic, "payload": encode(desired), "retain": True}
    await connection.execute(store.queries["put_outbox"], values)
    return desired


def _numbered(recipe: Recipe, version: int) -> Recipe:
    return read_recipe({**recipe_values(recipe), "version": version})
