"""A damaged spool: it starts soon, keeps what can be read, and says what cannot.

Method: a spool of samples and events, as it lies after a kill (log and all) and after a clean end; then one byte is
flipped, or the end is cut off, at places spread over every file. Whatever was promised is there again, or a gap names
it, or it lay behind the last row found, and then the damage itself is said.
What cannot be noticed, and is left out: a log cut exactly between two writes, which is what a sound log looks like.
"""

import random
import shutil
import tempfile
import time
import uuid
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from contract.messages import SeqRange
from edge.rows import Kind
from edge.spool import Spool, SpoolLimits
from edge.spool_check import examine
from tests.kit.fix_spool import DEADLINE_S, HandClock, build_for, gap_event, gap_of, message_of

START_MAX_S = 2.0
TRIES_MAX = 5  # a machine busy with other things may hold one start up, not each
ROWS = 60
QUICK_PLACES = 40
PROOF_PLACES = 1_500
PARTS = 8  # of the proof of every byte, so that two workers share it


@dataclass(frozen=True, slots=True)
class Original:
    """A sound spool to be damaged. held: (boot, seq) of what was promised and not receipted."""

    folder: Path
    held: frozenset[tuple[uuid.UUID, int]]
    files: dict[str, bytes]


def make(root: Path, *, killed: bool, rows: int = ROWS) -> Original:
    """Two boots of samples and events, some of them receipted, as they lie on disk."""
    limits = SpoolLimits(commit_interval_s=0.0, commit_rows_max=4, reserve_bytes=0)
    folder, copy = root / "whole", root / f"copy-{killed}"
    held: set[tuple[uuid.UUID, int]] = set()
    for start in range(2):
        clock = HandClock()
        chance = random.Random(start)  # noqa: S311 - boot ids of a test
        spool = Spool(folder, clock=clock, build_gap=gap_event, limits=limits, chance=chance)
        for number in range(rows):
            kind = Kind.EVENT if number % 7 == 0 else Kind.SAMPLE
            seq = spool.append(kind, clock.now_ns, build_for(kind)).result(DEADLINE_S).seq
            held.add((spool.boot_id, seq))
        spool.trim([SeqRange(boot_id=spool.boot_id, first_seq=rows // 3, last_seq=rows // 2)])
        spool.peek(0, 1).result(DEADLINE_S)
        held -= {(spool.boot_id, seq) for seq in range(rows // 3, rows // 2 + 1)}
        if start == 1 and killed:
            shutil.copytree(folder, copy)
        spool.close()
    if not killed:
        shutil.copytree(folder, copy)
    files = {each.name: each.read_bytes() for each in copy.iterdir() if each.name not in {"spool.lock", "spool.db-shm"}}
    return Original(copy, frozenset(held), files)


def check(original: Original, folder: Path) -> float:
    """Start on the damaged files in `folder`: nothing is silently missing. Returns how long the start took, s."""
    began = time.monotonic()
    chance = random.Random(99)  # noqa: S311 - boot ids of a test
    limits = SpoolLimits(reserve_bytes=0)
    spool = Spool(folder, clock=HandClock(), build_gap=gap_event, limits=limits, chance=chance)
    try:
        took_s = time.monotonic() - began
        spool.mending.join(DEADLINE_S)
        spool.peek(0, 10_000).result(DEADLINE_S)  # finds rows that fail their checksum
        spool.append(Kind.EVENT, 0, build_for(Kind.EVENT))
        assert spool.flush(DEADLINE_S)
        messages = [message_of(row) for row in spool.peek(0, 10_000).result(DEADLINE_S)]
        rows = {(message.boot_id, message.seq) for message in messages}
        assert len(rows) == len(messages)
        told = {
            (gap.boot_id, seq)
            for message in messages
            if (gap := gap_of(message))
            for seq in range(gap.first_seq, gap.last_seq + 1)
        }
        missing = original.held - rows - told
        if missing:
            assert spool.damage is not None or spool.torn
            assert unheard(missing, rows | told) == set()
    finally:
        spool.close()
    assert examine(folder / "spool.db").faults == []
    return took_s


def unheard(
    missing: set[tuple[uuid.UUID, int]], known: set[tuple[uuid.UUID | None, int | None]]
) -> set[tuple[uuid.UUID, int]]:
    """Those of `missing` that lie before something known of their boot: they could have been told."""
    newest: dict[uuid.UUID | None, int] = {}
    for boot_id, seq in known:
        newest[boot_id] = max(newest.get(boot_id, 0), seq or 0)
    oldest = {boot_id: min(s or 0 for b, s in known if b == boot_id) for boot_id in newest}
    return {(b, s) for b, s in missing if oldest.get(b, s + 1) < s < newest.get(b, 0)}


def flips(original: Original, places: int) -> Iterator[tuple[str, bytes]]:
    """One byte of one file changed, at places spread over all of them."""
    chance = random.Random(5)  # noqa: S311 - places of a test
    for name, data in original.files.items():
        for _ in range(max(4, places * len(data) // sum(map(len, original.files.values())))):
            at = chance.randrange(len(data))
            yield name, data[:at] + bytes([data[at] ^ 1 << chance.randrange(8)]) + data[at + 1 :]
        for at in range(0, min(len(data), 200), max(1, 6_000 // places)):  # where every byte counts
            yield name, data[:at] + bytes([data[at] ^ 0xFF]) + data[at + 1 :]


def cuts(original: Original, places: int) -> Iterator[tuple[str, bytes]]:
    """The end of one file cut off."""
    for name, data in original.files.items():
        for number in range(places):
            length = len(data) * number // places
            if not name.endswith("-wal") or (length - 32) % 4_120:  # a log cut between two frames is a shorter log
                yield name, data[:length]


def run_all(original: Original, mutants: Iterator[tuple[str, bytes]], root: Path) -> int:
    count = 0
    for name, data in mutants:
        took_s, tries = start_on(original, name, data, root / f"mutant-{count}"), 1
        while took_s >= START_MAX_S and tries < TRIES_MAX:
            took_s, tries = min(took_s, start_on(original, name, data, root / f"mutant-{count}")), tries + 1
        assert took_s < START_MAX_S, f"{name}, mutant {count}"
        count += 1
    return count


def start_on(original: Original, name: str, data: bytes, folder: Path) -> float:
    """Start where the file `name` holds `data` instead; how long that took, s."""
    folder.mkdir()
    for each, sound in original.files.items():
        (folder / each).write_bytes(data if each == name else sound)
    took_s = check(original, folder)
    shutil.rmtree(folder)
    return took_s


@pytest.mark.parametrize("killed", [True, False], ids=["killed", "closed"])
@pytest.mark.parametrize("damage", [flips, cuts])
def test_any_damage_is_survived_and_told(
    killed: bool, damage: Callable[[Original, int], Iterator[tuple[str, bytes]]], tmp_path: Path
) -> None:
    original = make(tmp_path, killed=killed)
    places = QUICK_PLACES if damage is flips else 6
    assert run_all(original, damage(original, places), tmp_path) >= places // 2


@pytest.mark.parametrize("at", [61, 62, 63, 70, 71])
def test_a_flipped_bit_makes_no_file_of_a_newer_version(at: int, tmp_path: Path) -> None:
    """Bytes 60 to 63 of the file are its version, 68 to 71 say it again: what only one of them says is damage."""
    original = make(tmp_path, killed=False, rows=3)
    data = original.files["spool.db"]
    for bit in range(8):
        damaged = data[:at] + bytes([data[at] ^ 1 << bit]) + data[at + 1 :]
        start_on(original, "spool.db", damaged, tmp_path / f"{at}-{bit}")


@pytest.mark.proof
@pytest.mark.timeout(1_800)
@pytest.mark.parametrize("killed", [True, False], ids=["killed", "closed"])
@pytest.mark.parametrize("damage", [flips, cuts])
def test_proof_of_damage(
    killed: bool, damage: Callable[[Original, int], Iterator[tuple[str, bytes]]], tmp_path: Path
) -> None:
    original = make(tmp_path, killed=killed)
    assert run_all(original, damage(original, PROOF_PLACES), tmp_path) >= PROOF_PLACES // 2


def every_flip(original: Original, part: int) -> Iterator[tuple[str, bytes]]:
    """Every byte of every file changed, each once in one of PARTS parts; which bit of it, the place decides."""
    for name, data in original.files.items():
        for at in range(part, len(data), PARTS):
            yield name, data[:at] + bytes([data[at] ^ 1 << at % 8]) + data[at + 1 :]


def every_cut(original: Original, part: int) -> Iterator[tuple[str, bytes]]:
    """Every length of every file."""
    for name, data in original.files.items():
        for length in range(part, len(data), PARTS):
            if not name.endswith("-wal") or (length - 32) % 4_120:  # a log cut between two frames is a shorter log
                yield name, data[:length]


@pytest.fixture
def memory(tmp_path: Path) -> Iterator[Path]:
    """A folder whose writes cost no time, where the machine has one."""
    shared = Path("/dev/shm")  # noqa: S108 - a disk of memory
    folder = Path(tempfile.mkdtemp(prefix="sqal-damage-", dir=shared if shared.is_dir() else tmp_path))
    yield folder
    shutil.rmtree(folder)


@pytest.mark.proof
@pytest.mark.timeout(7_200)
@pytest.mark.parametrize("part", range(PARTS))
@pytest.mark.parametrize("killed", [True, False], ids=["killed", "closed"])
@pytest.mark.parametrize("damage", [every_flip, every_cut])
def test_proof_of_every_byte(
    killed: bool, part: int, damage: Callable[[Original, int], Iterator[tuple[str, bytes]]], memory: Path
) -> None:
    """A small spool, so that no byte of it need be left out."""
    original = make(memory, killed=killed, rows=3)
    whole = sum(map(len, original.files.values()))
    assert run_all(original, damage(original, part), memory) >= whole // PARTS * 0.95
