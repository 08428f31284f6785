"""`/ws/mqtt/`: topics as they travel, within the caller's rights."""

import asyncio
import json
from collections.abc import Awaitable, Callable
from typing import Any

import pytest
import websockets

from cloud.access import Principal
from cloud.api.mqtt import allowed_filters
from messaging import Client
from tests.kit.fix_broker import OwnBroker
from tests.kit.fix_serve import Served

AT_LL = Principal(name="x", role="viewer", sites=frozenset({"LL", "LS"}))


@pytest.mark.parametrize(
    ("topic", "allowed"),
    [
        ("sqal/v1/LL/#", ["sqal/v1/LL/#"]),
        ("sqal/v1/MT/#", []),
        ("sqal/v1/#", ["sqal/v1/LL/#", "sqal/v1/LS/#"]),
        ("sqal/v1/+/line1/+/result", ["sqal/v1/LL/line1/+/result", "sqal/v1/LS/line1/+/result"]),
        ("sqal/v1/+", []),
        ("sqal/v1/_host/+/state", []),
    ],
)
def test_filters_stay_within_the_sites(topic: str, allowed: list[str]) -> None:
    assert allowed_filters(topic, AT_LL) == allowed
    assert allowed_filters(topic, Principal(name="y", role="viewer")) == [topic]


async def ask(socket: Any, **said: Any) -> dict[str, Any]:
    await socket.send(json.dumps(said))
    async with asyncio.timeout(20):
        return json.loads(await socket.recv())


async def test_chosen_topics_arrive_as_they_travel(
    served: Served, mosquitto: OwnBroker, new_client: Callable[..., Awaitable[Client]]
) -> None:
    device = await new_client(mosquitto.port, "devices")
    topic = "sqal/v1/LL/line1/ESP32_LL_01/result"
    await device.publish(topic, b'{"grade": "A"}', retain=True)
    async with websockets.connect(f"{served.ws}/ws/mqtt/") as socket:
        assert json.loads(await socket.recv())["type"] == "connection_established"
        for bad in ("#", "$SYS/#", "sqal/v1/a#", "sqal/v2/#", "sqal/v1/\0", "sqal/v1/LL/#/x", ""):
            assert (await ask(socket, type="subscribe", topics=[bad]))["path"] == "$.topics[0]", bad
        assert (await ask(socket, type="dance"))["path"] == "$.type"
        await socket.send(json.dumps({"type": "subscribe", "topics": ["sqal/v1/+/line1/+/result"]}))
        async with asyncio.timeout(20):
            both = [json.loads(await socket.recv()) for _ in range(2)]  # the retained one may be quicker
            kept = next(each for each in both if each["type"] == "mqtt")
            assert (kept["topic"], kept["payload"], kept["retain"]) == (topic, {"grade": "A"}, True)
            await device.publish(topic, b"\xff")
            assert json.loads(await socket.recv())["payload_base64"] == "/w=="
