"""Middles and spreads of small arrays. numpy's own median spends longer on checks than on some hundred values."""

import numpy as np
from numpy.typing import NDArray

MAD_TO_SIGMA = 1.4826  # median absolute deviation to standard deviation of a normal distribution


def middle(values: NDArray[np.float64]) -> float:
    """Return the median of at least one value without NaN; of an even number the upper of the two in the middle."""
    half = values.size // 2
    return float(np.partition(values, half, axis=None)[half])


def spread(residual: NDArray[np.float64]) -> float:
    """Return the standard deviation that a normal distribution with this median absolute value has."""
    return MAD_TO_SIGMA * middle(np.abs(residual))
