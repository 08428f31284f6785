"""The ledger's arithmetic: how an entry is encoded, hashed and proven. Pure; knows no database, no clock, no key file.

The tree is RFC 9162's (section 2.1): leaf = SHA-256(00 ‖ entry), node = SHA-256(01 ‖ left ‖ right), the root of no
entries SHA-256 of nothing. No library does it for us: pymerkle keeps the whole tree in memory or in a database of its
own; it is the oracle of the tests.

An entry, byte by byte (all integers big-endian, `text` = u16 length ‖ UTF-8, `time` = i64 microseconds since
1970-01-01T00:00Z):

    01 or 02              version: of the record that digests of samples are of (contract/record.py); an event has 01
    01 samples            i32 lot (0: none) ‖ u32 count ‖ count times:
                              time ‖ text device ‖ text sample id ‖ 32 bytes digest ‖ 32 bytes commitment
    02 event              time ‖ text type ‖ text subject ‖ i32 lot (0: none) ‖ u32 length ‖ public JSON, UTF-8
                              ‖ 16 bytes reference ‖ 32 bytes commitment

`digest` is SHA-256 of the sample's record (contract/record.py, docs/traceability.md): record 1 in an entry of version
01, record 2, which covers every stored column, in one of version 02. Entries of either version are read for ever, new
ones are of version 02.
`commitment` is SHA-256(salt ‖ personal data): who erases the salt makes it say nothing; 32 zero bytes mean that there
was nothing personal. The one thing a newcomer gets wrong: the hash of an entry says nothing about time or order, its
place in the tree does.

Errors:

    ValueError
    └── ChainError   an entry, a proof or a number that cannot be what it says
"""

import hashlib
import struct
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

HASH_BYTES = 32
NOTHING = bytes(HASH_BYTES)  # the commitment to no personal data
NO_REFERENCE = bytes(16)
EVENT_VERSION = 1
RECORD_VERSIONS = (1, 2)
SAMPLES, EVENT = 1, 2
ITEMS_MAX = 10_000  # samples of one entry; a batch of ingest has no more
JSON_BYTES_MAX = 65_536
EPOCH = datetime(1970, 1, 1, tzinfo=UTC)

_HEAD = struct.Struct(">BB")
_SAMPLES_HEAD = struct.Struct(">iI")
_TIME = struct.Struct(">q")
_LENGTH = struct.Struct(">H")
_COUNT = struct.Struct(">I")
_LOT = struct.Struct(">i")

NodeAt = Callable[[int, int], bytes]


class ChainError(ValueError):
    """What is given cannot be an entry or a proof; the text is one sentence."""


@dataclass(frozen=True, slots=True)
class Item:
    """One sample in an entry. time_us: microseconds since 1970, UTC; digest and commitment: 32 bytes."""

    time_us: int
    device_id: str
    sample_id: str
    digest: bytes
    commitment: bytes = NOTHING


@dataclass(frozen=True, slots=True)
class SamplesEntry:
    """Samples of one lot, one or a batch. record: version of the record that their digests are of, 1 or 2."""

    lot_id: int
    items: tuple[Item, ...]
    record: int = RECORD_VERSIONS[-1]


@dataclass(frozen=True, slots=True)
class EventEntry:
    """What a person or a system did. public: canonical JSON; reference: where the personal part is kept, 16 bytes."""

    time_us: int
    type: str
    subject: str
    lot_id: int
    public: str
    reference: bytes = NO_REFERENCE
    commitment: bytes = NOTHING


Entry = SamplesEntry | EventEntry


def microseconds(moment: datetime) -> int:
    """Microseconds since 1970 of an aware time."""
    return (moment - EPOCH) // timedelta(microseconds=1)


def moment_of(time_us: int) -> datetime:
    """The UTC time that `time_us` says. Raises ChainError for one outside datetime's years."""
    try:
        return EPOCH + timedelta(microseconds=time_us)
    except OverflowError as error:
        raise ChainError(f"{time_us} microseconds since 1970 is no time") from error


def commitment(salt: bytes, personal: bytes) -> bytes:
    """The salted commitment to personal data. Raises ChainError for a salt that is too short to hide anything."""
    if len(salt) < 16:
        raise ChainError(f"a salt of {len(salt)} bytes hides nothing, 16 are needed")
    return hashlib.sha256(salt + personal).digest()


def _text(words: str) -> bytes:
    encoded = words.encode()
    if len(encoded) > 0xFFFF:
        raise ChainError(f"a text of {len(encoded)} bytes is too long for an entry")
    return _LENGTH.pack(len(encoded)) + encoded


