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
# Terms of the smooth surfaces among those of `smooth_terms`, the richest first, and how much less well the poorer ones
# follow a smooth lobe. Third and fourth power along the long axis stand for the furrow between two lobes.
_MODELS = (((0, 1, 2, 3, 4, 5, 6, 7), 1.0), ((0, 1, 2, 3, 4, 5), 2.0), ((0, 1, 2, 3, 5), 2.0))
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
    weight = ((height / height_max - TOP_NONE) / (TOP_FULL - TOP_NONE)).clip(0.0, 1.0)
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


def smooth_terms(u: Array, v: Array, weight: Array | None = None) -> Array:
    """The terms of a smooth surface at (u, v), mm, in the points' own axes, (8, n).

    With s along the major axis of the second moments and t across it, in units of their size: 1, s, t, s2, st, t2, s3,
    s4. The points' mean must be at the origin, or their weighted mean with weights.
    """
    uu, vv, uv = (
        (float(u @ u), float(v @ v), float(u @ v))
        if weight is None
        else (float(weight @ (u * u)), float(weight @ (v * v)), float(weight @ (u * v)))
    )
    turn = 0.5 * atan2(2.0 * uv, uu - vv)
    scale = max(1.0, sqrt((uu + vv) / (len(u) if weight is None else float(weight.sum()))))
    terms = np.empty((8, len(u)))
    terms[0] = 1.0
    s, t = terms[1], terms[2]
    np.add(u * (cos(turn) / scale), v * (sin(turn) / scale), out=s)
    np.subtract(v * (cos(turn) / scale), u * (sin(turn) / scale), out=t)
    np.multiply(terms[1:3], s, out=terms[3:5])
    np.multiply(t, t, out=terms[5])
    np.multiply(terms[3], terms[1:4:2], out=terms[6:8])
    return terms


def _residual(x: Array, y: Array, height: Array, weight: Array, terms: tuple[int, ...]) -> float:
    """Return the weighted sum of squared residuals of the weighted least-squares surface, mm2."""
    total = float(weight.sum())
    x, y = x - float(weight @ x) / total, y - float(weight @ y) / total
    design = smooth_terms(x, y, weight)
    if len(terms) < len(design):
        design = design[list(terms)]
    weighted = design * weight
    gram = weighted @ design.T
    gram.ravel()[:: len(design) + 1] += RIDGE * total
    residual = height - np.linalg.solve(gram, weighted @ height) @ design
    return float(weight @ (residual * residual))
