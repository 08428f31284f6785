"""The sensors that the settings ask for, real or simulated, on the bus that leads to them.

The simulation is imported only when it is asked for: a Raspberry Pi loads no scene.
"""

from collections.abc import Callable
from dataclasses import dataclass

from drivers.as7341 import As7341
from drivers.bus import Bus, RealClock
from drivers.registry import open_bus
from drivers.vl53l8ch import Vl53l8ch
from edge.settings import Settings

EMPTY_BELT, BLACK_CAP, WHITE_TILE, LINE = "empty belt", "black cap", "white tile", "line"
TARGETS = (EMPTY_BELT, BLACK_CAP, WHITE_TILE, LINE)  # what a calibration asks to have under the sensors

Show = Callable[[str], None]


@dataclass(frozen=True, slots=True)
class World:
    """One bus with both sensors. show: puts a target under the sensors; None where only a person can.

    white_reflectance: of the white tile that `show` offers, 0 to 1.
    """

    bus: Bus
    tof: Vl53l8ch
    spectral: As7341
    show: Show | None = None
    white_reflectance: float = 0.98


def open_world(settings: Settings) -> World:
    """Open the bus; nothing is sent yet. Raises BusUnavailableError."""
    if settings.bus == "sim":
        return _simulated(settings)
    bus = open_bus("linux", f"/dev/i2c-{settings.i2c_bus}", RealClock())
    return World(bus, Vl53l8ch(bus), As7341(bus))


def _simulated(settings: Settings) -> World:
    from drivers.sim import scene as sim  # noqa: PLC0415  # see above
    from drivers.sim.as7341 import SimAs7341  # noqa: PLC0415
    from drivers.sim.clock import PacedClock  # noqa: PLC0415
    from drivers.sim.vl53l8ch import SimVl53l8ch  # noqa: PLC0415

    clock = PacedClock(settings.speed)
    scene = sim.Scene(settings.seed)
    chips = (SimVl53l8ch(clock, scene, settings.seed), SimAs7341(clock, scene, seed=settings.seed, unit_spread=0.05))
    bus = open_bus("sim", "sim", clock, chips=chips)
    stages = {
        EMPTY_BELT: sim.BELT_ONLY,
        BLACK_CAP: sim.BLACK_CAP,
        WHITE_TILE: sim.WHITE_TILE,
        LINE: sim.LINE,
    }

    def show(target: str) -> None:
        scene.stage = stages[target]

    return World(bus, Vl53l8ch(bus), As7341(bus), show, sim.TILE_REFLECTANCE)