def encode_entry(entry: Entry) -> bytes:
    """The bytes of an entry. Raises ChainError for a value that does not fit."""
    if isinstance(entry, SamplesEntry):
        if not 1 <= len(entry.items) <= ITEMS_MAX:
            raise ChainError(f"{len(entry.items)} samples in an entry, 1 to {ITEMS_MAX} are possible")
        if entry.record not in RECORD_VERSIONS:
            raise ChainError(f"record {entry.record} of a sample is not known")
        return (
            _HEAD.pack(entry.record, SAMPLES)
            + _SAMPLES_HEAD.pack(entry.lot_id, len(entry.items))
            + b"".join(map(_item, entry.items))
        )
    public = entry.public.encode()
    if len(public) > JSON_BYTES_MAX:
        raise ChainError(f"{len(public)} bytes of public data, at most {JSON_BYTES_MAX} are possible")
    _require(entry.reference, 16, "reference")
    _require(entry.commitment, HASH_BYTES, "commitment")
    return b"".join(
        (
            _HEAD.pack(EVENT_VERSION, EVENT),
            _TIME.pack(entry.time_us),
            _text(entry.type),
            _text(entry.subject),
            _LOT.pack(entry.lot_id),
            _COUNT.pack(len(public)),
            public,
            entry.reference,
            entry.commitment,
        )
    )


def _item(item: Item) -> bytes:
    _require(item.digest, HASH_BYTES, "digest")
    _require(item.commitment, HASH_BYTES, "commitment")
    return b"".join(
        (_TIME.pack(item.time_us), _text(item.device_id), _text(item.sample_id), item.digest, item.commitment)
    )


def _require(value: bytes, size: int, name: str) -> None:
    if len(value) != size:
        raise ChainError(f"{name} has {len(value)} bytes, not {size}")


def decode_entry(data: bytes) -> Entry:
    """The entry that `data` is; every byte of it is accounted for. Raises ChainError."""
    try:
        version, kind = _HEAD.unpack_from(data)
        if version not in (RECORD_VERSIONS if kind == SAMPLES else (EVENT_VERSION,)):
            raise ChainError(f"version {version} of the encoding is not known")
        if kind == SAMPLES:
            entry, end = _decode_samples(data)
        elif kind == EVENT:
            entry, end = _decode_event(data)
        else:
            raise ChainError(f"kind {kind} of entry is not known")
    except (struct.error, UnicodeDecodeError) as error:
        raise ChainError(f"an entry of {len(data)} bytes breaks off or holds no text: {error}") from error
    if end != len(data):
        raise ChainError(f"an entry of {end} bytes, but {len(data)} are given")
    return entry


def _take(data: bytes, at: int, size: int) -> tuple[bytes, int]:
    if at + size > len(data):
        raise ChainError(f"an entry of {len(data)} bytes breaks off")
    return data[at : at + size], at + size


def _take_text(data: bytes, at: int) -> tuple[str, int]:
    (size,) = _LENGTH.unpack_from(data, at)
    words, at = _take(data, at + 2, size)
    return words.decode(), at


def _decode_samples(data: bytes) -> tuple[SamplesEntry, int]:
    record, (lot, count) = data[0], _SAMPLES_HEAD.unpack_from(data, 2)
    if not 1 <= count <= ITEMS_MAX:
        raise ChainError(f"{count} samples in an entry, 1 to {ITEMS_MAX} are possible")
    at, items = 10, list[Item]()
    for _ in range(count):
        (time_us,) = _TIME.unpack_from(data, at)
        device, at = _take_text(data, at + 8)
        sample, at = _take_text(data, at)
        digest, at = _take(data, at, HASH_BYTES)
        sealed, at = _take(data, at, HASH_BYTES)
        items.append(Item(time_us, device, sample, digest, sealed))
    return SamplesEntry(lot, tuple(items), record), at


def _decode_event(data: bytes) -> tuple[EventEntry, int]:
    (time_us,) = _TIME.unpack_from(data, 2)
    kind, at = _take_text(data, 10)
    subject, at = _take_text(data, at)
    (lot,) = _LOT.unpack_from(data, at)
    (size,) = _COUNT.unpack_from(data, at + 4)
    public, at = _take(data, at + 8, size)
    reference, at = _take(data, at, 16)
    sealed, at = _take(data, at, HASH_BYTES)
    return EventEntry(time_us, kind, subject, lot, public.decode(), reference, sealed), at


def leaf_hash(entry: bytes) -> bytes:
    """RFC 9162, 2.1.1."""
    return hashlib.sha256(b"\x00" + entry).digest()


def node_hash(left: bytes, right: bytes) -> bytes:
    """RFC 9162, 2.1.1."""
    return hashlib.sha256(b"\x01" + left + right).digest()


EMPTY_ROOT = hashlib.sha256(b"").digest()


