"""The supervisor with real processes: what dies comes back, what hangs is ended, time is the test's own."""

import signal
import sys
from pathlib import Path

import pytest

from sqal.demo.supervisor import FORGIVEN_AFTER_S, Supervisor, stop_together
from sqal.parts.child import Child, PartError, spawn

WAITS = "import sys; print('up', flush=True); sys.stdin.read(); import signal; signal.pause()"
STUBBORN = "import signal; signal.signal(signal.SIGTERM, signal.SIG_IGN); print('up', flush=True); signal.pause()"


def start(folder: Path, code: str, name: str = "part") -> Child:
    child = spawn(name, [sys.executable, "-c", code], log=folder / f"{name}.log", stop_signal=signal.SIGTERM)
    child.wait_ready(lambda: "up" in child.last_words(), timeout_s=20)
    return child


class Hand:
    """A clock that the test moves."""

    def __init__(self) -> None:
        self.now = 0.0

    def __call__(self) -> float:
        return self.now


def test_a_killed_part_is_started_again_later_and_later(tmp_path: Path):
    said: list[str] = []
    clock = Hand()
    supervisor = Supervisor(said.append, monotonic=clock)
    supervisor.run("part", 1, lambda: start(tmp_path, WAITS))
    delays: list[float] = []
    for _ in range(3):
        supervisor.child("part").kill()
        supervisor.tend()
        restart_at = supervisor.parts["part"].restart_at
        assert restart_at is not None
        delays.append(restart_at - clock.now)
        with pytest.raises(PartError, match="not running"):
            supervisor.child("part")
        clock.now = restart_at
        supervisor.tend()
        assert supervisor.child("part").running
    assert delays == sorted(set(delays)), "each death in a row waits longer"
    assert all("SIGKILL" in line for line in said)
    clock.now += FORGIVEN_AFTER_S + 1
    supervisor.child("part").kill()
    supervisor.tend()
    assert (supervisor.parts["part"].restart_at or 0) - clock.now == pytest.approx(delays[0])
    supervisor.stop()


def test_a_part_that_cannot_start_again_is_told_and_tried_again(tmp_path: Path):
    said: list[str] = []
    clock = Hand()
    broken = False

    def begin() -> Child:
        if broken:
            raise PartError("the port is taken")
        return start(tmp_path, WAITS)

    supervisor = Supervisor(said.append, monotonic=clock)
    supervisor.run("part", 1, begin)
    supervisor.child("part").kill()
    broken = True
    for _ in range(4):
        supervisor.tend()
        clock.now += 5
    assert any("the port is taken" in line for line in said)
    broken = False
    for _ in range(4):
        supervisor.tend()
        clock.now += 5
    assert supervisor.child("part").running
    supervisor.stop()


def test_stop_ends_a_stubborn_part_by_force(tmp_path: Path):
    stubborn, polite = start(tmp_path, STUBBORN, "stubborn"), start(tmp_path, WAITS, "polite")
    stop_together([stubborn, polite], deadline_s=0.3)
    assert stubborn.process.returncode == -signal.SIGKILL
    assert not polite.running
