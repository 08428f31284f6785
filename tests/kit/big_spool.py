"""A spool as large as its bound, made quickly: one real sample, repeated under ascending numbers."""

import sqlite3
import uuid
from contextlib import closing
from datetime import UTC, datetime
from pathlib import Path

from contract.codec import encode
from edge.clock import SYNCED
from edge.packing import checksum, pack
from edge.rows import Kind, Stamp, position_of
from tests.kit.fix_spool import sample

INSERT = "INSERT INTO rows (position, kind, stamped, monotonic_ns, crc, body) VALUES (?, ?, 1, ?, ?, ?)"


def fill(path: Path, boot_id: uuid.UUID, number: int, first_seq: int, bytes_min: int) -> int:
    """Add samples of boot `number` from `first_seq` on to a closed spool until it has `bytes_min`; returns the last."""
    seq, added = first_seq, 0
    stamp = Stamp(boot_id, seq, datetime(2026, 11, 23, tzinfo=UTC), SYNCED)
    body = pack(encode(sample(stamp)))
    with closing(sqlite3.connect(path, isolation_level=None)) as connection:
        connection.execute("PRAGMA synchronous=OFF")
        connection.execute("BEGIN")
        while added < bytes_min:
            position = position_of(number, seq)
            crc = checksum(position, Kind.SAMPLE, True, seq, body)
            connection.execute(INSERT, (position, Kind.SAMPLE, seq, crc, body))
            seq, added = seq + 1, added + len(body) + 64
        connection.execute("COMMIT")
    return seq - 1
