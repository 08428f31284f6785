"""What the commands do on this device. Whatever touches a sensor runs in the bus's thread, between two measurements."""

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from concurrent.futures import Future
from pathlib import Path
from typing import Any, TypeVar

import msgspec
import numpy as np

from contract.messages import DesiredConfiguration, ReportedConfiguration
from drivers.bus import BusError
from drivers.errors import DriverError
from edge.calibration import CalibrationError, Calibrations
from edge.commands import FAILED, REFUSED, CommandError, Errand
from edge.world import LINE, WHITE_TILE, World

LED = Path("/sys/class/leds/ACT")  # the light on the board of a Raspberry Pi
BLINK_S_MAX = 60
WHITE_TOLERANCE = 0.10  # of the white reference: what a clean window and a healthy lamp keep to
SPECTRA = 5
NO_PERSON = 409

T = TypeVar("T")
InBus = Callable[[Callable[[], T]], Future[T]]


class Errands:
    """in_bus: runs a call in the bus's thread. calibrate: measures and keeps a calibration, in that thread."""

    def __init__(
        self,
        world: World,
        *,
        in_bus: Callable[[Callable[[], Any]], "Future[Any]"],
        calibrations: Callable[[], Calibrations | None],
        calibrate: Callable[[], None],
        configure: Callable[[DesiredConfiguration], Awaitable[ReportedConfiguration | None]],
        revision: Callable[[], int],
        led: Path = LED,
    ) -> None:
        self._world = world
        self._in_bus = in_bus
        self._calibrations = calibrations
        self._calibrate = calibrate
        self._configure = configure
        self._revision = revision
        self._led = led

    def all(self) -> dict[str, Errand]:
        """Every command by its name."""
        return {
            "calibrate": self.calibrate,
            "challenge-test": self.challenge,
            "identify": self.identify,
            "restart-sensor": self.restart_sensor,
            "self-test": self.self_test,
            "set-lot": self.set_lot,
        }

    async def set_lot(self, args: Mapping[str, Any]) -> dict[str, Any]:
        """`lot_id`, and `revision` where the twin's next one is not meant: a write to the twin like any other."""
        wanted = {"revision": args.get("revision", self._revision() + 1), "lot_id": args.get("lot_id")}
        try:
            desired = msgspec.convert(wanted, DesiredConfiguration)
        except msgspec.ValidationError as error:
            raise CommandError(REFUSED, str(error)) from None
        if desired.lot_id is None:
            raise CommandError(REFUSED, "lot_id: required, but missing")
        reported = await self._configure(desired)
        if reported is None:
            raise CommandError(NO_PERSON, f"revision {desired.revision} is not newer than {self._revision()}")
        return {"revision": reported.revision, "lot_id": desired.lot_id}

    async def calibrate(self, args: Mapping[str, Any]) -> dict[str, Any]:
        """All three targets, where the device can show them itself; on a line a person does it on the spot."""
        del args
        if self._world.show is None:
            raise CommandError(NO_PERSON, "targets must be laid under the sensors: run `sqal edge calibrate` there")
        await self._run(self._calibrate)
        found = self._calibrations()
        assert found is not None
        return {"tof": found.tof.id, "spectral": found.spectral.id}

    async def challenge(self, args: Mapping[str, Any]) -> dict[str, Any]:
        """Look at the white tile (`tile_in_place`: a person has laid it there); compare with the calibration."""
        if self._world.show is None and args.get("tile_in_place") is not True:
            raise CommandError(NO_PERSON, "lay the white tile under the sensors and say tile_in_place: true")
        return await self._run(self._compare_white)

    async def restart_sensor(self, args: Mapping[str, Any]) -> dict[str, Any]:
        """`chip`: VL53L8CH or AS7341."""
        drivers = {"VL53L8CH": self._world.tof, "AS7341": self._world.spectral}
        driver = drivers.get(str(args.get("chip")))
        if driver is None:
            raise CommandError(REFUSED, f"chip: one of {', '.join(drivers)}")

        def restart() -> None:
            driver.stop()
            driver.start()

        await self._run(restart)
        return {"chip": args["chip"]}

    async def self_test(self, args: Mapping[str, Any]) -> dict[str, Any]:
        """Read a frame of each sensor and say what came."""
        del args

        def look() -> dict[str, Any]:
            tof, light = self._world.tof.read(), self._world.spectral.read()
            zones = int(np.isfinite(tof.distance_mm).sum())
            return {"zones_with_target": zones, "clear_counts": int(light.counts[8]), "gain": float(light.gain)}

        return await self._run(look)

    async def identify(self, args: Mapping[str, Any]) -> dict[str, Any]:
        """Blink the board's light for `seconds` (10; at most 60)."""
        seconds = args.get("seconds", 10)
        if not isinstance(seconds, int) or not 1 <= seconds <= BLINK_S_MAX:
            raise CommandError(REFUSED, f"seconds: a whole number from 1 to {BLINK_S_MAX}")
        trigger = self._led / "trigger"
        try:
            before = _chosen(trigger.read_text())
            trigger.write_text("timer")
            try:
                await asyncio.sleep(seconds)
            finally:
                trigger.write_text(before)
        except OSError as error:
            raise CommandError(501, f"this machine has no light that can blink: {error.strerror}") from None
        return {"seconds": seconds}

    def _compare_white(self) -> dict[str, Any]:
        world, calibrations = self._world, self._calibrations()
        if calibrations is None:
            raise CommandError(NO_PERSON, "there is no calibration to compare with")
        try:
            if world.show is not None:
                world.show(WHITE_TILE)
            world.spectral.read()  # what was there before may still be in it
            frames = [world.spectral.read() for _ in range(SPECTRA)]
        finally:
            if world.show is not None:
                world.show(LINE)
        white, dark = np.array(calibrations.spectral.white_counts), np.array(calibrations.spectral.dark_counts)
        scale = calibrations.spectral.gain * calibrations.spectral.integration_ms
        seen = np.mean([frame.counts for frame in frames], axis=0)
        seen = seen * scale / (frames[-1].gain * frames[-1].integration_ms)
        deviation = np.abs((seen - dark) / np.maximum(white - dark, 1.0) - 1.0)
        worst = round(float(deviation.max()), 4)
        return {"passed": worst <= WHITE_TOLERANCE, "worst_deviation": worst, "tolerance": WHITE_TOLERANCE}

    async def _run(self, call: Callable[[], T]) -> T:
        try:
            return await asyncio.wrap_future(self._in_bus(call))
        except (DriverError, BusError, CalibrationError) as error:
            raise CommandError(FAILED, str(error)) from None


def _chosen(triggers: str) -> str:
    """The one in brackets of what a LED's trigger file offers."""
    return triggers.partition("[")[2].partition("]")[0] or "none"
