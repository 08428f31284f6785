"""Frames of a WebSocket: receiving them with a bound, and saying where a message is wrong."""

import re
from typing import Any

import msgspec
from litestar import WebSocket

Frame = bytes

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


def violation(error: msgspec.MsgspecError) -> tuple[str, str]:
    """Path and reason of what msgspec says."""
    text = str(error)
    at = _AT.search(text)
    return (at.group(1), text[: at.start()]) if at else ("$", text)
