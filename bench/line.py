"""The whole line: speed beside the bare database, latency to a viewer, cost of an agent, load of the customer."""

from bench import line_cold, line_live, line_load
from bench.figures import Figure, median, percentile

CUSTOMER_HZ = 100.0  # samples a second, and
CUSTOMER_VIEWERS = 50  # dashboards at once, from the customer's integration document
LOAD_SITES, LOAD_SPEED = 8, 20.0  # three of four simulated seconds have a piece in view: 8 x 20 x 3/4 = 120 a second


def run(quick: bool) -> list[Figure]:
    """Measure all of it; quick shortens, and leaves the fresh clone out."""
    return [*_chain(quick), *_latency(quick), *_customer(quick), *([] if quick else _cold())]


def _chain(quick: bool) -> list[Figure]:
    loads = [line_load.measure(quick) for _ in range(1 if quick else 3)]
    ratio = median([each.chain_hz / each.bare_hz for each in loads])
    how = f"{loads[0].samples} samples of one device's full spool, median of {len(loads)}"
    return [
        Figure("chain to bare staged COPY", ratio, "ratio", note=how),
        Figure("samples through the chain", median([each.chain_hz for each in loads]), "1/s", note=how),
        Figure("bare staged COPY of the same rows", median([each.bare_hz for each in loads]), "1/s", note=how),
    ]


def _latency(quick: bool) -> list[Figure]:
    live = line_live.measure(sites=3, speed=1.0, viewers=1, seconds=10 if quick else 60)
    how = f"3 devices at 1/s, {live.samples} samples"
    return [
        Figure("sensor frame to viewer, p50", percentile(live.latencies_s, 0.5) * 1000, "ms", note=how),
        Figure("sensor frame to viewer, p99", percentile(live.latencies_s, 0.99) * 1000, "ms", note=how),
        Figure(
            "agent CPU per sample at 1/s", live.agent_cpu_ms_per_sample, "ms", note=how + ", simulated chips included"
        ),
    ]


def _customer(quick: bool) -> list[Figure]:
    live = line_live.measure(sites=LOAD_SITES, speed=LOAD_SPEED, viewers=CUSTOMER_VIEWERS, seconds=10 if quick else 60)
    rate = live.samples / live.seconds
    least = min(live.received)
    how = f"{LOAD_SITES} agents, {CUSTOMER_VIEWERS} viewers, {live.seconds:.0f} s, {live.samples} samples"
    lost = live.samples * live.viewers - sum(live.received) + live.missed + live.holes
    return [
        Figure("samples stored a second", rate, "1/s", f"≥ {CUSTOMER_HZ:.0f}", rate >= CUSTOMER_HZ, how),
        Figure("lost on the way to rows or viewers", lost, "samples", "0", lost == 0, how),
        Figure("least that one viewer received", least, "samples", str(live.samples), least == live.samples, how),
        Figure("frame to first viewer under that load, p99", percentile(live.latencies_s, 0.99) * 1000, "ms", note=how),
        Figure("agent CPU per sample at 20/s", live.agent_cpu_ms_per_sample, "ms", note=how),
        Figure("server, share of a core", live.relay_core_share, "cores", note=how),
    ]


def _cold() -> list[Figure]:
    seconds = line_cold.measure()
    return [Figure("make demo in a fresh clone to first sample", seconds, "s", note="empty pip, uv and npm caches")]
