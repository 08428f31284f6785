"""Between the sensors and the spool: holds the calibrations in force and makes measurements into messages with them.

Everything here runs in the bus's thread; who has pieces shown to him (`collect`) is told on the event loop.
"""

from collections.abc import Callable
from typing import TYPE_CHECKING

import msgspec
import structlog

from contract.bounds import Severity
from contract.studies import CalibrationReport, ChallengeRecord
from drivers.frames import SpectralFrame, TofFrame
from edge import calibration
from edge.assemble import Assembler
from edge.calibration import CalibrationError
from edge.guided import Guide, Outcome, Procedure, expired
from edge.identity import agent_version
from edge.recorder import Found
from edge.rows import utc_from_ns
from edge.sampler import Measurement, Trouble
from edge.world import LINE

if TYPE_CHECKING:
    from edge.agent import Agent

log = structlog.get_logger("agent")


class Assembly:
    """Of one agent. lot_id: of what comes now; calibrations: None until there are any."""

    def __init__(self, agent: "Agent", lot_id: int | None) -> None:
        self.lot_id = lot_id
        self.calibrations = calibration.load(agent.settings.state_dir)
        self._agent = agent
        self._assembler: Assembler | None = None
        self._collector: Callable[[Found], None] | None = None

    def tell_left(self) -> None:
        """Tell of a calibration that was made while no agent ran."""
        folder = self._agent.settings.state_dir
        left = calibration.take_report(folder)
        if left is not None:
            self._tell_calibration(left)
            calibration.drop_report(folder)

    def calibrate(self, procedure: Procedure = "all") -> None:
        """Measure with targets that are shown, or that a person has laid there."""
        world = self._agent.world
        log.info("agent.calibrating", procedure=procedure)
        guide = Guide(
            world.tof,
            world.spectral,
            show=world.show or _in_place,
            white_reflectance=world.white_reflectance,
            device_id=self._agent.identity.device_id,
            now=utc_from_ns(self._agent.clock.guess_ns()),
            before=self.calibrations,
        )
        try:
            self.adopt(guide.run(procedure))
        except CalibrationError as error:
            self._tell_calibration(CalibrationReport(refused=str(error)[:500]))
            raise
        finally:
            if world.show is not None:
                world.show(LINE)

    def adopt(self, outcome: Outcome) -> None:
        """Keep what was measured, tell it, and let the next measurement begin with it."""
        calibration.save(self._agent.settings.state_dir, outcome.calibrations)
        self.calibrations = outcome.calibrations
        self._assembler = None
        self._tell_calibration(CalibrationReport(calibrations=outcome.records))

    def _tell_calibration(self, report: CalibrationReport) -> None:
        data: dict[str, object] = msgspec.to_builtins(report)
        severity: Severity = "info" if report.refused is None else "warning"
        self._agent.append_event("calibration", self._agent.clock.monotonic_ns(), severity=severity, data=data)

    def measured(self, measurement: Measurement) -> None:
        assembler = self._assembling()
        assembler.take(measurement)
        self._agent.reporter.belt_empty_since_ns = assembler.belt_empty_since_ns

    def picture(self, taken_ns: int, frame: TofFrame | None, travel_mm: float) -> bool:
        """edge.feed.Taker."""
        assembler = self._assembling()
        wanted = assembler.belt.picture(taken_ns, frame, travel_mm)
        self._agent.reporter.belt_empty_since_ns = assembler.belt_empty_since_ns
        return wanted

    def asked(self, travel_mm: float) -> None:
        """edge.feed.Taker."""
        self._assembling().belt.asked(travel_mm)

    def light(self, taken_ns: int, frame: SpectralFrame | None, travel_mm: float, *, laser: bool) -> None:
        """edge.feed.Taker."""
        self._assembling().belt.light(taken_ns, frame, travel_mm, laser=laser)

    def _assembling(self) -> Assembler:
        assembler = self._assembler or self._begin_assembling()
        assembler.lot_id = self.lot_id
        return assembler

    def _begin_assembling(self) -> Assembler:
        assert self.calibrations is not None
        assembler = self._assembler = Assembler(
            spool=self._agent.spool,
            identity=self._agent.identity,
            calibrations=self.calibrations,
            recipe=self._agent.recipe,
            agent=agent_version(),
            lot_id=self.lot_id,
            location=self._agent.settings.location,
            on_trouble=self._agent.on_trouble,
        )
        if self._agent.world.travel is not None:
            assembler.belt.travel, assembler.belt.learn = self._agent.world.travel.kind, self._agent.world.travel.learn
        gone = expired(self.calibrations, utc_from_ns(self._agent.clock.guess_ns()))
        assembler.recorder.stale = tuple(f"calibration_expired_{sensor}" for sensor in gone)
        assembler.recorder.on_found = self._found
        for sensor in gone:
            chip = "VL53L8CH" if sensor == "tof" else "AS7341"
            words = f"the calibration of the {chip} is older than it may be"
            now_ns, kind = self._agent.clock.monotonic_ns(), "calibration expired"
            self._agent.on_trouble(Trouble(chip, False, words, 0, now_ns, kind, "calibrate again", hampered=True))
        self._agent.reporter.assembler = assembler.counters
        self._agent.reporter.calibration_ids = assembler.calibration_ids
        self._agent.introduce_soon()
        return assembler

    def collect(self, taker: Callable[[Found], None] | None) -> None:
        """Have every graded piece given to `taker`, on the loop, in place of a sample; None: they are samples again."""
        self._collector = taker

    def _found(self, found: Found) -> bool:
        collector = self._collector
        if collector is not None:
            self._agent.post(collector, found)
        return collector is not None

    def tell_challenge(self, record: ChallengeRecord) -> None:
        data: dict[str, object] = msgspec.to_builtins(record)
        severity: Severity = "info" if record.passed else "critical"
        self._agent.append_event("challenge", self._agent.clock.monotonic_ns(), severity=severity, data=data)


def _in_place(target: str) -> None:
    """Whoever gave the command has laid the target there."""
    log.info("agent.calibration_target", target=target)
