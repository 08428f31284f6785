"""The durable queue between measuring and sending: append, peek, trim. One thread owns the file; nobody waits for it.

`append` numbers and stamps a message in the caller's thread, hands it over and returns a future that resolves once the
message would survive a power cut. Messages that arrive within `commit_interval_s` share a transaction; the first one
after a pause is committed at once, so a slow line has short delays and a fast one few writes. A disk that stalls or
refuses delays only the futures: the batch is kept and repeated, what arrives meanwhile queues up to `intake_rows_max`,
and beyond that the oldest waiting sample gives way and a `gap` event takes its number's place.

Space is freed by receipts (`trim`) or by dropping the oldest samples when a bound is reached, again for a gap event:
stored rows and gaps together are everything ever numbered.
"""

import random
import sqlite3
import threading
import uuid
from collections import deque
from collections.abc import Callable, Iterable, Sequence
from concurrent import futures
from concurrent.futures import Future
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

import structlog

from contract.codec import encode
from contract.messages import Gap, SeqRange
from edge import mending
from edge.checking import BackgroundCheck, suspect
from edge.clock import SYNCED, UNSET, EdgeClock
from edge.files import lock
from edge.intake import Intake, Waiting
from edge.reserve import Reserve
from edge.rows import EPOCH, Build, BuildGap, Kind, Row, Span, Stamp, position_of, runs, utc_from_ns
from edge.spool_errors import SpoolClosedError, SpoolDamagedError
from edge.spool_file import FILE_NAME, Batch, SpoolFile
from edge.spool_limits import SpoolLimits, SpoolStats

TRIM_DELAY_NS = 15_000_000_000  # receipts wait for company: freeing space is not worth a write of its own
BYTES_LEAST = 256 * 1024  # kept even on a disk that others have filled: what was measured last, and events
RETRY_S = 1.0  # between attempts while the disk refuses
RECEIPTS_MAX = 10_000  # receipts kept while the disk stalls; a forgotten one costs a resend, never a message
CLOSE_S = 2.0  # how long closing waits for the disk

T = TypeVar("T")
log = structlog.get_logger("spool")


