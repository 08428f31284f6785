"""Scenes of known truth for the ranging chip, and a chip on a bus before them."""

from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from drivers.bus import VirtualClock
from drivers.sim.bus import SimBus
from drivers.sim.vl53l8ch import SimVl53l8ch
from drivers.vl53l8ch import Vl53l8ch
from drivers.vl53l8ch_settings import TofSettings

Grid = NDArray[np.float64]


def grid(value: float) -> Grid:
    return np.full((8, 8), value)


@dataclass(frozen=True)
class PlaneView:
    distance_mm: Grid
    reflectance: Grid = field(default_factory=lambda: grid(0.5))
    ambient_kcps: Grid = field(default_factory=lambda: grid(3.0))
    incidence_cos: Grid = field(default_factory=lambda: grid(1.0))


class SampledView(PlaneView):
    """Every zone sees the same rays: `distances_mm` and `strengths`, one per ray."""

    def __init__(self, distances_mm: Grid, strengths: Grid) -> None:
        super().__init__(grid(float(np.mean(distances_mm))))
        self.__dict__["sample_distance_mm"] = np.broadcast_to(distances_mm, (8, 8, len(distances_mm))).copy()
        self.__dict__["sample_reflectance"] = np.broadcast_to(strengths, (8, 8, len(strengths))).copy()


@dataclass
class Still:
    """A scene that does not move; `view` may be exchanged."""

    view: PlaneView

    def tof(self, time_s: float) -> PlaneView:
        del time_s
        return self.view


# Every zone another distance, so that a zone in the wrong place shows: 200 to 389 mm.
STAIRS = np.arange(64.0).reshape(8, 8) * 3.0 + 200.0


class Rig:
    """A simulated chip before a still scene, on a bus in virtual time, and the production driver for it."""

    def __init__(
        self,
        distance_mm: Grid = STAIRS,
        *,
        bus_hz: int = 1_000_000,
        seed: int = 1,
        settings: TofSettings | None = None,
    ) -> None:
        self.clock = VirtualClock()
        self.bus = SimBus("sim", self.clock, bus_hz)
        self.scene = Still(PlaneView(distance_mm))
        self.chip = SimVl53l8ch(self.clock, self.scene, seed)
        self.bus.attach(self.chip)
        self.driver = Vl53l8ch(self.bus, settings=settings)

    @property
    def now_s(self) -> float:
        return self.clock.monotonic_ns() / 1e9
