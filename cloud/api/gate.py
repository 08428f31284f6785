"""The two layers around the application: `Watch` numbers requests and keeps the record, `Gate` finds out who calls.

    Watch( Guard( Gate( Answers( Litestar ) ) ) )

Watch is outermost, so that what the Guard refuses is on record too. The record never holds a query: it may hold a
token. A refused WebSocket gets an HTTP answer with problem details and no upgrade.
"""

import re
import uuid
from typing import Any

import structlog
from litestar.types import ASGIApp, Receive, Scope, Send

from cloud.access import Principal
from cloud.api.access import SAFE_METHODS, Doorkeeper, Found
from cloud.api.guard import refuse
from cloud.api.problems import Problem
from cloud.api.rights import WEBSOCKETS, WHO
from cloud.clock import Clock
from cloud.metrics import Metrics
from cloud.store.reader import DATABASE_AWAY, Store

DENIED = frozenset({401, 403, 421, 429})
DENIALS_A_SECOND_MAX = 20  # on record; a flood of them is counted, and must not fill the disk
REQUEST_ID = re.compile(r"[A-Za-z0-9_.-]{1,100}\Z")

_log = structlog.get_logger("sqal.access")


class Audit:
    """The record of what was done and denied."""

    def __init__(self, store: Store, clock: Clock) -> None:
        self.suppressed = 0  # denials that were not written because there were too many
        self._store = store
        self._clock = clock
        self._second = 0.0
        self._denials = 0

    async def write(self, outcome: str, *, actor: str, action: str, target: str, **more: Any) -> None:
        """Put a line on record; where the database is away it goes to the log instead."""
        if outcome == "denied" and not self._has_room():
            self.suppressed += 1
            return
        values = {"status": None, "address": None, "request_id": None, "detail": None, **more}
        target = target.replace("\0", "�")[:500]
        line = {"outcome": outcome, "actor": actor, "action": action, "target": target, **values}
        _log.info("audit", **line)
        try:
            await self._store.run("insert_audit", **line)
        except DATABASE_AWAY as error:
            _log.error("audit_not_stored", error=str(error).strip(), **line)

    def _has_room(self) -> bool:
        now_s = self._clock.monotonic()
        if now_s - self._second >= 1:
            self._second, self._denials = now_s, 0
        self._denials += 1
        return self._denials <= DENIALS_A_SECOND_MAX


class Watch:
    """ASGI middleware: a number for each request, its time and answer counted, changes and denials on record."""

    def __init__(self, app: ASGIApp, audit: Audit, metrics: Metrics, clock: Clock) -> None:
        self.app = app
        self._audit = audit
        self._metrics = metrics
        self._clock = clock

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass the request on and write down what became of it."""
        if scope["type"] not in ("http", "websocket"):
            await self.app(scope, receive, send)
            return
        request_id = _request_id(scope)
        status = 0

        async def watched(message: Any) -> None:
            nonlocal status
            if message["type"] in ("http.response.start", "websocket.http.response.start"):
                status = int(message["status"])
                message["headers"] = [*message["headers"], (b"x-request-id", request_id.encode())]
            elif message["type"] == "websocket.accept":
                status = 101
            await send(message)

        began_s = self._clock.monotonic()
        scope["user"], scope["auth"] = None, None
        with structlog.contextvars.bound_contextvars(request_id=request_id):
            await self.app(scope, receive, watched)
            await self._note(scope, status, request_id, self._clock.monotonic() - began_s)

    async def _note(self, scope: Scope, status: int, request_id: str, took_s: float) -> None:
        method = scope["method"] if scope["type"] == "http" else "WEBSOCKET"
        self._metrics.note_request(method, status, None if status == 101 else took_s)
        principal: Principal | None = scope["user"]
        is_change = method not in SAFE_METHODS and method != "WEBSOCKET" and 200 <= status < 400
        if not is_change and status not in DENIED:
            return
        await self._audit.write(
            "done" if is_change else "denied",
            actor="nobody" if principal is None else principal.name,
            action=method,
            target=scope["path"],
            status=status,
            address=_address(scope),
            request_id=request_id,
        )


def _address(scope: Any) -> str | None:
    client = scope.get("client")
    return client[0] if client else None


def _request_id(scope: Scope) -> str:
    for name, value in scope["headers"]:
        if name == b"x-request-id" and REQUEST_ID.match(value.decode("latin-1")):
            return value.decode("latin-1")
    return uuid.uuid4().hex


class Gate:
    """ASGI middleware: puts the principal into the scope; refuses WebSockets that lack the right."""

    def __init__(self, app: ASGIApp, doorkeeper: Doorkeeper) -> None:
        self.app = app
        self._doorkeeper = doorkeeper

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Find out who calls and pass the request on."""
        if scope["type"] not in ("http", "websocket"):
            await self.app(scope, receive, send)
            return
        headers = {name.decode("latin-1").lower(): value.decode("latin-1") for name, value in scope["headers"]}
        method = scope["method"] if scope["type"] == "http" else None
        try:
            found = await self._doorkeeper.find(headers, scope["query_string"], method=method, client=_address(scope))
        except DATABASE_AWAY:
            detail = "the database does not answer, so nobody new can be let in; try again later"
            await refuse(
                scope, send, Problem(title="Service Unavailable", status=503, detail=detail), {"retry-after": "5"}
            )
            return
        scope["user"], scope["auth"] = found.principal, found
        refusal = _websocket_refusal(scope["path"], found) if method is None else None
        if refusal is None:
            await self.app(scope, receive, send)
        else:
            await refuse(scope, send, refusal)


def _websocket_refusal(path: str, found: Found) -> Problem | None:
    need = WEBSOCKETS.get(path.rstrip("/"))
    if need is None:
        return None  # there is no such WebSocket; the application says so
    if found.principal is None:
        return Problem(title="Unauthorized", status=401, detail=f"{WHO}, or get a ticket")
    reason = found.principal.lacks(*need)
    return None if reason is None else Problem(title="Forbidden", status=403, detail=reason)
