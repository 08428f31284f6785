"""Faults on request: only where the settings put a stage up, and only with arguments that make sense."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from drivers.sim.timeline import Player
from edge.commands import CommandError
from edge.settings import SettingsError, load
from edge.stage import Stage
from edge.world import open_world

HERE = {"device": "D1", "site": "LL", "state_dir": "state"}


async def at_once(call: Callable[[], Any]) -> Any:
    return call()


def player(tmp_path: Path, **more: Any) -> Player | None:
    world = open_world(load(None, {}, HERE | {"bus": "sim", "state_dir": str(tmp_path)} | more))
    world.close()
    return world.player


def test_there_is_a_stage_only_where_the_settings_say_so(tmp_path: Path) -> None:
    assert player(tmp_path) is None
    assert player(tmp_path, stage=True) is not None
    with pytest.raises(SettingsError, match="stage is for the simulated bus"):
        load(None, {}, HERE | {"bus": "linux", "stage": True})


async def test_a_fault_begins_and_all_end_by_word(tmp_path: Path) -> None:
    playing = player(tmp_path, stage=True)
    assert playing is not None
    stage = Stage(playing, at_once)
    told = await stage.play({"fault": "dead-led", "for_s": 30})
    assert told == {"fault": "dead-led", "words": "the lamp is dead", "for_s": 30.0}
    assert [preset.name for preset in playing.on] == ["dead-led"]
    assert await stage.play({"fault": "none"}) == {"fault": "none"}
    assert playing.on == []


@pytest.mark.parametrize(
    ("args", "reason"),
    [({"fault": "fire"}, "fault: there is no fault 'fire'"), ({"fault": "nak", "for_s": 0}, "for_s: a number from 1")],
)
async def test_what_makes_no_sense_is_refused(tmp_path: Path, args: dict[str, Any], reason: str) -> None:
    playing = player(tmp_path, stage=True)
    assert playing is not None
    with pytest.raises(CommandError, match=reason):
        await Stage(playing, at_once).play(args)
