"""The samples as stored, against what the ledger's entries say of them: one pass over the samples, compared as arrays.

Every sample and every digest is kept as 64 bits of a hash with a secret of this run alone (Python draws that of its own
`hash` of texts at its start), so that nobody can prepare rows that collide. Rows come by COPY: the database computes
the next ones while these are hashed.
"""

import hashlib
import secrets
from array import array
from datetime import UTC, datetime, timedelta
from typing import Any

import numpy as np
import psycopg

from cloud.ledger_report import FINDINGS_MAX, Report
from contract.chain import NOTHING, RECORD_VERSIONS, SamplesEntry, microseconds
from contract.record import COLUMNS, personal_sql, record_sql

FETCH_ROWS = 2_000
MASK = (1 << 64) - 1
# Expressions of our own, no view of the database: who may change a view could make it say what was signed.
SCAN = """COPY (
    SELECT (extract(epoch FROM s.time) * 1000000)::BIGINT, s.device_id::TEXT, s.sample_id::TEXT,
        {personal}, k.salt{records}
    FROM public.sqal_sensor_samples AS s LEFT JOIN LATERAL (
        SELECT salts.salt FROM public.sqal_ledger_salts AS salts
        WHERE salts.time = s.time AND salts.device_id = s.device_id AND salts.sample_id = s.sample_id
    ) AS k ON TRUE
) TO STDOUT (FORMAT BINARY)"""
TXNS = "COPY (SELECT sample_id::TEXT, txn_hash::TEXT FROM public.sqal_blockchain_txns) TO STDOUT (FORMAT BINARY)"
FACTOR_BITS = 256

Connection = psycopg.Connection[tuple[Any, ...]]
Shorts = np.ndarray[Any, np.dtype[np.uint64]]
EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


