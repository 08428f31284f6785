"""`sqal cloud serve` as a process: it starts, says in a sentence why it does not, and stops in time."""

import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager

import httpx
import pytest
import websockets.sync.client

from cloud.app import ServeError, run_serve
from cloud.settings import ApiSettings, Settings
from cloud.store.queries import Queries
from sqal.resources import resource_path
from tests.kit.ports import free_port


@contextmanager
def serve(*options: str, **environment: str) -> Iterator[subprocess.Popen[str]]:
    """The server with neither database nor broker, ended at the end."""
    own = {key: text for key, text in os.environ.items() if not key.startswith(("SQAL_", "DATABASE_URL"))}
    own |= {
        "SQAL_DATABASE_URL": "postgresql://postgres@127.0.0.1:1/x",
        "SQAL_BROKER_PORT": "1",
        "SQAL_API_DEMO": "true",
        **environment,
    }
    command = [sys.executable, "-m", "sqal", "cloud", "serve", *options]
    process = subprocess.Popen(command, env=own, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    try:
        yield process
    finally:
        process.kill()
        process.communicate()


def wait_until_served(port: int) -> None:
    client = httpx.Client(base_url=f"http://localhost:{port}", transport=httpx.HTTPTransport(retries=8), timeout=20)
    with client:
        assert client.get("/docs").status_code == 200


@pytest.mark.parametrize("host", ["0.0.0.0", "192.0.2.1", "::", "example.com"])  # noqa: S104  # that is refused
@pytest.mark.parametrize(("demo", "words"), [(True, "api.demo lets in whoever"), (False, "api.hosts is empty")])
def test_strangers_are_not_served_by_mistake(host: str, demo: bool, words: str) -> None:
    settings = Settings(api=ApiSettings(host=host, demo=demo))
    with pytest.raises(ServeError, match=words):
        run_serve(settings, Queries(resource_path("sql") / "queries"))


def test_a_taken_port_is_a_sentence() -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        with serve("--port", str(port)) as process:
            _, complaint = process.communicate(timeout=30)
    assert process.returncode == 1
    assert f"Error: cannot listen on 127.0.0.1:{port}: it is taken by another program" in complaint
    assert "Traceback" not in complaint


def test_a_wrong_setting_is_named() -> None:
    with serve(SQAL_API_PROT="8000") as process:
        _, complaint = process.communicate(timeout=30)
    assert process.returncode == 1
    assert "SQAL_API_PROT" in complaint


@pytest.mark.parametrize("stop_signal", [signal.SIGINT, signal.SIGTERM])
def test_it_stops_in_time_with_viewers_connected(stop_signal: signal.Signals) -> None:
    port = free_port()
    with serve("--port", str(port)) as process:
        wait_until_served(port)
        with websockets.sync.client.connect(f"ws://localhost:{port}/ws/realtime/") as viewer:
            assert "connection_established" in str(viewer.recv())
            asked_at = time.monotonic()
            process.send_signal(stop_signal)
            _, complaint = process.communicate(timeout=30)
            assert time.monotonic() - asked_at < 5
    assert "Traceback" not in complaint, complaint
