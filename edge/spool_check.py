"""Read a spool without the code that writes it: what it holds, and whether all of it is what it should be.

Shares only `contract/` and the dictionary of the packing with the agent, so that one mistake cannot hide in both. The
file is opened read-only: a second connection that checkpoints could damage a WAL database under its writer, one that
only reads cannot.
"""

import sqlite3
import uuid
import zlib
from collections import Counter
from collections.abc import Iterator
from contextlib import closing
from dataclasses import dataclass, field
from pathlib import Path

from contract.codec import decode
from contract.errors import ContractError
from contract.messages import Event
from contract.sample import Sample
from edge.packing import DICTIONARY

KINDS = {0: "sample", 1: "event", 2: "gap"}
FAULTS_MAX = 100  # further faults are counted, not listed


class UnreadableSpoolError(Exception):
    """There is no spool at this path, or SQLite cannot read it."""

    def __init__(self, path: Path, reason: str) -> None:
        super().__init__(f"{path}: {reason}")
        self.path = path
        self.reason = reason


@dataclass(slots=True)
class BootReport:
    """What one boot left: numbers held (first, last, count) and numbers that gap events account for."""

    boot_id: uuid.UUID
    rows: int = 0
    first_seq: int = 0
    last_seq: int = 0
    gap_seqs: int = 0


@dataclass(slots=True)
class SpoolReport:
    """The state of a spool. faults: what is wrong, in words; `faults_total` counts those beyond the list too."""

    path: Path
    rows: int = 0
    body_bytes: int = 0
    file_bytes: int = 0
    kinds: Counter[str] = field(default_factory=Counter[str])
    timeless: int = 0
    oldest: str = ""
    newest: str = ""
    boots: list[BootReport] = field(default_factory=list[BootReport])
    faults: list[str] = field(default_factory=list[str])
    faults_total: int = 0

    def fault(self, text: str) -> None:
        """Note what is wrong."""
        self.faults_total += 1
        if len(self.faults) < FAULTS_MAX:
            self.faults.append(text)


def examine(path: Path) -> SpoolReport:
    """Hold every row of the spool at `path` against checksum, contract and the others. Raises UnreadableSpoolError."""
    if not path.is_file():
        raise UnreadableSpoolError(path, "there is no spool here")
    report = SpoolReport(path, file_bytes=sum(part.stat().st_size for part in path.parent.glob(f"{path.name}*")))
    try:
        with closing(sqlite3.connect(f"{path.absolute().as_uri()}?mode=ro", uri=True)) as connection:
            connection.execute("BEGIN")  # one snapshot, while an agent may be writing
            for (verdict,) in connection.execute("PRAGMA integrity_check"):
                if verdict != "ok":
                    report.fault(f"SQLite: {verdict}")
            _Examination(connection, report).run()
    except sqlite3.Error as error:
        raise UnreadableSpoolError(path, str(error)) from error
    return report


def bodies(path: Path) -> Iterator[tuple[int, bytes | None]]:
    """Every message as JSON by position, None where its bytes fail their checksum. Raises UnreadableSpoolError."""
    if not path.is_file():
        raise UnreadableSpoolError(path, "there is no spool here")
    try:
        with closing(sqlite3.connect(f"{path.absolute().as_uri()}?mode=ro", uri=True)) as connection:
            connection.execute("BEGIN")
            for row in connection.execute(_ROWS):
                yield row[0], _body(row)
    except sqlite3.Error as error:
        raise UnreadableSpoolError(path, str(error)) from error


def _body(row: tuple[int, int, int, int, int, bytes]) -> bytes | None:
    """The message of a row, None when its bytes fail their checksum."""
    position, kind, stamped, monotonic_ns, crc, packed = row
    try:
        head = position.to_bytes(8, "big") + bytes((kind, stamped)) + monotonic_ns.to_bytes(8, "big", signed=True)
        if zlib.crc32(head + packed) == crc:
            return zlib.decompressobj(zdict=DICTIONARY).decompress(packed)
    except (ValueError, OverflowError, zlib.error):
        pass
    return None


class _Examination:
    """One pass over the rows of a spool, and what has been seen on the way."""

    def __init__(self, connection: sqlite3.Connection, report: SpoolReport) -> None:
        self._connection = connection
        self._report = report
        self._boots = {number: BootReport(uuid.UUID(bytes=raw)) for number, raw in connection.execute(_BOOTS)}
        self._numbers = {boot.boot_id: number for number, boot in self._boots.items()}
        self._gaps: list[tuple[int, int]] = []

    def run(self) -> None:
        report = self._report
        for position, kind, stamped, monotonic_ns, crc, packed in self._connection.execute(_ROWS):
            number, seq = divmod(position, 1 << 40)
            report.rows, report.body_bytes = report.rows + 1, report.body_bytes + len(packed)
            report.kinds[KINDS.get(kind, f"kind {kind}")] += 1
            report.timeless += not stamped
            boot = self._boots.get(number)
            if boot is None:
                report.fault(f"position {position}: its boot {number} is not known")
                continue
            boot.rows, boot.first_seq, boot.last_seq = boot.rows + 1, boot.first_seq or seq, seq
            body = _body((position, kind, stamped, monotonic_ns, crc, packed))
            if body is None:
                report.fault(f"boot {boot.boot_id} seq {seq}: the bytes fail their checksum")
                continue
            for text in self._message_faults(boot, seq, kind, body):
                report.fault(f"boot {boot.boot_id} seq {seq}: {text}")
        self._examine_gaps()
        report.boots = [boot for boot in self._boots.values() if boot.rows or boot.gap_seqs]

    def _message_faults(self, boot: BootReport, seq: int, kind: int, body: bytes) -> Iterator[str]:
        try:
            message = decode(Sample, body) if kind == 0 else decode(Event, body)
        except ContractError as error:
            yield f"no {KINDS.get(kind, 'known message')} of the contract: {error}"
            return
        if (message.boot_id, message.seq) != (boot.boot_id, seq):
            yield f"the message says boot {message.boot_id} seq {message.seq}"
        if isinstance(message, Event) and (message.kind == "gap") != (kind == 2):
            yield f"kind {kind} holds an event {message.kind}"
        if isinstance(message, Event) and message.gap and message.gap.boot_id in self._numbers:
            number = self._numbers[message.gap.boot_id]
            self._gaps.append((number << 40 | message.gap.first_seq, number << 40 | message.gap.last_seq))
        moment = message.timestamp.isoformat()
        if moment > "1971":
            report = self._report
            report.oldest, report.newest = min(report.oldest or moment, moment), max(report.newest, moment)

    def _examine_gaps(self) -> None:
        last_end = -1
        for first, last in sorted(self._gaps):
            if first <= last_end:
                self._report.fault(f"two gaps overlap at position {first}")
            last_end = max(last_end, last)
            (held,) = self._connection.execute(_HELD, (first, last)).fetchone()
            if held:
                self._report.fault(f"{held} rows are held that a gap calls lost, from position {first}")
            self._boots[first >> 40].gap_seqs += last - first + 1


_BOOTS = "SELECT number, boot_id FROM boots ORDER BY number"
_ROWS = "SELECT position, kind, stamped, monotonic_ns, crc, body FROM rows ORDER BY position"
_HELD = "SELECT count(*) FROM rows WHERE position BETWEEN ? AND ?"
