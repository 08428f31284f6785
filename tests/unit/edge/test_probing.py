"""What `probe` and `selftest` say of a healthy device and of every fault: two verdicts, and words that help."""

from datetime import UTC, datetime
from pathlib import Path

import pytest

from drivers.sim.timeline import PRESETS
from edge.guided import Guide
from edge.probing import Report, probe_world, self_test_world
from edge.settings import Settings
from edge.world import open_world

OVER_AT_ONCE = {"brown-out-spectral", "mcu-error"}  # gone before the sensor is looked at: what is left is healthy
UNKNOWABLE = {"dirty-window"}  # without a calibration nobody knows how much light would be right
WORDS = {
    "nak": "refused and had to be sent again",
    "nak-burst": "nothing answers",
    "stuck-bus": "held low",
    "bit-flips": "noise on the wire",
    "torn-reads": "frame number at the end",
    "brown-out": "nothing answers",
    "brown-out-tof": "nothing answers",
    "absent-tof": "nothing answers (expected: VL53L8CH)",
    "absent-spectral": "nothing answers (expected: AS7341)",
    "absent": "nothing answers",
    "swapped-tof": "not a VL53L8",
    "swapped-spectral": "not an AS7341",
    "wrong-id-tof": "VL53L5CX",
    "wrong-id-spectral": "not an AS7341",
    "slow-bus": "runs at 100 kHz: 9 Hz at most, 15 Hz wanted; set dtparam=i2c_arm_baudrate=1000000",
    "laser-fault": "laser safety check failed",
    "mcu-dead": "processor failed",
    "stuck-stream": "no new frame",
    "avalid-never": "does not finish",
    "saturation": "light from outside saturates it",
    "dead-led": "next to no light",
}


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


@pytest.mark.parametrize("name", PRESETS)
def test_probe_names_the_fault_and_what_to_do(name: str) -> None:
    report = examine(name, selftest=False)
    assert report.healthy == (name in OVER_AT_ONCE | UNKNOWABLE)
    if not report.healthy:
        bad = [each for each in report.findings if each.advice]
        assert any(WORDS[name] in each.sentence for each in bad), list(report.lines())
        assert sum("what to do: " in line for line in report.lines()) == len(bad)


@pytest.mark.parametrize("name", sorted(set(PRESETS) - OVER_AT_ONCE - UNKNOWABLE))
def test_selftest_finds_the_fault(name: str) -> None:
    report = examine(name, selftest=True)
    assert not report.healthy
    assert any(each.advice for each in report.findings)


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
