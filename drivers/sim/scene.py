"""The world under the sensors of one site: one belt, one seed, seen alike by every simulated chip.

A scene is a pure function of time and of its `stage`, which says what lies under the sensors: the running line, the
empty belt, or a flat tile for calibration. The sensors hang `stand_off_mm` above the belt and look straight down.
Coordinates are millimetres from the point below the sensors: x to the right, along the belt; y towards row 7 of a
picture whose row 0 is the far edge.

What a newcomer gets wrong: distances are perpendicular, as a time-of-flight chip reports them, not along the ray.
"""

import threading
from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final, TypeVar

import numpy as np
from numpy.typing import NDArray

from drivers.sim.conveyor import Indexed, Motion
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
from drivers.sim.products import GRID_MM, HALF_WIDTH_MM, Piece, make_piece

ZONES = 8
RAYS_PER_ZONE = 3  # along each axis
ZONE_DEG = 45.0 / ZONES
SPECTRAL_HALF_ANGLE_DEG = 8.0  # a snoot around the spectral sensor: it sees the middle of a piece, not the belt
SPECTRAL_RAYS = 7  # along each axis
MARCH_MM = 3.0  # step of the search for the surface; a line between two steps gives the rest
BELT_INFRARED = 0.45  # reflectance of the belt at 940 nm
AMBIENT_KCPS = 1.5  # what a SPAD counts of the hall's light from a perfect white surface
VIEWS_KEPT = 8  # of each kind: while the belt stands all chips ask for the same view again
PIECES_KEPT = 4
TOF_NM = 940.0

Grid = NDArray[np.float64]
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


@dataclass(frozen=True, slots=True)
class Truth:
    """What tests may compare with: the piece nearest to the sensors.

    piece: all about it. offset_mm: its centre's x; 0 while it dwells. still: whether the belt stands.
    """

    piece: Piece
    offset_mm: float
    still: bool


@dataclass(frozen=True, slots=True)
class _Rays:
    """Directions as tangents: x = distance * tan_x."""

    tan_x: Grid
    tan_y: Grid

    @property
    def uprightness(self) -> Grid:
        """Cosine of the angle to the vertical."""
        return 1.0 / np.sqrt(1.0 + self.tan_x**2 + self.tan_y**2)


@dataclass(frozen=True, slots=True)
class _Hits:
    """Where rays meet a surface: distance_mm and incidence_cos per ray; on_piece: (number of pieces, rays) of bool."""

    distance_mm: Grid
    incidence_cos: Grid
    pieces: tuple[Piece, ...]
    on_piece: NDArray[np.bool_]


def _fan(angles_deg: Grid) -> _Rays:
    tangents = np.tan(np.radians(angles_deg))
    tan_x, tan_y = np.meshgrid(tangents, tangents)
    return _Rays(tan_x.ravel(), tan_y.ravel())


_TOF_RAYS = _fan((np.arange(ZONES * RAYS_PER_ZONE) + 0.5) * ZONE_DEG / RAYS_PER_ZONE - 22.5)
_SPECTRAL_RAYS = _fan(np.linspace(-SPECTRAL_HALF_ANGLE_DEG, SPECTRAL_HALF_ANGLE_DEG, SPECTRAL_RAYS))
_SPECTRAL_WEIGHTS = np.exp(
    -(_SPECTRAL_RAYS.tan_x**2 + _SPECTRAL_RAYS.tan_y**2) / np.tan(np.radians(SPECTRAL_HALF_ANGLE_DEG)) ** 2
)
_LAMP = LAMP_UW_CM2_PER_MA * lamp()
_HALL = HALL_UW_CM2 * hall()
# A dull bluish-grey food belt: visible reflectance low, rising into the infrared.
_BELT = np.interp(WAVELENGTHS_NM, (380.0, 450.0, 550.0, 650.0, 750.0, 940.0), (0.10, 0.16, 0.12, 0.09, 0.2, 0.45))


