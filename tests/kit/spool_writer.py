"""A process that appends and trims until it is killed: `python -m tests.kit.spool_writer FOLDER COUNT IDLE MODE`.

Says each number on standard output once the spool has promised it; every tenth is receipted thereafter. Before the
first append the spool's thread syncs IDLE times for nothing: who counts system calls by thread and kills at the n-th
can so tell that thread's calls from those of the start, which is in another one. A MODE of `synchronous` other than
FULL makes a spool that is not ours, to show what the setting is for.
"""

import os
import sys
from pathlib import Path

import structlog

from contract.messages import SeqRange
from edge.clock import SystemClock
from edge.rows import Kind
from edge.spool import Spool, SpoolLimits
from tests.kit.fix_spool import DEADLINE_S, gap_event, sample


def main(folder: Path, count: int, idle: int = 0, synchronous: str = "FULL") -> None:
    structlog.configure(logger_factory=structlog.PrintLoggerFactory(sys.stderr))  # standard output is for numbers
    clock = SystemClock(trusted=True)  # it runs: a disk that refused is asked again a second later
    limits = SpoolLimits(commit_interval_s=0.0, commit_rows_max=5)
    spool = Spool(folder, clock=clock, build_gap=gap_event, limits=limits)
    sys.stdout.write(f"boot {spool.boot_id}\n")
    sys.stdout.flush()
    spool._ask(lambda: spool._file._connection.execute(f"PRAGMA synchronous={synchronous}")).result(DEADLINE_S)
    spool._ask(lambda: sync_idly(folder, idle)).result(DEADLINE_S)
    for turn in range(count // 4):
        futures = [spool.append(Kind.SAMPLE, clock.monotonic_ns(), sample) for _ in range(4)]
        for future in futures:
            sys.stdout.write(f"{future.result(DEADLINE_S).seq}\n")
        sys.stdout.flush()
        if turn % 10 == 9:
            sys.stdout.write(f"trimmed {4 * turn}\n")  # before: it may die between doing it and saying so
            sys.stdout.flush()
            spool.trim([SeqRange(boot_id=spool.boot_id, first_seq=1, last_seq=4 * turn)])
            spool.peek(0, 1).result(DEADLINE_S)
    spool.close()


def sync_idly(folder: Path, times: int) -> None:
    """Sync a folder `times` times; nothing in it has changed."""
    handle = os.open(folder, os.O_RDONLY)
    for _ in range(times):
        os.fdatasync(handle)
        os.fsync(handle)
    os.close(handle)


if __name__ == "__main__":
    main(Path(sys.argv[1]), int(sys.argv[2]), *map(int, sys.argv[3:4]), *sys.argv[4:5])
