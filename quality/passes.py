"""One piece's share of the frames of a moving belt: what belongs to its neighbours is taken off, missed frames bridged.

A reading at distance z, with a ray of tangent t along the belt, after the belt has moved by s, saw the place s - z t of
the belt: places grow from piece to piece. Pieces may follow each other more closely than the field of view is wide;
their frames are the same, their places are not.
"""

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from quality.calibration import TofCalibration
from quality.geometry import VALID_STATUS
from quality.heightmap import HeightMap
from quality.recipe import Recipe
from quality.scan import STEP_MAX_MM, TRAVEL_RELATIVE_U, ScanAnalysis, analyse_scan

Array = NDArray[np.float64]

NECK_TWO = 0.45  # two pieces that touch have 0.32 at most, single ones 0.8 and more, the most ragged 0.55
NECK_LONG = 0.65  # two that overlap by 8 mm have 0.56 at most, and are long
LONG_MM = 240.0  # on the map; a single piece has 220 at most
SEVERAL = "several_products"
UNUSABLE = frozenset({"cut_at_ends", "out_of_view", SEVERAL})
BRIDGED_MAX = 4  # frames that may be missing from a pass: more of the piece would be guessed than is honest
HOLE_MAX_MM = 3 * STEP_MAX_MM  # two frames in a row
BELT_STATUS = 5  # UM3109 table 4: valid
THICK_PART = 0.4  # of the greatest cross section: what both parts must have to be two pieces
FLAT_MM = 6.0  # as far as a belt may have moved from where it was calibrated


@dataclass(frozen=True, slots=True)
class Stack:
    """n frames of a pass, (n, 8, 8) each, in scene orientation, and the belt's travel at each, (n,), mm.

    bridged: how many of them were made up between two that were seen.
    """

    distance_mm: Array
    sigma_mm: Array
    reflectance_pct: Array
    status: NDArray[np.uint8]
    travel_mm: Array
    bridged: int = 0


def places_of(distance_mm: Array, travel_mm: Array, calibration: TofCalibration) -> Array:
    """Place on the belt that every reading saw, mm; NaN where it saw none."""
    z = calibration.zone_offset_mm + calibration.range_slope * distance_mm
    return travel_mm[:, None, None] - z * calibration.tangents[0]


def isolated(stack: Stack, start_mm: float, end_mm: float, calibration: TofCalibration) -> Stack:
    """The same frames with nothing on the belt outside the places `start_mm` to `end_mm`."""
    places = places_of(stack.distance_mm, stack.travel_mm, calibration)
    foreign = (places < start_mm) | (places > end_mm)
    if not foreign.any():
        return stack
    z = calibration.zone_offset_mm + calibration.range_slope * stack.distance_mm
    height = (calibration.belt_mm - z) * calibration.plane_rate
    free = (np.abs(height) < FLAT_MM) & VALID_STATUS[stack.status]
    shift_mm = float(np.median(height[free])) if free.any() else 0.0
    belt = (calibration.belt_mm - shift_mm / calibration.plane_rate - calibration.zone_offset_mm) / (
        calibration.range_slope
    )
    beside = stack.reflectance_pct[free]
    beside = beside[np.isfinite(beside)]
    brightness = float(np.median(beside)) if beside.size else np.nan
    return Stack(
        distance_mm=np.where(foreign, belt, stack.distance_mm),
        sigma_mm=stack.sigma_mm,
        reflectance_pct=np.where(foreign, brightness, stack.reflectance_pct),
        status=np.where(foreign, np.uint8(BELT_STATUS), stack.status),
        travel_mm=stack.travel_mm,
        bridged=stack.bridged,
    )


def bridged(stack: Stack) -> Stack | None:
    """The same pass with no step longer than a scan allows; None where too much of it was missed.

    What lies between two frames is drawn straight from one to the other: the surface bends little over the 30 to 45 mm
    of a hole, and whoever uses it states a wider uncertainty.
    """
    steps = np.diff(stack.travel_mm)
    holes = np.flatnonzero(steps > STEP_MAX_MM)
    if not holes.size:
        return stack
    if float(steps.max()) > HOLE_MAX_MM:
        return None
    counts = np.ceil(steps[holes] / STEP_MAX_MM).astype(np.intp) - 1
    if int(counts.sum()) > BRIDGED_MAX:
        return None
    pairs = zip(holes.tolist(), counts.tolist(), strict=True)
    at: Array = np.array([place + (k + 1) / (n + 1) for place, n in pairs for k in range(n)], dtype=np.float64)
    low = at.astype(np.intp)
    high = low + 1
    share = (at - low)[:, None, None]

    def filled(values: Array) -> Array:
        return np.insert(values, high, values[low] * (1.0 - share) + values[high] * share, axis=0)

    later = stack.status[high]
    return Stack(
        distance_mm=filled(stack.distance_mm),
        sigma_mm=filled(stack.sigma_mm),
        reflectance_pct=filled(stack.reflectance_pct),
        status=np.insert(stack.status, high, np.where(VALID_STATUS[stack.status[low]], later, stack.status[low]), 0),
        travel_mm=np.insert(stack.travel_mm, high, stack.travel_mm[low] * (1 - share[:, 0, 0])
                            + stack.travel_mm[high] * share[:, 0, 0]),
        bridged=int(counts.sum()),
    )  # fmt: skip


def scan_pass(
    stack: Stack, calibration: TofCalibration, recipe: Recipe, *, travel_relative_u: float = TRAVEL_RELATIVE_U
) -> ScanAnalysis:
    """Analyse a pass; two pieces that touch, which look like one with a neck, are several products."""
    scan = analyse_scan(
        stack.distance_mm,
        sigma_mm=stack.sigma_mm,
        reflectance_pct=stack.reflectance_pct,
        status=stack.status,
        travel_mm=stack.travel_mm,
        calibration=calibration,
        recipe=recipe,
        travel_relative_u=travel_relative_u,
    )
    if scan.map is None:
        return scan
    along, across = neck_of(scan.map, 0), neck_of(scan.map, 1)
    several = min(along, across) < NECK_TWO or (along < NECK_LONG and _extent_mm(scan.map) > LONG_MM)
    flags = [flag for flag in scan.flags if flag != SEVERAL]  # a deep dent may cut a scrap off one piece, too
    if several:
        flags.append(SEVERAL)
    return replace(scan, usable=not UNUSABLE & set(flags), flags=tuple(flags))


def _extent_mm(heights: HeightMap) -> float:
    section = np.maximum(heights.height_mm, 0.0).sum(axis=1)
    there = heights.along_mm[section > 0.05 * float(section.max())]
    return float(np.ptp(there)) if there.size else 0.0


def neck_of(heights: HeightMap, axis: int) -> float:
    """How narrow a pass is at its narrowest between two thick parts: cross section there over the lesser of the two.

    axis: 0 along the belt, 1 across it. 1 for what has one thick part only; near 0 for two pieces that just touch.
    """
    section = np.maximum(heights.height_mm, 0.0).sum(axis=1 - axis)
    before = np.maximum.accumulate(section)
    after = np.maximum.accumulate(section[::-1])[::-1]
    thick = np.minimum(before, after)
    told = thick > THICK_PART * float(section.max())
    return float((section[told] / thick[told]).min()) if told.any() else 1.0
