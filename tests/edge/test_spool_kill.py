"""P1: what `append` has returned for survives SIGKILL at any instant, also inside the write that makes it durable.

Method: a writer process says what it was promised; it is killed at a random moment, or by strace at its n-th
fdatasync or fsync; then the independent checker and a new spool look at what is left.
"""

import os
import random
import shutil
import signal
import subprocess
import sys
import uuid
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import pytest

from edge.spool import Spool
from edge.spool_check import examine
from tests.kit.fix_spool import DEADLINE_S, message_of

ROOT = Path(__file__).parents[2]
IDLE = 30  # syncs for nothing in the spool's thread: strace counts by thread, and a start has fewer in its own
START_POINTS = (("fdatasync", 1), ("fdatasync", 3), ("fsync", 1), ("fsync", 2))
WORK_POINTS = (1, 2, 5, 11)
RANDOM_KILLS = 4
PROOF_KILLS = 200


@dataclass(frozen=True, slots=True)
class Said:
    """What a writer said before it died."""

    boot_id: uuid.UUID | None
    promised: int
    trimmed: int


def read_said(output: str) -> Said:
    boot_id, promised, trimmed = None, 0, 0
    for line in output.splitlines(keepends=True):
        if not line.endswith("\n"):
            break  # it died in the middle of a word
        word, _, rest = line.strip().partition(" ")
        if word == "boot":
            boot_id = uuid.UUID(rest)
        elif word == "trimmed":
            trimmed = int(rest)
        else:
            promised = int(word)
    return Said(boot_id, promised, trimmed)


def check(folder: Path, said: Said, new_spool: Callable[..., Spool]) -> None:
    """All that was promised and not receipted is there, sound; and a new agent goes on with it."""
    if not (folder / "spool.db").exists():
        assert said.promised == 0
        return
    if said.boot_id is not None:
        assert examine(folder / "spool.db").faults == []
    spool = new_spool(folder=str(folder))
    assert spool.damage is None
    messages = [message_of(row) for row in spool.peek(0, 100_000).result(DEADLINE_S)]
    seqs = {message.seq for message in messages if message.boot_id == said.boot_id}
    assert set(range(said.trimmed + 1, said.promised + 1)) <= seqs
    spool.close()


def writer(folder: Path, count: int, idle: int = 0) -> list[str]:
    return [sys.executable, "-m", "tests.kit.spool_writer", str(folder), str(count), str(idle)]


@pytest.mark.parametrize("seed", range(RANDOM_KILLS))
def test_killed_at_a_random_moment(seed: int, tmp_path: Path, new_spool: Callable[..., Spool]) -> None:
    kill_at_random(seed, tmp_path / "killed", new_spool)


