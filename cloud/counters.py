"""What an ingester counts: every outcome, every loss of a link, every bound that had an effect."""

from bisect import bisect_left
from dataclasses import dataclass, field

ROWS_BOUNDS = (1, 3, 10, 30, 100, 300, 1_000, 3_000)
SECONDS_BOUNDS = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 10.0)


@dataclass(slots=True)
class IngestCounters:
    """Totals since the start of the process; names ending in `_total` only grow."""

    accepted_total: int = 0
    duplicates_total: int = 0
    rejected_total: int = 0
    held_total: int = 0
    rate_limited_total: int = 0  # messages over their device's quota; the device keeps them
    batches_total: int = 0
    batch_rows_last: int = 0
    commit_seconds_total: float = 0.0
    commit_seconds_last: float = 0.0
    lag_seconds_last: float = 0.0  # from the newest live message's timestamp to its commit
    database_losses_total: int = 0
    database_retries_total: int = 0
    receipts_unsent_total: int = 0  # the broker was away; the device asks again by sending again
    batch_rows: list[int] = field(default_factory=lambda: [0] * (len(ROWS_BOUNDS) + 1))
    commit_seconds: list[int] = field(default_factory=lambda: [0] * (len(SECONDS_BOUNDS) + 1))
    rows_total: int = 0

    def note_batch(self, rows: int, seconds: float) -> None:
        """Count a committed batch."""
        self.batches_total += 1
        self.rows_total += rows
        self.batch_rows_last = rows
        self.commit_seconds_last = seconds
        self.commit_seconds_total += seconds
        self.batch_rows[bisect_left(ROWS_BOUNDS, rows)] += 1
        self.commit_seconds[bisect_left(SECONDS_BOUNDS, seconds)] += 1
