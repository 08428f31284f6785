"""A process that appends and trims until it is killed: `python -m tests.kit.spool_writer FOLDER COUNT`.

Says each number on standard output once the spool has promised it; every tenth is receipted thereafter.
"""

import sys
from pathlib import Path

from contract.messages import SeqRange
from edge.rows import Kind
from edge.spool import Spool, SpoolLimits
from tests.kit.fix_spool import DEADLINE_S, HandClock, gap_event, sample


def main(folder: Path, count: int) -> None:
    clock = HandClock()
    limits = SpoolLimits(commit_interval_s=0.0, commit_rows_max=5)
    spool = Spool(folder, clock=clock, build_gap=gap_event, limits=limits)
    sys.stdout.write(f"boot {spool.boot_id}\n")
    for turn in range(count // 4):
        futures = [spool.append(Kind.SAMPLE, clock.now_ns, sample) for _ in range(4)]
        for future in futures:
            sys.stdout.write(f"{future.result(DEADLINE_S).seq}\n")
        sys.stdout.flush()
        if turn % 10 == 9:
            sys.stdout.write(f"trimmed {4 * turn}\n")  # before: it may die between doing it and saying so
            sys.stdout.flush()
            spool.trim([SeqRange(boot_id=spool.boot_id, first_seq=1, last_seq=4 * turn)])
            spool.peek(0, 1).result(DEADLINE_S)
    spool.close()


if __name__ == "__main__":
    main(Path(sys.argv[1]), int(sys.argv[2]))
