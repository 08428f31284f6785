"""What is on the buses, and whether both sensors really deliver: for the person on a ladder beside the line.

`probe_world` takes seconds: who answers, and one frame of each. `self_test_world` takes each sensor apart, from its
identity to its light. Both say what was found, and for what is wrong what to check first.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import TypeVar

import numpy as np

from drivers import as7341_selftest, vl53l8ch_selftest
from drivers.bus import Bus, BusError
from drivers.care import BusSpeed, care_for_spectral, care_for_tof
from drivers.errors import DriverError
from drivers.frames import SpectralFrame, TofFrame
from drivers.life import ADVICE, Care, Kind, kind_of
from drivers.probe import AS7341_ADDRESS, VL53L8_ADDRESS, Finding, probe, wrong_readings
from drivers.steady import RETRIES_MAX, SteadyBus
from edge.calibration import Calibrations
from edge.watch import DARK_ADVICE, DIRT_ADVICE, GLARE_ADVICE, RETURN_FLAGGED, rim_return
from edge.world import World

Frame = TypeVar("Frame")
Complaint = tuple[str, str]  # what is wrong, and what to check first

TOF, SPECTRAL = "VL53L8CH", "AS7341"
ADDRESSES = {TOF: VL53L8_ADDRESS, SPECTRAL: AS7341_ADDRESS}
RETRIED_MAX = 3  # a contact may bounce when a cable is touched; more is a bad one
READINGS = 200
LOOKS = 20  # frames of each; one might be luck
COUNTS_MIN = 200  # with the lamp on, even an empty belt returns ten times as much


@dataclass(frozen=True, slots=True)
class Checked:
    """One thing that was looked at. address: None where it isn't about one chip. advice: "" where nothing is wrong."""

    bus: str
    address: int | None
    chip: str | None
    healthy: bool
    sentence: str
    advice: str = ""


@dataclass(slots=True)
class Report:
    """All that was found, in order. healthy: whether SQAL can measure with it."""

    findings: list[Checked] = field(default_factory=list[Checked])

    @property
    def healthy(self) -> bool:
        """Both sensors were found, and nothing is wrong with either."""
        well = {each.chip for each in self.findings if each.healthy}
        return well >= {TOF, SPECTRAL} and not any(each.advice for each in self.findings)

    def lines(self) -> Iterator[str]:
        """For a person."""
        width = max((len(each.bus) for each in self.findings), default=0)
        for each in self.findings:
            yield f"{each.bus:{width}}  {'BAD' if each.advice else 'ok '}  {each.sentence}"
            if each.advice:
                yield f"{'':{width}}       what to do: {each.advice}"


class Window:
    """What a frame says of the ranging chip's window, beside what the belt returned when it was calibrated.

    The rim of the picture stands for the belt (edge.watch.rim_return).
    """

    def __init__(self, kept: Calibrations | None) -> None:
        belt = None if kept is None else kept.belt_signal_kcps
        self._belt = None if belt is None else np.array(belt)

    def complaint(self, frame: TofFrame) -> Complaint | None:
        """What is wrong, and what to do; None where nothing is, or nothing is known."""
        share = rim_return(frame, self._belt)
        if share is None or share >= RETURN_FLAGGED:
            return None
        words = f"the belt returns {100 * share:.0f} % of the light it returned at calibration"
        return f"{words}: a dirty window, or a dark belt", DIRT_ADVICE


def probe_world(world: World, kept: Calibrations | None = None) -> Report:
    """Look at every address, time the bus, then start each sensor and read some frames. Closes the buses.

    kept: the calibrations of this device, which tell a dirty window from a clean one.
    """
    report = Report()
    window = Window(kept)
    speed = BusSpeed()
    try:
        for bus, chips in _buses(world):
            findings = probe(bus, [ADDRESSES[chip] for chip in chips])
            stuck = bool(findings) and all(finding.stuck for finding in findings)
            if stuck:
                report.findings.append(_stuck(bus))
                continue
            for finding in findings:
                report.findings += list(_look(world, bus, finding, speed, window))
            report.findings += list(_refusals(bus))
    finally:
        world.close()
    return report


