"""The spool against a model of a few sets: whatever happens in whatever order, nothing numbered goes missing.

Method: hypothesis draws appends, crashes, partial deliveries with receipts (repeated, reordered, for unknown boots, for
the future) and small bounds that make the spool drop. A crash is a copy of the files between two commits, in which a
new agent starts: what was appended and not yet durable is gone, as after a SIGKILL. A cloud of two sets takes what is
delivered. After every step: rows and gaps, in cloud and spool together, are everything that was ever durable.
"""

import random
import shutil
import tempfile
import uuid
from concurrent.futures import Future
from pathlib import Path

from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule

from contract.messages import Gap, SeqRange
from edge.rows import Kind, Message, Row
from edge.spool import Spool, SpoolLimits
from edge.spool_check import examine
from tests.kit.fix_spool import DEADLINE_S, HandClock, build_for, gap_event, gap_of, message_of

Number = tuple[uuid.UUID, int]


def numbers_of(gap: Gap) -> set[Number]:
    return {(gap.boot_id, seq) for seq in range(gap.first_seq, gap.last_seq + 1)}


class SpoolMachine(RuleBasedStateMachine):
    """One device through many starts."""

    def __init__(self) -> None:
        super().__init__()
        self.root = Path(tempfile.mkdtemp(prefix="sqal-spool-"))
        self.starts = 0
        self.clock = HandClock()
        self.promised: set[Number] = set()  # what append has returned for
        self.stored: set[Number] = set()  # rows that the cloud has
        self.told: set[Number] = set()  # numbers that gaps in the cloud account for
        self.waiting: list[Future[Row]] = []
        self.spool: Spool

    @initialize(rows_max=st.sampled_from([16, 40, 100_000]))
    def begin(self, rows_max: int) -> None:
        self.limits = SpoolLimits(rows_max=rows_max, commit_interval_s=0.0, commit_rows_max=7)
        self.open(self.root / "0")

    def open(self, folder: Path) -> None:
        chance = random.Random(self.starts)  # noqa: S311 - boot ids of a test
        self.spool = Spool(folder, clock=self.clock, build_gap=gap_event, limits=self.limits, chance=chance)
        self.starts += 1

    def settle(self) -> None:
        """Wait for what was appended, and remember what was promised."""
        for future in self.waiting:
            self.promised.add((self.spool.boot_id, future.result(DEADLINE_S).seq))
        self.waiting.clear()

    def rows(self) -> list[Message]:
        return [message_of(row) for row in self.spool.peek(0, 100_000).result(DEADLINE_S)]

    @rule(kinds=st.lists(st.sampled_from([Kind.SAMPLE, Kind.SAMPLE, Kind.EVENT]), min_size=1, max_size=12))
    def append(self, kinds: list[Kind]) -> None:
        self.waiting += [self.spool.append(kind, self.clock.now_ns, build_for(kind)) for kind in kinds]

    @rule()
    def crash(self) -> None:
        folder = self.root / str(self.starts)
        self.spool._ask(lambda: shutil.copytree(self.spool._file.path.parent, folder)).result(DEADLINE_S)
        boot_id = self.spool.boot_id
        self.promised |= {(boot_id, future.result().seq) for future in self.waiting if future.done()} & {
            (boot_id, seq) for seq in self.durable_in(folder)
        }
        self.waiting.clear()
        self.spool.close()
        self.open(folder)

    def durable_in(self, folder: Path) -> set[int]:
        report = examine(folder / "spool.db")
        assert report.faults == []
        mine = [boot for boot in report.boots if boot.boot_id == self.spool.boot_id]
        return set(range(1, mine[0].last_seq + 1)) if mine else set()

    @rule(share=st.floats(0, 1), seed=st.integers(0, 2**16), noise=st.booleans())
    def deliver(self, share: float, seed: int, noise: bool) -> None:
        """The cloud stores some rows and says so, in no order and perhaps twice."""
        chance = random.Random(seed)  # noqa: S311 - drawn by hypothesis
        taken = [message for message in self.rows() if chance.random() < share]
        for message in taken:
            assert message.boot_id is not None
            assert message.seq is not None
            self.stored.add((message.boot_id, message.seq))
            if (gap := gap_of(message)) is not None:
                self.told |= numbers_of(gap)
        receipts = [SeqRange(boot_id=each.boot_id, first_seq=each.seq, last_seq=each.seq) for each in taken]
        if noise:
            future = SeqRange(boot_id=self.spool.boot_id, first_seq=10**6, last_seq=2**63 - 1)
            receipts += [*receipts, SeqRange(boot_id=uuid.UUID(int=seed), first_seq=1, last_seq=10**9), future]
        chance.shuffle(receipts)
        self.spool.trim(receipts)

    @invariant()
    def nothing_is_missing(self) -> None:
        self.settle()
        rows = self.rows()
        held = {(message.boot_id, message.seq) for message in rows}
        gone = set[Number]().union(*(numbers_of(gap) for each in rows if (gap := gap_of(each)))) | self.told
        known = held | gone | self.stored
        assert self.promised <= known
        for boot_id in {boot_id for boot_id, _ in known}:
            seqs = {seq for boot, seq in known if boot == boot_id}
            assert seqs == set(range(1, max(seqs) + 1)), "a number is neither held, stored nor told"
        assert not held & gone, "a row is held that a gap calls lost"

    def teardown(self) -> None:
        if self.starts:
            self.spool.close()
            assert examine(self.spool._file.path).faults == []
        shutil.rmtree(self.root)


SpoolMachine.TestCase.settings = settings(
    max_examples=15,
    stateful_step_count=20,
    deadline=None,
    derandomize=True,
    suppress_health_check=[HealthCheck.too_slow],
)
TestSpoolModel = SpoolMachine.TestCase
