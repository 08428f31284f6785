"""Work on the server's database from the command line: open it, do it, and say in one sentence what went wrong."""

import asyncio
import getpass
import os
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import TypeVar

import click
import psycopg
from psycopg_pool import PoolTimeout

from cloud.recipes import RecipeError
from cloud.settings import SettingsError, load_settings
from cloud.store.queries import Queries
from cloud.store.reader import Store
from quality.errors import QualityError
from sqal.resources import resource_path

Result = TypeVar("Result")

SETTINGS = click.option(
    "--settings", "file", type=click.Path(path_type=Path, dir_okay=False), help="TOML file of the server."
)


def with_store(file: Path | None, work: Callable[[Store], Awaitable[Result]]) -> Result:
    """What `work` returns, done on the database that the settings name. Raises ClickException."""
    try:
        settings = load_settings(file, os.environ)
    except SettingsError as error:
        raise click.ClickException(str(error)) from error

    async def run() -> Result:
        async with Store(settings.database, Queries(resource_path("sql") / "queries")) as store:
            return await work(store)

    try:
        return asyncio.run(run())
    except (RecipeError, QualityError) as error:
        raise click.ClickException(str(error)) from error
    except psycopg.errors.UndefinedTable as error:
        raise click.ClickException("the database lacks tables: run `sqal db migrate`") from error
    except PoolTimeout as error:
        raise click.ClickException("the database does not answer") from error
    except psycopg.Error as error:
        raise click.ClickException(f"the database: {error}".strip()) from error


def who() -> str:
    """Who is doing it, as the record names them."""
    return f"cli:{getpass.getuser()}"


async def put_on_record(store: Store, action: str, target: str) -> None:
    """Write down in the audit record what was done from here."""
    nothing = {"status": None, "address": None, "request_id": None, "detail": None}
    await store.run("insert_audit", actor=who(), outcome="done", action=action, target=target[:500], **nothing)
