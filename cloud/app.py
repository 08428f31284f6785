"""`sqal cloud serve`: REST, WebSockets, dashboard in one application. Builds and wires; holds no logic.

    Limit( Watch( Guard( Gate( Answers( Litestar ) ) ) ) )

Whoever is not known gets nothing; the demo's openness holds on the loopback interface only.
"""

import asyncio
import ipaddress
import random
from collections.abc import AsyncGenerator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path

from litestar import Litestar, Router
from litestar.config.compression import CompressionConfig
from litestar.config.cors import CORSConfig
from litestar.di import Provide
from litestar.openapi.config import OpenAPIConfig
from litestar.types import ASGIApp

from cloud.api.access import Doorkeeper
from cloud.api.alerts import AlertsController
from cloud.api.answers import Answers
from cloud.api.asyncapi import messages_document, messages_page
from cloud.api.channels import ChannelsController
from cloud.api.devices import DevicesController, sites
from cloud.api.document import Described
from cloud.api.export import Exports, export_samples
from cloud.api.fleet import CommandsController, fleet
from cloud.api.gate import Audit, Gate, Watch
from cloud.api.guard import Guard
from cloud.api.limit import Limit
from cloud.api.lots import LotsController
from cloud.api.mqtt import MqttRooms, mqtt
from cloud.api.overview import health, overview
from cloud.api.pages import STATIC_DIR, docs, docs_start, page
from cloud.api.problems import HANDLERS
from cloud.api.realtime import realtime
from cloud.api.records import dead_letter, dead_letters, events, gaps, replay_dead_letter
from cloud.api.rights import authorize, provide_rights
from cloud.api.samples import SamplesController
from cloud.api.science import science
from cloud.api.sensors import sensors
from cloud.api.stats import StatsController
from cloud.api.strict import StrictRequest
from cloud.api.traceability import traceability
from cloud.api.users import (
    add_token,
    add_user,
    audit,
    change_user,
    login,
    login_by_link,
    logout,
    me,
    new_ticket,
    revoke_token,
    tokens,
    users,
)
from cloud.api.watching import allow_exactly, livez, metrics, offer_all, readyz, tag_answers
from cloud.clock import Clock, SystemClock
from cloud.gateway import Gateway
from cloud.hub import Hub
from cloud.metrics import Metrics
from cloud.registry import Registry
from cloud.relay import Relay, relay_client
from cloud.server import server_of
from cloud.settings import ApiSettings, Settings
from cloud.store.queries import Queries
from cloud.store.reader import Store
from messaging.client import Client

BODY_BYTES_MAX = 64 * 1024
PROBE_S = 2.0  # how soon viewers learn that the database went or came


class ServeError(Exception):
    """The server cannot be started as asked; one sentence for a person."""


@dataclass(frozen=True, slots=True)
class Parts:
    """What handlers are given."""

    store: Store
    relay: Relay
    client: Client
    gateway: Gateway
    doorkeeper: Doorkeeper
    audit: Audit
    rooms: MqttRooms
    exports: Exports
    metrics: Metrics
    clock: Clock
    rng: random.Random
    static_dir: Path


