"""A running belt of known pieces, rendered without the chips: pictures as a ranging chip would make them."""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from drivers.frames import TofFrame
from drivers.sim import scene as sim
from drivers.sim.conveyor import Continuous
from drivers.sim.rays import Placed
from drivers.sim.stock import Stock
from quality.calibration import TofCalibration

BELT_MM = 250.0
FRAME_HZ = 15
CALIBRATION = TofCalibration(id="belt", belt_plane=(BELT_MM, 0.0, 0.0), volume_factor_u=0.0)


@dataclass(frozen=True, slots=True)
class Varied(Stock):
    """Pieces out of their places by up to `spread_mm`, and `shifted` by place; `only`: the places that have one."""

    spread_mm: float = 0.0
    shifted: tuple[tuple[int, float], ...] = ()
    only: tuple[int, ...] = ()

    def at(self, place: int) -> tuple[Placed, ...]:
        """As Stock.at, moved along the belt."""
        if self.only and place not in self.only:
            return ()
        rng = np.random.default_rng([self.seed, 9, 2 * abs(place) + (place < 0)])
        offset = float(rng.uniform(-self.spread_mm, self.spread_mm)) + dict(self.shifted).get(place, 0.0)
        return tuple(Placed(each.piece, each.x_mm + offset, each.y_mm) for each in Stock.at(self, place))


@dataclass(frozen=True, slots=True)
class Picture:
    """A frame, and the true travel of the belt then."""

    frame: TofFrame
    travel_mm: float


class Line:
    """speed in mm/s, pitch from place to place in mm. A place's piece comes under the sensors at place * pitch."""

    def __init__(self, *, seed: int, speed: float, pitch: float, stock: Stock) -> None:
        self.motion = Continuous(speed, pitch)
        self.stock = stock
        self.scene = sim.Scene(seed, motion=self.motion, stock=stock)
        self._rng = np.random.default_rng(seed)

    def pictures(self, from_mm: float, to_mm: float) -> Iterator[Picture]:
        """Fifteen a second, from one travel to another."""
        number, travel_mm = 0, from_mm
        step_mm = self.motion.speed_mm_s / FRAME_HZ
        while travel_mm < to_mm:
            yield Picture(self._frame(travel_mm / self.motion.speed_mm_s, number), travel_mm)
            number, travel_mm = number + 1, from_mm + (number + 1) * step_mm

    def middle_mm(self, place: int) -> float:
        """Travel at which the pieces of a place are under the sensors, without their own lopsidedness."""
        return place * self.motion.pitch_mm - float(np.mean([each.x_mm for each in self.stock.at(place)]))

    def volume_mm3(self, place: int) -> float:
        """Of the first piece there."""
        return self.scene.piece(place).volume_mm3

    def _frame(self, time_s: float, number: int) -> TofFrame:
        view = self.scene.tof(time_s)
        distance = view.distance_mm
        signal = 2.06e8 * np.maximum(view.reflectance, 0.05) / distance**2
        sigma = np.sqrt(0.98**2 + 142.0**2 / (signal * 12.0))
        read = np.round((distance + 0.5 * sigma * self._rng.standard_normal((8, 8))) * 4.0) / 4.0
        return TofFrame(
            captured_ns=round(time_s * 1e9),
            frame_id=number,
            temperature_c=25,
            distance_mm=read,
            sigma_mm=sigma,
            signal_kcps=signal,
            ambient_kcps=view.ambient_kcps,
            reflectance_pct=100.0 * view.reflectance,
            spads=np.full((8, 8), 12.0),
            status=np.full((8, 8), 5, dtype=np.uint8),
        )
