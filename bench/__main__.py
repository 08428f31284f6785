"""`python -m bench NAME [--json] [--quick]`, `python -m bench all` writes docs/benchmarks.md."""

import argparse
import importlib
import platform
import sys
from datetime import UTC, datetime
from pathlib import Path

import structlog

from bench.figures import Figure, as_json, as_table

NAMES = ("line", "sensors", "ingest")
PAGE = Path(__file__).parents[1] / "docs" / "benchmarks.md"
HEAD = """# Measured figures

Written by `make bench` (`python -m bench all`) on {machine}, {day}. Two shared cores: medians and ratios carry over,
absolute speeds do not. A target that is missed says so.
"""


def main() -> int:
    """Run one bench or all of them."""
    parser = argparse.ArgumentParser(prog="python -m bench", description=__doc__)
    parser.add_argument("name", choices=[*NAMES, "all"])
    parser.add_argument("--json", action="store_true", help="print one JSON object instead of a table")
    parser.add_argument("--quick", action="store_true", help="fewer repetitions: to see that it runs, not to quote")
    options = parser.parse_args()
    structlog.configure(logger_factory=structlog.PrintLoggerFactory(sys.stderr))  # standard output is for figures
    chosen = NAMES if options.name == "all" else (options.name,)
    found: dict[str, list[Figure]] = {
        name: importlib.import_module(f"bench.{name}").run(options.quick) for name in chosen
    }
    everything = [figure for figures in found.values() for figure in figures]
    print(as_json(everything) if options.json else "\n\n".join(as_table(figures) for figures in found.values()))
    if options.name == "all" and not options.quick:
        PAGE.write_text(page(found))
    return 0


def page(found: dict[str, list[Figure]]) -> str:
    """docs/benchmarks.md."""
    head = HEAD.format(machine=f"{platform.system()} {platform.machine()}", day=f"{datetime.now(UTC):%Y-%m-%d}")
    parts = [f"## {name}\n\n`python -m bench {name}`\n\n{as_table(figures)}\n" for name, figures in found.items()]
    return "\n".join([head, *parts])


if __name__ == "__main__":
    sys.exit(main())
