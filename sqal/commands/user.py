"""`sqal user`: who may log in."""

import os
from collections.abc import Callable, Generator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import click
import psycopg

from cloud.access import ROLES
from cloud.settings import SettingsError, load_settings
from cloud.store.queries import Queries
from sqal.access import Access, AccessError
from sqal.resources import resource_path

FILE = click.option(
    "--settings", "file", type=click.Path(path_type=Path, dir_okay=False), help="TOML file of the server."
)
ROLE = click.option("--role", type=click.Choice(ROLES), default="viewer", show_default=True, help="What it may do.")
SITES = click.option("--site", "sites", multiple=True, help="Only this site; may be given several times.")


def access_of(file: Path | None) -> Access:
    """The users and tokens of the database that the settings name. Raises ClickException."""
    try:
        settings = load_settings(file, os.environ)
    except SettingsError as error:
        raise click.ClickException(str(error)) from error
    return Access(settings.database.url, Queries(resource_path("sql") / "queries"))


@contextmanager
def in_words() -> Generator[None]:
    """Turn what may go wrong into one sentence."""
    try:
        yield
    except AccessError as error:
        raise click.ClickException(str(error)) from error
    except psycopg.errors.UndefinedTable as error:
        raise click.ClickException("the database lacks the tables of users: run `sqal db migrate`") from error
    except psycopg.Error as error:
        raise click.ClickException(f"the database: {error}".strip()) from error


def show(rows: list[dict[str, Any]], line: Callable[[dict[str, Any]], str]) -> None:
    """Print a line for each row, or that there is none."""
    for row in rows:
        click.echo(line(row))
    if not rows:
        click.echo("none")


@click.group()
@FILE
@click.pass_context
def user(context: click.Context, file: Path | None) -> None:
    """Who may log in, with which role and at which sites."""
    context.obj = access_of(file)


@user.command("add")
@click.argument("name")
@ROLE
@SITES
@click.option("--no-password", is_flag=True, help="Enter by login links only (`sqal user link`).")
@click.pass_obj
def add(access: Access, name: str, role: str, sites: tuple[str, ...], *, no_password: bool) -> None:
    """Add a user; the password is asked for, or read from SQAL_PASSWORD_FILE."""
    with in_words():
        password = None if no_password else _password()
        access.add_user(name, role, password=password, sites=list(sites) or None)
    click.echo(f"{name} may log in as {role} at {', '.join(sites) or 'every site'}")


@user.command("list")
@click.pass_obj
def list_users(access: Access) -> None:
    """List the users."""
    with in_words():
        show(
            access.users(),
            lambda row: (
                f"{row['name']:<24} {row['role']:<9} {','.join(row['sites'] or ['every site']):<16}"
                f" {'active' if row['is_active'] else 'disabled'}{'' if row['has_password'] else ', by link only'}"
            ),
        )


@user.command("change")
@click.argument("name")
@click.option("--role", type=click.Choice(ROLES), help="What it may do.")
@SITES
@click.option("--all-sites", is_flag=True, help="Every site.")
@click.option("--password", "asks_password", is_flag=True, help="Ask for a new password.")
@click.option("--active/--disabled", "is_active", default=None, help="Let it in, or not any more.")
@click.pass_obj
def change(
    access: Access,
    name: str,
    *,
    role: str | None,
    sites: tuple[str, ...],
    all_sites: bool,
    asks_password: bool,
    is_active: bool | None,
) -> None:
    """Change a user; its sessions end."""
    with in_words():
        access.change_user(
            name,
            role=role,
            sites=list(sites) or None,
            all_sites=all_sites,
            is_active=is_active,
            password=_password() if asks_password else None,
        )
    click.echo(f"{name} is changed; its sessions have ended")


@user.command("link")
@click.argument("name")
@click.option("--url", default="http://localhost:8000", show_default=True, help="Where the server is for its browser.")
@click.pass_obj
def link(access: Access, name: str, url: str) -> None:
    """Print a link that logs a user in once."""
    with in_words():
        click.echo(access.login_link(name, url))


def _password() -> str:
    file = os.environ.get("SQAL_PASSWORD_FILE")
    if file is None:
        return click.prompt("Password", hide_input=True, confirmation_prompt=True, type=str)
    try:
        return Path(file).read_text(encoding="utf-8").rstrip("\n")
    except OSError as error:
        raise AccessError(f"SQAL_PASSWORD_FILE cannot be read: {error.strerror}") from error
