"""What bounds a spool, and how it stands."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class SpoolLimits:
    """rows_max, bytes_max: what the file may hold. commit_rows_max: of one transaction. intake_rows_max: in memory.

    reserve_bytes: held on the disk for the day it is full. disk_free_bytes_min: left to others, samples giving way.
    """

    rows_max: int = 500_000
    bytes_max: int = 1 << 30
    commit_interval_s: float = 0.5
    commit_rows_max: int = 500
    intake_rows_max: int = 2_000
    reserve_bytes: int = 4 << 20
    disk_free_bytes_min: int = 64 << 20


@dataclass(frozen=True, slots=True)
class SpoolStats:
    """Totals since this start, and what is held now."""

    rows: int
    bytes: int
    waiting: int
    appended: int
    trimmed: int
    dropped: int
    commits: int
    commit_failures: int
    receipts_forgotten: int
