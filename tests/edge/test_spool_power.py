"""P1: what `append` has returned for survives a power cut at any moment; with `synchronous=NORMAL` it would not.

Method: a writer's run is recorded and its disk played back to a moment (`tests/kit/power.py`); a new spool starts on
what is left there. The same writer with the weaker setting shows that the method would see a loss.
"""

import random
from collections.abc import Callable
from pathlib import Path

import pytest

from edge.spool import Spool
from edge.spool_check import examine
from tests.edge.test_spool_kill import ROOT, check, read_said, writer
from tests.kit.fix_spool import DEADLINE_S, message_of
from tests.kit.power import Call, Disk, record

ROWS = 80
QUICK_CUTS = 15


def recording(tmp_path: Path, synchronous: str = "FULL") -> list[Call]:
    folder = tmp_path / "recorded"
    return record([*writer(folder, ROWS), synchronous], folder, tmp_path / "calls", ROOT)


def at(calls: list[Call], moment: int) -> Disk:
    """The disk as it is before the call number `moment`."""
    disk = Disk()
    for call in calls[:moment]:
        disk.take(call)
    return disk


def survive(disk: Disk, folder: Path, chance: random.Random | None, new_spool: Callable[..., Spool]) -> None:
    disk.cut(folder, chance)
    check(folder, read_said(disk.said.decode()), new_spool)


def test_nothing_promised_is_lost_at_a_power_cut(tmp_path: Path, new_spool: Callable[..., Spool]) -> None:
    calls = recording(tmp_path)
    chance = random.Random(4)  # noqa: S311 - moments of a test
    for number in range(QUICK_CUTS):
        disk = at(calls, chance.randrange(len(calls)))
        survive(disk, tmp_path / f"bare-{number}", None, new_spool)
        survive(disk, tmp_path / f"torn-{number}", chance, new_spool)


def test_the_weaker_setting_loses_what_was_promised(tmp_path: Path, new_spool: Callable[..., Spool]) -> None:
    """Not a test of ours but of the method: a power cut that loses nothing here would prove nothing above."""
    calls = recording(tmp_path, "NORMAL")
    last_word = max(number for number, call in enumerate(calls) if call.kind == "said")
    disk = at(calls, last_word + 1)
    disk.cut(tmp_path / "left", None)
    said = read_said(disk.said.decode())
    assert said.promised == ROWS
    spool = new_spool(folder="left")
    seqs = {message_of(row).seq for row in spool.peek(0, 1_000).result(DEADLINE_S) if row.position >> 40 == 1}
    assert not set(range(said.trimmed + 1, ROWS + 1)) <= seqs
    assert examine(tmp_path / "left" / "spool.db").faults == []


@pytest.mark.proof
@pytest.mark.timeout(3_600)
@pytest.mark.parametrize("part", range(4))
def test_proof_of_a_power_cut_at_every_moment(part: int, tmp_path: Path, new_spool: Callable[..., Spool]) -> None:
    calls = recording(tmp_path)
    chance = random.Random(part)  # noqa: S311 - sectors of a test
    for moment in range(part, len(calls) + 1, 4):
        disk = at(calls, moment)
        survive(disk, tmp_path / f"bare-{moment}", None, new_spool)
        for turn in range(3):
            survive(disk, tmp_path / f"torn-{moment}-{turn}", chance, new_spool)
    print(f"{len(calls)} moments")