def kill_at_random(seed: int, folder: Path, new_spool: Callable[..., Spool]) -> None:
    chance = random.Random(seed)  # noqa: S311 - a test's moment
    said: list[str] = []
    with subprocess.Popen(writer(folder, 100_000), cwd=ROOT, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        said += [process.stdout.readline() for _ in range(chance.randrange(1, 400))]
        os.kill(process.pid, signal.SIGKILL)
        said.append(process.stdout.read())
    result = read_said("".join(said))
    assert result.promised > 0 or len(said) < 3
    check(folder, result, new_spool)


def inject(call: str, what: str, point: int, command: list[str]) -> "subprocess.CompletedProcess[str]":
    """Run `command` and do `what` (strace's words) at the `point`-th `call` of any of its threads."""
    strace = shutil.which("strace")
    if strace is None:
        pytest.fail("this test meddles with a process inside a system call: apt-get install strace")
    options = ["-f", "-qq", "-o", os.devnull, "-e", f"trace={call}"]
    fault = f"inject={call}:{what}:when={point}"
    return subprocess.run(
        [strace, *options, "-e", fault, *command], cwd=ROOT, capture_output=True, text=True, check=False
    )


def die_at(call: str, point: int, folder: Path, new_spool: Callable[..., Spool], *, idle: int = 0) -> bool:
    """Kill a writer inside its `point`-th `call` and look at what is left; False when it ended before."""
    done = inject(call, "signal=KILL", point, writer(folder, 80, idle))
    if done.returncode == 0:
        return False
    assert done.returncode in {-signal.SIGKILL, 128 + signal.SIGKILL}, done.stderr
    check(folder, read_said(done.stdout), new_spool)
    return True


@pytest.mark.parametrize(("call", "point"), START_POINTS)
def test_killed_inside_the_nth_sync_of_a_start(
    call: str, point: int, tmp_path: Path, new_spool: Callable[..., Spool]
) -> None:
    assert die_at(call, point, tmp_path / "synced", new_spool)


@pytest.mark.parametrize(("call", "point"), START_POINTS)
def test_killed_inside_the_nth_sync_of_a_second_start(
    call: str, point: int, tmp_path: Path, new_spool: Callable[..., Spool]
) -> None:
    """An empty start lies before it: its number may be forgotten only once nothing beside the file tells of it."""
    new_spool(folder=str(tmp_path / "synced")).close()
    assert die_at(call, point, tmp_path / "synced", new_spool)


@pytest.mark.parametrize("point", WORK_POINTS)
def test_killed_inside_the_nth_sync_of_append_and_trim(
    point: int, tmp_path: Path, new_spool: Callable[..., Spool]
) -> None:
    assert die_at("fdatasync", IDLE + point, tmp_path / "synced", new_spool, idle=IDLE)


@pytest.mark.proof
@pytest.mark.timeout(1_800)
@pytest.mark.parametrize("call", ["fdatasync", "fsync"])
def test_proof_of_every_sync(call: str, tmp_path: Path, new_spool: Callable[..., Spool]) -> None:
    """Every sync of a first start, of a start upon a killed spool, of append, trim, checkpoint and close."""
    points = {"first": 0, "again": 0, "work": 0}
    while die_at(call, points["first"] + 1, tmp_path / f"first-{points['first']}", new_spool):
        points["first"] += 1
        if points["first"] == IDLE:
            break  # by then it is the other thread's calls that are hit
    for point in range(1, IDLE):
        folder = tmp_path / f"again-{point}"
        assert die_at("fdatasync", IDLE + 5, folder, new_spool, idle=IDLE)
        points["again"] += die_at(call, point, folder, new_spool)
    while die_at(call, IDLE + points["work"] + 1, tmp_path / f"work-{points['work']}", new_spool, idle=IDLE):
        points["work"] += 1
    print(call, points)
    assert min(points.values()) > 0


@pytest.mark.proof
@pytest.mark.timeout(1_800)
@pytest.mark.parametrize("part", range(4))
def test_proof_of_two_hundred_kills(part: int, tmp_path: Path, new_spool: Callable[..., Spool]) -> None:
    for seed in range(1_000 + part * PROOF_KILLS // 4, 1_000 + (part + 1) * PROOF_KILLS // 4):
        kill_at_random(seed, tmp_path / str(seed), new_spool)


@pytest.mark.parametrize("point", [1, 4])
def test_a_sync_that_fails_is_no_promise_and_loses_nothing(
    point: int, tmp_path: Path, new_spool: Callable[..., Spool]
) -> None:
    """Goal: EIO at a sync of an append is survived. Method: strace answers for the disk; the writer goes on."""
    folder = tmp_path / "failing"
    done = inject("fdatasync", "error=EIO", IDLE + point, writer(folder, 40, IDLE))
    assert done.returncode == 0, done.stderr
    said = read_said(done.stdout)
    assert said.promised == 40
    assert "spool.refused" in done.stderr
    check(folder, said, new_spool)


@pytest.mark.proof
@pytest.mark.timeout(1_800)
def test_proof_of_eio_at_every_sync(tmp_path: Path, new_spool: Callable[..., Spool]) -> None:
    point, refused = 1, 1
    while refused:
        folder = tmp_path / str(point)
        done = inject("fdatasync", "error=EIO", IDLE + point, writer(folder, 80, IDLE))
        assert done.returncode == 0, done.stderr
        said = read_said(done.stdout)
        assert said.promised == 80
        check(folder, said, new_spool)
        refused = done.stderr.count("spool.refused")
        point += 1
    assert point > max(WORK_POINTS)


def test_the_writer_ends_sound_when_nobody_kills_it(tmp_path: Path, new_spool: Callable[..., Spool]) -> None:
    folder = tmp_path / "whole"
    done = subprocess.run(writer(folder, 80), cwd=ROOT, capture_output=True, text=True, check=True)
    said = read_said(done.stdout)
    assert (said.promised, said.trimmed) == (80, 76)
    check(folder, said, new_spool)
