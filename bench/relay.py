"""What the live relay costs and how late it is: many viewers, a bare loop of the same engine, and Litestar's Channels.

The server runs on one core, publisher and viewers on the other (`taskset`). Viewers are the smallest WebSocket clients
that can be written here: they read frames from a socket and count. All peers send the same three messages a sample.
"""

import os
import resource
import signal
import subprocess
import sys
from pathlib import Path

import msgspec

from bench.figures import Figure, median

SERVER_CORE, CLIENT_CORE = 0, 1
PEERS = ("relay", "bare", "channels")
LATENCY_MAX_MS = 500.0
KB_A_VIEWER_MAX = 60.0
BARE_RATIO_MAX = 1.3


class Run(msgspec.Struct, frozen=True):
    """What one run found. server_cpu_us: per message sent. rss_kb: of the server, per viewer."""

    sent: int
    received: int
    p50_ms: float
    p99_ms: float
    server_cpu_us: float
    rss_kb: float


def run(quick: bool) -> list[Figure]:
    """Measure every peer in turn, several times, and compare medians of the same rounds."""
    viewers, seconds, rounds = (300, 3.0, 1) if quick else (5_000, 20.0, 3)
    _allow_files(viewers + 200)
    found: dict[str, list[Run]] = {peer: [] for peer in PEERS}
    for _ in range(rounds):
        for peer in PEERS:
            found[peer].append(measure(peer, viewers=viewers, seconds=seconds))
    ours = found["relay"]
    note = f"{viewers} viewers, each on one of three devices at 1/s, {seconds:g} s, median of {rounds}"
    lost = sum(each.sent - each.received for each in ours)
    p99 = median([each.p99_ms for each in ours])
    size = median([each.rss_kb for each in ours])
    to_bare = median([a.server_cpu_us / b.server_cpu_us for a, b in zip(ours, found["bare"], strict=True)])
    to_channels = median([a.server_cpu_us / b.server_cpu_us for a, b in zip(ours, found["channels"], strict=True)])
    return [
        Figure("messages not delivered", lost, "messages", "0", lost == 0, note),
        Figure("publish to viewer, p50", median([each.p50_ms for each in ours]), "ms", None, None, note),
        Figure("publish to viewer, p99", p99, "ms", f"≤ {LATENCY_MAX_MS:g}", p99 <= LATENCY_MAX_MS, note),
        Figure("server memory per viewer", size, "kB", f"≤ {KB_A_VIEWER_MAX:g}", size <= KB_A_VIEWER_MAX, note),
        Figure("relay CPU per message", median([each.server_cpu_us for each in ours]), "us", None, None, note),
        Figure("relay CPU to bare loop", to_bare, "ratio", f"≤ {BARE_RATIO_MAX}", to_bare <= BARE_RATIO_MAX, note),
        Figure("relay CPU to Litestar Channels", to_channels, "ratio", "< 1", to_channels < 1, note),
    ]


def measure(peer: str, *, viewers: int, seconds: float) -> Run:
    """One peer in processes of its own: a server on one core, its viewers on the other."""
    server = subprocess.Popen(
        ["taskset", "-c", str(SERVER_CORE), sys.executable, "-m", "bench.relay_server", peer],
        stdout=subprocess.PIPE,
        text=True,
    )
    try:
        assert server.stdout is not None
        port = int(server.stdout.readline())
        command = ["taskset", "-c", str(CLIENT_CORE), sys.executable, "-m", "bench.relay_viewers"]
        command += [str(port), str(server.pid), str(viewers), str(seconds)]
        done = subprocess.run(command, stdout=subprocess.PIPE, check=True, timeout=120 + 3 * seconds)
        return msgspec.json.decode(done.stdout, type=Run)
    finally:
        server.send_signal(signal.SIGTERM)
        server.wait(20)


def _allow_files(count: int) -> None:
    """Raise the limit of open files, which children inherit. Fails where the system allows fewer."""
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if hard != resource.RLIM_INFINITY and hard < count:
        raise SystemExit(f"{count} connections need as many files, the system allows {hard}")
    resource.setrlimit(resource.RLIMIT_NOFILE, (count, hard))


def cpu_s(pid: int) -> float:
    """Processor seconds of a process so far, user and system."""
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def rss_kb(pid: int) -> float:
    """Resident memory of a process."""
    lines = Path(f"/proc/{pid}/status").read_text().splitlines()
    return float(next(line for line in lines if line.startswith("VmRSS")).split()[1])
