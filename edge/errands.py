"""What the commands do on this device. Whatever touches a sensor runs in the bus's thread, between two measurements."""

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from concurrent.futures import Future
from dataclasses import asdict
from datetime import datetime, timedelta
from pathlib import Path
from typing import Annotated, Any, TypeVar

import msgspec
import numpy as np

from contract.messages import DesiredConfiguration, ReportedConfiguration
from contract.studies import ChallengeLine, ChallengeRecord
from drivers.bus import BusError
from drivers.errors import DriverError
from edge.calibration import CalibrationError, Calibrations
from edge.commands import FAILED, REFUSED, CommandError, Errand
from edge.feed import pause, resume
from edge.guided import PROCEDURES, WORDS, Outcome, Procedure, gauge
from edge.identity import Identity
from edge.recorder import Found
from edge.stage import Stage
from edge.world import LINE, WHITE_TILE, World
from quality.challenge import Expected, Reference, judge_challenge
from quality.errors import QualityError

LED = Path("/sys/class/leds/ACT")  # the light on the board of a Raspberry Pi
BLINK_S_MAX = 60
WHITE_TOLERANCE = 0.10  # of the white reference: what a clean window and a healthy lamp keep to
SPECTRA = 5
PIECES_MAX = 50
BODIES_MAX = 9  # of a gauge set, beside the one that passes
PIECE_WAIT_S = 60.0  # for each piece of a gauge or a reference that is to come by
NO_PERSON = 409

FIGURES: dict[str, Callable[[Found], float]] = {
    "volume_mm3": lambda piece: piece.tof.volume_mm3,
    "mass_g": lambda piece: piece.tof.mass_g,
    "surface_uniformity": lambda piece: piece.tof.surface_uniformity,
    "oxidation_index": lambda piece: piece.light.oxidation_index,
    "freshness_index": lambda piece: piece.light.freshness_index,
    "lightness": lambda piece: piece.light.lightness,
    "a_star": lambda piece: piece.light.a_star,
    "b_star": lambda piece: piece.light.b_star,
    "final_score": lambda piece: piece.verdict.final_score,
}


class Figure(msgspec.Struct, frozen=True):
    """What a figure of a reference piece must be."""

    value: float
    tolerance: float


class ReferencePiece(msgspec.Struct, frozen=True):
    """A piece of known values, as the cloud keeps it: its engraved id, its figures, and how often it must be shown."""

    reference_id: Annotated[str, msgspec.Meta(min_length=1, max_length=100)]
    figures: dict[str, Figure]
    every_s: Annotated[float, msgspec.Meta(gt=0.0, le=3600.0 * 24 * 366)] = 86_400.0
    valid_until: datetime | None = None


class ReferenceArgs(msgspec.Struct, frozen=True):
    """Arguments of a challenge with a reference piece. made_by: who asks; tile_in_place: the piece lies there."""

    reference: ReferencePiece
    pieces: Annotated[int, msgspec.Meta(ge=3, le=PIECES_MAX)] = 3
    made_by: Annotated[str, msgspec.Meta(max_length=500)] = "edge"
    tile_in_place: bool = False


T = TypeVar("T")
InBus = Callable[[Callable[[], T]], Future[T]]


