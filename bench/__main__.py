"""`python -m bench NAME [--json] [--quick] [--write]`; `--write` puts the table into docs/benchmarks.md."""

import argparse
import importlib
import platform
import sys
from datetime import UTC, datetime
from pathlib import Path

import structlog

from bench.figures import Figure, as_json, as_table

NAMES = ("accuracy", "line", "sensors", "ingest", "relay", "api", "edge", "edge_start", "ledger", "queries", "page")
LARGE = ("queries_large",)  # take a quarter of an hour and more: `all` leaves them out
PAGE = Path(__file__).parents[1] / "docs" / "benchmarks.md"
HEAD = """# Measured figures

Written by `make bench` (or `python -m bench NAME --write` for one section). Two shared cores: medians and ratios
carry over, absolute speeds do not. A target that is missed says so.
"""


def main() -> int:
    """Run one bench or all of them."""
    parser = argparse.ArgumentParser(prog="python -m bench", description=__doc__)
    parser.add_argument("name", choices=[*NAMES, *LARGE, "all"])
    parser.add_argument("--json", action="store_true", help="print one JSON object instead of a table")
    parser.add_argument("--write", action="store_true", help="put the table into docs/benchmarks.md")
    parser.add_argument("--quick", action="store_true", help="fewer repetitions: to see that it runs, not to quote")
    options = parser.parse_args()
    structlog.configure(logger_factory=structlog.PrintLoggerFactory(sys.stderr))  # standard output is for figures
    chosen = NAMES if options.name == "all" else (options.name,)
    found: dict[str, list[Figure]] = {
        name: importlib.import_module(f"bench.{name}").run(options.quick) for name in chosen
    }
    everything = [figure for figures in found.values() for figure in figures]
    print(as_json(everything) if options.json else "\n\n".join(as_table(figures) for figures in found.values()))
    if options.write and not options.quick:
        old = PAGE.read_text() if PAGE.exists() else ""
        PAGE.write_text(page(old, found))
    return 0


def page(old: str, found: dict[str, list[Figure]]) -> str:
    """docs/benchmarks.md: `old` with the sections of `found` in place of its own, in the order of NAMES."""
    kept = {section.partition("\n")[0].strip(): section for section in old.split("\n## ")[1:]}
    where = f"{platform.system()} {platform.machine()}, {datetime.now(UTC):%Y-%m-%d}"
    for name, figures in found.items():
        kept[name] = f"{name}\n\n`python -m bench {name}` on {where}\n\n{as_table(figures)}\n"
    return "\n## ".join([HEAD, *(kept[name].rstrip("\n") + "\n" for name in (*NAMES, *LARGE) if name in kept)])


if __name__ == "__main__":
    sys.exit(main())
