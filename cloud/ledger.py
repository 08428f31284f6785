"""The ledger's one writer: takes what is queued, appends it to the tree, signs checkpoints, shows them around.

Off the path of ingest on purpose: ingest only queues digests. Leaves, nodes and their checkpoint are committed in one
transaction before anybody sees the checkpoint, so whatever crashes, no two checkpoints of one size can differ. The file
beside the database remembers the newest checkpoint: a database that was set back behind it is not written to, because
its next checkpoint would be a fork.

Errors:

    Exception
    └── LedgerError   the ledger cannot be continued; one sentence for a person
"""

from collections.abc import Callable, Sequence
from datetime import datetime
from itertools import groupby
from pathlib import Path
from typing import Any, NamedTuple

import psycopg
from psycopg.rows import TupleRow

from cloud.ledger_keys import Signer, check_signature, write_durably
from cloud.ledger_queue import LedgerEvent, queue_event
from cloud.ledger_tree import HEIGHTS, TILE, StoredTree
from cloud.settings import LedgerSettings
from cloud.store.queries import Queries
from contract.chain import (
    ITEMS_MAX,
    NOTHING,
    ChainError,
    EventEntry,
    Frontier,
    Item,
    SamplesEntry,
    decode_entry,
    encode_entry,
    leaf_hash,
    microseconds,
    node_hash,
)
from contract.checkpoint import Checkpoint, checkpoint_body, parse_note, signed_note, verify_note

ROUND_MAX = 10_000  # queued rows of one transaction and checkpoint; some 0.3 s of work
SUBJECT = "ledger"

Connection = psycopg.AsyncConnection[TupleRow]


class LedgerError(Exception):
    """The ledger cannot be continued; one sentence for a person."""


class Queued(NamedTuple):
    """A row of the queue."""

    queue_id: int
    entry: bytes | None
    time: datetime | None
    device_id: str | None
    sample_id: str | None
    lot_id: int | None
    digest: bytes | None
    commitment: bytes | None
    record_version: int


class Leaf(NamedTuple):
    """An entry on its way into the tree."""

    entry: bytes
    lot_id: int | None
    subject: str | None
    sample_ids: tuple[str, ...]


def leaves_of(rows: Sequence[Queued], *, batch: str) -> list[Leaf]:
    """Entries in order: one for each sample and event, or with `batch` "lot" one for the samples of each lot."""
    events = [_event_leaf(row.entry) for row in rows if row.entry is not None]
    samples = [row for row in rows if row.entry is None]
    if batch == "piece":
        return [_samples_leaf([row]) for row in samples] + events
    samples.sort(key=lambda row: (row.lot_id or 0, row.record_version, row.queue_id))
    groups = [list(group) for _, group in groupby(samples, key=lambda row: (row.lot_id, row.record_version))]
    parts = [group[at : at + ITEMS_MAX] for group in groups for at in range(0, len(group), ITEMS_MAX)]
    return [_samples_leaf(part) for part in parts] + events


def _samples_leaf(rows: Sequence[Queued]) -> Leaf:
    lot = rows[0].lot_id
    items: list[Item] = []
    for row in rows:
        assert row.time is not None
        assert row.device_id is not None
        assert row.sample_id is not None
        assert row.digest is not None
        sealed = NOTHING if row.commitment is None else bytes(row.commitment)
        items.append(Item(microseconds(row.time), row.device_id, row.sample_id, bytes(row.digest), sealed))
    entry = encode_entry(SamplesEntry(lot or 0, tuple(items), rows[0].record_version))
    return Leaf(entry, lot, None, tuple(item.sample_id for item in items))


def _event_leaf(data: bytes) -> Leaf:
    entry = decode_entry(bytes(data))
    assert isinstance(entry, EventEntry)
    return Leaf(bytes(data), entry.lot_id or None, entry.subject, ())


