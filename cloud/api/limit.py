"""How often one address may ask: the outermost layer, so that a flood costs as little as can be.

    Limit( Watch( Guard( Gate( Answers( Litestar ) ) ) ) )

Each address has a bucket (cloud/quota.py) that holds 5 s of its rate; an empty one is answered 429 at once. WebSockets
count when they are opened. Of IPv6 a network of 64 bits is one address: a single host has as many as it likes. Behind a
proxy on this machine the address is the one that the proxy names (`X-Forwarded-For`, believed from loopback only).
"""

import ipaddress
import math
from dataclasses import dataclass
from typing import Any

from litestar.types import ASGIApp, Receive, Scope, Send

from cloud.api.guard import refuse
from cloud.api.problems import Problem
from cloud.clock import Clock
from cloud.quota import Quota


@dataclass(slots=True)
class Counters:
    """Totals since start."""

    limited: int = 0  # requests answered 429


class Limit:
    """ASGI middleware; `rate_hz` requests a second on average for each address; 0 for no limit."""

    def __init__(self, app: ASGIApp, rate_hz: float, clock: Clock) -> None:
        self.app = app
        self.counters = Counters()
        self._quota = Quota(rate_hz) if rate_hz else None
        self._rate_hz = rate_hz
        self._clock = clock

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass the request on, or refuse it with problem details."""
        if scope["type"] not in ("http", "websocket") or self._takes(scope):
            await self.app(scope, receive, send)
            return
        self.counters.limited += 1
        detail = f"more than {self._rate_hz:g} requests a second from your address: wait, or hold a WebSocket instead"
        problem = Problem(title="Too Many Requests", status=429, detail=detail)
        await refuse(scope, send, problem, {"retry-after": str(math.ceil(1 / self._rate_hz))})

    def _takes(self, scope: Scope) -> bool:
        if self._quota is None:
            return True
        asgi: Any = scope
        client: tuple[str, int] | None = asgi.get("client")
        return self._quota.takes(network_of(client[0] if client else ""), self._clock.monotonic())


def network_of(address: str) -> str:
    """What is limited together: an IPv4 address, or a /64 of IPv6; the text itself where it is neither."""
    if ":" not in address:
        return address
    try:
        found = ipaddress.IPv6Address(address)
    except ValueError:
        return address
    return str(found.ipv4_mapped or ipaddress.IPv6Network((found, 64), strict=False))
