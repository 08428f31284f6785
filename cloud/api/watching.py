"""For those who watch the server: is it alive, is it of use, and what it counts."""

import hashlib
from collections.abc import Callable
from typing import Any

import msgspec
from litestar import Response, get
from litestar.di import NamedDependency
from litestar.types import ASGIApp, Receive, Scope, Send

from cloud.api.answers import Answers
from cloud.api.gate import Audit
from cloud.api.limit import Limit
from cloud.api.mqtt import MqttRooms
from cloud.api.rights import ANY_SITE, PUBLIC
from cloud.live import StatusPayload
from cloud.metrics import CONTENT_TYPE, Metrics
from cloud.relay import Relay


class Alive(msgspec.Struct, frozen=True):
    """The process answers."""

    alive: bool = True


@get("/livez", summary="Whether the process answers", tags=["watching"], opt=PUBLIC, sync_to_thread=False)
def livez() -> Alive:
    """Alive: restart the process where this fails. Says nothing of what is behind it."""
    return Alive()


@get("/readyz", summary="Whether requests make sense", tags=["watching"], opt=PUBLIC, sync_to_thread=False)
def readyz(relay: NamedDependency[Relay]) -> Response[StatusPayload]:
    """Ready: database and broker are there (503: not); a proxy sends requests elsewhere meanwhile."""
    status = relay.links.status
    is_ready = status.database_connected and status.broker_connected
    return Response(status, status_code=200 if is_ready else 503, headers={"Cache-Control": "no-store"})


@get("/metrics", summary="Counters for Prometheus", tags=["watching"], opt=ANY_SITE, sync_to_thread=False)
def metrics(metrics: NamedDependency[Metrics]) -> Response[str]:
    """What this process counts, in Prometheus' text format."""
    return Response(metrics.text(), media_type=CONTENT_TYPE)


def offer_all(
    metrics: Metrics, *, relay: Relay, audit: Audit, rooms: MqttRooms, answers: Answers, limit: Limit
) -> None:
    """Show what the parts of the server count."""
    hub, links = relay.hub, relay.links
    gauges: list[tuple[str, str, Callable[[], float]]] = [
        ("sqal_viewers", "Live views that are open.", lambda: len(hub)),
        ("sqal_ws_mqtt_connections", "Connections to /ws/mqtt/.", lambda: rooms.open),
        ("sqal_database_connected", "1 while the database answers.", lambda: links.status.database_connected),
        ("sqal_broker_connected", "1 while the broker is connected.", lambda: links.status.broker_connected),
        ("sqal_storing", "1 while an ingester says that it stores.", lambda: links.status.storing),
        ("sqal_senders_waiting", "Samples by WebSocket that wait for a receipt.", lambda: len(relay.pending)),
    ]
    counters: list[tuple[str, str, Callable[[], float]]] = [
        ("sqal_relayed_samples_total", "Samples relayed to viewers.", lambda: relay.counters.relayed),
        ("sqal_unreadable_messages_total", "Messages that break the contract.", lambda: relay.counters.unreadable),
        ("sqal_outdated_samples_total", "Old backlog that was not shown.", lambda: relay.counters.outdated),
        ("sqal_live_published_total", "Live messages for viewers.", lambda: hub.counters.published),
        ("sqal_live_delivered_total", "Live messages handed to viewers.", lambda: hub.counters.delivered),
        ("sqal_live_missed_total", "Live messages that slow viewers missed.", lambda: hub.counters.missed),
        ("sqal_live_coalesced_total", "Live messages replaced by newer ones.", lambda: hub.counters.coalesced),
        ("sqal_viewers_evicted_total", "Viewers put out because they took nothing.", lambda: hub.counters.evicted),
        ("sqal_requests_limited_total", "Requests refused: too many of an address.", lambda: limit.counters.limited),
        ("sqal_answers_shared_total", "Answers that an equal request had made.", lambda: answers.counters.shared),
        ("sqal_answers_made_total", "Answers made to be shared.", lambda: answers.counters.made),
        ("sqal_denials_unrecorded_total", "Denials not on record: too many.", lambda: audit.suppressed),
    ]
    for name, text, read in gauges:
        metrics.offer(name, "gauge", text, read)
    for name, text, read in counters:
        metrics.offer(name, "counter", text, read)


def allow_exactly(app: ASGIApp) -> ASGIApp:
    """Litestar middleware: `Allow` names every method of a path; Litestar forgets those of handlers added later."""

    async def allowed(scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http" or scope["method"] != "OPTIONS":
            await app(scope, receive, send)
            return
        template: Any = scope["path_template"]
        routes = [route for route in scope["litestar_app"].routes if route.path_format == template]
        methods = {str(method) for route in routes for method in getattr(route, "methods", ())}

        async def sent(message: Any) -> None:
            if message["type"] == "http.response.start" and methods:
                headers = [each for each in message["headers"] if each[0].lower() != b"allow"]
                message["headers"] = [*headers, (b"allow", ", ".join(sorted(methods)).encode())]
            await send(message)

        await app(scope, receive, sent)

    return allowed


def tag_answers(app: ASGIApp) -> ASGIApp:
    """Litestar middleware: an ETag on answers that can be asked for again, and 304 where the asker has it already."""

    async def tagged(scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http" or scope["method"] != "GET":
            await app(scope, receive, send)
            return
        headers: dict[bytes, bytes] = dict(scope["headers"])
        known = headers.get(b"if-none-match", b"")
        held: list[Any] = []

        async def sent(message: Any) -> None:
            if message["type"] == "http.response.start" and message["status"] == 200:
                held.append(message)
                return
            if held and message["type"] == "http.response.body":
                start = held.pop()
                if not message.get("more_body"):
                    start, message = _tagged(start, message, known)
                await send(start)
            await send(message)

        await app(scope, receive, sent)

    return tagged


def _tagged(start: Any, body: Any, known: bytes) -> tuple[Any, Any]:
    """The answer with its tag; without its body where `known` has that tag."""
    tag = b'W/"' + hashlib.sha256(body["body"]).hexdigest()[:32].encode() + b'"'
    headers = [*start["headers"], (b"etag", tag), (b"cache-control", b"private, no-cache")]
    if tag not in (each.strip() for each in known.split(b",")):
        return {**start, "headers": headers}, body
    headers = [(name, value) for name, value in headers if name.lower() not in (b"content-length", b"content-type")]
    return {**start, "status": 304, "headers": headers}, {**body, "body": b""}
