"""What was found out about one device before it measured: frozen values, and the arithmetic that makes them.

The guided procedures, with their clock and their chips, live on the edge; here are only the numbers. A calibration
that cannot be right (white darker than dark, a belt behind the sensor) is refused with the name of the field.
"""

import itertools
from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from math import isfinite, radians, sqrt, tan
from typing import TypeVar

import numpy as np
from numpy.typing import NDArray

from quality.errors import require
from quality.robust import MAD_TO_SIGMA

Array = NDArray[np.float64]

T = TypeVar("T", "TofCalibration", "SpectralCalibration")

FIELD_OF_VIEW_DEG = 45.0  # UM3109: 45 x 45 degrees over the 8 x 8 zones
BELT_FRAMES_MIN = 5
BELT_ZONES_MIN = 48
BELT_SPREAD_MAX_MM = 8.0  # an empty belt is flat; more than this is an object, a wall or a broken chip
WHITE_COUNTS_MIN = 200.0  # below this, a channel's white reference is mostly noise
SPECTRA_MIN = 3
VISIBLE = slice(2, 8)  # F3 to F8: without these no spectrum can be judged; F1 and NIR a white LED hardly lights
CLEAR, NIR = 8, 9
SHOT_COUNTS = 0.05  # variance per count; assumed, as the chip's data sheet states no shot noise


def equal_angle_edges_deg(field_of_view_deg: float = FIELD_OF_VIEW_DEG) -> tuple[float, ...]:
    """Return the nine zone edges along one axis when all zones span the same angle, degrees."""
    half = field_of_view_deg / 2.0
    return tuple(float(edge) for edge in np.linspace(-half, half, 9))


@dataclass(frozen=True)
class TofCalibration:
    """Geometry of one ToF sensor above its belt. Distances in mm, angles in degrees, belt plane z = c0 + cx x + cy y.

    column_edges_deg, row_edges_deg: nine rising zone edges per axis, from the optical axis.
    belt_plane: (c0, cx, cy), perpendicular to the sensor's face. zone_residual_mm: 64 values, row-major, what each
    zone reads beyond the plane on the empty belt. range_offset_mm, range_slope: true = offset + slope * read.
    volume_factor, volume_factor_u: true over computed volume of a gauge body, with its standard uncertainty.
    belt_u_mm: standard uncertainty of the plane's height. expired: past its validity; see `expire`.
    """

    id: str
    belt_plane: tuple[float, float, float]
    column_edges_deg: tuple[float, ...] = equal_angle_edges_deg()
    row_edges_deg: tuple[float, ...] = equal_angle_edges_deg()
    zone_residual_mm: tuple[float, ...] = (0.0,) * 64
    range_offset_mm: float = 0.0
    range_slope: float = 1.0
    volume_factor: float = 1.0
    volume_factor_u: float = 0.03
    belt_u_mm: float = 0.3
    expired: bool = False

    def __post_init__(self) -> None:
        require(bool(self.id), "id", "must not be empty")
        for name in ("column_edges_deg", "row_edges_deg"):
            edges = getattr(self, name)
            rising = len(edges) == 9 and all(a < b for a, b in itertools.pairwise(edges))
            require(rising and edges[0] > -80.0 and edges[-1] < 80.0, name, "must be nine rising angles within +-80")
        residual_ok = len(self.zone_residual_mm) == 64 and all(isfinite(r) for r in self.zone_residual_mm)
        require(residual_ok, "zone_residual_mm", "must be 64 numbers")
        height, *slopes = self.belt_plane
        require(isfinite(height) and 20.0 <= height <= 4000.0, "belt_plane", "height must be within 20..4000 mm")
        require(all(abs(slope) <= 0.5 for slope in slopes), "belt_plane", "is tilted by more than 27 degrees")
        require(0.5 <= self.range_slope <= 2.0, "range_slope", "must be within 0.5..2")
        require(abs(self.range_offset_mm) <= 200.0, "range_offset_mm", "must be within +-200")
        require(0.2 <= self.volume_factor <= 5.0, "volume_factor", "must be within 0.2..5")
        require(0.0 <= self.volume_factor_u <= 1.0, "volume_factor_u", "must be within 0..1")
        require(0.0 <= self.belt_u_mm <= 50.0, "belt_u_mm", "must be within 0..50")

    @cached_property
    def tangents(self) -> tuple[Array, Array]:
        """Tangents of the zone centres, x (by column) and y (by row), (8, 8) each."""
        return _tangents(self.column_edges_deg, self.row_edges_deg)

    @cached_property
    def row_widths(self) -> Array:
        """Widths of the eight rows in tangents."""
        return np.diff(np.tan(np.radians(self.row_edges_deg)))

    @cached_property
    def zone_solid(self) -> Array:
        """Width times height of each zone in tangents, (8, 8): times z squared it is an area across the axis."""
        widths = [np.diff(np.tan(np.radians(edges))) for edges in (self.row_edges_deg, self.column_edges_deg)]
        return np.outer(widths[0], widths[1])

    @cached_property
    def plane_rate(self) -> Array:
        """By how much height above the belt falls per mm of distance, in each zone, (8, 8); 1 for a level belt."""
        x, y = self.tangents
        return 1.0 - self.belt_plane[1] * x - self.belt_plane[2] * y

    @cached_property
    def belt_mm(self) -> Array:
        """Distance of the belt along each zone's ray, (8, 8)."""
        return self.belt_plane[0] / self.plane_rate

    @cached_property
    def belt_cubed(self) -> Array:
        """Third power of belt_mm, (8, 8)."""
        return self.belt_mm**3

    @cached_property
    def zone_offset_mm(self) -> Array:
        """What to add to slope times distance to get the true distance, (8, 8)."""
        return self.range_offset_mm - np.array(self.zone_residual_mm).reshape(8, 8)

    @cached_property
    def upright(self) -> float:
        """Cosine of the belt's tilt: vertical height to height above the plane."""
        return 1.0 / sqrt(1.0 + self.belt_plane[1] ** 2 + self.belt_plane[2] ** 2)


