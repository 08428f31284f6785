"""The server that a relay bench measures: ours, a bare loop of the same engine, or Litestar's Channels.

    python -m bench.relay_server relay|bare|channels      prints its port

A sample arrives as one UDP datagram `n device`, so that the publisher costs each peer the same; each makes the same
three messages of it.
"""

import asyncio
import sys
from collections.abc import AsyncGenerator, Callable
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from typing import Any

import msgspec
from litestar import Litestar, WebSocket, websocket
from litestar.channels import ChannelsPlugin
from litestar.channels.backends.memory import MemoryChannelsBackend

from cloud.app import create_app
from cloud.clock import SystemClock
from cloud.hub import Bundle, Hub
from cloud.live import sample_bundle
from cloud.relay import Relay
from cloud.server import server_of
from cloud.settings import ApiSettings, BrokerSettings, DatabaseSettings, Settings
from cloud.store.queries import Queries
from contract.codec import decode
from contract.sample import Sample
from sqal.demo.plan import free_port
from sqal.resources import resource_path
from tests.kit.samples import as_bytes, sample

DEVICES = ("ESP32_LL_01", "ESP32_LS_01", "ESP32_MT_01")
NOWHERE = 1  # a port that nobody listens on: neither database nor broker takes part

Publish = Callable[[Bundle], None]


class Samples(asyncio.DatagramProtocol):
    """Makes messages of each datagram and hands them on."""

    def __init__(self, publish: Publish) -> None:
        self._publish = publish

    def datagram_received(self, data: bytes, addr: Any) -> None:
        """`n device`: the number of a sample and which device it is of."""
        del addr
        number, device = (int(each) for each in data.split())
        name = DEVICES[device]
        body = sample(number, device=name, at=datetime.now(UTC))
        message = decode(Sample, as_bytes(body))
        self._publish(sample_bundle(message, site_code=name[6:8], now=datetime.now(UTC)))


def ours() -> tuple[Any, Publish]:
    """The application as it is served."""
    hub = Hub()
    relay = Relay(hub, SystemClock())
    settings = Settings(
        database=DatabaseSettings(url=f"postgresql://postgres@127.0.0.1:{NOWHERE}/postgres", pool_min=1),
        broker=BrokerSettings(port=NOWHERE),
        api=ApiSettings(demo=True),
    )
    return create_app(settings, Queries(resource_path("sql") / "queries"), relay=relay), hub.publish


def bare() -> tuple[Any, Publish]:
    """No framework: an ASGI function that sends to every socket of a device what comes, one after the other."""
    watching: dict[str, set[asyncio.Queue[Bundle]]] = {name: set() for name in DEVICES}

    async def app(scope: Any, receive: Any, send: Any) -> None:
        if scope["type"] == "lifespan":
            while (await receive())["type"] != "lifespan.shutdown":
                await send({"type": "lifespan.startup.complete"})
            await send({"type": "lifespan.shutdown.complete"})
            return
        device = scope["query_string"].decode().partition("=")[2]
        await receive()
        await send({"type": "websocket.accept"})
        queue: asyncio.Queue[Bundle] = asyncio.Queue(256)
        watching[device].add(queue)
        try:
            while True:
                for text in (await queue.get()).texts:
                    await send({"type": "websocket.send", "text": text})
        finally:
            watching[device].discard(queue)

    def publish(bundle: Bundle) -> None:
        for queue in watching[bundle.device_id or ""]:
            queue.put_nowait(bundle)

    return app, publish


def channels() -> tuple[Any, Publish]:
    """Litestar's own way: a channel per device."""
    plugin = ChannelsPlugin(
        backend=MemoryChannelsBackend(history=0), channels=list(DEVICES), subscriber_max_backlog=256
    )

    @websocket("/ws/realtime/")
    async def live(socket: WebSocket[Any, Any, Any], channels: ChannelsPlugin) -> None:
        await socket.accept()
        async with channels.start_subscription([str(socket.query_params["device_id"])]) as subscriber:
            async for text in subscriber.iter_events():
                await socket.send_text(text)

    def publish(bundle: Bundle) -> None:
        for text in bundle.texts:
            plugin.publish(text, bundle.device_id or "")

    return Litestar([live], plugins=[plugin], logging_config=None), publish


async def main(peer: str) -> None:
    """Serve until SIGTERM; samples arrive on the UDP port of the same number."""
    app, publish = {"relay": ours, "bare": bare, "channels": channels}[peer]()
    port = free_port()
    server = server_of(app, host="127.0.0.1", port=port)
    async with _samples(port, publish):
        serving = asyncio.create_task(server.serve())
        while not server.started:  # noqa: ASYNC110  # uvicorn has no event for it
            await asyncio.sleep(0.01)
        print(port, flush=True)
        await serving


@asynccontextmanager
async def _samples(port: int, publish: Publish) -> AsyncGenerator[None]:
    transport, _ = await asyncio.get_running_loop().create_datagram_endpoint(
        lambda: Samples(publish), local_addr=("127.0.0.1", port)
    )
    yield
    transport.close()


if __name__ == "__main__":
    import structlog

    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(50))
    assert msgspec.__version__
    asyncio.run(main(sys.argv[1]))
