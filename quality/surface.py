"""How smooth a product is: what remains of its surface after the smoothest surface through it is taken away.

Eight by eight zones see a lobe of 160 mm with some twenty zones: dents and bumps of a zone's size and more are seen,
the grain of the skin is not. Zones at the rim see product and belt at once; they fade out with
their height, so that noise never makes a zone count in one frame and not in the next.
"""

from dataclasses import dataclass
from math import atan2, cos, sin, sqrt

import numpy as np
from numpy.typing import NDArray

from quality import zones
from quality.recipe import TofRules

Array = NDArray[np.float64]

TOP_NONE, TOP_FULL = 0.5, 0.7  # part of the greatest height from which a zone begins to count, and counts in full
FREEDOM_MIN = 3  # degrees of freedom that a fit must leave
# Terms (power along the long axis, power across) of the smooth surfaces, the richest first, and how much less well the
# poorer ones follow a smooth lobe. Third and fourth power along the long axis stand for the furrow between two lobes.
_BOWL = ((0, 0), (1, 0), (0, 1))
_QUADRATIC = (*_BOWL, (2, 0), (1, 1), (0, 2))
_MODELS = (((*_QUADRATIC, (3, 0), (4, 0)), 1.0), (_QUADRATIC, 2.0), ((*_BOWL, (2, 0), (0, 2)), 2.0))
FORM_RELATIVE_U = 0.5  # standard uncertainty of the allowed form residual's variance
RIDGE = 1e-9  # keeps the normal equations solvable when zones lie on a line
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
    height: Array,
    *,
    noise: Array,
    piece: int,
    measured: NDArray[np.bool_],
    rules: TofRules,
) -> Surface:
    """Fit a smooth surface to the inner zones of a product and turn the residual into an index.

    x, y, height, noise: (8, 8), mm. uniformity = 1 / (1 + (roughness / roughness_half_mm)^2), where the noise of the
    distances and the allowed departure of a smooth lobe from the fit are taken off the residual's variance first.
    """
    product = zones.zone_mask(piece)
    height_max = float(height[product].max())
    weight = np.clip((height / height_max - TOP_NONE) / (TOP_FULL - TOP_NONE), 0.0, 1.0)
    weight[zones.zone_mask(zones.core(piece))] = 1.0
    inner = (weight > 0.0) & product & measured
    weight = weight[inner]
    count = float(weight.sum())
    model = next((model for model in _MODELS if count >= len(model[0]) + FREEDOM_MIN), None)
    if model is None:
        return Surface(0.0, UNJUDGED_UNIFORMITY, UNJUDGED_U, judged=False)
    terms, form_factor = model
    freedom = count - len(terms)
    total = _residual(x[inner], y[inner], height[inner], weight, terms) / freedom
    noise2 = float((noise[inner] ** 2).mean())
    form2 = (form_factor * rules.form_allowance * height_max) ** 2
    variance = max(0.0, total - noise2 - form2)
    half2 = rules.roughness_half_mm**2
    uniformity = 1.0 / (1.0 + variance / half2)
    noise_u2 = (2.0 * noise2 * noise2 + 4.0 * noise2 * variance) / freedom
    variance_u = sqrt(noise_u2 + (FORM_RELATIVE_U * form2) ** 2)
    return Surface(sqrt(variance), uniformity, uniformity**2 / half2 * variance_u, judged=True)


def _residual(x: Array, y: Array, height: Array, weight: Array, terms: tuple[tuple[int, int], ...]) -> float:
    """Return the weighted sum of squared residuals of the weighted least-squares surface, mm2."""
    total = float(weight.sum())
    x, y = x - float(weight @ x) / total, y - float(weight @ y) / total
    xx, yy, xy = float(weight @ (x * x)), float(weight @ (y * y)), float(weight @ (x * y))
    turn = 0.5 * atan2(2.0 * xy, xx - yy)  # of the long axis: major axis of the second moments
    scale = sqrt((xx + yy) / total) or 1.0
    along = (x * cos(turn) + y * sin(turn)) / scale
    across = (y * cos(turn) - x * sin(turn)) / scale
    design = np.stack([along**power * across**other for power, other in terms])
    weighted = design * weight
    gram = weighted @ design.T
    gram[np.diag_indices_from(gram)] += RIDGE * total
    residual = height - np.linalg.solve(gram, weighted @ height) @ design
    return float(weight @ (residual * residual))
