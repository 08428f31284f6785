"""A spool too large to be read at a start: the agent works at once, counts and looks the file through meanwhile.

Method: what counts as large is set to nothing, so that a small file takes that way; `proof` takes a file of 1 GiB.
"""

import os
import sqlite3
import threading
import time
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

import pytest

from contract.messages import SeqRange
from edge import checking, spool_file, tally
from edge.rows import Kind
from edge.spool import Spool, SpoolLimits
from edge.spool_errors import SpoolDamagedError
from edge.spool_file import PAGE_BYTES
from tests.kit.big_spool import fill
from tests.kit.fix_spool import DEADLINE_S, QUICK, HandClock, event, put

ROWS = 400
START_MAX_S = 2.0
GIBIBYTE = 1 << 30


@pytest.fixture
def everything_is_large(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(spool_file, "AT_ONCE_BYTES", 0)
    monkeypatch.setattr(spool_file, "COUNT_S", 0.0)
    monkeypatch.setattr(tally, "STEP_ROWS", 7)


def wait_counted(spool: Spool) -> None:
    deadline_s = time.monotonic() + DEADLINE_S
    while not spool._file.is_counted:
        assert time.monotonic() < deadline_s
        spool.peek(0, 1).result(DEADLINE_S)


@pytest.mark.usefixtures("everything_is_large")
def test_it_counts_to_the_end_whatever_comes_and_goes_meanwhile(
    new_spool: Callable[..., Spool], clock: HandClock
) -> None:
    first = new_spool()
    for _ in range(ROWS):
        first.append(Kind.SAMPLE, clock.now_ns, event)
    put(first, clock)
    first.close()
    again = new_spool()
    again.trim([SeqRange(boot_id=first.boot_id, first_seq=1, last_seq=3)])
    again.trim([SeqRange(boot_id=first.boot_id, first_seq=300, last_seq=309)])
    again.peek(0, 1).result(DEADLINE_S)  # receipts are taken into account before anything is read
    put(again, clock)
    wait_counted(again)
    with closing(sqlite3.connect(f"file:{again._file.path}?mode=ro", uri=True)) as reader:
        rows, size = reader.execute("SELECT count(*), sum(length(body) + 64) FROM rows").fetchone()
    assert (again.stats().rows, again.stats().bytes) == (rows, size) == (ROWS + 1 - 13 + 1, size)


@pytest.mark.usefixtures("everything_is_large")
def test_nothing_is_dropped_before_the_count_says_that_there_is_too_much(
    new_spool: Callable[..., Spool], clock: HandClock
) -> None:
    first = new_spool()
    for _ in range(ROWS):
        first.append(Kind.SAMPLE, clock.now_ns, event)
    put(first, clock)
    first.close()
    again = new_spool(SpoolLimits(commit_interval_s=0.0, rows_max=ROWS // 2))
    wait_counted(again)
    put(again, clock)
    put(again, clock)
    assert again.stats().rows <= ROWS // 2
    assert again.stats().dropped >= ROWS // 2


@pytest.mark.usefixtures("everything_is_large")
def test_a_tree_that_leads_astray_ends_the_agent_and_the_next_one_takes_over(
    new_spool: Callable[..., Spool], clock: HandClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Goal: damage that no checksum of a row sees. Method: two children of the tree's root change places."""
    first = new_spool()
    for _ in range(ROWS):
        first.append(Kind.SAMPLE, clock.now_ns, event)
    put(first, clock)
    first.close()
    swap_children(first._file.path)
    told: list[Exception] = []
    ended = threading.Event()
    hold = threading.Event()
    look = checking.BackgroundCheck._run
    monkeypatch.setattr(checking.BackgroundCheck, "_run", lambda self: hold.wait(DEADLINE_S) and look(self))
    second = new_spool()
    second.on_failure = lambda error: (told.append(error), ended.set())
    hold.set()
    assert ended.wait(DEADLINE_S)
    assert isinstance(told[0], SpoolDamagedError)
    second.close()
    third = new_spool(QUICK)
    assert third.damage is not None
    third.mending.join(DEADLINE_S)
    held = {row.seq for row in third.peek(0, 10_000).result(DEADLINE_S) if row.position >> 40 == 1}
    assert held == set(range(1, ROWS + 2))
    third.close()
    assert new_spool().damage is None


def swap_children(path: Path) -> None:
    """Exchange the first two children of the root of `rows`: each page is sound, their order is not."""
    with closing(sqlite3.connect(path)) as connection:
        (root,) = connection.execute("SELECT rootpage FROM sqlite_master WHERE name = 'rows'").fetchone()
    with path.open("r+b") as file:
        start = (root - 1) * PAGE_BYTES
        file.seek(start)
        page = bytearray(file.read(PAGE_BYTES))
        assert page[0] == 0x05, "the tree has no inner page"
        one, two = (int.from_bytes(page[12 + 2 * n : 14 + 2 * n], "big") for n in range(2))
        page[one : one + 4], page[two : two + 4] = page[two : two + 4], page[one : one + 4]
        file.seek(start)
        file.write(page)


@pytest.mark.proof
@pytest.mark.timeout(600)
def test_proof_of_a_start_with_a_gibibyte(new_spool: Callable[..., Spool], clock: HandClock) -> None:
    first = new_spool()
    last = put(first, clock).seq
    path, boot_id, number = first._file.path, first.boot_id, first._file.boot
    first.close()
    newest = fill(path, boot_id, number, last + 1, GIBIBYTE)
    forget_cached(path)
    began_s = time.monotonic()
    again = new_spool(SpoolLimits(commit_interval_s=0.0, rows_max=10**7, bytes_max=2 * GIBIBYTE))
    assert time.monotonic() - began_s < START_MAX_S
    put(again, clock)
    assert time.monotonic() - began_s < START_MAX_S + 1.0
    deadline_s = time.monotonic() + 300
    while not again._file.is_counted:
        assert time.monotonic() < deadline_s
        again.peek(0, 1).result(DEADLINE_S)
    assert again.stats().rows == newest + 1
    assert again.check is not None
    again.check.thread.join(300)
    assert not (path.parent / checking.SUSPECT_NAME).exists()


def forget_cached(path: Path) -> None:
    """Write the file out and let the kernel forget it: a start after a power cut reads from the disk."""
    with path.open("rb") as file:
        os.fsync(file.fileno())
        os.posix_fadvise(file.fileno(), 0, 0, os.POSIX_FADV_DONTNEED)
