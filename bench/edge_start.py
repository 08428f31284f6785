"""What the agent costs a Raspberry Pi before it earns anything: time from start to the first sample, and memory.

The whole process as it is installed, on the simulated bus at the speed of life, calibrated beforehand as on a line. The
boot of the chips (80 kB of firmware over the bus) is part of the time here and not of the bound.
"""

import json
import os
import subprocess
import sys
import tempfile
import time
import urllib.request
from pathlib import Path

from bench.figures import Figure, median
from sqal.demo.plan import free_port

START_S_MAX = 10.0
RSS_MB_MAX = 80.0
PATIENCE_S = 90.0


def run(quick: bool = False) -> list[Figure]:
    """Start the agent a few times on one state directory."""
    with tempfile.TemporaryDirectory() as folder:
        state = Path(folder) / "state"
        _measure(state, settle_s=0.0)  # calibrates
        found = [_measure(state, settle_s=5.0 if quick else 60.0) for _ in range(1 if quick else 3)]
    start_s, rss_mb = median([each[0] for each in found]), max(each[1] for each in found)
    how = "process start to a sample on disk and on the local page; simulated bus at the speed of life"
    return [
        Figure("start to first sample", start_s, "s", f"<= {START_S_MAX:g} + sensor boot", start_s <= START_S_MAX, how),
        Figure("memory (RSS)", rss_mb, "MB", f"<= {RSS_MB_MAX:g}", rss_mb <= RSS_MB_MAX, "VmHWM, simulation included"),
    ]


def _measure(state: Path, *, settle_s: float) -> tuple[float, float]:
    """Seconds until the local page shows a durable sample, and the most memory until `settle_s` later, MB."""
    port = free_port()
    words = ["--bus", "sim", "--device", "PI_LL_01", "--site", "LL", "--broker", "127.0.0.1:1", "--seed", "3"]
    began = time.monotonic()
    command = [sys.executable, "-m", "sqal", "edge", "run", *words, "--state-dir", str(state)]
    environment = os.environ | {"SQAL_EDGE_PAGE_PORT": str(port)}
    agent = subprocess.Popen(command, stderr=subprocess.DEVNULL, env=environment)
    try:
        while not _has_piece(port):
            assert time.monotonic() - began < PATIENCE_S, "no sample"
            assert agent.poll() is None, "the agent ended"
            time.sleep(0.05)
        took_s = time.monotonic() - began
        time.sleep(settle_s)
        return took_s, _high_water_mb(agent.pid)
    finally:
        agent.terminate()
        agent.wait(20)


def _has_piece(port: int) -> bool:
    try:
        with urllib.request.urlopen(f"http://127.0.0.1:{port}/state.json", timeout=2) as answer:
            return json.load(answer)["piece"] is not None
    except OSError:
        return False


def _high_water_mb(pid: int) -> float:
    lines = Path(f"/proc/{pid}/status").read_text().splitlines()
    return next(int(line.split()[1]) for line in lines if line.startswith("VmHWM")) / 1024