def nominal_tof_calibration(belt_mm: float, calibration_id: str = "nominal") -> TofCalibration:
    """Return what the drawings say: a level belt at this distance, ideal zones, nothing measured."""
    return TofCalibration(id=calibration_id, belt_plane=(belt_mm, 0.0, 0.0), belt_u_mm=2.0, volume_factor_u=0.05)


EXPIRED_BELT_MM = 2.0  # by how much a belt may have sunk or been tightened meanwhile, standard uncertainty
EXPIRED_VOLUME_RELATIVE_U = 0.03
EXPIRED_WHITE_RELATIVE_U = 0.05  # a lamp that aged, a window that was not cleaned


def expire(calibration: T) -> T:
    """Return a calibration as it counts past its validity: less certain, and analyses made with it are flagged.

    The widths are judgements, not measurements: what a plant's drift chart of challenge tests shows should replace
    them.
    """
    if isinstance(calibration, TofCalibration):
        belt_u = float(np.hypot(calibration.belt_u_mm, EXPIRED_BELT_MM))
        factor_u = float(np.hypot(calibration.volume_factor_u, EXPIRED_VOLUME_RELATIVE_U))
        return replace(calibration, belt_u_mm=belt_u, volume_factor_u=factor_u, expired=True)
    white_u = float(np.hypot(calibration.white_reflectance_u, EXPIRED_WHITE_RELATIVE_U))
    return replace(calibration, white_reflectance_u=white_u, expired=True)


def _tangents(column_edges_deg: Sequence[float], row_edges_deg: Sequence[float]) -> tuple[Array, Array]:
    centres = [
        np.array([tan(radians((a + b) / 2.0)) for a, b in itertools.pairwise(edges)])
        for edges in (column_edges_deg, row_edges_deg)
    ]
    x, y = np.meshgrid(centres[0], centres[1])
    return x, y