def create_app(
    settings: Settings,
    queries: Queries,
    *,
    clock: Clock | None = None,
    rng: random.Random | None = None,
    static_dir: Path = STATIC_DIR,
    relay: Relay | None = None,
) -> ASGIApp:
    """The ASGI application; its lifespan opens and closes the database pool and the broker's client."""
    clock = clock or SystemClock()
    relay = relay or Relay(Hub(), clock)
    rng = rng or random.SystemRandom()
    parts = _parts(settings, queries, relay=relay, clock=clock, rng=rng, static_dir=static_dir)

    @asynccontextmanager
    async def lifespan(_: Litestar) -> AsyncGenerator[None]:
        async with parts.store, parts.client:
            tasks = [
                asyncio.create_task(parts.relay.run(parts.client), name="serve.relay"),
                asyncio.create_task(_probe(parts), name="serve.probe"),
            ]
            try:
                yield
            finally:
                for task in tasks:
                    task.cancel()
                await asyncio.gather(*tasks, return_exceptions=True)

    app = Litestar(
        route_handlers=[
            _api(),
            science(),
            traceability(settings),
            livez,
            readyz,
            metrics,
            sensors,
            realtime,
            mqtt,
            docs,
            docs_start,
            messages_document,
            messages_page,
            page,
        ],
        dependencies={
            name: Provide(_giver(getattr(parts, name)), sync_to_thread=False) for name in Parts.__dataclass_fields__
        }
        | {"rights": Provide(provide_rights, sync_to_thread=False)},
        guards=[authorize],
        middleware=[allow_exactly],
        request_class=StrictRequest,
        exception_handlers=HANDLERS,
        lifespan=[lifespan],
        cors_config=CORSConfig(allow_origins=settings.api.origins, allow_methods=["GET", "POST", "PATCH", "PUT"]),
        openapi_config=OpenAPIConfig(
            title="SQAL",
            version=version("sqal"),
            description="Inline quality control of foie gras: devices, samples, statistics, alerts, lots.",
            path="/schema",
            render_plugins=[Described()],
            use_handler_docstrings=True,
        ),
        request_max_body_size=BODY_BYTES_MAX,
        compression_config=CompressionConfig(backend="gzip", gzip_compress_level=5, minimum_size=1024),
        logging_config=None,
        debug=False,
    )
    answers = Answers(app, lambda: relay.counters.stored, clock)
    gate = Gate(answers, parts.doorkeeper)
    guard = Guard(gate, origins=settings.api.origins, hosts=settings.api.hosts)
    limit = Limit(Watch(guard, parts.audit, parts.metrics, clock), settings.api.rate_max_hz, clock)
    offer_all(parts.metrics, relay=relay, audit=parts.audit, rooms=parts.rooms, answers=answers, limit=limit)
    return limit


def run_serve(settings: Settings, queries: Queries) -> None:
    """Serve until SIGINT or SIGTERM. Raises ServeError, the one sentence why not."""
    _require_agreement(settings.api)
    server = server_of(create_app(settings, queries), host=settings.api.host, port=settings.api.port)
    try:
        asyncio.run(server.serve())
    except SystemExit as error:
        where = f"{settings.api.host}:{settings.api.port}"
        raise ServeError(f"cannot listen on {where}: it is taken by another program") from error
    except KeyboardInterrupt:
        pass  # uvicorn has shut down and hands the signal on


def _parts(
    settings: Settings, queries: Queries, *, relay: Relay, clock: Clock, rng: random.Random, static_dir: Path
) -> Parts:
    store = Store(settings.database, queries)
    client = relay_client(settings.broker, relay, rng)
    registry = Registry(store, clock)
    gateway = Gateway(client=client, pending=relay.pending, registry=registry, clock=clock, rng=rng)
    doorkeeper = Doorkeeper(store, clock, demo=settings.api.demo)
    return Parts(
        store=store,
        relay=relay,
        client=client,
        gateway=gateway,
        doorkeeper=doorkeeper,
        audit=Audit(store, clock),
        rooms=MqttRooms(settings.broker, rng),
        exports=Exports(),
        metrics=Metrics(),
        clock=clock,
        rng=rng,
        static_dir=static_dir,
    )


def _giver(part: object) -> Callable[[], object]:
    """A dependency that gives `part`."""

    def give() -> object:
        return part

    return give


def _api() -> Router:
    return Router(
        path="/api/sqal",
        middleware=[tag_answers],
        route_handlers=[
            health,
            overview,
            DevicesController,
            CommandsController,
            fleet,
            SamplesController,
            StatsController,
            AlertsController,
            ChannelsController,
            LotsController,
            login,
            login_by_link,
            logout,
            me,
            new_ticket,
            users,
            add_user,
            change_user,
            tokens,
            add_token,
            revoke_token,
            audit,
            sites,
            export_samples,
            dead_letters,
            replay_dead_letter,
            dead_letter,
            gaps,
            events,
        ],
    )


async def _probe(parts: Parts) -> None:
    """Ask the database now and then, so that viewers learn of its absence without asking."""
    while True:
        parts.relay.links.set_database(connected=await parts.store.answers())
        await asyncio.sleep(PROBE_S)


def _require_agreement(api: ApiSettings) -> None:
    """Refuse settings that would let in strangers, or nobody. Raises ServeError."""
    try:
        is_loopback = api.host == "localhost" or ipaddress.ip_address(api.host).is_loopback
    except ValueError:
        is_loopback = False
    if api.demo and not is_loopback:
        raise ServeError(f"api.demo lets in whoever can reach {api.host} without a login: it needs host 127.0.0.1")
    if not is_loopback and not api.hosts:
        raise ServeError(
            f"api.host is {api.host}, but api.hosts is empty: name there what browsers call this server by"
        )