class SampleCheck:
    """First every entry is told by `expect`, then `compare` reads the samples."""

    def __init__(self, connection: Connection, report: Report, *, horizon_us: int) -> None:
        """Samples older than `horizon_us` (microseconds since 1970) may be missing: retention took them."""
        self._connection = connection
        self._report = report
        self._horizon_us = horizon_us
        self._factor = secrets.randbits(FACTOR_BITS) | 1
        # what entries say, one place for each sample
        self._keys = array("Q")
        self._contents = array("Q")
        self._seals = array("Q")  # 0: nothing personal
        self._indices = array("Q")
        self._times = array("q")
        self._txns = array("Q")
        self._versions = array("B")  # of the record that the digest is of
        # what is stored, one place for each row
        self._row_keys = array("Q")
        self._row_contents = {version: array("Q") for version in RECORD_VERSIONS}
        self._row_seals = array("Q")  # 0: nothing personal; 1: personal data without a salt

    def _short(self, digest: bytes) -> int:
        """64 bits of a 32-byte digest, by a factor of this run alone (multiply-shift)."""
        return (int.from_bytes(digest) * self._factor >> FACTOR_BITS - 64) & MASK

    def expect(self, index: int, entry: SamplesEntry, leaf: bytes) -> None:
        """Remember what entry `index`, whose hash is `leaf`, says of its samples."""
        code = leaf.hex()
        for item in entry.items:
            self._keys.append(_key(item.time_us, item.device_id, item.sample_id))
            self._contents.append(self._short(item.digest))
            self._seals.append(0 if item.commitment == NOTHING else self._short(item.commitment))
            self._indices.append(index)
            self._times.append(item.time_us)
            self._versions.append(entry.record)
            self._txns.append(hash((item.sample_id, code)) & MASK)

    def compare(self, began_us: int | None) -> None:
        """Read the samples and say what differs. began_us: when the ledger began; older samples are not in it."""
        self._scan()
        self._report.samples = len(self._row_keys)
        ours, theirs = _shorts(self._keys), _shorts(self._row_keys)
        order = np.argsort(theirs, kind="stable")
        places = np.searchsorted(theirs[order], ours)
        is_there = np.zeros(len(ours), bool)
        inside = places < len(theirs)
        is_there[inside] = theirs[order][places[inside]] == ours[inside]
        self._missing(np.flatnonzero(~is_there))
        here = np.flatnonzero(is_there)
        self._compare_contents(here, order[places[here]])
        self._strangers(set(theirs[~np.isin(theirs, ours)].tolist()), began_us)
        self._twice(ours)
        self._transactions()

    def _scan(self) -> None:
        wanted = sorted(set(self._versions))
        records = "".join(f", {record_sql(COLUMNS[version])}" for version in wanted)
        statement = SCAN.format(personal=personal_sql(), records=records)
        with self._connection.cursor() as cursor, cursor.copy(statement.encode()) as copy:
            copy.set_types(["int8", "text", "text", "bytea", "bytea", *("bytea" for _ in wanted)])
            for time_us, device, sample_id, personal, salt, *found in copy.rows():
                self._row_keys.append(_key(time_us, device, sample_id))
                for version, record in zip(wanted, found, strict=True):
                    self._row_contents[version].append(self._short(hashlib.sha256(record).digest()))
                if personal is None:
                    seal = 0
                else:
                    seal = 1 if salt is None else self._short(hashlib.sha256(salt + personal).digest())
                self._row_seals.append(seal)

    def _missing(self, missing: Any) -> None:
        for at in map(int, missing):
            if self._times[at] < self._horizon_us:
                self._report.expired += 1
            else:
                self._report.add("sample_deleted", self._indices[at], f"its sample of {self._when(at)} is gone")

    def _compare_contents(self, here: Any, rows: Any) -> None:
        report = self._report
        contents, versions = _shorts(self._contents)[here], np.array(self._versions, np.uint8)[here]
        differs = np.zeros(len(here), bool)
        for version in set(self._versions):
            differs |= (versions == version) & (contents != _shorts(self._row_contents[version])[rows])
        report.older_records = int(np.count_nonzero(versions != RECORD_VERSIONS[-1]))
        for at in here[differs]:
            report.add("sample_altered", self._indices[int(at)], f"its sample of {self._when(int(at))} was changed")
        seals, stored = _shorts(self._seals)[here], _shorts(self._row_seals)[rows]
        report.erased += int(np.count_nonzero((seals != 0) & (stored == 0)))
        for at in here[(seals != stored) & (stored != 0)]:
            report.add("personal_altered", self._indices[int(at)], "its sample's personal data were changed or added")

    def _strangers(self, suspects: set[int], began_us: int | None) -> None:
        """Samples of a lot that no entry knows: queued, or older than the ledger, or slipped in."""
        waiting = "SELECT time, device_id, sample_id FROM sqal_ledger_queue WHERE entry IS NULL"
        for time, device, sample_id in self._connection.execute(waiting):
            suspects.discard(_key(microseconds(time), device, sample_id))
        if not suspects:
            return
        with self._connection.cursor("ledger_strangers") as cursor:
            cursor.itersize = FETCH_ROWS
            cursor.execute(
                "SELECT time, device_id, sample_id, ingested_at FROM sqal_sensor_samples WHERE lot_id IS NOT NULL"
            )
            for time, device, sample_id, ingested_at in cursor:
                at = microseconds(time)
                is_older = began_us is not None and max(at, microseconds(ingested_at)) < began_us
                if _key(at, device, sample_id) in suspects and not is_older:
                    self._report.add("sample_inserted", None, f"sample {sample_id!r} of {time} is in no entry")

    def _twice(self, ours: Shorts) -> None:
        unique, counts = np.unique(ours, return_counts=True)
        for key in unique[counts > 1]:
            at = int(np.flatnonzero(ours == key)[1])
            self._report.add("entry_repeated", self._indices[at], "its sample is in an earlier entry already")

    def _transactions(self) -> None:
        """`sqal_blockchain_txns` says of each sample which leaf it is in."""
        stored = array("Q")
        with self._connection.cursor() as cursor, cursor.copy(TXNS) as copy:
            copy.set_types(["text", "text"])
            for row in copy.rows():
                stored.append(hash(row) & MASK)
        ours, theirs = _shorts(self._txns), _shorts(stored)
        for at in np.flatnonzero(~np.isin(ours, theirs))[:FINDINGS_MAX]:
            self._report.add("txn_missing", self._indices[int(at)], "a sample of it is not in sqal_blockchain_txns")
        if len(theirs) != len(ours) or not bool(np.isin(theirs, ours).all()):
            detail = f"sqal_blockchain_txns has {len(theirs)} rows for {len(ours)} samples of entries"
            self._report.add("txn_differs", None, detail)

    def _when(self, at: int) -> str:
        return (EPOCH + timedelta(microseconds=self._times[at])).isoformat()


def _key(time_us: int, device: str, sample_id: str) -> int:
    return hash((time_us, device, sample_id)) & MASK


def _shorts(values: "array[int]") -> Shorts:
    return np.array(values, np.uint64)
