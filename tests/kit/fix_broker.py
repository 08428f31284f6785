"""Real Mosquitto brokers for tests, one per test, killed and restarted at will on the same port and data.

A machine without Mosquitto fails these tests with what to install; nothing is skipped.
"""

import shutil
import subprocess
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from sqal.parts import PartError
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


@dataclass(frozen=True, slots=True)
class Authority:
    """A throw-away certificate authority with one server certificate for 127.0.0.1."""

    ca: Path
    certificate: Path
    key: Path


@pytest.fixture(scope="session")
def authority(tmp_path_factory: pytest.TempPathFactory) -> Authority:
    """Certificates made by the `openssl` program."""
    if shutil.which("openssl") is None:
        raise PartError("the program openssl is not installed: apt-get install openssl")
    folder = tmp_path_factory.mktemp("authority")

    def make(name: str, *options: str) -> None:
        command = ["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes"]
        files = ["-keyout", str(folder / f"{name}.key"), "-out", str(folder / f"{name}.crt"), "-days", "2"]
        subprocess.run([*command, *files, "-subj", f"/CN={name}", *options], check=True, capture_output=True)

    make("ca", "-addext", "keyUsage=critical,keyCertSign,cRLSign")
    signed_by = ["-CA", str(folder / "ca.crt"), "-CAkey", str(folder / "ca.key")]
    make(
        "server", *signed_by, "-addext", "subjectAltName=IP:127.0.0.1", "-addext", "basicConstraints=critical,CA:FALSE"
    )
    return Authority(ca=folder / "ca.crt", certificate=folder / "server.crt", key=folder / "server.key")
