"""A migrated database, an ingester in this process or in one of its own, and devices that wait for their receipts."""

import asyncio
import os
import signal
import subprocess
import sys
import uuid
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

import msgspec
import psycopg
import pytest

from cloud.ingest import IngestCounters, Phase, run_ingest
from cloud.settings import BrokerSettings, DatabaseSettings, IngestSettings, Settings
from cloud.store.migrate import migrate
from contract import decode
from contract.messages import ErrorNotice, Receipt
from contract.topics import device_topic
from messaging import Client, NotConnectedError, Subscription
from sqal.parts.postgres import RunningPostgres
from tests.kit.fix_database import Database
from tests.kit.fix_messaging import DEADLINE_S, rng

SQL = Path(__file__).resolve().parents[2] / "sql"
TEMPLATE = "sqal_template"


def rows(dsn: str, query: str, *values: Any) -> list[tuple[Any, ...]]:
    """All rows of a query."""
    with psycopg.connect(dsn) as connection:
        return connection.execute(query.encode(), values).fetchall()


def value(dsn: str, query: str, *values: Any) -> Any:
    """The one value of a query."""
    return rows(dsn, query, *values)[0][0]


@pytest.fixture(scope="session")
def migrated_template(postgres: RunningPostgres) -> Iterator[str]:
    """The name of a database that was brought to the present schema once; copies of it take milliseconds."""
    with psycopg.connect(postgres.dsn, autocommit=True) as connection:
        connection.execute(f"CREATE DATABASE {TEMPLATE}")  # pyright: ignore  # a constant
    migrate(postgres.dsn_of(TEMPLATE), SQL / "migrations", timescale="off")
    yield TEMPLATE
    with psycopg.connect(postgres.dsn, autocommit=True) as connection:
        connection.execute(f"DROP DATABASE {TEMPLATE} WITH (FORCE)")  # pyright: ignore  # a constant


@pytest.fixture
def store(new_database: Callable[..., Database], migrated_template: str) -> Database:
    """A database with the present schema and the three devices of the customer."""
    return new_database(template=migrated_template)


def ingest_settings(dsn: str, broker_port: int, *, keep_alive_s: int = 30, **ingest: Any) -> Settings:
    """Settings of an ingester for tests."""
    return Settings(
        database=DatabaseSettings(url=dsn),
        broker=BrokerSettings(port=broker_port, keep_alive_s=keep_alive_s),
        ingest=IngestSettings(**ingest),
    )


class RunningIngest:
    """An ingester in this process."""

    def __init__(self, settings: Settings, *, sql: Path = SQL) -> None:
        self.settings = settings
        self.sql = sql
        self.counters = IngestCounters()
        self.phases: dict[Phase, asyncio.Event] = {
            "standby": asyncio.Event(),
            "active": asyncio.Event(),
            "away": asyncio.Event(),
        }
        self._stop = asyncio.Event()
        self.task: asyncio.Task[None] | None = None

    async def start(self, *, wait: bool = True) -> None:
        self.task = asyncio.create_task(
            run_ingest(
                self.settings,
                sql=self.sql,
                stop=self._stop,
                rng=rng(),
                on_phase=lambda phase: self.phases[phase].set(),
                counters=self.counters,
            )
        )
        if wait:
            async with asyncio.timeout(DEADLINE_S):
                await self.phases["active"].wait()

    async def until(self, done: Callable[[IngestCounters], bool]) -> None:
        """Wait until its counters say `done`."""
        async with asyncio.timeout(DEADLINE_S):
            while not done(self.counters):  # noqa: ASYNC110  # plain numbers: there is no event to wait for
                await asyncio.sleep(0.01)

    async def stop(self) -> None:
        self._stop.set()
        if self.task is not None:
            async with asyncio.timeout(DEADLINE_S):
                await self.task


@pytest.fixture
async def new_ingest() -> AsyncIterator[Callable[..., Awaitable[RunningIngest]]]:
    """Start ingesters: `await new_ingest(settings)`; stopped after the test."""
    made: list[RunningIngest] = []

    async def start(settings: Settings, *, wait: bool = True) -> RunningIngest:
        ingest = RunningIngest(settings)
        made.append(ingest)
        await ingest.start(wait=wait)
        return ingest

    yield start
    for ingest in made:
        await ingest.stop()


