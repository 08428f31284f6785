"""Rays from the sensors down to the belt, and where they meet a height map."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from drivers.sim.products import GRID_MM, HALF_WIDTH_MM, Piece

ZONES = 8
RAYS_PER_ZONE = 3  # along each axis
ZONE_DEG = 45.0 / ZONES
SPECTRAL_HALF_ANGLE_DEG = 8.0  # a snoot around the spectral sensor: it sees the middle of a piece, not the belt
SPECTRAL_RAYS = 7  # along each axis
MARCH_MM = 3.0  # step of the search for the surface; a line between two steps gives the rest

Grid = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Rays:
    """Directions as tangents: x = distance * tan_x."""

    tan_x: Grid
    tan_y: Grid

    @property
    def uprightness(self) -> Grid:
        """Cosine of the angle to the vertical."""
        return 1.0 / np.sqrt(1.0 + self.tan_x**2 + self.tan_y**2)


@dataclass(frozen=True, slots=True)
class Placed:
    """A piece with its centre in belt coordinates."""

    piece: Piece
    x_mm: float
    y_mm: float


@dataclass(frozen=True, slots=True)
class Hits:
    """Where rays meet a surface: distance_mm and incidence_cos per ray; on_piece: (number of pieces, rays) of bool."""

    distance_mm: Grid
    incidence_cos: Grid
    pieces: tuple[Placed, ...]
    on_piece: NDArray[np.bool_]


def _fan(angles_deg: Grid) -> Rays:
    tangents = np.tan(np.radians(angles_deg))
    tan_x, tan_y = np.meshgrid(tangents, tangents)
    return Rays(tan_x.ravel(), tan_y.ravel())


TOF_RAYS = _fan((np.arange(ZONES * RAYS_PER_ZONE) + 0.5) * ZONE_DEG / RAYS_PER_ZONE - 22.5)
SPECTRAL_FAN = _fan(np.linspace(-SPECTRAL_HALF_ANGLE_DEG, SPECTRAL_HALF_ANGLE_DEG, SPECTRAL_RAYS))
SPECTRAL_WEIGHTS = np.exp(
    -(SPECTRAL_FAN.tan_x**2 + SPECTRAL_FAN.tan_y**2) / np.tan(np.radians(SPECTRAL_HALF_ANGLE_DEG)) ** 2
)


def meet(rays: Rays, pieces: tuple[Placed, ...], ground_mm: float, stand_off_mm: float) -> Hits:
    """Follow every ray down to the ground, then to whatever piece stands in its way."""
    distance_mm = np.full(rays.tan_x.shape, ground_mm)
    incidence_cos = rays.uprightness
    on_piece = np.zeros((len(pieces), rays.tan_x.size), dtype=np.bool_)
    for number, placed in enumerate(pieces):
        met_mm, met_cos = _fall(rays, placed, stand_off_mm)
        nearer = met_mm < distance_mm
        on_piece[:number] &= ~nearer
        on_piece[number] = nearer
        distance_mm = np.where(nearer, met_mm, distance_mm)
        incidence_cos = np.where(nearer, met_cos, incidence_cos)
    return Hits(distance_mm, incidence_cos, pieces, on_piece)


def zone_means(values: Grid) -> Grid:
    """Mean over the rays of each zone, (8, 8)."""
    return values.reshape(ZONES, RAYS_PER_ZONE, ZONES, RAYS_PER_ZONE).mean(axis=(1, 3))


def by_zone(values: Grid) -> Grid:
    """The rays of each zone, (8, 8, rays)."""
    split = values.reshape(ZONES, RAYS_PER_ZONE, ZONES, RAYS_PER_ZONE).swapaxes(1, 2)
    return split.reshape(ZONES, ZONES, RAYS_PER_ZONE * RAYS_PER_ZONE)


def _fall(rays: Rays, placed: Placed, stand_off_mm: float) -> tuple[Grid, Grid]:
    """Distance and incidence cosine where each ray meets the piece; infinite distance where it does not.

    Searches from the height of the top downwards in steps, then between the last two steps.
    """
    piece = placed.piece
    steps = np.linspace(piece.height_mm + 0.1, 0.0, int(piece.height_mm / MARCH_MM) + 2)
    distances = stand_off_mm - steps[:, np.newaxis]
    column = distances * rays.tan_x - placed.x_mm
    line = distances * rays.tan_y - placed.y_mm
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
    x, y = distance_mm * rays.tan_x - placed.x_mm, distance_mm * rays.tan_y - placed.y_mm
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
