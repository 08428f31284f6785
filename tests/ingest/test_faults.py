"""Goal: whatever dies, nothing is lost and nothing is there twice.

Method: real processes killed while samples flow; the device sends again what has no receipt, as the uplink does. At the
end the rows are exactly what was numbered.
"""

import asyncio
import uuid
from collections.abc import Awaitable, Callable

from cloud.settings import Settings
from cloud.store.migrate import migrate
from tests.kit.fix_broker import OwnBroker
from tests.kit.fix_database import Database, OwnPostgres
from tests.kit.fix_ingest import SQL, IngestProcess, RunningIngest, TestDevice, ingest_settings, value
from tests.kit.samples import BOOT, as_bytes, sample

NewIngest = Callable[..., Awaitable[RunningIngest]]
NewDevice = Callable[..., Awaitable[TestDevice]]
COUNT = 1500


def all_numbers() -> set[tuple[uuid.UUID, int]]:
    return {(BOOT, seq) for seq in range(1, COUNT + 1)}


async def deliver(device: TestDevice, *, round_s: float = 2.0) -> None:
    """Send what has no receipt, round by round, until everything has one; an uplink waits longer between rounds."""
    while missing := sorted(all_numbers() - device.stored):
        await device.client.wait_connected()
        await device.send_all([as_bytes(sample(seq)) for _, seq in missing])
        try:
            await device.until(lambda each: each.stored == all_numbers(), timeout_s=round_s)
        except TimeoutError:
            continue


def assert_exactly_once(dsn: str) -> None:
    assert value(dsn, "SELECT count(*) FROM sqal_sensor_samples") == COUNT
    assert value(dsn, "SELECT count(DISTINCT seq) FROM sqal_sensor_samples") == COUNT
    assert value(dsn, "SELECT sum(sample_count) FROM sqal_hourly_stats") == COUNT
    assert value(dsn, "SELECT count(*) FROM sqal_dead_letters") == 0


async def test_sigkill_of_ingest_in_the_middle(
    store: Database,
    mosquitto: OwnBroker,
    new_ingest_process: Callable[[Settings], IngestProcess],
    new_device: NewDevice,
) -> None:
    """Three ingesters die one after the other, each after its first receipts; the fourth finishes."""
    settings = ingest_settings(store.dsn, mosquitto.port, batch_rows_max=50)
    device = await new_device(mosquitto.port)
    process = new_ingest_process(settings)
    sending = asyncio.create_task(deliver(device))
    for _ in range(3):
        before = len(device.stored)
        await device.until(lambda each, before=before: len(each.stored) > before, timeout_s=60)
        process.kill()
        process = new_ingest_process(settings)
    async with asyncio.timeout(60):
        await sending
    assert process.stop() == 0
    assert_exactly_once(store.dsn)


async def test_the_database_dies_and_comes_back(
    own_postgres: OwnPostgres, mosquitto: OwnBroker, new_ingest: NewIngest, new_device: NewDevice
) -> None:
    """Away for longer than a keep-alive: the ingester leaves the broker on purpose, and loses nothing."""
    migrate(own_postgres.dsn, SQL / "migrations", timescale="off")
    ingest = await new_ingest(ingest_settings(own_postgres.dsn, mosquitto.port, keep_alive_s=2, batch_rows_max=50))
    device = await new_device(mosquitto.port)
    payloads = [as_bytes(sample(seq)) for seq in range(1, COUNT + 1)]
    await device.send_all(payloads[:500])
    await device.until(lambda each: len(each.stored) > 50)
    own_postgres.kill()
    await device.send_all(payloads[500:])
    async with asyncio.timeout(20):
        await ingest.phases["away"].wait()
    own_postgres.start()
    await device.until(lambda each: each.stored == all_numbers(), timeout_s=40)  # nothing is sent again
    assert_exactly_once(own_postgres.dsn)


