"""A PostgreSQL with TimescaleDB, as WebAssembly under Node: for behaviour, not for speed."""

import fcntl
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from sqal.parts.child import dies_with_us

FOLDER = Path(__file__).resolve().parents[1] / "timescale"
INSTALL_TIMEOUT_S = 120


def _installed() -> None:
    """Install what package-lock.json says, once; two test runs at a time wait for each other."""
    with (FOLDER / "package.json").open() as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if (FOLDER / "node_modules" / "@unni-craftsman" / "pglite").is_dir():
            return
        npm = shutil.which("npm")
        assert npm is not None, "npm is needed for these tests: install Node.js 20 or newer"
        subprocess.run([npm, "ci", "--silent"], cwd=FOLDER, check=True, timeout=INSTALL_TIMEOUT_S)


@pytest.fixture
def timescale() -> Iterator[str]:
    """The connection string of a fresh server with the extension made; gone after the test."""
    _installed()
    node = shutil.which("node")
    assert node is not None, "node is needed for these tests: install Node.js 20 or newer"
    with subprocess.Popen(
        [*dies_with_us("KILL"), node, "server.mjs", "0"], cwd=FOLDER, stdin=subprocess.PIPE, stdout=subprocess.PIPE
    ) as server:
        assert server.stdout is not None
        word, port = server.stdout.readline().split()
        assert word == b"ready"
        yield f"postgresql://postgres@127.0.0.1:{int(port)}/postgres?sslmode=disable"
        server.kill()
