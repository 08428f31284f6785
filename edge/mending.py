"""After damage: what is left of a spool goes into the new one, in a thread of its own while the agent works.

A damaged file is set aside under a new name and kept; the newest ASIDE_MAX of them stay on the disk. Taking one over
may be cut short by the next power cut and then begins again: rows have their numbers, so nothing is there twice.
"""

import threading
import uuid
import zlib
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

import structlog

from contract.codec import peek
from edge.checking import SUSPECT_NAME
from edge.packing import unpack
from edge.rows import SEQ_BITS, Boot, Kind, Row, Span
from edge.salvage import RawRow, boots_of, salvage
from edge.spool_errors import SpoolClosedError
from edge.spool_file import BOOT_NAME

ASIDE_MAX = 3
CHUNK = 200  # rows taken over in one transaction: what arrives meanwhile does not wait long
log = structlog.get_logger("mending")


@dataclass(slots=True)
class Found:
    """Part of what was found. name: of the file, once this is the end of it."""

    rows: list[Row] = field(default_factory=list[Row])
    lost: list[Span] = field(default_factory=list[Span])
    boots: dict[int, Boot] = field(default_factory=dict[int, Boot])
    taken: bool = False  # numbered and handed to the disk: never to be made anew
    name: str = ""


Adopt = Callable[[Found], None]


def set_aside(path: Path) -> str:
    """Rename a damaged spool with its log so that a new one can begin; returns the new name."""
    numbers = [int(each.name.rpartition("-")[2]) for each in aside(path)]
    name = f"{path.name}.damaged-{max(numbers, default=0) + 1}"
    for suffix in ("", "-wal", "-shm"):
        part = path.with_name(path.name + suffix)
        if part.exists():
            part.rename(path.with_name(name + suffix))
    witness = path.with_name(BOOT_NAME)
    if witness.exists():
        witness.rename(path.with_name(f"{name}.boot"))
    path.with_name(SUSPECT_NAME).unlink(missing_ok=True)
    for old in aside(path)[:-ASIDE_MAX]:
        log.warning("mending.forgotten", file=old.name, reason=f"only the newest {ASIDE_MAX} damaged spools are kept")
        for suffix in ("", "-wal", "-shm", ".boot"):
            old.with_name(old.name + suffix).unlink(missing_ok=True)
    return name


def aside(path: Path) -> list[Path]:
    """Damaged spools beside `path`, oldest first."""
    found = [each for each in path.parent.glob(f"{path.name}.damaged-*") if each.name.rpartition("-")[2].isdigit()]
    return sorted(found, key=lambda each: int(each.name.rpartition("-")[2]))


def start(files: list[Path], adopt: Adopt) -> threading.Thread:
    """Take over `files` in a thread; `adopt` makes a part durable before it returns, or raises SpoolClosedError."""
    thread = threading.Thread(target=_mend, args=(files, adopt), name="spool.mending", daemon=True)
    thread.start()
    return thread


def _mend(files: list[Path], adopt: Adopt) -> None:
    for path in files:
        try:
            rows = lost = 0
            for part in parts(salvage(path), path.name, boots_of(path)):
                adopt(part)
                rows, lost = rows + len(part.rows), lost + sum(each.last - each.first + 1 for each in part.lost)
        except SpoolClosedError:
            return  # the next start begins again
        log.warning("mending.done", file=path.name, rows=rows, lost=lost)


def parts(found: Iterable[RawRow | Span], name: str, known: dict[int, Boot]) -> Iterator[Found]:
    """What was found as transactions; spans of a boot that nothing else tells of are left out, and said."""
    boots = dict(known)
    part = Found(boots=dict(known))
    waiting: list[Span] = []
    for each in found:
        if isinstance(each, Span):
            waiting.append(each)
            continue
        row, boot_id = _row_of(each)
        if boot_id is None:
            waiting.append(Span(row.position, row.position))
            continue
        if row.position >> SEQ_BITS not in boots:
            boot = Boot(boot_id, "", None, synced=False)
            boots[row.position >> SEQ_BITS] = part.boots[row.position >> SEQ_BITS] = boot
        part.rows.append(row)
        part.lost += [span for span in waiting if span.first >> SEQ_BITS in boots]
        waiting = [span for span in waiting if span.first >> SEQ_BITS not in boots]
        if len(part.rows) >= CHUNK:
            yield part
            part = Found()
    if waiting:
        log.error("mending.unknown_boots", spans=len(waiting))
    part.lost += [span for span in waiting if span.first >> SEQ_BITS in boots]
    part.name = name
    yield part


def _row_of(raw: RawRow) -> tuple[Row, uuid.UUID | None]:
    position, kind, stamped, monotonic_ns, _, packed = raw
    try:
        body = unpack(packed)
    except zlib.error:
        return Row(position, Kind.SAMPLE, False, 0, b""), None
    return Row(position, Kind(kind), bool(stamped), monotonic_ns, body), peek(body).boot_id
