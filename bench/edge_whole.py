"""The whole agent as a process: what it costs in processor time and memory."""

import os
import re
import subprocess
import sys
import time
from pathlib import Path

from bench.figures import Figure
from edge.spool_check import examine
from sqal.demo.plan import free_port
from sqal.parts.broker import start_broker

TICKS_HZ = os.sysconf("SC_CLK_TCK")
RSS_MAX_MB = 80.0
READY_S = 30.0


def agent_cost(folder: Path, rate_hz: int, *, seconds: float) -> list[Figure]:
    """CPU a sample and memory of `sqal edge run` on the simulated bus, in real time, with a broker and no ingester."""
    folder.mkdir(parents=True)
    broker = start_broker(port=free_port(), directory=folder / "broker", kind="mosquitto")
    options = {
        "bus": "sim",
        "device": "ESP32_LL_01",
        "site": "LL",
        "broker": f"127.0.0.1:{broker.port}",
        "state-dir": str(folder / "state"),
        "rate-hz": str(rate_hz),
    }
    words = [word for key, value in options.items() for word in (f"--{key}", value)]
    with (folder / "agent.log").open("wb") as log:
        process = subprocess.Popen([sys.executable, "-m", "sqal", "edge", "run", *words], stdout=log, stderr=log)
    try:
        _wait_for_samples(folder / "state" / "spool.db", process)
        rows, cpu_s = examine(folder / "state" / "spool.db").rows, _cpu_s(process.pid)
        time.sleep(seconds)
        cpu_s = _cpu_s(process.pid) - cpu_s
        rows = examine(folder / "state" / "spool.db").rows - rows
        memory_mb = _memory_mb(process.pid)
    finally:
        process.terminate()
        process.wait(10)
        broker.kill()
    ticks = max(1.0, rate_hz * seconds)
    note = f"{seconds:g} s on the simulated bus, the work of the simulated chips included; {rows} messages"
    return [
        Figure(f"CPU a measurement at {rate_hz} Hz", cpu_s / ticks * 1e3, "ms", note=note),
        Figure(f"memory at {rate_hz} Hz", memory_mb, "MB", f"≤ {RSS_MAX_MB:g}", memory_mb <= RSS_MAX_MB, "VmHWM"),
    ]


def _wait_for_samples(path: Path, process: "subprocess.Popen[bytes]") -> None:
    deadline_s = time.monotonic() + READY_S
    while not path.exists() or examine(path).kinds["sample"] < 2:
        if process.poll() is not None or time.monotonic() > deadline_s:
            raise RuntimeError(f"the agent did not measure within {READY_S:g} s")
        time.sleep(0.2)


def _cpu_s(pid: int) -> float:
    words = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(words[11]) + int(words[12])) / TICKS_HZ  # utime, stime: fields 14 and 15 of proc(5)


def _memory_mb(pid: int) -> float:
    found = re.search(r"VmHWM:\s+(\d+) kB", Path(f"/proc/{pid}/status").read_text())
    assert found is not None
    return int(found[1]) * 1024 / 1e6
