"""Goal: nobody hurts others through a WebSocket: giant frames, floods, garbage, half-open and stopped connections.

Method: a healthy viewer watches while somebody misbehaves at the same server. It must go on getting every sample.
"""

import asyncio
import json
import os
import signal
import socket as sockets
import sys
from contextlib import suppress
from typing import Any

import pytest
import websockets
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from websockets.exceptions import ConnectionClosed, InvalidStatus

import cloud.hub
from tests.api.test_realtime import WAIT_S, Devices, devices, ids_until, viewer  # noqa: F401  # a fixture
from tests.kit.fix_closed import Closed
from tests.kit.fix_serve import Served

PATHS = ("/ws/realtime/", "/ws/sensors/", "/ws/mqtt/")
GIANT = "x" * (5 * 1024 * 1024)  # more than the server takes (cloud/server.py)
STOPPED = """
import sys, websockets.sync.client as client
socket = client.connect(sys.argv[1], max_size=None)
socket.recv()
print("connected", flush=True)
for _ in socket:
    pass
"""


@pytest.mark.parametrize("path", PATHS)
async def test_a_giant_frame_ends_its_connection_and_no_other(served: Served, devices: Devices, path: str) -> None:  # noqa: F811
    async with viewer(served) as healthy:
        async with websockets.connect(served.ws + path) as hostile:
            with pytest.raises(ConnectionClosed) as ended:
                await send_and_read_on(hostile, GIANT)
            assert ended.value.rcvd is None or ended.value.rcvd.code == 1009
        name = await devices.send()
        assert await ids_until(healthy, name) == [name]


async def send_and_read_on(socket: Any, frame: str) -> None:
    """Send a frame and read until the connection ends. Raises ConnectionClosed."""
    async with asyncio.timeout(WAIT_S):
        await socket.send(frame)
        while True:
            await socket.recv()


@pytest.mark.parametrize("path", PATHS)
async def test_a_flood_of_frames_hurts_nobody_else(served: Served, devices: Devices, path: str) -> None:  # noqa: F811
    """3,000 messages of which none is answered to anybody who reads: the answers are bounded like everything else."""
    async with viewer(served) as healthy, websockets.connect(served.ws + path) as hostile:
        with suppress(ConnectionClosed):
            for n in range(3_000):
                await hostile.send('{"type":"ping"}' if n % 2 else "[[[[")
        name = await devices.send()
        assert await ids_until(healthy, name) == [name]


@settings(max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow])
@given(
    frame=st.one_of(
        st.binary(max_size=200),
        st.text(max_size=200),
        st.recursive(
            st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=20),
            lambda inner: (
                st.lists(inner, max_size=4)
                | st.dictionaries(
                    st.sampled_from(["type", "filters", "topics", "device_id", "min_grade", "sample_id", "x"]), inner
                )
            ),
            max_leaves=12,
        ).map(json.dumps),
    ),
    path=st.sampled_from(PATHS),
)
def test_garbage_is_answered_and_the_server_stays(garbage_port: int, frame: Any, path: str) -> None:
    """Whatever a frame holds, the connection answers a ping after it; a syntax error is an `error` with its path."""
    from websockets.sync.client import connect  # noqa: PLC0415  # the example runs outside any loop

    with connect(f"ws://localhost:{garbage_port}{path}", max_size=None) as socket:
        socket.recv(timeout=WAIT_S)
        socket.send(frame)
        socket.send('{"type":"ping"}')
        while json.loads(socket.recv(timeout=WAIT_S))["type"] != "pong":
            pass


async def test_a_half_open_connection_is_not_waited_for(served: Served, devices: Devices) -> None:  # noqa: F811
    """Sockets that begin an upgrade and say no more, beside a viewer that must not notice."""
    halves = [sockets.create_connection(("127.0.0.1", served.port)) for _ in range(50)]
    for half in halves:
        half.sendall(b"GET /ws/realtime/ HTTP/1.1\r\nHost: localhost\r\nUpgrade: websocket\r\n")
    async with viewer(served) as healthy:
        name = await devices.send()
        assert await ids_until(healthy, name) == [name]
    for half in halves:
        half.close()