def self_test_world(world: World, kept: Calibrations | None = None) -> Report:
    """Every step of both self-tests; a sensor that does not answer ends its own part only. Closes the buses.

    kept: the calibrations of this device; with them the window of the ranging chip is looked at as well.
    """
    report = Report()
    try:
        for chip, bus, test in (
            (TOF, world.bus, lambda: vl53l8ch_selftest.self_test(world.tof)),
            (SPECTRAL, world.spectral_bus, lambda: as7341_selftest.self_test(world.spectral)),
        ):
            report.findings += list(_noise(bus, ADDRESSES[chip]))
            result = test()
            name = _short(bus)
            for step in result.steps:
                advice = "" if step.ok else _advice_for(step.sentence)
                sentence = f"{chip} {step.name}: {step.sentence}"
                report.findings.append(Checked(name, ADDRESSES[chip], chip, result.ok, sentence, advice))
            if chip == TOF and result.ok and kept is not None:
                report.findings.append(_window_step(world, kept))
        for bus, _ in _buses(world):
            report.findings += list(_refusals(bus))
    finally:
        world.close()
    return report


def _window_step(world: World, kept: Calibrations) -> Checked:
    """The ranging chip's window, after all else about it was found well."""
    finding = Finding(VL53L8_ADDRESS, TOF, True, f"{TOF} window")
    name = _short(world.bus)
    looked = _try(name, finding, care_for_tof(world.tof, world.bus, BusSpeed()), world.tof.stop, Window(kept))
    if not looked.healthy:
        return looked
    return Checked(name, VL53L8_ADDRESS, TOF, True, f"{TOF} window: the belt returns as much as at calibration")


def _stuck(bus: Bus) -> Checked:
    sentence = f"nobody on {_short(bus)} can speak: a line is held low, the controller gave up waiting"
    return Checked(_short(bus), None, None, False, sentence, ADVICE[Kind.STUCK_BUS])


def _refusals(bus: Bus) -> Iterator[Checked]:
    """A contact that is about to fail: everything arrived in the end."""
    if not isinstance(bus, SteadyBus):
        return
    mended = bus.retried - RETRIES_MAX * bus.refused  # what was refused for good is a sensor that is not there
    if mended > RETRIED_MAX:
        sentence = f"{mended} transfers were refused and had to be sent again: a bad contact"
        yield Checked(_short(bus), None, None, False, sentence, ADVICE[Kind.BUS])


def _buses(world: World) -> list[tuple[Bus, tuple[str, ...]]]:
    if world.bus is world.spectral_bus:
        return [(world.bus, (TOF, SPECTRAL))]
    return [(world.bus, (TOF,)), (world.spectral_bus, (SPECTRAL,))]


def _look(world: World, bus: Bus, finding: Finding, speed: BusSpeed, window: Window) -> Iterator[Checked]:
    """A finding of the scan; for a sensor, what its frames say, and for the ranging one the speed of its bus."""
    name = _short(bus)
    if finding.stuck:
        yield Checked(name, finding.address, None, False, finding.sentence, ADVICE[Kind.STUCK_BUS])
        return
    if not finding.fit:
        unknown = finding.chip is None and "does not know" in finding.sentence
        absent = "nothing answers" in finding.sentence
        advice = "" if unknown else ADVICE[Kind.ABSENT if absent else Kind.WRONG_CHIP]
        yield Checked(name, finding.address, finding.chip, False, finding.sentence, advice)
        return
    yield from _noise(bus, finding.address)
    if finding.address == VL53L8_ADDRESS:
        care = care_for_tof(world.tof, bus, speed)
        yield _try(name, finding, care, world.tof.stop, window)
        if speed.words is not None:
            yield Checked(name, None, None, False, speed.words, SPEED_ADVICE)
        elif speed.hz is not None:
            yield Checked(name, None, None, False, f"{name} runs at {speed.hz / 1000:.0f} kHz: 15 Hz can be carried")
    else:
        care = care_for_spectral(world.spectral, bus)
        yield _try(name, finding, care, world.spectral.stop, window)


