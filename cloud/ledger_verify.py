"""`sqal ledger verify`: everything about the ledger that can be checked, by code that shares nothing with its writer.

Reads the database, trusts nothing in it: entries are hashed again, the tree is built again and compared with every
checkpoint, in the database and brought from outside; every sample is hashed again and must be in the ledger once, every
entry must have its sample unless retention took it. One pass over the entries, one over the samples, both streamed;
memory is about 100 bytes an entry.

Errors:

    Exception
    └── VerifyError   it could not be verified at all (no database, no key); one sentence
"""

from collections.abc import Callable, Iterator, Sequence
from datetime import datetime, timedelta
from typing import Any

import msgspec
import psycopg
from psycopg.rows import tuple_row

from cloud.ledger_report import Report, Trust, VerifyError
from cloud.ledger_samples import SampleCheck
from contract.chain import (
    NO_REFERENCE,
    ChainError,
    EventEntry,
    Frontier,
    SamplesEntry,
    commitment,
    decode_entry,
    leaf_hash,
    microseconds,
    node_hash,
)
from contract.checkpoint import Checkpoint, PublicKey, parse_key, verify_note

ENTRIES = """COPY (
    SELECT leaf_index, entry, leaf_hash, lot_id, subject::TEXT FROM public.sqal_ledger ORDER BY leaf_index
) TO STDOUT (FORMAT BINARY)"""
TILE = 256
HEIGHTS = (8, 16, 24)

Connection = psycopg.Connection[tuple[Any, ...]]


def verify_ledger(
    dsn: str, trust: Trust, *, now: datetime, retention: timedelta, progress: Callable[[int], None] = lambda _n: None
) -> Report:
    """Check everything. `now` is UTC; a missing sample older than `retention` is expired. Raises VerifyError."""
    if not trust.keys:
        raise VerifyError("without a trusted public key nothing is proven: give --key")
    try:
        connection: Connection = psycopg.connect(dsn, row_factory=tuple_row, prepare_threshold=None)
    except psycopg.Error as error:
        raise VerifyError(f"the database cannot be reached: {error}".strip()) from error
    with connection:
        connection.execute("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ, READ ONLY")
        connection.execute("SET LOCAL timezone = 'UTC'")
        # What somebody with all rights may have prepared for us: other tables of these names, rows hidden from us.
        connection.execute("SET LOCAL search_path = pg_catalog, public")
        connection.execute("SET LOCAL row_security = off")
        run = _Run(connection, trust, now=now, retention=retention, progress=progress)
        try:
            return run.all()
        except psycopg.Error as error:
            raise VerifyError(f"the ledger cannot be read: {error}".strip()) from error


class KeyList(msgspec.Struct):
    """The public part of an event `ledger_keys`."""

    keys: list[str]


