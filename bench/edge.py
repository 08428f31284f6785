"""`bench edge`: what the agent costs its machine and its SD card, and how soon it is back after an outage."""

import tempfile
from pathlib import Path

from bench.edge_line import back_to_live, drain
from bench.edge_spool import append_times, start_of_a_gibibyte, written
from bench.edge_whole import agent_cost
from bench.figures import Figure

RATES_HZ = (1, 5, 15)


def run(quick: bool) -> list[Figure]:
    """Measure everything; quick: a few seconds of each."""
    found: list[Figure] = []
    with tempfile.TemporaryDirectory(prefix="sqal-bench-edge-") as name:
        folder = Path(name)
        for rate_hz in RATES_HZ:
            found += agent_cost(folder / f"agent-{rate_hz}", rate_hz, seconds=8 if quick else 40)
        for rate_hz in RATES_HZ:
            found += written(folder / f"written-{rate_hz}", rate_hz, minutes=5 if quick else 60)
        found += append_times(folder / "append", count=60 if quick else 600)
        found += start_of_a_gibibyte(folder / "large", size=(1 << 26) if quick else (1 << 30))
        found += drain(folder / "drain", rows=6_000 if quick else 100_000)
        found += back_to_live(folder / "broker", kills=3 if quick else 30)
    return found