class Scene:
    """One site's world. Safe to use from the threads of several buses."""

    def __init__(self, seed: int, *, motion: Motion | None = None, stand_off_mm: float = STAND_OFF_MM) -> None:
        """`seed` (>= 0) decides all pieces; `motion` is how the belt runs, stop and go by default."""
        if seed < 0:
            raise ValueError(f"seed is {seed}, must not be negative")
        if not 150.0 <= stand_off_mm <= 1000.0:
            raise ValueError(f"stand_off_mm is {stand_off_mm}, must be 150 to 1000")
        self.seed = seed
        self.stand_off_mm = stand_off_mm
        self.motion: Motion = Indexed() if motion is None else motion
        self.stage = LINE
        self._lock = threading.Lock()
        self._pieces: OrderedDict[int, Piece] = OrderedDict()
        self._tof_views: OrderedDict[_Key, TofView] = OrderedDict()
        self._colours: OrderedDict[_Key, tuple[Spectrum, Spectrum]] = OrderedDict()

    def tof(self, time_s: float) -> TofView:
        """What the zones of a time-of-flight chip look at."""
        return self._kept(self._tof_views, time_s, self._tof)

    def spectrum(self, time_s: float, led_ma: float, window_s: float = 0.0) -> Spectrum:
        """Irradiance on the spectral sensor in uW/cm2 per nm, with `led_ma` (0: off) through the ring light."""
        by_lamp, by_hall = self._kept(self._colours, time_s, self._colour)
        return led_ma * _LAMP * by_lamp + _HALL * by_hall

    def truth(self, time_s: float) -> Truth | None:
        """The piece nearest to the sensors if a part of it is in the field of view, else None."""
        stage, travel_mm = self.stage, self.motion.travel_mm(time_s)
        if not stage.line:
            return None
        number = round(travel_mm / self.motion.pitch_mm)
        offset_mm = travel_mm - number * self.motion.pitch_mm
        if abs(offset_mm) > 2 * HALF_WIDTH_MM:
            return None
        still = self.motion.travel_mm(time_s + 1e-3) == travel_mm
        return Truth(self.piece(number), offset_mm, still)

    def piece(self, number: int) -> Piece:
        """Piece `number` of this line."""
        with self._lock:
            return self._piece(number)

    def _piece(self, number: int) -> Piece:
        found = self._pieces.get(number)
        if found is None:
            found = self._pieces[number] = make_piece(self.seed, number)
            if len(self._pieces) > PIECES_KEPT:
                self._pieces.popitem(last=False)
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
        hits = self._meet(_TOF_RAYS, stage, travel_mm)
        ground = BELT_INFRARED if stage.tile is None else stage.tile
        infrared = np.full(hits.distance_mm.shape, ground)
        for piece, on_it in zip(hits.pieces, hits.on_piece, strict=True):
            infrared[on_it] = np.interp(TOF_NM, WAVELENGTHS_NM, piece.reflectance)
        # Where nothing comes back, the weights still have to be weights.
        signal = np.maximum(infrared, 1e-9) * hits.incidence_cos / hits.distance_mm**2
        reflectance = _zone_means(infrared)
        return TofView(
            distance_mm=_zone_means(hits.distance_mm * signal) / _zone_means(signal),
            reflectance=reflectance,
            ambient_kcps=AMBIENT_KCPS * reflectance,
            incidence_cos=_zone_means(hits.incidence_cos),
        )

    def _colour(self, stage: Stage, travel_mm: float) -> tuple[Spectrum, Spectrum]:
        """What comes back of a spectrum from the lamp (by the law of distance) and from the hall, per wavelength."""
        hits = self._meet(_SPECTRAL_RAYS, stage, travel_mm)
        by_hall = _SPECTRAL_WEIGHTS / _SPECTRAL_WEIGHTS.sum()
        # The lamp sits beside the sensor and fills its view: irradiance on the surface falls with the square of the
        # distance, the radiance of a surface that fills the view does not.
        by_lamp = by_hall * hits.incidence_cos * (STAND_OFF_MM / hits.distance_mm) ** 2
        ground = _BELT if stage.tile is None else np.full_like(WAVELENGTHS_NM, stage.tile)
        bare = ~hits.on_piece.any(axis=0)
        lamp_part, hall_part = by_lamp[bare].sum() * ground, by_hall[bare].sum() * ground
        for piece, on_it in zip(hits.pieces, hits.on_piece, strict=True):
            lamp_part = lamp_part + by_lamp[on_it].sum() * piece.reflectance
            hall_part = hall_part + by_hall[on_it].sum() * piece.reflectance
        return lamp_part, hall_part

    def _meet(self, rays: _Rays, stage: Stage, travel_mm: float) -> _Hits:
        """Follow every ray down to the ground, then to whatever piece stands in its way."""
        ground_mm = self.stand_off_mm - (0.0 if stage.tile is None else stage.tile_mm)
        distance_mm = np.full(rays.tan_x.shape, ground_mm)
        incidence_cos = rays.uprightness
        found = self._pieces_in_view(travel_mm) if stage.line else []
        on_piece = np.zeros((len(found), rays.tan_x.size), dtype=np.bool_)
        for row, (piece, offset_mm) in zip(on_piece, found, strict=True):
            met_mm, met_cos = _fall(rays, piece, offset_mm, self.stand_off_mm)
            row[:] = met_mm < distance_mm
            distance_mm = np.where(row, met_mm, distance_mm)
            incidence_cos = np.where(row, met_cos, incidence_cos)
        return _Hits(distance_mm, incidence_cos, tuple(piece for piece, _ in found), on_piece)

    def _pieces_in_view(self, travel_mm: float) -> list[tuple[Piece, float]]:
        """Pieces with the x of their centres; pieces never overlap, a pitch is longer than a piece."""
        pitch_mm = self.motion.pitch_mm
        reach_mm = HALF_WIDTH_MM + self.stand_off_mm * float(_TOF_RAYS.tan_x.max())
        first = int(np.ceil((travel_mm - reach_mm) / pitch_mm))
        last = int(np.floor((travel_mm + reach_mm) / pitch_mm))
        return [(self._piece(number), travel_mm - number * pitch_mm) for number in range(first, last + 1)]


