"""Certificates of lots and animals: a document that proves itself to whoever has the ledger's public key.

It holds a statement (an entry of the ledger, so that it can't be made up later), every sample that the statement sums
up with its entry, the proofs that all of them are in the tree, and a signed checkpoint. `check` needs nothing else: no
database, no network. The code printed on it holds statement, proof and checkpoint.

Errors:

    Exception
    └── CertificateError   the certificate proves nothing; one sentence says why
"""

import base64
import hashlib
import math
import zlib
from collections import Counter
from collections.abc import Iterable, Sequence
from datetime import datetime
from typing import Any

import msgspec

from contract.chain import (
    ChainError,
    EventEntry,
    SamplesEntry,
    decode_entry,
    leaf_hash,
    moment_of,
    verify_inclusion,
)
from contract.checkpoint import Check, Checkpoint, PublicKey, parse_key, verify_note
from contract.record import decode_record

FORMAT = "sqal.certificate/1"
SAMPLES_MAX = 200  # that one certificate embeds: 3 kB each
STATEMENT = "certificate"
GRADES = ("A+", "A", "B", "C", "REJECT")


class CertificateError(Exception):
    """The certificate proves nothing; one sentence says why."""


class Part(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """An entry in base64, its place, and its proof."""

    index: int
    entry: str
    proof: list[str]


class Document(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A certificate. records: what was hashed of each sample, in the order of the entries and their items."""

    format: str
    language: str
    verify_url: str
    key: str
    checkpoint: str
    statement: Part
    entries: list[Part]
    records: list[str]


class Summary(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What a statement says. score: mean; score_sd: spread between pieces; score_u: standard uncertainty of one piece.

    digest: SHA-256 over the digests of all samples in order. total: samples of the lot in the ledger at that time.
    """

    subject: str
    lot_id: int
    lot: str
    site: str
    samples: int
    total: int
    first: str
    last: str
    grade: str
    grades: dict[str, int]
    compliance_pct: float
    score: float
    score_sd: float
    score_u: float | None
    freshness: float | None
    oxidation: float | None
    devices: list[str]
    calibrations: list[str]
    recipes: list[str]
    digest: str
    verify_url: str


def summarise(
    records: Sequence[bytes], *, subject: str, lot_id: int, lot: str, site: str, total: int, verify_url: str
) -> Summary:
    """Sum up samples; the same records give the same figures everywhere. Raises CertificateError, ChainError."""
    if not records:
        raise CertificateError("there is no sample to certify")
    rows = [decode_record(record) for record in records]
    grades = Counter(row["fusion_final_grade"] for row in rows)
    scores = [float(row["fusion_final_score"]) for row in rows]
    mean = math.fsum(scores) / len(scores)
    spread = math.sqrt(math.fsum((score - mean) ** 2 for score in scores) / max(1, len(scores) - 1))
    digest = hashlib.sha256(b"".join(hashlib.sha256(record).digest() for record in records))
    times = [row["time"].isoformat() for row in rows]
    return Summary(
        subject=subject,
        lot_id=lot_id,
        lot=lot,
        site=site,
        samples=len(rows),
        total=total,
        first=min(times),
        last=max(times),
        grade=max(GRADES, key=lambda grade: grades[grade]),
        grades={grade: grades[grade] for grade in GRADES},
        compliance_pct=round(100 * sum(row["fusion_is_compliant"] is True for row in rows) / len(rows), 2),
        score=round(mean, 4),
        score_sd=round(spread, 4),
        score_u=_rms(row["fusion_final_score_u"] for row in rows),
        freshness=_mean(row["as7341_freshness_index"] for row in rows),
        oxidation=_mean(row["as7341_oxidation_index"] for row in rows),
        devices=_names(rows, "device_id"),
        calibrations=_names(rows, "calibration_tof", "calibration_spectral"),
        recipes=_names(rows, "recipe"),
        digest=digest.hexdigest(),
        verify_url=verify_url,
    )


def _rms(values: Iterable[float | None]) -> float | None:
    known = [value for value in values if value is not None]
    return round(math.sqrt(math.fsum(value * value for value in known) / len(known)), 4) if known else None


def _mean(values: Iterable[str | None]) -> float | None:
    known = [float(value) for value in values if value is not None]
    return round(math.fsum(known) / len(known), 4) if known else None


def _names(rows: Sequence[dict[str, Any]], *columns: str) -> list[str]:
    return sorted({row[column] for row in rows for column in columns if row[column] is not None})


def part(index: int, entry: bytes, proof: Sequence[bytes]) -> Part:
    """A part of a document."""
    return Part(index, _text(entry), [_text(step) for step in proof])


def encode(document: Document) -> bytes:
    """The document as JSON, in the one way that it is written."""
    return msgspec.json.encode(document)


def read(data: bytes) -> Document:
    """A document. Raises CertificateError."""
    try:
        return msgspec.json.decode(data, type=Document)
    except msgspec.MsgspecError as error:
        raise CertificateError(f"this is no certificate: {error}") from error


def statement_of(document: Document) -> tuple[EventEntry, Summary]:
    """What the certificate states; proves nothing yet. Raises CertificateError."""
    try:
        entry = decode_entry(_bytes(document.statement.entry))
        if not isinstance(entry, EventEntry) or entry.type != STATEMENT:
            raise CertificateError("its statement is no statement of a certificate")
        return entry, msgspec.json.decode(entry.public, type=Summary)
    except (ChainError, msgspec.MsgspecError) as error:
        raise CertificateError(f"its statement cannot be read: {error}") from error


def check(document: Document, keys: Sequence[PublicKey], verify: Check) -> tuple[Summary, Checkpoint]:
    """Prove a certificate to the holder of `keys`. Raises CertificateError that says what is wrong."""
    if document.format != FORMAT:
        raise CertificateError(f"its format {document.format!r} is not known")
    try:
        checkpoint = verify_note(document.checkpoint, keys, verify)
        entry, summary = statement_of(document)
        _included(document.statement, checkpoint)
        if entry.subject != summary.subject or entry.lot_id != summary.lot_id:
            raise CertificateError("its statement names another subject than its entry")
        if document.verify_url != summary.verify_url or parse_key(document.key) not in keys:
            raise CertificateError("its page or its key is not the one that was stated")
        records = [_bytes(record) for record in document.records]
        _check_samples(document, checkpoint, records, summary.lot_id)
        said = summarise(
            records,
            subject=summary.subject,
            lot_id=summary.lot_id,
            lot=summary.lot,
            site=summary.site,
            total=summary.total,
            verify_url=summary.verify_url,
        )
    except ChainError as error:
        raise CertificateError(str(error)) from error
    if said != summary:
        raise CertificateError("its samples do not give the figures that it states")
    return summary, checkpoint


def _check_samples(document: Document, checkpoint: Checkpoint, records: Sequence[bytes], lot_id: int) -> None:
    """Every record is the one that an entry of the tree has the digest of."""
    left = iter(records)
    for each in document.entries:
        _included(each, checkpoint)
        entry = decode_entry(_bytes(each.entry))
        if not isinstance(entry, SamplesEntry) or entry.lot_id != lot_id:
            raise CertificateError(f"entry {each.index} is not of samples of the lot")
        for item in entry.items:
            record = next(left, None)
            if record is None or hashlib.sha256(record).digest() != item.digest:
                raise CertificateError(f"a sample of entry {each.index} is not the one that was recorded")
    if next(left, None) is not None:
        raise CertificateError("it holds samples that no entry proves")


def _included(each: Part, checkpoint: Checkpoint) -> None:
    proof = [_bytes(step) for step in each.proof]
    leaf = leaf_hash(_bytes(each.entry))
    if not verify_inclusion(leaf, each.index, checkpoint.size, proof, checkpoint.root):
        raise CertificateError(f"entry {each.index} is not proven to be in the ledger")


# --- the code printed on a certificate


def code_url(document: Document) -> str:
    """What the printed code says: the page that verifies, with statement, proof and checkpoint behind the `#`."""
    said = document.statement
    note = document.checkpoint.encode()
    steps = b"".join(map(_bytes, said.proof))
    raw = b"".join(
        (
            len(note).to_bytes(2),
            note,
            said.index.to_bytes(8),
            len(said.proof).to_bytes(1),
            steps,
            _bytes(said.entry),
        )
    )
    return f"{document.verify_url}#1.{base64.urlsafe_b64encode(zlib.compress(raw, 9)).decode().rstrip('=')}"


def check_code(url: str, keys: Sequence[PublicKey], verify: Check) -> tuple[Summary, Checkpoint]:
    """Prove what a printed code says. Raises CertificateError."""
    _, _, fragment = url.strip().partition("#1.")
    try:
        packed = base64.urlsafe_b64decode(fragment + "=" * (-len(fragment) % 4))
        raw = zlib.decompress(packed)
        size = int.from_bytes(raw[:2])
        note, rest = raw[2 : 2 + size].decode(), raw[2 + size :]
        index, count = int.from_bytes(rest[:8]), rest[8]
        proof = [rest[9 + 32 * n : 41 + 32 * n] for n in range(count)]
        entry = rest[9 + 32 * count :]
    except (ValueError, zlib.error, IndexError) as error:
        raise CertificateError(f"the code cannot be read: {error}") from error
    said = part(index, entry, proof)
    document = Document(FORMAT, "", "", "", note, said, [], [])
    try:
        checkpoint = verify_note(note, keys, verify)
    except ChainError as error:
        raise CertificateError(str(error)) from error
    found, summary = statement_of(document)
    _included(said, checkpoint)
    if found.subject != summary.subject or found.lot_id != summary.lot_id:
        raise CertificateError("its statement names another subject than its entry")
    return summary, checkpoint


def _text(data: bytes) -> str:
    return base64.b64encode(data).decode()


def _bytes(text: str) -> bytes:
    try:
        raw = base64.b64decode(text, validate=True)
    except ValueError as error:
        raise CertificateError("it holds something that is no base64") from error
    if _text(raw) != text:
        raise CertificateError("it holds base64 that is not written in the one way that it can be")
    return raw


def issued(entry: EventEntry) -> datetime:
    """When a statement was made, UTC."""
    return moment_of(entry.time_us)
