"""Answers that many dashboards ask for at once: made once, given to all who have the same rights.

    Watch( Guard( Gate( Answers( Litestar ) ) ) )

Equal requests that meet wait for one query; what it said serves until something was stored, changed or alarmed, and no
longer than AGE_MAX_S. That something was stored is known by its receipt, which ingest sends after the commit: a request
after the receipt always sees the row. Changes made through another process show within AGE_MAX_S. Only answers of
status 200 are shared or kept; all others (who may, what is wrong) are made for each caller anew.
"""

import asyncio
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from litestar.types import ASGIApp, Receive, Scope, Send

from cloud.access import Principal
from cloud.api.access import SAFE_METHODS
from cloud.clock import Clock

SHARED_PATHS = frozenset({"/api/sqal/samples/latest", "/api/sqal/dashboard/overview"})  # what dashboards poll
AGE_MAX_S = 1.0
KEPT_MAX = 256  # answers of some 10 KB; past that the one kept longest goes
KEY_BYTES_MAX = 1024  # of query and headers; what is longer is no dashboard's
VARYING = (b"accept", b"accept-encoding", b"origin")  # headers that the answer depends on
BODY_HEADERS = frozenset({b"content-length", b"content-type", b"content-encoding"})  # a 304 has no body

Key = tuple[object, ...]


@dataclass(frozen=True, slots=True)
class Answer:
    """What the application sent: its status, headers, whole body, and the body's tag."""

    status: int
    headers: list[tuple[bytes, bytes]]
    body: bytes
    tag: bytes | None


@dataclass(frozen=True, slots=True)
class Making:
    """An answer that is made or was made: of which state of the data, begun when."""

    version: tuple[int, int]
    began_s: float
    task: asyncio.Task[Answer]


@dataclass(slots=True)
class Counters:
    """Totals since start."""

    shared: int = 0  # answers given that another request had made
    made: int = 0


class Answers:
    """ASGI middleware; `version` counts what was stored or alarmed, as far as this process hears of it."""

    def __init__(self, app: ASGIApp, version: Callable[[], int], clock: Clock) -> None:
        self.app = app
        self.counters = Counters()
        self._version = version
        self._clock = clock
        self._changes = 0
        self._made: dict[Key, Making] = {}

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer from what is known, or pass the request on."""
        key = _key(scope)
        if key is not None:
            making, is_own = self._making(key, scope)
            answer = await asyncio.shield(making.task)
            if is_own or answer.status == 200:
                await _send(answer, scope, send)
                return
        try:
            await self.app(scope, receive, send)
        finally:
            if scope["type"] == "http" and scope["method"] not in SAFE_METHODS:
                self._changes += 1

    def _making(self, key: Key, scope: Scope) -> tuple[Making, bool]:
        """What is or was made for `key`, and whether it is begun for this very request."""
        version, now_s = (self._version(), self._changes), self._clock.monotonic()
        known = self._made.get(key)
        if known is not None and known.version == version and now_s - known.began_s < AGE_MAX_S:
            self.counters.shared += 1
            return known, False
        self._made.pop(key, None)
        if len(self._made) >= KEPT_MAX:
            del self._made[next(iter(self._made))]
        self.counters.made += 1
        task = asyncio.create_task(_ask(self.app, scope), name="serve.answer")
        making = self._made[key] = Making(version, now_s, task)
        task.add_done_callback(lambda done: self._drop_failed(key, done))
        return making, True

    def _drop_failed(self, key: Key, task: asyncio.Task[Answer]) -> None:
        has_failed = task.cancelled() or task.exception() is not None or task.result().status != 200
        known = self._made.get(key)
        if has_failed and known is not None and known.task is task:
            del self._made[key]


def _key(scope: Scope) -> Key | None:
    """What an answer depends on; None for a request whose answer is not shared."""
    if scope["type"] != "http" or scope["path"] not in SHARED_PATHS or scope["method"] != "GET":
        return None
    principal: Principal | None = scope["user"]
    if principal is None:
        return None
    varying = tuple((name, value) for name, value in scope["headers"] if name in VARYING)
    query = scope["query_string"]
    if len(query) + sum(len(value) for _, value in varying) > KEY_BYTES_MAX:
        return None
    return (scope["path"], query, varying, principal.role, principal.sites, principal.scopes)


async def _ask(app: ASGIApp, scope: Scope) -> Answer:
    """The whole answer of `app`, as if the caller knew none."""
    inner: Any = dict(scope)
    inner["state"] = dict(inner.get("state", {}))  # Litestar notes there that it has answered; another may pass after
    inner["headers"] = [each for each in scope["headers"] if each[0] != b"if-none-match"]
    start: Any = None
    body: list[bytes] = []

    async def receive() -> Any:
        return {"type": "http.request", "body": b"", "more_body": False}

    async def send(message: Any) -> None:
        nonlocal start
        if message["type"] == "http.response.start":
            start = message
        else:
            body.append(message.get("body", b""))

    await app(inner, receive, send)
    headers = [(bytes(name), bytes(value)) for name, value in start["headers"]]
    tag = next((value for name, value in headers if name.lower() == b"etag"), None)
    return Answer(start["status"], headers, b"".join(body), tag)


async def _send(answer: Answer, scope: Scope, send: Send) -> None:
    """Give `answer` to a caller; without its body where the caller has it."""
    known = next((value for name, value in scope["headers"] if name == b"if-none-match"), b"")
    status, headers, body = answer.status, answer.headers, answer.body
    if answer.tag is not None and answer.tag in (each.strip() for each in known.split(b",")):
        status, headers, body = 304, [each for each in headers if each[0].lower() not in BODY_HEADERS], b""
    start: Any = {"type": "http.response.start", "status": status, "headers": list(headers)}
    end: Any = {"type": "http.response.body", "body": body, "more_body": False}
    await send(start)
    await send(end)
