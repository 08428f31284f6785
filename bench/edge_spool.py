"""The spool by itself: bytes written, time of an append, start with a large file."""

import os
import random
import time
from pathlib import Path

from bench.figures import Figure, median, percentile
from contract.messages import SeqRange
from edge.clock import SystemClock
from edge.rows import Kind, Row
from edge.spool import Spool, SpoolLimits
from tests.kit.big_spool import fill
from tests.kit.fix_spool import DEADLINE_S, HandClock, gap_event, sample

COMMITS_HZ = 2.0  # the spool waits half a second for company
RECEIPT_AFTER_S = 2.0
WRITTEN_MAX = {1: 8.0, 5: None, 15: 3.0}
CARD_BYTES = 32e9
CARD_WRITES = 500  # how often a cheap card can be overwritten as a whole: an assumption, makers do not say
YEAR_S = 365 * 86_400
START_MAX_S = 2.0


def written(folder: Path, rate_hz: int, *, minutes: int) -> list[Figure]:
    """Bytes that the process hands to the file system for each byte of payload, receipts and checkpoints included."""
    per_commit = max(1, int(rate_hz / COMMITS_HZ))
    clock = HandClock()
    limits = SpoolLimits(commit_interval_s=3600.0, commit_rows_max=per_commit, reserve_bytes=0)
    spool = _open(folder, clock, limits)
    payload = 0
    before = _bytes_written()
    commits = round(minutes * 60 * rate_hz / per_commit)
    for number in range(commits):
        clock.now_ns += round(per_commit / rate_hz * 1e9)
        futures = [spool.append(Kind.SAMPLE, clock.now_ns, sample) for _ in range(per_commit)]
        rows: list[Row] = [future.result(DEADLINE_S) for future in futures]
        payload += sum(len(row.body) for row in rows)
        stored = rows[-1].seq - round(RECEIPT_AFTER_S * rate_hz)
        if stored > 0 and number % 2:
            spool.trim([SeqRange(boot_id=spool.boot_id, first_seq=max(1, stored - 2 * per_commit), last_seq=stored)])
    total = _bytes_written() - before
    spool.close()
    share = total / payload
    target = WRITTEN_MAX[rate_hz]
    years = CARD_BYTES * CARD_WRITES / (total / (minutes * 60)) / YEAR_S
    return [
        Figure(
            f"written per payload byte at {rate_hz} Hz",
            share,
            "",
            None if target is None else f"≤ {target:g}",
            None if target is None else share <= target,
            f"{per_commit} rows a commit, {minutes} min of virtual time, receipts after {RECEIPT_AFTER_S:g} s",
        ),
        Figure(
            f"SD-card life at {rate_hz} Hz",
            years,
            "years",
            note=f"32 GB overwritten {CARD_WRITES} times (assumed); what the card writes within itself is not in it",
        ),
    ]


def append_times(folder: Path, *, count: int) -> list[Figure]:
    """Real time, 15 a second: how long `append` holds up whoever measures, and when the message is durable."""
    clock = SystemClock(trusted=True)
    spool = _open(folder, clock, SpoolLimits())
    held: list[float] = []
    durable: list[float] = []
    for number in range(count):
        began = time.perf_counter()
        future = spool.append(Kind.SAMPLE, clock.monotonic_ns(), sample)
        held.append(time.perf_counter() - began)
        future.add_done_callback(lambda _, began=began: durable.append(time.perf_counter() - began))
        due = began + 1 / 15
        if number + 1 < count:
            time.sleep(max(0.0, due - time.perf_counter()))
    spool.flush(DEADLINE_S)
    spool.close()
    return [
        Figure("append returns, p99", percentile(held, 0.99) * 1e3, "ms", note=f"{count} samples at 15 Hz"),
        Figure("append durable, p50", median(durable) * 1e3, "ms", note="group commit waits up to 500 ms"),
        Figure(
            "append durable, p99",
            percentile(durable, 0.99) * 1e3,
            "ms",
            "≤ 1000: at most a second is at risk",
            percentile(durable, 0.99) <= 1.0,
            f"{count} samples at 15 Hz",
        ),
    ]


def start_of_a_gibibyte(folder: Path, *, size: int) -> list[Figure]:
    """A start on a spool of `size` bytes that the kernel has forgotten."""
    clock = SystemClock(trusted=True)
    first = _open(folder, clock, SpoolLimits(reserve_bytes=0))
    last = first.append(Kind.SAMPLE, clock.monotonic_ns(), sample).result(DEADLINE_S)
    first.close()
    path = folder / "spool.db"
    rows = fill(path, first.boot_id, last.position >> 40, last.seq + 1, size)
    with path.open("rb") as file:
        os.fsync(file.fileno())
        os.posix_fadvise(file.fileno(), 0, 0, os.POSIX_FADV_DONTNEED)
    began = time.perf_counter()
    again = _open(folder, clock, SpoolLimits(rows_max=10**7, bytes_max=1 << 40, reserve_bytes=0))
    took_s = time.perf_counter() - began
    again.close()
    note = f"{size >> 20} MiB, {rows:,} samples, not in the page cache; counted and checked later in the background"
    return [Figure("start with a large spool", took_s, "s", f"≤ {START_MAX_S:g}", took_s <= START_MAX_S, note)]


def _open(folder: Path, clock: HandClock | SystemClock, limits: SpoolLimits) -> Spool:
    return Spool(folder, clock=clock, build_gap=gap_event, limits=limits, chance=random.Random(1))


def _bytes_written() -> int:
    """What this process has handed to write(2) and its like so far."""
    words = dict(line.split(": ") for line in Path("/proc/self/io").read_text().splitlines())
    return int(words["wchar"])
