"""How brightly the lamp lights what the spectral sensor looks at, from the height picture.

The lamp sits beside the sensors and lights by the law of distance; what the spectral sensor sees is weighted over its
field of view. On a domed piece the rim of that field is farther away and tilted: with the middle alone a liver would
count as some 3 % too dark in all channels at once, which pigments then have to explain.
"""

import numpy as np
from numpy.typing import NDArray

from quality.calibration import TofCalibration

Array = NDArray[np.float64]

# Share of a spectral sensor behind a snoot of 8 degrees half angle (square, falling to 1/e at its edge) that falls on
# the four rows and columns of 5.6 degrees in the middle of the picture.
_ACROSS = np.array([0.097, 0.403, 0.403, 0.097])
_WEIGHTS = np.outer(_ACROSS, _ACROSS)
_SEEN, _AROUND = slice(2, 6), slice(1, 7)


def brightness_of(z: Array, calibration: TofCalibration) -> float:
    """Weighted mean of cos(incidence) / z^2 over what is lit, per mm2; that of a level surface at z is 1 / z^2.

    z: (8, 8), distance, mm. Slopes come from the zones on either side; along a ray x = z tan, so a step in x holds one
    in z too.
    """
    near = z[_SEEN, _SEEN]
    tan_x, tan_y = calibration.tangents[0][_SEEN, _SEEN], calibration.tangents[1][_SEEN, _SEEN]
    rate_x = _slope(z[_SEEN, _AROUND], calibration.tangents[0][_SEEN, _AROUND])
    rate_y = _slope(z[_AROUND, _SEEN].T, calibration.tangents[1][_AROUND, _SEEN].T).T
    ray = 1.0 + tan_x * tan_x + tan_y * tan_y
    flat = _WEIGHTS / np.sqrt(ray)
    cosine = (1.0 - rate_x * tan_x - rate_y * tan_y) / np.sqrt(ray * (1.0 + rate_x * rate_x + rate_y * rate_y))
    return float((_WEIGHTS * cosine.clip(0.05, 1.0) / (near * near)).sum() / flat.sum())


def _slope(z: Array, tangent: Array) -> Array:
    """Rise over run of the inner ones of neighbours along the last axis."""
    place = z * tangent
    return (z[:, 2:] - z[:, :-2]) / np.maximum(place[:, 2:] - place[:, :-2], 1.0)
