"""The parts that `bench ingest` measures with: database, broker, an ingester of its own process, devices' samples.

The generator is `mosquitto_pub -l`, which costs next to nothing: what is measured is who receives.
"""

import asyncio
import json
import os
import random
import re
import shutil
import subprocess
import sys
import time
import uuid
from collections.abc import Generator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, cast

import msgspec
import psycopg

from cloud.store.migrate import migrate
from cloud.store.queries import Queries
from cloud.store.samples import TYPES, Place, sample_row
from cloud.store.session import open_session
from contract import Sample, decode, encode, sample_id_for
from contract.messages import Receipt
from contract.topics import device_topic
from messaging import Client, Subscription
from sqal.demo.plan import free_port
from sqal.parts import PartError
from sqal.parts.broker import start_broker
from sqal.parts.postgres import start_postgres
from sqal.resources import resource_path

GOLDEN = Path(__file__).parents[1] / "contract" / "golden" / "sample.v1.json"
DEVICE, SITE, LINE = "ESP32_LL_01", "LL", "line1"
TOPIC = device_topic(SITE, LINE, DEVICE, "sample")
RECEIPTS = device_topic(SITE, LINE, DEVICE, "receipt")
PLACE = Place(device_id=DEVICE, site_code=SITE, line=LINE)
CUSTOMERS = ("sample_id", "device_id", "timestamp", "vl53l8ch", "as7341", "fusion", "firmware_version", "meta")
OURS = frozenset({"status_matrix", "ambient_matrix", "mass_g", "belt_distance_mm", "gain", "integration_ms", "led_ma"})
READY_S, RUN_S = 30.0, 300.0
BATCH = 1_000  # rows a commit, as ingest takes them under load
DURABLE_CONF = "max_queued_messages 1000000\nmax_queued_bytes 0\n"  # the generator must not outrun the broker's bounds


@dataclass(frozen=True, slots=True)
class Rig:
    """A migrated database and a broker, both ours."""

    dsn: str
    broker_port: int
    folder: Path

    def value(self, query: str) -> object:
        """The one value of a query."""
        with psycopg.connect(self.dsn, autocommit=True) as connection:
            row = connection.execute(query.encode()).fetchone()
        return None if row is None else row[0]

    def run(self, statement: str) -> None:
        """Execute a statement."""
        with psycopg.connect(self.dsn, autocommit=True) as connection:
            connection.execute(statement.encode())


@contextmanager
def rig(folder: Path) -> Generator[Rig]:
    """Start PostgreSQL (with fsync) and Mosquitto in `folder`, migrated; end both."""
    postgres = start_postgres(data=folder / "postgres", port=free_port())
    try:
        broker = start_broker(port=free_port(), directory=folder / "broker", kind="mosquitto", extra_conf=DURABLE_CONF)
        try:
            migrate(postgres.dsn, resource_path("sql") / "migrations", timescale="off")
            yield Rig(postgres.dsn, broker.port, folder)
        finally:
            broker.kill()
    finally:
        postgres.stop()


class Ingester:
    """`sqal cloud ingest` in a process of its own."""

    def __init__(self, rig: Rig, *, quota_hz: int = 1_000_000) -> None:
        """Start it; `wait_ready` waits until it stores. quota_hz: of a device, by default one stands for thousands."""
        environment = {key: text for key, text in os.environ.items() if not key.startswith(("SQAL_", "DATABASE_URL"))}
        environment |= {"SQAL_DATABASE_URL": rig.dsn, "SQAL_BROKER_PORT": str(rig.broker_port)}
        environment["SQAL_INGEST_DEVICE_RATE_MAX_HZ"] = str(quota_hz)
        self._log = (rig.folder / "ingest.log").open("ab")
        self._rig = rig
        command = [sys.executable, "-m", "sqal", "cloud", "ingest"]
        self.process = subprocess.Popen(command, env=environment, stdout=self._log, stderr=self._log)

    async def wait_ready(self) -> None:
        """Wait until `_host` says that somebody stores."""
        async with asyncio.timeout(READY_S), listener(self._rig, "bench-host", "sqal/v1/_host/+/state") as client:
            async for delivery in client.deliveries():
                client.ack(delivery)
                if b'"online":true' in delivery.payload:
                    return

    def memory_mb(self) -> float:
        """The most memory it ever had, in MB of 10^6 bytes; from the kernel."""
        status = Path(f"/proc/{self.process.pid}/status").read_text()
        found = re.search(r"VmHWM:\s+(\d+) kB", status)
        assert found is not None
        return int(found[1]) * 1024 / 1e6

    def stop(self) -> None:
        """End it as an operator does."""
        self.process.terminate()
        self.process.wait(10)
        self._log.close()


def listener(rig: Rig, name: str, topic: str) -> Client:
    """A client that hears `topic`."""
    return Client(
        host="127.0.0.1",
        port=rig.broker_port,
        client_id=name,
        rng=random.Random(1),
        clean_start=True,
        session_expiry_s=0,
        subscriptions=[Subscription(topic)],
    )


