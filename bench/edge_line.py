"""The uplink with broker, ingester and database: how fast a backlog drains beside live samples, and back to live."""

import asyncio
import random
import time
import uuid
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager, suppress
from pathlib import Path

from bench.figures import Figure, percentile
from bench.ingest_rig import RECEIPTS, Ingester, Rig, listener, rig
from contract.codec import decode
from contract.messages import Receipt
from edge.clock import SystemClock
from edge.identity import Identity
from edge.rows import Kind
from edge.settings import Settings
from edge.spool import Spool, SpoolLimits
from edge.uplink import Uplink
from sqal.demo.plan import free_port
from sqal.parts.broker import start_broker
from tests.kit.fix_spool import DEVICE, gap_event, sample

LIVE_HZ = 15.0
ARRIVAL_HZ = 15.0  # the fastest a device measures: what the backlog came in with
QUOTA_HZ = 2_000  # the ingester's default
DRAIN_S = 600.0
BACK_S = 30.0


def drain(folder: Path, *, rows: int) -> list[Figure]:
    """A backlog of `rows` samples while 15 a second are measured; all the way into the database and back."""
    folder.mkdir(parents=True)
    with rig(folder) as parts:
        ingester = Ingester(parts, quota_hz=QUOTA_HZ)
        try:
            took_s, late_s, complaints = asyncio.run(_drain(parts, ingester, rows))
        finally:
            ingester.stop()
    rate_hz, p99_s = rows / took_s, percentile(late_s, 0.99)
    note = f"{rows:,} samples, quota {QUOTA_HZ}/s, told {complaints} times that it is too much"
    return [
        Figure("backlog drained", rate_hz, "samples/s", f"≥ {5 * ARRIVAL_HZ:g}", rate_hz >= 5 * ARRIVAL_HZ, note),
        Figure(
            "live while it drains, p99",
            p99_s * 1e3,
            "ms",
            "≤ 1000",
            p99_s <= 1.0,
            f"measured to receipted, {len(late_s)} samples at {LIVE_HZ:g} Hz, commit interval 0.2 s",
        ),
    ]


async def _drain(parts: Rig, ingester: Ingester, rows: int) -> tuple[float, list[float], int]:
    clock = SystemClock(trusted=True)
    limits = SpoolLimits(commit_interval_s=0.2, intake_rows_max=rows + 1_000, rows_max=10**6)
    spool = Spool(parts.folder / "spool", clock=clock, build_gap=gap_event, limits=limits, chance=random.Random(1))
    last = [spool.append(Kind.SAMPLE, clock.monotonic_ns(), sample) for _ in range(rows)][-1]
    await asyncio.wrap_future(last)
    await ingester.wait_ready()
    sent_s: dict[int, float] = {}
    late_s: list[float] = []
    old = {"open": rows}
    done = asyncio.Event()

    async def hear() -> None:
        async with listener(parts, "bench-receipts", RECEIPTS) as client:
            async for delivery in client.deliveries():
                now_s = time.perf_counter()
                for each in decode(Receipt, delivery.payload).stored:
                    seqs = range(each.first_seq, each.last_seq + 1)
                    late_s.extend(now_s - sent_s.pop(seq) for seq in seqs if seq in sent_s)
                    old["open"] -= sum(seq <= rows for seq in seqs)
                client.ack(delivery)
                if old["open"] <= 0:
                    done.set()

    async def measure() -> None:
        while True:
            future = spool.append(Kind.SAMPLE, clock.monotonic_ns(), sample)
            began_s = time.perf_counter()
            row = await asyncio.wrap_future(future)
            sent_s.setdefault(row.seq, began_s)
            await asyncio.sleep(max(0.0, 1 / LIVE_HZ - (time.perf_counter() - began_s)))

    hearing = asyncio.create_task(hear())
    began_s = time.perf_counter()
    async with _uplink(spool, clock, parts.folder, parts.broker_port) as uplink:
        measuring = asyncio.create_task(measure())
        async with asyncio.timeout(DRAIN_S):
            await done.wait()
        took_s = time.perf_counter() - began_s
        for task in (measuring, hearing):
            task.cancel()
            with suppress(asyncio.CancelledError):
                await task
        complaints = uplink.pace.complaints
    spool.close()
    return took_s, late_s, complaints


def back_to_live(folder: Path, *, kills: int) -> list[Figure]:
    """SIGKILL the broker, start it again after 0 to 6 s: how long until a sample measured then is acknowledged."""
    folder.mkdir(parents=True)
    late_s = asyncio.run(_back_to_live(folder, kills))
    p99_s = percentile(late_s, 0.99)
    note = f"{kills} kills, from the broker's return to the acknowledgement of a live sample"
    return [Figure("back to live after a broker kill, p99", p99_s, "s", "≤ 10", p99_s <= 10.0, note)]


async def _back_to_live(folder: Path, kills: int) -> list[float]:
    chance = random.Random(5)
    clock = SystemClock(trusted=True)
    limits = SpoolLimits(commit_interval_s=0.0)
    spool = Spool(folder / "spool", clock=clock, build_gap=gap_event, limits=limits, chance=chance)
    port = free_port()
    broker = start_broker(port=port, directory=folder / "broker", kind="mosquitto")
    late_s: list[float] = []
    async with _uplink(spool, clock, folder, port) as uplink:
        for _ in range(kills):
            await uplink.client.wait_connected()
            broker.kill()
            await asyncio.sleep(chance.uniform(0.0, 6.0))
            broker = await asyncio.to_thread(start_broker, port=port, directory=folder / "broker", kind="mosquitto")
            began_s = time.perf_counter()
            async with asyncio.timeout(BACK_S):
                await uplink.client.wait_connected()
                before = uplink.counters.live_sent
                while uplink.counters.live_sent == before or uplink.window.sent == {}:
                    await asyncio.wrap_future(spool.append(Kind.SAMPLE, clock.monotonic_ns(), sample))
            late_s.append(time.perf_counter() - began_s)
    spool.close()
    broker.kill()
    return late_s


@asynccontextmanager
async def _uplink(spool: Spool, clock: SystemClock, folder: Path, port: int) -> AsyncGenerator[Uplink]:
    settings = Settings(device=DEVICE, site="LL", state_dir=folder, broker_port=port)
    identity = Identity(DEVICE, "LL", "line1", uuid.uuid4())
    uplink = Uplink(spool=spool, identity=identity, settings=settings, clock=clock, chance=random.Random(2))
    loop = asyncio.get_running_loop()
    spool.on_commit = lambda rows: loop.call_soon_threadsafe(uplink.offer, rows)
    task = asyncio.create_task(uplink.run())
    try:
        await uplink.client.wait_connected()
        yield uplink
    finally:
        task.cancel()
        await asyncio.wait([task])
