"""What is left in a damaged spool: every row that still answers to its checksum, and exactly what is missing.

Two readers help each other. SQLite walks the tree of rows and says which rows are meant to be there; where it stumbles,
the pages themselves are searched, those of the write-ahead log too, for anything that passes its checksum. A row that
the tree knows and nobody can read is a gap. Where the tree itself is unreadable the numbers between two rows found are
a gap. What lay behind the last row found, this file cannot tell.
"""

import mmap
import sqlite3
import uuid
from bisect import bisect_right
from collections.abc import Generator, Iterator
from contextlib import closing, suppress
from pathlib import Path
from typing import Self

import structlog

from edge.packing import checksum
from edge.rows import SEQ_BITS, SEQ_MAX, Boot, Span, boot_crc

PAGE_BYTES = 4096
WAL_HEAD_BYTES = 32
FRAME_HEAD_BYTES = 24
LEAF = 0x0D
CELLS_AT = 8  # in a leaf page: its header is 8 bytes
COLUMNS = 6
MIN_LOCAL = (PAGE_BYTES - 12) * 32 // 255 - 23  # payload kept in the page when a cell overflows (SQLite file format)
MAX_LOCAL = PAGE_BYTES - 35
INTEGER_BYTES = (0, 1, 2, 3, 4, 6, 8, 8, 0, 0)  # by serial type
PAYLOAD_BYTES_MAX = 1 << 20

RawRow = tuple[int, int, int, int, int, bytes]  # position, kind, stamped, monotonic_ns, crc, packed body
log = structlog.get_logger("salvage")
BOOTS = "SELECT number, boot_id, machine_boot, anchor_ns, synced, crc FROM boots"
WALK = "SELECT position, kind, stamped, monotonic_ns, crc, body FROM rows WHERE position > ? ORDER BY position"


def salvage(path: Path) -> Iterator[RawRow | Span]:
    """Read the damaged spool at `path` as far as it can be read: rows and lost spans, by position."""
    with suppress(FileNotFoundError), Pages(path) as pages:
        index = pages.index()
        order = sorted(index)
        at = 0
        try:
            with closing(sqlite3.connect(f"{path.absolute().as_uri()}?mode=ro", uri=True)) as tree:
                intact = False
                while not intact:
                    at, intact = yield from _walk(tree, at, pages, index)
                    following = bisect_right(order, at)
                    if following == len(order):
                        break
                    if not intact:
                        at = yield from _skip(at, pages.row(index, order[following]))
        except sqlite3.Error as error:
            log.info("salvage.no_tree", reason=str(error))
        except _DisorderError:
            at = 0  # the tree may have led past anything: all that the pages show, what it has shown already included
        for position in order[bisect_right(order, at) :]:  # the tree ended or could not be opened: what the pages show
            at = yield from _skip(at, pages.row(index, position))


def boots_of(path: Path) -> dict[int, Boot]:
    """The boots that the damaged spool at `path` knows, those of them that pass their checksum."""
    found: dict[int, Boot] = {}
    with suppress(sqlite3.Error), closing(sqlite3.connect(f"{path.absolute().as_uri()}?mode=ro", uri=True)) as tree:
        for number, raw, machine_boot, anchor_ns, synced, crc in tree.execute(BOOTS):
            if isinstance(raw, bytes) and boot_crc(number, raw, machine_boot, anchor_ns, synced) == crc:
                found[number] = Boot(uuid.UUID(bytes=raw), machine_boot, anchor_ns, bool(synced))
    return found


def _walk(
    tree: sqlite3.Connection, at: int, pages: "Pages", index: dict[int, int]
) -> Generator[RawRow | Span, None, tuple[int, bool]]:
    """Rows behind `at` until the tree ends (True) or breaks (False); returns also where that was."""
    try:
        for row in tree.execute(WALK, (at,)):
            position = row[0]
            if not isinstance(position, int):
                return at, False
            if position <= at:
                raise _DisorderError
            if _sound(row):
                yield row
            elif position in index:
                yield pages.row(index, position)
            else:
                yield Span(position, position)
            at = position
    except (sqlite3.Error, OverflowError):
        return at, False
    return at, True


def _skip(at: int, row: RawRow) -> Generator[RawRow | Span, None, int]:
    """Go on at `row`; the numbers of its boot between `at` and it, if any, are lost."""
    position = row[0]
    if position >> SEQ_BITS == at >> SEQ_BITS and position > at + 1:
        yield Span(at + 1, position - 1)
    yield row
    return position


def _sound(row: tuple[object, ...]) -> bool:
    position, kind, stamped, monotonic_ns, crc, body = row
    if not isinstance(body, bytes) or not all(isinstance(each, int) for each in row[:5]):
        return False
    assert isinstance(position, int)
    assert isinstance(kind, int)
    assert isinstance(stamped, int)
    assert isinstance(monotonic_ns, int)
    return checksum(position, kind, stamped, monotonic_ns, body) == crc


class _DisorderError(Exception):
    """The tree of rows is not in order: what it leaves out, nobody knows."""


