"""What the dashboard costs a browser: its first load, its first sample, a core and memory while ten devices send.

The page is built and served as in the demo; Chromium runs headless on the same two cores as the line. Main thread is
the browser's own count of task time (`Performance.getMetrics`), heap what is used after a forced collection.
"""

import gzip
import re
import tempfile
import time
from pathlib import Path
from typing import Any, cast

from playwright.sync_api import CDPSession

from bench.figures import Figure
from sqal.demo.line import Line
from sqal.demo.plan import Plan, free_port
from tests.kit.page import LivePage, open_live_page

STATIC = Path(__file__).parents[1] / "cloud" / "static"
SITES, RATE_HZ = 10, 5.0
SECONDS, QUICK_SECONDS = 300.0, 15.0
SETTLE_S = 10.0
READY_S = 120.0
KB = 1_000.0
JS_KB_MAX, FIRST_SAMPLE_S_MAX, MAIN_SHARE_MAX = 300.0, 1.5, 0.30
SLOPE_KB_S_MAX = 5.0  # 1.5 MB in five minutes: within what two collections differ by


def initial_js_kb() -> float:
    """Size of what index.html loads at once, each file gzipped, kB."""
    names = re.findall(r'(?:src|href)="/?(assets/[^"]+\.js)"', (STATIC / "index.html").read_text())
    return sum(len(gzip.compress((STATIC / name).read_bytes())) for name in names) / KB


def run(quick: bool) -> list[Figure]:
    """Measure the page against a line of ten devices at five samples a second each."""
    sites, seconds = (3, QUICK_SECONDS) if quick else (SITES, SECONDS)
    js_kb = initial_js_kb()
    figures = [Figure("initial JS, gzip", js_kb, "kB", "≤ 300", js_kb <= JS_KB_MAX, "what index.html names")]
    with tempfile.TemporaryDirectory() as folder:
        line = Line(Plan(data=Path(folder) / "line", port=free_port(), sites=sites, mode="timed", rate_hz=RATE_HZ))
        line.start()
        try:
            with open_live_page(line.plan.url) as live:
                _tend(line, SETTLE_S)
                figures += _measured(line, live, seconds, f"{sites} devices at {RATE_HZ:g}/s")
        finally:
            line.stop()
    return figures


def _tend(line: Line, seconds: float) -> None:
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        line.supervisor.tend()
        time.sleep(0.2)


def _first_sample_s(live: LivePage) -> float:
    start = time.monotonic()
    live.page.goto(live.url)
    live.page.locator('[data-testid^="sample-id-"]').first.wait_for(timeout=READY_S * 1000)
    return time.monotonic() - start


def _ask(session: CDPSession, method: str) -> dict[str, Any]:
    answer = session.send(method)  # pyright: ignore[reportUnknownMemberType, reportUnknownVariableType] bare dict there
    return cast("dict[str, Any]", answer)


def _task_s(session: CDPSession) -> float:
    metrics = _ask(session, "Performance.getMetrics")["metrics"]
    return next(float(each["value"]) for each in metrics if each["name"] == "TaskDuration")


def _heap_kb(session: CDPSession) -> float:
    _ask(session, "HeapProfiler.collectGarbage")
    return float(_ask(session, "Runtime.getHeapUsage")["usedSize"]) / KB


def _measured(line: Line, live: LivePage, seconds: float, how: str) -> list[Figure]:
    first_s = _first_sample_s(live)
    session = live.page.context.new_cdp_session(live.page)
    _ask(session, "Performance.enable")
    _tend(line, SETTLE_S)  # strips are full and caches warm before anything is compared
    heap_kb, task_s, start = _heap_kb(session), _task_s(session), time.monotonic()
    _tend(line, seconds)
    took_s = time.monotonic() - start
    share = (_task_s(session) - task_s) / took_s
    slope = (_heap_kb(session) - heap_kb) / took_s
    return [
        Figure("first sample visible", first_s, "s", "≤ 1.5", first_s <= FIRST_SAMPLE_S_MAX, "from navigation, " + how),
        Figure("main thread", share, "of a core", "≤ 0.30", share <= MAIN_SHARE_MAX, f"{took_s:.0f} s, {how}"),
        Figure("heap slope", slope, "kB/s", "≤ 5", slope <= SLOPE_KB_S_MAX, f"after collection, {took_s:.0f} s, {how}"),
    ]
