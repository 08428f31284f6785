"""`sqal edge probe` and `selftest` as a person and as a program call them."""

import json
from pathlib import Path

import pytest
from click.testing import CliRunner

from sqal.commands.edge import edge

FAST = ["--bus", "sim", "--speed", "100"]


@pytest.mark.parametrize("command", ["probe", "selftest"])
@pytest.mark.parametrize(("faults", "status"), [(None, 0), ("absent-tof", 1), ("stuck-bus", 1)])
def test_the_exit_status_is_0_only_when_both_are_healthy(command: str, faults: str | None, status: int) -> None:
    words = [command, *FAST, *(["--faults", faults] if faults else [])]
    told = CliRunner().invoke(edge, words)
    assert told.exit_code == status, told.output
    assert ("both sensors are healthy" in told.output) == (status == 0)
    data = json.loads(CliRunner().invoke(edge, [*words, "--json"]).output)
    assert data["healthy"] == (status == 0)
    assert {"bus", "address", "chip", "healthy", "sentence", "advice"} == set(data["findings"][0])


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
