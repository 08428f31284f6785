"""What a Raspberry Pi installs: wheels only, for every dependency of the `edge` extra, and nothing of the server.

Needs a package index, as the set-up of the tests itself does; without one this fails and says so, it is not skipped.
"""

import re
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
UV = Path(sys.executable).with_name("uv")
SERVER_ONLY = {"psycopg", "psycopg-binary", "psycopg-pool", "litestar", "uvicorn", "websockets", "cryptography"}
COMPILERS = {"cffi", "cython", "meson", "meson-python", "scikit-build-core", "maturin", "setuptools-rust", "ninja"}


def declared() -> list[str]:
    """What pyproject.toml asks for on the edge."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    return [*project["dependencies"], *project["optional-dependencies"]["edge"]]


@pytest.mark.parametrize("python", ["3.11", "3.12", "3.13"])
def test_a_pi_needs_no_compiler_and_gets_no_server(python: str, tmp_path: Path):
    """Goal: 64-bit Raspberry Pi OS resolves to wheels alone, under every Python it ships, at the locked versions."""
    wanted = tmp_path / "edge.in"
    wanted.write_text("\n".join(declared()) + "\n")
    command = [
        str(UV), "pip", "compile", "--quiet", "--no-header", "--no-annotate", "--no-emit-index-url",
        "--only-binary", ":all:", "--python-platform", "aarch64-manylinux_2_28", "--python-version", python,
        "--constraint", str(ROOT / "requirements" / "demo.txt"), str(wanted),
    ]  # fmt: skip
    done = subprocess.run(command, capture_output=True, text=True, cwd=tmp_path, check=False, timeout=100)
    assert done.returncode == 0, f"no package index, or no wheel for aarch64 and Python {python}:\n{done.stderr}"
    names = set(re.findall(r"^([a-z0-9._-]+)==", done.stdout, re.MULTILINE))
    assert {"numpy", "paho-mqtt", "smbus2", "msgspec", "structlog", "click"} <= names
    assert not names & SERVER_ONLY
    assert not names & COMPILERS
    assert len(names) <= 15, f"the edge grew: {sorted(names)}"


def test_the_resolver_refuses_what_has_no_wheel(tmp_path: Path):
    """Goal: the check above can fail. A package that only comes as source is refused on the same terms."""
    wanted = tmp_path / "edge.in"
    wanted.write_text("RPi.GPIO==0.7.1\n")
    command = [
        str(UV), "pip", "compile", "--quiet", "--only-binary", ":all:", "--python-platform", "aarch64-manylinux_2_28",
        "--python-version", "3.13", str(wanted),
    ]  # fmt: skip
    done = subprocess.run(command, capture_output=True, text=True, cwd=tmp_path, check=False, timeout=100)
    assert done.returncode != 0
