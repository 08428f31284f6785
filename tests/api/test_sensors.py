"""`/ws/sensors/` against the whole line: what is acknowledged is stored, what is wrong is named, nothing else is said."""

import asyncio
import json
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from typing import Any

import pytest
import websockets
from websockets.asyncio.client import ClientConnection

import cloud.gateway
from messaging import Client
from tests.kit.fix_broker import OwnBroker
from tests.kit.fix_database import Database
from tests.kit.fix_ingest import value
from tests.kit.fix_serve import Serve, Served
from tests.kit.samples import flat_sample, sample

WAIT_S = 20


def own_sample(sample_id: str, **changes: Any) -> dict[str, Any]:
    """A sample in the mission's form, measured now."""
    message = sample(1, at=datetime.now(UTC), sample_id=sample_id, **changes)
    del message["boot_id"], message["seq"]
    return message


async def said(socket: ClientConnection) -> dict[str, Any]:
    return json.loads(await asyncio.wait_for(socket.recv(), WAIT_S))


async def ask(socket: ClientConnection, message: Any) -> dict[str, Any]:
    await socket.send(message if isinstance(message, str | bytes) else json.dumps(message))
    return await said(socket)


@asynccontextmanager
async def connected(served: Served, path: str = "/ws/sensors/") -> AsyncIterator[ClientConnection]:
    async with websockets.connect(f"{served.ws}{path}") as socket:
        assert (await said(socket))["type"] == "connection_established"
        yield socket


@pytest.mark.parametrize("path", ["/ws/sensors/", "/ws/sensors"])
async def test_a_sample_is_acknowledged_when_it_is_stored(line: Served, store: Database, path: str) -> None:
    async with connected(line, path) as socket:
        ack = await ask(socket, own_sample("test-001"))
    assert ack.pop("timestamp")
    assert ack == {
        "type": "ack",
        "sample_id": "test-001",
        "status": "saved",
        "fusion_score": 0.89,
        "fusion_grade": "A",
    }
    stored = (await line.get("samples/test-001")).json()
    assert (stored["site_code"], stored["line"], stored["origin"], stored["seq"]) == ("LL", "line1", "ws", 1)


async def test_each_connection_is_a_boot_and_each_device_counts_from_one(line: Served, store: Database) -> None:
    for connection in range(2):
        async with connected(line) as socket:
            for n, device in enumerate(("ESP32_LL_01", "ESP32_LS_01", "ESP32_LL_01")):
                ack = await ask(socket, own_sample(f"s{connection}{n}", device_id=device))
                assert ack["type"] == "ack", ack
    query = "SELECT array_agg(seq ORDER BY boot_id, seq) FROM sqal_sensor_samples WHERE device_id = %s"
    assert value(store.dsn, query, "ESP32_LL_01") == [1, 2, 1, 2]
    assert value(store.dsn, query, "ESP32_LS_01") == [1, 1]


async def test_the_flat_form_of_the_simulator(line: Served) -> None:
    now = datetime.now(UTC).replace(tzinfo=None).isoformat()
    message = flat_sample(timestamp=now)
    message["fusion"]["final_grade"] = "REJET - trop petit"
    async with connected(line) as socket:
        ack = await ask(socket, message)
    assert (ack["type"], ack["fusion_grade"]) == ("ack", "REJECT"), ack
    stored = (await line.get(f"samples/{ack['sample_id']}")).json()
    assert stored["fusion_is_compliant"] is False
    assert stored["vl53l8ch_ambient_matrix"] == [[224] * 8] * 8
    assert (stored["lot_abattage"], stored["meta"], stored["time"]) == ("AB-1", {"batch": 7}, f"{now}Z")


async def test_sending_again_is_acknowledged_again_and_stored_once(line: Served, store: Database) -> None:
    message = own_sample("again")
    for _ in range(2):
        async with connected(line) as socket:
            assert (await ask(socket, message))["type"] == "ack"
    assert value(store.dsn, "SELECT count(*) FROM sqal_sensor_samples") == 1


