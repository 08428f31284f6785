"""P1, P2, P3, P7: whatever dies in whatever order, rows and gaps are everything that was promised, nothing twice.

Method: deterministic simulation (`line.py`); hypothesis draws the seed and how many faults follow each other, and
shrinks a history that breaks a promise to the shortest it finds. A failure is repeated by its two numbers.
"""

import asyncio
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import msgspec
import pytest
import structlog
from hypothesis import example, find, given, settings
from hypothesis import strategies as st

from contract.messages import SeqRange
from edge.rows import SEQ_BITS, SEQ_MAX
from edge.uplink import Uplink
from messaging import PublishResult
from tests.simulation.line import live

MEMORY = Path("/dev/shm")  # noqa: S108 - a disk that forgets nothing we wrote and costs no time
PROOF_KILLS = 10_000
PARTS = 8  # shared by the workers of a run
FAULTS_MAX = 15
PLANTED_SEED = 13  # a history in which the broker dies with acknowledged messages in hand


@contextmanager
def disk() -> Iterator[Path]:
    root = Path(tempfile.mkdtemp(prefix="sqal-simulation-", dir=MEMORY if MEMORY.is_dir() else None))
    try:
        yield root
    finally:
        shutil.rmtree(root)


@pytest.fixture(autouse=True)
def quiet() -> Iterator[None]:
    """What the agent says of every fault is not the point here."""
    structlog.configure(processors=[_drop])
    yield
    structlog.reset_defaults()


def _drop(*_: object) -> str:
    raise structlog.DropEvent


@given(seed=st.integers(0, 2**32), faults=st.integers(0, FAULTS_MAX))
@settings(max_examples=5)
@example(seed=1, faults=FAULTS_MAX)
def test_nothing_is_lost_and_nothing_is_doubled(seed: int, faults: int) -> None:
    with disk() as root:
        live(seed, faults, root)


def test_a_seed_is_one_history() -> None:
    with disk() as root, disk() as other:
        one, two = live(7, 20, root), live(7, 20, other)
    assert one.kills == two.kills > 0
    assert {number: msgspec.json.encode(row) for number, row in one.cloud.rows.items()} == {
        number: msgspec.json.encode(row) for number, row in two.cloud.rows.items()
    }


def test_a_planted_mistake_is_found_and_shrunk(monkeypatch: pytest.MonkeyPatch) -> None:
    """The classic one: room is freed when the broker acknowledges. A history of few faults must show it."""
    answered = Uplink._answered

    def trusting(self: Uplink, position: int, answer: "asyncio.Future[PublishResult]") -> None:
        answered(self, position, answer)
        if not answer.cancelled() and answer.exception() is None:
            boot = self._spool._file._boots[position >> SEQ_BITS].boot_id
            seq = position & SEQ_MAX
            self._spool.trim([SeqRange(boot_id=boot, first_seq=seq, last_seq=seq)])

    def breaks(faults: int) -> bool:
        with disk() as root:
            try:
                live(PLANTED_SEED, faults, root)
            except AssertionError:
                return True
        return False

    assert not breaks(FAULTS_MAX)
    monkeypatch.setattr(Uplink, "_answered", trusting)
    assert breaks(FAULTS_MAX)
    least = find(st.integers(0, FAULTS_MAX), breaks, settings=settings(max_examples=30, derandomize=False))
    assert least < FAULTS_MAX
    assert not breaks(least - 1)


@pytest.mark.proof
@pytest.mark.timeout(3_600)
@pytest.mark.parametrize("part", range(PARTS))
def test_proof_of_ten_thousand_kills(part: int) -> None:
    kills, seed = 0, part << 32
    while kills < PROOF_KILLS // PARTS:
        seed += 1
        with disk() as root:
            kills += live(seed, 60, root).kills
    print(f"{kills} kills in {seed - (part << 32)} histories")
