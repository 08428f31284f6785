"""What a verification of the ledger brings along, and what it finds."""

from collections.abc import Sequence
from dataclasses import dataclass, field

from contract.checkpoint import Check, Checkpoint, PublicKey

FINDINGS_MAX = 1_000  # more tell nobody more; the rest is counted


class VerifyError(Exception):
    """It could not be verified at all; one sentence for a person."""


@dataclass(frozen=True, slots=True)
class Finding:
    """Something that is not as it was. index: the entry it is about, None where it is about none.

    until: a change lies between `index` and this entry (not included); other findings may say where.
    """

    code: str
    index: int | None
    detail: str
    until: int | None = None

    def holds(self, index: int | None) -> bool:
        """Whether a finding about entry `index` says more exactly what this one is about."""
        return (
            self.until is not None and self.index is not None and index is not None and self.index <= index < self.until
        )

    def __str__(self) -> str:
        where = "" if self.index is None else f"entry {self.index}: "
        return f"{where}{self.code}: {self.detail}"


@dataclass(slots=True)
class Report:
    """What was found. expired: samples that retention took; erased: personal data; neither is a fault.

    older_records: samples whose digests are of an older record, which lacks columns that were added later.
    """

    entries: int = 0
    samples: int = 0
    checkpoints: int = 0
    expired: int = 0
    erased: int = 0
    older_records: int = 0
    not_covered: int = 0  # entries after the newest trusted checkpoint, and rows of the queue
    findings: list[Finding] = field(default_factory=list[Finding])
    findings_total: int = 0
    checkpoint: Checkpoint | None = None

    @property
    def is_valid(self) -> bool:
        """Whether nothing at all was found."""
        return self.findings_total == 0

    @property
    def first(self) -> Finding | None:
        """The finding about the earliest entry; one about no entry only where there is no other."""
        if not self.findings:
            return None
        exact = {each.index for each in self.findings if each.until is None}
        left = [each for each in self.findings if not any(map(each.holds, exact))]
        return min(left, key=lambda each: (each.index is None, each.index or 0))

    def add(self, code: str, index: int | None, detail: str, *, until: int | None = None) -> None:
        """Note a finding."""
        self.findings_total += 1
        if len(self.findings) < FINDINGS_MAX:
            self.findings.append(Finding(code, index, detail, until))


@dataclass(frozen=True, slots=True)
class Trust:
    """What the verifier brings along: public keys, and checkpoints that were kept outside."""

    keys: Sequence[PublicKey]
    check: Check
    notes: Sequence[str] = ()
