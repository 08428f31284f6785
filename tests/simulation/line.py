"""The line in one process: real spool, window, uplink and judge; virtual time, network, broker and disk.

The spool's thread does not run: its turns are taken by the event loop, so that one seed is one history. The disk is a
folder in memory; a kill leaves what was written, and a kill inside a commit leaves the log cut anywhere in it.
"""

import asyncio
import random
import shutil
import threading
import uuid
from collections.abc import Iterator
from concurrent.futures import Future
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from unittest.mock import patch

from cloud.judge import EventFact, Refusal, SampleFact, judge
from cloud.receipts import receipts
from cloud.store.samples import Place
from contract.codec import encode
from contract.messages import Event, HostState
from contract.sample import Sample
from contract.topics import host_topic
from edge import mending
from edge.identity import Identity
from edge.rows import Kind, Row, runs
from edge.settings import Settings
from edge.spool import Spool, SpoolLimits
from edge.spool_file import Batch
from edge.uplink import Uplink
from tests.kit.fix_spool import DEVICE, HandClock, build_for, gap_event
from tests.simulation.virtual import SimBroker, SimClient, VirtualLoop

WALL_ZERO_NS = 1_795_000_000_000_000_000
PLACES = {DEVICE: Place(DEVICE, "LL", "line1")}
HOST = host_topic("ingest-0")
Number = tuple[uuid.UUID, int]


class Idle(threading.Thread):
    """A thread that is never started: its turns are taken by hand."""

    def start(self) -> None:
        """Do nothing."""

    def join(self, timeout: float | None = None) -> None:
        """Have ended."""


class Cloud:
    """What ingest does, on a database that is a dictionary: commit, then receipts, then acknowledge."""

    def __init__(self, broker: SimBroker, chance: random.Random, now: "Line") -> None:
        self.rows: dict[Number, Sample | Event] = {}
        self.conflicts: list[Number] = []
        self.refusals: list[str] = []
        self.is_up = True
        self._broker = broker
        self._chance = chance
        self._line = now

    def say(self) -> None:
        state = HostState(host="ingest-0", online=self.is_up, session=uuid.UUID(int=1))
        self._broker.publish(HOST, encode(state), retain=True)

    async def run(self) -> None:
        while True:
            await asyncio.sleep(self._chance.uniform(0.01, 0.5))
            if self._broker.is_up and self._broker.retained.get(HOST) is None:
                self.say()
            if not self.is_up or not self._broker.is_up or not self._broker.cloud:
                continue
            batch = list(self._broker.cloud)[: self._chance.randint(1, 50)]
            if self._chance.random() < 0.05:
                continue  # killed before the commit: the broker still has them
            stored = [number for topic, payload in batch if (number := self._store(topic, payload)) is not None]
            if self._chance.random() < 0.05:
                continue  # killed after the commit: no receipt, and they come again
            for receipt in receipts(DEVICE, stored=stored, rejected=[]):
                self._broker.publish(f"sqal/v1/LL/line1/{DEVICE}/receipt", encode(receipt), retain=False)
            if self._chance.random() < 0.05:
                continue  # killed before the acknowledgement
            for _ in batch:
                if self._broker.cloud:
                    self._broker.cloud.popleft()

    def _store(self, topic: str, payload: bytes) -> Number | None:
        verdict = judge(topic, payload, registry=PLACES, now=self._line.utc(), future_s_max=86_400.0)
        if isinstance(verdict, Refusal):
            self.refusals.append(verdict.detail)
            return None
        assert isinstance(verdict, SampleFact | EventFact)
        message = verdict.sample if isinstance(verdict, SampleFact) else verdict.event
        assert message.boot_id is not None
        assert message.seq is not None
        number = (message.boot_id, message.seq)
        known = self.rows.setdefault(number, message)
        if encode(known).replace(b',"hist":true', b"") != encode(message).replace(b',"hist":true', b""):
            self.conflicts.append(number)
        return number


