"""A full disk: the agent goes on, old samples make room, events are kept, and the gap is exact.

Method: a tmpfs of 8 MiB, filled by somebody else to the last byte while the spool works; then he leaves.
"""

import os
import shutil
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from edge.rows import Kind
from edge.spool import Spool, SpoolLimits
from edge.spool_check import examine
from tests.kit.fix_spool import DEADLINE_S, HandClock, build_for, gap_of, message_of

LIMITS = SpoolLimits(commit_interval_s=0.0, reserve_bytes=3 << 20, disk_free_bytes_min=512 * 1024)


class RunningClock(HandClock):
    """Each look at it takes half a second, so that no retry has to be waited for."""

    def monotonic_ns(self) -> int:
        self.now_ns += 5 * 10**8
        return self.now_ns


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    disk = tmp_path / "disk"
    disk.mkdir()
    mounted = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", "size=8m", "tmpfs", str(disk)], capture_output=True, text=True, check=False
    )
    if mounted.returncode:
        pytest.skip(f"needs the right to mount: {mounted.stderr.strip()}")
    yield disk
    subprocess.run(["umount", "-l", str(disk)], check=True)


def fill(disk: Path) -> Path:
    """Take every byte that is left."""
    stranger = disk / "stranger"
    with stranger.open("wb") as file:
        os.posix_fallocate(file.fileno(), 0, shutil.disk_usage(disk).free)
    assert shutil.disk_usage(disk).free == 0
    return stranger


def test_a_disk_that_others_fill_costs_old_samples_and_no_event(
    small_disk: Path, new_spool: Callable[..., Spool]
) -> None:
    clock = RunningClock()
    spool = new_spool(LIMITS, folder=str(small_disk / "spool"), clock=clock)
    put = lambda kind: spool.append(kind, clock.now_ns, build_for(kind)).result(DEADLINE_S)  # noqa: E731
    events = [put(Kind.EVENT).seq]
    for _ in range(600):
        put(Kind.SAMPLE)
    assert spool.stats().dropped == 0
    stranger = fill(small_disk)
    for turn in range(1_500):
        seq = put(Kind.EVENT if turn % 50 == 0 else Kind.SAMPLE).seq
        if turn % 50 == 0:
            events.append(seq)
    assert spool.stats().commit_failures <= 20
    messages = [message_of(row) for row in spool.peek(0, 100_000).result(DEADLINE_S)]
    held = {message.seq for message in messages}
    assert set(events) <= held
    told: set[int] = set()
    for message in messages:
        if gap := gap_of(message):
            told |= set(range(gap.first_seq, gap.last_seq + 1))
    assert told
    assert not told & held
    assert told | held == set(range(1, max(held) + 1))
    stranger.unlink()
    for _ in range(60):
        put(Kind.SAMPLE)
    assert (small_disk / "spool" / "spool.reserve").exists()
    spool.close()
    assert examine(small_disk / "spool" / "spool.db").faults == []
