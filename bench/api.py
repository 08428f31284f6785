"""How soon the API answers what dashboards poll: one process, 50 clients that never rest, a real database beside it."""

import asyncio
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path

from bench.figures import Figure, median, percentile
from cloud.store.migrate import migrate
from sqal.demo.plan import free_port
from sqal.parts.postgres import start_postgres
from sqal.resources import resource_path
from tests.kit.rows import put_samples, sample_row

CLIENTS = 50
P99_MAX_MS = 50.0
START_S = 30.0
PATHS = ("samples/latest", "dashboard/overview")


def run(quick: bool) -> list[Figure]:
    """Fill a day of samples, serve them, ask for each path in turn."""
    samples, requests, rounds = (2_000, 500, 1) if quick else (86_400, 5_000, 5)
    with tempfile.TemporaryDirectory() as folder:
        database = start_postgres(data=Path(folder) / "data", port=free_port(), sync=False)
        try:
            migrate(database.dsn, resource_path("sql") / "migrations", timescale="off")
            now = datetime.now(UTC)
            step = timedelta(days=1) / samples
            put_samples(database.dsn, [sample_row(now - n * step) for n in range(samples)])
            found = asyncio.run(_serve_and_ask(database.dsn, requests, rounds))
        finally:
            database.stop()
    note = f"{CLIENTS} clients, {samples} samples in a day, {requests} requests, median of {rounds}"
    figures: list[Figure] = []
    for path, runs in found.items():
        p99 = median([percentile(times, 0.99) for times, _ in runs])
        figures += [
            Figure(f"{path}, p50", median([percentile(times, 0.5) for times, _ in runs]), "ms", None, None, note),
            Figure(f"{path}, p99", p99, "ms", f"≤ {P99_MAX_MS:g}", p99 <= P99_MAX_MS, note),
            Figure(f"{path}, rate", median([rate for _, rate in runs]), "1/s", None, None, note),
        ]
    return figures


async def _serve_and_ask(dsn: str, requests: int, rounds: int) -> dict[str, list[tuple[list[float], float]]]:
    port = free_port()
    environment = {"SQAL_DATABASE_URL": dsn, "SQAL_API_PORT": str(port), "SQAL_API_DEMO": "true", "PATH": "/usr/bin"}
    command = [sys.executable, "-m", "sqal", "cloud", "serve"]
    server = subprocess.Popen(  # noqa: ASYNC220  # milliseconds, before anything is measured
        command, env=environment, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
    )
    try:
        await _until_it_answers(port)
        found: dict[str, list[tuple[list[float], float]]] = {path: [] for path in PATHS}
        for _ in range(rounds):
            for path in PATHS:
                found[path].append(await _ask(port, f"/api/sqal/{path}", requests))
        return found
    finally:
        server.terminate()
        server.wait(20)


async def _until_it_answers(port: int) -> None:
    async with asyncio.timeout(START_S):
        while True:
            try:
                _, writer = await asyncio.open_connection("127.0.0.1", port)
            except OSError:
                await asyncio.sleep(0.1)
                continue
            writer.close()
            return


async def _ask(port: int, path: str, requests: int) -> tuple[list[float], float]:
    """The times of all answers in ms, and how many a second."""
    began = time.perf_counter()
    parts: Sequence[list[float]] = await asyncio.gather(
        *(_client(port, path, requests // CLIENTS) for _ in range(CLIENTS))
    )
    took_s = time.perf_counter() - began
    times = [each for part in parts for each in part]
    return times, len(times) / took_s


async def _client(port: int, path: str, count: int) -> list[float]:
    """One connection that asks again as soon as it is answered."""
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    request = f"GET {path} HTTP/1.1\r\nHost: localhost\r\n\r\n".encode()
    times: list[float] = []
    for _ in range(count):
        began = time.perf_counter()
        writer.write(request)
        head = await reader.readuntil(b"\r\n\r\n")
        assert head.startswith(b"HTTP/1.1 200"), head[:200]
        length = next(line for line in head.lower().split(b"\r\n") if line.startswith(b"content-length:"))
        await reader.readexactly(int(length.partition(b":")[2]))
        times.append((time.perf_counter() - began) * 1000)
    writer.close()
    return times
