"""P1, P3: whatever a kill leaves, the numbers on disk have no hole: each is a row, or in a gap, up to the newest.

Method: the spool's thread is taken by hand; messages come in bursts larger than a transaction, the intake overflows,
the file is full, the disk refuses, rows are damaged, an older spool is taken over. After every single transaction,
which is where a kill can fall, all numbers of the boot up to the newest one are rows or told of.
"""

import random
import sqlite3
import uuid
from contextlib import closing
from pathlib import Path
from unittest.mock import patch

import pytest

from contract.codec import decode
from contract.messages import Event
from edge.mending import Found
from edge.rows import SEQ_MAX, Boot, Kind, Row, Span, position_of, runs
from edge.spool import Spool, SpoolLimits
from edge.spool_file import Batch, SpoolFile
from tests.kit.fix_spool import HandClock, build_for, gap_event
from tests.simulation.line import Idle

OLD_BOOT = 500
STEPS = 150


class Watched:
    """A spool without a thread, and the numbers that its transactions have made durable or told of."""

    def __init__(self, folder: Path, seed: int) -> None:
        self.chance = random.Random(seed)  # noqa: S311 - the seed is the history
        self.clock = HandClock()
        limits = SpoolLimits(
            rows_max=60, commit_interval_s=0.0, commit_rows_max=3, intake_rows_max=12, reserve_bytes=0,
            disk_free_bytes_min=0,
        )  # fmt: skip
        with patch("edge.spool.threading.Thread", Idle):
            self.spool = Spool(folder, clock=self.clock, build_gap=gap_event, limits=limits, chance=self.chance)
        self.refuses = False
        self.known: set[int] = set()
        self.transactions = self.refusals = 0
        self.older = 1  # next number of an earlier boot that is told to be lost
        commit = SpoolFile.commit

        def watched(file: SpoolFile, batch: Batch) -> None:
            if self.refuses and self.chance.random() < 0.5:
                self.refusals += 1
                raise sqlite3.OperationalError("disk I/O error")
            commit(file, batch)
            self.see(batch)
            if self.refuses and self.chance.random() < 0.5:
                self.refusals += 1
                raise sqlite3.OperationalError("disk I/O error")  # committed after all

        self.patch = patch.object(SpoolFile, "commit", watched)

    def see(self, batch: Batch) -> None:
        """After a transaction: no number is missing below the newest."""
        self.transactions += 1
        for row in batch.rows:
            if row.position >> 40 != self.spool._file.boot:
                continue
            self.known.add(row.seq)
            if row.kind is Kind.GAP and (gap := decode(Event, row.body).gap) and gap.boot_id == self.spool.boot_id:
                self.known |= set(range(gap.first_seq, gap.last_seq + 1))
        spans = runs(sorted(self.known))
        assert not spans or (len(spans) == 1 and spans[0].first == 1), spans

    def step(self) -> None:
        """One thing happens, then the thread has its turn."""
        self.clock.now_ns += 300_000_000
        match self.chance.randrange(8):
            case 0:
                self.refuses = not self.refuses
            case 1:
                self.spool._file.corrupt |= {self.some_row()} if self.some_row() else set()
            case 2:
                first = position_of(OLD_BOOT, self.older)
                self.older += 4
                part = Found(lost=[Span(first, first + 3)], boots={OLD_BOOT: OLD})
                self.spool._ask(lambda: self.spool._adopt(part))
            case _:
                for _ in range(self.chance.randrange(10)):
                    kind = self.chance.choice([Kind.SAMPLE, Kind.SAMPLE, Kind.EVENT])
                    self.spool.append(kind, self.clock.now_ns, build_for(kind)).add_done_callback(
                        lambda done: done.exception()
                    )
        self.spool._answer()
        if self.spool._is_due():
            self.spool._commit()

    def some_row(self) -> int:
        """A position of this boot that the file holds, 0 for none."""
        found: list[Row] = [] if self.spool._refused else self.spool._file.peek(self.spool._file.boot << 40, 5)
        return self.chance.choice(found).position if found else 0


OLD = Boot(uuid.UUID(int=77), "", 1, synced=True)


@pytest.mark.parametrize("seed", range(2))
def test_no_transaction_leaves_a_hole_behind_it(seed: int, tmp_path: Path) -> None:
    watched = Watched(tmp_path / "spool", seed)
    with watched.patch, closing(watched.spool._lock_file), closing(watched.spool._file):
        for _ in range(STEPS):
            watched.step()
        watched.refuses = False
        while watched.spool._pending or watched.spool._intake or watched.spool._refused:
            watched.spool._commit()
    assert watched.transactions > STEPS // 4
    assert watched.refusals > 10
    assert watched.spool.stats().dropped > 0
    assert max(watched.known) == watched.spool.stats().appended <= SEQ_MAX
