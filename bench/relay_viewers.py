"""The viewers of a relay bench: thousands of sockets in one process, each read as cheaply as can be.

    python -m bench.relay_viewers PORT SERVER_PID VIEWERS SECONDS       prints a bench.relay.Run as JSON

Sends the samples too, so that the time between sending and arrival is read from one clock.
"""

import asyncio
import socket
import sys
import time

import msgspec

from bench.figures import percentile
from bench.relay import Run, cpu_s, rss_kb
from bench.relay_server import DEVICES

OPENING_AT_ONCE = 50
VERDICT = b'"analysis_result"'
MESSAGES_A_SAMPLE = 3
SETTLE_S = 2.0


class Viewer(asyncio.Protocol):
    """Splits frames of a server (never masked), counts those of samples, notes when a verdict came."""

    def __init__(self, device: int, sent_at: dict[int, float], latencies_s: list[float]) -> None:
        self.opened: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self.received = 0
        self._pending = bytearray()
        self._device = device
        self._sent_at = sent_at
        self._latencies_s = latencies_s

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Ask for the upgrade."""
        assert isinstance(transport, asyncio.Transport)
        path = f"/ws/realtime/?device_id={DEVICES[self._device]}"
        transport.write(
            f"GET {path} HTTP/1.1\r\nHost: localhost\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
            "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n\r\n".encode()
        )

    def data_received(self, data: bytes) -> None:
        """Take the upgrade's answer, then whole frames."""
        self._pending += data
        if not self.opened.done():
            end = self._pending.find(b"\r\n\r\n")
            if end < 0:
                return
            assert self._pending.startswith(b"HTTP/1.1 101"), bytes(self._pending[:100])
            del self._pending[: end + 4]
            self.opened.set_result(None)
        while (size := _frame_bytes(self._pending)) is not None:
            self._take(self._pending[:size])
            del self._pending[:size]

    def _take(self, frame: bytearray) -> None:
        if b'"sensor_data"' not in frame[:60] and VERDICT not in frame[:60]:
            return  # welcome, status, ping
        self.received += 1
        if VERDICT in frame[:60]:
            sent = self._sent_at.get(self._device)
            if sent is not None:
                self._latencies_s.append(time.perf_counter() - sent)


def _frame_bytes(pending: bytearray) -> int | None:
    """How long the first frame is, None where it is not there whole."""
    if len(pending) < 2:
        return None
    size, head = pending[1] & 0x7F, 2
    if size == 126:
        size, head = int.from_bytes(pending[2:4], "big"), 4
    elif size == 127:
        size, head = int.from_bytes(pending[2:10], "big"), 10
    return head + size if len(pending) >= head + size else None


async def watch(port: int, server: int, viewers: int, seconds: float) -> Run:
    """Connect all, send a sample a second for each device, count what arrives."""
    sent_at: dict[int, float] = {}
    latencies_s: list[float] = []
    before_kb = rss_kb(server)
    watching: list[Viewer] = []
    loop = asyncio.get_running_loop()
    while len(watching) < viewers:
        fresh = [
            (await loop.create_connection(lambda n=n: Viewer(n % 3, sent_at, latencies_s), "127.0.0.1", port))[1]
            for n in range(len(watching), min(viewers, len(watching) + OPENING_AT_ONCE))
        ]
        await asyncio.gather(*(each.opened for each in fresh))
        watching += fresh
    await asyncio.sleep(SETTLE_S)
    publisher = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    began_cpu, began, number = cpu_s(server), loop.time(), 0
    while loop.time() - began < seconds:
        for device in range(len(DEVICES)):
            number += 1
            await asyncio.sleep(max(0.0, began + (number - 1) / len(DEVICES) - loop.time()))
            sent_at[device] = time.perf_counter()
            publisher.sendto(f"{number} {device}".encode(), ("127.0.0.1", port))
    await asyncio.sleep(SETTLE_S)
    samples = number // len(DEVICES)
    expected, received = viewers * samples * MESSAGES_A_SAMPLE, sum(each.received for each in watching)
    return Run(
        sent=expected,
        received=received,
        p50_ms=percentile(latencies_s, 0.5) * 1000,
        p99_ms=percentile(latencies_s, 0.99) * 1000,
        server_cpu_us=(cpu_s(server) - began_cpu) * 1e6 / max(1, received),
        rss_kb=(rss_kb(server) - before_kb) / viewers,
    )


if __name__ == "__main__":
    found = asyncio.run(watch(int(sys.argv[1]), int(sys.argv[2]), int(sys.argv[3]), float(sys.argv[4])))
    sys.stdout.buffer.write(msgspec.json.encode(found))