async def test_the_broker_dies_and_comes_back(
    store: Database, mosquitto: OwnBroker, new_ingest: NewIngest, new_device: NewDevice
) -> None:
    """SIGKILL: the broker forgets what it had acknowledged; receipts are what saves it."""
    await new_ingest(ingest_settings(store.dsn, mosquitto.port, batch_rows_max=50))
    device = await new_device(mosquitto.port)
    sending = asyncio.create_task(deliver(device))
    for _ in range(2):
        before = len(device.stored)
        await device.until(lambda each, before=before: len(each.stored) > before, timeout_s=60)
        mosquitto.kill()
        mosquitto.start()
    async with asyncio.timeout(60):
        await sending
    assert_exactly_once(store.dsn)


async def test_a_stand_by_takes_over(
    store: Database, mosquitto: OwnBroker, new_ingest: NewIngest, new_device: NewDevice
) -> None:
    settings = ingest_settings(store.dsn, mosquitto.port)
    first = await new_ingest(settings)
    second = await new_ingest(settings, wait=False)
    device = await new_device(mosquitto.port)
    await device.send(as_bytes(sample(1)))
    await device.until(lambda each: each.stored == {(BOOT, 1)})
    assert second.phases["standby"].is_set()
    assert not second.phases["active"].is_set()
    await first.stop()
    await device.send(as_bytes(sample(2)))  # into the session that both share
    await device.until(lambda each: each.stored == {(BOOT, 1), (BOOT, 2)})
    assert second.counters.accepted_total == 1


async def await_ingester(device: TestDevice) -> None:
    """Send one sample until it is receipted: before its first connect an ingester has no session that would keep it."""
    while not device.stored:
        await device.send(as_bytes(sample(1)))
        try:
            await device.until(lambda each: bool(each.stored), timeout_s=1.0)
        except TimeoutError:
            continue


async def test_a_stand_by_takes_over_from_one_that_was_killed(
    store: Database,
    mosquitto: OwnBroker,
    new_ingest_process: Callable[[Settings], IngestProcess],
    new_ingest: NewIngest,
    new_device: NewDevice,
) -> None:
    """SIGKILL: the kernel closes the session, the lock is free, and what was in hand comes from the broker again."""
    settings = ingest_settings(store.dsn, mosquitto.port, batch_rows_max=50)
    active = new_ingest_process(settings)
    device = await new_device(mosquitto.port)
    await await_ingester(device)
    stand_by = await new_ingest(settings, wait=False)
    async with asyncio.timeout(30):
        await stand_by.phases["standby"].wait()
    await device.send_all([as_bytes(sample(seq)) for seq in range(2, COUNT + 1)])
    active.kill()
    await device.until(lambda each: each.stored == all_numbers(), timeout_s=60)  # nothing is sent again
    assert stand_by.phases["active"].is_set()
    assert_exactly_once(store.dsn)


async def test_sigterm_under_load_ends_in_order(
    store: Database,
    mosquitto: OwnBroker,
    new_ingest_process: Callable[[Settings], IngestProcess],
    new_device: NewDevice,
) -> None:
    """Exit code 0, `_host` offline by its own word, and no row in the database that has no receipt."""
    settings = ingest_settings(store.dsn, mosquitto.port, batch_rows_max=50)
    process = new_ingest_process(settings)
    device = await new_device(mosquitto.port)
    await await_ingester(device)
    sending = asyncio.create_task(device.send_all([as_bytes(sample(seq)) for seq in range(2, COUNT + 1)]))
    await device.until(lambda each: len(each.stored) > 100, timeout_s=60)
    assert await asyncio.to_thread(process.stop) == 0
    await sending
    stored = value(store.dsn, "SELECT count(*) FROM sqal_sensor_samples")
    await device.until(lambda each: len(each.stored) == stored, timeout_s=30)
    after = new_ingest_process(settings)
    await device.until(lambda each: each.stored == all_numbers(), timeout_s=60)
    assert after.stop() == 0
    assert_exactly_once(store.dsn)
