"""What disturbs a spectrum besides the product: flickering light, a laser in the infrared, glare, too little light."""

from math import pi, sin, sqrt

import numpy as np
from numpy.typing import NDArray

from quality.calibration import CLEAR, NIR, SHOT_COUNTS, VISIBLE, SpectralCalibration

Array = NDArray[np.float64]

FLICKER_MIN = 1e-3  # below this, flicker does not show
NIR_STEP_RELATIVE = 0.10  # between the halves, beyond what Clear shows: both see the same lamp and the same surface
REFLECTANCE_MIN, REFLECTANCE_MAX = 1e-3, 1.1  # above: a glare, or a white reference that isn't one
SIGNAL_MIN = 3.0  # counts above dark, ten times the quantisation


def flicker_u_of(flicker_hz: int | None, integration_ms: float) -> float:
    """Relative standard uncertainty by flickering light: none over whole periods, else at most what a part adds.

    Light of full depth, 1 + cos(2 pi f t), averaged over a time t from a random phase scatters by |sin(pi f t)| /
    (pi f t) / sqrt(2). The lamp of the sensor itself does not flicker, so this is an upper bound.
    """
    if flicker_hz is None:
        return 0.0
    turns = pi * flicker_hz * integration_ms * 1e-3
    scatter = abs(sin(turns)) / turns / sqrt(2.0)
    return scatter if scatter > FLICKER_MIN else 0.0


def nir_is_polluted(
    nir_halves: tuple[int, int] | None,
    clear_halves: tuple[int, int],
    calibration: SpectralCalibration,
    nir_reflectance: float,
) -> bool:
    """Whether infrared came from elsewhere than the lamp: brighter than white, or not in step with Clear."""
    if nir_reflectance > REFLECTANCE_MAX:
        return True
    if nir_halves is None:
        return False
    nir = [half - calibration.dark_counts[NIR] for half in nir_halves]
    clear = [half - calibration.dark_counts[CLEAR] for half in clear_halves]
    expected = nir[0] * clear[1] / max(clear[0], 1.0)
    noise = sqrt(SHOT_COUNTS * 2.0 * max(nir_halves) + 2.0)
    return abs(nir[1] - expected) > NIR_STEP_RELATIVE * max(abs(expected), 1.0) + 4.0 * noise


def implausible(signal: Array, ratio: Array) -> list[str]:
    """Return flags for channels that a reflectance cannot be made of."""
    flags: list[str] = []
    if (signal[VISIBLE] < SIGNAL_MIN).any():
        flags.append("channel_dark")
    if float(ratio[VISIBLE].max()) > REFLECTANCE_MAX:
        flags.append("brighter_than_white")
    return flags