def _noise(bus: Bus, address: int) -> Iterator[Checked]:
    """Whether bits arrive as they were sent; what a frame's checks find is a part of it only."""
    try:
        wrong = wrong_readings(bus, address, READINGS)
    except BusError:
        return  # the frames will tell
    if wrong:
        sentence = f"0x{address:02X}: {wrong} of {READINGS} readings of a constant arrived wrong: noise on the wire"
        yield Checked(_short(bus), address, None, False, sentence, ADVICE[Kind.CORRUPT])


def _try(bus: str, finding: Finding, care: Care[Frame], stop: Callable[[], None], window: Window) -> Checked:
    """Start a sensor, read LOOKS frames, stop it; what went wrong last is what is told."""
    good, error, complaint = 0, None, None
    try:
        care.start()
        for _ in range(LOOKS):
            try:
                complaint = _complaint(care.read(), window) or complaint
                good += 1
            except (DriverError, BusError) as failure:
                error = failure
        stop()
    except (DriverError, BusError) as failure:
        error = failure
    if error is not None:
        sentence = f"{finding.sentence}: {good} of {LOOKS} frames were good; {error}"
        return Checked(bus, finding.address, care.chip, False, sentence, _advice_for(str(error), kind_of(error)))
    if complaint is not None:
        sentence, advice = complaint
        return Checked(bus, finding.address, care.chip, False, f"{finding.sentence}: {sentence}", advice)
    return Checked(bus, finding.address, care.chip, True, f"{finding.sentence}: {good} frames were read, all good")


def _complaint(frame: object, window: Window) -> Complaint | None:
    """What a frame says of the light, and what to check first; None where it is well."""
    if isinstance(frame, TofFrame):
        return window.complaint(frame)
    if not isinstance(frame, SpectralFrame):
        return None
    if frame.saturated:
        return "light from outside saturates it", GLARE_ADVICE
    if int(frame.counts.max()) < COUNTS_MIN and frame.led_ma:
        return f"it counts {int(frame.counts.max())} at most with the lamp on: next to no light", DARK_ADVICE
    return None


def _advice_for(sentence: str, kind: Kind | None = None) -> str:
    """What to check first after what a sentence tells of; of a failed step it is all that is left of its error."""
    if kind is not None and TORN not in sentence:
        return ADVICE[kind]
    return next((advice for words, advice in _WORDS if words in sentence), ADVICE[Kind.CHIP])


SPEED_ADVICE = "set dtparam=i2c_arm_baudrate=1000000 in /boot/firmware/config.txt, then restart"
TORN = "frame number at the end"
TORN_ADVICE = "frames are replaced while they are read: speed the bus up, and look for what keeps this computer busy"
_WORDS = (
    (TORN, TORN_ADVICE),
    ("too much light", GLARE_ADVICE),
    ("lamp adds", DARK_ADVICE),
    ("nothing answers", ADVICE[Kind.ABSENT]),
    ("no acknowledge", ADVICE[Kind.ABSENT]),
    ("held low", ADVICE[Kind.STUCK_BUS]),
    ("timed out", ADVICE[Kind.STUCK_BUS]),
    ("times the counts", ADVICE[Kind.CHIP]),
    ("lost its", ADVICE[Kind.BROWN_OUT]),
    ("identity", ADVICE[Kind.WRONG_CHIP]),
    ("laser", ADVICE[Kind.LASER]),
    ("checksum", ADVICE[Kind.FIRMWARE]),
    ("Hz wanted", SPEED_ADVICE),
    ("no new frame", ADVICE[Kind.STALE]),
    ("holds", ADVICE[Kind.CORRUPT]),
    ("returns", ADVICE[Kind.CORRUPT]),
    ("must be", ADVICE[Kind.CORRUPT]),
)


def _short(bus: Bus) -> str:
    return bus.name.removeprefix("/dev/")
