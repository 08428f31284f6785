"""The MQTT broker of the demo and the tests: Mosquitto where it is installed, else the `iotcore` wheel.

Mosquitto gets a generated run file: the limits of `broker/conf.d`, one loopback listener, anonymous clients. That
openness is for a demo on 127.0.0.1 only; production runs `broker/mosquitto.conf`.

iotcore (rumqttd inside a wheel) needs no installation but keeps everything in memory: what it holds is gone when it
ends. Good enough to see the line work, never for production.
"""

import importlib.util
import os
import shutil
import signal
import socket
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from sqal.parts.child import Child, PartError, dies_with_us, spawn
from sqal.resources import resource_path

Kind = Literal["auto", "mosquitto", "iotcore"]

START_TIMEOUT_S = 20.0  # Mosquitto reads its whole store first: a gigabyte of backlog takes seconds
CONNECTIONS_MAX = 10_000  # as many as production allows
SYSTEM_FOLDERS = ("/usr/sbin", "/usr/local/sbin", "/opt/homebrew/sbin")  # not on the PATH of an ordinary user
MOSQUITTO_RUNS = "running"  # "mosquitto version 2.0.11 running": said after every listener is bound
STORE_DAMAGED = "Unable to restore persistent database"
IOTCORE_PORT_IS_OURS = "iotcore: port is free"
INSTALL = "apt-get install mosquitto, or pip install 'sqal[demo]' for a broker without installation"
TAKEN = "port {port} is taken by another program: stop it or choose another port for the broker"
TROUBLE = {
    "Address already in use": TAKEN,
    "in use": TAKEN,
    "No space left on device": "the disk that holds {directory} is full: free some space and start again",
    "Unable to write": "the broker may not write {directory}: check the permissions of the folder",
}

IOTCORE_TOML = """\
id = 0

[router]
id = 0
max_connections = {connections}
max_outgoing_packet_count = 1000
max_segment_size = 104857600
max_segment_count = 10

[v5.1]
name = "sqal"
listen = "127.0.0.1:{port}"
next_connection_delay_ms = 0

[v5.1.connections]
connection_timeout_ms = 10000
max_payload_size = 1048576
max_inflight_count = 500
dynamic_filters = true
"""


@dataclass(frozen=True, slots=True)
class RunningBroker:
    """A broker that is ours, listening on 127.0.0.1:`port`; started again by `start_broker` on the same directory."""

    port: int
    kind: Literal["mosquitto", "iotcore"]
    child: Child
    damaged_store: Path | None = None  # where a store went that Mosquitto could not read: its backlog is not delivered

    def stop(self) -> None:
        """End it cleanly (SIGTERM): Mosquitto writes its store first. Safe to repeat."""
        self.child.stop()

    def kill(self) -> None:
        """Kill it without warning: Mosquitto forgets what it took since its last save. Safe to repeat."""
        self.child.kill()


def start_broker(*, port: int, directory: Path, kind: Kind = "auto", extra_conf: str = "") -> RunningBroker:
    """Start a broker on 127.0.0.1:`port` with its files in `directory` and return once it accepts connections.

    Call it from the main thread. `extra_conf` are lines for Mosquitto's run file, under the listener; later lines win.
    Raises PartError: nothing to start, port taken, disk full, damaged store, or the broker's own last line.
    """
    directory = directory.resolve()
    try:
        directory.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise PartError(f"the broker's folder {directory} cannot be made: {error.strerror}") from error
    mosquitto = None if kind == "iotcore" else find_mosquitto()
    if mosquitto is not None:
        return _start_mosquitto(mosquitto, port, directory, extra_conf)
    if kind == "mosquitto":
        raise PartError("Mosquitto is not installed: apt-get install mosquitto")
    if importlib.util.find_spec("iotcore") is None:
        raise PartError(f"there is no MQTT broker to start: {INSTALL}")
    if extra_conf:
        raise PartError("only Mosquitto takes extra configuration: apt-get install mosquitto")
    return _start_iotcore(port, directory)


def find_mosquitto() -> Path | None:
    """Return Mosquitto's program, from PATH or the system folders that PATH often lacks, else None."""
    path = os.pathsep.join([os.environ.get("PATH", ""), *SYSTEM_FOLDERS])
    found = shutil.which("mosquitto", path=path)
    return Path(found) if found else None


def run_file(*, port: int, directory: Path, extra_conf: str = "") -> str:
    """Return Mosquitto's configuration for a loopback broker: shared limits, own listener, anonymous clients."""
    return "\n".join(
        [
            "# Generated at every start; edits are lost. Anonymous clients are for loopback only.",
            f"include_dir {resource_path('broker') / 'conf.d'}",
            # Started by root it would drop to another user, fail to write its store and say so in one line only.
            # For any other user the line has no effect.
            "user root",
            f"persistence_location {directory}/",
            "log_dest stderr",
            f"listener {port} 127.0.0.1",
            f"max_connections {CONNECTIONS_MAX}",
            "allow_anonymous true",
            "allow_zero_length_clientid true",  # mosquitto_sub and most explorers come without an id
            extra_conf,
            "",
        ]
    )


def _start_mosquitto(program: Path, port: int, directory: Path, extra_conf: str) -> RunningBroker:
    configuration = directory / "run.conf"
    configuration.write_text(run_file(port=port, directory=directory, extra_conf=extra_conf))
    command = [*dies_with_us("TERM"), program, "-c", configuration]
    damaged: Path | None = None
    while True:
        child = spawn("mosquitto", command, log=directory / "mosquitto.log", stop_signal=signal.SIGTERM)
        try:
            _wait(child, port, directory, MOSQUITTO_RUNS)
        except PartError:
            if damaged is not None or STORE_DAMAGED not in child.last_words():
                raise
            damaged = _set_aside(directory / "mosquitto.db")
            continue
        return RunningBroker(port=port, kind="mosquitto", child=child, damaged_store=damaged)


def _set_aside(store: Path) -> Path:
    """Keep a store that Mosquitto refuses under another name: a broker that never starts again helps nobody."""
    number = 1
    while (aside := store.with_name(f"{store.name}.damaged-{number}")).exists():
        number += 1
    return store.rename(aside)


def _start_iotcore(port: int, directory: Path) -> RunningBroker:
    configuration = directory / "iotcore.toml"
    configuration.write_text(IOTCORE_TOML.format(port=port, connections=CONNECTIONS_MAX))
    command = [*dies_with_us("TERM"), sys.executable, "-m", "sqal.parts.iotcore_child", configuration]
    child = spawn("iotcore", command, log=directory / "iotcore.log", stop_signal=signal.SIGTERM)
    _wait(child, port, directory, IOTCORE_PORT_IS_OURS)
    return RunningBroker(port=port, kind="iotcore", child=child)


def _wait(child: Child, port: int, directory: Path, word: str) -> None:
    """Wait until the log says that the port is the child's and the port answers.

    The answer alone would also come from a stranger who holds our port.
    """
    try:
        child.wait_ready(lambda: word in child.last_words() and _answers(port), timeout_s=START_TIMEOUT_S)
    except PartError as error:
        words = child.last_words()
        for sign, sentence in TROUBLE.items():
            if sign in words:
                raise PartError(sentence.format(port=port, directory=directory)) from error
        raise


def _answers(port: int) -> bool:
    try:
        socket.create_connection(("127.0.0.1", port), timeout=1.0).close()
    except OSError:
        return False
    return True
