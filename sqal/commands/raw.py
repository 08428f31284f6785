"""`sqal cloud raw` and `sqal cloud calibrate`: devices that only measure."""

import asyncio
import os
import random
import signal
import uuid
from datetime import UTC, datetime
from pathlib import Path

import click
import msgspec
import psycopg

from cloud.broker import password, tls_context
from cloud.ingest import IngestStoppedError
from cloud.judge import Refusal
from cloud.logs import configure_logs
from cloud.raw import run_raw
from cloud.raw_analysis import DeviceCalibrations
from cloud.raw_calibration import MESSAGES, calibrated
from cloud.raw_pairing import Pairing
from cloud.raw_reading import raw_topic, read
from cloud.settings import Settings, SettingsError, load_settings
from cloud.store import raw as store
from cloud.store.queries import Queries
from cloud.store.samples import Place
from cloud.store.session import close_quietly, open_session, read_registry
from contract.errors import ContractError
from contract.messages import Raw
from contract.packed import raw_of
from contract.topics import subscription
from messaging import Client, Subscription
from quality.errors import QualityError
from sqal.resources import resource_path

FILE = click.option(
    "--settings", "file", type=click.Path(path_type=Path, dir_okay=False), help="TOML file of the server."
)
TARGETS = ("the empty belt", "the black cap", "the white tile")
PATIENCE_S = 60.0  # for the messages of one target


@click.command()
@FILE
def raw(file: Path | None) -> None:
    """Make samples of raw messages: one active worker per shard, further ones stand by."""
    try:
        configure_logs()
        asyncio.run(_run(load_settings(file, os.environ)))
    except (SettingsError, IngestStoppedError) as error:
        raise click.ClickException(str(error)) from error


async def _run(settings: Settings) -> None:
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    for signal_number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(signal_number, stop.set)
    await run_raw(settings, sql=resource_path("sql"), stop=stop, rng=random.Random())  # noqa: S311  # jitter


@click.command()
@FILE
@click.option("--device", required=True, help="Id of the device, such as ESP32_LL_02.")
@click.option("--white-reflectance", type=click.FloatRange(0.1, 1.0), default=0.98, show_default=True)
@click.option(
    "--from", "source", type=click.Path(exists=True, dir_okay=False, path_type=Path), help="A kept calibration."
)
@click.option("--out", type=click.Path(dir_okay=False, path_type=Path), help="Keep it in this file too.")
def calibrate(file: Path | None, device: str, white_reflectance: float, source: Path | None, out: Path | None) -> None:
    """Calibrate a device that only measures, while a person lays the targets under its sensors."""
    try:
        settings = load_settings(file, os.environ)
        if source is None:
            found = asyncio.run(_measured(settings, device, white_reflectance))
        else:
            found = msgspec.json.decode(source.read_bytes(), type=DeviceCalibrations)
        if out is not None:
            out.write_bytes(msgspec.json.format(msgspec.json.encode(found)) + b"\n")
        asyncio.run(_put(settings, device, found))
    except (SettingsError, QualityError, msgspec.MsgspecError) as error:
        raise click.ClickException(str(error)) from error
    except TimeoutError:
        raise click.ClickException(f"{device} sent no raw messages for {PATIENCE_S:g} s") from None
    except psycopg.errors.ForeignKeyViolation:
        raise click.ClickException(f"no device {device!r} is registered") from None
    except (psycopg.Error, OSError) as error:
        raise click.ClickException(str(error).strip()) from error
    click.echo(f"calibrated: {found.tof.id}, {found.spectral.id}")


async def _put(settings: Settings, device: str, found: DeviceCalibrations) -> None:
    queries = Queries(resource_path("sql") / "queries")
    connection = await open_session(settings.database.url, queries)
    try:
        await store.put_calibration(connection, queries, device, found)
    finally:
        await close_quietly(connection)


async def _measured(settings: Settings, device: str, white_reflectance: float) -> DeviceCalibrations:
    queries = Queries(resource_path("sql") / "queries")
    connection = await open_session(settings.database.url, queries)
    try:
        registry = await read_registry(connection, queries)
    finally:
        await close_quietly(connection)
    shown: list[list[Raw]] = []
    for target in TARGETS:
        await asyncio.to_thread(click.pause, f"Put {target} under the sensors of {device}, then press a key ")
        shown.append(await _listened(settings, device, dict(registry)))
    belt, dark, white = shown
    return calibrated(belt, dark, white, white_reflectance=white_reflectance, now=datetime.now(UTC))


async def _listened(settings: Settings, device: str, registry: dict[str, Place]) -> list[Raw]:
    """MESSAGES raw messages of `device`, from now on. Raises TimeoutError."""
    broker = settings.broker
    found: list[Raw] = []
    pairing: Pairing[None] = Pairing()
    async with (
        asyncio.timeout(PATIENCE_S),
        Client(
            host=broker.host,
            port=broker.port,
            client_id=f"sqal-calibrate-{uuid.uuid4().hex[:8]}",
            rng=random.Random(),  # noqa: S311  # jitter
            subscriptions=[Subscription(subscription("raw", device=device))],
            clean_start=True,
            session_expiry_s=0,
            tls=tls_context(broker),
            username=broker.username,
            password=password(broker),
            ack_on_take=True,
        ) as client,
    ):
        async for delivery in client.deliveries():
            said = read(raw_topic(delivery.topic), delivery.payload, registry)
            if isinstance(said, Refusal):
                raise click.ClickException(f"{device}: {said.path}: {said.detail}")
            if not isinstance(said, Raw):
                try:
                    whole = pairing.take(device, said, None, asyncio.get_running_loop().time())
                    said = None if whole is None else raw_of(whole.part, device)
                except ContractError as error:
                    raise click.ClickException(f"{device}: {error}") from error
            if said is not None:
                found.append(said)
            if len(found) >= MESSAGES:
                return found
    raise AssertionError("deliveries end with their client only")
