"""How smooth a product is: what remains of its surface after the smoothest surface through it is taken away.

Only inner zones are judged: a zone at the rim sees product and belt at once, and its distance belongs to neither.
"""

from dataclasses import dataclass
from math import sqrt

import numpy as np
from numpy.typing import NDArray

from quality import zones
from quality.recipe import TofRules

Array = NDArray[np.float64]

QUADRATIC_ZONES_MIN = 9  # six coefficients and three degrees of freedom left
BOWL_ZONES_MIN = 6  # four coefficients: plane and one curvature
UNJUDGED_UNIFORMITY, UNJUDGED_U = 0.5, 0.29  # nothing known: the middle of 0..1 and its rectangular uncertainty


@dataclass(frozen=True, slots=True)
class Surface:
    """roughness_mm: rms deviation beyond noise and form. uniformity: 0 to 1. judged: enough inner zones were seen."""

    roughness_mm: float
    uniformity: float
    uniformity_u: float
    judged: bool


def judge_surface(
    x: Array,
    y: Array,
    z: Array,
    *,
    noise: Array,
    piece: int,
    measured: NDArray[np.bool_],
    height_max_mm: float,
    rules: TofRules,
) -> Surface:
    """Fit a quadratic surface to the inner zones of a product and turn the residual into an index.

    x, y, z, noise: (8, 8), mm. uniformity = 1 / (1 + (roughness / roughness_half_mm)^2), where the noise of the
    distances and the allowed departure of a smooth lobe from a quadratic are taken off the residual's variance first.
    """
    inner = zones.zone_mask(zones.interior(piece)) & measured
    count = int(inner.sum())
    if count < BOWL_ZONES_MIN:
        return Surface(0.0, UNJUDGED_UNIFORMITY, UNJUDGED_U, judged=False)
    px, py, pz = x[inner], y[inner], z[inner]
    px, py = (px - px.mean()) / 50.0, (py - py.mean()) / 50.0  # near 1, for the condition of the fit
    one = np.ones_like(px)
    if count >= QUADRATIC_ZONES_MIN:
        design = np.stack([one, px, py, px * px, px * py, py * py])
    else:
        design = np.stack([one, px, py, px * px + py * py])
    freedom = count - len(design)
    coefficients = np.linalg.solve(design @ design.T + 1e-9 * np.eye(len(design)), design @ pz)
    residual = pz - coefficients @ design
    total = float(residual @ residual) / freedom
    allowed = float((noise[inner] ** 2).mean()) + (rules.form_allowance * height_max_mm) ** 2
    variance = max(0.0, total - allowed)
    uniformity = 1.0 / (1.0 + variance / rules.roughness_half_mm**2)
    variance_u = sqrt(2.0 / freedom) * max(total, allowed)
    return Surface(sqrt(variance), uniformity, uniformity**2 / rules.roughness_half_mm**2 * variance_u, judged=True)
