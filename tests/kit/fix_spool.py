"""Spools for tests, a clock that is moved by hand, and the messages that go in."""

import random
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from msgspec.structs import replace

import contract
from contract.codec import decode
from contract.messages import Event, Gap
from contract.sample import Sample, sample_id_for
from edge.rows import Build, Kind, Message, Row, Stamp
from edge.spool import Spool, SpoolLimits

DEVICE = "ESP32_LL_01"
WALL_NS = 1_795_000_000_000_000_000  # November 2026
QUICK = SpoolLimits(commit_interval_s=0.0)
DEADLINE_S = 20.0


class HandClock:
    """Monotonic time that runs by hand; wall time that is known or not."""

    def __init__(self, *, wall_ns: int | None = WALL_NS, machine: str = "machine-1") -> None:
        self.now_ns = 1_000_000_000
        self.zero_wall_ns = wall_ns
        self.machine = machine

    def monotonic_ns(self) -> int:
        return self.now_ns

    def wall_ns(self, monotonic_ns: int) -> int | None:
        return None if self.zero_wall_ns is None else self.zero_wall_ns + monotonic_ns

    def guess_ns(self) -> int:
        return (self.zero_wall_ns or 0) + self.now_ns

    def machine_boot(self) -> str:
        return self.machine


def event(stamp: Stamp, **fields: Any) -> Event:
    """A small event under `stamp`."""
    return Event(
        device_id=DEVICE,
        kind=fields.pop("kind", "restart"),
        timestamp=stamp.timestamp,
        boot_id=stamp.boot_id,
        seq=stamp.seq,
        clock=stamp.clock,
        **fields,
    )


_GOLDEN = decode(Sample, (Path(contract.__file__).parent / "golden" / "sample.v1.json").read_bytes())


def sample(stamp: Stamp) -> Sample:
    """A whole sample under `stamp`."""
    return replace(
        _GOLDEN,
        sample_id=sample_id_for(DEVICE, stamp.boot_id, stamp.seq),
        device_id=DEVICE,
        site_code="LL",
        timestamp=stamp.timestamp,
        boot_id=stamp.boot_id,
        seq=stamp.seq,
        clock=stamp.clock,
        hist=False,
    )


def build_for(kind: Kind) -> Build:
    """What makes a message of `kind`."""
    return sample if kind is Kind.SAMPLE else event


def message_of(row: Row) -> Message:
    """What a row read back from the spool says."""
    return decode(Sample if row.kind is Kind.SAMPLE else Event, row.body)


def gap_of(message: Message) -> Gap | None:
    """The gap that a message tells of, if it does."""
    return message.gap if isinstance(message, Event) else None


def gap_event(stamp: Stamp, gap: Gap) -> Event:
    return event(stamp, kind="gap", gap=gap)


def put(spool: Spool, clock: HandClock, kind: Kind = Kind.EVENT) -> Row:
    """Append one message and wait until it is durable."""
    return spool.append(kind, clock.now_ns, build_for(kind)).result(DEADLINE_S)


@pytest.fixture
def clock() -> HandClock:
    return HandClock()


@pytest.fixture
def new_spool(tmp_path: Path, clock: HandClock) -> Iterator[Callable[..., Spool]]:
    """Open spools in one folder; closed after the test."""
    opened: list[Spool] = []

    def start(limits: SpoolLimits = QUICK, *, folder: str = "spool", clock: HandClock = clock) -> Spool:
        chance = random.Random(len(opened))  # noqa: S311 - boot ids of a test
        spool = Spool(tmp_path / folder, clock=clock, build_gap=gap_event, limits=limits, chance=chance)
        opened.append(spool)
        return spool

    yield start
    for spool in opened:
        spool.close()