def samples(count: int, *, boot: uuid.UUID, start: datetime, rng: random.Random) -> list[Sample]:
    """Distinct samples, 1 ms apart, with the noise of real frames: the customer's fields and our numbering, 1.45 kB."""
    plain = json.loads(GOLDEN.read_bytes())
    base = msgspec.convert({name: _customers(plain[name]) for name in CUSTOMERS}, Sample)
    return [_noisy(base, boot, seq, start + timedelta(milliseconds=seq), rng) for seq in range(1, count + 1)]


def _customers(value: Any) -> Any:
    """What is left of a part of the golden sample without the fields that only our own devices send."""
    if not isinstance(value, dict):
        return value
    parts = cast("dict[str, Any]", value)
    return {name: _customers(part) for name, part in parts.items() if name not in OURS and not name.endswith("_u")}


def _noisy(base: Sample, boot: uuid.UUID, seq: int, at: datetime, rng: random.Random) -> Sample:
    replace = msgspec.structs.replace
    spans = {"distance_matrix": 900, "reflectance_matrix": 120, "amplitude_matrix": 900}
    matrices = {
        name: [[middle + rng.randrange(-20, 20) for _ in range(8)] for _ in range(8)] for name, middle in spans.items()
    }
    return replace(
        base,
        sample_id=sample_id_for(DEVICE, boot, seq),
        timestamp=at,
        boot_id=boot,
        seq=seq,
        lot_id=None,
        hist=False,
        vl53l8ch=replace(base.vl53l8ch, raw=replace(base.vl53l8ch.raw, **matrices)),
    )


def fresh(count: int, seed: int) -> list[Sample]:
    """Samples of a new boot, now: so that alerts and live lanes have their full work."""
    return samples(count, boot=uuid.uuid4(), start=datetime.now(UTC), rng=random.Random(seed))


async def drive(rig: Rig, found: Sequence[Sample]) -> float:
    """Publish all by `mosquitto_pub -l` and return the seconds until the last of them is receipted."""
    wanted = len(found)
    async with asyncio.timeout(RUN_S), listener(rig, "bench-receipts", RECEIPTS) as client:
        await client.wait_connected()
        began = time.perf_counter()
        generator = start_generator(rig, found)
        async for delivery in client.deliveries():
            client.ack(delivery)
            receipt = decode(Receipt, delivery.payload)
            wanted -= sum(each.last_seq - each.first_seq + 1 for each in receipt.stored)
            if wanted <= 0:
                break
        seconds = time.perf_counter() - began
    generator.wait(RUN_S)
    return seconds


def start_generator(rig: Rig, found: Sequence[Sample]) -> "subprocess.Popen[bytes]":
    """Publish all with QoS 1 as fast as the broker takes them."""
    lines = rig.folder / "samples.jsonl"
    lines.write_bytes(b"\n".join(encode(each) for each in found) + b"\n")
    program = shutil.which("mosquitto_pub")
    if program is None:
        raise PartError("the program mosquitto_pub is not installed: apt-get install mosquitto-clients")
    command = [program, "-p", str(rig.broker_port), "-t", TOPIC, "-q", "1", "-l", "-V", "mqttv5"]
    with lines.open("rb") as source:
        return subprocess.Popen(command, stdin=source)


async def latencies(rig: Rig, found: Sequence[Sample], rate_hz: float) -> list[float]:
    """Seconds from the publication of each sample to its receipt, at `rate_hz` samples a second."""
    loop = asyncio.get_running_loop()
    sent_at: dict[int, float] = {}
    seen: list[float] = []
    async with asyncio.timeout(RUN_S), listener(rig, "bench-receipts", RECEIPTS) as client:
        await client.wait_connected()

        async def send() -> None:
            began = loop.time()
            for n, each in enumerate(found):
                await asyncio.sleep(max(0.0, began + n / rate_hz - loop.time()))
                payload = encode(each)
                sent_at[each.seq or 0] = loop.time()
                await client.submit(TOPIC, payload)

        sending = asyncio.create_task(send())
        async for delivery in client.deliveries():
            client.ack(delivery)
            for part in decode(Receipt, delivery.payload).stored:
                seen += [loop.time() - sent_at[seq] for seq in range(part.first_seq, part.last_seq + 1)]
            if len(seen) >= len(found):
                break
        await sending
    return seen


async def copy_by_hand(rig: Rig, found: Sequence[Sample]) -> float:
    """Seconds for rows that are built already, by the same two statements, into an empty table of the same shape."""
    queries = Queries(resource_path("sql") / "queries")
    rows = [sample_row(n % BATCH, each, PLACE, []) for n, each in enumerate(found)]
    insert = queries["insert_samples"].replace("INTO sqal_sensor_samples", "INTO bare_samples")
    rig.run("DROP TABLE IF EXISTS bare_samples")
    rig.run("CREATE TABLE bare_samples (LIKE sqal_sensor_samples INCLUDING ALL)")
    connection = await open_session(rig.dsn, queries)
    try:
        began = time.perf_counter()
        for first in range(0, len(rows), BATCH):
            async with connection.transaction(), connection.cursor() as cursor:
                async with cursor.copy(queries["copy_stage_samples"]) as copy:
                    copy.set_types(TYPES)
                    for row in rows[first : first + BATCH]:
                        await copy.write_row(row)
                await cursor.execute(insert, binary=True)
                await cursor.fetchall()
        return time.perf_counter() - began
    finally:
        await connection.close()
