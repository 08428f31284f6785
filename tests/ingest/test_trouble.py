"""Goal: trouble of each kind ends as it should: a row is refused, a database waited for, a hopeless case told.

Method: the real database is made read-only, loses a table; a device runs wild.
"""

import asyncio
from collections.abc import Awaitable, Callable
from datetime import timedelta

import psycopg
import pytest

from cloud.ingest import IngestStoppedError
from tests.kit.fix_broker import OwnBroker
from tests.kit.fix_database import Database
from tests.kit.fix_ingest import RunningIngest, TestDevice, ingest_settings, rows, value
from tests.kit.fix_messaging import DEADLINE_S
from tests.kit.samples import BOOT, START, as_bytes, sample

NewIngest = Callable[..., Awaitable[RunningIngest]]
NewDevice = Callable[..., Awaitable[TestDevice]]


def run(dsn: str, *statements: str) -> None:
    with psycopg.connect(dsn, autocommit=True) as connection:
        for statement in statements:
            connection.execute(statement.encode())


async def ends(ingest: RunningIngest) -> str:
    """The sentence with which an ingester gives up."""
    assert ingest.task is not None
    with pytest.raises(IngestStoppedError) as stopped:
        async with asyncio.timeout(DEADLINE_S):
            await ingest.task
    ingest.task = None
    return str(stopped.value)


async def test_a_read_only_database_is_waited_for(
    store: Database, mosquitto: OwnBroker, new_ingest: NewIngest, new_device: NewDevice
) -> None:
    ingest = await new_ingest(ingest_settings(store.dsn, mosquitto.port))
    device = await new_device(mosquitto.port)
    others = "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = current_database()"
    others += " AND pid <> pg_backend_pid()"
    run(store.dsn, f"ALTER DATABASE {store.name} SET default_transaction_read_only = on", others)
    await device.send(as_bytes(sample(1)))
    await ingest.until(lambda totals: totals.database_losses_total >= 1)
    with psycopg.connect(store.dsn, autocommit=True, options="-c default_transaction_read_only=off") as connection:
        connection.execute(f"ALTER DATABASE {store.name} RESET default_transaction_read_only".encode())
    await device.until(lambda each: each.stored == {(BOOT, 1)}, timeout_s=30)
    assert value(store.dsn, "SELECT count(*) FROM sqal_sensor_samples") == 1
    assert value(store.dsn, "SELECT count(*) FROM sqal_dead_letters") == 0


async def test_a_missing_table_ends_ingest_with_a_sentence(
    store: Database, mosquitto: OwnBroker, new_ingest: NewIngest, new_device: NewDevice
) -> None:
    ingest = await new_ingest(ingest_settings(store.dsn, mosquitto.port))
    device = await new_device(mosquitto.port)
    run(store.dsn, "ALTER TABLE sqal_device_boots RENAME TO elsewhere")
    await device.send(as_bytes(sample(1)))
    words = await ends(ingest)
    assert 'relation "sqal_device_boots" does not exist' in words
    assert "sqal db migrate" in words


async def test_a_number_has_one_time(
    store: Database, mosquitto: OwnBroker, new_ingest: NewIngest, new_device: NewDevice
) -> None:
    """The same boot and number with another time is refused: in one batch, and long after."""
    await new_ingest(ingest_settings(store.dsn, mosquitto.port))
    device = await new_device(mosquitto.port)
    later = START + timedelta(seconds=9)
    await device.send_all([as_bytes(sample(1)), as_bytes(sample(1, at=later, sample_id="x")), as_bytes(sample(2))])
    await device.until(lambda each: len(each.stored) == 2 and each.rejected == {(BOOT, 1)})
    await device.send_all([as_bytes(sample(2, at=later)), as_bytes(sample(2)), as_bytes(sample(3))])
    await device.until(lambda each: len(each.stored) == 3 and each.rejected == {(BOOT, 1), (BOOT, 2)})
    assert rows(store.dsn, "SELECT seq FROM sqal_sensor_samples ORDER BY seq") == [(1,), (2,), (3,)]
    assert value(store.dsn, "SELECT count(*) FROM sqal_dead_letters WHERE reason = 'sample_id_conflict'") == 2


async def test_a_device_that_runs_wild_is_limited_and_delays_nobody(
    store: Database, mosquitto: OwnBroker, new_ingest: NewIngest, new_device: NewDevice
) -> None:
    """A hundred times its quota: the device gets its share, is told, and keeps the rest; another one is served."""
    ingest = await new_ingest(ingest_settings(store.dsn, mosquitto.port, device_rate_max_hz=10))
    wild = await new_device(mosquitto.port)
    calm = await new_device(mosquitto.port, "ESP32_LS_01", "LS")
    await wild.send_all([as_bytes(sample(seq)) for seq in range(1, 1_001)])
    await calm.send(as_bytes(sample(1, device="ESP32_LS_01")))
    await calm.until(lambda each: each.stored == {(BOOT, 1)})
    await wild.until(lambda each: any(error.code == "rate_limited" for error in each.errors))
    assert all(error.held for error in wild.errors)
    stored = value(store.dsn, "SELECT count(*) FROM sqal_sensor_samples WHERE device_id = 'ESP32_LL_01'")
    assert 50 <= stored < 200
    assert stored + ingest.counters.rate_limited_total == 1_000
    assert wild.rejected == set()
    assert len(wild.errors) < 100
