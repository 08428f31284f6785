"""Gauge bodies and reference pieces on a running belt: through the commands as the cloud sends them.

Goal: what is shown makes a calibration or a record, and no sample. Method: a belt on which one and the same piece comes
again and again, real drivers on simulated chips in virtual time, the commands beside them on an event loop.
"""

import asyncio
from concurrent.futures import Future
from dataclasses import dataclass
from typing import Any

import pytest

from contract.studies import ChallengeRecord
from drivers.sim.conveyor import Continuous
from drivers.sim.rays import Placed
from drivers.sim.stock import Stock
from edge.calibration import Calibrations
from edge.commands import CommandError
from edge.errands import Errands
from edge.guided import Outcome
from edge.identity import Identity
from edge.recorder import Found
from edge.world import World
from tests.unit.edge.rig import NOW, Device

SPEED, PITCH = 200.0, 220.0


@dataclass(frozen=True, slots=True)
class Same(Stock):
    """The piece of place 4 at every place."""

    def at(self, place: int) -> tuple[Placed, ...]:
        """One and the same."""
        del place
        return Stock.at(self, 4)


class Shown:
    """A device on such a belt, and its commands."""

    def __init__(self) -> None:
        self.device = Device(motion=Continuous(SPEED, PITCH), stock=Same(3))
        self.device.run_belt(4.0)
        self.told: list[ChallengeRecord] = []
        self.calibrations: Calibrations = self.device.calibrations
        self.true_mm3 = self.device.world.piece(4).volume_mm3
        self._loop = asyncio.get_running_loop()
        self.errands = Errands(
            World(self.device.bus, self.device.bus, self.device.tof_driver, self.device.spectral_driver),
            in_bus=self._now,
            calibrations=lambda: self.calibrations,
            calibrate=lambda _: None,
            adopt=self._adopt,
            collect=self._collect,
            tell=self.told.append,
            identity=Identity("ESP32_LL_01", "LL", "line1", session=self.device.spool.boot_id),
            now=lambda: NOW,
            configure=self._configure,
            revision=lambda: 0,
        )

    async def run(self, command: str, **args: object) -> tuple[dict[str, Any], int]:
        """The answer, and how many samples the belt made meanwhile."""
        before = len(self.device.samples())
        asked = asyncio.ensure_future(self.errands.all()[command](args))
        await asyncio.sleep(0)
        while not asked.done():
            await asyncio.to_thread(self.device.run_belt, 2.0)
        return await asked, len(self.device.samples()) - before

    @staticmethod
    def _now(call: Any) -> "Future[Any]":
        future: Future[Any] = Future()
        future.set_result(call())
        return future

    def _adopt(self, outcome: Outcome) -> None:
        self.calibrations = outcome.calibrations

    def _collect(self, taker: Any) -> None:
        def found(piece: Found) -> bool:
            self._loop.call_soon_threadsafe(taker, piece)
            return True

        self.device.assembler.recorder.on_found = None if taker is None else found

    @staticmethod
    async def _configure(desired: Any) -> None:
        del desired


async def test_a_gauge_body_that_passes_sets_the_factor_and_makes_no_samples() -> None:
    shown = Shown()
    before = shown.calibrations.tof
    found, samples = await shown.run("calibrate", what="gauge", volume_mm3=shown.true_mm3 * 1.02, passes=6)
    assert found["volume_factor"] == pytest.approx(1.02, abs=0.03)
    assert samples <= 2  # what passed after the last one that was asked for
    assert shown.calibrations.tof.volume_factor == found["volume_factor"]
    assert shown.calibrations.tof.volume_factor_u < before.volume_factor_u
    with pytest.raises(CommandError, match="volume_mm3"):
        await shown.errands.calibrate({"what": "gauge"})


async def test_a_reference_piece_as_the_cloud_asks_for_it_passes_or_fails_on_record() -> None:
    shown = Shown()
    figure = {"value": shown.true_mm3, "tolerance": 0.05 * shown.true_mm3}
    piece: dict[str, Any] = {"reference_id": "REF-7", "figures": {"volume_mm3": figure}, "every_s": 86_400.0}
    piece |= {"valid_until": "2030-01-01T00:00:00+00:00"}
    found, samples = await shown.run("challenge-test", reference=piece, tile_in_place=True, made_by="Anne")
    assert (found["passed"], found["readings"], found["made_by"]) == (True, 3, "Anne")
    assert samples <= 2
    figure["value"] *= 1.2
    found, _ = await shown.run("challenge-test", reference=piece, tile_in_place=False, made_by="Anne")
    assert found["passed"] is False
    assert [(each.reference, each.passed, each.made_by) for each in shown.told] == [
        ("REF-7", True, "Anne"),
        ("REF-7", False, "Anne"),
    ]
    with pytest.raises(CommandError, match="figures"):
        await shown.errands.challenge({"reference": piece | {"figures": {"taste": figure}}})
