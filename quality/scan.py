"""Volume and shape of a piece from all the frames of its pass under the sensor.

One frame of 8 x 8 zones sees a piece with some twenty zones; a pass of forty frames sees it with a thousand, each a
few millimetres further along the belt. A column of zones is then a line scanner: with rays of tangent t along the
belt and w across it, a surface point at distance z and belt travel s lies at u = z t - s along the belt and v = z w
across it, and the volume element du dv dz is z ds dw dz. Between the surface z and the belt Z lies, exactly,

    V = sum over frames and rows of ds dw (Z^2 - z^2) / 2

for each column by itself. Only the inner columns are used: they look straight down, so no side of the piece hides
belt behind it. The belt moves towards growing x.

What a newcomer gets wrong: the travel must be the belt's, not frames times a nominal speed. Where no encoder is
mounted, `estimate_speed` finds it from the pictures themselves.
"""

from dataclasses import dataclass
from math import sqrt
from typing import TypeVar

import numpy as np
from numpy.typing import NDArray

from quality import zones
from quality.anomalies import Anomaly, MapSurface, judge_map
from quality.calibration import TofCalibration
from quality.cover import RIM_STEP_SCAN, contrast_of, contrast_pull, inner_variance
from quality.errors import require
from quality.geometry import COVERAGE_U, DENSITY_RELATIVE_U, DETECTION_SIGMAS, NOISE_PER_SIGMA, VALID_STATUS
from quality.heightmap import CELL_MM, HeightMap, Outline, map_heights, outline_of
from quality.recipe import Recipe
from quality.robust import middle

Array = NDArray[np.float64]
T = TypeVar("T", bound=np.generic)

INNER = slice(2, 6)  # columns within 11 degrees of straight down
WITH_NEIGHBOURS = slice(1, 7)  # and one more on either side
INNER_COLUMNS = 4
FRAMES_MIN = 8
_ONE, _ROW = np.uint64(1), np.uint64(8)
_NOT_LEFT, _NOT_RIGHT = (np.uint64(zones.ALL & ~column) for column in (zones.LEFT_COLUMN, zones.RIGHT_COLUMN))
STEP_MAX_MM = 15.0  # travel between frames: more would leave gaps between the footprints of a zone, 20 mm wide
RAISED_MIN = 6  # zone readings above the threshold: three in each of two frames at least
FREE_MIN = 40  # readings of the free belt needed to track its height
SHIFT_U_MM = 0.05  # what remains of the belt's height after hundreds of readings: its unevenness
SHAPE_RELATIVE_U = 0.0105  # of one body beside the mean of all shapes: what its rim and its hidden sides do (six makes)
TRAVEL_RELATIVE_U = 0.002  # of an encoder's scale: the wear of its wheel
RIM_HIGH = 0.5  # below this part of the greatest height a zone counts as rim


@dataclass(frozen=True, slots=True)
class ScanAnalysis:
    """One piece, from its whole pass. `_u` is a standard uncertainty in the unit of its value.

    length_mm, width_mm: extent along and across the piece's own long axis. thickness_mm: the greatest height.
    map: height and reflectance on the belt grid, None without a product. frames: how many held the piece.
    flags: no_product, few_valid_zones, cut_at_ends (the pass is not whole), out_of_view (reaches beyond the outer
    rows), several_products, belt_shifted, zones_filled, surface_unjudged, tof_calibration_expired.
    """

    product_present: bool
    usable: bool
    volume_mm3: float
    volume_mm3_u: float
    mass_g: float
    mass_g_u: float
    footprint_mm2: float
    length_mm: float
    width_mm: float
    thickness_mm: float
    belt_shift_mm: float
    frames: int
    surface_uniformity: float
    surface_uniformity_u: float
    roughness_mm: float
    anomalies: tuple[Anomaly, ...]
    map: HeightMap | None
    flags: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Speed:
    """Belt speed found from the pictures, mm/s, with its standard uncertainty."""

    mm_s: float
    mm_s_u: float


@dataclass(slots=True)
class _Pass:
    """All frames of a pass, (n, 8, 8): distances with holes filled, heights, noise; product: raised or beside it.

    contrast: how much brighter at 940 nm the piece is than the belt, as a ratio.
    """

    z: Array
    height: Array
    noise: Array
    contrast: float
    measured: NDArray[np.bool_]
    product: NDArray[np.bool_]
    shift_mm: float
    tracked: bool
    flags: list[str]

    def cut(self, span: slice) -> "_Pass":
        """Only these frames."""
        kept = (self.z[span], self.height[span], self.noise[span], self.contrast, self.measured[span])
        return _Pass(*kept, self.product[span], self.shift_mm, self.tracked, self.flags)


