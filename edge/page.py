"""The local page: what the device sees, for a person beside the line while the WAN is down. It changes nothing.

One HTML file and one JSON behind it, over a few lines of HTTP/1.1 on the agent's event loop; measuring happens in
another thread. Whoever asks costs at most what the bounds below allow: few connections, small requests, short waits,
and the state is made once a second however many ask. A name in the Host header that is not ours is refused, so that no
page of a stranger can read this one through its visitor's browser (DNS rebinding); an address cannot be rebound.
"""

import asyncio
import ipaddress
from collections.abc import Callable
from http import HTTPStatus
from pathlib import Path

import structlog

from edge.settings import Settings

CONNECTIONS_MAX = 16
REQUEST_BYTES_MAX = 8_192
REQUEST_S = 5.0  # for a whole request to arrive, and for an answer to leave
STATE_S = 1.0
PAGE = Path(__file__).with_name("page.html")
HEADERS = (
    "Cache-Control: no-store\r\nX-Content-Type-Options: nosniff\r\nX-Frame-Options: DENY\r\n"
    "Referrer-Policy: no-referrer\r\n"
    "Cross-Origin-Resource-Policy: same-origin\r\nConnection: close\r\n"
    "Content-Security-Policy: default-src 'none'; style-src 'unsafe-inline'; script-src 'unsafe-inline';"
    " connect-src 'self'; img-src data:; base-uri 'none'; form-action 'none'; frame-ancestors 'none'\r\n"
)

log = structlog.get_logger("page")


async def open_page(
    settings: Settings, state: Callable[[], bytes], monotonic_s: Callable[[], float]
) -> "LocalPage | None":
    """The page that the settings ask for. One that cannot be served costs the page, and nothing else."""
    if not settings.page_port:
        return None
    page = LocalPage(state, monotonic_s=monotonic_s, name=settings.page_name)
    try:
        await page.open(settings.page_host, settings.page_port)
    except OSError as error:
        log.warning("page.none", host=settings.page_host, port=settings.page_port, reason=str(error))
        return None
    log.info("page.open", url=f"http://{settings.page_host}:{settings.page_port}/")
    return page


class LocalPage:
    """`await open()` it, later `await close()`. state: makes the JSON. name: what browsers may call us by."""

    def __init__(
        self, state: Callable[[], bytes], *, monotonic_s: Callable[[], float], name: str | None = None
    ) -> None:
        self.refused = 0
        self._state = state
        self._monotonic_s = monotonic_s
        self._names = {"localhost", (name or "localhost").lower()}
        self._html = PAGE.read_bytes()
        self._made: tuple[float, bytes] | None = None
        self._serving: set[asyncio.Task[None]] = set()
        self._server: asyncio.Server | None = None

    async def open(self, host: str, port: int) -> int:
        """Listen; the port, which was chosen where 0 was asked for. Raises OSError."""
        self._server = await asyncio.start_server(self._accept, host, port, limit=REQUEST_BYTES_MAX)
        return int(self._server.sockets[0].getsockname()[1])

    async def close(self) -> None:
        """Listen no longer, and hang up."""
        if self._server is not None:
            self._server.close()
        for task in self._serving:
            task.cancel()
        await asyncio.gather(*self._serving, return_exceptions=True)

    def _accept(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.create_task(self._serve(reader, writer), name="page.serve")
        self._serving.add(task)
        task.add_done_callback(self._serving.discard)

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            async with asyncio.timeout(REQUEST_S):
                status, kind, body, head_only = await self._answer(reader)
                head = f"HTTP/1.1 {status} {status.phrase}\r\nContent-Type: {kind}\r\nContent-Length: {len(body)}\r\n"
                writer.write((head + HEADERS + "\r\n").encode() + (b"" if head_only else body))
                await writer.drain()
        except (OSError, TimeoutError, asyncio.IncompleteReadError):
            self.refused += 1  # too slow, or gone before the answer
        finally:
            writer.close()

    async def _answer(self, reader: asyncio.StreamReader) -> tuple[HTTPStatus, str, bytes, bool]:
        if len(self._serving) > CONNECTIONS_MAX:
            status, method, target = HTTPStatus.SERVICE_UNAVAILABLE, "", ""
        else:
            try:
                head = (await reader.readuntil(b"\r\n\r\n")).decode("ascii")
                status, method, target = self._judged(head)
            except (asyncio.LimitOverrunError, UnicodeDecodeError):
                status, method, target = HTTPStatus.BAD_REQUEST, "", ""
        if status is not HTTPStatus.OK:
            self.refused += 1
            return status, "text/plain; charset=utf-8", f"{status.phrase}\n".encode(), False
        if target == "/":
            return status, "text/html; charset=utf-8", self._html, method == "HEAD"
        return status, "application/json", self._fresh(), method == "HEAD"

    def _judged(self, head: str) -> tuple[HTTPStatus, str, str]:
        """What a request's head deserves, its method and its target."""
        line, *fields = head.split("\r\n")
        words = line.split(" ")
        hosts = [value.strip() for name, _, value in (each.partition(":") for each in fields) if name.lower() == "host"]
        if len(words) != 3 or not words[2].startswith("HTTP/1.") or len(hosts) != 1:
            return HTTPStatus.BAD_REQUEST, "", ""
        method, target = words[0], words[1].partition("?")[0]
        if not self._is_ours(hosts[0]):
            return HTTPStatus.MISDIRECTED_REQUEST, method, target
        if method not in ("GET", "HEAD"):
            return HTTPStatus.METHOD_NOT_ALLOWED, method, target
        return (HTTPStatus.OK if target in ("/", "/state.json") else HTTPStatus.NOT_FOUND), method, target

    def _fresh(self) -> bytes:
        now_s = self._monotonic_s()
        if self._made is None or now_s - self._made[0] >= STATE_S:
            self._made = (now_s, self._state())
        return self._made[1]

    def _is_ours(self, host: str) -> bool:
        name = host.lower()
        name = name[1:].partition("]")[0] if name.startswith("[") else name.partition(":")[0]
        if name in self._names:
            return True
        try:
            ipaddress.ip_address(name)
        except ValueError:
            return False
        return True
