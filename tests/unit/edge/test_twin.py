"""The twin: whole or not at all, kept across a restart, each revision once."""

from pathlib import Path

import pytest

from contract.messages import DesiredConfiguration
from edge.twin import Twin
from quality.recipe import DEFAULT_RECIPE


def new_twin(folder: Path, told: list[object]) -> Twin:
    return Twin(folder, lot_id=7, rate_hz=1.0, recipe=DEFAULT_RECIPE, set_lot=told.append, set_rate=told.append)


def test_what_is_applied_outlives_a_restart(tmp_path: Path) -> None:
    told: list[object] = []
    reported = new_twin(tmp_path, told).apply(DesiredConfiguration(revision=3, lot_id=12, rate_hz=5.0))
    assert reported is not None
    assert (reported.revision, reported.errors, reported.settings["lot_id"]) == (3, {}, 12)
    assert told == [12, 5.0]
    again = new_twin(tmp_path, told)
    assert (again.revision, again.lot_id, again.rate_hz) == (3, 12, 5.0)
    assert again.apply(DesiredConfiguration(revision=3, lot_id=13)) is None
    assert again.lot_id == 12


def test_a_refused_key_refuses_all_and_says_why(tmp_path: Path) -> None:
    told: list[object] = []
    twin = new_twin(tmp_path, told)
    reported = twin.apply(DesiredConfiguration(revision=1, lot_id=12, recipe="no such recipe", limits={"x": 1.0}))
    assert reported is not None
    assert set(reported.errors) == {"recipe", "limits"}
    assert (twin.lot_id, told) == (7, [])
    assert new_twin(tmp_path, told).revision == 1


def test_a_disk_that_refuses_changes_nothing(tmp_path: Path) -> None:
    told: list[object] = []
    twin = new_twin(tmp_path / "absent", told)
    with pytest.raises(OSError, match="No such file"):
        twin.apply(DesiredConfiguration(revision=1, lot_id=12))
    assert (twin.revision, twin.lot_id, told) == (0, 7, [])


def test_a_damaged_file_is_set_aside(tmp_path: Path) -> None:
    (tmp_path / "twin.json").write_text('{"revision": "three"}')
    twin = new_twin(tmp_path, [])
    assert (twin.revision, twin.lot_id) == (0, 7)
    assert (tmp_path / "twin.json.damaged").exists()
