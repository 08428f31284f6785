"""What systemd hears, on a socket of our own."""

import os
import socket
from pathlib import Path

import pytest

from edge.notify import Notifier


@pytest.fixture
def heard(tmp_path: Path) -> "socket.socket":
    listener = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
    listener.bind(str(tmp_path / "notify"))
    listener.settimeout(5.0)
    return listener


def test_ready_alive_stopping(heard: "socket.socket", tmp_path: Path) -> None:
    environment = {
        "NOTIFY_SOCKET": str(tmp_path / "notify"), "WATCHDOG_USEC": "30000000", "WATCHDOG_PID": str(os.getpid())
    }  # fmt: skip
    notifier = Notifier(environment)
    assert notifier.watchdog_s == 15.0
    notifier.ready("measuring")
    notifier.alive("3 messages wait")
    notifier.stopping()
    said = [heard.recv(200).decode() for _ in range(3)]
    assert said == ["READY=1\nSTATUS=measuring", "WATCHDOG=1\nSTATUS=3 messages wait", "STOPPING=1"]
    heard.close()


def test_silent_without_systemd_and_when_it_is_gone(tmp_path: Path) -> None:
    assert Notifier({}).watchdog_s is None
    Notifier({}).ready("nobody hears")
    Notifier({"NOTIFY_SOCKET": str(tmp_path / "gone")}).ready("nobody hears")
    assert Notifier({"WATCHDOG_USEC": "1000", "WATCHDOG_PID": "1"}).watchdog_s is None
