"""Logs that are bounded and still say how often: nothing that happened is silent."""

import io
from collections.abc import Iterator

import pytest
import structlog
from hypothesis import given
from hypothesis import strategies as st
from structlog import DropEvent

from edge.logs import BURST, WINDOW_S, RateLimit, configure_logs


class Clock:
    now_s = 0.0

    def __call__(self) -> float:
        return self.now_s


@pytest.fixture(autouse=True)
def logs_as_before() -> Iterator[None]:
    before = structlog.get_config()
    yield
    structlog.configure(**before)


def test_a_flood_becomes_a_few_lines_and_a_count():
    clock, out = Clock(), io.StringIO()
    limit = configure_logs(clock, out)
    log = structlog.get_logger("sampler")
    for n in range(1000):
        log.warning("sampler.trouble", chip="AS7341", n=n)
    log.info("agent.stopping")
    lines = out.getvalue().splitlines()
    assert len(lines) == BURST + 1
    assert "chip='AS7341'" in lines[0]
    assert "agent.stopping" in lines[-1]
    assert limit.suppressed_total == 1000 - BURST
    clock.now_s = WINDOW_S
    log.warning("sampler.trouble", chip="AS7341")
    assert f"suppressed={1000 - BURST}" in out.getvalue().splitlines()[-1]
    assert limit.left() == {}


def test_what_is_kept_back_at_the_end_is_said():
    clock = Clock()
    limit = configure_logs(clock, io.StringIO())
    for _ in range(BURST + 3):
        structlog.get_logger().warning("uplink.refused")
    assert limit.left() == {"uplink.refused": 3}
    assert limit.left() == {}


def test_an_error_is_not_drowned_by_warnings_of_the_same_name():
    clock = Clock()
    limit = RateLimit(clock, burst=1)
    limit(None, "warning", {"event": "x"})
    with pytest.raises(DropEvent):
        limit(None, "warning", {"event": "x"})
    assert limit(None, "error", {"event": "x"}) == {"event": "x"}


@given(
    lines=st.lists(st.tuples(st.integers(0, 8), st.floats(0, 40)), max_size=200),
    keys_max=st.integers(1, 5),
)
def test_every_line_is_written_or_counted(lines: list[tuple[int, float]], keys_max: int):
    """Goal: written + said as suppressed + still kept back = all, whatever comes when, however little is remembered."""
    clock = Clock()
    limit = RateLimit(clock, burst=2, window_s=30.0, keys_max=keys_max)
    written = said = 0
    for name, pause_s in lines:
        clock.now_s += pause_s
        try:
            event = limit(None, "info", {"event": f"e{name}"})
        except DropEvent:
            continue
        written += 1
        said += event.get("suppressed", 0) + event.get("suppressed_of_others", 0)
    forgotten = limit._forgotten
    assert written + said + forgotten + sum(limit.left().values()) == len(lines)
