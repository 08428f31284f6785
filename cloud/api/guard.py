"""Who may talk to this server from a browser: the Host and Origin checks, before anything else sees the request.

A page of a stranger can make its visitor's browser call us. Two checks stop it: the Host header must name this server
(against DNS rebinding, where the stranger's name points at 127.0.0.1), and an Origin header must be ours or one of the
known front ends. Programs send no Origin and pass. Refused WebSockets never see an upgrade.
"""

from collections.abc import Collection, Iterable, Mapping
from typing import Any
from urllib.parse import urlsplit

import msgspec
from litestar.types import ASGIApp, Receive, Scope, Send

from cloud.api.problems import MEDIA_TYPE, Problem

LOOPBACK_NAMES = frozenset({"localhost", "127.0.0.1", "::1"})
FORBIDDEN = 403
MISDIRECTED = 421


class Guard:
    """ASGI middleware around the whole application."""

    def __init__(self, app: ASGIApp, *, origins: Collection[str], hosts: Collection[str] = ()) -> None:
        """Guard `app`; `origins` such as `http://localhost:3000`, `hosts` by name without port."""
        self.app = app
        self._origins = frozenset(origin.rstrip("/").lower() for origin in origins)
        self._hosts = frozenset(host.lower() for host in hosts) | LOOPBACK_NAMES
        self._names = ", ".join(sorted(self._hosts - LOOPBACK_NAMES)) or "localhost"

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass the request on, or refuse it with problem details."""
        if scope["type"] not in ("http", "websocket"):
            await self.app(scope, receive, send)
            return
        refusal = self._refusal(scope["headers"])
        if refusal is None:
            await self.app(scope, receive, send)
        else:
            await refuse(scope, send, refusal)

    def _refusal(self, headers: Iterable[tuple[bytes, bytes]]) -> Problem | None:
        found = {name: value.decode("latin-1") for name, value in headers if name in (b"host", b"origin")}
        host = found.get(b"host", "").lower()
        if host_name(host) not in self._hosts:
            detail = f"this server is not {host[:100]!r}: call it {self._names}"
            return Problem(title="Misdirected Request", status=MISDIRECTED, detail=detail)
        origin = found.get(b"origin")
        if origin is None or self._is_known(origin.lower(), host):
            return None
        detail = f"pages from {origin[:100]!r} may not use this server"
        return Problem(title="Forbidden", status=FORBIDDEN, detail=detail)

    def _is_known(self, origin: str, host: str) -> bool:
        return origin in self._origins or origin in (f"http://{host}", f"https://{host}")


def host_name(host: str) -> str:
    """The name in a Host header, without port; empty where it is none."""
    try:
        return urlsplit(f"//{host}").hostname or ""
    except ValueError:
        return ""


async def refuse(scope: Scope, send: Send, problem: Problem, more: Mapping[str, str] | None = None) -> None:
    """Answer a request, or a WebSocket before its upgrade, with `problem` and nothing else."""
    prefix = "websocket.http" if scope["type"] == "websocket" else "http"
    headers = [(b"content-type", MEDIA_TYPE.encode()), (b"cache-control", b"no-store")]
    headers += [(name.encode(), value.encode()) for name, value in (more or {}).items()]
    start: Any = {"type": f"{prefix}.response.start", "status": problem.status, "headers": headers}
    body: Any = {"type": f"{prefix}.response.body", "body": msgspec.json.encode(problem), "more_body": False}
    await send(start)
    await send(body)
