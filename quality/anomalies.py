"""How even the surface of a scanned piece is, and what on it does not belong there.

A smooth surface (quadratic, with third and fourth power along the piece's long axis for the furrow between two lobes)
is fitted to the upper part of the height map, twice: the second time without what stood out the first time, so that a
deep dent does not bend the surface it is measured from. What remains is roughness and anomalies. The map shows what is
as large as a zone, about 20 mm; smaller things appear flatter and wider than they are.
"""

from dataclasses import dataclass
from math import sqrt
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from quality.heightmap import CELL_MM, HeightMap, Outline, components
from quality.recipe import TofRules

Array = NDArray[np.float64]
Kind = Literal["dent", "bump", "foreign_body", "bright_patch", "dark_patch"]

TOP_PART = 0.7  # of the greatest height: below, the rim is smeared over a zone's width
CELLS_FIT_MIN = 30
HEIGHT_MIN_MM, HEIGHT_FULL_MM = 2.5, 10.0  # of an anomaly, and from where its severity is 1
LOG_MIN, LOG_FULL = 0.12, 0.5  # natural logarithm of brightness over its surroundings, likewise
FOREIGN_LOG = 0.2  # a bump that is also of another brightness than the piece
SIGMAS = 4.0
CELLS_MIN = 4  # 10 mm x 10 mm
READINGS_PER_ZONE_AREA = 16.0  # independent roughness elements are of a zone's size: 4 x 4 cells
ANOMALIES_MAX = 16
MAD_TO_SIGMA = 1.4826
_TERMS = ((0, 0), (1, 0), (0, 1), (2, 0), (1, 1), (0, 2), (3, 0), (4, 0))
_BOWL = _TERMS[:6]


@dataclass(frozen=True, slots=True)
class Anomaly:
    """One spot. along_mm, across_mm: from the middle of the piece, belt directions. severity: 0 to 1.

    peak: mm above (+) or below (-) the smooth surface; for patches ln of brightness over that of its surroundings.
    """

    kind: Kind
    along_mm: float
    across_mm: float
    area_mm2: float
    peak: float
    severity: float


@dataclass(frozen=True, slots=True)
class MapSurface:
    """roughness_mm: rms departure from the smooth surface, noise taken off. judged: enough of the top was seen."""

    roughness_mm: float
    uniformity: float
    uniformity_u: float
    judged: bool
    anomalies: tuple[Anomaly, ...]


def judge_map(heights: HeightMap, outline: Outline, *, noise_mm: float, rules: TofRules) -> MapSurface:
    """Judge the upper part of a piece. noise_mm: standard deviation of a cell of the map."""
    surface = heights.height_mm
    top = outline.product & (surface > TOP_PART * outline.thickness_mm)
    count = int(top.sum())
    if count < CELLS_FIT_MIN:
        return MapSurface(0.0, 0.5, 0.29, judged=False, anomalies=())
    along, across = np.meshgrid(heights.along_mm - outline.centre_mm[0], heights.across_mm - outline.centre_mm[1],
                                indexing="ij")  # fmt: skip
    u, v = along[top], across[top]
    residual = _residual(u, v, surface[top], _TERMS)
    form_mm = rules.form_allowance * outline.thickness_mm
    total = float((residual * residual).mean())
    variance = max(0.0, total - noise_mm**2 - form_mm**2)
    uniformity = 1.0 / (1.0 + variance / rules.roughness_half_mm**2)
    elements = max(4.0, count / READINGS_PER_ZONE_AREA)
    variance_u = sqrt(2.0 / elements) * (noise_mm**2 + 2.0 * noise_mm * sqrt(variance)) + 0.1 * variance
    light = np.log(np.maximum(heights.reflectance_pct[top], 1.0))
    shade = _residual(u, v, light, _BOWL)
    found = _spots(top, residual, shade, u, v, floor_mm=max(HEIGHT_MIN_MM, SIGMAS * noise_mm, 2.0 * form_mm))
    return MapSurface(
        roughness_mm=sqrt(variance),
        uniformity=uniformity,
        uniformity_u=max(0.005, uniformity**2 / rules.roughness_half_mm**2 * variance_u),
        judged=True,
        anomalies=tuple(sorted(found, key=lambda spot: -spot.severity)[:ANOMALIES_MAX]),
    )


def _residual(u: Array, v: Array, values: Array, terms: tuple[tuple[int, int], ...]) -> Array:
    """What a smooth surface in the piece's own axes leaves, by least squares without outliers."""
    turn = 0.5 * float(np.arctan2(2.0 * float(u @ v), float(u @ u) - float(v @ v)))
    scale = max(1.0, float(np.sqrt((u @ u + v @ v) / len(u))))
    s = (u * np.cos(turn) + v * np.sin(turn)) / scale
    t = (v * np.cos(turn) - u * np.sin(turn)) / scale
    design = np.stack([s**i * t**j for i, j in terms])
    residual = values - _fit(design, values) @ design
    spread = MAD_TO_SIGMA * float(np.median(np.abs(residual)))
    kept = np.abs(residual) <= max(3.0 * spread, 1e-6)
    if kept.all() or int(kept.sum()) < 2 * len(terms):
        return residual
    return values - _fit(design[:, kept], values[kept]) @ design


def _fit(design: Array, values: Array) -> Array:
    gram = design @ design.T
    gram[np.diag_indices_from(gram)] += 1e-9 * len(values)
    return np.asarray(np.linalg.solve(gram, design @ values), dtype=np.float64)


def _spots(
    top: NDArray[np.bool_], residual: Array, shade: Array, u: Array, v: Array, *, floor_mm: float
) -> list[Anomaly]:
    maps = {"height": np.zeros(top.shape), "shade": np.zeros(top.shape), "u": np.zeros(top.shape),
            "v": np.zeros(top.shape)}  # fmt: skip
    for name, values in (("height", residual), ("shade", shade), ("u", u), ("v", v)):
        maps[name][top] = values
    spread = SIGMAS * MAD_TO_SIGMA * float(np.median(np.abs(shade)))
    limits: tuple[tuple[str, float, float], ...] = (
        ("height", floor_mm, HEIGHT_FULL_MM),
        ("shade", max(LOG_MIN, spread), LOG_FULL),
    )
    found: list[Anomaly] = []
    for name, floor, full in limits:
        for sign in (1.0, -1.0):
            mask = sign * maps[name] > floor
            if not mask.any():
                continue
            for part in components(mask):
                if int(part.sum()) < CELLS_MIN:
                    continue
                peak = sign * float((sign * maps[name][part]).max())
                kind = _kind(name, sign, float(np.abs(maps["shade"][part]).mean()))
                place = (float(maps["u"][part].mean()), float(maps["v"][part].mean()))
                area = float(part.sum()) * CELL_MM**2
                found.append(Anomaly(kind, *place, area, peak, min(1.0, abs(peak) / full)))
    return found


def _kind(name: str, sign: float, shade: float) -> Kind:
    if name == "shade":
        return "bright_patch" if sign > 0.0 else "dark_patch"
    if sign < 0.0:
        return "dent"
    return "foreign_body" if shade > FOREIGN_LOG else "bump"