class IngestProcess:
    """An ingester in a process of its own, to be killed."""

    def __init__(self, settings: Settings, log: Path) -> None:
        environment = {key: text for key, text in os.environ.items() if not key.startswith(("SQAL_", "DATABASE_URL"))}
        environment |= {
            "SQAL_DATABASE_URL": settings.database.url,
            "SQAL_BROKER_PORT": str(settings.broker.port),
            "SQAL_INGEST_BATCH_ROWS_MAX": str(settings.ingest.batch_rows_max),
        }
        command = [sys.executable, "-m", "sqal", "cloud", "ingest"]
        with log.open("ab") as output:
            self.process = subprocess.Popen(command, env=environment, stdout=output, stderr=output)

    def kill(self) -> None:
        """SIGKILL, and wait."""
        self.process.kill()
        self.process.wait()

    def stop(self) -> int:
        """SIGTERM, and wait; the exit code."""
        if self.process.poll() is None:
            self.process.send_signal(signal.SIGTERM)
        return self.process.wait(10)


@pytest.fixture
def new_ingest_process(tmp_path: Path) -> Iterator[Callable[[Settings], IngestProcess]]:
    """Start ingesters as `sqal cloud ingest`; ended after the test."""
    made: list[IngestProcess] = []

    def start(settings: Settings) -> IngestProcess:
        process = IngestProcess(settings, tmp_path / "ingest.log")
        made.append(process)
        return process

    yield start
    for process in made:
        process.kill()


class TestDevice:
    """A device that knows receipts: it sends what has none again, whenever it is told to."""

    __test__ = False

    def __init__(self, client: Client, device: str, site: str) -> None:
        self.client = client
        self.device = device
        self.site = site
        self.stored: set[tuple[uuid.UUID, int]] = set()
        self.rejected: set[tuple[uuid.UUID, int]] = set()
        self.errors: list[ErrorNotice] = []
        self._changed = asyncio.Event()
        self._listener = asyncio.create_task(self._listen())

    async def send(self, payload: bytes, kind: Any = "sample") -> None:
        """Publish and wait for the broker's answer."""
        await self.client.publish(device_topic(self.site, "line1", self.device, kind), payload)

    async def send_all(self, payloads: list[bytes]) -> None:
        """Publish all, with many in flight; what a lost connection leaves open is left open."""
        with suppress(NotConnectedError):
            topic = device_topic(self.site, "line1", self.device, "sample")
            answers = [await self.client.submit(topic, payload) for payload in payloads]
            await asyncio.gather(*answers)

    async def until(self, done: Callable[["TestDevice"], bool], *, timeout_s: float = DEADLINE_S) -> None:
        """Wait until receipts and errors say `done`."""
        async with asyncio.timeout(timeout_s):
            while not done(self):
                self._changed.clear()
                await self._changed.wait()

    async def _listen(self) -> None:
        async for delivery in self.client.deliveries():
            if delivery.topic.endswith("/receipt"):
                receipt = decode(Receipt, delivery.payload)
                for known, ranges in ((self.stored, receipt.stored), (self.rejected, receipt.rejected)):
                    for each in ranges:
                        known.update((each.boot_id, seq) for seq in range(each.first_seq, each.last_seq + 1))
            else:
                self.errors.append(msgspec.json.decode(delivery.payload, type=ErrorNotice))
            self.client.ack(delivery)
            self._changed.set()

    async def close(self) -> None:
        self._listener.cancel()
        await asyncio.wait([self._listener])


@pytest.fixture
async def new_device(
    new_client: Callable[..., Awaitable[Client]],
) -> AsyncIterator[Callable[..., Awaitable[TestDevice]]]:
    """Connect devices: `await new_device(port, "ESP32_LL_01", "LL")`."""
    made: list[TestDevice] = []

    async def connect(port: int, device: str = "ESP32_LL_01", site: str = "LL") -> TestDevice:
        client = await new_client(port, f"{device}-{len(made)}")
        topics = [device_topic(site, "line1", device, kind) for kind in ("receipt", "error")]
        await client.subscribe(*(Subscription(topic) for topic in topics))
        made.append(TestDevice(client, device, site))
        return made[-1]

    yield connect
    for device in made:
        await device.close()
