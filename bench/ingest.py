"""Samples a second from MQTT to committed and receipted, beside the bare COPY of the same rows and beside a peer.

Each run measures all of them one after the other on the same server, so that a busy machine slows all alike; the
figures are medians over the runs.
"""

import asyncio
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from bench.figures import Figure, median, percentile
from bench.ingest_rig import RUN_S, Ingester, Rig, copy_by_hand, drive, fresh, latencies, rig, start_generator
from bench.peer_node_red import folder as node_red_folder
from bench.peer_node_red import node_red
from sqal.parts import PartError

RUNS, QUICK_RUNS = 5, 1
SAMPLES, QUICK_SAMPLES = 20_000, 5_000
PEER_SHARE = 5  # the peers get that much less to do, being that much slower
LATENCY_HZ, LATENCY_S, QUICK_LATENCY_S = 100.0, 30, 5
ROW_BYTES = "SELECT pg_total_relation_size('bare_samples') / (SELECT count(*) FROM bare_samples)::FLOAT"
HEAP_BYTES = "SELECT pg_table_size('bare_samples') / (SELECT count(*) FROM bare_samples)::FLOAT"


def run(quick: bool) -> list[Figure]:
    """Measure and return the figures."""
    with tempfile.TemporaryDirectory() as folder, rig(Path(folder)) as ours:
        return asyncio.run(_measure(ours, quick))


async def _measure(ours: Rig, quick: bool) -> list[Figure]:
    count = QUICK_SAMPLES if quick else SAMPLES
    chain: list[float] = []
    share: list[float] = []
    ingester = Ingester(ours)
    try:
        await ingester.wait_ready()
        for seed in range(QUICK_RUNS if quick else RUNS):
            bare_hz = count / await copy_by_hand(ours, fresh(count, seed))
            chain_hz = count / await drive(ours, fresh(count, seed))
            chain.append(chain_hz)
            share.append(chain_hz / bare_hz)
        waits = await latencies(
            ours, fresh(int(LATENCY_HZ) * (QUICK_LATENCY_S if quick else LATENCY_S), 99), LATENCY_HZ
        )
        memory_mb = ingester.memory_mb()
    finally:
        ingester.stop()
    peer = [_peer_hz(ours, count // PEER_SHARE, seed) for seed in range(QUICK_RUNS if quick else RUNS)]
    times = median(chain) / median(peer)
    beside = _beside_node_red(ours, median(chain), count // PEER_SHARE, QUICK_RUNS if quick else RUNS)
    row_bytes, heap_bytes = float(str(ours.value(ROW_BYTES))), float(str(ours.value(HEAP_BYTES)))
    p99_ms = percentile(waits, 0.99) * 1e3
    note = f"{count} samples of 1.45 kB a run, mosquitto_pub -l, median of {len(chain)}"
    return [
        Figure("durable and receipted samples", median(chain), "/s", note=note),
        Figure("share of the bare staged COPY", median(share), "", ">= 0.40", median(share) >= 0.40, "paired runs"),
        Figure("times a paho consumer, one INSERT a message", times, "x", ">= 4", times >= 4, f"{median(peer):.0f}/s"),
        *beside,
        Figure("device to receipt at 100/s, p99", p99_ms, "ms", "<= 250", p99_ms <= 250, f"{len(waits)} samples"),
        Figure("ingester memory, most", memory_mb, "MB", "<= 200", memory_mb <= 200, "resident, high-water mark"),
        Figure("bytes a stored sample", heap_bytes, "B", "<= 800", heap_bytes <= 800, "table, plain PostgreSQL"),
        Figure("bytes a stored sample with its indexes", row_bytes, "B"),
    ]


def _beside_node_red(ours: Rig, chain_hz: float, count: int, runs: int) -> list[Figure]:
    """How many times the rate of a Node-RED flow; nothing where there is no Node-RED."""
    installed = node_red_folder()
    if installed is None:
        return []
    hz = median([_node_red_hz(ours, installed, count, seed) for seed in range(runs)])
    times = chain_hz / hz
    return [Figure("times a Node-RED flow, MQTT in to INSERT", times, "x", ">= 4", times >= 4, f"{hz:.0f}/s")]


def _peer_hz(ours: Rig, count: int, seed: int) -> float:
    """Samples a second that the paho consumer commits."""
    ours.run("DROP TABLE IF EXISTS peer_samples")
    command = [sys.executable, "-m", "bench.peer_paho", ours.dsn, str(ours.broker_port)]
    with subprocess.Popen(command, stdout=subprocess.PIPE) as consumer:
        try:
            assert consumer.stdout is not None
            if consumer.stdout.readline() != b"ready\n":
                raise PartError("the paho consumer did not subscribe")
            return count / _consumed_s(ours, count, seed)
        finally:
            consumer.terminate()


def _node_red_hz(ours: Rig, installed: Path, count: int, seed: int) -> float:
    """Samples a second that a Node-RED flow commits."""
    with node_red(ours, installed):
        return count / _consumed_s(ours, count, seed)


def _consumed_s(ours: Rig, count: int, seed: int) -> float:
    """Seconds until a peer has committed all that is sent. Raises PartError when it never does."""
    found = fresh(count, seed)
    began = time.perf_counter()
    generator = start_generator(ours, found)
    while ours.value("SELECT count(*) FROM peer_samples") != count:
        if time.perf_counter() - began > RUN_S:
            raise PartError("a peer lost samples: it never had them all")
        time.sleep(0.05)  # between two looks; the figure is seconds
    seconds = time.perf_counter() - began
    generator.wait(RUN_S)
    return seconds