class Spool:
    """An open spool. Raises SpoolNewerError, OSError, sqlite3.Error when it cannot be opened.

    damage: what was wrong with the file found at the start (now named `set_aside_as`), None when nothing was. torn: the
    log ended inside a write, as after a kill; nothing that was promised is missing unless the log is damaged.
    mending: the thread that takes over what is left of damaged files.
    on_commit, on_release, on_failure are called in the spool's thread: with rows that became durable; when rows that
    had no time got one; with the error after which the spool takes nothing more.
    """

    def __init__(
        self,
        folder: Path,
        *,
        clock: EdgeClock,
        build_gap: BuildGap,
        limits: SpoolLimits | None = None,
        chance: random.Random | None = None,
    ) -> None:
        self.limits = limits or SpoolLimits()
        self.damage: SpoolDamagedError | None = None
        self.set_aside_as = ""
        self.on_commit: Callable[[list[Row]], None] = _ignore
        self.on_release: Callable[[], None] = _ignore
        self.on_failure: Callable[[Exception], None] = _ignore
        self._clock = clock
        self._build_gap = build_gap
        self._lock_file = lock(folder)
        self._reserve = Reserve(folder, self.limits.reserve_bytes, self.limits.disk_free_bytes_min)
        try:
            self._file = self._open(folder, chance or random.SystemRandom())
        except BaseException:
            self._lock_file.close()
            raise
        self.boot_id: uuid.UUID = self._file.boot_id
        self._started_ns = clock.monotonic_ns()
        self._due_ns = self._trims_due_ns = self._started_ns
        self._seq = 0
        self._intake = Intake(self.limits.intake_rows_max)
        self._receipts: deque[Span] = deque()
        self._requests: deque[tuple[Callable[[], None], Future[Any]]] = deque()
        self._pending: _Pending | None = None
        self._commits = self._commit_failures = self._receipts_forgotten = 0
        self._timeless = True  # until looked: an earlier boot may have left rows without time
        self._refused = False
        self._closing = self._hurry = False
        self._wake = threading.Condition()
        self.torn = self._file.torn
        files = self._take_over()
        self._reserve.hold()
        self._thread = threading.Thread(target=self._run, name="spool", daemon=True)
        self._thread.start()
        self.check = BackgroundCheck(self._file.path, self._ask) if self._file.unchecked else None
        if self.check is not None:
            self.check.thread.start()
        self.mending = mending.start(files, lambda part: self._ask(lambda: self._adopt(part)).result())

    def _open(self, folder: Path, chance: random.Random) -> SpoolFile:
        try:
            return SpoolFile(folder, self._clock, chance)
        except SpoolDamagedError as damage:
            self.damage = damage
            self.set_aside_as = mending.set_aside(folder / FILE_NAME)
            log.critical("spool.damaged", reason=damage.reason, set_aside_as=self.set_aside_as)
            return SpoolFile(folder, self._clock, chance)

    def _take_over(self) -> list[Path]:
        """Take over what the log held beyond its valid part; returns damaged files that are still to be taken over."""
        for part in mending.parts(self._file.torn_rows, "", {}) if self._file.torn_rows else ():
            self._adopt(part)
        return [each for each in mending.aside(self._file.path) if not self._file.is_salvaged(each.name)]

    def _adopt(self, part: mending.Found) -> None:
        """Make a part of a damaged spool durable, its gaps with it. In the spool's thread, or before that runs."""
        if not part.taken:
            while self._pending:
                self._write(self._pending)  # what has its numbers already goes first
            self._file.learn(part.boots)
            batch = Batch(rows=list(part.rows), boots=part.boots, salvaged=part.name)
            with self._wake:
                self._pending = self._filled(batch, [self._file.gap(span, "spool_damaged") for span in part.lost])
            part.taken = True
            self._write(self._pending)  # where this raises it stays pending, and we are asked again once it is durable
        self._timeless |= not all(row.stamped for row in part.rows)
        self.on_release()

    # --- for any thread

    def append(self, kind: Kind, captured_ns: int, build: Build) -> Future[Row]:
        """Number, stamp and keep the message that `build` makes; the future resolves when it is durable.

        captured_ns: the agent's monotonic time of the measurement. What `build` raises is raised, and no number is
        used. The future fails with SpoolDroppedError when the disk does not keep up. Raises SpoolClosedError.
        """
        future: Future[Row] = Future()
        with self._wake:
            if self._closing:
                raise SpoolClosedError
            self._intake.put(self._numbered(kind, captured_ns, build), future)
            self._wake.notify()
        return future

    def peek(self, after: int, limit: int) -> Future[list[Row]]:
        """Up to `limit` durable rows behind position `after`, oldest first; rows without a time are held back."""
        return self._ask(lambda: self._file.peek(after, limit))

    def trim(self, ranges: Sequence[SeqRange]) -> None:
        """Free what a receipt names, with one of the next commits; ranges of unknown boots or numbers free nothing."""
        with self._wake:
            self._receipts.extend(self._file.spans(ranges))  # as far as durable now: a receipt frees nothing to come
            while len(self._receipts) > RECEIPTS_MAX:
                self._receipts.popleft()
                self._receipts_forgotten += 1
            self._wake.notify()

    def flush(self, timeout_s: float) -> bool:
        """Commit without delay and wait until what has been appended is durable; False when that takes too long."""
        with self._wake:
            last = self._intake.newest
            if last is None:
                return True
            self._hurry = True
            self._wake.notify()
        return bool(futures.wait([last], timeout_s).done)

    def spans(self, ranges: Sequence[SeqRange]) -> list[Span]:
        """`ranges` as positions of this file, as far as they are durable; unknown boots are left out."""
        return self._file.spans(ranges)

    def stats(self) -> SpoolStats:
        """Counters as they stand."""
        file = self._file
        return SpoolStats(
            rows=file.rows,
            bytes=file.bytes,
            waiting=len(self._intake),
            appended=self._seq,
            trimmed=file.trimmed,
            dropped=file.dropped,
            commits=self._commits,
            commit_failures=self._commit_failures,
            receipts_forgotten=self._receipts_forgotten,
        )

    def close(self) -> None:
        """Commit what waits, release file and lock. Messages that the disk refuses to the last fail their futures."""
        with self._wake:
            self._closing = True
            self._wake.notify()
        if self.check is not None:
            self.check.stop()
        self._thread.join(CLOSE_S)
        self._lock_file.close()

    # --- numbering, under the lock

    def _numbered(self, kind: Kind, captured_ns: int, build: Build) -> Row:
        wall_ns = self._clock.wall_ns(captured_ns)
        stamp = Stamp(
            boot_id=self.boot_id,
            seq=self._seq + 1,
            timestamp=EPOCH if wall_ns is None else utc_from_ns(wall_ns),
            clock=UNSET if wall_ns is None else SYNCED,
        )
        message = build(stamp)
        position = position_of(self._file.boot, stamp.seq)
        row = Row(position, kind, wall_ns is not None, captured_ns, encode(message), message)
        self._seq = stamp.seq
        self._timeless |= not row.stamped
        return row

    def _gap_rows(self, gaps: Iterable[Gap]) -> list[Row]:
        now_ns = self._clock.monotonic_ns()
        return [self._numbered(Kind.GAP, now_ns, lambda stamp, gap=gap: self._build_gap(stamp, gap)) for gap in gaps]

    # --- the spool's thread

    def _ask(self, question: Callable[[], T]) -> Future[T]:
        future: Future[T] = Future()

        def answer() -> None:
            result = question()
            if future.set_running_or_notify_cancel():
                future.set_result(result)

        with self._wake:
            if self._closing:
                raise SpoolClosedError
            self._requests.append((answer, future))
            self._wake.notify()
        return future

    def _run(self) -> None:
        try:
            while not self._wait():
                self._answer()
                if self._is_due():
                    self._commit()
            while (self._pending or self._intake or self._intake.lost or self._receipts) and not self._refused:
                self._commit()
            self._fail_all(SpoolClosedError())
        except Exception as error:  # whatever ends this thread must end the agent, never leave it waiting
            log.critical("spool.failed", error=str(error))
            if isinstance(error, SpoolDamagedError):
                suspect(error)
            with self._wake:
                self._closing = True
            self._fail_all(error)
            self.on_failure(error)
        finally:
            self._file.close()

    def _wait(self) -> bool:
        """Sleep until a question can be answered or a commit is due; True once the spool is closing."""
        with self._wake:
            while not self._closing:
                if self._is_due() or ((self._requests or not self._file.is_counted) and not self._refused):
                    break
                due_ns = self._due_ns if self._pending or self._intake else self._trims_due_ns
                self._wake.wait((due_ns - self._clock.monotonic_ns()) / 1e9 if self._has_work() else None)
            return self._closing

    def _has_work(self) -> bool:
        """Something to write; while rows wait for a time, looking whether the clock has become known is work too."""
        waiting = self._pending or self._intake or self._intake.lost or self._receipts or self._file.corrupt
        return bool(waiting) or self._timeless

    def _is_due(self) -> bool:
        if not self._has_work():
            return False
        if (self._hurry or len(self._intake) >= self.limits.commit_rows_max) and not self._refused:
            return True
        return self._clock.monotonic_ns() >= (self._due_ns if self._pending or self._intake else self._trims_due_ns)

    def _answer(self) -> None:
        """Answer what was asked, then count a little; a disk that refuses leaves both for after the next write."""
        if self._requests and self._receipts and not self._refused:
            self._commit()  # what is receipted need not be read again
        try:
            while self._requests and not self._refused:
                self._requests[0][0]()
                self._requests.popleft()
            if not self._refused:
                self._file.count_on()
        except sqlite3.Error as error:
            self._trouble(error)

    def _commit(self) -> None:
        """One transaction: the batch that failed before, or a new one. A refusal is counted and tried again later."""
        self._pending = self._pending or self._gather()
        try:
            self._write(self._pending)
        except sqlite3.Error as error:
            self._trouble(error)

    def _write(self, pending: "_Pending") -> None:
        """Make a batch durable and tell who waits for it. Raises sqlite3.Error; the batch is then to be repeated."""
        if self._refused:
            self._file.reopen()
            self._refused = False
        if pending.batch:
            self._file.commit(pending.batch)
            self._commits += 1
        self._pending = self._make_room()
        now_ns = self._clock.monotonic_ns()
        if pending.batch:
            self._due_ns = now_ns if self._pending else now_ns + round(self.limits.commit_interval_s * 1e9)
        if pending.batch.trims or self._trims_due_ns <= now_ns:
            self._trims_due_ns = now_ns + TRIM_DELAY_NS
            self._reserve.hold()
        if pending.news:
            self.on_commit(pending.news)  # before the futures: who waits for one finds its row announced
        for row, future in pending.waiting:
            if future.set_running_or_notify_cancel():
                future.set_result(row)
        if pending.batch.anchors:
            self.on_release()

    def _gather(self) -> "_Pending":
        batch = Batch()
        with self._wake:
            if self._closing or self._requests or self._trims_due_ns <= self._clock.monotonic_ns():
                batch.trims = list(self._receipts)
                self._receipts.clear()
            batch.drops = runs(sorted(self._file.corrupt))
            self._file.corrupt = set()
            pending = self._filled(batch, [self._file.gap(span, "spool_damaged") for span in batch.drops])
            self._hurry &= bool(self._intake)
        now_ns = self._clock.monotonic_ns()
        wall_ns = self._clock.wall_ns(now_ns) if self._timeless else None
        if wall_ns is not None and not any(not row.stamped for row in batch.rows):
            batch.anchors = self._file.anchors(self._started_ns, wall_ns - now_ns)
            self._timeless = False
        return pending

    def _filled(self, batch: Batch, gaps: list[Gap]) -> "_Pending":
        """`batch` with rows that wait and with `gaps`. Under the lock.

        A gap takes the next number: everything that was numbered before it is in the same transaction, whatever its
        size. Otherwise a kill between two transactions would leave numbers behind that nothing tells of.
        """
        told = [*(self._file.gap(span, "disk_too_slow") for span in self._intake.take_lost()), *gaps]
        waiting = self._intake.take(len(self._intake) if told else self.limits.commit_rows_max)
        news = [*(row for row, _ in waiting), *self._gap_rows(told)]
        batch.rows += news
        return _Pending(batch, waiting, news)

    def _make_room(self) -> "_Pending | None":
        """The batch that brings a full spool back within its bounds; None while it is."""
        room = self._file.bytes + self._file.spare_bytes + self._reserve.room()
        spans, gaps = self._file.oldest(self.limits.rows_max, min(self.limits.bytes_max, max(BYTES_LEAST, room)))
        if sum(span.last - span.first + 1 for span in spans) <= len(gaps):
            return None  # nothing to drop, or numbers so scattered that telling of them takes the room they give
        with self._wake:
            return self._filled(Batch(drops=spans), gaps)

    def _trouble(self, error: sqlite3.Error) -> None:
        if getattr(error, "sqlite_errorcode", 0) & 0xFF in {sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB}:
            raise SpoolDamagedError(self._file.path, str(error)) from error  # asking again would change nothing
        if not self._refused:
            log.error("spool.refused", error=str(error), retry_s=RETRY_S)
        if "full" in str(error) and self._reserve.release():
            log.critical("spool.disk_full", reason="the reserve is given up so that old samples can make room")
        self._refused = True
        self._commit_failures += 1
        self._due_ns = self._trims_due_ns = self._clock.monotonic_ns() + round(RETRY_S * 1e9)

    def _fail_all(self, error: Exception) -> None:
        pending = self._pending.waiting if self._pending else []
        waiting = [future for _, future in (*pending, *self._intake.take(len(self._intake)))]
        for future in (*waiting, *(future for _, future in self._requests)):
            if future.set_running_or_notify_cancel():
                future.set_exception(error)


@dataclass(slots=True)
class _Pending:
    """A batch that is not known to be durable. news: rows that nobody has heard of. waiting: who waits for them."""

    batch: Batch
    waiting: list[Waiting]
    news: list[Row]


def _ignore(*_: object) -> None:
    """Nobody listens."""
