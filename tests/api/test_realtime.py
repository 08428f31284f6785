"""`/ws/realtime/` against a real broker: shapes, filters, backlog, and viewers that are slow, stalled or gone."""

import asyncio
import json
import socket as sockets
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager, suppress
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
import websockets
from websockets.asyncio.client import ClientConnection

import cloud.api.realtime
import cloud.hub
from contract.codec import encode
from contract.messages import Alarm, HostState, State
from contract.topics import alarm_topic, device_topic, host_topic
from messaging import Client
from tests.kit.fix_broker import OwnBroker
from tests.kit.fix_database import Database
from tests.kit.fix_messaging import rng
from tests.kit.fix_serve import Serve, Served
from tests.kit.rows import put_samples, sample_row
from tests.kit.samples import BOOT, as_bytes, sample

WAIT_S = 20
SITES = {"ESP32_LL_01": "LL", "ESP32_LS_01": "LS", "ESP32_MT_01": "MT"}


class Devices:
    """All devices and ingest as the broker sees them."""

    def __init__(self, client: Client) -> None:
        self.client = client
        self.seq = 0

    async def send(self, device: str = "ESP32_LL_01", grade: str = "A", **changes: Any) -> str:
        self.seq += 1
        fusion = {"final_score": 0.8, "final_grade": grade, "is_compliant": grade != "REJECT"}
        message = sample(self.seq, device=device, at=datetime.now(UTC), fusion=fusion, **changes)
        await self.client.publish(device_topic(SITES[device], "line1", device, "sample"), as_bytes(message))
        return str(message["sample_id"])


@pytest.fixture
async def devices(served: Served, mosquitto: OwnBroker) -> AsyncIterator[Devices]:
    async with Client(host="127.0.0.1", port=mosquitto.port, client_id="devices", rng=rng()) as client:
        await client.wait_connected()
        await until_relayed(served, mosquitto, client)
        yield Devices(client)


async def until_relayed(served: Served, mosquitto: OwnBroker, client: Client) -> None:
    """Wait until the server has its subscriptions: an ingester that says it stores is seen in the health answer."""
    state = HostState(host="main", online=True, session=BOOT)
    await client.publish(host_topic("main"), encode(state), retain=True)
    async with asyncio.timeout(WAIT_S):
        while not (await served.get("health")).json()["storing"]:
            pass


async def said(socket: ClientConnection, kind: str | None = None) -> dict[str, Any]:
    """The next message of a kind, or the next but those that say how the links stand, which come at any time."""
    async with asyncio.timeout(WAIT_S):
        while True:
            message = json.loads(await socket.recv())
            if message["type"] == kind or (kind is None and message["type"] != "system_status"):
                return message


@asynccontextmanager
async def viewer(served: Served, query: str = "") -> AsyncIterator[ClientConnection]:
    async with websockets.connect(f"{served.ws}/ws/realtime/{query}") as socket:
        assert (await said(socket))["type"] == "connection_established"
        await socket.send('{"type":"heartbeat"}')
        await said(socket, "heartbeat_ack")
        yield socket


async def ids_until(socket: ClientConnection, last: str) -> list[str]:
    """Ids of the verdicts that arrive, up to that of the sample `last`."""
    seen: list[str] = []
    while not seen or seen[-1] != last:
        seen.append((await said(socket, "analysis_result"))["payload"]["sample_id"])
    return seen


async def test_a_sample_is_three_messages(served: Served, devices: Devices) -> None:
    async with viewer(served) as socket:
        reasons = [{"code": "volume_low", "params": {"volume_mm3": 5.0}}]
        name = await devices.send(reasons=reasons, lot_id=7, piece_id="p1")
        tof, spectral, verdict = [await said(socket) for _ in range(3)]
    assert (tof["type"], tof["payload"]["sensor_type"]) == ("sensor_data", "VL53L8CH")
    assert (spectral["type"], spectral["payload"]["sensor_type"]) == ("sensor_data", "AS7341")
    for message in (tof, spectral, verdict):
        assert message["timestamp"].endswith("Z")
        payload = message["payload"]
        assert (payload["device_id"], payload["site_code"], payload["sample_id"]) == ("ESP32_LL_01", "LL", name)
    assert set(tof["payload"]["data"]) == {"raw", "analysis"}
    assert tof["payload"]["data"]["raw"]["distance_matrix"][0][:2] == [100, 101]
    assert spectral["payload"]["data"]["raw"]["NIR"] == 3000
    assert spectral["payload"]["data"]["analysis"]["freshness_index"] == 0.92
    assert verdict["type"] == "analysis_result"
    assert verdict["payload"]["lot_id"] == 7
    assert verdict["payload"]["result"]["final_grade"] == "A"
    assert verdict["payload"]["result"]["is_compliant"] is True
    assert verdict["payload"]["result"]["reasons"] == reasons