def analyse_scan(
    distance_mm: Array,
    *,
    sigma_mm: Array,
    reflectance_pct: Array,
    status: NDArray[np.uint8],
    travel_mm: Array,
    calibration: TofCalibration,
    recipe: Recipe,
    travel_relative_u: float = TRAVEL_RELATIVE_U,
) -> ScanAnalysis:
    """Analyse the n frames of one pass, (n, 8, 8) each, scene orientation, NaN where there is no valid target.

    travel_mm: (n,), belt travel at each frame, rising; from empty belt to empty belt. travel_relative_u: of its scale.
    Raises QualityError for other shapes, falling travel, fewer than 8 frames or steps too long to cover the piece.
    """
    _require_pass(distance_mm, sigma_mm, status, travel_mm)
    measured = np.isfinite(distance_mm) & (distance_mm > 0.0) & np.isfinite(sigma_mm) & VALID_STATUS[status]
    if measured.mean() * 64 < recipe.tof.valid_zones_min:
        return _nothing(("few_valid_zones", "no_product"))
    found = _prepare(distance_mm, sigma_mm, measured, calibration, recipe)
    if found is None:
        return _nothing(("no_product",))
    found.contrast = contrast_of(reflectance_pct, found.height, measured)
    seen = np.flatnonzero(found.product.any(axis=(1, 2)))
    span = slice(max(0, int(seen[0]) - 1), int(seen[-1]) + 2)  # with a frame of belt on either side
    found = found.cut(span)
    reflectance_pct, travel_mm = reflectance_pct[span], travel_mm[span]
    volume, volume_u = _volume(found, travel_mm, calibration, travel_relative_u)
    piece = _frames_last(found.product, INNER)
    light = _frames_last(reflectance_pct, INNER)
    if not np.isfinite(float(light.sum())):
        light = np.nan_to_num(light, posinf=0.0)
    heights = map_heights(
        _frames_last(found.z, INNER),
        height=_frames_last(found.height, INNER) * calibration.upright,
        reflectance_pct=light,
        travel_mm=travel_mm,
        tangents=(calibration.tangents[0][:, INNER, None], calibration.tangents[1][:, INNER, None]),
        piece=piece if piece.any() else np.ones_like(piece),
    )
    outline = outline_of(heights, height_min_mm=recipe.tof.height_min_mm)
    readings = max(1.0, INNER_COLUMNS * CELL_MM / max(float(np.diff(travel_mm).mean()), 0.1))
    noise_mm = float(found.noise[found.product].mean()) / sqrt(readings)
    surface = judge_map(heights, outline, noise_mm=noise_mm, rules=recipe.tof)
    _flag(found, outline, surface)
    mass = volume * 1e-3 * recipe.density_g_cm3
    return ScanAnalysis(
        product_present=True,
        usable=not {"cut_at_ends", "out_of_view", "several_products"} & set(found.flags),
        volume_mm3=volume,
        volume_mm3_u=volume_u,
        mass_g=mass,
        mass_g_u=mass * sqrt((volume_u / max(volume, 1.0)) ** 2 + DENSITY_RELATIVE_U**2),
        footprint_mm2=outline.area_mm2,
        length_mm=outline.length_mm,
        width_mm=outline.width_mm,
        thickness_mm=outline.thickness_mm,
        belt_shift_mm=found.shift_mm,
        frames=int(found.product.any(axis=(1, 2)).sum()),
        surface_uniformity=surface.uniformity,
        surface_uniformity_u=surface.uniformity_u,
        roughness_mm=surface.roughness_mm,
        anomalies=surface.anomalies,
        map=heights,
        flags=tuple(found.flags),
    )