async def test_hello_ping_and_heartbeat(line: Served, store: Database) -> None:
    hello = {"type": "esp32_hello", "device_id": "ESP32_MT_01", "firmware_version": "3", "sensors": {"tof": True}}
    beat = {"type": "heartbeat", "device_id": "ESP32_LL_01", "status": "ok", "uptime": 5, "stats": {}, "buffer_size": 0}
    async with connected(line) as socket:
        assert (await ask(socket, hello))["type"] == "hello_ack"
        await socket.send(json.dumps(beat))
        assert (await ask(socket, {"type": "ping"}))["type"] == "pong"  # and no answer to the heartbeat before it
    seen = value(
        store.dsn, "SELECT array_agg(device_id ORDER BY device_id) FROM sqal_devices WHERE last_seen IS NOT NULL"
    )
    assert seen == ["ESP32_LL_01", "ESP32_MT_01"]


WRONG: list[tuple[Any, str]] = [
    ("not json", "$"),
    ("", "$"),
    ("[]", "$"),
    (b"\xff\xfe", "$"),
    ({"type": 5}, "$.type"),
    ({"type": "dance"}, "$.type"),
    ({"type": "sensor_data"}, "$.sample_id"),
    ({}, "$.sample_id"),
    (own_sample("x", device_id="ESP32_XX_99"), "$.device_id"),
    (own_sample("x", site_code="LS"), "$.site_code"),
    (own_sample("x", timestamp="now"), "$.timestamp"),
    (own_sample("x", schema=2), "$.schema"),
    (own_sample("x", fusion={"final_score": 2, "final_grade": "A", "is_compliant": True}), "$.fusion.final_score"),
    (own_sample("x", vl53l8ch={"raw": {"distance_matrix": [[1] * 8] * 7}}), "$.vl53l8ch.raw.distance_matrix"),
    (own_sample("x", meta={"much": "x" * 70_000}), "$"),
    ("x" * (1024 * 1024 + 1), "$"),
    (own_sample("x", timestamp="2999-01-01T00:00:00Z"), "$.timestamp"),
]


async def test_what_is_wrong_is_named_and_the_connection_stays(line: Served, store: Database) -> None:
    async with connected(line) as socket:
        for message, path in WRONG:
            answer = await ask(socket, message)
            assert answer["type"] == "error", (message, answer)
            assert answer["path"] == path, (str(message)[:200], answer)
            assert answer["error"]
            assert answer["timestamp"]
        assert (await ask(socket, own_sample("after all")))["type"] == "ack"
    assert value(store.dsn, "SELECT count(*) FROM sqal_sensor_samples") == 1


async def test_another_sample_under_a_known_id_is_refused_with_its_reason(line: Served) -> None:
    message = own_sample("twice")
    async with connected(line) as socket:
        assert (await ask(socket, message))["type"] == "ack"
        fusion = {"final_score": 0.5, "final_grade": "C", "is_compliant": True}
        answer = await ask(socket, message | {"fusion": fusion})
    assert answer["type"] == "error"
    assert "rejected" in answer["error"]
    assert answer["sample_id"] == "twice"


async def test_many_at_once_are_all_answered(line: Served, store: Database) -> None:
    """Goal: a simulator that flushes its buffer gets every acknowledgement. Method: more than may be in flight."""
    ids = [f"burst-{n}" for n in range(100)]
    async with connected(line) as socket:
        for name in ids:
            await socket.send(json.dumps(own_sample(name)))
        acks = [await said(socket) for _ in ids]
    assert {ack["sample_id"] for ack in acks if ack["type"] == "ack"} == set(ids)
    assert value(store.dsn, "SELECT count(*) FROM sqal_sensor_samples") == 100


async def test_without_ingest_the_sender_is_told_that_nobody_knows(
    served: Served, new_client: Callable[..., Awaitable[Client]], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(cloud.gateway, "RECEIPT_WAIT_S", 0.2)
    async with connected(served) as socket:
        answer = await ask(socket, own_sample("waiting"))
    assert answer["type"] == "error"
    assert "not stored yet" in answer["error"]
    assert "in flight" in answer["error"]


async def test_without_broker_the_sender_is_told_to_send_again(new_server: Serve, store: Database) -> None:
    served = await new_server(dsn=store.dsn)
    async with connected(served) as socket:
        answer = await ask(socket, own_sample("nowhere"))
    assert "send it again" in answer["error"]


async def test_without_database_an_unknown_device_is_an_error_and_the_connection_stays(
    new_server: Serve, mosquitto: OwnBroker
) -> None:
    served = await new_server(broker_port=mosquitto.port)
    async with connected(served) as socket:
        answer = await ask(socket, own_sample("x"))
        assert (answer["type"], answer["path"]) == ("error", "$.device_id")
        assert "database" in answer["error"]
        assert (await ask(socket, {"type": "ping"}))["type"] == "pong"
