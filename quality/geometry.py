"""From 64 distances to height, volume, surface uniformity and the ToF score.

The chip reports the distance across its face, not along the ray, so a zone's point is (z tan ax, z tan ay, z) without
a cosine. The volume is not height times zone area: the same zone covers more of the belt than of the product above
it. Between a surface at z and the belt at Z, both seen through one zone of solid s, lies exactly s (Z^3 - z^3) / 3.
"""

from dataclasses import dataclass
from math import sqrt

import numpy as np
from numpy.typing import NDArray

from quality import zones
from quality.calibration import TofCalibration
from quality.cover import RIM_STEP_FRAME, contrast_of, contrast_pull, inner_variance
from quality.errors import require
from quality.grades import Grade, grade_of, rounded_score
from quality.lit import brightness_of
from quality.recipe import Recipe
from quality.robust import middle
from quality.surface import Surface, judge_surface

Array = NDArray[np.float64]

VALID_STATUS = np.zeros(256, dtype=bool)
VALID_STATUS[[5, 6, 9, 10]] = True  # UM3109 table 4: valid, wrap-around unchecked, merged pulse, new target
NOISE_PER_SIGMA = 0.6  # measured on an L8: temporal scatter is 0.31 to 0.92 of the sigma that the chip reports
DETECTION_SIGMAS = 3.5  # of three connected zones at once: by chance less than once in a hundred million frames
COVERAGE_U = 0.25  # part of a zone's inner spread by which its mean may miss the true one
BELT_ZONES_MIN = 8  # fewer free zones than these say nothing about the belt
LEVEL_ZONES_MIN = 32  # zones at belt level, though next to raised ones, that must be half of the picture to count
DENSITY_RELATIVE_U = 0.02
SHAPE_RELATIVE_U = 0.0225  # of one body beside the mean of all shapes, and where the zones happen to fall on its rim
SCORE_FLOOR = 0.05  # keeps relative uncertainties finite where a score is near 0
RIM_PART_MAX = 0.75  # a border zone as high as this part of the next one inwards does not hold the product's rim
TRACKED_BELT_U = 1.0 / 3.0  # what remains of the belt's uncertainty, tilt mostly, once its height is tracked
LIT_ZONES_MIN = 10  # of the twelve zones that a spectral sensor beside the ToF sensor looks at
_LIT = np.zeros((8, 8), dtype=bool)  # a disc of 11 degrees half angle: the middle 4 x 4 without its corners
_LIT[2:6, 3:5] = _LIT[3:5, 2:6] = True
_INWARD_ROW, _INWARD_COLUMN = np.clip(np.indices((8, 8)), 1, 6)


@dataclass(frozen=True, slots=True)
class TofAnalysis:
    """What the height picture says. Scores 0 to 1; `_u` is a standard uncertainty in the unit of its value.

    Without a product all figures are 0, the grade is REJECT and the flags say why: nothing may look good by default.
    brightness_per_mm2: how strongly a lamp at the sensor lights what lies under it: mean of cos(incidence) / z^2 over
    what the spectral sensor looks at; the spectral analysis takes distance and tilt out with it.
    height_mm: (8, 8), above the belt, filled where a zone was not valid. product: (8, 8) mask.
    flags: no_valid_zones, few_valid_zones, no_product, out_of_view, off_centre (the light falls beside it),
    several_products, belt_shifted, surface_unjudged, zones_filled, tof_calibration_expired.
    """

    product_present: bool
    out_of_view: bool
    volume_mm3: float
    volume_mm3_u: float
    mass_g: float
    mass_g_u: float
    footprint_mm2: float
    height_max_mm: float
    roughness_mm: float
    surface_uniformity: float
    surface_uniformity_u: float
    volume_score: float
    validity: float
    quality_score: float
    quality_score_u: float
    grade: Grade
    avg_distance_mm: float
    std_distance_mm: float
    avg_reflectance: float
    brightness_per_mm2: float
    valid_zones: int
    height_mm: Array
    product: NDArray[np.bool_]
    belt_shift_mm: float
    flags: tuple[str, ...]


@dataclass(slots=True)
class _Picture:
    """One frame on its way: corrected distances with holes filled, heights, and what was found so far."""

    z: Array
    height: Array
    noise: Array
    measured: NDArray[np.bool_]
    flags: list[str]
    contrast: float = 1.0
    tracked: bool = False
    belt_shift_mm: float = 0.0


