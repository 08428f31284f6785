"""What a viewer of a running line gets: how late, whether all of it, and what an agent costs.

The whole line runs as in the demo; viewers are real WebSocket clients on the same machine, so their processor time is
taken from the line's two cores too.
"""

import asyncio
import json
import os
import re
import tempfile
import time
from collections import Counter
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path

import psycopg
import websockets

from sqal.demo.line import Line
from sqal.demo.plan import Plan, free_port

SETTLE_S = 5.0  # after the last agent has its first sample
START_TIMEOUT_S = 120.0
SAMPLE_ID = re.compile(r'"sample_id":"([^"]+)"')
STORED = """
SELECT sample_id, extract(epoch FROM time)::float8 FROM sqal_sensor_samples
WHERE time >= to_timestamp(%s) AND time < to_timestamp(%s)"""
HOLES = """
SELECT COALESCE(sum(holes), 0) FROM (
    SELECT max(seq) - count(DISTINCT seq) AS holes FROM (
        SELECT device_id, boot_id, seq FROM sqal_sensor_samples WHERE boot_id IS NOT NULL
        UNION ALL SELECT device_id, boot_id, seq FROM sqal_events
    ) AS numbered GROUP BY device_id, boot_id
) AS boots"""


@dataclass(slots=True)
class Live:
    """One run. latencies_s: from the sample's own time to its arrival at the first viewer. cpu_s: of one agent each."""

    viewers: int
    seconds: float = 0.0
    samples: int = 0
    received: list[int] = field(default_factory=list[int])
    missed: int = 0
    holes: int = 0
    latencies_s: list[float] = field(default_factory=list[float])
    agent_cpu_ms_per_sample: float = 0.0
    relay_core_share: float = 0.0


def measure(*, sites: int, speed: float, viewers: int, seconds: float) -> Live:
    """Run a line of `sites` at `speed` with `viewers` for `seconds`, after all of it has come up."""
    with tempfile.TemporaryDirectory() as folder:
        line = Line(Plan(data=Path(folder) / "line", port=free_port(), sites=sites, speed=speed))
        line.start()
        try:
            _wait_for_all(line, sites)
            return asyncio.run(_watch(line, viewers, seconds))
        finally:
            line.stop()


def _wait_for_all(line: Line, sites: int) -> None:
    deadline = time.monotonic() + START_TIMEOUT_S
    with psycopg.connect(line.dsn, autocommit=True) as connection:
        while connection.execute("SELECT count(DISTINCT device_id) FROM sqal_sensor_samples").fetchone() != (sites,):
            assert time.monotonic() < deadline, "not every agent came up"
            line.supervisor.tend()
            time.sleep(0.2)  # processes that come up have no other way to tell us
    time.sleep(SETTLE_S)  # calibration and first batches are over


async def _watch(line: Line, viewers: int, seconds: float) -> Live:
    live = Live(viewers)
    arrivals: dict[str, float] = {}
    seen: list[Counter[str]] = [Counter() for _ in range(viewers)]
    uri = f"ws://127.0.0.1:{line.plan.port}/ws/realtime/"
    agents = [line.supervisor.child(site.device).pid for site in line.plan.all_sites()]
    server = line.supervisor.child("server").pid
    async with asyncio.TaskGroup() as tasks:
        watching = [tasks.create_task(_view(uri, each, arrivals, live)) for each in seen]
        await asyncio.sleep(2.0)  # every viewer is connected before the count begins
        began, cpu_began, relay_began = time.time(), sum(map(_cpu_s, agents)), _cpu_s(server)
        await asyncio.sleep(seconds)
        ended, cpu_ended, relay_ended = time.time(), sum(map(_cpu_s, agents)), _cpu_s(server)
        await asyncio.sleep(3.0)  # what was measured before the end arrives
        for task in watching:
            task.cancel()
    with psycopg.connect(line.dsn) as connection:
        stored = dict(connection.execute(STORED, (began, ended)).fetchall())
        holes = connection.execute(HOLES).fetchone()
    live.seconds = ended - began
    live.samples = len(stored)
    live.received = [sum(1 for sample_id in stored if each[sample_id]) for each in seen]
    live.latencies_s = [arrivals[sample_id] - taken for sample_id, taken in stored.items() if sample_id in arrivals]
    live.holes = int(holes[0]) if holes else 0
    live.agent_cpu_ms_per_sample = (cpu_ended - cpu_began) * 1000 / max(1, live.samples)
    live.relay_core_share = (relay_ended - relay_began) / (ended - began)
    return live


async def _view(uri: str, seen: Counter[str], arrivals: dict[str, float], live: Live) -> None:
    async with websockets.connect(uri, max_size=None) as socket:
        async for text in socket:  # 50 viewers share this process: only what is counted is parsed
            assert isinstance(text, str)
            if '"analysis_result"' in text:
                found = SAMPLE_ID.search(text)
                assert found, text
                arrivals.setdefault(found[1], datetime.now(UTC).timestamp())
                seen[found[1]] += 1
            elif '"gap"' in text:
                live.missed += int(json.loads(text)["missed"])


def _cpu_s(pid: int) -> float:
    """Processor seconds of a process so far, user and system."""
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")
