"""How soon the API answers what dashboards poll: one process, 50 clients, a real database beside it.

Twice: clients that never rest (each asks again once it is answered: the server is always full, so a client waits for
the 49 others), and clients that ask once a second at moments of their own.
"""

import asyncio
import os
import random
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
POLL_S = 1.0

Asked = dict[str, list[tuple[list[float], float, float]]]  # by what was measured: times in ms, answers/s, CPU ms each


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
    figures: list[Figure] = []
    for what, runs in found.items():
        note = f"{CLIENTS} clients, {samples} samples in a day, {len(runs[0][0])} requests, median of {rounds}"
        p99 = median([percentile(times, 0.99) for times, _, _ in runs])
        figures += [
            Figure(f"{what}, p50", median([percentile(each[0], 0.5) for each in runs]), "ms", None, None, note),
            Figure(f"{what}, p99", p99, "ms", f"≤ {P99_MAX_MS:g}", p99 <= P99_MAX_MS, note),
            Figure(f"{what}, rate", median([each[1] for each in runs]), "1/s", None, None, note),
            Figure(f"{what}, CPU of serve", median([each[2] for each in runs]), "ms/answer", None, None, note),
        ]
    return figures


async def _serve_and_ask(dsn: str, requests: int, rounds: int) -> Asked:
    port = free_port()
    environment = {"SQAL_DATABASE_URL": dsn, "SQAL_API_PORT": str(port), "SQAL_API_DEMO": "true", "PATH": "/usr/bin"}
    environment["SQAL_API_RATE_MAX_HZ"] = "0"  # all of them come from one address
    command = [sys.executable, "-m", "sqal", "cloud", "serve"]
    server = subprocess.Popen(  # noqa: ASYNC220  # milliseconds, before anything is measured
        command, env=environment, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
    )
    try:
        await _until_it_answers(port)
        found: Asked = {}
        for _ in range(rounds):
            for path in PATHS:
                for pause_s, words in ((0.0, "never resting"), (POLL_S, f"every {POLL_S:g} s")):
                    count = requests if pause_s == 0 else max(requests // 10, 3 * CLIENTS)
                    before_s = _cpu_s(server.pid)
                    times, rate = await _ask(port, f"/api/sqal/{path}", count, pause_s)
                    cpu_ms = (_cpu_s(server.pid) - before_s) * 1000 / len(times)
                    found.setdefault(f"{path}, {words}", []).append((times, rate, cpu_ms))
        return found
    finally:
        server.terminate()
        server.wait(20)


def _cpu_s(pid: int) -> float:
    """Processor time that the process has used (proc(5): fields 14 and 15 of stat)."""
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


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


async def _ask(port: int, path: str, requests: int, pause_s: float) -> tuple[list[float], float]:
    """The times of all answers in ms, and how many a second."""
    began = time.perf_counter()
    parts: Sequence[list[float]] = await asyncio.gather(
        *(_client(port, path, requests // CLIENTS, pause_s, random.Random(n)) for n in range(CLIENTS))
    )
    took_s = time.perf_counter() - began
    times = [each for part in parts for each in part]
    return times, len(times) / took_s


async def _client(port: int, path: str, count: int, pause_s: float, rng: random.Random) -> list[float]:
    """One connection that asks again as soon as it is answered, or every `pause_s` from a moment of its own."""
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    request = f"GET {path} HTTP/1.1\r\nHost: localhost\r\n\r\n".encode()
    times: list[float] = []
    next_s = time.perf_counter() + rng.uniform(0, pause_s)
    for _ in range(count):
        await asyncio.sleep(max(0.0, next_s - time.perf_counter()) if pause_s else 0)
        next_s += pause_s
        began = time.perf_counter()
        writer.write(request)
        head = await reader.readuntil(b"\r\n\r\n")
        assert head.startswith(b"HTTP/1.1 200"), head[:200]
        length = next(line for line in head.lower().split(b"\r\n") if line.startswith(b"content-length:"))
        await reader.readexactly(int(length.partition(b":")[2]))
        times.append((time.perf_counter() - began) * 1000)
    writer.close()
    return times