def analyse_tof(
    distance_mm: Array,
    *,
    sigma_mm: Array,
    reflectance_pct: Array,
    status: NDArray[np.uint8],
    calibration: TofCalibration,
    recipe: Recipe,
    signal_kcps: Array | None = None,
) -> TofAnalysis:
    """Analyse one frame of (8, 8) matrices in scene orientation; distance_mm is NaN where there is no valid target.

    Raises QualityError for a matrix of another shape. Whatever the values, the answer is an analysis with flags.
    signal_kcps is taken for completeness of the frame; the height picture does not depend on it yet.
    """
    for name, matrix in (("distance_mm", distance_mm), ("sigma_mm", sigma_mm), ("status", status)):
        require(matrix.shape == (8, 8), name, f"must be (8, 8), is {matrix.shape}")
    _ = signal_kcps
    measured = np.isfinite(distance_mm) & (distance_mm > 0.0) & np.isfinite(sigma_mm) & VALID_STATUS[status]
    count = int(measured.sum())
    if count < recipe.tof.valid_zones_min:
        return _nothing(count, ("no_valid_zones" if count == 0 else "few_valid_zones", "no_product"))
    picture = _prepare(distance_mm, sigma_mm, measured, calibration)
    pieces = _find_products(picture, calibration, recipe)
    if not pieces:
        return _nothing(count, ("no_product", *picture.flags), picture)
    if len(pieces) > 1:
        picture.flags.append("several_products")
    return _judge(
        picture,
        pieces[0],
        distance_mm=distance_mm,
        reflectance_pct=reflectance_pct,
        calibration=calibration,
        recipe=recipe,
    )


def _prepare(distance_mm: Array, sigma_mm: Array, measured: NDArray[np.bool_], calibration: TofCalibration) -> _Picture:
    z = calibration.zone_offset_mm + calibration.range_slope * distance_mm
    flags = ["tof_calibration_expired"] if calibration.expired else list[str]()
    if not measured.all():
        z = _fill(np.where(measured, z, np.nan), calibration.belt_mm)
        flags.append("zones_filled")
    noise = NOISE_PER_SIGMA * np.where(measured, sigma_mm, 0.0)
    height = (calibration.belt_mm - z) * calibration.plane_rate
    return _Picture(z=z, height=height, noise=noise, measured=measured, flags=flags)


def _fill(z: Array, belt_mm: Array) -> Array:
    """Give zones without a target the mean height of their measured neighbours; without neighbours, the belt.

    At the rim of a product that mean is half product, half belt: the most likely cover of a zone whose two returns
    spoiled each other.
    """
    drop = belt_mm - z
    for _ in range(3):
        holes = np.isnan(drop)
        if not holes.any():
            break
        padded = np.pad(drop, 1, constant_values=np.nan)
        around = np.stack([padded[r : r + 8, c : c + 8] for r in range(3) for c in range(3) if (r, c) != (1, 1)])
        known = np.isfinite(around)
        counts = known.sum(axis=0)
        means = np.where(known, around, 0.0).sum(axis=0) / np.maximum(counts, 1)
        drop = np.where(holes & (counts >= 2), means, drop)
    return belt_mm - np.where(np.isnan(drop), 0.0, drop)


def _find_products(picture: _Picture, calibration: TofCalibration, recipe: Recipe) -> list[int]:
    """Return the products as zone sets, the largest first, after the belt was tracked on the zones around them."""
    threshold = np.maximum(recipe.tof.height_min_mm, DETECTION_SIGMAS * picture.noise)
    raised = zones.zone_set(picture.height > threshold)
    free = zones.zone_mask(zones.ALL & ~zones.grown(raised)) & picture.measured
    if int(np.count_nonzero(free)) < BELT_ZONES_MIN:
        # Noise on a belt that rose lifts zones all over the picture; their neighbours then still are belt.
        level = zones.zone_mask(zones.ALL & ~raised) & picture.measured
        free = level if int(np.count_nonzero(level)) >= LEVEL_ZONES_MIN else free
    heights = picture.height[free]
    if len(heights) >= BELT_ZONES_MIN:
        shift = middle(heights)
        picture.tracked = True
        if abs(shift) > recipe.tof.belt_drift_max_mm:
            picture.flags.append("belt_shifted")
        picture.belt_shift_mm = min(max(shift, -recipe.tof.belt_drift_max_mm), recipe.tof.belt_drift_max_mm)
        picture.z = picture.z + picture.belt_shift_mm / calibration.plane_rate
        picture.height = picture.height - picture.belt_shift_mm
        raised = zones.zone_set(picture.height > threshold)
    # A zone that was filled from its neighbours is no witness of its own.
    witnesses = zones.ALL if picture.measured.all() else zones.zone_set(picture.measured)
    pieces = zones.components(raised)
    return [piece for piece in pieces if (piece & witnesses).bit_count() >= recipe.tof.zones_min]


