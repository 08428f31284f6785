"""The spool as its users see it: numbering, durability, bounds, time, damage."""

import itertools
import sqlite3
import uuid
from collections.abc import Callable
from pathlib import Path

import pytest

from contract.messages import Event, SeqRange
from edge.packing import checksum
from edge.rows import Kind, Message
from edge.spool import Spool, SpoolLimits
from edge.spool_check import UnreadableSpoolError, examine
from edge.spool_errors import SpoolBusyError, SpoolClosedError, SpoolDroppedError, SpoolNewerError
from edge.spool_file import Batch
from edge.spool_sql import FAMILY
from tests.kit.fix_spool import DEADLINE_S, QUICK, HandClock, event, gap_of, message_of, put, sample

NewSpool = Callable[..., Spool]


def held(spool: Spool) -> list[Message]:
    return [message_of(row) for row in spool.peek(0, 10_000).result(DEADLINE_S)]


def seqs(spool: Spool) -> list[int]:
    return [row.seq for row in spool.peek(0, 10_000).result(DEADLINE_S)]


def everything(spool: Spool) -> SeqRange:
    return SeqRange(boot_id=spool.boot_id, first_seq=1, last_seq=2**62)


def test_numbers_from_one_and_keeps_across_a_restart(new_spool: NewSpool, clock: HandClock) -> None:
    first = new_spool()
    assert [put(first, clock).seq for _ in range(3)] == [1, 2, 3]
    first.close()
    second = new_spool()
    assert put(second, clock).seq == 1
    assert second.boot_id != first.boot_id
    assert second.boot_id.version == 7
    assert [(m.boot_id, m.seq) for m in held(second)] == [
        (first.boot_id, 1),
        (first.boot_id, 2),
        (first.boot_id, 3),
        (second.boot_id, 1),
    ]


def test_what_building_raises_uses_no_number(new_spool: NewSpool, clock: HandClock) -> None:
    spool = new_spool()

    def broken(_stamp: object) -> Event:
        raise ValueError("no message")

    with pytest.raises(ValueError, match="no message"):
        spool.append(Kind.EVENT, clock.now_ns, broken)
    assert put(spool, clock).seq == 1


def test_a_row_is_announced_before_its_future_resolves(new_spool: NewSpool, clock: HandClock) -> None:
    spool = new_spool()
    announced: list[int] = []
    spool.on_commit = lambda rows: announced.extend(row.seq for row in rows)
    put(spool, clock)
    assert announced == [1]


def test_a_second_agent_is_refused_with_the_process_that_holds_it(new_spool: NewSpool, tmp_path: Path) -> None:
    new_spool()
    with pytest.raises(SpoolBusyError, match=r"another agent \(process \d+\)"):
        new_spool()


def test_a_newer_file_is_left_alone(new_spool: NewSpool, tmp_path: Path) -> None:
    new_spool().close()
    with sqlite3.connect(tmp_path / "spool" / "spool.db") as connection:
        connection.execute("PRAGMA user_version = 99")
        connection.execute(f"PRAGMA application_id = {FAMILY | 99}")
    connection.close()
    with pytest.raises(SpoolNewerError, match="version 99"):
        new_spool()


def test_receipts_free_what_they_name_and_nothing_else(new_spool: NewSpool, clock: HandClock) -> None:
    spool = new_spool()
    for _ in range(6):
        put(spool, clock)
    mine = spool.boot_id
    spool.trim(
        [
            SeqRange(boot_id=mine, first_seq=2, last_seq=3),
            SeqRange(boot_id=mine, first_seq=3, last_seq=2),
            SeqRange(boot_id=uuid.UUID(int=7), first_seq=1, last_seq=99),
            SeqRange(boot_id=mine, first_seq=6, last_seq=2**63 - 1),
            SeqRange(boot_id=mine, first_seq=2, last_seq=3),
        ]
    )
    assert seqs(spool) == [1, 4, 5]
    put(spool, clock)
    assert seqs(spool) == [1, 4, 5, 7]


def test_a_receipt_for_the_future_does_not_free_the_future(new_spool: NewSpool, clock: HandClock) -> None:
    """Goal: what is numbered but not yet durable when a receipt comes is kept. Method: both in one transaction."""
    spool = new_spool(SpoolLimits(commit_interval_s=1.0))
    put(spool, clock)  # the next commit is a second away by a clock that stands still
    waiting = spool.append(Kind.EVENT, clock.now_ns, event)
    spool.trim([everything(spool)])
    clock.now_ns += 10**9
    spool.flush(DEADLINE_S)
    assert waiting.result(DEADLINE_S).seq == 2
    assert seqs(spool) == [2]


