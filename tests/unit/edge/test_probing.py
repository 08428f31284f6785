"""What `probe` and `selftest` find; what they say of every fault is in tests/unit/sqal/test_edge_commands.py."""

from datetime import UTC, datetime
from pathlib import Path

import pytest

from edge.guided import Guide
from edge.probing import Report, probe_world, self_test_world
from edge.settings import Settings
from edge.world import open_world


def settings(faults: str | None = None) -> Settings:
    return Settings(device="probe", site="XX", state_dir=Path("unused"), bus="sim", speed=100.0, faults=faults)


def examine(faults: str | None, *, selftest: bool) -> Report:
    world = open_world(settings(faults), faults_at_once=True)
    return self_test_world(world) if selftest else probe_world(world)


@pytest.mark.parametrize("selftest", [False, True])
def test_a_healthy_device(selftest: bool) -> None:
    report = examine(None, selftest=selftest)
    assert report.healthy
    assert not any(each.advice for each in report.findings)
    assert all("ok" in line for line in report.lines())
    assert {each.bus for each in report.findings} == {"sim-tof", "sim-spectral"}


@pytest.mark.parametrize("selftest", [False, True])
def test_a_dirty_window_is_seen_beside_a_calibration(selftest: bool) -> None:
    """Goal: dirt shows where this device was calibrated, and cleanliness is not taken for dirt."""
    world = open_world(settings())
    assert world.show is not None
    world.tof.start()
    world.spectral.start()
    guide = Guide(
        world.tof,
        world.spectral,
        show=world.show,
        white_reflectance=0.95,
        device_id="probe",
        now=datetime.now(UTC),
        before=None,
    )
    kept = guide.run("all").calibrations
    world.close()
    look = self_test_world if selftest else probe_world
    assert look(open_world(settings()), kept).healthy
    dirty = look(open_world(settings("dirty-window"), faults_at_once=True), kept)
    assert not dirty.healthy
    (bad,) = [each for each in dirty.findings if each.advice]
    assert "of the light it returned at calibration: a dirty window, or a dark belt" in bad.sentence
    assert "clean the windows" in bad.advice


def test_a_stuck_bus_is_said_once_and_not_for_every_address() -> None:
    world = open_world(settings("stuck-bus"), faults_at_once=True)
    clock = world.bus.clock
    report = probe_world(world)
    assert len(report.findings) == 2, "one for each bus"
    assert clock.monotonic_ns() < 5e9
