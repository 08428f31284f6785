"""The sensors that the settings ask for, real, simulated or replayed, on the buses that lead to them.

The simulation is imported only when it is asked for: a Raspberry Pi loads no scene.
"""

import random
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from drivers.as7341 import As7341
from drivers.as7341_settings import Settings as LightSettings
from drivers.bus import Bus, Clock, RealClock
from drivers.registry import open_bus
from drivers.steady import SteadyBus
from drivers.vl53l8ch import Vl53l8ch
from drivers.vl53l8ch_settings import RangingMode, TofSettings
from edge.feed import Meanwhile
from edge.settings import Settings, SettingsError
from edge.travel import CounterTravel, TimedTravel, Travel

if TYPE_CHECKING:
    from drivers.sim.conveyor import Encoder, Motion
    from drivers.sim.timeline import Player

EMPTY_BELT, BLACK_CAP, WHITE_TILE, LINE = "empty belt", "black cap", "white tile", "line"
TARGETS = (EMPTY_BELT, BLACK_CAP, WHITE_TILE, LINE)  # what a calibration asks to have under the sensors
SIM_PITCH_MM = 220.0  # from piece to piece: at 200 mm/s 0.9 pieces a second, 40 mm of free belt between the longest
TOF_BUS_HZ, SPECTRAL_BUS_HZ = 1_000_000, 400_000  # each chip's most: fast mode plus, and fast mode

# On a running belt the laser must leave gaps, and the spectral chip's integrations fit into them: 20 ms are two periods
# of light on mains of 50 Hz. A device keeps these for its life, because a white reference holds for one of them only.
BELT_TOF = TofSettings(mode=RangingMode.AUTONOMOUS)
BELT_LIGHT = LightSettings(atime=29, astep=239)

Show = Callable[[str], None]


class WaitingOn:
    """A bus whose driver waits on another clock; implements drivers.bus.Bus."""

    def __init__(self, bus: Bus, clock: Clock) -> None:
        self.name = bus.name
        self.clock = clock
        self.lock = bus.lock
        self.transfer = bus.transfer
        self.close = bus.close


class SimTravel:
    """The simulated belt's wheel; implements edge.travel.Travel."""

    kind = "encoder"

    def __init__(self, encoder: "Encoder", clock: Clock) -> None:
        self._encoder = encoder
        self._clock = clock

    def mm(self) -> float:
        """What the wheel has counted."""
        return self._encoder.count(self._clock.monotonic_ns() / 1e9) / self._encoder.pulses_per_mm

    def learn(self, speed_mm_s: float) -> None:
        """A wheel knows better."""


Wrap = Callable[[Bus], Bus]


@dataclass(frozen=True, slots=True)
class World:
    """Both sensors and their buses, `bus` for the ranging one; where they share one, `spectral_bus` is the same.

    show: puts a target under the sensors; None where only a person can. white_reflectance: of the white tile that
    `show` offers, 0 to 1. player: plays the faults that were asked for, in a simulation. travel: of the belt.
    meanwhile: what the spectral sensor waits on, so that pictures can be read while it measures.
    """

    bus: Bus
    spectral_bus: Bus
    tof: Vl53l8ch
    spectral: As7341
    show: Show | None = None
    white_reflectance: float = 0.98
    player: "Player | None" = None
    travel: Travel | None = None
    meanwhile: Meanwhile | None = None

    @property
    def buses(self) -> tuple[Bus, ...]:
        """One or two."""
        return (self.bus,) if self.bus is self.spectral_bus else (self.bus, self.spectral_bus)

    def close(self) -> None:
        """Close the buses."""
        for bus in self.buses:
            bus.close()


def as_it_is(bus: Bus) -> Bus:
    """No wrapping."""
    return bus


def open_world(settings: Settings, *, wrap: Wrap = as_it_is, faults_at_once: bool = False) -> World:
    """Open the buses; nothing is sent yet. Raises BusUnavailableError, CaptureError or SettingsError.

    wrap: put between each bus and its driver. faults_at_once: without the time that a first start needs in good health.
    """
    if settings.bus == "sim":
        return _simulated(settings, wrap, faults_at_once)
    if settings.bus == "replay":
        return _replayed(settings)
    clock = RealClock()
    tof_number = settings.i2c_bus if settings.i2c_bus_tof is None else settings.i2c_bus_tof
    spectral_number = settings.i2c_bus if settings.i2c_bus_spectral is None else settings.i2c_bus_spectral
    tof_bus = open_bus("linux", f"/dev/i2c-{tof_number}", clock)
    spectral_bus = tof_bus if spectral_number == tof_number else open_bus("linux", f"/dev/i2c-{spectral_number}", clock)
    travel: Travel = (
        TimedTravel(clock, settings.belt_mm_s)
        if settings.travel == "pictures" or settings.encoder_file is None
        else CounterTravel(settings.encoder_file, settings.encoder_pulses_per_mm)
    )
    return _with_drivers(tof_bus, spectral_bus, wrap, travel=travel, belt=settings.mode == "belt")


