"""Running the application under uvicorn: the WebSocket engine, its limits, a way to cut a connection at once, and one
to write frames that are prepared for many viewers.

Nothing of a request's query is logged (it may hold a token), so uvicorn's own request lines stay off.
"""

from asyncio import BaseTransport, Transport
from collections.abc import Awaitable
from typing import cast

import uvicorn
from litestar.types import ASGIApp
from uvicorn.protocols.websockets.websockets_sansio_impl import WebSocketsSansIOProtocol

WS_BYTES_MAX = 4 * 1024 * 1024  # four times what we read: larger than ours is answered, larger than this is cut off
SHUTDOWN_S = 3  # what is open then is cut: the demo stops within 5 s of Ctrl-C
WS_PING_S = 20.0  # of the protocol itself; finds peers that vanished without a word


class CuttableProtocol(WebSocketsSansIOProtocol):
    """uvicorn's `websockets-sansio` engine, which lets the application cut a connection that takes nothing.

    Closing waits until all that is queued has been sent, which a stalled peer never allows.
    """

    def connection_made(self, transport: BaseTransport) -> None:
        """Put `abort` where the application finds it: in the connection's own state."""
        self.app_state = {**self.app_state, "abort": cast("Transport", transport).abort, "feed": self.feed}
        super().connection_made(transport)

    def feed(self, frames: bytes) -> Awaitable[object] | None:
        """Write whole frames as they are; what is returned ends when the connection takes more. Raises OSError.

        The way through ASGI makes an event, a frame and a system call of each message, for each viewer anew.
        """
        if self.close_sent or self.disconnected or not self.handshake_complete or self.transport.is_closing():
            raise ConnectionResetError("the connection has ended")
        self.transport.write(frames)
        return None if self.writable.is_set() else self.writable.wait()


def server_of(app: ASGIApp, *, host: str, port: int) -> uvicorn.Server:
    """A uvicorn server for `app`; `await server.serve()` it."""
    return uvicorn.Server(
        uvicorn.Config(
            app,  # pyright: ignore[reportArgumentType]  # both are ASGI 3; Litestar and uvicorn type it differently
            host=host,
            port=port,
            ws=CuttableProtocol,
            ws_max_size=WS_BYTES_MAX,
            ws_ping_interval=WS_PING_S,
            ws_ping_timeout=WS_PING_S,
            ws_per_message_deflate=False,  # it would compress each message once per viewer
            lifespan="on",
            access_log=False,
            log_level="warning",
            log_config=None,
            timeout_graceful_shutdown=SHUTDOWN_S,
            server_header=False,
        )
    )
