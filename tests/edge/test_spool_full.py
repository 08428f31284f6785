"""A full disk: the agent goes on, old samples make room, events are kept, and the gap is exact.

Method: a tmpfs of 8 MiB, filled by somebody else to the last byte while the spool works; then he leaves. Who may not
mount runs this file once more in a user namespace, where everybody may; a machine that refuses that too is told.
"""

import os
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from edge.rows import Kind
from edge.spool import Spool, SpoolLimits
from edge.spool_check import examine
from tests.kit.fix_spool import DEADLINE_S, HandClock, build_for, gap_of, message_of

ROOT = Path(__file__).parents[2]
CAP_SYS_ADMIN = 21  # capabilities(7)
LIMITS = SpoolLimits(commit_interval_s=0.0, reserve_bytes=3 << 20, disk_free_bytes_min=512 * 1024)


class RunningClock(HandClock):
    """Each look at it takes half a second, so that no retry has to be waited for."""

    def monotonic_ns(self) -> int:
        self.now_ns += 5 * 10**8
        return self.now_ns


@contextmanager
def small_disk(tmp_path: Path) -> Iterator[Path]:
    disk = tmp_path / "disk"
    disk.mkdir()
    mounted = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", "size=8m", "tmpfs", str(disk)], capture_output=True, text=True, check=False
    )
    assert mounted.returncode == 0, mounted.stderr
    try:
        yield disk
    finally:
        subprocess.run(["umount", "-l", str(disk)], check=True)


def fill(disk: Path) -> Path:
    """Take every byte that is left."""
    stranger = disk / "stranger"
    with stranger.open("wb") as file:
        os.posix_fallocate(file.fileno(), 0, shutil.disk_usage(disk).free)
    assert shutil.disk_usage(disk).free == 0
    return stranger


def may_mount() -> bool:
    """Whether this process has CAP_SYS_ADMIN, in whatever namespace it is."""
    status = Path("/proc/self/status").read_text()
    capabilities = next(line.split()[1] for line in status.splitlines() if line.startswith("CapEff"))
    return bool(int(capabilities, 16) >> CAP_SYS_ADMIN & 1)


def run_in_user_namespace(test: str, folder: Path) -> None:
    """Run one test of this file where its user may mount."""
    unshare = ["unshare", "--map-root-user", "--mount"]
    inside = [sys.executable, "-m", "pytest", "-q", "-n", "0", "-p", "no:cacheprovider", f"--basetemp={folder}"]
    done = subprocess.run(
        [*unshare, *inside, f"{__file__}::{test}"], cwd=ROOT, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, (
        "needs the right to mount: run as root, or allow user namespaces (kernel.unprivileged_userns_clone=1, "
        f"kernel.apparmor_restrict_unprivileged_userns=0)\n{done.stdout}{done.stderr}"
    )
    assert "1 passed" in done.stdout


def test_a_disk_that_others_fill_costs_old_samples_and_no_event(
    request: pytest.FixtureRequest, tmp_path: Path, new_spool: Callable[..., Spool]
) -> None:
    if not may_mount():
        run_in_user_namespace(request.node.name, tmp_path / "inside")
        return
    with small_disk(tmp_path) as disk:
        fill_up(disk, new_spool)


def fill_up(small_disk: Path, new_spool: Callable[..., Spool]) -> None:
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
