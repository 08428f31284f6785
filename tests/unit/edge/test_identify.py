"""`identify`: the light on the board blinks for as long as was asked, and is what it was before afterwards."""

import asyncio
import uuid
from pathlib import Path
from typing import cast

import pytest

from edge.commands import REFUSED, CommandError
from edge.errands import Errands
from edge.identity import Identity
from edge.world import World


def errands(led: Path) -> Errands:
    async def nothing(_desired: object) -> None: ...

    def unasked(_what: object) -> None:
        pytest.fail("the light is no measurement")

    return Errands(
        cast("World", None),  # no sensor is touched
        in_bus=lambda _call: pytest.fail("the bus is not needed"),
        calibrations=lambda: None,
        calibrate=unasked,
        adopt=unasked,
        collect=unasked,
        tell=unasked,
        identity=Identity("ESP32_LL_01", "LL", "line1", uuid.UUID(int=2)),
        now=lambda: None,
        configure=nothing,
        revision=lambda: 0,
        led=led,
    )


async def test_it_blinks_and_stops(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    trigger = tmp_path / "trigger"
    trigger.write_text("none timer [mmc0] heartbeat")
    seen: list[str] = []

    async def wait(seconds: float) -> None:
        seen.append(f"{trigger.read_text()} for {seconds}")

    monkeypatch.setattr(asyncio, "sleep", wait)
    assert await errands(tmp_path).identify({"seconds": 3}) == {"seconds": 3}
    assert seen == ["timer for 3"]
    assert trigger.read_text() == "mmc0"


async def test_a_stop_in_between_leaves_the_light_as_it_was(tmp_path: Path) -> None:
    (tmp_path / "trigger").write_text("[mmc0] timer")
    task = asyncio.create_task(errands(tmp_path).identify({}))
    await asyncio.sleep(0)
    assert (tmp_path / "trigger").read_text() == "timer"
    task.cancel()
    await asyncio.wait([task])
    assert (tmp_path / "trigger").read_text() == "mmc0"


@pytest.mark.parametrize("seconds", [0, 61, 1.5, "10", None, -1])
async def test_a_time_out_of_bounds_is_refused_by_name(tmp_path: Path, seconds: object) -> None:
    with pytest.raises(CommandError, match="seconds: a whole number from 1 to 60") as refused:
        await errands(tmp_path).identify({"seconds": seconds})
    assert refused.value.status == REFUSED


async def test_a_machine_without_a_light_says_so(tmp_path: Path) -> None:
    with pytest.raises(CommandError, match="no light that can blink"):
        await errands(tmp_path / "absent").identify({})
