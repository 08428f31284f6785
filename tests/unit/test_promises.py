"""Every promise names the tests that show it, and every test that is named exists."""

import re
from pathlib import Path

ROOT = Path(__file__).parents[2]
PAGE = ROOT / "docs" / "promises.md"
NAMED = re.compile(r"`(tests/[\w/]+\.py)(?:::(\w+))?`")
PROMISES = ("P1", "P2", "P3", "P4", "P5", "P7", "P8", "P12")


def test_every_test_that_is_named_exists() -> None:
    named = NAMED.findall(PAGE.read_text())
    assert len(named) > 20
    for path, function in named:
        assert (ROOT / path).is_file(), path
        if function:
            assert re.search(rf"^(async )?def {function}\(", (ROOT / path).read_text(), re.MULTILINE), function


def test_every_promise_of_the_edge_is_shown_by_a_test() -> None:
    lines = PAGE.read_text().splitlines()
    for promise in PROMISES:
        shown = [line for line in lines if line.startswith(f"| {promise} |")]
        assert shown, promise
        assert all(NAMED.search(line) for line in shown), promise