async def test_welcome_then_the_latest_sample(served: Served, store: Database) -> None:
    now = datetime.now(UTC)
    put_samples(store.dsn, [sample_row(now, sample_id="new"), sample_row(now - timedelta(hours=1), 0.95)])
    async with asyncio.timeout(WAIT_S):
        while not (await served.get("health")).json()["database_connected"]:
            pass
    async with websockets.connect(f"{served.ws}/ws/realtime") as socket:
        assert (await said(socket))["type"] == "connection_established"
        latest = await said(socket)
        assert latest["type"] == "latest_sample"
        assert latest["data"]["sample_id"] == "new"
        assert len(latest["data"]["vl53l8ch_distance_matrix"]) == 8
    async with websockets.connect(f"{served.ws}/ws/realtime/?min_grade=A+&token=secret") as socket:
        await said(socket)
        assert (await said(socket))["data"]["fusion_final_grade"] == "A+"


async def test_filters_by_query_and_by_message(served: Served, devices: Devices) -> None:
    async with viewer(served, "?site_code=LS") as by_site, viewer(served, "?min_grade=B") as by_grade:
        async with viewer(served) as by_message:
            wanted = {"device_id": "ESP32_MT_01"}
            await by_message.send(json.dumps({"type": "subscribe", "filters": wanted}))
            assert (await said(by_message, "subscribe_ack"))["filters"] == wanted
            first = await devices.send("ESP32_LL_01", "A")
            second = await devices.send("ESP32_LS_01", "REJECT")
            third = await devices.send("ESP32_MT_01", "C")
            assert await ids_until(by_message, third) == [third]
            await by_message.send('{"type":"unsubscribe"}')
            assert (await said(by_message, "unsubscribe_ack"))["filters"] == {}
            last = await devices.send("ESP32_LS_01", "A+")
            assert await ids_until(by_message, last) == [last]
        assert await ids_until(by_site, last) == [second, last]
        assert await ids_until(by_grade, last) == [first, last]


async def test_what_a_viewer_says_wrong_is_named(served: Served) -> None:
    async with viewer(served) as socket:
        for text, path in (
            ("nix", "$"),
            ('{"type":"subscribe","filters":{"min_grade":"Z"}}', "$.filters.min_grade"),
            ('{"type":"dance"}', "$.type"),
            ("{}", "$"),
            ("x" * 20_000, "$"),
        ):
            await socket.send(text)
            answer = await said(socket)
            assert (answer["type"], answer["path"]) == ("error", path)
        await socket.send('{"type":"heartbeat"}')
        assert (await said(socket))["type"] == "heartbeat_ack"
    for query, path in (("min_grade=Z", "$.min_grade"), ("device_id=%00", "$.device_id")):
        async with websockets.connect(f"{served.ws}/ws/realtime/?{query}") as socket:
            assert (await said(socket))["type"] == "connection_established"
            assert (await said(socket, "error"))["path"] == path


async def test_backlog_never_replaces_what_is_newer(served: Served, devices: Devices) -> None:
    now = datetime.now(UTC)
    async with viewer(served) as socket:
        live = await devices.send()
        old = sample(1_000, at=now - timedelta(hours=1), hist=True)
        topic = device_topic("LL", "line1", "ESP32_LL_01", "sample")
        await devices.client.publish(topic, as_bytes(old))
        last = await devices.send()
        assert await ids_until(socket, last) == [live, last]


async def test_an_alarm_and_its_end_are_told_and_those_of_before_are_not(served: Served, devices: Devices) -> None:
    now = datetime.now(UTC)
    alarm = Alarm(
        id="a-1",
        state="unacknowledged",
        alert_type="grade_reject",
        severity="critical",
        message="Foie rejeté",
        first_at=now,
        last_at=now,
        count=1,
        site_code="LL",
        device_id="ESP32_LL_01",
        alert_id=42,
    )
    topic = alarm_topic("LL", "a-1")
    async with viewer(served, "?min_grade=A+") as socket:
        await devices.client.publish(topic, encode(alarm), retain=True)
        raised = await said(socket, "alert")
        assert set(raised["payload"]) >= {"id", "severity", "title", "message", "source", "timestamp", "acknowledged"}
        assert (raised["payload"]["id"], raised["payload"]["acknowledged"]) == ("42", False)
        await devices.client.publish(topic, b"", retain=True)
        ended = await said(socket, "alert")
        assert (ended["payload"]["state"], ended["payload"]["acknowledged"]) == ("cleared", True)


