"""The world under the sensors of one site: one belt, one seed, seen alike by every simulated chip.

A scene is a pure function of time and of its `stage`, which says what lies under the sensors: the running line, the
empty belt, or a flat tile for calibration. The sensors hang `stand_off_mm` above the belt and look straight down.
Coordinates are millimetres from the point below the sensors: x to the right, along the belt; y towards row 7 of a
picture whose row 0 is the far edge.

What a newcomer gets wrong: distances are perpendicular, as a time-of-flight chip reports them, not along the ray.
"""

import threading
from collections import OrderedDict
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Final, TypeVar

import numpy as np

from drivers.sim.conveyor import Encoder, Indexed, Motion
from drivers.sim.light import (
    HALL_UW_CM2,
    LAMP_UW_CM2_PER_MA,
    STAND_OFF_MM,
    TILE_REFLECTANCE,
    WAVELENGTHS_NM,
    Spectrum,
    hall,
    lamp,
)
from drivers.sim.lighting import LaserSource, Lighting, laser
from drivers.sim.products import HALF_WIDTH_MM, Piece
from drivers.sim.rays import (
    SPECTRAL_FAN,
    SPECTRAL_WEIGHTS,
    TOF_RAYS,
    Grid,
    Hits,
    Placed,
    Rays,
    by_zone,
    meet,
    zone_means,
)
from drivers.sim.stock import APART_MM, Stock

BELT_INFRARED = 0.45  # reflectance of the belt at 940 nm
AMBIENT_KCPS = 1.5  # what a SPAD counts of the hall's light from a perfect white surface
VIEWS_KEPT = 8  # of each kind: while the belt stands all chips ask for the same view again
PLACES_KEPT = 6
TOF_NM = 940.0

_View = TypeVar("_View")
_Key = tuple["Stage", float]


@dataclass(frozen=True, slots=True)
class Stage:
    """What lies under the sensors. tile: reflectance of a flat tile, None for none. line: whether pieces come by.

    tile_mm: how far the face of the tile is above the belt, 0 to 100. A tile of reflectance 0 is a black cap.
    """

    line: bool = False
    tile: float | None = None
    tile_mm: float = 0.0

    def __post_init__(self) -> None:
        if self.tile is not None and not 0.0 <= self.tile <= 1.0:
            raise ValueError(f"tile is {self.tile}, must be a reflectance from 0 to 1")
        if not 0.0 <= self.tile_mm <= 100.0:
            raise ValueError(f"tile_mm is {self.tile_mm}, must be 0 to 100")


LINE: Final = Stage(line=True)
BELT_ONLY: Final = Stage()
WHITE_TILE: Final = Stage(tile=TILE_REFLECTANCE)
GREY_TILE: Final = Stage(tile=0.5)
BLACK_CAP: Final = Stage(tile=0.0)


@dataclass(frozen=True, slots=True)
class TofView:
    """The truth per zone, (8, 8), scene orientation.

    distance_mm: perpendicular distance, averaged over the zone as the returning light weighs it; NaN where nothing is
    in range. reflectance: at 940 nm, 0 to 1. ambient_kcps: hall light per SPAD. incidence_cos: cosine of the angle
    between the ray and the surface's normal.
    """

    distance_mm: Grid
    reflectance: Grid
    ambient_kcps: Grid
    incidence_cos: Grid
    translucency: Grid


@dataclass(frozen=True, slots=True)
class SampledTofView(TofView):
    """With the rays of each zone, (8, 8, rays): edges within a zone show. sample_reflectance: times the cosine."""

    sample_distance_mm: Grid
    sample_reflectance: Grid


@dataclass(frozen=True, slots=True)
class Truth:
    """What tests may compare with: the piece nearest to the sensors.

    piece: all about it. offset_mm, across_mm: its centre's x and y; 0 while one alone dwells. still: whether the belt
    stands.
    """

    piece: Piece
    offset_mm: float
    still: bool
    across_mm: float = 0.0


_LAMP = LAMP_UW_CM2_PER_MA * lamp()
_HALL = HALL_UW_CM2 * hall()
_LASER = laser()
_TOF_PLACE: Final = int(np.argmin(np.abs(WAVELENGTHS_NM - TOF_NM)))
# A dull bluish-grey food belt: visible reflectance low, rising into the infrared.
_BELT = np.interp(WAVELENGTHS_NM, (380.0, 450.0, 550.0, 650.0, 750.0, 940.0), (0.10, 0.16, 0.12, 0.09, 0.2, 0.45))


