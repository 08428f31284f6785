"""A running server for tests: real uvicorn, real PostgreSQL with the schema, real Mosquitto, on free loopback ports."""

import asyncio
import contextlib
import random
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
import pytest

from cloud.app import create_app
from cloud.clock import SystemClock
from cloud.hub import Hub
from cloud.relay import Relay
from cloud.server import server_of
from cloud.settings import ApiSettings, BrokerSettings, DatabaseSettings, Settings
from cloud.store.migrate import migrate
from cloud.store.queries import Queries
from sqal.resources import resource_path
from tests.kit.fix_broker import OwnBroker
from tests.kit.fix_database import Database
from tests.kit.fix_ingest import RunningIngest, ingest_settings
from tests.kit.ports import free_port

NOWHERE = 1  # a port that nobody listens on


@dataclass
class Served:
    """A server under test and ways to talk to it."""

    port: int
    settings: Settings
    http: httpx.AsyncClient
    relay: Relay
    app: Any = None

    @property
    def ws(self) -> str:
        return f"ws://localhost:{self.port}"

    async def get(self, path: str, **params: object) -> httpx.Response:
        return await self.http.get(f"/api/sqal/{path}", params={key: str(value) for key, value in params.items()})


def litestar_of(app: Any) -> Any:
    """The application within the layers around it."""
    while not hasattr(app, "routes"):
        app = app.app
    return app


Serve = Callable[..., Awaitable[Served]]


@pytest.fixture
async def new_server(tmp_path: Path) -> AsyncIterator[Serve]:
    """Start servers: `await new_server(dsn=…, broker_port=…)`; both may be left out, then they are away."""
    async with contextlib.AsyncExitStack() as stack:

        async def start(
            *,
            dsn: str = f"postgresql://postgres@127.0.0.1:{NOWHERE}/postgres",
            broker_port: int = NOWHERE,
            static_dir: Path | None = None,
            itm_column: str = "itm_moyen",
            demo: bool = True,
            rate_max_hz: float = 0,
        ) -> Served:
            settings = Settings(
                database=DatabaseSettings(url=dsn, pool_min=1, pool_max=4, itm_column=itm_column),
                broker=BrokerSettings(port=broker_port),
                api=ApiSettings(port=free_port(), demo=demo, rate_max_hz=rate_max_hz),
            )
            queries = Queries(resource_path("sql") / "queries")
            relay = Relay(Hub(), SystemClock())
            static_dir = static_dir or tmp_path / "no-page"
            chance = random.Random(settings.api.port)  # noqa: S311 - two servers of one test are two clients of a broker
            app = create_app(settings, queries, rng=chance, static_dir=static_dir, relay=relay)
            server = server_of(app, host="127.0.0.1", port=settings.api.port)
            serving = asyncio.create_task(server.serve(), name="test.serve")
            while not server.started:
                assert not serving.done(), "the server ended before it had started"
                await asyncio.sleep(0)

            async def stop() -> None:
                server.should_exit = True
                await serving

            stack.push_async_callback(stop)
            http = await stack.enter_async_context(
                httpx.AsyncClient(base_url=f"http://localhost:{settings.api.port}", timeout=20)
            )
            return Served(settings.api.port, settings, http, relay, litestar_of(app))

        yield start


@pytest.fixture
async def served(store: Database, mosquitto: OwnBroker, new_server: Serve) -> Served:
    """A server with a database and a broker."""
    return await new_server(dsn=store.dsn, broker_port=mosquitto.port)


@pytest.fixture
async def line(
    store: Database, mosquitto: OwnBroker, new_ingest: Callable[..., Awaitable[RunningIngest]], new_server: Serve
) -> Served:
    """The whole cloud: database, broker, ingest, server."""
    await new_ingest(ingest_settings(store.dsn, mosquitto.port))
    return await new_server(dsn=store.dsn, broker_port=mosquitto.port)


@pytest.fixture
def migrate_into() -> Callable[[str], None]:
    """Bring any database to the present schema."""

    def bring(dsn: str) -> None:
        migrate(dsn, resource_path("sql") / "migrations")

    return bring
