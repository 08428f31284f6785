"""`sqal demo` as a person uses it: start, look, stop with Ctrl-C, start again, and the ways it refuses to start."""

import json
import os
import signal
import socket
import subprocess
import sys
import threading
import time
import urllib.request
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from sqal.demo.plan import free_port

READY = "Stop with Ctrl-C."
START_TIMEOUT_S = 60.0
STOP_TIMEOUT_S = 5.0  # what the demo promises


class Demo:
    """A demo in a process of its own, with what it printed."""

    def __init__(self, data: Path, *options: str, port: int) -> None:
        self.port = port
        self.printed = ""
        self._news = threading.Condition()
        command = [sys.executable, "-m", "sqal", "demo", "--data", str(data), "--port", str(port), *options]
        self.process = subprocess.Popen(
            command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, start_new_session=True
        )
        self._reader = threading.Thread(target=self._read, daemon=True)
        self._reader.start()

    def _read(self) -> None:
        assert self.process.stdout is not None
        for line in self.process.stdout:
            with self._news:
                self.printed += line
                self._news.notify_all()
        with self._news:
            self._news.notify_all()

    def wait_for(self, words: str) -> None:
        deadline = time.monotonic() + START_TIMEOUT_S
        with self._news:
            while words not in self.printed:
                assert self.process.poll() is None, f"it ended: {self.printed}"
                assert self._news.wait(deadline - time.monotonic()), f"{words!r} was not printed: {self.printed}"

    def interrupt(self, number: signal.Signals = signal.SIGINT) -> float:
        """Send a signal to its process group, as a terminal does; the seconds until it ended."""
        began = time.monotonic()
        os.killpg(self.process.pid, number)
        self.process.wait(30)
        self._reader.join(5)
        return time.monotonic() - began

    def get(self, path: str) -> Any:
        with urllib.request.urlopen(f"http://localhost:{self.port}{path}", timeout=10) as answer:
            return json.load(answer)


@pytest.fixture
def demo_at() -> Iterator[Callable[..., Demo]]:
    made: list[Demo] = []

    def make(data: Path, *options: str, port: int | None = None) -> Demo:
        made.append(Demo(data, *options, port=port or free_port()))
        return made[-1]

    yield make
    for demo in made:
        if demo.process.poll() is None:
            os.killpg(demo.process.pid, signal.SIGKILL)
        demo.process.wait(30)
        assert demo.process.stdout is not None
        demo._reader.join(5)
        demo.process.stdout.close()


def children_of(data: Path) -> list[str]:
    """Command lines of living processes that name this demo's folder."""
    found: list[str] = []
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit():
            try:
                words = (entry / "cmdline").read_bytes().replace(b"\0", b" ").decode(errors="replace")
            except (FileNotFoundError, ProcessLookupError):
                continue
            if str(data) in words:
                found.append(words)
    return found


@pytest.mark.timeout(240)
def test_it_shows_live_data_stops_at_once_and_starts_again_on_the_same_data(
    tmp_path: Path, demo_at: Callable[..., Demo]
):
    demo = demo_at(tmp_path / "data")
    demo.wait_for(READY)
    assert demo.get("/api/sqal/health")["status"] == "ok"
    first = demo.get("/api/sqal/samples/latest")
    assert first["fusion_final_grade"] in {"A+", "A", "B", "C", "REJECT"}
    refused = demo_at(tmp_path / "data")
    assert refused.process.wait(30) == 1
    refused._reader.join(5)
    assert "a demo already runs on" in refused.printed
    assert "Traceback" not in refused.printed
    assert demo.interrupt() < STOP_TIMEOUT_S + 1
    assert demo.process.returncode == 0
    assert not children_of(tmp_path / "data"), "it left processes behind"

    again = demo_at(tmp_path / "data")
    again.wait_for(READY)
    assert again.get(f"/api/sqal/samples/{first['sample_id']}")["sample_id"] == first["sample_id"]
    assert again.interrupt(signal.SIGTERM) < STOP_TIMEOUT_S + 1
    assert not children_of(tmp_path / "data")


@pytest.mark.timeout(120)
def test_ctrl_c_while_it_starts_leaves_nothing_behind(tmp_path: Path, demo_at: Callable[..., Demo]):
    demo = demo_at(tmp_path / "data")
    demo.wait_for("starting ingest and server")
    assert demo.interrupt() < STOP_TIMEOUT_S + 1
    assert "Traceback" not in demo.printed
    assert not children_of(tmp_path / "data")


@pytest.mark.timeout(120)
def test_the_parts_die_with_a_demo_that_is_killed(tmp_path: Path, demo_at: Callable[..., Demo]):
    demo = demo_at(tmp_path / "data")
    demo.wait_for("waiting for the first graded piece")
    demo.process.kill()
    demo.process.wait(10)
    deadline = time.monotonic() + 15
    while left := children_of(tmp_path / "data"):
        assert time.monotonic() < deadline, left
        time.sleep(0.1)  # processes that are not ours to wait for: only their absence can be looked at


def test_a_taken_port_is_a_sentence(tmp_path: Path, demo_at: Callable[..., Demo]):
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        demo = demo_at(tmp_path / "data", port=taken.getsockname()[1])
        assert demo.process.wait(30) == 1
    demo._reader.join(5)
    assert "is taken by another program" in demo.printed
    assert "Traceback" not in demo.printed


@pytest.mark.parametrize(
    ("option", "value"), [("--sites", "0"), ("--sites", "many"), ("--speed", "-1"), ("--port", "0")]
)
def test_impossible_options_are_refused_by_name(tmp_path: Path, demo_at: Callable[..., Demo], option: str, value: str):
    demo = demo_at(tmp_path / "data", option, value)
    assert demo.process.wait(30) == 2
    demo._reader.join(5)
    assert option in demo.printed
