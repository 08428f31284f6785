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
SYNC_POINTS = (1, 3, 5, 8, 9, 10, 12, 15, 20)  # strace counts by thread: up to 8 start-up, then appends and trims
RANDOM_KILLS = 5


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


def writer(folder: Path, count: int) -> list[str]:
    return [sys.executable, "-m", "tests.kit.spool_writer", str(folder), str(count)]


@pytest.mark.parametrize("seed", range(RANDOM_KILLS))
def test_killed_at_a_random_moment(seed: int, tmp_path: Path, new_spool: Callable[..., Spool]) -> None:
    chance = random.Random(seed)  # noqa: S311 - a test's moment
    folder = tmp_path / "killed"
    said: list[str] = []
    with subprocess.Popen(writer(folder, 100_000), cwd=ROOT, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        said += [process.stdout.readline() for _ in range(chance.randrange(1, 400))]
        os.kill(process.pid, signal.SIGKILL)
        said.append(process.stdout.read())
    result = read_said("".join(said))
    assert result.promised > 0 or len(said) < 3
    check(folder, result, new_spool)


@pytest.mark.parametrize("point", SYNC_POINTS)
def test_killed_inside_the_nth_sync(point: int, tmp_path: Path, new_spool: Callable[..., Spool]) -> None:
    strace = shutil.which("strace")
    if strace is None:
        pytest.fail("this test kills a process inside a system call: apt-get install strace")
    folder = tmp_path / "synced"
    inject = f"inject=fdatasync,fsync:signal=KILL:when={point}"
    command = [strace, "-f", "-qq", "-o", os.devnull, "-e", "trace=fdatasync,fsync", "-e", inject]
    done = subprocess.run([*command, *writer(folder, 200)], cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode in {-signal.SIGKILL, 128 + signal.SIGKILL}, done.stderr
    check(folder, read_said(done.stdout), new_spool)


def test_the_writer_ends_sound_when_nobody_kills_it(tmp_path: Path, new_spool: Callable[..., Spool]) -> None:
    folder = tmp_path / "whole"
    done = subprocess.run(writer(folder, 80), cwd=ROOT, capture_output=True, text=True, check=True)
    said = read_said(done.stdout)
    assert (said.promised, said.trimmed) == (80, 76)
    check(folder, said, new_spool)
