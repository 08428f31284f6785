"""The wheel, away from the repository: everything that must travel in it does.

Method: build it, install it with the locked packages into an environment of its own, and run migrations, ingest and
server from there, in an empty folder. A sample published over MQTT must come back by REST, and the page must be served.
"""

import json
import os
import signal
import subprocess
import sys
import time
import urllib.error
import urllib.request
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from contract.topics import device_topic
from sqal.parts.child import Child, dies_with_us, spawn
from tests.kit.fix_broker import OwnBroker
from tests.kit.fix_database import Database
from tests.kit.ports import free_port

REPOSITORY = Path(__file__).parents[2]
WAIT_S = 60.0


def built(folder: Path) -> Path:
    command = [sys.executable, "-m", "hatchling", "build", "-t", "wheel", "-d", str(folder)]
    subprocess.run(command, cwd=REPOSITORY, check=True, capture_output=True)
    (wheel,) = folder.glob("*.whl")
    return wheel


def installed(folder: Path, wheel: Path) -> Path:
    """An environment with the wheel and the locked packages; the path of its Python."""
    uv = str(Path(sys.executable).with_name("uv"))
    subprocess.run([uv, "venv", "-q", "-p", sys.executable, str(folder)], check=True)
    python = folder / "bin" / "python"
    lock = REPOSITORY / "requirements" / "demo.txt"
    subprocess.run([uv, "pip", "sync", "-q", "--require-hashes", "-p", str(python), str(lock)], check=True)
    subprocess.run([uv, "pip", "install", "-q", "--no-deps", "-p", str(python), str(wheel)], check=True)
    return python


def get(url: str) -> bytes | None:
    try:
        with urllib.request.urlopen(url, timeout=5) as answer:  # noqa: S310  # our own server on loopback
            return answer.read()
    except (urllib.error.URLError, OSError):
        return None


def wait_for(question: Callable[[], Any], what: str, *children: Child) -> Any:
    deadline = time.monotonic() + WAIT_S
    while not (answer := question()):
        for child in children:
            assert child.running, child.last_words()
        assert time.monotonic() < deadline, f"no {what}; {[child.last_words() for child in children]}"
        time.sleep(0.1)  # a process of the wheel has no other way to tell us that it is up
    return answer


@pytest.mark.timeout(240)
def test_the_wheel_runs_the_cloud_outside_the_repository(tmp_path: Path, database: Database, mosquitto: OwnBroker):
    wheel = built(tmp_path / "dist")
    names = zipfile.ZipFile(wheel).namelist()
    assert any(name.startswith("sqal/_data/sql/migrations/") for name in names)
    assert "sqal/_data/broker/mosquitto.conf" in names
    assert "cloud/static/index.html" in names
    assert not [name for name in names if name.startswith(("tests/", "bench/", "dashboard/"))]

    python = installed(tmp_path / "environment", wheel)
    port = free_port()
    environment = {key: value for key, value in os.environ.items() if not key.startswith(("SQAL_", "PYTHON"))}
    environment |= {
        "DATABASE_URL": database.dsn,
        "SQAL_BROKER_PORT": str(mosquitto.port),
        "SQAL_API_PORT": str(port),
        "SQAL_API_DEMO": "true",  # nobody has logged in: open on loopback, as the demo is
    }
    where = subprocess.run(
        [python, "-c", "import sqal, contract; print(sqal.__file__, contract.__file__)"],
        cwd=tmp_path,
        env=environment,
        check=True,
        capture_output=True,
        text=True,
    ).stdout
    assert str(REPOSITORY) + os.sep not in where.replace(str(tmp_path), "")
    subprocess.run([python, "-m", "sqal", "db", "migrate"], cwd=tmp_path, env=environment, check=True)

    def start(*words: str) -> Child:
        command = [*dies_with_us("TERM"), python, "-m", "sqal", *words]
        log = tmp_path / f"{words[-1]}.log"
        return spawn(words[-1], command, log=log, stop_signal=signal.SIGTERM, environment=environment)

    ingest, serve = start("cloud", "ingest"), start("cloud", "serve")
    try:
        base = f"http://127.0.0.1:{port}"
        health = wait_for(lambda: get(f"{base}/api/sqal/health"), "server", ingest, serve)
        assert json.loads(health)["database_connected"]
        assert b"<!doctype html>" in (get(f"{base}/") or b"").lower()[:200]
        sample = (REPOSITORY / "contract" / "golden" / "sample-mission.v1.json").read_text()
        topic = device_topic("LL", "line1", "ESP32_LL_01", "sample")
        flat = json.dumps(json.loads(sample))
        publish = [
            "mosquitto_pub",
            "-V",
            "5",
            "-i",
            "wheel-test",
            "-p",
            str(mosquitto.port),
            "-q",
            "1",
            "-t",
            topic,
            "-m",
            flat,
        ]

        def stored() -> bytes | None:
            subprocess.run(
                publish, check=True
            )  # again and again until ingest has subscribed: it is one row all the same
            return get(f"{base}/api/sqal/samples/test-001")

        row = json.loads(wait_for(stored, "sample", ingest, serve))
        assert row["fusion_final_grade"] == "A"
    finally:
        for child in (serve, ingest):
            child.stop()
