"""How long a stranger waits: from `make demo` in a fresh clone, with empty caches, to the first sample on the page."""

import os
import signal
import subprocess
import tempfile
import time
from pathlib import Path

from sqal.demo.plan import free_port
from tests.kit.page import open_live_page

REPOSITORY = Path(__file__).parents[1]
TIMEOUT_S = 600.0


def measure() -> float:
    """Seconds until a card of the page shows a sample. Raises AssertionError when it takes too long."""
    with tempfile.TemporaryDirectory() as folder:
        clone = Path(folder) / "sqal"
        subprocess.run(["git", "clone", "-q", str(REPOSITORY), str(clone)], check=True)
        environment = os.environ | {
            "UV_CACHE_DIR": f"{folder}/uv",
            "PIP_NO_CACHE_DIR": "1",
            "npm_config_cache": f"{folder}/npm",
        }
        port = free_port()
        began = time.monotonic()
        demo = subprocess.Popen(
            ["make", "demo", f"ARGS=--port {port}"],
            cwd=clone,
            env=environment,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            start_new_session=True,
        )
        try:
            assert demo.stdout is not None
            for line in demo.stdout:
                if "waiting for the first graded piece" in line:
                    break
                assert time.monotonic() - began < TIMEOUT_S, "make demo does not come up"
            with open_live_page(f"http://localhost:{port}") as live:
                live.sample_id("ESP32_LL_01", timeout_s=60)
                return time.monotonic() - began
        finally:
            os.killpg(demo.pid, signal.SIGINT)
            demo.communicate(timeout=30)