def test_a_full_spool_drops_the_oldest_samples_for_gaps_and_keeps_events(
    new_spool: NewSpool, clock: HandClock, tmp_path: Path
) -> None:
    spool = new_spool(SpoolLimits(rows_max=100, commit_interval_s=0.0))
    put(spool, clock, Kind.EVENT)
    for _ in range(300):
        put(spool, clock, Kind.SAMPLE)
    messages = held(spool)
    gaps = [gap for message in messages if (gap := gap_of(message))]
    numbers = {message.seq for message in messages}
    for gap in gaps:
        lost = set(range(gap.first_seq, gap.last_seq + 1))
        assert not lost & numbers
        numbers |= lost
    assert numbers == set(range(1, max(numbers) + 1))
    assert messages[0].seq == 1  # the event outlived 200 samples
    assert spool.stats().rows <= 100 + 1
    assert spool.stats().dropped == sum(gap.last_seq - gap.first_seq + 1 for gap in gaps)


def test_bytes_are_bounded_too(new_spool: NewSpool, clock: HandClock) -> None:
    spool = new_spool(SpoolLimits(rows_max=10_000, bytes_max=100_000, commit_interval_s=0.0))
    for _ in range(300):
        put(spool, clock, Kind.SAMPLE)
    assert spool.stats().bytes <= 100_000 + 4_000
    assert spool.stats().dropped > 0


class TickingClock(HandClock):
    """Each look at it takes nine tenths of a second."""

    def monotonic_ns(self) -> int:
        self.now_ns += 9 * 10**8
        return self.now_ns


def test_a_disk_that_refuses_loses_nothing_and_is_tried_again(new_spool: NewSpool) -> None:
    """Goal: a failed transaction is repeated as it stands. Method: the file's own commit fails twice."""
    clock = TickingClock()
    spool = new_spool(clock=clock)
    put(spool, clock)
    commit = spool._file.commit
    failures = [sqlite3.OperationalError("disk I/O error"), sqlite3.OperationalError("database or disk is full")]

    def failing(batch: Batch) -> None:
        if failures:
            raise failures.pop()
        commit(batch)

    spool._file.commit = failing  # type: ignore[method-assign]
    waiting = [spool.append(Kind.SAMPLE, clock.now_ns, sample) for _ in range(3)]
    assert [future.result(DEADLINE_S).seq for future in waiting] == [2, 3, 4]
    assert spool.stats().commit_failures == 2
    assert seqs(spool) == [1, 2, 3, 4]


def test_memory_is_bounded_while_the_disk_stands_still(new_spool: NewSpool, clock: HandClock) -> None:
    """Goal: the oldest waiting samples give way, counted by a gap. Method: a clock that stands still holds commits."""
    spool = new_spool(SpoolLimits(commit_interval_s=1.0, intake_rows_max=10))
    put(spool, clock)
    waiting = [spool.append(Kind.SAMPLE, clock.now_ns, sample) for _ in range(15)]
    dropped = [future for future in waiting if future.done()]
    assert len(dropped) == 5
    assert all(isinstance(future.exception(), SpoolDroppedError) for future in dropped)
    assert spool.flush(DEADLINE_S)
    gaps = [gap for message in held(spool) if (gap := gap_of(message))]
    assert [(gap.first_seq, gap.last_seq, gap.reason) for gap in gaps] == [(2, 6, "disk_too_slow")]


def test_a_damaged_file_is_set_aside_and_said(new_spool: NewSpool, clock: HandClock, tmp_path: Path) -> None:
    spool = new_spool()
    put(spool, clock)
    spool.close()
    (tmp_path / "spool" / "spool.db").write_bytes(b"not a database, and long enough to be looked at" * 100)
    again = new_spool()
    assert again.damage is not None
    assert (tmp_path / "spool" / again.set_aside_as).exists()
    assert put(again, clock).seq == 1