class Ledger:
    """The tree as its writer holds it. One at a time: `open` takes the lock and checks that it may go on."""

    def __init__(
        self,
        connection: Connection,
        queries: Queries,
        settings: LedgerSettings,
        signers: Sequence[Signer],
        now: Callable[[], datetime],
    ) -> None:
        self._connection = connection
        self._queries = queries
        self._settings = settings
        self._signers = signers
        self._now = now
        self._frontier = Frontier()
        self.latest: str | None = None  # the newest note

    async def open(self) -> None:
        """Load the tree and compare it with the newest checkpoint, in database and file. Raises LedgerError."""
        if any(signer.public.name != self._settings.origin for signer in self._signers):
            raise LedgerError(
                f"the keys in {self._settings.key_file} are not for ledger.origin {self._settings.origin}"
            )
        newest = await self._one("ledger_latest_checkpoint")
        size = 0 if newest is None else int(newest[0])
        try:
            self._frontier = await StoredTree(self._read, size).frontier()
        except ChainError as error:
            raise LedgerError(f"the ledger is damaged: {error}; `sqal ledger verify` says where") from error
        if newest is not None and self._frontier.root() != bytes(newest[1]):
            raise LedgerError("the ledger's tree is not that of its newest checkpoint; `sqal ledger verify` says where")
        await self._compare_file(size)
        if newest is not None:
            self.latest = newest[3]
            self._write_file()
        await self._tell_keys()

    async def _compare_file(self, size: int) -> None:
        known = self._remembered()
        if known is None:
            return
        if known.size > size:
            raise LedgerError(
                f"the database holds {size} entries, but a checkpoint of {known.size} was published: it was set back, "
                "and going on would fork the ledger"
            )
        if known.size and await StoredTree(self._read, known.size).root() != known.root:
            raise LedgerError(f"the ledger does not contain its own checkpoint of {known.size} entries: it was changed")

    def _remembered(self) -> Checkpoint | None:
        """The checkpoint in the file beside the database. Raises LedgerError."""
        path = Path(self._settings.checkpoint_file)
        keys = [signer.public for signer in self._signers]
        try:
            return verify_note(path.read_text(encoding="utf-8"), keys, check_signature) if path.exists() else None
        except (ChainError, OSError, UnicodeDecodeError) as error:
            raise LedgerError(f"the checkpoint in {path} cannot be trusted: {error}") from error

    async def _tell_keys(self) -> None:
        """Note in the ledger which keys sign it, whenever they changed."""
        keys = [str(signer.public) for signer in self._signers]
        cursor = await self._connection.execute(
            "SELECT entry FROM sqal_ledger WHERE subject = %s ORDER BY leaf_index DESC LIMIT 1", (SUBJECT,)
        )
        row = await cursor.fetchone()
        event = LedgerEvent("ledger_keys", SUBJECT, self._now(), None, {"keys": keys})
        if row is not None:
            said = decode_entry(bytes(row[0]))
            if isinstance(said, EventEntry) and f'"keys":{_json_list(keys)}' in said.public:
                return
        async with self._connection.transaction():
            await queue_event(self._connection, self._queries, event)

    async def write_round(self) -> Checkpoint | None:
        """Append what is queued and sign a checkpoint; None when nothing waited. Raises psycopg.Error, OSError."""
        rows = await self._queued()
        if not rows:
            return None
        async with self._connection.transaction():
            note = await self._append(rows)
        self.latest = note
        self._write_file()
        return parse_note(note)

    async def _append(self, rows: Sequence[Queued]) -> str:
        leaves = leaves_of(rows, batch=self._settings.batch)
        first = self._frontier.size
        hashes = [leaf_hash(leaf.entry) for leaf in leaves]
        nodes = self._grow(hashes)
        root, time = self._frontier.root(), self._now()
        body = checkpoint_body(self._settings.origin, self._frontier.size, root, time)
        note = signed_note(body, [(each.public, each.private.sign) for each in self._signers])
        async with self._connection.cursor() as cursor:
            async with cursor.copy(
                "COPY sqal_ledger (leaf_index, entry, leaf_hash, lot_id, subject) FROM STDIN"
            ) as copy:
                for n, leaf in enumerate(leaves):
                    await copy.write_row((first + n, leaf.entry, hashes[n], leaf.lot_id, leaf.subject))
            async with cursor.copy("COPY sqal_ledger_nodes (height, node_index, hash) FROM STDIN") as copy:
                for node in nodes:
                    await copy.write_row(node)
            statement = (
                "COPY sqal_blockchain_txns (sample_id, block_hash, txn_hash, timestamp, contract_address) FROM STDIN"
            )
            async with cursor.copy(statement) as copy:
                for n, leaf in enumerate(leaves):
                    for sample_id in leaf.sample_ids:
                        await copy.write_row((sample_id, root.hex(), hashes[n].hex(), time, self._settings.origin))
            await cursor.execute(
                "INSERT INTO sqal_ledger_checkpoints (size, root, time, note) VALUES (%s, %s, %s, %s)",
                (self._frontier.size, root, time, note),
            )
            await cursor.execute(
                "DELETE FROM sqal_ledger_queue WHERE queue_id = ANY(%s)", ([r.queue_id for r in rows],)
            )
        return note

    def _grow(self, hashes: Sequence[bytes]) -> list[tuple[int, int, bytes]]:
        """Append to the tree; the nodes that became full."""
        nodes: list[tuple[int, int, bytes]] = []
        frontier = self._frontier
        for leaf in hashes:
            full = frontier.size + 1
            before = () if full % TILE else frontier.peaks
            frontier.append(leaf)
            closed = [] if full % TILE else [height for height in HEIGHTS if full % (1 << height) == 0]
            nodes += [(height, (full >> height) - 1, _merged(leaf, before, height)) for height in closed]
        return nodes

    async def _queued(self) -> list[Queued]:
        cursor = await self._connection.execute(
            "SELECT queue_id, entry, time, device_id, sample_id, lot_id, digest, commitment, record_version"
            " FROM sqal_ledger_queue ORDER BY queue_id LIMIT %s",
            (ROUND_MAX,),
            binary=True,
        )
        return [Queued(*row) for row in await cursor.fetchall()]

    def _write_file(self) -> None:
        assert self.latest is not None
        write_durably(Path(self._settings.checkpoint_file), self.latest, mode=0o644)

    async def _read(self, name: str, values: dict[str, Any]) -> list[bytes]:
        cursor = await self._connection.execute(self._queries[name], values, binary=True)
        return [row[0] for row in await cursor.fetchall()]

    async def _one(self, name: str) -> TupleRow | None:
        return await (await self._connection.execute(self._queries[name])).fetchone()


def _merged(leaf: bytes, peaks: Sequence[bytes], height: int) -> bytes:
    """The root of the full subtree of `height` that `leaf` closes, given the peaks before it."""
    for peak in reversed(peaks[len(peaks) - height :]):
        leaf = node_hash(peak, leaf)
    return leaf


def _json_list(words: Sequence[str]) -> str:
    return "[" + ",".join(f'"{word}"' for word in words) + "]"