class Pages:
    """The pages of a spool and of its log as so many leaves of a table of six columns; none of their bytes is trusted.

    Raises FileNotFoundError.
    """

    def __init__(self, path: Path) -> None:
        self._parts = [_mapped(path), _mapped(path.with_name(f"{path.name}-wal"))]
        self._data = self._parts[0]

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        for part in self._parts:
            if isinstance(part, mmap.mmap):
                part.close()

    def index(self) -> dict[int, int]:
        """Where each sound row was last seen: positions to pages, those of the log counted behind the file's."""
        file, log_part = self._parts
        pages = -(-len(file) // PAGE_BYTES)
        frames = max(0, len(log_part) - WAL_HEAD_BYTES) // (FRAME_HEAD_BYTES + PAGE_BYTES)
        return {row[0]: number for number in range(pages + frames) for row in self.rows(self._page(number))}

    def row(self, index: dict[int, int], position: int) -> RawRow:
        """The row at a position of the index."""
        return next(row for row in self.rows(self._page(index[position])) if row[0] == position)

    def _page(self, number: int) -> bytes:
        file, log_part = self._parts
        pages = -(-len(file) // PAGE_BYTES)
        if number < pages:
            return bytes(file[number * PAGE_BYTES : (number + 1) * PAGE_BYTES])
        start = WAL_HEAD_BYTES + (number - pages) * (FRAME_HEAD_BYTES + PAGE_BYTES) + FRAME_HEAD_BYTES
        return bytes(log_part[start : start + PAGE_BYTES])

    def rows(self, page: bytes) -> Iterator[RawRow]:
        """The sound rows of one page image."""
        if len(page) < CELLS_AT or page[0] != LEAF:
            return
        cells = int.from_bytes(page[3:5], "big")
        for number in range(min(cells, (PAGE_BYTES - CELLS_AT) // 2)):
            at = int.from_bytes(page[CELLS_AT + 2 * number : CELLS_AT + 2 * number + 2], "big")
            with suppress(IndexError):
                row = self._row(page, at)
                if row is not None:
                    yield row

    def _row(self, page: bytes, at: int) -> RawRow | None:
        size, at = _varint(page, at)
        position, at = _varint(page, at)
        if size > PAYLOAD_BYTES_MAX or position & SEQ_MAX == 0:
            return None
        record = page[at : at + size] if size <= MAX_LOCAL else self._spilled(page, at, size)
        head_bytes, offset = _varint(record, 0)
        types: list[int] = []
        while offset < head_bytes:
            kind, offset = _varint(record, offset)
            types.append(kind)
        if len(types) != COLUMNS or types[0] != 0 or types[5] < 12 or types[5] % 2:
            return None
        values: list[int] = []
        for kind in types[1:5]:
            width = INTEGER_BYTES[kind]
            number = int.from_bytes(record[offset : offset + width], "big", signed=True)
            values.append(int(kind == 9) if kind in {8, 9} else number)
            offset += width
        body = bytes(record[offset : offset + (types[5] - 12) // 2])
        row = (position, values[0], values[1], values[2], values[3], body)
        return row if _sound(row) else None

    def _spilled(self, page: bytes, at: int, size: int) -> bytes:
        """A record that goes on in overflow pages of the file."""
        local = MIN_LOCAL + (size - MIN_LOCAL) % (PAGE_BYTES - 4)
        local = MIN_LOCAL if local > MAX_LOCAL else local
        parts, held = [page[at : at + local]], local
        following = int.from_bytes(page[at + local : at + local + 4], "big")
        while held < size and 0 < following <= len(self._data) // PAGE_BYTES:
            spill = self._data[(following - 1) * PAGE_BYTES : following * PAGE_BYTES]
            part = spill[4 : 4 + min(PAGE_BYTES - 4, size - held)]
            parts.append(part)
            held += len(part)
            following = int.from_bytes(spill[:4], "big")
        return b"".join(parts)


def _varint(data: bytes, at: int) -> tuple[int, int]:
    """SQLite's variable-length integer at `at`, and what follows it. Raises IndexError at the end of the data."""
    value = 0
    for index in range(8):
        byte = data[at + index]
        value = value << 7 | byte & 0x7F
        if byte < 0x80:
            return value, at + index + 1
    return value << 8 | data[at + 8], at + 9


def _mapped(path: Path) -> mmap.mmap | bytes:
    """A file's bytes, read only where they are looked at; an absent log has none."""
    if path.name.endswith("-wal") and not path.exists():
        return b""
    with path.open("rb") as file:
        return mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) if path.stat().st_size else b""


def torn_rows(path: Path, frames_valid: int, after: int) -> tuple[bool, list[RawRow | Span]]:
    """What the write-ahead log of `path` holds beyond the `frames_valid` that SQLite takes over, behind `after`.

    The first value says whether there is more of this round than could be taken over: a process that is killed inside
    a write leaves that, and so does a byte that was flipped before it.
    """
    wal = path.with_name(f"{path.name}-wal")
    data = wal.read_bytes() if wal.exists() else b""
    step = FRAME_HEAD_BYTES + PAGE_BYTES
    starts = range(WAL_HEAD_BYTES, len(data) - FRAME_HEAD_BYTES + 1, step)
    salts = [data[start + 8 : start + 16] for start in starts]
    present = {data[16:24], *salts[:2]}  # any one of them may be what is damaged
    end = max((salts.count(each) for each in present), default=0)
    found: dict[int, RawRow] = {}
    with Pages(path) as pages:
        for start in starts[frames_valid:end]:
            page = data[start + FRAME_HEAD_BYTES : start + step]
            found |= {row[0]: row for row in pages.rows(page) if row[0] > after}
    result: list[RawRow | Span] = []
    at = after
    for position in sorted(found):
        result += list(_skip(at, found[position]))
        at = position
    return end > frames_valid or (len(data) - WAL_HEAD_BYTES) % step > 0 or (0 < len(data) < step), result
