"""What an ingester counts: every outcome, every loss of a link, every bound that had an effect."""

from dataclasses import dataclass


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
