"""A TCP proxy that misbehaves on demand: latency, a cut after so many bytes, a black hole, a closed door.

It forwards with small buffers, so that a reader who stops reading is felt by the other side.
"""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import suppress

import pytest

CHUNK_BYTES = 16_384


class ChaosProxy:
    """Listens on 127.0.0.1:`port` and forwards to `target_port`; change the attributes at any time."""

    def __init__(self, target_port: int) -> None:
        self.target_port = target_port
        self.port = 0
        self.latency_s = 0.0  # added to each chunk, each direction
        self.cut_after_bytes: int | None = None  # forwarded in both directions together, then every connection is cut
        self.accepts = True  # False: a connection is closed as soon as it is made
        self.forwarded_bytes = 0
        self.connections_total = 0
        self._open = asyncio.Event()  # cleared: a black hole, bytes are neither read nor sent, nothing is closed
        self._open.set()
        self._server: asyncio.Server | None = None
        self._live: set[asyncio.Task[None]] = set()

    async def start(self) -> None:
        self._server = await asyncio.start_server(self._serve, "127.0.0.1", self.port, limit=CHUNK_BYTES)
        self.port = self._server.sockets[0].getsockname()[1]

    @property
    def black_hole(self) -> bool:
        return not self._open.is_set()

    @black_hole.setter
    def black_hole(self, swallow: bool) -> None:
        if swallow:
            self._open.clear()
        else:
            self._open.set()

    async def cut(self) -> None:
        """Cut every live connection; new ones are accepted."""
        live = list(self._live)
        for task in live:
            task.cancel()
        await asyncio.gather(*live, return_exceptions=True)

    async def close(self) -> None:
        """Close the door and cut what is inside. `start()` opens it again on the same port."""
        assert self._server is not None
        self._server.close()
        await self.cut()
        await self._server.wait_closed()

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.connections_total += 1
        if not self.accepts:
            writer.transport.abort()
            return
        task = asyncio.current_task()
        assert task is not None
        self._live.add(task)
        upstream: asyncio.StreamWriter | None = None
        try:
            from_target, upstream = await asyncio.open_connection("127.0.0.1", self.target_port, limit=CHUNK_BYTES)
            up = asyncio.create_task(self._pump(reader, upstream), name="chaos.up")
            down = asyncio.create_task(self._pump(from_target, writer), name="chaos.down")
            try:
                await asyncio.wait([up, down], return_when=asyncio.FIRST_COMPLETED)
            finally:
                up.cancel()
                down.cancel()
                await asyncio.gather(up, down, return_exceptions=True)
        except (OSError, asyncio.CancelledError):
            pass  # the target is away, or `cut()` ended us: either way both ends are aborted below
        finally:
            self._live.discard(task)
            for end in (writer, upstream):
                if end is not None:
                    end.transport.abort()
                    with suppress(OSError):
                        await end.wait_closed()

    async def _pump(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.transport.set_write_buffer_limits(high=CHUNK_BYTES)
        while chunk := await reader.read(CHUNK_BYTES):
            if self.latency_s:
                await asyncio.sleep(self.latency_s)
            await self._open.wait()
            if self.cut_after_bytes is not None and self.forwarded_bytes + len(chunk) > self.cut_after_bytes:
                writer.write(chunk[: max(0, self.cut_after_bytes - self.forwarded_bytes)])
                await writer.drain()
                self.forwarded_bytes = self.cut_after_bytes
                return
            writer.write(chunk)
            self.forwarded_bytes += len(chunk)
            await writer.drain()


@pytest.fixture
async def new_chaos() -> AsyncIterator[Callable[[int], Awaitable[ChaosProxy]]]:
    """Put proxies before ports: `proxy = await new_chaos(broker.port)`; closed after the test."""
    made: list[ChaosProxy] = []

    async def start(target_port: int) -> ChaosProxy:
        proxy = ChaosProxy(target_port)
        await proxy.start()
        made.append(proxy)
        return proxy

    yield start
    for proxy in made:
        await proxy.close()