def _zone_means(values: Grid) -> Grid:
    """Mean over the rays of each zone, (8, 8)."""
    return values.reshape(ZONES, RAYS_PER_ZONE, ZONES, RAYS_PER_ZONE).mean(axis=(1, 3))


def _fall(rays: _Rays, piece: Piece, offset_mm: float, stand_off_mm: float) -> tuple[Grid, Grid]:
    """Distance and incidence cosine where each ray meets the piece; infinite distance where it does not.

    Searches from the height of the top downwards in steps, then between the last two steps.
    """
    steps = np.linspace(piece.height_mm + 0.1, 0.0, int(piece.height_mm / MARCH_MM) + 2)
    distances = stand_off_mm - steps[:, np.newaxis]
    column = distances * rays.tan_x - offset_mm
    line = distances * rays.tan_y
    over_mm = _nearest(piece.heights_mm, line, column) - steps[:, np.newaxis]
    inside = over_mm >= 0.0
    inside[-1] = over_mm[-1] > 0.0
    met = inside.any(axis=0)
    at = np.argmax(inside, axis=0)
    every = np.arange(rays.tan_x.size)
    before, after = over_mm[np.maximum(at - 1, 0), every], over_mm[at, every]
    part = np.where(at > 0, before / np.minimum(before - after, -1e-9), 0.0)
    height_mm = steps[np.maximum(at - 1, 0)] + part * (steps[at] - steps[np.maximum(at - 1, 0)])
    distance_mm = stand_off_mm - height_mm
    x, y = distance_mm * rays.tan_x - offset_mm, distance_mm * rays.tan_y
    slope_y, slope_x = (_nearest(slope, y, x) for slope in piece.slopes)
    facing = (1.0 + slope_x * rays.tan_x + slope_y * rays.tan_y) * rays.uprightness
    cosine = np.clip(facing / np.sqrt(1.0 + slope_x**2 + slope_y**2), 0.05, 1.0)
    return np.where(met, distance_mm, np.inf), cosine


def _nearest(surface: NDArray[np.float32], y_mm: Grid, x_mm: Grid) -> Grid:
    """Value of a map of a piece at the grid point nearest to (x, y); 0 beyond its rim, where maps are 0."""
    last = surface.shape[0] - 1
    row = np.clip((y_mm / GRID_MM + (HALF_WIDTH_MM + 0.5)).astype(np.intp), 0, last)
    column = np.clip((x_mm / GRID_MM + (HALF_WIDTH_MM + 0.5)).astype(np.intp), 0, last)
    return surface[row, column].astype(np.float64)