class Scene:
    """One site's world. Safe to use from the threads of several buses.

    stage, lighting and laser may be changed at any time.
    """

    def __init__(
        self,
        seed: int,
        *,
        motion: Motion | None = None,
        stand_off_mm: float = STAND_OFF_MM,
        stock: Stock | None = None,
        lighting: Lighting | None = None,
        sampled: bool = False,
    ) -> None:
        """`seed` (>= 0) decides all pieces; `motion` is how the belt runs, stop and go by default.

        stock: what lies on it, a deck of livers by default. sampled: whether ToF views show the rays within a zone.
        """
        if seed < 0:
            raise ValueError(f"seed is {seed}, must not be negative")
        if not 150.0 <= stand_off_mm <= 1000.0:
            raise ValueError(f"stand_off_mm is {stand_off_mm}, must be 150 to 1000")
        self.seed = seed
        self.stand_off_mm = stand_off_mm
        self.motion: Motion = Indexed() if motion is None else motion
        self.encoder = Encoder(self.motion)
        self.stock = Stock(seed) if stock is None else stock
        self.lighting = Lighting() if lighting is None else lighting
        self.laser: LaserSource | None = None
        self.stage = LINE
        self._sampled = sampled
        self._lock = threading.Lock()
        self._places: OrderedDict[int, tuple[Placed, ...]] = OrderedDict()
        self._tof_views: OrderedDict[_Key, TofView] = OrderedDict()
        self._colours: OrderedDict[_Key, tuple[Spectrum, Spectrum]] = OrderedDict()

    def tof(self, time_s: float) -> TofView:
        """What the zones of a time-of-flight chip look at."""
        return self._kept(self._tof_views, time_s, self._tof)

    def spectrum(self, time_s: float, led_ma: float, window_s: float = 0.0) -> Spectrum:
        """Irradiance on the spectral sensor in uW/cm2 per nm, with `led_ma` (0: off) through the ring light.

        Flicker and the laser of a neighbour are averaged over `window_s` around `time_s`; the belt stands still for
        that long.
        """
        by_lamp, by_hall = self._kept(self._colours, time_s, self._colour)
        light, laser_source = self.lighting, self.laser
        seen = (
            led_ma * light.lamp_share(time_s) * _LAMP * by_lamp + light.hall_share(time_s, window_s) * _HALL * by_hall
        )
        if laser_source is not None:
            share = laser_source.laser_share(time_s - window_s / 2, time_s + window_s / 2)
            seen = seen + share * _LASER * by_lamp
        return seen * light.transmission() if light.film else seen

    def truth(self, time_s: float) -> Truth | None:
        """The piece nearest to the sensors if a part of it is in the field of view, else None."""
        return min(self.truths(time_s), key=lambda truth: abs(truth.offset_mm), default=None)

    def truths(self, time_s: float) -> list[Truth]:
        """All pieces of which a part may be in the field of view."""
        stage, travel_mm = self.stage, self.motion.travel_mm(time_s)
        if not stage.line:
            return []
        still = self.motion.travel_mm(time_s + 1e-3) == travel_mm
        with self._lock:
            near = self._pieces_in_view(travel_mm)
        return [
            Truth(placed.piece, placed.x_mm, still, placed.y_mm)
            for placed in near
            if abs(placed.x_mm) <= 2 * HALF_WIDTH_MM
        ]

    def piece(self, number: int) -> Piece:
        """The first piece at place `number` of this line. Raises IndexError when it is empty."""
        with self._lock:
            return self._place(number)[0].piece

    def _place(self, number: int) -> tuple[Placed, ...]:
        found = self._places.get(number)
        if found is None:
            found = self._places[number] = self.stock.at(number)
            if len(self._places) > PLACES_KEPT:
                self._places.popitem(last=False)
        return found

    def _kept(self, kept: OrderedDict[_Key, _View], time_s: float, look: Callable[[Stage, float], _View]) -> _View:
        """A view depends on the stage and on where the belt stands, on nothing else."""
        stage = self.stage
        key = (stage, self.motion.travel_mm(time_s) if stage.line else 0.0)
        with self._lock:
            view = kept.get(key)
            if view is None:
                view = kept[key] = look(*key)
                if len(kept) > VIEWS_KEPT:
                    kept.popitem(last=False)
            return view

    def _tof(self, stage: Stage, travel_mm: float) -> TofView:
        hits = self._meet(TOF_RAYS, stage, travel_mm)
        infrared = np.full(hits.distance_mm.shape, BELT_INFRARED if stage.tile is None else stage.tile)
        translucency = np.zeros(infrared.shape)
        for placed, on_it in zip(hits.pieces, hits.on_piece, strict=True):
            piece = placed.piece
            infrared[on_it] = piece.reflectance[_TOF_PLACE]
            translucency[on_it] = piece.translucency
            for cover, colour in reversed([*_marks(placed, TOF_RAYS, hits.distance_mm)]):
                infrared += on_it * cover * (colour[_TOF_PLACE] - infrared)
        # Where nothing comes back, the weights still have to be weights.
        signal = np.maximum(infrared, 1e-9) * hits.incidence_cos / hits.distance_mm**2
        reflectance = zone_means(infrared)
        distance_mm, incidence_cos = zone_means(hits.distance_mm * signal) / zone_means(signal), hits.incidence_cos
        planes = (distance_mm, reflectance, AMBIENT_KCPS * self.lighting.hall_level * reflectance)
        plain = (*planes, zone_means(incidence_cos), zone_means(translucency))
        if not self._sampled:
            return TofView(*plain)
        return SampledTofView(*plain, by_zone(hits.distance_mm), by_zone(infrared * incidence_cos))

    def _colour(self, stage: Stage, travel_mm: float) -> tuple[Spectrum, Spectrum]:
        """What comes back of a spectrum from the lamp (by the law of distance) and from the hall, per wavelength."""
        hits = self._meet(SPECTRAL_FAN, stage, travel_mm)
        by_hall = SPECTRAL_WEIGHTS / SPECTRAL_WEIGHTS.sum()
        # The lamp sits beside the sensor and fills its view: irradiance on the surface falls with the square of the
        # distance, the radiance of a surface that fills the view does not.
        by_lamp = by_hall * hits.incidence_cos * (STAND_OFF_MM / hits.distance_mm) ** 2
        both = np.stack((by_lamp, by_hall))
        ground = _BELT if stage.tile is None else np.full_like(WAVELENGTHS_NM, stage.tile)
        bare = ~hits.on_piece.any(axis=0)
        parts = np.outer(both[:, bare].sum(axis=1), ground)
        for placed, on_it in zip(hits.pieces, hits.on_piece, strict=True):
            left = both * on_it
            for cover, colour in _marks(placed, SPECTRAL_FAN, hits.distance_mm):
                parts += np.outer((left * cover).sum(axis=1), colour)
                left = left * (1.0 - cover)
            parts += np.outer(left.sum(axis=1), placed.piece.reflectance)
        return parts[0], parts[1]

    def _meet(self, rays: Rays, stage: Stage, travel_mm: float) -> Hits:
        ground_mm = self.stand_off_mm - (0.0 if stage.tile is None else stage.tile_mm)
        pieces = self._pieces_in_view(travel_mm) if stage.line else ()
        return meet(rays, pieces, ground_mm, self.stand_off_mm)

    def _pieces_in_view(self, travel_mm: float) -> tuple[Placed, ...]:
        """Pieces with their centres in belt coordinates; pieces of two places never overlap."""
        pitch_mm = self.motion.pitch_mm
        reach_mm = HALF_WIDTH_MM + APART_MM / 2 + self.stand_off_mm * float(TOF_RAYS.tan_x.max())
        first = int(np.ceil((travel_mm - reach_mm) / pitch_mm))
        last = int(np.floor((travel_mm + reach_mm) / pitch_mm))
        return tuple(
            Placed(placed.piece, placed.x_mm + travel_mm - number * pitch_mm, placed.y_mm)
            for number in range(first, last + 1)
            for placed in self._place(number)
        )


def _marks(placed: Placed, rays: Rays, distance_mm: Grid) -> Iterator[tuple[Grid, Spectrum]]:
    """Of each mark on a piece: how much of it each ray sees, and its colour. The first lies on top."""
    piece = placed.piece
    if piece.marks:
        x_mm, y_mm = distance_mm * rays.tan_x - placed.x_mm, distance_mm * rays.tan_y - placed.y_mm
        for mark, colour in zip(piece.marks, piece.mark_colours, strict=True):
            yield mark.cover(x_mm, y_mm), colour