def calibrate_belt(
    frames_mm: Array,
    *,
    calibration_id: str,
    column_edges_deg: tuple[float, ...] = equal_angle_edges_deg(),
    row_edges_deg: tuple[float, ...] = equal_angle_edges_deg(),
    range_offset_mm: float = 0.0,
    range_slope: float = 1.0,
    volume_factor: float = 1.0,
    volume_factor_u: float = 0.03,
) -> TofCalibration:
    """Fit the belt plane and the zone residuals to frames of the empty belt.

    frames_mm: (n, 8, 8) distances, NaN where not valid, n >= 5. Median over time, then a plane by least squares with
    outlying zones left out. Raises QualityError when the frames do not show an empty belt.
    """
    frames = _belt_frames(frames_mm)
    seen = np.isfinite(frames).sum(axis=0) * 2 >= len(frames)
    require(int(seen.sum()) >= BELT_ZONES_MIN, "frames_mm", f"only {int(seen.sum())} zones see the belt")
    z = np.full((8, 8), np.nan)
    z[seen] = range_offset_mm + range_slope * np.nanmedian(frames[:, seen], axis=0)
    x, y = (tangent * z for tangent in _tangents(column_edges_deg, row_edges_deg))
    plane = _robust_plane(x[seen], y[seen], z[seen])
    residual = np.where(seen, z - (plane[0] + plane[1] * x + plane[2] * y), 0.0)
    spread = float(np.abs(residual).max())
    require(spread <= BELT_SPREAD_MAX_MM, "frames_mm", f"not an empty belt: {spread:.1f} mm beside the plane")
    noise = range_slope * float(np.nanstd(frames[:, seen], axis=0).mean())
    return TofCalibration(
        id=calibration_id,
        belt_plane=plane,
        column_edges_deg=column_edges_deg,
        row_edges_deg=row_edges_deg,
        zone_residual_mm=tuple(residual.ravel().tolist()),
        range_offset_mm=range_offset_mm,
        range_slope=range_slope,
        volume_factor=volume_factor,
        volume_factor_u=volume_factor_u,
        belt_u_mm=max(0.1, noise / sqrt(len(frames))),
    )


def _belt_frames(frames_mm: Array) -> Array:
    frames = np.asarray(frames_mm, dtype=np.float64)
    require(frames.ndim == 3 and frames.shape[1:] == (8, 8), "frames_mm", f"must be (n, 8, 8), is {frames.shape}")
    require(len(frames) >= BELT_FRAMES_MIN, "frames_mm", f"must hold at least {BELT_FRAMES_MIN} frames")
    return frames


def _robust_plane(x: Array, y: Array, z: Array) -> tuple[float, float, float]:
    """Least squares, repeated on the zones within 4 robust standard deviations."""
    design = np.column_stack([np.ones_like(x), x, y])
    keep = np.ones(len(z), dtype=bool)
    plane = np.zeros(3)
    for _ in range(3):
        plane = np.linalg.lstsq(design[keep], z[keep], rcond=None)[0]
        residual = np.abs(z - design @ plane)
        keep = residual <= max(0.5, 4.0 * MAD_TO_SIGMA * float(np.median(residual)))
    return float(plane[0]), float(plane[1]), float(plane[2])


