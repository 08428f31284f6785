"""How fast samples run through the chain, beside what the database alone could take of the same rows.

The chain: a device's full spool → uplink → broker → ingest → one transaction → receipt → spool trimmed. The limit: the
same rows, already built, by binary COPY into the staging table and insert-on-conflict, in batches of the same size, on
a table of the same shape in the same server. Generator, broker, ingest and database share the machine's cores.
"""

import asyncio
import itertools
import json
import random
import tempfile
import time
import uuid
from collections.abc import Iterator
from concurrent.futures import wait
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import LiteralString, cast

import msgspec
import psycopg

from cloud.store.queries import Queries
from cloud.store.samples import TYPES, Place, sample_row
from cloud.store.session import open_session
from contract import Sample, decode, sample_id_for
from edge.clock import SystemClock
from edge.identity import Identity
from edge.rows import Kind, Stamp
from edge.settings import Settings
from edge.spool import Spool, SpoolLimits
from edge.uplink import Uplink
from sqal.demo.line import Line
from sqal.demo.plan import Plan, free_port
from sqal.resources import resource_path

GOLDEN = Path(__file__).parents[1] / "contract" / "golden" / "sample.v1.json"

SAMPLES = 20_000
QUICK_SAMPLES = 3_000
BATCH = 1_000  # rows a commit, as ingest takes them under load
DRAIN_TIMEOUT_S = 300.0
DEVICE, SITE = "ESP32_LL_01", "LL"


@dataclass(frozen=True, slots=True)
class Load:
    """Samples a second: through the whole chain, and by bare staged COPY of the same rows."""

    chain_hz: float
    bare_hz: float
    samples: int


def measure(quick: bool) -> Load:
    """Fill a spool, start the cloud, let the uplink drain it; then copy the same rows by hand."""
    count = QUICK_SAMPLES if quick else SAMPLES
    with tempfile.TemporaryDirectory() as folder:
        plan = Plan(data=Path(folder) / "line", port=free_port(), sites=1)
        # one device stands for a whole fleet: its quota must not be what is measured
        line = Line(plan, agents=False, extra={"SQAL_INGEST_DEVICE_RATE_MAX_HZ": "1000000"})
        line.start()
        try:
            chain_s = asyncio.run(_drain(line, Path(folder), count))
            bare_s = asyncio.run(_copy_by_hand(line, count))
        finally:
            line.stop()
    return Load(count / chain_s, count / bare_s, count)


def samples(count: int, stamps: Iterator[Stamp], rng: random.Random) -> Iterator[Sample]:
    """Distinct samples with the noise of real frames, so that nothing compresses better than it would in life."""
    base = decode(Sample, GOLDEN.read_bytes())
    plain = json.loads(GOLDEN.read_bytes())
    for stamp in (next(stamps) for _ in range(count)):
        raw = plain["vl53l8ch"]["raw"]
        for name, high in (("distance_matrix", 4000), ("reflectance_matrix", 255), ("amplitude_matrix", 4095)):
            middle = rng.randrange(high // 4, high // 2)
            raw[name] = [[middle + rng.randrange(-20, 20) for _ in range(8)] for _ in range(8)]
        tof = msgspec.structs.replace(base.vl53l8ch, raw=msgspec.convert(raw, type(base.vl53l8ch.raw)))
        yield msgspec.structs.replace(
            base,
            sample_id=sample_id_for(DEVICE, stamp.boot_id, stamp.seq),
            timestamp=stamp.timestamp,
            boot_id=stamp.boot_id,
            seq=stamp.seq,
            vl53l8ch=tof,
            lot_id=None,
            hist=False,
        )


async def _drain(line: Line, state: Path, count: int) -> float:
    """Seconds from the first connection of a full spool until all its rows are stored."""
    clock = SystemClock(trusted=True)
    identity = Identity(device_id=DEVICE, site=SITE, line="line1", session=uuid.uuid4())
    spool = Spool(state, clock=clock, build_gap=identity.gap, limits=SpoolLimits(intake_rows_max=count + 1))
    try:
        await asyncio.to_thread(_fill, spool, clock, count)
        settings = Settings(
            device=DEVICE, site=SITE, state_dir=state, bus="sim", broker_host="127.0.0.1", broker_port=line.broker_port
        )
        uplink = Uplink(spool=spool, identity=identity, settings=settings, clock=clock, chance=random.Random(1))
        began = time.perf_counter()
        sending = asyncio.create_task(uplink.run())
        async with asyncio.timeout(DRAIN_TIMEOUT_S):
            await asyncio.to_thread(_wait_until_stored, line, count)
        seconds = time.perf_counter() - began
        sending.cancel()
        await asyncio.gather(sending, return_exceptions=True)
    finally:
        spool.close()
    return seconds


def _wait_until_stored(line: Line, count: int) -> None:
    with psycopg.connect(line.dsn, autocommit=True) as connection:
        while connection.execute("SELECT count(*) FROM sqal_sensor_samples").fetchone() != (count,):
            time.sleep(0.05)  # between two looks; the figure is seconds


def _fill(spool: Spool, clock: SystemClock, count: int) -> None:
    rng = random.Random(7)
    stamps: list[Stamp] = []
    supply = samples(count, (stamps.pop() for _ in itertools.count()), rng)

    def build(stamp: Stamp) -> Sample:
        stamps.append(stamp)
        return next(supply)

    wait([spool.append(Kind.SAMPLE, clock.monotonic_ns(), build) for _ in range(count)])


async def _copy_by_hand(line: Line, count: int) -> float:
    """Seconds for rows alike through the same two statements, already built, into an empty table of the same shape."""
    queries = Queries(resource_path("sql") / "queries")
    boot, place = uuid.uuid4(), Place(device_id=DEVICE, site_code=SITE, line="line1")
    start = datetime.now(UTC)
    stamps = (
        Stamp(boot_id=boot, seq=seq, timestamp=start + timedelta(milliseconds=seq), clock=None)
        for seq in range(1, count + 1)
    )
    rows = [sample_row(n % BATCH, each, place, []) for n, each in enumerate(samples(count, stamps, random.Random(7)))]
    insert = queries["insert_samples"].replace("INTO sqal_sensor_samples", "INTO bare_samples")
    connection = await open_session(line.dsn, queries)
    try:
        await connection.execute("CREATE TABLE bare_samples (LIKE sqal_sensor_samples INCLUDING ALL)")
        began = time.perf_counter()
        for first in range(0, count, BATCH):
            async with connection.transaction(), connection.cursor() as cursor:
                async with cursor.copy(queries["copy_stage_samples"]) as copy:
                    copy.set_types(TYPES)
                    for row in rows[first : first + BATCH]:
                        await copy.write_row(row)
                await cursor.execute(cast("LiteralString", insert), binary=True)
                await cursor.fetchall()
        return time.perf_counter() - began
    finally:
        await connection.close()