@pytest.mark.parametrize(
    ("headers", "status"),
    [
        ({"Origin": "https://evil.example"}, 403),
        ({"Origin": "null"}, 403),
        ({"Host": "evil.example"}, 421),  # DNS rebinding: the stranger's name points at us
        ({"Host": "evil.example", "Origin": "http://evil.example"}, 421),
        ({"Authorization": "Bearer sqal_expired"}, 401),
    ],
)
async def test_strangers_get_no_upgrade(closed: Closed, headers: dict[str, str], status: int) -> None:
    head = {"Host": f"localhost:{closed.served.port}", "Authorization": f"Bearer {closed.tokens['viewer']}"} | headers
    for path in PATHS:
        wanted = status if path != "/ws/sensors/" or status != 403 else 403
        assert await upgrade(closed.served.port, path, head) == wanted, path


async def read_on(socket: Any) -> None:
    """Take what comes, as a healthy viewer does."""
    async for _ in socket:
        pass


async def upgrade(port: int, path: str, headers: dict[str, str]) -> int:
    """The status that an upgrade with exactly these headers is answered with."""
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    head = {
        "Upgrade": "websocket",
        "Connection": "Upgrade",
        "Sec-WebSocket-Key": "dGhlIHNhbXBsZSBub25jZQ==",
        "Sec-WebSocket-Version": "13",
    } | headers
    lines = "".join(f"{name}: {value}\r\n" for name, value in head.items())
    writer.write(f"GET {path} HTTP/1.1\r\n{lines}\r\n".encode())
    async with asyncio.timeout(WAIT_S):
        line = await reader.readline()
    writer.close()
    return int(line.split()[1])


@pytest.mark.timeout(180)
async def test_slow_stopped_and_vanished_viewers_beside_healthy_ones(
    served: Served,
    devices: Devices,  # noqa: F811
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Goal: the healthy get everything in order; the stopped one is told or put out in time, and is then forgotten."""
    monkeypatch.setattr(cloud.hub, "STALL_S", 2.0)
    url = f"{served.ws}/ws/realtime/"
    stopped = await asyncio.create_subprocess_exec(
        sys.executable, "-c", STOPPED, url, stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.DEVNULL
    )
    assert stopped.stdout is not None
    await stopped.stdout.readline()
    vanished = await websockets.connect(url)
    async with viewer(served) as one, viewer(served) as two, websockets.connect(url) as slow:
        os.kill(stopped.pid, signal.SIGSTOP)
        vanished.transport.abort()
        sent = [await devices.send() for _ in range(40)]
        healthy = [asyncio.create_task(ids_until(each, sent[-1])) for each in (one, two)]
        assert await asyncio.gather(*healthy) == [sent, sent]
        reading = [asyncio.create_task(read_on(each)) for each in (one, two)]
        async with asyncio.timeout(90):
            while served.relay.hub.counters.evicted == 0:
                await devices.send()  # until the stopped one's buffers are full, and for as long as it may stall
        for task in reading:
            task.cancel()
        await asyncio.gather(*reading, return_exceptions=True)
        os.kill(stopped.pid, signal.SIGCONT)
        with suppress(ProcessLookupError):
            stopped.kill()
        await stopped.wait()
        last = await devices.send()
        assert (await ids_until(one, last))[-1] == last
        await slow.close()


async def test_refused_statuses_are_http(closed: Closed) -> None:
    """A refusal comes before the upgrade and says why, as problem details."""
    with pytest.raises(InvalidStatus) as refused:
        await websockets.connect(closed.served.ws + "/ws/realtime/")
    assert json.loads(refused.value.response.body or b"{}")["status"] == 401


@pytest.fixture(scope="module")
def garbage_port() -> Any:
    """A demo server without broker and database, in a thread of its own, for examples by the hundred."""
    import threading  # noqa: PLC0415

    from cloud.app import create_app  # noqa: PLC0415
    from cloud.server import server_of  # noqa: PLC0415
    from cloud.settings import ApiSettings, BrokerSettings, DatabaseSettings, Settings  # noqa: PLC0415
    from tests.kit.fix_ledger import QUERIES  # noqa: PLC0415
    from tests.kit.fix_messaging import rng  # noqa: PLC0415
    from tests.kit.ports import free_port  # noqa: PLC0415

    own = Settings(
        database=DatabaseSettings(url="postgresql://postgres@127.0.0.1:1/postgres", pool_min=1, pool_max=2),
        broker=BrokerSettings(port=1),
        api=ApiSettings(port=free_port(), demo=True),
    )
    server = server_of(create_app(own, QUERIES, rng=rng()), host="127.0.0.1", port=own.api.port)
    thread = threading.Thread(target=lambda: asyncio.run(server.serve()), name="test.garbage")
    thread.start()
    while not server.started:
        assert thread.is_alive()
    yield own.api.port
    server.should_exit = True
    thread.join(30)
