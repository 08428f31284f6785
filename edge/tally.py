"""How much a spool holds, counted in steps: a gigabyte on an SD card takes longer to read than a start may last.

Until the count has come to its end `rows` and `bytes` say too little, so that nothing is dropped for want of room that
there may be; what arrives meanwhile is counted as it is written.

Rows that say that they have no time yet are proved on the way: they are not read before they get one, and a damaged one
that only seems to wait for it would wait for ever.
"""

import sqlite3
import time
from collections.abc import Iterable
from pathlib import Path

from edge.packing import checksum
from edge.spool_errors import SpoolDamagedError

ROW_OVERHEAD_BYTES = 64  # columns, cell and page headers of a row, counted into the bound
STEP_ROWS = 2_000  # 2 MB: 50 ms of an SD card, in which a commit may have to wait
STEP = """
SELECT position, kind, stamped, monotonic_ns, crc, length(body), CASE stamped WHEN 1 THEN NULL ELSE body END FROM rows
WHERE position > ? AND position <= ? ORDER BY position LIMIT ?"""
NEWEST = "SELECT coalesce(max(position), 0) FROM rows"


class Tally:
    """rows, bytes: what is known to be held. Positions from the newest at the beginning are counted on arrival."""

    def __init__(self, connection: sqlite3.Connection, path: Path) -> None:
        self._path = path
        self.rows = self.bytes = 0
        self._at = 0  # counted as far as this position
        (self._until,) = connection.execute(NEWEST).fetchone()

    @property
    def is_done(self) -> bool:
        """Whether everything has been counted."""
        return self._at >= self._until

    def go_on(self, connection: sqlite3.Connection, *, seconds: float = 0.0) -> None:
        """Count one step, and further ones while `seconds` have not passed. Raises sqlite3.Error, SpoolDamagedError."""
        until_s = time.monotonic() + seconds
        while not self.is_done:
            found = connection.execute(STEP, (self._at, self._until, STEP_ROWS)).fetchall()
            self.rows += len(found)
            for position, kind, stamped, monotonic_ns, crc, length, body in found:
                self.bytes += int(length) + ROW_OVERHEAD_BYTES
                if stamped != 1 and checksum(position, kind, stamped, monotonic_ns, body) != crc:
                    raise SpoolDamagedError(self._path, f"position {position} has no time and fails its checksum")
            self._at = found[-1][0] if len(found) == STEP_ROWS else self._until
            if time.monotonic() >= until_s:
                return

    def add(self, written: Iterable[tuple[int, int]]) -> None:
        """Rows (position, bytes of the body) that are there now."""
        lengths = [length for position, length in written if self._knows(position)]
        self.rows += len(lengths)
        self.bytes += sum(lengths) + ROW_OVERHEAD_BYTES * len(lengths)

    def remove(self, gone: Iterable[tuple[int, int]]) -> None:
        """Rows (position, bytes of the body) that are gone."""
        lengths = [length for position, length in gone if self._knows(position)]
        self.rows -= len(lengths)
        self.bytes -= sum(lengths) + ROW_OVERHEAD_BYTES * len(lengths)

    def _knows(self, position: int) -> bool:
        """Whether a row at `position` is in the count; what lies before the end of the count is still to be met."""
        return position <= self._at or position > self._until