@dataclass(frozen=True)
class SpectralCalibration:
    """Dark and white reference of one spectral sensor, at the settings it measures with.

    dark_counts, white_counts: ten channels F1 to F8, Clear, NIR, raw counts. white_clear_halves: the white's Clear in
    the first and second half. white_reflectance: of the white standard, 0 to 1, F1 to F8 and NIR alike.
    gain: real factor; integration_ms: of one half; led_ma. white_distance_mm: sensor to white standard, when known.
    expired: past its validity; see `expire`.
    """

    id: str
    dark_counts: tuple[float, ...]
    white_counts: tuple[float, ...]
    white_clear_halves: tuple[float, float]
    gain: float
    integration_ms: float
    led_ma: int = 0
    white_reflectance: float = 0.98
    white_reflectance_u: float = 0.01
    white_distance_mm: float | None = None
    expired: bool = False

    def __post_init__(self) -> None:
        require(bool(self.id), "id", "must not be empty")
        for name in ("dark_counts", "white_counts"):
            counts = getattr(self, name)
            counts_ok = len(counts) == 10 and all(isfinite(c) and c >= 0.0 for c in counts)
            require(counts_ok, name, "must be ten counts >= 0")
        for name in ("gain", "integration_ms"):
            require(isfinite(getattr(self, name)) and getattr(self, name) > 0.0, name, "must be positive")
        require(0.1 <= self.white_reflectance <= 1.0, "white_reflectance", "must be within 0.1..1")
        contrast = self.contrast
        require(
            bool((contrast[VISIBLE] >= WHITE_COUNTS_MIN).all() and contrast[CLEAR] >= WHITE_COUNTS_MIN),
            "white_counts",
            f"must exceed dark_counts by {WHITE_COUNTS_MIN:.0f} in F3 to F8 and Clear (swapped, or no light?)",
        )
        require(min(self.white_clear_halves) > self.dark_counts[CLEAR], "white_clear_halves", "must exceed dark")
        distance = self.white_distance_mm
        require(distance is None or 20.0 <= distance <= 4000.0, "white_distance_mm", "must be within 20..4000 mm")

    @cached_property
    def dark(self) -> Array:
        """Dark counts of the ten channels, as an array."""
        return np.array(self.dark_counts)

    @cached_property
    def contrast(self) -> Array:
        """White minus dark, ten counts."""
        return np.array(self.white_counts) - self.dark

    @cached_property
    def per_count(self) -> Array:
        """Reflectance of one count above dark in each of the ten channels, at the calibration's settings."""
        return self.white_reflectance / np.maximum(self.contrast, 1.0)

    @cached_property
    def white_relative_var(self) -> Array:
        """Relative variance of the white reference by its own counting noise, ten channels."""
        return SHOT_COUNTS * np.array(self.white_counts) / np.maximum(self.contrast, 1.0) ** 2

    @cached_property
    def white_halves(self) -> tuple[float, float]:
        """Clear of the white above dark in each half, over the mean of the two."""
        first, second = (clear - self.dark_counts[CLEAR] for clear in self.white_clear_halves)
        mean = (first + second) / 2.0
        return first / mean, second / mean

    @cached_property
    def lit(self) -> NDArray[np.bool_]:
        """Channels whose white reference is bright enough to compute with, ten booleans."""
        return self.contrast >= WHITE_COUNTS_MIN


def calibrate_spectrum(
    dark_counts: Array,
    white_counts: Array,
    white_clear_halves: Array,
    *,
    calibration_id: str,
    gain: float,
    integration_ms: float,
    full_scale: int,
    led_ma: int = 0,
    white_reflectance: float = 0.98,
    white_distance_mm: float | None = None,
) -> SpectralCalibration:
    """Take the medians of dark and white measurements at one setting.

    Dark means lamp off over the empty, dark belt or a cap: over the white standard, what the hall's light adds there
    would be taken off a darker product too, and its blue channels would go below zero.

    dark_counts, white_counts: (n, 10), n >= 3. white_clear_halves: (n, 2). Raises QualityError when the white is
    saturated, too dark, or not above the dark.
    """
    dark, white, halves = (np.asarray(a, dtype=np.float64) for a in (dark_counts, white_counts, white_clear_halves))
    _require_spectra("dark_counts", dark, 10)
    _require_spectra("white_counts", white, 10)
    _require_spectra("white_clear_halves", halves, 2)
    require(float(white.max()) < full_scale, "white_counts", f"saturated: a channel reached {full_scale}")
    first, second = np.median(halves, axis=0).tolist()
    return SpectralCalibration(
        id=calibration_id,
        dark_counts=tuple(np.median(dark, axis=0).tolist()),
        white_counts=tuple(np.median(white, axis=0).tolist()),
        white_clear_halves=(first, second),
        gain=gain,
        integration_ms=integration_ms,
        led_ma=led_ma,
        white_reflectance=white_reflectance,
        white_distance_mm=white_distance_mm,
    )


def _require_spectra(name: str, counts: Array, width: int) -> None:
    shape_ok = counts.ndim == 2 and counts.shape[1] == width and len(counts) >= SPECTRA_MIN
    require(shape_ok, name, f"must be (n >= {SPECTRA_MIN}, {width}), is {counts.shape}")