def _judge(
    picture: _Picture,
    piece: int,
    *,
    distance_mm: Array,
    reflectance_pct: Array,
    calibration: TofCalibration,
    recipe: Recipe,
) -> TofAnalysis:
    product, region = zones.zone_mask(piece), zones.zone_mask(zones.grown(piece))
    seen = product & picture.measured
    picture.contrast = contrast_of(reflectance_pct, picture.height, picture.measured)
    volume, volume_u = _volume(picture, region, calibration)
    mass = volume * 1e-3 * recipe.density_g_cm3
    surface = _surface(picture, piece, calibration, recipe)
    verdict = score_tof(surface, volume, volume_u, validity=_validity(picture, region), recipe=recipe)
    avg_distance, std_distance = _mean_std(distance_mm[seen])
    _flag(picture, piece, product, surface)
    return TofAnalysis(
        product_present=True,
        out_of_view="out_of_view" in picture.flags,
        volume_mm3=volume,
        volume_mm3_u=volume_u,
        mass_g=mass,
        mass_g_u=mass * sqrt((volume_u / max(volume, 1.0)) ** 2 + DENSITY_RELATIVE_U**2),
        footprint_mm2=float((calibration.zone_solid * picture.z**2)[product].sum()),
        height_max_mm=float(picture.height[product].max()) * calibration.upright,
        roughness_mm=surface.roughness_mm,
        surface_uniformity=surface.uniformity,
        surface_uniformity_u=surface.uniformity_u,
        volume_score=verdict.volume_score,
        validity=verdict.validity,
        quality_score=verdict.score,
        quality_score_u=verdict.score_u,
        grade=grade_of(verdict.score, recipe.grade_limits),
        avg_distance_mm=avg_distance,
        std_distance_mm=std_distance,
        avg_reflectance=_mean_std(reflectance_pct[seen & np.isfinite(reflectance_pct)])[0],
        brightness_per_mm2=brightness_of(picture.z, calibration),
        valid_zones=int(picture.measured.sum()),
        height_mm=picture.height * calibration.upright,
        product=product,
        belt_shift_mm=picture.belt_shift_mm,
        flags=tuple(picture.flags),
    )


def _surface(picture: _Picture, piece: int, calibration: TofCalibration, recipe: Recipe) -> Surface:
    tan_x, tan_y = calibration.tangents
    return judge_surface(
        tan_x * picture.z,
        tan_y * picture.z,
        picture.height * calibration.upright,
        noise=picture.noise,
        piece=piece,
        measured=picture.measured,
        rules=recipe.tof,
    )


def _flag(picture: _Picture, piece: int, product: NDArray[np.bool_], surface: Surface) -> None:
    if _is_cut(picture.height, piece):
        picture.flags.append("out_of_view")
    if int(product[_LIT].sum()) < LIT_ZONES_MIN:
        picture.flags.append("off_centre")
    if not surface.judged:
        picture.flags.append("surface_unjudged")


@dataclass(frozen=True, slots=True)
class Verdict:
    """The ToF score, 0 to 1, with its standard uncertainty, and what it was made of."""

    volume_score: float
    validity: float
    score: float
    score_u: float


def _validity(picture: _Picture, region: NDArray[np.bool_]) -> float:
    """Return 1 where at least nine tenths of the zones on and around the product were measured, less below."""
    return min(1.0, float(np.count_nonzero(picture.measured & region)) / float(np.count_nonzero(region)) / 0.9)


