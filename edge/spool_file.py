"""The spool's file: the one place that writes measurements to disk. Synchronous; one thread, one connection.

SQLite in WAL mode with `synchronous=FULL`: what `commit` returned for survives a power cut (with NORMAL nothing since
the last checkpoint does). One connection, because SQLite before 3.51.3 can damage a WAL database that two connections
checkpoint and write at once. After any failed write the connection is thrown away and the file opened anew: a failed
fsync says nothing about which pages arrived, and asking again on the same descriptor is answered with a false yes.

What a newcomer gets wrong: a batch that failed may have been committed after all. So a batch is repeated as it stands
(rows by number, deletions by range) and never made anew.
"""

import random
import sqlite3
import uuid
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from dataclasses import replace as replace_boot
from pathlib import Path

from msgspec.structs import replace

from contract.codec import decode, encode
from contract.messages import Event, Gap, SeqRange
from contract.sample import Sample
from edge.checking import AT_ONCE_BYTES, suspicion
from edge.clock import SYNCED, UNSET, EdgeClock
from edge.files import durable_text
from edge.packing import checksum, pack, unpack
from edge.rows import (
    EPOCH,
    SEQ_BITS,
    SEQ_MAX,
    Boot,
    Kind,
    Message,
    Row,
    Span,
    boot_crc,
    merged,
    new_boot_id,
    position_of,
    runs,
    utc_from_ns,
)
from edge.salvage import PAGE_BYTES, RawRow, torn_rows
from edge.spool_errors import SpoolDamagedError, SpoolNewerError
from edge.spool_sql import (
    BOOTS,
    DELETE,
    FAMILY,
    FORGET_BOOTS,
    INSERT,
    OLDEST,
    PEEK,
    PUT_BOOT,
    SCHEMA,
    TEXTS,
    VERSION,
)
from edge.tally import ROW_OVERHEAD_BYTES, Tally
from edge.transaction import Transaction

FILE_NAME = "spool.db"
BOOT_NAME = "spool.boot"  # the newest boot, told a second time: a file that does not know it is not whole
COUNT_S = 0.3  # how long a start may count rows; the rest is counted while the agent works
WAL_PAGES = 256  # checkpoint at 1 MiB: a start after a power cut replays no more than that
UUID_LENGTH = 36
BOOTS_ASIDE = 1_000  # numbers left to the boots of a damaged file: nobody starts so often between two damages
DROP_ROWS = 64  # a full spool gives way in blocks, so that one gap event stands for many rows
DROP_BYTES = 256 * 1024


@dataclass(frozen=True, slots=True)
class Anchor:
    """Wall time of a boot's monotonic zero, fixed once: every row of the boot that was born without time gets it."""

    boot: int
    wall_ns: int
    synced: bool


@dataclass(slots=True)
class Batch:
    """What one transaction does; repeated as it stands until it has been committed."""

    rows: list[Row] = field(default_factory=list[Row])
    trims: list[Span] = field(default_factory=list[Span])
    drops: list[Span] = field(default_factory=list[Span])
    anchors: list[Anchor] = field(default_factory=list[Anchor])
    boots: dict[int, Boot] = field(default_factory=dict[int, Boot])  # of salvaged rows
    salvaged: str = ""  # the damaged file of which this is the end

    def __bool__(self) -> bool:
        return bool(self.rows or self.trims or self.drops or self.anchors or self.boots or self.salvaged)