def estimate_speed(
    distance_mm: Array, *, sigma_mm: Array, status: NDArray[np.uint8], time_s: Array, calibration: TofCalibration,
    recipe: Recipe,
) -> Speed | None:  # fmt: skip
    """Find the speed of an evenly running belt from one whole pass; None when the frames do not show one.

    The travel at which a column sees the middle of the piece is t z - u, with t the column's tangent, z the mean
    distance of the volume and u the middle's place: the slope of t z over the columns' mean times is the speed.
    """
    measured = np.isfinite(distance_mm) & (distance_mm > 0.0) & np.isfinite(sigma_mm) & VALID_STATUS[status]
    found = _prepare(distance_mm, sigma_mm, measured, calibration, recipe)
    if found is None or "cut_at_ends" in found.flags:
        return None
    belt = calibration.belt_mm
    width = calibration.row_widths[:, None]
    second = np.where(found.product, (belt**2 - found.z**2) / 2.0, 0.0) * width
    third = np.where(found.product, (belt**3 - found.z**3) / 3.0, 0.0) * width
    slices = second.sum(axis=1)  # (n, 8): cross section by frame and column
    area = slices.sum(axis=0)
    if float(area.min()) <= 0.0:
        return None
    seen_s = (time_s[:, None] * slices).sum(axis=0) / area
    place_mm = calibration.tangents[0].mean(axis=0) * third.sum(axis=(0, 1)) / area
    late = seen_s - seen_s.mean()
    speed = float(late @ place_mm) / float(late @ late)
    residual = place_mm - place_mm.mean() - speed * late
    speed_u = sqrt(float(residual @ residual) / 6.0 / float(late @ late))
    return Speed(speed, speed_u) if speed > 0.0 and speed_u < 0.05 * speed else None


def _require_pass(distance_mm: Array, sigma_mm: Array, status: NDArray[np.uint8], travel_mm: Array) -> None:
    n = len(travel_mm)
    require(travel_mm.ndim == 1 and n >= FRAMES_MIN, "travel_mm", f"must hold at least {FRAMES_MIN} frames, holds {n}")
    for name, stack in (("distance_mm", distance_mm), ("sigma_mm", sigma_mm), ("status", status)):
        require(stack.shape == (n, 8, 8), name, f"must be ({n}, 8, 8), is {stack.shape}")
    steps = np.diff(travel_mm)
    require(bool(np.isfinite(steps).all() and (steps >= 0.0).all()), "travel_mm", "must rise")
    require(float(steps.max()) <= STEP_MAX_MM, "travel_mm", f"steps must not exceed {STEP_MAX_MM:.0f} mm")


def _prepare(
    distance_mm: Array, sigma_mm: Array, measured: NDArray[np.bool_], calibration: TofCalibration, recipe: Recipe
) -> _Pass | None:
    """Correct and fill distances, follow the belt, tell product from belt; None when there is no product."""
    flags = ["tof_calibration_expired"] if calibration.expired else list[str]()
    z = calibration.zone_offset_mm + calibration.range_slope * distance_mm
    if not measured.all():
        z = _fill(z, measured, calibration.belt_mm)
        flags.append("zones_filled")
    noise = NOISE_PER_SIGMA * np.where(measured, sigma_mm, 0.0)
    height = (calibration.belt_mm - z) * calibration.plane_rate
    threshold = np.maximum(recipe.tof.height_min_mm, DETECTION_SIGMAS * noise)
    free = height[~_grown(height > threshold) & measured]
    shift, tracked = 0.0, free.size >= FREE_MIN
    if tracked:
        shift = middle(free)
        if abs(shift) > recipe.tof.belt_drift_max_mm:
            flags.append("belt_shifted")
        shift = min(max(shift, -recipe.tof.belt_drift_max_mm), recipe.tof.belt_drift_max_mm)
        z = z + shift / calibration.plane_rate
        height = height - shift
    raised = height > threshold
    # A lone reading above the threshold is noise; a piece shows in three zones of two frames at least.
    raised &= raised.sum(axis=(1, 2), keepdims=True) >= recipe.tof.zones_min
    if int(raised.sum()) < RAISED_MIN:
        return None
    if raised[0, :, INNER].any() or raised[-1, :, INNER].any():
        flags.append("cut_at_ends")
    if raised[:, 0].any() or raised[:, 7].any():
        _flag_sides(height, raised, flags)
    return _Pass(z, height, noise, 1.0, measured, _grown(raised), shift, tracked, flags)


def _flag_sides(height: Array, raised: NDArray[np.bool_], flags: list[str]) -> None:
    """Flag a piece that goes on beyond an outer row: there the row is nearly as high as the next one inwards."""
    for outer, inward in ((0, 1), (7, 6)):
        high = raised[:, outer] & (height[:, outer] > 0.75 * height[:, inward])
        if int(high[:, INNER].sum()) >= 2 and "out_of_view" not in flags:
            flags.append("out_of_view")


