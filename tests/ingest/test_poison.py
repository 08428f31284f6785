"""Goal: a message that cannot be accepted is kept with its reason, its sender is told, and nobody else waits for it.

Method: every kind of bad message in the midst of good ones of the same device, through real Mosquitto and PostgreSQL.
"""

import json
import uuid
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import psycopg
import pytest

from contract.topics import device_topic
from messaging import Client, Subscription
from tests.kit.fix_broker import OwnBroker
from tests.kit.fix_database import Database
from tests.kit.fix_ingest import RunningIngest, TestDevice, ingest_settings, rows, value
from tests.kit.samples import BOOT, as_bytes, sample

NewIngest = Callable[..., Awaitable[RunningIngest]]
NewDevice = Callable[..., Awaitable[TestDevice]]


def changed(path: str, new: Any) -> bytes:
    message = sample(2)
    *way, last = path.split(".")
    part = message
    for step in way:
        part = part[step]
    part[last] = new
    return as_bytes(message)


def nan() -> bytes:
    return as_bytes(sample(2)).replace(b'"volume_mm3": 50000.0', b'"volume_mm3": NaN')


FOREVER = datetime.now(UTC) + timedelta(days=3650)
# name: payload, reason, path in the dead letter, whether number 2 can be read and is therefore rejected
POISON: dict[str, tuple[bytes, str, str, bool]] = {
    "garbage": (b"\x00\xff\xfe garbage", "not_json", "$", False),
    "empty": (b"", "not_json", "$", False),
    "cut off": (as_bytes(sample(2))[:-40], "not_json", "$", False),
    "no object": (b"[1, 2, 3]", "invalid", "$", False),
    "nested": (b'{"meta":' + b"[" * 20_000 + b"]" * 20_000 + b"}", "invalid", "$", False),
    "wrong type": (changed("fusion.final_score", "high"), "invalid", "$.fusion.final_score", True),
    "out of bounds": (changed("fusion.final_score", 1.01), "invalid", "$.fusion.final_score", True),
    "missing": (as_bytes({k: v for k, v in sample(2).items() if k != "as7341"}), "invalid", "$.as7341", True),
    "not 8 x 8": (changed("vl53l8ch.raw.distance_matrix", [[1] * 8] * 7), "invalid", "$.vl53l8ch.raw.distance", True),
    "NUL": (changed("eleveur", "a\0b"), "invalid", "$", True),
    "NaN": (nan(), "not_json", "$", False),
    "infinity": (as_bytes(sample(2)).replace(b"50000.0", b"1e999"), "invalid", "$.vl53l8ch.analysis.volume_mm3", True),
    "lone surrogate": (changed("eleveur", "\ud800"), "not_json", "$", False),
    "oversized": (changed("meta", {"blob": "x" * 70_000}), "oversized", "$", True),
    "future": (as_bytes(sample(2, at=FOREVER)), "future_timestamp", "$.timestamp", True),
    "foreign device": (changed("device_id", "ESP32_LS_01"), "device_mismatch", "$.device_id", True),
}


@pytest.mark.parametrize("name", POISON)
async def test_poison_is_kept_told_and_passed_by(
    name: str, store: Database, mosquitto: OwnBroker, new_ingest: NewIngest, new_device: NewDevice
) -> None:
    payload, reason, path, is_numbered = POISON[name]
    await new_ingest(ingest_settings(store.dsn, mosquitto.port))
    device = await new_device(mosquitto.port)
    for each in (as_bytes(sample(1)), payload, payload, as_bytes(sample(3))):
        await device.send(each)
    await device.until(lambda each: each.stored == {(BOOT, 1), (BOOT, 3)} and len(each.errors) == 2)
    assert device.rejected == ({(BOOT, 2)} if is_numbered else set())
    assert [error.code for error in device.errors] == [reason] * 2
    assert not device.errors[0].held
    query = "SELECT reason, payload, occurrences, device_id, topic, is_held, seq, dead_letter_id FROM sqal_dead_letters"
    topic = device_topic("LL", "line1", "ESP32_LL_01", "sample")
    letter = device.errors[0].dead_letter_id
    assert rows(store.dsn, query) == [
        (reason, payload, 2, "ESP32_LL_01", topic, False, 2 if is_numbered else None, letter)
    ]
    assert value(store.dsn, "SELECT path FROM sqal_dead_letters").startswith(path)
    assert value(store.dsn, "SELECT count(*) FROM sqal_sensor_samples") == 2


HELD: dict[str, tuple[str, str, bytes]] = {
    "unknown_device": ("ESP32_XX_09", "LL", as_bytes(sample(1, device="ESP32_XX_09"))),
    "wrong_site": ("ESP32_LL_01", "LS", as_bytes(sample(1))),
    "wrong_site in the message": ("ESP32_LL_01", "LL", as_bytes(sample(1, site_code="LS"))),
    "newer_schema": ("ESP32_LL_01", "LL", as_bytes(sample(1, schema=2))),
    "newer_schema unreadable": ("ESP32_LL_01", "LL", as_bytes({"schema": 2, "boot_id": str(BOOT), "seq": 1})),
}


@pytest.mark.parametrize("name", HELD)
async def test_what_the_sender_cannot_help_is_held(
    name: str, store: Database, mosquitto: OwnBroker, new_ingest: NewIngest, new_device: NewDevice
) -> None:
    device, site, payload = HELD[name]
    reason = name.partition(" ")[0]
    await new_ingest(ingest_settings(store.dsn, mosquitto.port))
    sender = await new_device(mosquitto.port, device, site)
    await sender.send(payload)
    await sender.until(lambda each: bool(each.errors))
    assert (sender.errors[0].code, sender.errors[0].held) == (reason, True)
    assert (sender.errors[0].boot_id, sender.errors[0].seq) == (BOOT, 1)
    assert sender.stored == sender.rejected == set()
    assert rows(store.dsn, "SELECT reason, is_held FROM sqal_dead_letters") == [(reason, True)]


