"""Captures: what is recorded can be replayed to the last frame, and a driver that asks otherwise is told where."""

from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path

import numpy as np
import pytest

from drivers.bus import NakError
from drivers.capture import CaptureError, read_capture
from drivers.errors import SettingError
from drivers.replay import ReplayBus, ReplayError, Script
from edge.capturing import record
from edge.probing import probe_world, self_test_world
from edge.settings import Settings
from edge.world import World, open_world

NOW = datetime(2026, 11, 23, tzinfo=UTC)
KEPT = Path(__file__).parents[2] / "captures"
SESSIONS = {"probe": probe_world, "selftest": self_test_world}


def simulated(faults: str | None = None) -> Settings:
    return Settings(device="probe", site="XX", state_dir=Path("unused"), bus="sim", speed=100.0, seed=3, faults=faults)


def replayed(path: Path) -> World:
    return open_world(Settings(device="probe", site="XX", state_dir=Path("unused"), bus="replay", capture=path))


@pytest.mark.parametrize("path", sorted(KEPT.glob("*.i2c")), ids=lambda path: path.stem)
def test_the_drivers_go_through_every_kept_capture(path: Path) -> None:
    """The verdict that was reached on the recorded bus is reached again, transfer by transfer, to the end."""
    header, records = read_capture(path)
    assert header.origin == "simulated", "there is no hardware yet: a capture must not claim otherwise"
    assert records
    world = replayed(path)
    report = SESSIONS[header.session](world)
    assert report.healthy == (header.faults == "")
    assert path.stat().st_size < 40_000


def test_there_are_captures_of_healthy_and_of_broken_devices() -> None:
    faults = {read_capture(path)[0].faults for path in KEPT.glob("*.i2c")}
    assert {"", "stuck-bus", "bit-flips"} <= faults


def test_a_session_is_replayed_to_the_last_value(tmp_path: Path) -> None:
    path = tmp_path / "measure.i2c"
    assert record(simulated(), path, session="measure", seconds=2.0, scene="a line", now=NOW) > 100
    header, records = read_capture(path)
    assert (header.scene, header.made, header.session) == ("a line", "2026-11-23", "measure")
    first, second = frames(replayed(path)), frames(replayed(path))
    assert len(first) == 2
    for (tof, counts), (tof_again, counts_again) in zip(first, second, strict=True):
        assert np.array_equal(tof, tof_again, equal_nan=True)
        assert np.array_equal(counts, counts_again)
    assert not any(len(each.write) > 600 for each in records), "firmware is kept as a digest"


def frames(world: World) -> list[tuple[object, object]]:
    world.tof.start()
    world.spectral.start()
    found: list[tuple[object, object]] = []
    clock = world.bus.clock
    for _ in range(2):
        began_ns = clock.monotonic_ns()
        found.append((world.tof.read().distance_mm, world.spectral.read().counts))
        clock.sleep(max(0.0, 1.0 - (clock.monotonic_ns() - began_ns) / 1e9))
    return found


def test_recorded_errors_come_again(tmp_path: Path) -> None:
    path = tmp_path / "absent.i2c"
    record(simulated("absent"), path, session="probe", seconds=1.0, scene="", now=NOW)
    _, records = read_capture(path)
    script = Script(records)
    bus = ReplayBus("again", script)
    with pytest.raises(NakError, match="no acknowledge"):
        bus.transfer(records[0].address)
    assert script.played == 1
    assert not script.done


def test_another_question_is_told_with_its_place(tmp_path: Path) -> None:
    path = tmp_path / "probe.i2c"
    record(simulated(), path, session="probe", seconds=1.0, scene="", now=NOW)
    bus = ReplayBus("again", Script(read_capture(path)[1]))
    bus.transfer(0x29)
    with pytest.raises(ReplayError, match=r"transfer 2: 0x29 write 7f1234 then read 3 bytes is asked, recorded is"):
        bus.transfer(0x29, b"\x7f\x12\x34", 3)
    empty = ReplayBus("none", Script([]))
    with pytest.raises(ReplayError, match="the recording ends here"):
        empty.transfer(0x29)


@pytest.mark.parametrize(
    "spoil",
    [
        lambda path: path.write_bytes(b"not gzip"),
        lambda path: path.write_bytes(b""),
        lambda path: path.write_bytes(path.read_bytes()[:-30]),
    ],
)
def test_what_is_no_capture_is_refused_in_words(tmp_path: Path, spoil: Callable[[Path], object]) -> None:
    path = tmp_path / "bad.i2c"
    record(simulated("absent"), path, session="probe", seconds=1.0, scene="", now=NOW)
    spoil(path)
    with pytest.raises(CaptureError, match="is not a capture"):
        read_capture(path)


def test_a_replay_is_not_recorded_again(tmp_path: Path) -> None:
    path = tmp_path / "probe.i2c"
    record(simulated("absent"), path, session="probe", seconds=1.0, scene="", now=NOW)
    again = Settings(device="probe", site="XX", state_dir=Path("unused"), bus="replay", capture=path)
    with pytest.raises(SettingError, match="recorded already"):
        record(again, tmp_path / "x.i2c", session="probe", seconds=1.0, scene="", now=NOW)