async def test_a_device_that_is_lost_and_a_garbled_message(served: Served, devices: Devices) -> None:
    async with viewer(served) as socket:
        topic = device_topic("LL", "line1", "ESP32_LL_01", "state")
        await devices.client.publish(device_topic("LL", "line1", "ESP32_LL_01", "sample"), b"garbage")
        await devices.client.publish(topic, encode(State(device_id="ESP32_MT_01", session=BOOT, state="online")))
        await devices.client.publish(topic, encode(State(device_id="ESP32_LL_01", session=BOOT, state="lost")))
        lost = await said(socket)
    assert lost["type"] == "device_status"
    assert lost["payload"] == {"device_id": "ESP32_LL_01", "site_code": "LL", "status": "lost"}


async def test_coming_back_leaves_no_hole(served: Served, devices: Devices, store: Database) -> None:
    """Goal: what was stored, and what came by and is not stored yet, reaches who was away; each once."""
    async with viewer(served) as socket:
        before = await devices.send()
        await ids_until(socket, before)
        cursor = (await asked(socket, "heartbeat", "heartbeat_ack"))["timestamp"]
    missed = [await devices.send() for _ in range(3)]
    put_samples(store.dsn, [sample_row(datetime.now(UTC), sample_id=name) for name in ("stored", missed[0])])
    async with asyncio.timeout(WAIT_S):
        while served.relay.counters.relayed < 4:
            await served.get("health")
    async with websockets.connect(f"{served.ws}/ws/realtime/?since={cursor}") as socket:
        seen: list[str] = []
        while (message := await said(socket))["type"] != "resume_ack":
            if message["type"] == "analysis_result":
                seen.append(message["payload"]["sample_id"])
                assert message["payload"]["result"]["final_grade"]
        assert sorted(seen) == sorted([before, "stored", *missed])  # the first within the overlap: it is known, dropped
        assert (message["complete"], message["replayed"]) == (True, 5)
        live = await devices.send()
        assert await ids_until(socket, live) == [live]
    async with websockets.connect(f"{served.ws}/ws/realtime/?since=2020-01-01T00:00:00Z") as socket:
        assert (await said(socket, "resume_ack"))["complete"] is False
    async with websockets.connect(f"{served.ws}/ws/realtime/?since=yesterday") as socket:
        assert (await said(socket, "error"))["path"] == "$.since"


async def asked(socket: ClientConnection, question: str, answer: str) -> dict[str, Any]:
    await socket.send(json.dumps({"type": question}))
    return await said(socket, answer)


async def test_pings(served: Served, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(cloud.api.realtime, "PING_S", 0.01)
    async with websockets.connect(f"{served.ws}/ws/realtime/") as socket:
        assert (await said(socket, "ping"))["timestamp"]


async def test_live_goes_on_without_a_database_and_says_so(
    new_server: Serve, mosquitto: OwnBroker, new_client: Callable[..., Awaitable[Client]]
) -> None:
    served = await new_server(broker_port=mosquitto.port)
    client = await new_client(mosquitto.port, "devices")
    await until_relayed(served, mosquitto, client)
    devices = Devices(client)
    async with websockets.connect(f"{served.ws}/ws/realtime/") as socket:
        assert "database does not answer" in (await said(socket))["message"]
        status = await said(socket, "system_status")
        assert status["payload"] == {"database_connected": False, "broker_connected": True, "storing": True}
        name = await devices.send()
        assert await ids_until(socket, name) == [name]
    async with websockets.connect(f"{served.ws}/ws/realtime/") as socket:
        latest = await said(socket, "latest_sample")
        assert latest["data"]["sample_id"] == name
        assert latest["data"]["as7341_channels"]["Clear"] == 15000


async def until_reset(stalled: sockets.socket) -> None:
    """Read what still arrives until the other side has cut the connection."""
    with suppress(ConnectionResetError):
        async with asyncio.timeout(WAIT_S):
            while await asyncio.get_running_loop().sock_recv(stalled, 65_536):
                pass


async def test_a_stalled_viewer_is_cut_off_and_nobody_else_waits(
    served: Served, devices: Devices, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Goal: who reads nothing is put out, and others get everything meanwhile.

    Method: a socket with a tiny receive buffer that shakes hands and then never reads; bulk until it is gone.
    """
    monkeypatch.setattr(cloud.hub, "STALL_S", 0.3)
    stalled = sockets.socket()
    stalled.setsockopt(sockets.SOL_SOCKET, sockets.SO_RCVBUF, 4096)
    stalled.connect(("127.0.0.1", served.port))
    with stalled:
        request = (
            "GET /ws/realtime/ HTTP/1.1\r\nHost: localhost\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
            "Sec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==\r\nSec-WebSocket-Version: 13\r\n\r\n"
        )
        stalled.sendall(request.encode())
        hub = served.relay.hub
        async with viewer(served) as socket:
            async with asyncio.timeout(WAIT_S):
                while len(hub) > 1:
                    name = await devices.send(meta={"bulk": "x"}, reasons=[{"code": "x" * 100}] * 300)
                    assert await ids_until(socket, name) == [name]
        assert hub.counters.evicted == 1
        stalled.setblocking(False)
        await until_reset(stalled)
