"""Raw messages of a small device through real broker, raw worker, ingest and PostgreSQL, and what goes wrong."""

import asyncio
import json
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from typing import Any

import msgspec
import psycopg
import pytest
from psycopg.types.json import Jsonb

from cloud.database import Phase
from cloud.raw import RawCounters, run_raw
from cloud.raw_analysis import DeviceCalibrations
from cloud.recipes import recipe_values
from cloud.settings import Settings
from cloud.store.queries import Queries
from cloud.store.raw import put_calibration
from cloud.store.session import close_quietly, open_session
from contract.messages import Raw
from contract.packed import Kind, RawPart, boot_id_of, pack, raw_of
from quality.recipe import Recipe
from tests.kit.fix_broker import OwnBroker
from tests.kit.fix_database import Database
from tests.kit.fix_ingest import SQL, RunningIngest, TestDevice, ingest_settings, rows, value
from tests.kit.fix_messaging import DEADLINE_S, rng
from tests.kit.raws import SmallDevice

DEVICE = "ESP32_LL_01"
SAMPLES = "SELECT seq, origin, clock_state, time FROM sqal_sensor_samples ORDER BY seq"


class Worker:
    """A raw worker in this process."""

    def __init__(self, settings: Settings) -> None:
        self.counters = RawCounters()
        self.active = asyncio.Event()
        self.standby = asyncio.Event()
        self._stop = asyncio.Event()
        self.task = asyncio.create_task(
            run_raw(settings, sql=SQL, stop=self._stop, rng=rng(), on_phase=self._on_phase, counters=self.counters)
        )

    def _on_phase(self, phase: Phase) -> None:
        if phase in ("active", "standby"):
            getattr(self, phase).set()

    async def until(self, done: Callable[[RawCounters], bool]) -> None:
        async with asyncio.timeout(DEADLINE_S):
            while not done(self.counters):  # plain numbers: there is no event to wait for
                assert not self.task.done(), self.task.exception()
                await asyncio.sleep(0.01)

    async def stop(self) -> None:
        self._stop.set()
        async with asyncio.timeout(DEADLINE_S):
            await self.task


@asynccontextmanager
async def working(settings: Settings) -> AsyncIterator[Worker]:
    worker = Worker(settings)
    try:
        async with asyncio.timeout(DEADLINE_S):
            await worker.active.wait()
        yield worker
    finally:
        await worker.stop()


@pytest.fixture(scope="module")
def small() -> tuple[SmallDevice, DeviceCalibrations, list[RawPart]]:
    """A small device, its calibration, and looks at pieces that lie still."""
    device = SmallDevice()
    found = msgspec.json.decode(msgspec.json.encode(device.calibrations()), type=DeviceCalibrations)
    return device, found, [device.look().part for _ in range(12)]


async def calibrate(dsn: str, found: DeviceCalibrations) -> None:
    queries = Queries(SQL / "queries")
    connection = await open_session(dsn, queries)
    await put_calibration(connection, queries, DEVICE, found)
    await close_quietly(connection)


Small = tuple[SmallDevice, DeviceCalibrations, list[RawPart]]
NewIngest = Callable[..., Awaitable[RunningIngest]]
NewDevice = Callable[..., Awaitable[TestDevice]]


