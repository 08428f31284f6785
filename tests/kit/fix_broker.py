"""Real Mosquitto brokers for tests, one per test, killed and restarted at will on the same port and data.

A machine without Mosquitto fails these tests with what to install; nothing is skipped.
"""

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from sqal.parts.broker import RunningBroker, start_broker
from tests.kit.ports import free_port


class OwnBroker:
    """A Mosquitto that belongs to one test."""

    host = "127.0.0.1"

    def __init__(self, directory: Path, port: int, extra_conf: str) -> None:
        self.directory = directory
        self.port = port
        self.extra_conf = extra_conf
        self.running: RunningBroker | None = None

    def start(self) -> None:
        self.running = start_broker(
            port=self.port, directory=self.directory, kind="mosquitto", extra_conf=self.extra_conf
        )

    def kill(self) -> None:
        """SIGKILL: what it took since its last save is gone."""
        assert self.running is not None
        self.running.kill()

    def stop(self) -> None:
        """SIGTERM: it writes its store."""
        if self.running is not None:
            self.running.stop()

    def restart(self) -> None:
        self.stop()
        self.start()

    @property
    def log(self) -> str:
        return (self.directory / "mosquitto.log").read_text()


@pytest.fixture
def new_mosquitto(tmp_path: Path) -> Iterator[Callable[..., OwnBroker]]:
    """Start brokers: `new_mosquitto()` or `new_mosquitto("acl_file …")`; ended after the test."""
    made: list[OwnBroker] = []

    def start(extra_conf: str = "") -> OwnBroker:
        broker = OwnBroker(tmp_path / f"mosquitto{len(made)}", free_port(), extra_conf)
        made.append(broker)
        broker.start()
        return broker

    yield start
    for broker in made:
        if broker.running is not None:
            broker.kill()


@pytest.fixture
def mosquitto(new_mosquitto: Callable[..., OwnBroker]) -> OwnBroker:
    """One started broker with the shared limits and anonymous clients."""
    return new_mosquitto()
