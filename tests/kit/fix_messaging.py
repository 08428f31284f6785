"""MQTT clients for tests, closed after each; and a peer by script for what no broker does on demand."""

import asyncio
import random
import ssl
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AsyncExitStack, suppress
from typing import Any

import pytest

from messaging import Client, StateChange

DEADLINE_S = 20.0


def rng() -> random.Random:
    """A seeded source of chance."""
    return random.Random(1)  # noqa: S311 - delays of a test


class States(list[StateChange]):
    """Collects what a client reports; `until` waits for a report."""

    def __init__(self) -> None:
        super().__init__()
        self._changed = asyncio.Event()

    def __call__(self, change: StateChange) -> None:
        self.append(change)
        self._changed.set()

    async def until(self, wanted: Callable[[StateChange], bool]) -> StateChange:
        async with asyncio.timeout(DEADLINE_S):
            while True:
                for change in self:
                    if wanted(change):
                        return change
                self._changed.clear()
                await self._changed.wait()


@pytest.fixture
async def new_client() -> AsyncIterator[Callable[..., Awaitable[Client]]]:
    """Connect clients: `await new_client(port, "id", …)` returns a connected one; `wait=False` one that still tries."""
    async with AsyncExitStack() as open_clients:

        async def connect(port: int, client_id: str, *, wait: bool = True, **options: Any) -> Client:
            client = Client(host="127.0.0.1", port=port, client_id=client_id, rng=rng(), **options)
            await open_clients.enter_async_context(client)
            if wait:
                async with asyncio.timeout(DEADLINE_S):
                    await client.wait_connected()
            return client

        yield connect


class ScriptedPeer:
    """A broker by script: answers each packet type (first byte's upper half) with the bytes that `answers` holds.

    A value may be a function of the packet's body; packets without an answer are collected in `received`.
    """

    def __init__(self) -> None:
        self.port = 0
        self.received: list[tuple[int, bytes]] = []
        self.answers: dict[int, bytes | Callable[[bytes], bytes]] = {0x10: bytes.fromhex("2003000000")}
        self.connects_total = 0
        self._server: asyncio.Server | None = None
        self._tasks: set[asyncio.Task[None]] = set()

    async def start(self, tls: ssl.SSLContext | None = None) -> None:
        self._server = await asyncio.start_server(self._serve, "127.0.0.1", 0, ssl=tls)
        self.port = self._server.sockets[0].getsockname()[1]

    async def stop(self) -> None:
        assert self._server is not None
        self._server.close()
        for task in list(self._tasks):
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        await self._server.wait_closed()

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        self._tasks.add(task)
        try:
            while True:
                kind = (await reader.readexactly(1))[0]
                length, shift = 0, 0
                while True:
                    byte = (await reader.readexactly(1))[0]
                    length |= (byte & 0x7F) << shift
                    shift += 7
                    if byte < 0x80:
                        break
                body = await reader.readexactly(length)
                self.connects_total += kind == 0x10
                self.received.append((kind, body))
                answer = self.answers.get(kind & 0xF0, b"")
                writer.write(answer if isinstance(answer, bytes) else answer(body))
                await writer.drain()
        except (asyncio.IncompleteReadError, OSError, asyncio.CancelledError):
            pass  # the client left, or the test is over
        finally:
            self._tasks.discard(task)
            writer.close()
            with suppress(OSError):
                await writer.wait_closed()


@pytest.fixture
async def scripted_peer() -> AsyncIterator[ScriptedPeer]:
    """A scripted broker that accepts CONNECT and answers nothing else until told."""
    peer = ScriptedPeer()
    await peer.start()
    yield peer
    await peer.stop()
