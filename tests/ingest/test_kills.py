"""Goal: whatever dies, at whatever moment, rows and gaps together are everything ever numbered, and no row is twice.

Method: real spools and uplinks put three devices' samples through a real broker into a real database while ingest,
broker and database are killed (SIGKILL) in an order, and at moments, drawn from a seed; the test starts each again at
once, as a supervisor would. After each kill the line is back when something numbered after it has its receipt. One of
the devices has a spool that is too small on purpose, so that gaps are part of the proof.
"""

import asyncio
import random
import statistics
import time
import uuid
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
from msgspec.structs import replace

from cloud.settings import Settings as CloudSettings
from cloud.store.migrate import migrate
from contract.messages import Event, Gap, SeqRange
from contract.sample import Sample
from edge.clock import SystemClock
from edge.identity import Identity
from edge.rows import Kind, Stamp
from edge.settings import Settings
from edge.spool import Spool
from edge.spool_limits import SpoolLimits
from edge.uplink import Uplink
from tests.kit import fix_spool
from tests.kit.fix_broker import OwnBroker
from tests.kit.fix_database import OwnPostgres
from tests.kit.fix_ingest import SQL, IngestProcess, ingest_settings, rows, value

RATE_HZ = 30.0  # of each device
BACK_S = 10.0  # the promise; held against it at the full count, on a machine that does nothing else
HUNG_S = 60.0
VICTIMS = ("ingest", "broker", "database")
AMPLE = SpoolLimits(commit_interval_s=0.05, reserve_bytes=0)
TOO_SMALL = SpoolLimits(commit_interval_s=0.05, reserve_bytes=0, rows_max=40)
FLEET = {"ESP32_LL_01": AMPLE, "ESP32_LS_01": AMPLE, "ESP32_MT_01": TOO_SMALL}


class WatchedSpool(Spool):
    """Notes the highest number that a receipt named."""

    receipted = 0

    def trim(self, ranges: Sequence[SeqRange]) -> None:
        mine = [each.last_seq for each in ranges if each.boot_id == self.boot_id]
        self.receipted = max([self.receipted, *mine])
        super().trim(ranges)


@dataclass
class Device:
    """A spool, its uplink, and samples that go in at a steady rate."""

    device_id: str
    site: str
    spool: WatchedSpool
    uplink: Uplink
    numbered: int = 0

    def measure(self) -> None:
        self.spool.append(Kind.SAMPLE, time.clock_gettime_ns(time.CLOCK_BOOTTIME), self._sample)
        self.numbered += 1

    def _sample(self, stamp: Stamp) -> Sample:
        return replace(fix_spool.sample(stamp), device_id=self.device_id, site_code=self.site, lot_id=None)


@asynccontextmanager
async def device(device_id: str, folder: Path, port: int, limits: SpoolLimits) -> AsyncIterator[Device]:
    site = device_id.split("_")[1]
    clock = SystemClock(trusted=True)
    identity = Identity(device_id, site, "line1", uuid.uuid4())

    def gap_event(stamp: Stamp, gap: Gap) -> Event:
        return replace(fix_spool.event(stamp, kind="gap", gap=gap), device_id=device_id)

    spool = WatchedSpool(folder / device_id, clock=clock, build_gap=gap_event, limits=limits, chance=random.Random())  # noqa: S311
    settings = Settings(device=device_id, site=site, state_dir=folder / device_id, broker_port=port)
    uplink = Uplink(spool=spool, identity=identity, settings=settings, clock=clock, chance=random.Random(1))  # noqa: S311
    loop = asyncio.get_running_loop()
    spool.on_commit = lambda made: loop.call_soon_threadsafe(uplink.offer, made) and None
    spool.on_release = lambda: loop.call_soon_threadsafe(uplink.release) and None
    task = asyncio.create_task(uplink.run())
    try:
        yield Device(device_id, site, spool, uplink)
    finally:
        task.cancel()
        await asyncio.wait([task])
        spool.close()


