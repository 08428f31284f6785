"""`sqal edge probe` and `selftest` as a person and as a program call them."""

import json
from pathlib import Path

import pytest
from click.testing import CliRunner

from drivers.sim.timeline import PRESETS
from sqal.commands.edge import edge

FAST = ["--bus", "sim", "--speed", "100"]


ABSENT, WRONG, SUPPLY = "check cable and connector", "check the part number", "switch the supply off and on"
CONTACT, NOISE = "check connectors, cable length", "bits arrive wrong: check cable length"
HEALTHY = ("", "")
# Fault -> what probe says and advises, what selftest says and advises; HEALTHY where it is over at the first look.
TABLE: dict[str, tuple[tuple[str, str], tuple[str, str]]] = {
    "nak": (("had to be sent again: a bad contact", CONTACT),) * 2,
    "nak-burst": (("0x29: nothing answers (expected: VL53L8CH)", ABSENT), ("no VL53L8CH at 0x29: nothing", ABSENT)),
    "stuck-bus": (("nobody on sim-tof can speak", "unplug one sensor after the other"), ("held low", "unplug one")),
    "bit-flips": (("of 200 readings of a constant arrived wrong: noise on the wire", NOISE),) * 2,
    "torn-reads": (
        ("of 20 frames were good; frame number at the end is", "frames are replaced while they are read"),
        ("as at its beginning", "frames are replaced while they are read"),
    ),
    "brown-out": (("nothing answers", ABSENT),) * 2,
    "brown-out-tof": (("0x29: nothing answers", ABSENT), ("no VL53L8CH at 0x29: nothing answers", ABSENT)),
    "brown-out-spectral": (HEALTHY, HEALTHY),
    "absent-tof": (("0x29: nothing answers (expected: VL53L8CH)", ABSENT), ("no VL53L8CH at 0x29", ABSENT)),
    "absent-spectral": (("0x39: nothing answers (expected: AS7341)", ABSENT), ("no AS7341 at 0x39", ABSENT)),
    "absent": (("nothing answers", ABSENT),) * 2,
    "swapped-tof": (("id FF revision FF, not a VL53L8", WRONG), ("its identity is FF FF, must be F0 0C", WRONG)),
    "swapped-spectral": (("unexpected id FF, not an AS7341 (24)", WRONG), ("holds 0xFF, not 0x24", WRONG)),
    "wrong-id-tof": (("VL53L5CX or VL53L7CX", WRONG), ("its identity is F0 02, must be F0 0C", WRONG)),
    "wrong-id-spectral": (("unexpected id 00, not an AS7341 (24)", WRONG), ("holds 0x00, not 0x24", WRONG)),
    "slow-bus": (("runs at 100 kHz: 9 Hz at most, 15 Hz wanted", "/boot/firmware/config.txt"),) * 2,
    "laser-fault": (("the laser safety check failed", "replace the VL53L8CH"),) * 2,
    "mcu-error": (HEALTHY, HEALTHY),
    "mcu-dead": (("the chip's processor failed at: reading calibration (code 0x82)", SUPPLY),) * 2,
    "stuck-stream": (("0 of 20 frames were good; no new frame for", SUPPLY), ("no new frame for", SUPPLY)),
    "avalid-never": (("the AS7341 does not finish measuring", SUPPLY),) * 2,
    "saturation": (("light from outside saturates it", "close the shroud"), ("too much light", "close the shroud")),
    "dead-led": (("next to no light", "whether the lamp is lit"), ("the lamp adds", "whether the lamp is lit")),
    "dirty-window": (HEALTHY, HEALTHY),  # without a calibration nobody knows how much light would be right
}


def test_the_table_is_whole() -> None:
    assert set(TABLE) == set(PRESETS)


@pytest.mark.parametrize("command", ["probe", "selftest"])
@pytest.mark.parametrize("fault", [None, *TABLE])
def test_every_fault_is_named_with_what_to_do_and_the_exit_status(command: str, fault: str | None) -> None:
    """Both forms: words for a person, one object for a program, from the same bus."""
    says, advises = HEALTHY if fault is None else TABLE[fault][command == "selftest"]
    words = [command, *FAST, *(["--faults", fault] if fault else [])]
    told = CliRunner().invoke(edge, words)
    lines = told.output.splitlines()
    assert told.exit_code == (1 if says else 0), told.output
    assert lines[-1] == ("not ready: see what is marked BAD" if says else "both sensors are healthy")
    bad = [line for line in lines if line[14:17] == "BAD"]
    assert any(says in line for line in bad) == bool(says), told.output
    assert sum("what to do: " in line for line in lines) == len(bad)
    assert not says or any(advises in line for line in lines if "what to do: " in line), told.output
    assert max(map(len, lines)) <= 220, "fits two lines of a terminal"
    told = CliRunner().invoke(edge, [*words, "--json"])
    data = json.loads(told.output)
    assert told.exit_code == (1 if says else 0)
    assert data["healthy"] == (not says)
    assert {"bus", "address", "chip", "healthy", "sentence", "advice"} == set(data["findings"][0])
    found = [each for each in data["findings"] if each["advice"]]
    assert any(says in each["sentence"] for each in found) == bool(says)


@pytest.mark.parametrize("command", ["probe", "selftest"])
@pytest.mark.parametrize("fault", ["absent", "brown-out", "nak-burst"])
def test_a_sensor_that_is_not_there_is_not_called_a_bad_contact_as_well(command: str, fault: str) -> None:
    assert "bad contact" not in CliRunner().invoke(edge, [command, *FAST, "--faults", fault]).output


def test_an_unknown_fault_is_misuse() -> None:
    told = CliRunner().invoke(edge, ["probe", *FAST, "--faults", "gremlins"])
    assert told.exit_code == 2
    assert "there is no fault 'gremlins'" in told.output


def test_faults_need_the_simulation_and_a_replay_its_capture() -> None:
    for words in (["--bus", "linux", "--faults", "nak"], ["--bus", "replay"]):
        assert CliRunner().invoke(edge, ["probe", *words]).exit_code == 2


def test_a_capture_is_made_and_replayed(tmp_path: Path) -> None:
    path = tmp_path / "new.i2c"
    made = CliRunner().invoke(edge, ["capture", *FAST, "--of", "probe", "--out", str(path)])
    assert made.exit_code == 0, made.output
    assert "transfers" in made.output
    told = CliRunner().invoke(edge, ["probe", "--bus", "replay", "--capture", str(path)])
    assert told.exit_code == 0, told.output
