"""What a zone that sees product and belt at once really says: corrections of the reported mean distance.

A zone reports one distance, the mean over what it sees, weighted by the returning light. Where a rim crosses the zone
that mean is not the mean of the surface: near things and bright things weigh more. Both corrections follow from the
neighbours; their strength was set on domes and caps of known volume, whose rims lie between a slope and a step.

Arrays are (rows, columns) of one frame or (rows, columns, frames): numpy is quick along the last axis, and frames are
many.
"""

import numpy as np
from numpy.typing import NDArray

from quality.robust import middle

Array = NDArray[np.float64]

# How far a lobe's rim is from an even slope (0) to a clean step (1), in one frame and in a pass, where the inner
# columns look straight down on it; set where the mean over six makes of body needs no gauge factor.
RIM_STEP_FRAME, RIM_STEP_SCAN = 0.3, 0.1
RIM_CONTRAST = 0.5  # of the pull of a brighter surface over a clean step: a steep rim sends less light back than a top
CONTRAST_RANGE = (0.3, 4.0)
TOP_PART = 0.75  # of the greatest height: what is higher is the top of the piece, lit squarely
BELT_LOW_MM = 1.0


def inner_variance(z: Array, rim: NDArray[np.bool_]) -> tuple[Array, Array]:
    """Return variance of the distance inside each zone, mm2, of an even slope and of a clean step in `rim` zones.

    On an even slope g per zone it is g^2 / 12; a zone that a step splits has the product of the steps to either side.
    """
    slope, split = np.zeros_like(z), np.zeros_like(z)
    for before, after, inner in (_sides(z, 0), _sides(z, 1)):
        slope[inner] += (before + after) ** 2 / 48.0
        split[inner] += np.where(rim[inner], np.maximum(before * after, 0.0), 0.0)
    return slope, split


def _sides(z: Array, axis: int) -> tuple[Array, Array, tuple[slice, ...]]:
    """Steps before and after each inner zone along rows (0) or columns (1), and where those zones are."""
    if axis == 0:
        steps = z[1:] - z[:-1]
        return steps[:-1], steps[1:], (slice(1, -1),)
    steps = z[:, 1:] - z[:, :-1]
    return steps[:, :-1], steps[:, 1:], (slice(None), slice(1, -1))


def contrast_of(reflectance_pct: Array, height: Array, measured: NDArray[np.bool_]) -> float:
    """How much brighter the top of the piece is than the belt around it; 1 where either is not seen."""
    top = reflectance_pct[measured & (height > TOP_PART * float(height.max()))]
    belt = reflectance_pct[measured & (np.abs(height) < BELT_LOW_MM)]
    if top.size < 2 or belt.size < 2:
        return 1.0
    ratio = middle(top) / max(middle(belt), 1e-3)
    return min(max(ratio, CONTRAST_RANGE[0]), CONTRAST_RANGE[1]) if np.isfinite(ratio) else 1.0


def contrast_pull(split: Array, height: Array, contrast: float) -> Array:
    """How much too near a rim zone reports, mm, because the piece is brighter than the belt.

    Covered to a part f by something d higher and k times as bright, a zone's weighted mean lies below the plain one by
    f (1 - f) d (k - 1) / (1 + f (k - 1)); f (1 - f) d^2 is the variance `split` of a clean step.
    """
    rows, columns = height.shape[:2]
    padded = np.zeros((rows + 2, columns + 2, *height.shape[2:]))
    padded[1:-1, 1:-1] = height
    across = np.maximum(np.maximum(padded[:-2], padded[2:]), padded[1:-1])
    depth = np.maximum(np.maximum(across[:, :-2], across[:, 2:]), across[:, 1:-1])
    depth = np.maximum(depth, 1.0)
    cover = (height / depth).clip(0.0, 1.0)
    return RIM_CONTRAST * split * (contrast - 1.0) / (depth * (1.0 + cover * (contrast - 1.0)))