async def test_raw_messages_in_every_form_become_samples_once(
    store: Database, mosquitto: OwnBroker, new_ingest: NewIngest, new_device: NewDevice, small: Small
):
    """Goal: whole, in parts and as JSON, each twice; one row each, stamped by the first message of the boot."""
    _, found, parts = small
    settings = ingest_settings(store.dsn, mosquitto.port)
    await calibrate(store.dsn, found)
    await new_ingest(settings)
    device = await new_device(mosquitto.port)
    async with working(settings) as worker:
        for part in parts:
            kinds = [Kind.WHOLE] if part.seq % 2 else [Kind.LIGHT, Kind.TOF]
            for _ in range(2):
                for kind in kinds:
                    await device.send(pack(part, kind), "raw")
        as_json = msgspec.structs.replace(raw_of(parts[0], DEVICE), seq=100, timestamp=datetime.now(UTC))
        await device.send(msgspec.json.encode(as_json), "raw")
        await worker.until(lambda c: c.stored + c.nothing >= len(parts) + 1 and c.received == 37)
        await worker.until(lambda c: c.known + c.nothing + c.stored >= 13)
    stored = rows(store.dsn, SAMPLES)
    assert len(stored) >= 6
    assert len({row[0] for row in stored}) == len(stored)
    assert {row[1] for row in stored} == {"raw"}
    assert stored[-1][0] == 100
    assert stored[-1][2] is None  # the device knew the time
    unset = stored[:-1]
    assert {row[2] for row in unset} == {"unset"}
    by_seq = {part.seq: part.uptime_ms for part in parts}
    zeros = {round(row[3].timestamp() * 1000) - by_seq[row[0]] for row in unset}
    assert max(zeros) - min(zeros) <= 1  # one zero for the whole boot
    assert value(store.dsn, "SELECT count(*) FROM sqal_dead_letters") == 0
    assert boot_id_of(DEVICE, 1) in {
        row[0] for row in rows(store.dsn, "SELECT DISTINCT boot_id FROM sqal_sensor_samples")
    }


async def test_nothing_is_acknowledged_before_the_sample_is_stored(
    store: Database, mosquitto: OwnBroker, new_ingest: NewIngest, new_device: NewDevice, small: Small
):
    """Goal: without ingest a worker holds on; the next worker gets the message again, and it is stored once."""
    _, found, parts = small
    settings = ingest_settings(store.dsn, mosquitto.port)
    await calibrate(store.dsn, found)
    device = await new_device(mosquitto.port)
    async with working(settings) as worker:
        for part in parts:
            await device.send(pack(part, Kind.WHOLE), "raw")
        await worker.until(lambda c: c.received == len(parts))
        assert worker.counters.stored == 0
    ingest = await new_ingest(settings)  # the samples of the first worker are gone: nobody subscribed
    async with working(settings) as again:
        await again.until(lambda c: c.stored >= 6 and c.stored + c.nothing + c.known == len(parts))
    assert ingest.counters.accepted_total == value(store.dsn, "SELECT count(*) FROM sqal_sensor_samples") + value(
        store.dsn, "SELECT count(*) FROM sqal_events"
    )


async def test_what_cannot_be_analysed_is_a_dead_letter_and_delays_nobody(
    store: Database, mosquitto: OwnBroker, new_ingest: NewIngest, new_device: NewDevice, small: Small
):
    """Goal: garbage of every kind between good messages: kept with its reason, told, and in nobody's way."""
    _, found, parts = small
    settings = ingest_settings(store.dsn, mosquitto.port)
    await calibrate(store.dsn, found)
    await new_ingest(settings)
    device = await new_device(mosquitto.port)
    other = await new_device(mosquitto.port, "ESP32_MT_01", "MT")
    stranger = await new_device(mosquitto.port, "ESP32_XX_09", "LL")
    bad: list[bytes] = [b"", b"garbage", b"{", pack(parts[0], Kind.WHOLE)[:-1], json.dumps({"seq": 1}).encode()]
    async with working(settings) as worker:
        for payload in bad:
            await device.send(payload, "raw")
        await other.send(pack(parts[0], Kind.WHOLE), "raw")
        await stranger.send(pack(parts[0], Kind.WHOLE), "raw")
        await device.send(pack(msgspec_replace(parts[0], seq=999), Kind.LIGHT), "raw")
        for part in parts:
            await device.send(pack(part, Kind.WHOLE), "raw")
        await worker.until(lambda c: c.stored >= 6)
        await worker.until(lambda c: c.refused >= len(bad) + 3)
        await device.until(lambda d: {"raw_incomplete"} <= {each.code for each in d.errors})
        await other.until(lambda d: any(each.code == "no_calibration" for each in d.errors))
        await stranger.until(lambda d: any(each.code == "unknown_device" for each in d.errors))
    reasons = dict(rows(store.dsn, "SELECT reason, count(*) FROM sqal_dead_letters GROUP BY reason"))
    assert reasons == {"invalid": 4, "not_json": 1, "no_calibration": 1, "unknown_device": 1, "raw_incomplete": 1}


