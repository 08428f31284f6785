"""`sqal pki`: certificates for the broker, its access list, and the end of a device's rights."""

import asyncio
import os
import random
import signal
from collections.abc import Generator
from contextlib import contextmanager
from pathlib import Path

import click
import psycopg

from cloud.acl import acl_text
from cloud.broker import tls_context
from cloud.settings import BrokerSettings, SettingsError, load_settings
from cloud.store.channels import Channels
from cloud.store.queries import Queries
from cloud.store.samples import Place
from contract.errors import ContractError
from messaging.client import Client
from sqal.pki import Issued, Pki, PkiError
from sqal.resources import resource_path

SERVICES = ("sqal-ingest", "sqal-serve", "sqal-ledger", "sqal-witness", "sqal-reader")  # as the access list knows them
PUT_OUT_S = 20.0

FOLDER = click.option(
    "--pki", "folder", type=click.Path(path_type=Path, file_okay=False), default="/etc/sqal/pki", show_default=True
)
SETTINGS = click.option(
    "--settings", "file", type=click.Path(path_type=Path, dir_okay=False), help="TOML of the server."
)
ACL = click.option("--acl", "acl_file", type=click.Path(path_type=Path, dir_okay=False), help="Access list to write.")
PID = click.option("--broker-pid", type=click.IntRange(2), help="Mosquitto's process: told to read its files again.")


@contextmanager
def in_words() -> Generator[None]:
    """Turn what may go wrong into one sentence."""
    try:
        yield
    except (PkiError, SettingsError, ContractError) as error:
        raise click.ClickException(str(error)) from error
    except psycopg.Error as error:
        raise click.ClickException(f"the database: {error}".strip()) from error
    except OSError as error:
        raise click.ClickException(f"{error.filename or 'the broker'}: {error.strerror or error}") from error


@click.group()
def pki() -> None:
    """Certificates for the broker: an authority of our own."""


@pki.command("init")
@FOLDER
@click.option(
    "--broker-name", "names", multiple=True, required=True, help="Name or address devices reach the broker by."
)
def init(folder: Path, names: tuple[str, ...]) -> None:
    """Make the authority, the broker's certificate and those of ingest, serve, the ledger, its witness and readers."""
    with in_words():
        authority = Pki(folder)
        authority.init(names)
        for service in SERVICES:
            authority.issue(service, "services")
    click.echo(f"{folder} holds the authority: keep devices.key and services.key away from everybody")


@pki.command("device")
@click.argument("name")
@FOLDER
def device(name: str, folder: Path) -> None:
    """Issue a device's certificate."""
    with in_words():
        _say(Pki(folder).issue(name, "devices"), folder)


@pki.command("renew")
@click.argument("name")
@FOLDER
def renew(name: str, folder: Path) -> None:
    """Issue a new key and certificate in place of the last one."""
    with in_words():
        _say(Pki(folder).renew(name), folder)


@pki.command("list")
@FOLDER
def list_certificates(folder: Path) -> None:
    """List the certificates."""
    with in_words():
        for entry in Pki(folder).list():
            state = f"revoked {entry['revoked_at']}" if entry["revoked_at"] else f"until {entry['ends_at']}"
            click.echo(f"{entry['name']:<24} {entry['root']:<9} {state}")


@pki.command("revoke")
@click.argument("name")
@FOLDER
@SETTINGS
@ACL
@PID
def revoke(name: str, folder: Path, file: Path | None, acl_file: Path | None, broker_pid: int | None) -> None:
    """Revoke a device: off the lists, and out of the broker at once."""
    with in_words():
        settings = load_settings(file, os.environ)
        count = Pki(folder).revoke(name)
        if acl_file is not None:
            revoked = {entry["name"] for entry in Pki(folder).list() if entry["revoked_at"]}
            good = {entry["name"] for entry in Pki(folder).list() if not entry["revoked_at"]}
            places = [each for each in registry(settings.database.url) if each.device_id not in revoked - good]
            write_acl(acl_file, places, alert_topics(settings.database.url))
        if broker_pid is not None:
            os.kill(broker_pid, signal.SIGHUP)
            asyncio.run(put_out(name, settings.broker, random.Random()))  # noqa: S311  # jitter
    click.echo(f"{count} certificate{'s' if count > 1 else ''} of {name} revoked")
    if acl_file is None or broker_pid is None:
        click.echo("the broker was not told: give --acl and --broker-pid, or restart it", err=True)


@pki.command("acl")
@SETTINGS
@click.argument("acl_file", type=click.Path(path_type=Path, dir_okay=False))
@PID
def acl(file: Path | None, acl_file: Path, broker_pid: int | None) -> None:
    """Write the broker's access list from the device registry and the MQTT channels of alerts."""
    with in_words():
        database = load_settings(file, os.environ).database.url
        places = registry(database)
        write_acl(acl_file, places, alert_topics(database))
        if broker_pid is not None:
            os.kill(broker_pid, signal.SIGHUP)
    click.echo(f"{acl_file}: {len(places)} devices")


async def put_out(name: str, broker: BrokerSettings, rng: random.Random) -> None:
    """End the live connection of the device `name`: the broker drops a session for a newer one of its client id."""
    client = Client(
        host=broker.host,
        port=broker.port,
        client_id=name,
        rng=rng,
        clean_start=True,
        session_expiry_s=0,
        tls=tls_context(broker),
    )
    try:
        async with asyncio.timeout(PUT_OUT_S), client:
            await client.wait_connected()
    except TimeoutError:
        raise PkiError(f"the broker did not let us put {name} out: {client.last_reason}") from None


def registry(dsn: str) -> list[Place]:
    """Where every registered device stands. Raises psycopg.Error."""
    queries = Queries(resource_path("sql") / "queries")
    with psycopg.connect(dsn) as connection:
        rows = connection.execute(queries["api_registry"]).fetchall()
    return [Place(device_id=device, site_code=site, line=line) for device, site, line in rows]


def alert_topics(dsn: str) -> list[str]:
    """The topics on which channels hear of alerts. Raises psycopg.Error."""
    found = Channels(dsn, Queries(resource_path("sql") / "queries")).all()
    return [each["target"] for each in found if each["kind"] == "mqtt"]


def write_acl(file: Path, places: list[Place], told: list[str]) -> None:
    """Write the access list whole or not at all. Raises OSError, TopicError."""
    draft = file.with_name(file.name + ".new")
    draft.write_text(acl_text(places, told), encoding="utf-8")
    draft.chmod(0o640)
    draft.replace(file)


def _say(issued: Issued, folder: Path) -> None:
    click.echo("the device needs these three files, and nobody else its key:")
    for path in (issued.certificate, issued.key, folder / "services.crt"):
        click.echo(f"  {path}")
