"""A large spool is looked through while the agent works: reading a gigabyte takes longer than a start may.

Rows have checksums of their own; what only SQLite's check finds is a tree that leads astray. The check has a connection
that only reads. What it finds is written beside the file, so that the next start sets the file aside at once and takes
over what is left of it; and this agent ends, because a file that leads astray is not to be written to.
"""

import sqlite3
import threading
from collections.abc import Callable
from contextlib import closing, suppress
from pathlib import Path

import structlog

from edge.files import durable_text
from edge.spool_errors import SpoolClosedError, SpoolDamagedError

SUSPECT_NAME = "spool.suspect"  # holds what is wrong with the file beside it
AT_ONCE_BYTES = 32 << 20  # read within a second even from an SD card
log = structlog.get_logger("checking")


class BackgroundCheck:
    """One look through the file at `path` in a thread of its own. ask: runs a question in the spool's thread, which
    ends with what the question raises."""

    def __init__(self, path: Path, ask: Callable[[Callable[[], None]], object]) -> None:
        self._path = path
        self._ask = ask
        self._damage: SpoolDamagedError | None = None
        self._connection: sqlite3.Connection | None = None
        self.thread = threading.Thread(target=self._run, name="spool.check", daemon=True)

    def stop(self) -> None:
        """End it: the next start begins again."""
        with suppress(sqlite3.ProgrammingError):  # it has just ended by itself
            if self._connection is not None:
                self._connection.interrupt()

    def _run(self) -> None:
        uri = f"{self._path.absolute().as_uri()}?mode=ro"
        try:
            with closing(sqlite3.connect(uri, uri=True, check_same_thread=False)) as connection:
                self._connection = connection
                verdict = str(connection.execute("PRAGMA quick_check(1)").fetchone()[0])
        except sqlite3.OperationalError as error:
            log.info("checking.given_up", reason=str(error))
            return
        except sqlite3.DatabaseError as error:
            verdict = str(error)
        if verdict == "ok":
            log.info("checking.done", file=self._path.name)
            return
        self._damage = SpoolDamagedError(self._path, verdict)
        with suppress(SpoolClosedError):
            self._ask(self._end)

    def _end(self) -> None:
        assert self._damage is not None
        raise self._damage


def suspect(damage: SpoolDamagedError) -> None:
    """Remember for the next start what is wrong, where the disk allows it; without that the next start looks anew."""
    with suppress(OSError):
        durable_text(damage.path.with_name(SUSPECT_NAME), damage.reason)


def suspicion(path: Path) -> str | None:
    """What an earlier look found wrong with the spool at `path`."""
    told = path.with_name(SUSPECT_NAME)
    return told.read_text(errors="replace") if told.exists() else None
