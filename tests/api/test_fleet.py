"""Goal: a device's words, commands and twin through REST, with a device on the other side of a real broker."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from typing import Any

import psycopg

from contract.codec import decode, encode
from contract.messages import Command, CommandResult, DesiredConfiguration, ReportedConfiguration
from contract.topics import DeviceTopic, device_topic, parse
from messaging import Client, Subscription
from tests.kit.fix_broker import OwnBroker
from tests.kit.fix_database import Database
from tests.kit.fix_messaging import DEADLINE_S, rng
from tests.kit.fix_serve import Served

HOME = ("LL", "line1", "ESP32_LL_01")
PATH = "/api/sqal/devices/ESP32_LL_01"
NEVER = "01910000-0000-7000-8000-000000000000"


@asynccontextmanager
async def device(port: int) -> AsyncIterator[Client]:
    """A device's side of the broker: hears its commands."""
    wanted = [Subscription(f"sqal/v1/{'/'.join(HOME)}/cmd/#")]
    async with Client(host="127.0.0.1", port=port, client_id="device", rng=rng(), subscriptions=wanted) as client:
        await client.wait_connected()
        yield client


async def settled(served: Served, path: str, done: Any) -> dict[str, Any]:
    """Ask until `done` says so."""
    async with asyncio.timeout(DEADLINE_S):
        while True:
            answer = (await served.http.get(path)).json()
            if done(answer):
                return answer
            await asyncio.sleep(0.02)


async def test_a_command_is_heard_once_and_answered(served: Served, mosquitto: OwnBroker) -> None:
    async with device(mosquitto.port) as client, asyncio.timeout(DEADLINE_S):
        args = {"chip": "AS7341"}
        sent = await served.http.post(f"{PATH}/commands", json={"name": "restart-sensor", "args": args})
        assert sent.status_code == 202, sent.text
        (heard,) = await client.next_batch(1)
        topic, command = parse(heard.topic), decode(Command, heard.payload)
        assert isinstance(topic, DeviceTopic)
        assert topic.detail == (sent.json()["request"], "restart-sensor")
        assert (command.args, command.issued_by) == (args, "demo")
        where = f"{PATH}/commands/{command.id}"
        assert (await served.http.get(where)).json()["progress"] == "sent"
        refused = CommandResult(id=command.id, status=409, message="not now")
        await client.publish(device_topic(*HOME, "res", command.id), encode(refused))
        found = await settled(served, where, lambda answer: answer["progress"] != "sent")
        assert (found["progress"], found["status"], found["message"]) == ("refused", 409, "not now")
    other = await served.http.get(f"/api/sqal/devices/ESP32_LS_01/commands/{command.id}")
    assert other.json()["progress"] == "sent", "an answer is shown for its own device only"


async def test_what_cannot_be_asked_is_refused(served: Served) -> None:
    cases = [
        ("POST", f"{PATH}/commands", {"name": "Self Test"}, 400),
        ("POST", f"{PATH}/commands", {"name": "self-test", "args": {"x": "y" * 9000}}, 400),
        ("POST", "/api/sqal/devices/nobody/commands", {"name": "self-test"}, 404),
        ("GET", f"{PATH}/commands/1234", None, 404),
        ("PUT", f"{PATH}/twin", {}, 400),
        ("PUT", f"{PATH}/twin", {"rate_hz": 99}, 400),
        ("PUT", f"{PATH}/twin", {"lot_id": 987654}, 400),
    ]
    for method, path, body, status in cases:
        answer = await served.http.request(method, path, json=body)
        assert answer.status_code == status, (path, answer.text)
    assert (await served.http.get(f"{PATH}/commands/{NEVER}")).json()["progress"] == "unanswered"


async def test_a_twin_waits_agrees_and_says_what_it_refused(
    served: Served, store: Database, mosquitto: OwnBroker
) -> None:
    before = (await served.http.get(f"{PATH}/twin")).json()
    assert (before["agreement"], before["reported"]) == ("local", None)
    asked = (await served.http.put(f"{PATH}/twin", json={"rate_hz": 2.0})).json()
    assert (asked["agreement"], asked["desired"], asked["desired_by"]) == ("waiting", {"rate_hz": 2.0}, "demo")
    with psycopg.connect(store.dsn) as connection:
        row = connection.execute("SELECT payload FROM sqal_outbox ORDER BY 1 DESC LIMIT 1").fetchone()
    assert row is not None
    assert decode(DesiredConfiguration, bytes(row[0])).rate_hz == 2.0
    async with device(mosquitto.port) as client:
        for errors, agreement in (({"rate_hz": "too fast"}, "refused"), ({}, "agrees")):
            said = ReportedConfiguration(revision=asked["revision"], settings={"rate_hz": 1.0}, errors=errors)
            await client.publish(device_topic(*HOME, "cfg", "reported"), encode(said), retain=True)
            found = await settled(served, f"{PATH}/twin", lambda answer, want=agreement: answer["agreement"] == want)
            assert found["reported"].get("errors", {}) == errors
    fleet = (await served.http.get("/api/sqal/fleet")).json()["devices"]
    assert [each["device_id"] for each in fleet] == ["ESP32_LL_01"]
    assert datetime.fromisoformat(fleet[0]["heard_at"]) <= datetime.now(UTC)
