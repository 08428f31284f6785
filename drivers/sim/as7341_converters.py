"""What the six converters of a simulated AS7341 make of a mean number of counts: noise, full scale, overload."""

from typing import Final, NamedTuple

import numpy as np
from numpy.typing import NDArray

COUNTS_MAX: Final = 65_535
SHOT_FACTOR: Final = 0.05  # variance per count; an assumption, the data sheet gives none
ADC_NOISE: Final = 0.000_05  # of full scale
QUANTISATION: Final = 0.3


class Conversion(NamedTuple):
    """data: counts, little-endian words. clipped: one reached full scale. overloaded: the analogue part was."""

    data: NDArray[np.uint16]
    clipped: bool
    overloaded: bool


def convert(counts: NDArray[np.float64], steps: int, rng: np.random.Generator) -> Conversion:
    """Counts of an integration of `steps` steps; a converter counts at most once a step, whatever falls on it."""
    full_scale = min(COUNTS_MAX, steps)
    sigma = np.sqrt(SHOT_FACTOR * counts + (ADC_NOISE * full_scale) ** 2 + QUANTISATION**2)
    noisy = np.rint(counts + sigma * rng.standard_normal(counts.size))
    data = np.clip(noisy, 0, full_scale).astype("<u2")
    return Conversion(data, bool((noisy >= full_scale).any()), bool((counts > steps).any()))
