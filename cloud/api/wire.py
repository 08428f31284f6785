"""Frames of a WebSocket: receiving them with a bound, and saying where a message is wrong."""

import asyncio
import contextlib
import re
from collections.abc import Callable
from typing import Any

import msgspec
from litestar import WebSocket

import cloud.api.access
from cloud.api.access import Doorkeeper
from cloud.hub import Feed

Frame = bytes

POLICY_VIOLATION = 1008  # RFC 6455
CLOSE_S = 5.0  # a peer that does not take the word of its end is cut off

_AT = re.compile(r" - at `(.+)`$")


class Closed(Exception):  # noqa: N818  # not an error: how a connection ends
    """The other side is gone."""


async def receive(socket: WebSocket[Any, Any, Any]) -> Frame:
    """The next text or binary frame as bytes. Raises Closed."""
    event: Any = await socket.receive()
    if event["type"] == "websocket.disconnect":
        raise Closed
    text: str | None = event.get("text")
    return text.encode() if text is not None else event.get("bytes") or b""


async def end_when_refused(socket: WebSocket[Any, Any, Any], doorkeeper: Doorkeeper) -> None:
    """Ask again and again whether the caller may stay. Raises Closed once it may not, the connection closed."""
    while True:
        await asyncio.sleep(cloud.api.access.RECHECK_S)
        if await doorkeeper.still(socket.scope["auth"]):
            continue
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(CLOSE_S):
                await socket.close(code=POLICY_VIOLATION, reason="your rights have ended or changed")
        abort_of(socket)()
        raise Closed


def abort_of(socket: WebSocket[Any, Any, Any]) -> Callable[[], None]:
    """What cuts the connection of `socket` at once, where the server lets us (cloud/server.py); else nothing does."""
    state: dict[str, Any] = socket.scope["state"]
    return state.get("abort", lambda: None)


def feed_of(socket: WebSocket[Any, Any, Any]) -> Feed | None:
    """What writes prepared frames to the connection of `socket`, where the server has it (cloud/server.py)."""
    state: dict[str, Any] = socket.scope["state"]
    return state.get("feed")


def violation(error: msgspec.MsgspecError) -> tuple[str, str]:
    """Path and reason of what msgspec says."""
    text = str(error)
    at = _AT.search(text)
    return (at.group(1), text[: at.start()]) if at else ("$", text)