@dataclass
class Line:
    """The parts that die, and how long the line was away after each death."""

    broker: OwnBroker
    database: OwnPostgres
    start_ingest: Callable[[], IngestProcess]
    devices: list[Device] = field(default_factory=list)
    away_s: dict[str, list[float]] = field(default_factory=lambda: {name: [] for name in VICTIMS})

    def __post_init__(self) -> None:
        self.ingest = self.start_ingest()

    async def kill(self, victim: str) -> None:
        """Kill, start again, wait until each device has a receipt for something that it numbered after the kill."""
        before = {each.device_id: each.numbered for each in self.devices}
        killed_at = time.monotonic()
        if victim == "ingest":
            self.ingest.kill()
            self.ingest = self.start_ingest()
        else:
            part = self.broker if victim == "broker" else self.database
            part.kill()
            part.start()
        await self.until(lambda: all(each.spool.receipted > before[each.device_id] for each in self.devices))
        self.away_s[victim].append(time.monotonic() - killed_at)

    async def until(self, done: Callable[[], bool]) -> None:
        async with asyncio.timeout(HUNG_S):
            while not done():  # noqa: ASYNC110  # plain numbers: there is no event to wait for
                await asyncio.sleep(0.01)

    async def measure_forever(self) -> None:
        while True:
            for each in self.devices:
                each.measure()
            await asyncio.sleep(1 / RATE_HZ)


async def survive(line: Line, folder: Path, *, seed: int, kills: int) -> None:
    """Kill `kills` times under load, then let everything settle and hold the books against each other."""
    chance = random.Random(seed)  # noqa: S311
    async with AsyncExitStack() as stack:
        for device_id, limits in FLEET.items():
            made = device(device_id, folder, line.broker.port, limits)
            line.devices.append(await stack.enter_async_context(made))
        load = asyncio.create_task(line.measure_forever())
        for _ in range(kills):
            await asyncio.sleep(chance.uniform(0.0, 0.5))  # the moment of death is what is drawn
            await line.kill(chance.choice(VICTIMS))
        load.cancel()
        await asyncio.wait([load])
        await line.until(
            lambda: not any(each.spool.stats().rows or each.spool.stats().waiting for each in line.devices)
        )
        assert line.ingest.stop() == 0
    for each in line.devices:
        check_books(line.database.dsn, each)


def check_books(dsn: str, device: Device) -> None:
    stored = numbers(dsn, "sqal_sensor_samples", device)
    events = numbers(dsn, "sqal_events", device)
    assert len(stored) == len(set(stored)), "a sample is there twice"
    assert not set(stored) & set(events)
    gaps: set[int] = set()
    query = "SELECT first_seq, last_seq FROM sqal_gaps WHERE device_id = %s AND boot_id = %s"
    for first, last in rows(dsn, query, device.device_id, device.spool.boot_id):
        gaps |= set(range(first, last + 1))
    everything = set(range(1, device.spool.stats().appended + 1))
    assert set(stored) | set(events) | gaps == everything
    if device.spool.limits is AMPLE:
        assert not gaps
    hours = "SELECT sum(sample_count) FROM sqal_hourly_stats WHERE device_id = %s"
    assert value(dsn, hours, device.device_id) == len(stored)
    assert value(dsn, "SELECT count(*) FROM sqal_dead_letters") == 0


def numbers(dsn: str, table: str, device: Device) -> list[int]:
    query = f"SELECT seq FROM {table} WHERE device_id = %s AND boot_id = %s"  # noqa: S608  # names of ours
    return [seq for (seq,) in rows(dsn, query, device.device_id, device.spool.boot_id)]


@pytest.fixture
def line(
    own_postgres: OwnPostgres, mosquitto: OwnBroker, new_ingest_process: Callable[[CloudSettings], IngestProcess]
) -> Line:
    migrate(own_postgres.dsn, SQL / "migrations", timescale="off")
    settings: Any = ingest_settings(own_postgres.dsn, mosquitto.port)
    return Line(mosquitto, own_postgres, lambda: new_ingest_process(settings))


@pytest.mark.timeout(300)
async def test_a_few_kills(line: Line, tmp_path: Path) -> None:
    await survive(line, tmp_path, seed=6, kills=4)


@pytest.mark.proof
@pytest.mark.timeout(7200)
async def test_two_hundred_kills(line: Line, tmp_path: Path) -> None:
    await survive(line, tmp_path, seed=200, kills=200)
    for victim, away_s in line.away_s.items():
        print(f"{victim}: {len(away_s)} kills, back after {statistics.median(away_s):.1f} s, worst {max(away_s):.1f} s")
    gaps = value(line.database.dsn, "SELECT count(*) FROM sqal_gaps")
    stored = value(line.database.dsn, "SELECT count(*) FROM sqal_sensor_samples")
    print(f"{stored} samples stored, {gaps} gaps told, seed 200")
    assert max(max(each) for each in line.away_s.values()) <= BACK_S
