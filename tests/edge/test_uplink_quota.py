"""A backlog meets the ingester's quota: it drains at the quota, and what was over it is not waited for long.

Method: a real broker, database and ingester with a small quota; a spool that holds several seconds' worth more than
the bucket. Without the rest and the pace every message over the quota would wait for the thirty seconds after which a
receipt is overdue.
"""

import asyncio
from collections.abc import Awaitable, Callable
from pathlib import Path

from edge.clock import SystemClock
from edge.rows import Kind
from edge.spool import Spool, SpoolLimits
from tests.kit.fix_broker import OwnBroker
from tests.kit.fix_database import Database
from tests.kit.fix_ingest import RunningIngest, ingest_settings, value
from tests.kit.fix_spool import DEADLINE_S, sample
from tests.kit.fix_uplink import empty, running_uplink

QUOTA_HZ = 100
ROWS = 900  # the bucket holds 500: met by whatever drains at more than 225/s, a slow machine too
DRAINED_WITHIN_S = 25.0


async def test_a_backlog_over_the_quota_drains_without_waiting_for_overdue_receipts(
    store: Database,
    mosquitto: OwnBroker,
    new_ingest: Callable[..., Awaitable[RunningIngest]],
    new_spool: Callable[..., Spool],
    tmp_path: Path,
) -> None:
    ingest = await new_ingest(ingest_settings(store.dsn, mosquitto.port, device_rate_max_hz=QUOTA_HZ))
    clock = SystemClock(trusted=True)
    spool = new_spool(SpoolLimits(commit_interval_s=0.0, intake_rows_max=ROWS), clock=clock)
    futures = [spool.append(Kind.SAMPLE, clock.monotonic_ns(), sample) for _ in range(ROWS)]
    await asyncio.to_thread(futures[-1].result, DEADLINE_S)
    began_s = asyncio.get_running_loop().time()
    async with running_uplink(spool, clock, tmp_path, port=mosquitto.port) as uplink:
        await empty(spool)
        took_s = asyncio.get_running_loop().time() - began_s
        assert uplink.pace.complaints > 0
    assert ingest.counters.rate_limited_total > 0
    assert took_s < DRAINED_WITHIN_S
    assert value(store.dsn, "SELECT count(*) FROM sqal_sensor_samples") == ROWS