class SpoolFile:
    """The open file. Raises SpoolDamagedError, SpoolNewerError; sqlite3.Error where the disk refuses.

    unchecked: too large to be looked through at a start. trimmed, dropped: rows removed since opening, by receipt and
    for want of room. corrupt: positions whose bytes fail their checksum; the owner replaces them by a gap. torn: the
    last process that wrote did not end a write, or its log is damaged. torn_rows: what the log holds behind that.
    """

    def __init__(self, folder: Path, clock: EdgeClock, chance: random.Random) -> None:
        self.path = folder / FILE_NAME
        self.trimmed = self.dropped = 0
        self.unchecked = False
        self.corrupt: set[int] = set()
        self.torn = False
        self.torn_rows: list[RawRow | Span] = []
        self._clock = clock
        self._connection = self._open()
        self.boot_id = new_boot_id(clock.guess_ns() // 1_000_000, chance)
        self.boot = self._begin_boot()
        self._tail = position_of(self.boot, 1) - 1  # newest position that is durable

    @property
    def rows(self) -> int:
        """Messages held, as far as counted."""
        return self._tally.rows

    @property
    def bytes(self) -> int:
        """What they take, as far as counted."""
        return self._tally.bytes

    @property
    def is_counted(self) -> bool:
        """Whether `rows` and `bytes` are the whole."""
        return self._tally.is_done

    def count_on(self) -> None:
        """Count a little more of what the start left uncounted. Raises sqlite3.Error."""
        self._tally.go_on(self._connection)

    # --- opening

    def _open(self) -> sqlite3.Connection:
        if (reason := suspicion(self.path)) is not None:
            raise SpoolDamagedError(self.path, reason)
        connection = sqlite3.connect(self.path, isolation_level=None, check_same_thread=False)
        try:
            connection.execute("PRAGMA journal_mode=WAL")
            connection.execute("PRAGMA synchronous=FULL")
            connection.execute(f"PRAGMA wal_autocheckpoint={WAL_PAGES}")
            self._check(connection)
            self._count(connection)
            self._compare(connection)
        except sqlite3.DatabaseError as error:
            connection.close()
            if isinstance(error, sqlite3.OperationalError) and error.sqlite_errorcode != sqlite3.SQLITE_ERROR:
                raise  # the disk refuses; the file may be sound
            raise SpoolDamagedError(self.path, str(error)) from error
        except (SpoolDamagedError, SpoolNewerError):
            connection.close()
            raise
        return connection

    def _check(self, connection: sqlite3.Connection) -> None:
        version = int(connection.execute("PRAGMA user_version").fetchone()[0])
        has_tables = bool(connection.execute("SELECT count(*) FROM sqlite_master").fetchone()[0])
        if version == 0 and not has_tables:
            marks = f"PRAGMA user_version={VERSION};PRAGMA application_id={FAMILY | VERSION}"
            connection.executescript(f"BEGIN;{SCHEMA}{marks};COMMIT")
        elif version != VERSION:
            if connection.execute("PRAGMA application_id").fetchone()[0] == FAMILY | version > FAMILY | VERSION:
                raise SpoolNewerError(self.path, version, VERSION)
            raise SpoolDamagedError(self.path, f"it says version {version}")
        if {text for (text,) in connection.execute(TEXTS)} != {text.strip() for text in SCHEMA.split(";")[:-1]}:
            raise SpoolDamagedError(self.path, "its tables are not ours")
        if self.path.stat().st_size > AT_ONCE_BYTES:
            self.unchecked = True  # looked through in the background
            return
        verdict = str(connection.execute("PRAGMA quick_check(1)").fetchone()[0])
        if verdict != "ok":
            raise SpoolDamagedError(self.path, verdict)

    def _compare(self, connection: sqlite3.Connection) -> None:
        """Hold the file against its log and against what the last start wrote beside it. Raises SpoolDamagedError."""
        witness = self.path.with_name(BOOT_NAME)
        known = witness.read_text(errors="replace").split() if witness.exists() else []
        self._left_open = known[2:] == ["open"]
        if (
            len(known) == 3
            and known[0].isdigit()
            and len(known[1]) == UUID_LENGTH
            and (int(known[0]), known[1]) not in {(number, str(boot.boot_id)) for number, boot in self._boots.items()}
        ):
            raise SpoolDamagedError(self.path, f"it does not know the newest start, {known[1]}")
        _, frames, _ = connection.execute("PRAGMA wal_checkpoint(PASSIVE)").fetchone()
        (newest,) = connection.execute("SELECT coalesce(max(position), 0) FROM rows").fetchone()
        torn, self.torn_rows = torn_rows(self.path, max(frames, 0), newest)
        self.torn = torn or (self._left_open and frames <= 0)

    def _count(self, connection: sqlite3.Connection) -> None:
        self._tally = Tally(connection, self.path)
        self._tally.go_on(connection, seconds=COUNT_S)
        self._read_boots(connection)

    def _read_boots(self, connection: sqlite3.Connection) -> None:
        self._boots: dict[int, Boot] = {}
        for number, boot_id, machine_boot, anchor_ns, synced, crc in connection.execute(BOOTS):
            if boot_crc(number, boot_id, machine_boot, anchor_ns, synced) != crc:
                raise SpoolDamagedError(self.path, f"the entry of boot {number} fails its checksum")
            self._boots[number] = Boot(uuid.UUID(bytes=boot_id), machine_boot, anchor_ns, bool(synced))
        self._numbers = {boot.boot_id: number for number, boot in self._boots.items()}

    def _begin_boot(self) -> int:
        """Number this start; boots of which nothing is left are forgotten, but not the one that BOOT_NAME tells of:
        a kill before that is written anew must leave file and witness in agreement."""
        number = max(max(self._boots, default=0), self._last_boot_told()) + 1
        with self._transaction():
            self._connection.execute(FORGET_BOOTS)
            self._put_boot(number, Boot(self.boot_id, self._clock.machine_boot(), None, synced=False))
        self._read_boots(self._connection)
        self._tell_boot(number, "open")
        return number

    def _tell_boot(self, number: int, state: str) -> None:
        durable_text(self.path.with_name(BOOT_NAME), f"{number} {self.boot_id} {state}\n")

    def _last_boot_told(self) -> int:
        """The number of the last start by what lies beside the file: salvaged boots keep theirs, ours must be newer."""
        told = [self.path.with_name(BOOT_NAME), *self.path.parent.glob(f"{FILE_NAME}.damaged-*.boot")]
        words = [each.read_text(errors="replace").partition(" ")[0] for each in told if each.exists()]
        aside = len(list(self.path.parent.glob(f"{FILE_NAME}.damaged-*")))
        return max([int(word) for word in words if word.isdigit() and len(word) < 7], default=aside * BOOTS_ASIDE)

    def _put_boot(self, number: int, boot: Boot) -> None:
        values = (number, boot.boot_id.bytes, boot.machine_boot, boot.anchor_ns, boot.synced)
        self._connection.execute(PUT_BOOT, (*values, boot_crc(*values)))

    def close(self) -> None:
        """Release the file; what has been committed stays."""
        self._connection.close()
        with suppress(OSError):  # what is told of an open file is a warning at the next start, not a loss
            self._tell_boot(self.boot, "closed")

    def is_salvaged(self, name: str) -> bool:
        """Whether all of a file that was set aside has been taken over."""
        return self._connection.execute("SELECT 1 FROM salvaged WHERE name = ?", (name,)).fetchone() is not None

    @property
    def spare_bytes(self) -> int:
        """Room within the file that freed rows have left: it can be filled without asking the disk."""
        return int(self._connection.execute("PRAGMA freelist_count").fetchone()[0]) * PAGE_BYTES

    def learn(self, boots: dict[int, Boot]) -> None:
        """Know salvaged boots from now on; a batch that names them makes them durable."""
        for number, boot in boots.items():
            self._boots.setdefault(number, boot)
            self._numbers[boot.boot_id] = number

    def reopen(self) -> None:
        """Throw the connection away after a failed write and look at the file afresh. Raises like opening."""
        with suppress(sqlite3.Error):  # a connection whose disk failed may fail to close; it is gone either way
            self._connection.close()
        self._connection = self._open()

    # --- writing

    def _transaction(self) -> Transaction:
        return Transaction(self._connection)

    def commit(self, batch: Batch) -> None:
        """Make `batch` durable as one: when this returns, it survives a power cut. Raises sqlite3.Error."""
        added: list[tuple[int, int]] = []
        trimmed: list[tuple[int, int]] = []
        dropped: list[tuple[int, int]] = []
        with self._transaction():
            for row in batch.rows:
                packed = pack(row.body)
                crc = checksum(row.position, row.kind, row.stamped, row.monotonic_ns, packed)
                values = (row.position, row.kind, row.stamped, row.monotonic_ns, crc, packed)
                if self._connection.execute(INSERT, values).rowcount:
                    added.append((row.position, len(packed)))
            for spans, gone in ((batch.trims, trimmed), (batch.drops, dropped)):
                for span in spans:
                    gone.extend(self._connection.execute(DELETE, (span.first, span.last)).fetchall())
            for anchor in batch.anchors:
                boot = self._boots[anchor.boot]
                if boot.anchor_ns is None:
                    self._put_boot(anchor.boot, replace_boot(boot, anchor_ns=anchor.wall_ns, synced=anchor.synced))
            for number in batch.boots:
                self._put_boot(number, self._boots[number])
            if batch.salvaged:
                self._connection.execute("INSERT OR IGNORE INTO salvaged VALUES (?)", (batch.salvaged,))
        self._tail = max(self._tail, *(row.position for row in batch.rows), 0)
        self._tally.add(added)
        self._tally.remove([*trimmed, *dropped])
        self.trimmed += len(trimmed)
        self.dropped += len(dropped)
        for anchor in batch.anchors:
            boot = self._boots[anchor.boot]
            if boot.anchor_ns is None:
                self._boots[anchor.boot] = replace_boot(boot, anchor_ns=anchor.wall_ns, synced=anchor.synced)

    # --- reading

    def peek(self, after: int, limit: int) -> list[Row]:
        """Up to `limit` rows behind position `after`, oldest first; those without a time wait for an anchor."""
        rows: list[Row] = []
        for position, kind, stamped, monotonic_ns, crc, body in self._connection.execute(PEEK, (after, limit)):
            if checksum(position, kind, stamped, monotonic_ns, body) != crc:
                self.corrupt.add(position)
                continue
            row = Row(position, Kind(kind), bool(stamped), monotonic_ns, unpack(body))
            rows.append(row if stamped else self._stamped(row))
        return rows

    def _stamped(self, row: Row) -> Row:
        """`row` with the time that its boot's anchor gives it: the same at every reading."""
        boot = self._boots[row.position >> SEQ_BITS]
        assert boot.anchor_ns is not None
        message: Message = decode(Sample if row.kind is Kind.SAMPLE else Event, row.body)
        assert message.timestamp == EPOCH
        message = replace(
            message,
            timestamp=utc_from_ns(boot.anchor_ns + row.monotonic_ns),
            clock=SYNCED if boot.synced else UNSET,
        )
        return Row(row.position, row.kind, True, row.monotonic_ns, encode(message))

    def spans(self, ranges: Sequence[SeqRange]) -> list[Span]:
        """Positions of `ranges` as far as they are durable: a receipt frees nothing that is still to be written.

        Boots that this file does not know have nothing here and are left out.
        """
        found: list[Span] = []
        for each in ranges:
            boot = self._numbers.get(each.boot_id)
            if boot is None or each.first_seq > SEQ_MAX:
                continue
            first = position_of(boot, each.first_seq)
            last = min(position_of(boot, min(each.last_seq, SEQ_MAX)), self._tail)
            if first <= last:
                found.append(Span(first, last))
        return found

    def oldest(self, rows_max: int, bytes_max: int) -> tuple[list[Span], list[Gap]]:
        """What to drop so that the file is within its bounds again with some room, and the gaps that tell of it.

        Oldest samples first, then events. A gap event that is reached on the way gives way too: the new gap takes in
        what the old one told, and its number, so that gaps never fill the file.
        """
        doomed: list[int] = []
        lost: list[Gap] = []
        rows, size = self.rows, self.bytes
        if rows <= rows_max and size <= bytes_max:
            return [], []
        rows_goal = rows_max - min(DROP_ROWS, rows_max // 8)
        bytes_goal = bytes_max - min(DROP_BYTES, bytes_max // 8)
        for kinds in ((Kind.SAMPLE, Kind.GAP), (Kind.EVENT, Kind.EVENT)):
            for position, kind, length, body in self._connection.execute(OLDEST, kinds):
                if rows <= rows_goal and size <= bytes_goal:
                    break
                if kind == Kind.GAP and (gap := decode(Event, unpack(body)).gap) is not None:
                    lost.append(gap)
                doomed.append(position)
                rows, size = rows - 1, size - length - ROW_OVERHEAD_BYTES
        spans = runs(sorted(doomed))
        return spans, merged([*lost, *(self.gap(span, "spool_full") for span in spans)])

    def gap(self, span: Span, reason: str) -> Gap:
        """`span` as a gap on the wire."""
        boot_id = self._boots[span.first >> SEQ_BITS].boot_id
        return Gap(boot_id=boot_id, first_seq=span.first & SEQ_MAX, last_seq=span.last & SEQ_MAX, reason=reason)

    def anchors(self, started_ns: int, wall_of_zero_ns: int) -> list[Anchor]:
        """What gives every timeless row its time, now that wall time is known.

        started_ns: monotonic time of this start. wall_of_zero_ns: wall time of monotonic zero. Boots since the machine
        last started share its monotonic time, so theirs is exact. An older one ended before this one began and nobody
        knows how long before: its last row is placed at this start and its clock stays marked as unset.
        """
        found: list[Anchor] = []
        here = self._clock.machine_boot()
        query = "SELECT position >> 40, max(monotonic_ns) FROM rows WHERE stamped = 0 GROUP BY 1"
        for number, last_ns in self._connection.execute(query).fetchall():
            boot = self._boots[number]
            if boot.anchor_ns is None:
                exact = boot.machine_boot == here
                found.append(Anchor(number, wall_of_zero_ns + (0 if exact else started_ns - last_ns), exact))
        return found
