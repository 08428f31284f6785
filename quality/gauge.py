"""The volume factor of a device, from bodies whose volume is known.

Rims and hidden sides make every shape come out a little too large or too small, each by its own amount. One gauge body
therefore says no more about the product than two bodies differ from each other; a set of three of different make says
more, and its factors show by themselves how far shapes differ.
"""

from collections.abc import Sequence
from math import hypot, sqrt

import numpy as np
from numpy.typing import NDArray

from quality.errors import require

READINGS_MIN = 5
SCATTER_MAX = 0.03
BIRGE_MAX = 1.73  # scatter over stated uncertainty that three bodies exceed once in twenty (chi square of 2, 5.99 / 2)
BODY_RELATIVE_U = 0.012  # by how much bodies differ in a pass, standard deviation over six makes
BODY_FRAME_RELATIVE_U = 0.0225  # the same for single frames


def gauge_factor(
    volumes_mm3: NDArray[np.float64], *, true_mm3: float, true_mm3_u: float, body_relative_u: float = BODY_RELATIVE_U
) -> tuple[float, float]:
    """Return volume factor and its standard uncertainty from repeated scans of one body of known volume.

    volumes_mm3: (n >= 5,), computed with a factor of 1. body_relative_u: by how much this body may differ from the
    mean of all shapes; BODY_FRAME_RELATIVE_U for volumes of single frames. Raises QualityError when they scatter by
    more than 3 % (the body is not the same, or was not whole in view) or are further from the truth than a fifth.
    """
    require(volumes_mm3.ndim == 1 and len(volumes_mm3) >= READINGS_MIN, "volumes_mm3", "must hold at least 5 scans")
    require(bool(np.isfinite(volumes_mm3).all() and (volumes_mm3 > 0.0).all()), "volumes_mm3", "must be positive")
    require(true_mm3 > 0.0 and 0.0 <= true_mm3_u < 0.05 * true_mm3, "true_mm3", "must be known to 5 % or better")
    mean, spread = float(volumes_mm3.mean()), float(volumes_mm3.std(ddof=1))
    scatter = f"scatter by {spread / mean:.1%}: repeat with the body at rest on it"
    require(spread <= SCATTER_MAX * mean, "volumes_mm3", scatter)
    factor = true_mm3 / mean
    require(0.8 <= factor <= 1.25, "volumes_mm3", f"are off by a factor {factor:.2f}: wrong body or wrong belt plane")
    readings_u = hypot(true_mm3_u / true_mm3, spread / mean / sqrt(len(volumes_mm3)))
    return factor, factor * hypot(readings_u, body_relative_u)


def joint_factor(factors: Sequence[tuple[float, float]]) -> tuple[float, float]:
    """Return factor and standard uncertainty of a set of gauge bodies, each with its own factor and uncertainty.

    The mean; its uncertainty is that of independent bodies, or what their scatter says where that is more than chance
    explains. Raises QualityError for no body, or for two that contradict each other by more than 4 of their standard
    uncertainties.
    """
    require(len(factors) > 0, "factors", "must hold at least one gauge body")
    values, u = np.array([each[0] for each in factors]), np.array([each[1] for each in factors])
    mean, stated = float(values.mean()), float(np.sqrt((u * u).sum())) / len(factors)
    require(
        bool((np.abs(values - mean) <= 4.0 * np.hypot(u, stated)).all()),
        "factors",
        "of the gauge bodies contradict each other: a wrong volume, or a body not wholly in view",
    )
    if len(factors) == 1:
        return mean, stated
    scatter = float(values.std(ddof=1)) / sqrt(len(factors))
    return mean, scatter if scatter > BIRGE_MAX * stated else stated