def msgspec_replace(part: RawPart, **changes: Any) -> RawPart:
    return type(part)(**({name: getattr(part, name) for name in part.__dataclass_fields__} | changes))


async def test_the_recipe_in_use_grades(
    store: Database, mosquitto: OwnBroker, new_ingest: NewIngest, new_device: NewDevice, small: Small
):
    _, found, parts = small
    settings = ingest_settings(store.dsn, mosquitto.port)
    await calibrate(store.dsn, found)
    values = recipe_values(Recipe(name="stricter", version=3))
    with psycopg.connect(store.dsn) as connection:
        connection.execute(
            "INSERT INTO sqal_recipes (name, version, recipe_values, created_by, created_at)"
            " VALUES ('stricter', 3, %s, 'test', now())",
            [Jsonb(values)],
        )
        connection.execute(
            "INSERT INTO sqal_recipe_activations (name, version, site_code, reason, activated_by, activated_at)"
            " VALUES ('stricter', 3, 'LL', 'test', 'test', now())"
        )
    await new_ingest(settings)
    device = await new_device(mosquitto.port)
    async with working(settings) as worker:
        for part in parts:
            await device.send(pack(part, Kind.WHOLE), "raw")
        await worker.until(lambda c: c.stored >= 6)
    assert rows(store.dsn, "SELECT DISTINCT recipe FROM sqal_sensor_samples") == [("stricter@3",)]


async def test_a_second_worker_waits_for_the_first(store: Database, mosquitto: OwnBroker):
    settings = ingest_settings(store.dsn, mosquitto.port)
    async with working(settings) as first:
        second = Worker(settings)
        async with asyncio.timeout(DEADLINE_S):
            await second.standby.wait()
        assert not second.active.is_set()
        await first.stop()
        async with asyncio.timeout(DEADLINE_S):
            await second.active.wait()
        await second.stop()


def test_the_example_of_the_contract_is_a_raw_message(small: Small):
    assert isinstance(raw_of(small[2][0], DEVICE), Raw)


async def test_an_unusable_recipe_refuses_with_its_reason_and_ends_nobody(
    store: Database, mosquitto: OwnBroker, new_ingest: NewIngest, new_device: NewDevice, small: Small
):
    """The worker goes on: once another recipe is in use, what the device sends is graded."""
    _, found, parts = small
    settings = ingest_settings(store.dsn, mosquitto.port)
    await calibrate(store.dsn, found)
    activate(store.dsn, "broken", {**recipe_values(Recipe(name="broken")), "weight_tof": 7})
    await new_ingest(settings)
    device = await new_device(mosquitto.port)
    async with working(settings) as worker:
        await device.send(pack(parts[0], Kind.WHOLE), "raw")
        await worker.until(lambda c: c.refused >= 1)
        letters = rows(store.dsn, "SELECT reason, path, detail FROM sqal_dead_letters")
        assert [(reason, path) for reason, path, _ in letters] == [("not_computable", "recipe")]
        assert "broken@1 cannot be used: weight_tof" in letters[0][2]
        activate(store.dsn, "whole", recipe_values(Recipe(name="whole")))
        async with asyncio.timeout(DEADLINE_S):
            while worker.counters.stored < 3:  # it looks at recipes every two seconds; a refused number stays refused
                for part in parts[1:]:
                    await device.send(pack(part, Kind.WHOLE), "raw")
                await asyncio.sleep(0.5)
    assert rows(store.dsn, "SELECT DISTINCT recipe FROM sqal_sensor_samples") == [("whole@1",)]


def activate(dsn: str, name: str, values: dict[str, Any]) -> None:
    with psycopg.connect(dsn) as connection:
        connection.execute(
            "INSERT INTO sqal_recipes (name, version, recipe_values, created_by, created_at)"
            " VALUES (%s, 1, %s, 'test', now())",
            [name, Jsonb(values)],
        )
        connection.execute(
            "INSERT INTO sqal_recipe_activations (name, version, site_code, reason, activated_by, activated_at)"
            " VALUES (%s, 1, 'LL', 'test', 'test', now())",
            [name],
        )