class _Run:
    """One verification, in one snapshot of the database."""

    def __init__(
        self,
        connection: Connection,
        trust: Trust,
        *,
        now: datetime,
        retention: timedelta,
        progress: Callable[[int], None],
    ) -> None:
        self.connection = connection
        self.trust = trust
        self.progress = progress
        self.report = Report()
        self.samples = SampleCheck(connection, self.report, horizon_us=microseconds(now - retention))
        self.events: list[tuple[int, bytes, bytes]] = []
        self.tiles: list[bytes] = []  # roots of the full subtrees of 256 entries
        self.start_us: int | None = None  # when the ledger began

    def all(self) -> Report:
        checkpoints = self._checkpoints()
        self._entries(checkpoints)
        self._nodes()
        self.samples.compare(self.start_us)
        self._private()
        row = self.connection.execute("SELECT count(*) FROM sqal_ledger_queue").fetchone()
        assert row is not None
        self.report.not_covered += int(row[0])
        return self.report

    # --- checkpoints

    def _checkpoints(self) -> dict[int, list[tuple[str, bytes]]]:
        """Roots that must be found, by size; who says so beside each."""
        found: dict[int, list[tuple[str, bytes]]] = {}
        newest: Checkpoint | None = None
        rows = self.connection.execute("SELECT size, root, time, note FROM sqal_ledger_checkpoints ORDER BY size")
        last: datetime | None = None
        named = self._named_keys()
        for size, root, time, note in rows:
            self.report.checkpoints += 1
            checkpoint = self._trusted(note, f"the stored checkpoint of {size} entries", also=named)
            if checkpoint is None:
                continue
            if (checkpoint.size, checkpoint.root, checkpoint.time) != (size, bytes(root), time):
                self.report.add("checkpoint_altered", None, f"the row of size {size} differs from its signed note")
            if last is not None and time < last:
                self.report.add("checkpoint_order", None, f"the checkpoint of {size} entries is older than one before")
            last = time
            found.setdefault(checkpoint.size, []).append(("the database", checkpoint.root))
            newest = checkpoint
        if newest is not None and not self._is_trusted(newest):
            self.report.add("checkpoint_untrusted", None, "the newest stored checkpoint is signed by no trusted key")
            newest = None
        for number, note in enumerate(self.trust.notes, start=1):
            outside = self._trusted(note, f"outside checkpoint {number}")
            if outside is None:
                continue
            found.setdefault(outside.size, []).append(("an outside checkpoint", outside.root))
            if newest is None or outside.size > newest.size:
                newest = outside
        self.report.checkpoint = newest
        return found

    def _trusted(self, note: str, name: str, *, also: Sequence[PublicKey] = ()) -> Checkpoint | None:
        try:
            return verify_note(note, [*self.trust.keys, *also], self.trust.check)
        except ChainError as error:
            self.report.add("checkpoint_invalid", None, f"{name}: {error}")
            return None

    def _is_trusted(self, checkpoint: Checkpoint) -> bool:
        ours = {(key.name, key.key_id) for key in self.trust.keys}
        return any((name, key_id) in ours for name, key_id, _ in checkpoint.signatures)

    def _named_keys(self) -> list[PublicKey]:
        """Keys that the ledger itself names: good for old checkpoints, once a trusted one covers the entries."""
        keys: list[PublicKey] = []
        for (data,) in self.connection.execute("SELECT entry FROM sqal_ledger WHERE subject = 'ledger'"):
            try:
                entry = decode_entry(bytes(data))
                if isinstance(entry, EventEntry) and entry.type == "ledger_keys":
                    keys += [parse_key(key) for key in msgspec.json.decode(entry.public, type=KeyList).keys]
            except (ChainError, msgspec.MsgspecError):
                continue  # the pass over the entries says what is wrong with it
        return keys

    # --- entries

    def _entries(self, checkpoints: dict[int, list[tuple[str, bytes]]]) -> None:
        """Hash every entry again, build the tree again, compare it with every checkpoint."""
        tree, last_good, tile = Frontier(), 0, list[bytes]()
        self._check_root(tree, checkpoints, last_good)
        covered = self.report.checkpoint.size if self.report.checkpoint else 0
        for index, entry, stored_hash, lot, subject in self._rows():
            if index != tree.size:
                self._hole(tree, index)
                tree = Frontier()  # nothing after a hole can be compared with a root
                checkpoints = {}
                tree.size = index
            leaf = leaf_hash(entry)
            if leaf != stored_hash:
                self.report.add("entry_altered", index, "its bytes do not hash to its stored hash")
            self._entry(index, entry, leaf, lot, subject)
            tile.append(stored_hash)
            if len(tile) == TILE:
                self.tiles.append(_root(tile))
                tile = []
            if checkpoints or not self.report.findings_total:
                tree.append(leaf)
            else:
                tree.size += 1
            if tree.size in checkpoints:
                last_good = self._check_root(tree, checkpoints, last_good)
            self.report.entries += 1
            if self.report.entries % 10_000 == 0:
                self.progress(self.report.entries)
        for size in sorted(checkpoints):
            if size > tree.size:
                who = checkpoints[size][0][0]
                self.report.add(
                    "truncated", tree.size, f"{who} proves {size} entries, but the ledger ends after {tree.size}"
                )
                break
        self.report.not_covered += max(0, tree.size - covered)
        if tree.size > covered and self.report.checkpoint is None:
            self.report.add("no_checkpoint", None, "no trusted checkpoint covers any entry: nothing is proven")

    def _hole(self, tree: Frontier, index: int) -> None:
        code = "entry_missing" if index > tree.size else "entry_order"
        self.report.add(code, tree.size, f"entry {tree.size} is not there, entry {index} follows")

    def _check_root(self, tree: Frontier, checkpoints: dict[int, list[tuple[str, bytes]]], last_good: int) -> int:
        root = tree.root()
        for who, expected in checkpoints.get(tree.size, ()):
            if expected != root:
                self.report.add(
                    "fork",
                    last_good,
                    f"the tree of {tree.size} entries is not the one that {who} proves; the entries {last_good} to"
                    f" {tree.size - 1} are not those that were signed",
                    until=tree.size,
                )
                return last_good
        return tree.size

    def _rows(self) -> Iterator[tuple[Any, ...]]:
        with self.connection.cursor() as cursor, cursor.copy(ENTRIES) as copy:
            copy.set_types(["int8", "bytea", "bytea", "int4", "text"])
            yield from copy.rows()

    def _entry(self, index: int, data: bytes, leaf: bytes, lot: int | None, subject: str | None) -> None:
        try:
            entry = decode_entry(data)
        except ChainError as error:
            self.report.add("entry_unreadable", index, str(error))
            return
        if (entry.lot_id or None) != lot:
            self.report.add("index_altered", index, f"its column lot_id says {lot}, the entry {entry.lot_id or None}")
        if isinstance(entry, SamplesEntry):
            if subject is not None:
                self.report.add("index_altered", index, "its column subject is set, the entry is of samples")
            self.samples.expect(index, entry, leaf)
            return
        if entry.subject != subject:
            self.report.add("index_altered", index, f"its column subject says {subject!r}, the entry {entry.subject!r}")
        if self.start_us is None:
            self.start_us = entry.time_us
        if entry.reference != NO_REFERENCE:
            self.events.append((index, entry.reference, entry.commitment))

    # --- what is derived

    def _nodes(self) -> None:
        """Stored roots of full subtrees, against those of the stored hashes."""
        level = self.tiles
        for height in HEIGHTS:
            rows = self.connection.execute(
                "SELECT node_index, hash FROM sqal_ledger_nodes WHERE height = %s ORDER BY node_index", (height,)
            )
            stored = {number: bytes(value) for number, value in rows}
            for number, value in enumerate(level):
                if stored.pop(number, None) != value:
                    self.report.add(
                        "node_altered", number << height, f"the stored subtree {number} of height {height} is wrong"
                    )
            for number in stored:
                self.report.add("node_altered", None, f"there is no subtree {number} of height {height}")
            level = [_root(level[at : at + TILE]) for at in range(0, len(level) // TILE * TILE, TILE)]

    def _private(self) -> None:
        """Personal parts of events: unchanged, or erased."""
        rows = self.connection.execute("SELECT reference, salt, document FROM sqal_ledger_private").fetchall()
        kept = {reference.bytes: (bytes(salt), document) for reference, salt, document in rows}
        for index, reference, sealed in self.events:
            found = kept.pop(reference, None)
            if found is None:
                self.report.erased += 1
                continue
            salt, document = found
            if len(salt) < 16 or commitment(salt, document.encode()) != sealed:
                self.report.add("private_altered", index, "its personal part is not the one that was committed to")
        waiting = self.connection.execute("SELECT entry FROM sqal_ledger_queue WHERE entry IS NOT NULL").fetchall()
        for (data,) in waiting:
            entry = decode_entry(bytes(data))
            assert isinstance(entry, EventEntry)
            kept.pop(entry.reference, None)
        if kept:
            self.report.add("private_inserted", None, f"{len(kept)} personal parts belong to no entry")


def _root(leaves: Sequence[bytes]) -> bytes:
    """The root of a full subtree, level by level: shares nothing with the tree that is appended to."""
    level = list(leaves)
    while len(level) > 1:
        level = [node_hash(level[at], level[at + 1]) for at in range(0, len(level), 2)]
    return level[0]