class Line:
    """One device, one broker, one cloud, and the fate that a seed draws for them."""

    def __init__(self, seed: int, root: Path) -> None:
        self.chance = random.Random(seed)  # noqa: S311 - the seed is the history
        self.root = root
        self.broker = SimBroker(self.chance)
        self.cloud = Cloud(self.broker, self.chance, self)
        self.clock = HandClock(wall_ns=WALL_ZERO_NS)
        self.promised: set[Number] = set()
        self.kills = 0
        self.limits = SpoolLimits(
            rows_max=self.chance.choice([60, 100_000]), commit_interval_s=0.2, commit_rows_max=20, reserve_bytes=0,
            intake_rows_max=self.chance.choice([10, 2_000]), disk_free_bytes_min=0,
        )  # fmt: skip
        self.pause_s_max = self.chance.choice([1.0, 3.0, 12.0])  # between faults: a start may not end before the next
        self.folder = root / "0"
        self._tasks: list[asyncio.Task[None]] = []
        self._zero_s = 0.0
        self._stalled = False
        self.spool: Spool
        self.uplink: Uplink

    def utc(self) -> datetime:
        """The true time, as the cloud knows it."""
        now_s = asyncio.get_running_loop().time()
        return datetime.fromtimestamp(WALL_ZERO_NS / 1e9 + now_s, UTC)

    def tick(self) -> None:
        self.clock.now_ns = 1_000_000_000 + round((asyncio.get_running_loop().time() - self._zero_s) * 1e9)

    def start(self) -> None:
        """Start the agent: spool, uplink, a source of messages."""
        self.tick()
        SimClient.broker = self.broker
        with patch("edge.spool.threading.Thread", Idle), patch("edge.uplink.Client", SimClient):
            self.spool = Spool(
                self.folder, clock=self.clock, build_gap=gap_event, limits=self.limits, chance=self.chance
            )
            settings = Settings(device=DEVICE, site="LL", state_dir=self.folder)
            identity = Identity(DEVICE, "LL", "line1", uuid.UUID(int=2))
            self.uplink = Uplink(
                spool=self.spool, identity=identity, settings=settings, clock=self.clock, chance=self.chance
            )
        for path in mending.aside(self.folder / "spool.db"):
            raise AssertionError(f"{path.name}: a kill damaged the spool: {self.spool.damage}")
        self.spool.on_commit = self._durable
        self.spool.on_release = self.uplink.release
        self._tasks = [asyncio.create_task(each) for each in (self._turns(), self._measure(), self.uplink.run())]

    def _durable(self, rows: list[Row]) -> None:
        self.promised |= {(self.spool.boot_id, row.seq) for row in rows}
        self.uplink.offer(rows)

    async def _turns(self) -> None:
        """What the spool's thread does."""
        while True:
            await asyncio.sleep(0.02)
            self.tick()
            if self._stalled:
                continue
            self.spool._answer()
            if self.spool._is_due():
                self.spool._commit()

    async def _measure(self) -> None:
        while True:
            await asyncio.sleep(self.chance.uniform(0.02, 0.4))
            self.tick()
            kind = Kind.SAMPLE if self.chance.random() < 0.7 else Kind.EVENT
            self.spool.append(kind, self.clock.now_ns, build_for(kind)).add_done_callback(_heard)

    async def kill(self, *, reboot: bool) -> None:
        """SIGKILL, or the power fails; at one time in two inside a commit."""
        self.kills += 1
        after = self.root / str(self.kills)
        if self.chance.random() < 0.5:
            self._copy_inside_commit(after)
        else:
            shutil.copytree(self.folder, after)
        self.uplink.client.dead = True  # type: ignore[attr-defined]  # the simulated one
        self.broker.cut()
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        self.spool._file._connection.close()
        self.spool._lock_file.close()
        shutil.rmtree(self.folder)
        self.folder = after
        if reboot:
            self._zero_s = asyncio.get_running_loop().time()
            known = self.chance.random() < 0.5
            self.clock = HandClock(wall_ns=self._wall_zero() if known else None, machine=f"machine-{self.kills}")

    def _wall_zero(self) -> int:
        step_ns = self.chance.choice([0, 0, 3_600_000_000_000, -3_600_000_000_000])
        return WALL_ZERO_NS + round(self._zero_s * 1e9) - 1_000_000_000 + step_ns

    def _copy_inside_commit(self, after: Path) -> None:
        """The commit under way is lost with the process: its log is cut anywhere between before and after."""
        wal = self.folder / "spool.db-wal"
        shutil.copytree(self.folder, after)
        before = wal.stat().st_size
        commit = self.spool._file.commit
        promised, offer = set(self.promised), self.uplink.offer
        self.uplink.offer = lambda _rows: None  # type: ignore[method-assign]  # nobody hears of it any more

        def cut(batch: Batch) -> None:
            commit(batch)
            size = wal.stat().st_size
            if size > before:
                (after / wal.name).write_bytes(wal.read_bytes()[: self.chance.randrange(before, size)])

        self.spool._file.commit = cut  # type: ignore[method-assign]
        self.spool._commit()
        self.promised = promised
        self.uplink.offer = offer  # type: ignore[method-assign]

    async def suffer(self, faults: int) -> None:
        """Let `faults` things go wrong, one after another."""
        self.start()
        for _ in range(faults):
            await asyncio.sleep(self.chance.uniform(0.05, self.pause_s_max))
            match self.chance.randrange(8):
                case 0:
                    self.broker.kill()
                    await asyncio.sleep(self.chance.uniform(0.0, 5.0))
                    self.broker.is_up = True
                case 1:
                    self.broker.cut()
                case 2:
                    self.cloud.is_up = not self.cloud.is_up
                    self.cloud.say()
                case 3:
                    self._stalled = True  # the disk stands still
                    await asyncio.sleep(self.chance.uniform(0.0, 8.0))
                    self._stalled = False
                case 4:
                    self.clock.zero_wall_ns = self._wall_zero()  # the clock is set, for the first time or again
                case choice:
                    await self.kill(reboot=choice == 7)
                    self.start()
        await self._heal()

    async def _heal(self) -> None:
        """All faults end; everything arrives within five virtual minutes."""
        self.broker.is_up = self.cloud.is_up = True
        self.cloud.say()
        self.clock.zero_wall_ns = self.clock.zero_wall_ns or self._wall_zero()
        self._tasks[1].cancel()
        for _ in range(300):
            await asyncio.sleep(1.0)
            if self.spool._file.rows == 0 and not self.spool._intake:
                break
        await self.kill(reboot=False)

    def check(self) -> None:
        """Rows and gaps are everything that was promised; nothing twice, nothing contradicts itself."""
        assert not self.cloud.refusals, self.cloud.refusals[:3]
        assert not self.cloud.conflicts, self.cloud.conflicts[:3]
        rows = self.cloud.rows
        told: set[Number] = set()
        surely_lost: set[Number] = set()
        for message in rows.values():
            assert message.timestamp.year >= 2026
            if isinstance(message, Event) and message.gap is not None:
                gap = message.gap
                numbers = {(gap.boot_id, seq) for seq in range(gap.first_seq, gap.last_seq + 1)}
                told |= numbers
                # a full spool also drops what is on its way without a receipt: that may be stored all the same
                surely_lost |= numbers if gap.reason != "spool_full" else set()
        everything = set(rows) | told
        missing = self.promised - everything
        assert not missing, f"promised and lost: {sorted(missing)[:5]} of {len(self.promised)}"
        assert not surely_lost & set(rows), f"lost and there: {sorted(surely_lost & set(rows))[:5]}"
        assert self.limits.rows_max < 1_000 or not told & set(rows)
        boots: dict[uuid.UUID, list[int]] = {}
        for boot_id, seq in sorted(everything):
            boots.setdefault(boot_id, []).append(seq)
        for boot, seqs in boots.items():
            spans = runs(seqs)
            assert len(spans) == 1, f"boot {boot}: {spans}"
            assert spans[0].first == 1


def _heard(done: "Future[Row]") -> None:
    """A message that gave way to newer ones has its gap; its future need not be waited for."""
    done.exception()


@contextmanager
def virtual_loop() -> Iterator[VirtualLoop]:
    loop = VirtualLoop()
    try:
        yield loop
    finally:
        loop.close()


def live(seed: int, faults: int, root: Path) -> Line:
    """One seed, one history. Raises AssertionError where a promise was broken."""
    with virtual_loop() as loop:

        async def history() -> Line:
            line = Line(seed, root)
            ingest = asyncio.create_task(line.cloud.run())
            try:
                await line.suffer(faults)
            finally:
                ingest.cancel()
            return line

        line = loop.run_until_complete(history())
    line.check()
    return line
