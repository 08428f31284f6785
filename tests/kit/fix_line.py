"""A whole line for tests: every process of the demo on free loopback ports, and what each part swears happened.

`line_at` makes lines; each is taken down after the test. Lines start their processes from the main thread, so these
fixtures are synchronous and a test that needs asyncio runs it inside.
"""

import itertools
import sqlite3
import time
import uuid
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import ExitStack, closing, contextmanager
from dataclasses import dataclass
from pathlib import Path

import psycopg
import pytest

from sqal.demo.line import Line
from sqal.demo.plan import Plan, free_port

Number = tuple[str, uuid.UUID, int]  # device, boot, seq
_numbers = itertools.count(1)
WAIT_S = 60.0
LOOK_S = 0.1

STORED = """
SELECT device_id, boot_id, seq FROM sqal_sensor_samples WHERE boot_id IS NOT NULL
UNION ALL SELECT device_id, boot_id, seq FROM sqal_events"""
GAPS = "SELECT device_id, boot_id, first_seq, last_seq FROM sqal_gaps"


@dataclass(frozen=True, slots=True)
class Account:
    """What the database holds: every number once for each row that carries it, and the numbers that gaps name."""

    rows: list[Number]
    gaps: list[Number]

    def twice(self) -> list[Number]:
        """Numbers that more than one row carries."""
        return [number for number, times in Counter(self.rows).items() if times > 1]

    def missing(self, spooled: set[Number]) -> set[Number]:
        """What was spooled, or lies below the highest number of its boot, and is neither row nor gap."""
        told = set(self.rows) | set(self.gaps)
        highest: dict[tuple[str, uuid.UUID], int] = {}
        for device, boot, seq in told | spooled:
            highest[device, boot] = max(seq, highest.get((device, boot), 0))
        return {(device, boot, seq) for (device, boot), top in highest.items() for seq in range(1, top + 1)} - told


class LineUnderTest:
    """A running line and ways to look at it; everything that waits has a bound and tends the line meanwhile."""

    def __init__(self, line: Line) -> None:
        self.line = line

    def wait(self, reached: Callable[[], bool], what: str, *, timeout_s: float = WAIT_S) -> None:
        """Tend the line until `reached()`; fail with `what` after `timeout_s`."""
        deadline = time.monotonic() + timeout_s
        while not reached():
            assert time.monotonic() < deadline, f"{what} within {timeout_s:.0f} s; logs in {self.line.plan.data}"
            self.line.supervisor.tend()
            time.sleep(LOOK_S)  # between two looks at processes that have no other way to tell us

    def kill(self, part: str) -> None:
        """SIGKILL a part; the supervisor starts it again while the test waits for something."""
        self.line.supervisor.child(part).kill()

    def account(self) -> Account:
        """Everything stored, from the database itself."""
        with psycopg.connect(self.line.dsn) as connection:
            rows = [(str(device), boot, seq) for device, boot, seq in connection.execute(STORED)]
            gaps = [
                (str(device), boot, seq)
                for device, boot, first, last in connection.execute(GAPS)
                for seq in range(first, last + 1)
            ]
        return Account(rows, gaps)

    def count(self) -> int:
        """Rows stored by now; -1 while the database does not answer."""
        try:
            return len(self.account().rows)
        except psycopg.OperationalError:
            return -1

    def grades(self) -> set[str]:
        """The grades given so far."""
        with psycopg.connect(self.line.dsn) as connection:
            return {str(grade) for (grade,) in connection.execute("SELECT fusion_final_grade FROM sqal_sensor_samples")}

    def alerts(self) -> int:
        """Occurrences of alerts so far."""
        with psycopg.connect(self.line.dsn) as connection:
            row = connection.execute("SELECT count(*) FROM sqal_alerts").fetchone()
        return int(row[0]) if row else 0

    def spooled(self) -> set[Number]:
        """What the devices' spools hold now, read beside their writers."""
        return {number for site in self.line.plan.all_sites() for number in self._spool(site.device)}

    def _spool(self, device: str) -> Iterator[Number]:
        path = self.line.plan.data / "edge" / device / "spool.db"
        with closing(sqlite3.connect(f"{path.as_uri()}?mode=ro", uri=True)) as connection:
            boots = {
                number: uuid.UUID(bytes=raw) for number, raw in connection.execute("SELECT number, boot_id FROM boots")
            }
            for (position,) in connection.execute("SELECT position FROM rows"):
                number, seq = divmod(position, 1 << 40)
                yield device, boots[number], seq


@pytest.fixture
def line_at(tmp_path: Path) -> Iterator[Callable[..., LineUnderTest]]:
    """Make lines: `line_at(sites=3, speed=1.0)` returns one that is up."""
    with ExitStack() as lines:

        def make(*, sites: int = 3, speed: float = 1.0) -> LineUnderTest:
            return lines.enter_context(_running(tmp_path / f"line{next(_numbers)}", sites=sites, speed=speed))

        yield make


@pytest.fixture(scope="module")
def shared_line(tmp_path_factory: pytest.TempPathFactory) -> Iterator[LineUnderTest]:
    """A line at double speed with its first rows stored, for all tests of a module."""
    with _running(tmp_path_factory.mktemp("line"), sites=3, speed=2.0) as under:
        under.wait(lambda: under.count() > 10, "the first rows")
        yield under


@contextmanager
def _running(data: Path, *, sites: int, speed: float) -> Iterator[LineUnderTest]:
    line = Line(Plan(data=data, port=free_port(), sites=sites, speed=speed), quick=True)
    line.start()
    try:
        yield LineUnderTest(line)
    finally:
        line.stop()