def _fill(z: Array, measured: NDArray[np.bool_], belt_mm: Array) -> Array:
    """Give a reading without a target what the same zone saw just before and after; a blind zone sees belt."""
    filled = z.copy()
    frames = np.arange(len(z))
    for row, column in np.argwhere(~measured.all(axis=0)):
        good = measured[:, row, column]
        known = z[good, row, column]
        filled[:, row, column] = np.interp(frames, frames[good], known) if known.size else belt_mm[row, column]
    return filled


def _grown(mask: NDArray[np.bool_]) -> NDArray[np.bool_]:
    """Each frame's zones and all their neighbours; a frame is one word of 64 bits, as in `quality.zones`."""
    words = np.packbits(mask.reshape(-1, 64), axis=1, bitorder="little").view(np.uint64)
    wide = words | (words & _NOT_RIGHT) << _ONE | (words & _NOT_LEFT) >> _ONE
    tall = wide | wide << _ROW | wide >> _ROW
    return np.unpackbits(tall.view(np.uint8), axis=1, bitorder="little").view(bool).reshape(mask.shape)


def _frames_last(values: NDArray[T], columns: slice) -> NDArray[T]:
    """(n, 8, 8) to (8, columns, n): array operations then run along the frames, of which there are many."""
    return np.ascontiguousarray(values[:, :, columns].transpose(1, 2, 0))


def _volume(
    found: _Pass, travel_mm: Array, calibration: TofCalibration, travel_relative_u: float
) -> tuple[float, float]:
    """Return volume and standard uncertainty, mm3: the mean of what each inner column says by itself.

    A zone reports the mean distance of what it sees, weighted by the returned light (about 1 / z^2): with variance v
    inside the zone the mean of z^2 is z^2 + 5 v.
    """
    belt = calibration.belt_mm[:, INNER, None]
    wide, height = _frames_last(found.z, WITH_NEIGHBOURS), _frames_last(found.height, WITH_NEIGHBOURS)
    z, columns = wide[:, 1:-1], INNER_COLUMNS
    area = _frames_last(found.product, INNER) * (calibration.row_widths[:, None, None] * np.gradient(travel_mm))
    slope, split = inner_variance(wide, height < RIM_HIGH * float(found.height.max()))
    variance = (slope + RIM_STEP_SCAN * split)[:, 1:-1]
    pull = contrast_pull(split, height, found.contrast)[:, 1:-1]
    mean2 = (z + pull) ** 2 + 5.0 * variance
    volume = float((area * (belt**2 - mean2)).sum()) / (2.0 * columns) * calibration.volume_factor
    footprint = area * z / columns
    random2 = footprint**2 * (_frames_last(found.noise, INNER) ** 2 + COVERAGE_U**2 * variance)
    guessed = 0.0
    if not found.measured.all():
        holes = ~_frames_last(found.measured, INNER)
        guessed = 0.25 * float((footprint * np.abs(height[:, 1:-1]))[holes].sum())
    belt_u = np.hypot(SHIFT_U_MM, calibration.belt_u_mm * (0.1 if found.tracked else 1.0))
    common = float(footprint.sum()) * float(belt_u)
    scale = volume * np.hypot(np.hypot(calibration.volume_factor_u, travel_relative_u), SHAPE_RELATIVE_U)
    variance_v = float(random2.sum()) + guessed**2 + common**2 + float(scale) ** 2
    return max(0.0, volume), sqrt(variance_v)


def _flag(found: _Pass, outline: Outline, surface: MapSurface) -> None:
    if not surface.judged:
        found.flags.append("surface_unjudged")
    if outline.pieces > 1:
        found.flags.append("several_products")


def _nothing(flags: tuple[str, ...]) -> ScanAnalysis:
    """All figures 0: nothing may look good by default."""
    return ScanAnalysis(
        product_present=False, usable=False, volume_mm3=0.0, volume_mm3_u=0.0, mass_g=0.0, mass_g_u=0.0,
        footprint_mm2=0.0, length_mm=0.0, width_mm=0.0, thickness_mm=0.0, belt_shift_mm=0.0, frames=0,
        surface_uniformity=0.0, surface_uniformity_u=0.5, roughness_mm=0.0, anomalies=(), map=None, flags=flags,
    )  # fmt: skip