def _with_drivers(
    tof_bus: Bus,
    spectral_bus: Bus,
    wrap: Wrap,
    *,
    show: Show | None = None,
    white_reflectance: float = 0.98,
    player: "Player | None" = None,
    travel: Travel | None = None,
    belt: bool = False,
) -> World:
    tof_steady = SteadyBus(wrap(tof_bus))
    spectral_steady = tof_steady if spectral_bus is tof_bus else SteadyBus(wrap(spectral_bus))
    meanwhile = Meanwhile(spectral_steady.clock)
    waiting = WaitingOn(spectral_steady, meanwhile)
    drivers = (
        (Vl53l8ch(tof_steady, settings=BELT_TOF), As7341(waiting, usual=BELT_LIGHT, bracketed=True))
        if belt
        else (Vl53l8ch(tof_steady), As7341(waiting))
    )
    return World(tof_steady, spectral_steady, *drivers, show, white_reflectance, player, travel, meanwhile)


def _replayed(settings: Settings) -> World:
    from drivers.capture import read_capture  # noqa: PLC0415  # only where somebody replays
    from drivers.replay import ReplayBus, Script  # noqa: PLC0415

    assert settings.capture is not None
    header, records = read_capture(settings.capture)
    script = Script(records)
    buses = [ReplayBus(name, script, place) for place, name in enumerate(header.buses)]
    return _with_drivers(buses[0], buses[-1], as_it_is)


def _simulated(settings: Settings, wrap: Wrap, faults_at_once: bool) -> World:
    from drivers.sim import scene as sim  # noqa: PLC0415  # see above
    from drivers.sim.as7341 import SimAs7341  # noqa: PLC0415
    from drivers.sim.bus import SimBus  # noqa: PLC0415
    from drivers.sim.clock import PacedClock  # noqa: PLC0415
    from drivers.sim.spoiled import Installation  # noqa: PLC0415
    from drivers.sim.stock import Stock  # noqa: PLC0415
    from drivers.sim.timeline import LEAD_S, NOTHING, Player, always, played  # noqa: PLC0415
    from drivers.sim.troubles import Rig  # noqa: PLC0415
    from drivers.sim.vl53l8ch import SimVl53l8ch  # noqa: PLC0415
    from drivers.sim.vl53l8ch_optics import ChipOptics  # noqa: PLC0415

    clock = PacedClock(settings.speed)
    stock = Stock(settings.seed, lean=settings.stock_lean)
    scene = sim.Scene(settings.seed, motion=_motion(settings), stock=stock)
    place = Installation(scene)
    # Every device has chips of its own. How deep light enters a product is no tolerance of a chip, and nothing that
    # grades knows it yet (docs/decisions/0006).
    optics = replace(ChipOptics.specimen(settings.seed), subsurface_mm=0.0)
    tof_chip = SimVl53l8ch(clock, place, settings.seed, optics=optics)
    scene.laser = tof_chip
    spectral_chip = SimAs7341(clock, place, seed=settings.seed, unit_spread=0.05)
    tof_bus, spectral_bus = SimBus("sim-tof", clock, TOF_BUS_HZ), SimBus("sim-spectral", clock, SPECTRAL_BUS_HZ)
    tof_bus.attach(tof_chip)
    spectral_bus.attach(spectral_chip)
    player = None
    if settings.faults is not None or settings.stage:
        rng = random.Random(settings.seed)  # noqa: S311  # one seed is one run
        rig = Rig((tof_bus, spectral_bus), tof_chip, spectral_chip, place, rng)
        try:
            play = always if faults_at_once else played
            timeline = NOTHING if settings.faults is None else play(settings.faults)
        except ValueError as error:
            raise SettingsError("faults", str(error)) from None
        player = Player(rig, timeline, lead_s=0.0 if faults_at_once else LEAD_S)
    stages = {
        EMPTY_BELT: sim.BELT_ONLY,
        BLACK_CAP: sim.BLACK_CAP,
        WHITE_TILE: sim.WHITE_TILE,
        LINE: sim.LINE,
    }

    def show(target: str) -> None:
        scene.stage = stages[target]

    travel: Travel = (
        TimedTravel(clock, settings.belt_mm_s) if settings.travel == "pictures" else SimTravel(scene.encoder, clock)
    )
    return _with_drivers(
        tof_bus,
        spectral_bus,
        wrap,
        show=show,
        white_reflectance=sim.TILE_REFLECTANCE,
        player=player,
        travel=travel,
        belt=settings.mode == "belt",
    )


def _motion(settings: Settings) -> "Motion":
    """Stop and go where measurements are timed: the piece then lies still; an even run where the belt triggers them."""
    from drivers.sim.conveyor import Continuous, Indexed  # noqa: PLC0415  # see above

    return Continuous(settings.belt_mm_s, SIM_PITCH_MM) if settings.mode == "belt" else Indexed()