class Frontier:
    """The tree as far as appending needs it: the roots of its perfect subtrees, at most one for each power of two."""

    def __init__(self, size: int = 0, peaks: Sequence[bytes] = ()) -> None:
        """Begin with `size` entries, whose perfect subtrees from the left have the roots `peaks`."""
        if len(peaks) != size.bit_count():
            raise ChainError(f"{size} entries have {size.bit_count()} peaks, not {len(peaks)}")
        self.size = size
        self._peaks = list(peaks)

    @property
    def peaks(self) -> tuple[bytes, ...]:
        """Roots of the perfect subtrees, from the left."""
        return tuple(self._peaks)

    def append(self, leaf: bytes) -> None:
        """Add the hash of the next leaf."""
        size, peaks = self.size, self._peaks
        while size & 1:
            leaf = node_hash(peaks.pop(), leaf)
            size >>= 1
        peaks.append(leaf)
        self.size += 1

    def root(self) -> bytes:
        """The root of all entries so far."""
        if not self._peaks:
            return EMPTY_ROOT
        *left, root = self._peaks
        for peak in reversed(left):
            root = node_hash(peak, root)
        return root


def root_of(leaves: Iterable[bytes]) -> bytes:
    """The root over hashes of leaves."""
    tree = Frontier()
    for leaf in leaves:
        tree.append(leaf)
    return tree.root()


def split(size: int) -> int:
    """The largest power of two below `size`, which is at least 2: where RFC 9162 divides a tree."""
    return 1 << ((size - 1).bit_length() - 1)


def inclusion_proof(index: int, size: int, subtree: NodeAt) -> list[bytes]:
    """The hashes that lead from leaf `index` to the root of `size` entries, from the leaf up (RFC 9162, 2.1.3).

    `subtree(start, end)` is the root over leaves start to end. Raises ChainError for an index outside.
    """
    if not 0 <= index < size:
        raise ChainError(f"there is no entry {index} among {size}")
    start, end, path = 0, size, list[bytes]()
    while end - start > 1:
        middle = start + split(end - start)
        if index < middle:
            path.append(subtree(middle, end))
            end = middle
        else:
            path.append(subtree(start, middle))
            start = middle
    return path[::-1]


def verify_inclusion(leaf: bytes, index: int, size: int, proof: Sequence[bytes], root: bytes) -> bool:
    """Whether `leaf` is entry `index` of the `size` entries with this root (RFC 9162, 2.1.3.2)."""
    if not 0 <= index < size:
        return False
    fn, sn, found = index, size - 1, leaf
    for step in proof:
        if sn == 0 or len(step) != HASH_BYTES:
            return False
        if fn & 1 or fn == sn:
            found = node_hash(step, found)
            while fn and not fn & 1:
                fn, sn = fn >> 1, sn >> 1
        else:
            found = node_hash(found, step)
        fn, sn = fn >> 1, sn >> 1
    return sn == 0 and found == root


def consistency_proof(first: int, size: int, subtree: NodeAt) -> list[bytes]:
    """The hashes that show that the tree of `size` entries begins with that of `first` (RFC 9162, 2.1.4).

    Raises ChainError unless 0 < first <= size.
    """
    if not 0 < first <= size:
        raise ChainError(f"a tree of {size} entries has no earlier one of {first}")
    start, end, target, path = 0, size, first, list[bytes]()
    whole = True  # the earlier tree is the whole of what is looked at, so its root is known already
    while target != end:
        middle = start + split(end - start)
        if target <= middle:
            path.append(subtree(middle, end))
            end = middle
        else:
            path.append(subtree(start, middle))
            start, whole = middle, False
    if not whole:
        path.append(subtree(start, end))
    return path[::-1]


def verify_consistency(first: int, size: int, proof: Sequence[bytes], first_root: bytes, root: bytes) -> bool:
    """Whether the tree with `root` begins with the tree with `first_root` (RFC 9162, 2.1.4.2)."""
    if not 0 < first <= size or any(len(step) != HASH_BYTES for step in proof):
        return False
    if first == size:
        return not proof and first_root == root
    steps = list(proof) if first & (first - 1) else [first_root, *proof]
    if not steps:
        return False
    fn, sn = first - 1, size - 1
    while fn & 1:
        fn, sn = fn >> 1, sn >> 1
    old = new = steps[0]
    for step in steps[1:]:
        if sn == 0:
            return False
        if fn & 1 or fn == sn:
            old, new = node_hash(step, old), node_hash(step, new)
            while fn and not fn & 1:
                fn, sn = fn >> 1, sn >> 1
        else:
            new = node_hash(new, step)
        fn, sn = fn >> 1, sn >> 1
    return sn == 0 and old == first_root and new == root