def score_tof(surface: Surface, volume: float, volume_u: float, *, validity: float, recipe: Recipe) -> Verdict:
    """Weighted geometric mean of uniformity and volume score: neither can make good for the other being zero."""
    rules = recipe.tof
    volume_score, slope = _volume_score(volume, recipe)
    score = surface.uniformity**rules.uniformity_weight * volume_score**rules.volume_weight * validity
    relative_u = sqrt(
        (rules.uniformity_weight * surface.uniformity_u / max(surface.uniformity, SCORE_FLOOR)) ** 2
        + (rules.volume_weight * slope * volume_u / max(volume_score, SCORE_FLOOR)) ** 2
    )
    return Verdict(volume_score, validity, rounded_score(score), min(0.5, score * relative_u))


def _mean_std(values: Array) -> tuple[float, float]:
    if not values.size:
        return 0.0, 0.0
    mean = float(values.sum()) / values.size
    beside = values - mean
    return mean, sqrt(float(beside @ beside) / values.size)


def _is_cut(height: Array, piece: int) -> bool:
    """Whether the product goes on beyond the picture.

    A border zone sees the mean of the product's rim and the belt beyond it. Where the rim lies inside, that mean is
    well below the zone further in; where the product is cut off, it is not.
    """
    border = zones.zone_mask(piece & zones.BORDER)
    if not border.any():
        return False
    further_in = height[_INWARD_ROW, _INWARD_COLUMN]
    return bool((border & (height > RIM_PART_MAX * further_in)).any())


def _volume(picture: _Picture, region: NDArray[np.bool_], calibration: TofCalibration) -> tuple[float, float]:
    """Return volume and standard uncertainty, mm3, over the product and the ring of partly covered zones around it.

    A zone reports the mean distance of what it sees, weighted by the returned light (about 1 / z^2). With variance v
    inside the zone, the mean of z^3 is then z^3 + 9 z v; v comes from the neighbours.
    """
    z = picture.z
    rim = region & (picture.height < 0.5 * float(picture.height.max()))
    slope, split = inner_variance(z, rim)
    variance = slope + RIM_STEP_FRAME * split
    pulled = z + contrast_pull(split, picture.height, picture.contrast)
    solid = calibration.zone_solid * region
    depth3 = calibration.belt_cubed - pulled * (pulled * pulled + 9.0 * variance)
    volume = max(0.0, float((solid * depth3).sum()) / 3.0 * calibration.volume_factor)
    area = solid * z * z
    area2 = area * area
    random = float((area2 * (picture.noise * picture.noise + COVERAGE_U**2 * variance)).sum())
    if not picture.measured.all():
        random += 0.25 * float((area2 * picture.height**2)[~picture.measured].sum())
    belt_u = calibration.belt_u_mm * (TRACKED_BELT_U if picture.tracked else 1.0)
    plane = float(area.sum()) * belt_u
    scale = volume**2 * (calibration.volume_factor_u**2 + SHAPE_RELATIVE_U**2)
    return volume, sqrt(random + plane**2 + scale)


def _volume_score(volume: float, recipe: Recipe) -> tuple[float, float]:
    """Return the score, 1 within the recipe's range and falling smoothly to 0 outside, and its slope per mm3."""
    low, high, softness = recipe.tof.volume_min_mm3, recipe.tof.volume_max_mm3, recipe.tof.volume_softness
    if low <= volume <= high:
        return 1.0, 0.0
    edge, outside = (low, low - volume) if volume < low else (high, volume - high)
    t = min(1.0, outside / (softness * edge))
    return 1.0 - t * t * (3.0 - 2.0 * t), 6.0 * t * (1.0 - t) / (softness * edge)


def _nothing(valid_zones: int, flags: tuple[str, ...], picture: _Picture | None = None) -> TofAnalysis:
    height = np.zeros((8, 8)) if picture is None else picture.height
    return TofAnalysis(
        product_present=False, out_of_view=False, volume_mm3=0.0, volume_mm3_u=0.0, mass_g=0.0, mass_g_u=0.0,
        footprint_mm2=0.0, height_max_mm=0.0, roughness_mm=0.0, surface_uniformity=0.0, surface_uniformity_u=0.0,
        volume_score=0.0, validity=0.0, quality_score=0.0, quality_score_u=0.0, grade="REJECT", avg_distance_mm=0.0,
        std_distance_mm=0.0, avg_reflectance=0.0, brightness_per_mm2=0.0, valid_zones=valid_zones, height_mm=height,
        product=np.zeros((8, 8), dtype=bool), belt_shift_mm=0.0 if picture is None else picture.belt_shift_mm,
        flags=flags,
    )  # fmt: skip
