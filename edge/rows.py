"""What the spool holds: numbered messages as bytes, and the one integer that orders them.

A position is `boot number << 40 | seq`: messages of one boot lie together, in the order of measurement, and a receipt's
range is a range of positions. The boot number is local to one spool file; on the wire a boot is its UUID.
"""

import random
import uuid
import zlib
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from enum import IntEnum

from msgspec.structs import replace

from contract.messages import Event, Gap
from contract.sample import ClockQuality, Sample

SEQ_BITS = 40  # 2**40 messages are 2,300 years at 15 a second
SEQ_MAX = (1 << SEQ_BITS) - 1
EPOCH = datetime(1970, 1, 1, tzinfo=UTC)  # stands in a body whose time is not known yet; never sent

Message = Sample | Event


class Kind(IntEnum):
    """What a row is. A full spool gives up samples before events; a gap gives way only to a gap that tells more."""

    SAMPLE = 0
    EVENT = 1
    GAP = 2


@dataclass(frozen=True, slots=True)
class Stamp:
    """What the spool gives a message at birth: its number and its time. `timestamp` is EPOCH while nobody knows it."""

    boot_id: uuid.UUID
    seq: int
    timestamp: datetime
    clock: ClockQuality


Build = Callable[[Stamp], Message]
BuildGap = Callable[[Stamp, Gap], Event]


@dataclass(frozen=True, slots=True)
class Row:
    """One numbered message. `stamped`: the time in `body` is final. monotonic_ns: of the agent's clock, at capture.

    `message` is what `body` encodes, present while the row has not been read back from disk.
    """

    position: int
    kind: Kind
    stamped: bool
    monotonic_ns: int
    body: bytes
    message: Message | None = field(default=None, compare=False, repr=False)

    @property
    def seq(self) -> int:
        """The number within its boot."""
        return self.position & SEQ_MAX


@dataclass(frozen=True, slots=True)
class Span:
    """Positions `first` to `last`, both included, all of one boot."""

    first: int
    last: int


@dataclass(frozen=True, slots=True)
class Boot:
    """One start of the agent. machine_boot: which start of the machine it fell into. anchor_ns: wall time of its
    monotonic zero, once known."""

    boot_id: uuid.UUID
    machine_boot: str
    anchor_ns: int | None
    synced: bool


def position_of(boot: int, seq: int) -> int:
    """Where message `seq` (1 to SEQ_MAX) of the file's boot number `boot` lies."""
    assert 1 <= seq <= SEQ_MAX
    return boot << SEQ_BITS | seq


def runs(positions: list[int]) -> list[Span]:
    """`positions` (ascending) as unbroken runs; boots never touch, since seq begins at 1."""
    spans: list[Span] = []
    for position in positions:
        if spans and position == spans[-1].last + 1:
            spans[-1] = Span(spans[-1].first, position)
        else:
            spans.append(Span(position, position))
    return spans


def utc_from_ns(wall_ns: int) -> datetime:
    """Nanoseconds since 1970 as UTC, to the microsecond; exact, where a float would round."""
    return EPOCH + timedelta(microseconds=wall_ns // 1000)


def new_boot_id(unix_ms: int, chance: random.Random) -> uuid.UUID:
    """A UUIDv7 (RFC 9562 section 5.7): time in front, so that boots sort, and 74 bits of chance behind it."""
    value = (unix_ms & (1 << 48) - 1) << 80 | chance.getrandbits(80)
    value = value & ~(0xF << 76) | 7 << 76
    value = value & ~(0x3 << 62) | 2 << 62
    return uuid.UUID(int=value)


def as_history(body: bytes) -> bytes:
    """`body`, a message without `hist`, saying that it is sent from backlog."""
    assert body.endswith(b"}")
    return body[:-1] + b',"hist":true}'


def boot_crc(number: int, boot_id: bytes, machine_boot: str, anchor_ns: int | None, synced: int) -> int:
    """What an entry of `boots` is checked with."""
    return zlib.crc32(f"{number}|{boot_id.hex()}|{machine_boot}|{anchor_ns}|{int(synced)}".encode())


def merged(gaps: list[Gap]) -> list[Gap]:
    """`gaps` with those that touch or overlap made one; of two reasons, that of a full spool: it is why they meet."""
    found: list[Gap] = []
    for gap in sorted(gaps, key=lambda each: (each.boot_id, each.first_seq)):
        last = found[-1] if found else None
        if last is not None and last.boot_id == gap.boot_id and gap.first_seq <= last.last_seq + 1:
            reason = gap.reason if gap.reason == last.reason else "spool_full"
            found[-1] = replace(last, last_seq=max(last.last_seq, gap.last_seq), reason=reason)
        else:
            found.append(gap)
    return found
