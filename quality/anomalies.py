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
from quality.robust import MAD_TO_SIGMA, middle, spread
from quality.surface import smooth_terms

Array = NDArray[np.float64]
Kind = Literal["dent", "bump", "foreign_body", "bright_patch", "dark_patch"]

SAMPLING_RELATIVE_U = 0.28  # of the residual's variance: rows are 22 mm apart, and waves of 30 mm fall between them
FORM_RELATIVE_U = 0.1  # of the variance that a smooth form is allowed
TOP_PART = 0.7  # of the greatest height: below, the rim is smeared over a zone's width
CELLS_FIT_MIN = 30
HEIGHT_MIN_MM, HEIGHT_FULL_MM = 2.5, 10.0  # of an anomaly, and from where its severity is 1
LOG_MIN, LOG_FULL = 0.12, 0.5  # natural logarithm of brightness over its surroundings, likewise
FOREIGN_LOG = 0.2  # a bump that is also of another brightness than the piece
SIGMAS = 4.0
CELLS_MIN = 4  # 10 mm x 10 mm
READINGS_PER_ZONE_AREA = 16.0  # independent roughness elements are of a zone's size: 4 x 4 cells
ANOMALIES_MAX = 16
BOWL_TERMS = 6  # of the eight, without the furrow: brightness has none


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
    lines, columns = np.nonzero(top)
    count = len(lines)
    if count < CELLS_FIT_MIN:
        return MapSurface(0.0, 0.5, 0.29, judged=False, anomalies=())
    u, v = heights.along_mm[lines] - outline.centre_mm[0], heights.across_mm[columns] - outline.centre_mm[1]
    design = smooth_terms(u, v)
    residual = _residual(design, surface[lines, columns])
    form_mm = rules.form_allowance * outline.thickness_mm
    total = float(residual @ residual) / count
    variance = max(0.0, total - noise_mm**2 - form_mm**2)
    uniformity = 1.0 / (1.0 + variance / rules.roughness_half_mm**2)
    elements = max(4.0, count / READINGS_PER_ZONE_AREA)
    noise_u = sqrt(2.0 / elements) * (noise_mm**2 + 2.0 * noise_mm * sqrt(variance))
    variance_u = sqrt(noise_u**2 + (SAMPLING_RELATIVE_U * variance) ** 2 + (FORM_RELATIVE_U * form_mm**2) ** 2)
    shade = _residual(design[:BOWL_TERMS], np.log(np.maximum(heights.reflectance_pct[lines, columns], 1.0)))
    floor_mm = max(HEIGHT_MIN_MM, SIGMAS * noise_mm, 2.0 * form_mm)
    found = _spots(_Cells(top, residual, shade, u, v), floor_mm=floor_mm)
    return MapSurface(
        roughness_mm=sqrt(variance),
        uniformity=uniformity,
        uniformity_u=max(0.01, uniformity**2 / rules.roughness_half_mm**2 * variance_u),
        judged=True,
        anomalies=tuple(sorted(found, key=lambda spot: -spot.severity)[:ANOMALIES_MAX]),
    )


def _residual(design: Array, values: Array) -> Array:
    """What a smooth surface leaves, by least squares without outliers."""
    residual = values - _fit(design, values) @ design
    distance = np.abs(residual)
    kept = distance <= max(3.0 * MAD_TO_SIGMA * middle(distance), 1e-6)
    if kept.all() or int(np.count_nonzero(kept)) < 2 * len(design):
        return residual
    return values - _fit(design * kept, values) @ design


def _fit(design: Array, values: Array) -> Array:
    """Coefficients of the least squares; columns of `design` that are zero do not count."""
    gram = design @ design.T
    gram.ravel()[:: len(design) + 1] += 1e-9 * len(values)
    return np.asarray(np.linalg.solve(gram, design @ values), dtype=np.float64)


@dataclass(frozen=True, slots=True)
class _Cells:
    """The cells of the top: where they lie on the grid, what the smooth surfaces leave there, and their places."""

    top: NDArray[np.bool_]
    residual: Array
    shade: Array
    u: Array
    v: Array

    def on_grid(self, cells: NDArray[np.bool_]) -> NDArray[np.bool_]:
        grid = np.zeros_like(self.top)
        grid[self.top] = cells
        return grid


def _spots(cells: _Cells, *, floor_mm: float) -> list[Anomaly]:
    limits: tuple[tuple[str, Array, float, float], ...] = (
        ("height", cells.residual, floor_mm, HEIGHT_FULL_MM),
        ("shade", cells.shade, max(LOG_MIN, SIGMAS * spread(cells.shade)), LOG_FULL),
    )
    found: list[Anomaly] = []
    for name, values, floor, full in limits:
        for sign in (1.0, -1.0):
            beyond = sign * values > floor
            if int(np.count_nonzero(beyond)) < CELLS_MIN:
                continue
            for part in components(cells.on_grid(beyond)):
                inside = part[cells.top]
                if int(np.count_nonzero(inside)) >= CELLS_MIN:
                    found.append(_anomaly(cells, inside, name=name, sign=sign, peak=values[inside], full=full))
    return found


def _anomaly(cells: _Cells, inside: NDArray[np.bool_], *, name: str, sign: float, peak: Array, full: float) -> Anomaly:
    highest = sign * float((sign * peak).max())
    kind = _kind(name, sign, float(np.abs(cells.shade[inside]).mean()))
    place = (float(cells.u[inside].mean()), float(cells.v[inside].mean()))
    return Anomaly(kind, *place, len(peak) * CELL_MM**2, highest, min(1.0, abs(highest) / full))


def _kind(name: str, sign: float, shade: float) -> Kind:
    if name == "shade":
        return "bright_patch" if sign > 0.0 else "dark_patch"
    if sign < 0.0:
        return "dent"
    return "foreign_body" if shade > FOREIGN_LOG else "bump"
