"""An estimate of the colour as CIELAB under D65 for the 10 degree observer, from the reflectances of F1 to F8.

Eight bands are not a spectrum: ln R is drawn straight between the bands' middles and level beyond them, and integrated
with the tables of CIE 15 at 20 nm. For surfaces as smooth as tissue the rest is below 1 unit of b* (docs/science.md);
it is stated as MODEL_U. A colorimeter of another geometry (d/8, 45/0) shows other numbers on glossy surfaces: values
are comparable among samples of this device and, with care, with the literature.
"""

from functools import lru_cache
from typing import Final

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]

# Middle of filter times lamp of F1 to F8 under the ring light; see quality.unmixing.
BANDS_NM: Final = np.array([417.8, 446.2, 475.5, 521.6, 558.8, 591.2, 627.0, 670.5])
MODEL_U: Final = np.array([0.2, 0.8, 1.2])  # of L*, a*, b*: what lies between the bands; from spectra of known pigments
TABLE_NM: Final = np.arange(400.0, 701.0, 20.0)
# CIE 1964 colour matching functions and CIE D65, relative power.
_X10: Final = np.array([.0191, .2045, .3837, .3023, .0805, .0038, .1177, .3768, .7052, 1.0142, 1.1240, .8563, .4316,
                        .1526, .0409, .0096])  # fmt: skip
_Y10: Final = np.array([.0020, .0214, .0621, .1282, .2536, .4608, .7618, .9620, .9973, .8689, .6583, .3981, .1798,
                        .0603, .0159, .0037])  # fmt: skip
_Z10: Final = np.array([0.0860, 0.9725, 1.9673, 1.7454, 0.7721, 0.2185, 0.0607, 0.0137, 0, 0, 0, 0, 0, 0, 0, 0])
_D65: Final = np.array([82.75, 93.43, 104.86, 117.81, 115.92, 109.35, 104.79, 104.41, 100.0, 95.79, 90.01, 87.70, 83.70,
                        80.21, 78.28, 71.61])  # fmt: skip
TABLE_WEIGHTS: Final = np.stack([_X10, _Y10, _Z10]) * _D65
_CUT: Final = (6.0 / 29.0) ** 3


@lru_cache(maxsize=1)
def _between() -> Array:
    """Shares of the eight bands in ln R at each wavelength of the tables, (8, 16)."""
    return np.stack([np.interp(TABLE_NM, BANDS_NM, row) for row in np.eye(8)])


@lru_cache(maxsize=1)
def _normalised() -> Array:
    return (TABLE_WEIGHTS / TABLE_WEIGHTS.sum(axis=1, keepdims=True)).T


def lab_of(log_reflectance: Array) -> Array:
    """Return L*, a*, b* on the last axis from natural ln R of F1 to F8 on the last axis."""
    relative = np.exp(log_reflectance @ _between()) @ _normalised()  # X/Xn, Y/Yn, Z/Zn
    curved = np.where(relative > _CUT, np.cbrt(relative), relative * (841.0 / 108.0) + 4.0 / 29.0)
    x, y, z = curved[..., 0], curved[..., 1], curved[..., 2]
    return np.stack([116.0 * y - 16.0, 500.0 * (x - y), 200.0 * (y - z)], axis=-1)


@lru_cache(maxsize=16)
def lab_of_reference(reflectance: tuple[float, ...]) -> Array:
    """Return L*, a*, b* of a recipe's reference, F1 to F8, 0 to 1."""
    return lab_of(np.log(np.array(reflectance)))


def distance_of(lab: Array, reference: Array) -> Array:
    """Return the CIE 1976 colour difference Delta E*ab."""
    return np.sqrt(((lab - reference) ** 2).sum(axis=-1))