async def test_strange_but_true_is_stored(
    store: Database, mosquitto: OwnBroker, new_ingest: NewIngest, new_device: NewDevice
) -> None:
    """Integers of 4,000 digits and lists 900 deep are JSON, and fit a jsonb column."""
    await new_ingest(ingest_settings(store.dsn, mosquitto.port))
    device = await new_device(mosquitto.port)
    deep = '{"deep": ' + "[" * 900 + "]" * 900 + ', "long": ' + "9" * 4000 + ', "small": 1e-400}'
    await device.send(as_bytes(sample(1, meta="here")).replace(b'"here"', deep.encode()))
    await device.until(lambda each: each.stored == {(BOOT, 1)})
    assert value(store.dsn, "SELECT length(meta ->> 'long') FROM sqal_sensor_samples") == 4000


async def test_a_device_registered_a_moment_ago_is_known(
    store: Database, mosquitto: OwnBroker, new_ingest: NewIngest, new_device: NewDevice
) -> None:
    await new_ingest(ingest_settings(store.dsn, mosquitto.port))
    device = await new_device(mosquitto.port, "NEW_01", "MT")
    with psycopg.connect(store.dsn) as connection:
        connection.execute("INSERT INTO sqal_devices (device_id, site_code, line) VALUES ('NEW_01', 'MT', 'line7')")
    await device.send(as_bytes(sample(1, device="NEW_01")))
    await device.until(lambda each: each.stored == {(BOOT, 1)})
    assert rows(store.dsn, "SELECT site_code, line FROM sqal_sensor_samples") == [("MT", "line7")]


async def test_a_topic_outside_the_tree_is_a_dead_letter(
    store: Database,
    mosquitto: OwnBroker,
    new_ingest: NewIngest,
    new_device: NewDevice,
    new_client: Callable[..., Awaitable[Client]],
) -> None:
    await new_ingest(ingest_settings(store.dsn, mosquitto.port))
    device = await new_device(mosquitto.port)
    stranger = await new_client(mosquitto.port, "stranger")
    await stranger.publish("sqal/v1/LL/line1/_bad é/sample", as_bytes(sample(1)))
    await device.send(as_bytes(sample(2)))
    await device.until(lambda each: each.stored == {(BOOT, 2)})
    assert rows(store.dsn, "SELECT reason, device_id FROM sqal_dead_letters") == [("bad_topic", None)]


async def test_a_row_that_the_database_refuses_costs_nobody_else(
    store: Database, mosquitto: OwnBroker, new_ingest: NewIngest, new_device: NewDevice
) -> None:
    """Method: a constraint that the contract knows nothing of, and one bad row among a hundred in one batch."""
    with psycopg.connect(store.dsn) as connection:
        connection.execute("ALTER TABLE sqal_sensor_samples ADD CHECK (temperature_c < 90)")
    await new_ingest(ingest_settings(store.dsn, mosquitto.port, batch_age_s=0.3))
    device = await new_device(mosquitto.port)
    await device.send_all([as_bytes(sample(seq, temperature_c=99 if seq == 37 else 4)) for seq in range(1, 101)])
    await device.until(lambda each: len(each.stored) == 99 and each.rejected == {(BOOT, 37)} and bool(each.errors))
    assert device.errors[0].code == "data_error"
    assert rows(store.dsn, "SELECT reason, seq FROM sqal_dead_letters") == [("data_error", 37)]
    assert value(store.dsn, "SELECT sum(sample_count) FROM sqal_hourly_stats") == 99


async def test_dead_letters_stay_within_their_bounds(store: Database) -> None:
    with psycopg.connect(store.dsn) as connection:
        connection.execute(
            """INSERT INTO sqal_dead_letters (digest, reason, detail, topic, payload, payload_bytes, last_at)
            SELECT decode(md5(n::text), 'hex'), 'invalid', 'd', 't', '', 100, now() - make_interval(hours => n)
            FROM generate_series(1, 50) AS n"""
        )
        (trimmed,) = connection.execute("SELECT sqal_trim_dead_letters('40 hours', 2000)").fetchone() or (0,)
        (left, oldest) = connection.execute(
            "SELECT count(*), now() - min(last_at) FROM sqal_dead_letters"
        ).fetchone() or (
            0,
            timedelta(),
        )
        (counted,) = connection.execute("SELECT total FROM sqal_counters").fetchone() or (0,)
    assert (trimmed, left, counted) == (30, 20, 30)
    assert oldest < timedelta(hours=21)


async def test_the_host_says_whether_anybody_stores(
    store: Database, mosquitto: OwnBroker, new_ingest: NewIngest, new_client: Callable[..., Awaitable[Client]]
) -> None:
    watcher = await new_client(mosquitto.port, "watcher", subscriptions=[Subscription("sqal/v1/_host/+/state")])
    ingest = await new_ingest(ingest_settings(store.dsn, mosquitto.port, sites=["LL", "LS"]))
    states: list[bool] = []
    async for delivery in watcher.deliveries():
        state = json.loads(delivery.payload)
        watcher.ack(delivery)
        assert state["sites"] == ["LL", "LS"]
        assert uuid.UUID(state["session"])
        if not states or states[-1] != state["online"]:
            states.append(state["online"])
        if state["online"]:
            await ingest.stop()
        elif True in states:
            break
    assert states in ([True, False], [False, True, False])
