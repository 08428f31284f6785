"""`sqal doctor`: look at a deployment as its settings describe it, and say in words what is wrong with it."""

import asyncio
import os
import random
import shutil
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, Literal

import click
import psycopg
from cryptography import x509

from cloud.broker import password, tls_context
from cloud.settings import Settings, SettingsError, load_settings
from cloud.store.migrate import MigrationError, status
from messaging.client import Client
from sqal.resources import resource_path

Verdict = Literal["well", "look", "wrong"]
MARKS: dict[Verdict, str] = {"well": "✓", "look": "!", "wrong": "✗"}
SOON = timedelta(days=30)
SILENT = timedelta(minutes=5)
DISK_FREE_BYTES_MIN = 2 * 1024**3
BROKER_S = 5.0


@dataclass(frozen=True, slots=True)
class Finding:
    """What was looked at, how it is, and what to do."""

    verdict: Verdict
    text: str


@click.command()
@click.option("--settings", "file", type=click.Path(path_type=Path, dir_okay=False), help="TOML file of the server.")
def doctor(file: Path | None) -> None:
    """Check a deployment; exit code 1 while something is wrong."""
    try:
        settings = load_settings(file, os.environ)
    except SettingsError as error:
        click.echo(f"{MARKS['wrong']} {error}")
        raise click.exceptions.Exit(1) from error
    worst = 0
    for finding in examine(settings):
        click.echo(f"{MARKS[finding.verdict]} {finding.text}")
        worst |= finding.verdict == "wrong"
    raise click.exceptions.Exit(worst)


def examine(settings: Settings) -> Iterator[Finding]:
    """Everything there is to find."""
    checks: tuple[Callable[[Settings], Iterator[Finding]], ...] = (_database, _broker, _certificates, _api, _disk)
    for check in checks:
        yield from check(settings)


def _database(settings: Settings) -> Iterator[Finding]:
    try:
        waiting = [
            each.name
            for each in status(settings.database.url, resource_path("sql") / "migrations")
            if each.applied_at is None
        ]
    except MigrationError as error:
        yield Finding("wrong", str(error))
        return
    if waiting:
        yield Finding("wrong", f"the schema lacks {', '.join(waiting)}: run `sqal db migrate`")
        return
    yield Finding("well", "the database answers and its schema is up to date")
    with psycopg.connect(settings.database.url) as connection:
        yield from _contents(connection)


def _contents(connection: psycopg.Connection[Any]) -> Iterator[Finding]:
    """What the rows tell: users, unplaced devices, silence, dead letters, and who stores which site."""

    def one(question: str) -> Any:
        row = connection.execute(question.encode()).fetchone()
        return None if row is None else row[0]

    admins = one("SELECT COUNT(*) FROM sqal_users WHERE role = 'admin' AND is_active")
    if not admins:
        yield Finding("look", "nobody is an admin: run `sqal user add NAME --role admin`")
    homeless = one("SELECT string_agg(device_id, ', ') FROM sqal_devices WHERE site_code IS NULL")
    if homeless:
        yield Finding("wrong", f"devices that stand at no site cannot send: {homeless}")
    newest = one("SELECT MAX(time) FROM sqal_sensor_samples WHERE time < NOW() + INTERVAL '1 day'")
    if newest is None:
        yield Finding("look", "there is no sample yet")
    elif datetime.now(UTC) - newest > SILENT:
        yield Finding("look", f"the newest sample is of {newest:%Y-%m-%d %H:%M} UTC: is a line running?")
    letters = one("SELECT COUNT(*) FROM sqal_dead_letters WHERE last_at > NOW() - INTERVAL '1 day'")
    if letters:
        yield Finding("look", f"{letters} messages were not accepted since yesterday: see /api/sqal/dead-letters")


def _broker(settings: Settings) -> Iterator[Finding]:
    where = f"{settings.broker.host}:{settings.broker.port}"
    try:
        reason = asyncio.run(_connect(settings))
    except SettingsError as error:
        yield Finding("wrong", str(error))
        return
    if reason is None:
        yield Finding("well", f"the broker at {where} lets us in")
    else:
        yield Finding("wrong", f"the broker at {where} does not let us in: {reason}")
    if settings.broker.ca_file is None and settings.broker.host not in ("127.0.0.1", "localhost", "::1"):
        yield Finding("wrong", "broker.ca_file is not set: what travels to the broker is open to everybody on the way")


async def _connect(settings: Settings) -> str | None:
    rng = random.SystemRandom()
    client = Client(
        host=settings.broker.host,
        port=settings.broker.port,
        client_id=f"sqal-doctor-{rng.getrandbits(64):016x}",
        rng=rng,
        clean_start=True,
        session_expiry_s=0,
        tls=tls_context(settings.broker),
        username=settings.broker.username,
        password=password(settings.broker),
    )
    try:
        async with asyncio.timeout(BROKER_S), client:
            await client.wait_connected()
    except TimeoutError:
        return client.last_reason
    return None


def _certificates(settings: Settings) -> Iterator[Finding]:
    for key in ("ca_file", "cert_file"):
        path = getattr(settings.broker, key)
        if path is None:
            continue
        try:
            ends_at = x509.load_pem_x509_certificate(Path(path).read_bytes()).not_valid_after_utc
        except (OSError, ValueError) as error:
            yield Finding("wrong", f"broker.{key}, {path}: {error}")
            continue
        left = ends_at - datetime.now(UTC)
        verdict: Verdict = "wrong" if left < timedelta(0) else "look" if left < SOON else "well"
        yield Finding(verdict, f"broker.{key} ends on {ends_at:%Y-%m-%d}" + ("" if verdict == "well" else ": renew it"))


def _api(settings: Settings) -> Iterator[Finding]:
    is_local = settings.api.host in ("127.0.0.1", "localhost", "::1")
    if settings.api.demo:
        yield Finding("look" if is_local else "wrong", "api.demo is on: whoever is at this machine needs no login")
    if not is_local and not settings.api.hosts:
        yield Finding("wrong", f"api.host is {settings.api.host}, but api.hosts names nothing: serve will not start")


def _disk(_: Settings) -> Iterator[Finding]:
    free = shutil.disk_usage(Path.cwd()).free
    if free < DISK_FREE_BYTES_MIN:
        yield Finding("wrong", f"{free >> 20} MiB are free on the disk of {Path.cwd()}")