class Errands:
    """in_bus: runs a call in the bus's thread. calibrate: measures and keeps a calibration, adopt: keeps one, tell: the
    record of a challenge, all in that thread. collect: has every graded piece shown to somebody, on the loop.
    """

    def __init__(
        self,
        world: World,
        *,
        in_bus: Callable[[Callable[[], Any]], "Future[Any]"],
        calibrations: Callable[[], Calibrations | None],
        calibrate: Callable[[Procedure], None],
        adopt: Callable[[Outcome], None],
        collect: Callable[[Callable[[Found], None] | None], None],
        tell: Callable[[ChallengeRecord], None],
        identity: Identity,
        now: Callable[[], datetime | None],
        configure: Callable[[DesiredConfiguration], Awaitable[ReportedConfiguration | None]],
        revision: Callable[[], int],
        stage: bool = False,
        led: Path = LED,
    ) -> None:
        self._world = world
        self._stage = stage
        self._in_bus = in_bus
        self._calibrations = calibrations
        self._calibrate = calibrate
        self._adopt = adopt
        self._collect = collect
        self._tell = tell
        self._identity = identity
        self._now = now
        self._configure = configure
        self._revision = revision
        self._led = led

    def all(self) -> dict[str, Errand]:
        """Every command by its name."""
        errands: dict[str, Errand] = {
            "calibrate": self.calibrate,
            "challenge-test": self.challenge,
            "identify": self.identify,
            "restart-sensor": self.restart_sensor,
            "self-test": self.self_test,
            "set-lot": self.set_lot,
        }
        if self._stage and self._world.player is not None:
            errands["play-fault"] = Stage(self._world.player, self._run).play
        return errands

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
        """`what`: belt, dark, white or all (default), or gauge with `volume_mm3`, `volume_mm3_u` and `passes`.

        `in_place`: where the device cannot show targets itself, a person says that it lies there.
        """
        what = args.get("what", "all")
        if what == "gauge":
            return await self._gauge(args)
        if what not in PROCEDURES:
            raise CommandError(REFUSED, f"what: one of {', '.join((*PROCEDURES, 'gauge'))}")
        if self._world.show is None and (what == "all" or args.get("in_place") is not True):
            raise CommandError(NO_PERSON, f"{WORDS[what]} Then say in_place: true, one target a command.")
        await self._run(lambda: self._calibrate(what))
        return self._ids()

    def _ids(self) -> dict[str, Any]:
        found = self._calibrations()
        assert found is not None
        return {"tof": found.tof.id, "spectral": found.spectral.id}

    async def _gauge(self, args: Mapping[str, Any]) -> dict[str, Any]:
        """The next passes are of the gauge body and no samples; `others`: [factor, uncertainty] of those before it."""
        before, now = self._calibrations(), self._now()
        true_mm3, passes = args.get("volume_mm3"), args.get("passes", 5)
        if before is None or now is None:
            raise CommandError(NO_PERSON, "there is no calibration, or no time, to build on")
        if not isinstance(true_mm3, int | float) or not 0 < true_mm3 < 1e8:
            raise CommandError(REFUSED, "volume_mm3: the known volume of the gauge body")
        if not isinstance(passes, int) or not 5 <= passes <= PIECES_MAX:
            raise CommandError(REFUSED, f"passes: a whole number from 5 to {PIECES_MAX}")
        others = _factors(args.get("others", []))
        pieces = await self._pieces(passes)
        volumes = np.array([piece.tof.volume_mm3 for piece in pieces])
        true_u = float(args.get("volume_mm3_u", 0.002 * true_mm3))
        device_id = self._identity.device_id
        try:
            outcome = gauge(
                before, volumes, true_mm3=true_mm3, true_mm3_u=true_u, device_id=device_id, now=now, others=others
            )
        except CalibrationError as error:
            raise CommandError(NO_PERSON, str(error)) from None
        await self._run(lambda: self._adopt(outcome))
        found = outcome.calibrations.tof
        return self._ids() | {
            "volume_factor": found.volume_factor,
            "volume_factor_u": found.volume_factor_u,
            **outcome.records[0].conditions,
        }

    async def _pieces(self, count: int) -> list[Found]:
        """The next graded pieces, which then make no samples."""
        found: list[Found] = []
        done = asyncio.Event()

        def take(piece: Found) -> None:
            if len(found) < count:
                found.append(piece)
            if len(found) >= count:
                done.set()

        self._collect(take)
        try:
            async with asyncio.timeout(PIECE_WAIT_S * count):
                await done.wait()
        except TimeoutError:
            raise CommandError(NO_PERSON, f"only {len(found)} of {count} pieces came by") from None
        finally:
            self._collect(None)
        return found

    async def challenge(self, args: Mapping[str, Any]) -> dict[str, Any]:
        """The next `pieces` pieces are the piece `reference` {reference_id, figures {name: {value, tolerance}}, …}.

        Without a reference: look at the white tile (`tile_in_place`: it lies there) and compare with the calibration.
        """
        if "reference" in args:
            return await self._show_reference(args)
        if self._world.show is None and args.get("tile_in_place") is not True:
            raise CommandError(NO_PERSON, "lay the white tile under the sensors and say tile_in_place: true")
        return await self._run(self._compare_white)

    async def _show_reference(self, args: Mapping[str, Any]) -> dict[str, Any]:
        now = self._now()
        if now is None:
            raise CommandError(NO_PERSON, "the time is not known yet")
        try:
            wanted = msgspec.convert(args, ReferenceArgs)
            piece = wanted.reference
            unknown = set(piece.figures) - set(FIGURES)
            if unknown:
                raise CommandError(REFUSED, f"figures: {', '.join(sorted(unknown))}; known are {', '.join(FIGURES)}")
            figures = {name: Expected(each.value, each.tolerance) for name, each in piece.figures.items()}
            every = timedelta(seconds=piece.every_s)
            reference = Reference(piece.reference_id, figures, every, piece.valid_until or now + every)
        except (msgspec.ValidationError, QualityError) as error:
            raise CommandError(REFUSED, str(error)) from None
        pieces = await self._pieces(wanted.pieces)
        readings = {name: [FIGURES[name](piece) for piece in pieces] for name in figures}
        try:
            found = judge_challenge(reference, readings, now=now)
        except QualityError as error:
            refused = ChallengeRecord(
                reference=reference.id,
                taken_at=now,
                passed=False,
                readings=len(pieces),
                refused=str(error)[:500],
                made_by=wanted.made_by,
            )
            await self._run(lambda: self._tell(refused))
            raise CommandError(NO_PERSON, str(error)) from None
        ids = self._ids()
        lines = [ChallengeLine(**asdict(line)) for line in found.lines]
        record = ChallengeRecord(
            reference=reference.id,
            taken_at=now,
            passed=found.passed,
            readings=found.readings,
            lines=lines,
            made_by=wanted.made_by,
            tof=ids["tof"],
            spectral=ids["spectral"],
        )
        await self._run(lambda: self._tell(record))
        return msgspec.to_builtins(record)

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
            dark = pause(world.tof)  # as when the white was measured: the laser lies inside the NIR channel
            try:
                world.spectral.read()  # what was there before may still be in it
                frames = [world.spectral.read() for _ in range(SPECTRA)]
            finally:
                if dark:
                    resume(world.tof)
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


def _factors(others: object) -> list[tuple[float, float]]:
    """Factors of gauge bodies as a command names them. Raises CommandError."""
    try:
        found = msgspec.convert(others, list[tuple[float, float]])
    except msgspec.ValidationError as error:
        raise CommandError(REFUSED, f"others: {error}") from None
    if len(found) > BODIES_MAX or any(not 0.5 < factor < 2.0 or not 0.0 < u < 0.1 for factor, u in found):
        raise CommandError(REFUSED, f"others: at most {BODIES_MAX} factors, each near 1 and with its uncertainty")
    return found


def _chosen(triggers: str) -> str:
    """The one in brackets of what a LED's trigger file offers."""
    return triggers.partition("[")[2].partition("]")[0] or "none"