def test_a_flipped_byte_in_a_message_becomes_a_gap(new_spool: NewSpool, clock: HandClock, tmp_path: Path) -> None:
    spool = new_spool()
    for _ in range(3):
        put(spool, clock)
    spool.close()
    path = tmp_path / "spool" / "spool.db"
    with sqlite3.connect(path) as connection:
        connection.execute(
            "UPDATE rows SET body = CAST(replace(body, x'00', x'01') AS BLOB), kind = 0 WHERE position & 255 = 2"
        )
    connection.close()
    assert examine(path).faults_total == 1
    again = new_spool()
    assert [message.seq for message in held(again)] == [1, 3]
    assert again.flush(DEADLINE_S)
    put(again, clock)
    gaps = [gap for message in held(again) if (gap := gap_of(message))]
    assert [(gap.boot_id, gap.first_seq, gap.last_seq, gap.reason) for gap in gaps] == [
        (spool.boot_id, 2, 2, "spool_damaged")
    ]


def test_nothing_leaves_without_a_time_and_time_is_fixed_once(new_spool: NewSpool, clock: HandClock) -> None:
    clock.zero_wall_ns = None
    spool = new_spool()
    released: list[bool] = []
    spool.on_release = lambda: released.append(True)
    for _ in range(2):
        put(spool, clock)
        clock.now_ns += 10**9
    assert held(spool) == []
    clock.zero_wall_ns = 1_795_000_000_000_000_000
    put(spool, clock)
    clock.now_ns += 10**9
    put(spool, clock)
    times = [message.timestamp for message in held(spool)]
    assert released
    assert len(times) == 4
    assert [(later - earlier).total_seconds() for earlier, later in itertools.pairwise(times)] == [1, 1, 1]
    clock.zero_wall_ns += 3600 * 10**9  # the clock steps: what has a time keeps it
    assert [message.timestamp for message in held(spool)] == times


@pytest.mark.parametrize(("machine", "exact"), [("machine-1", True), ("machine-2", False)])
def test_rows_of_a_start_that_never_knew_the_time(
    new_spool: NewSpool, clock: HandClock, machine: str, exact: bool
) -> None:
    """Goal: exact on the same run of the machine; else placed before this start and marked as of unset clock."""
    clock.zero_wall_ns = None
    first = new_spool()
    put(first, clock)
    first.close()
    clock.now_ns += 5 * 10**9
    later = HandClock(machine=machine)
    later.now_ns = clock.now_ns if exact else 2 * 10**9
    second = new_spool(clock=later)
    put(second, later)
    old, new = held(second)
    assert old.boot_id == first.boot_id
    assert old.clock is not None
    assert old.clock.state == ("synced" if exact else "unset")
    assert (new.timestamp - old.timestamp).total_seconds() == (5 if exact else 0)


def test_a_closed_spool_takes_nothing(new_spool: NewSpool, clock: HandClock) -> None:
    spool = new_spool()
    spool.close()
    with pytest.raises(SpoolClosedError):
        spool.append(Kind.EVENT, clock.now_ns, event)


def test_closing_commits_what_waits(new_spool: NewSpool, clock: HandClock) -> None:
    spool = new_spool(SpoolLimits(commit_interval_s=1.0))
    put(spool, clock)
    waiting = [spool.append(Kind.EVENT, clock.now_ns, event) for _ in range(5)]
    spool.close()
    assert [future.result(0).seq for future in waiting] == [2, 3, 4, 5, 6]
    assert seqs(new_spool(QUICK)) == [1, 2, 3, 4, 5, 6]


def test_the_checker_needs_a_spool(tmp_path: Path) -> None:
    with pytest.raises(UnreadableSpoolError, match="no spool here"):
        examine(tmp_path / "spool.db")
    (tmp_path / "spool.db").write_bytes(b"x" * 5000)
    with pytest.raises(UnreadableSpoolError, match="not a database"):
        examine(tmp_path / "spool.db")


def test_the_checker_finds_what_the_writer_would_never_write(
    new_spool: NewSpool, clock: HandClock, tmp_path: Path
) -> None:
    spool = new_spool()
    for _ in range(4):
        put(spool, clock)
    path = tmp_path / "spool" / "spool.db"
    report = examine(path)  # beside the writer, who goes on
    assert (report.rows, report.faults, dict(report.kinds)) == (4, [], {"event": 4})
    put(spool, clock)
    spool.close()
    with sqlite3.connect(path) as connection:
        connection.create_function("crc", 5, checksum)
        connection.execute("UPDATE rows SET position = position + 100 WHERE position & 255 = 4")
        connection.execute("UPDATE rows SET crc = crc(position, kind, stamped, monotonic_ns, body)")
        connection.execute("UPDATE rows SET position = position + (77 << 40) WHERE position & 255 = 2")
    connection.close()
    faults = "\n".join(examine(path).faults)
    assert "the message says boot" in faults
    assert "is not known" in faults
