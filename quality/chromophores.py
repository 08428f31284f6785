"""Light in tissue: what each pigment absorbs in each channel, and the law from absorption to reflectance and back.

The law is the simple diffusion form R = exp(-A / sqrt(3 (1 + mus' / mua))) with A = 7 (Jacques 2013, Phys. Med. Biol.
58 R37). It depends on absorption and scattering only through their ratio: reflectance alone tells how much pigment
there is *per scattering*, never how much pigment there is. All concentrations here are therefore relative to an
assumed scattering.
"""

from typing import Final

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]

WAVELENGTH_NM: Final = np.array([415.0, 445.0, 480.0, 515.0, 555.0, 590.0, 630.0, 680.0, 910.0])  # F1 to F8, NIR
PATH_FACTOR: Final = 7.0  # A of the law above
DECADIC_TO_NATURAL: Final = float(np.log(10.0))
RATIO_MAX: Final = 50.0  # absorption over scattering beyond which the inverse means nothing

# Decadic absorption per haem, 1/(mM cm), averaged over Gaussian channel responses. Oxy- and deoxyhaemoglobin: S. Prahl,
# OMLC, tabulated per tetramer of four haems. Methaemoglobin: Zijlstra & Buursma, from 480 nm on.
OXYHAEM: Final = np.array([387548, 119370, 30370, 28033, 41290, 21765, 1983, 312, 1173]) / 4000.0
DEOXYHAEM: Final = np.array([359365, 266758, 23842, 29914, 47103, 27405, 7240, 2532, 697]) / 4000.0
METHAEM: Final = np.array([np.nan, np.nan, 8.41, 7.94, 5.02, 3.64, 3.02, 0.66, 0.66])
# Beta-carotene in hexane, 1/(mM cm), PhotochemCAD; in fat the bands lie some nm further to the red.
CAROTENE: Final = np.array([84.090, 121.950, 91.828, 18.288, 0.919, 0.7, 0.0, 0.0, 0.0])
# Natural absorption of pure lipid and water, 1/cm (OMLC).
LIPID_PER_CM: Final = np.array([0.0905, 0.0681, 0.0348, 0.0150, 0.0077, 0.0052, 0.0045, 0.0040, 0.0514])
WATER_PER_CM: Final = np.array([0.00047, 0.00031, 0.00026, 0.00030, 0.00059, 0.00166, 0.00287, 0.00544, 0.152])


def reflectance_of(absorption_per_cm: Array, scattering_per_cm: Array) -> Array:
    """Return the diffuse reflectance, 0 to 1, of absorption mua > 0 and reduced scattering mus', both natural 1/cm."""
    return np.exp(-PATH_FACTOR / np.sqrt(3.0 * (1.0 + scattering_per_cm / absorption_per_cm)))


def absorption_over_scattering(log_reflectance: Array) -> Array:
    """Return mua / mus' from ln R: the law above, solved; 0 for R >= 1, at most RATIO_MAX for the darkest."""
    y2 = 3.0 * (np.minimum(log_reflectance, 0.0) / PATH_FACTOR) ** 2
    return np.minimum(y2 / np.maximum(1.0 - y2, y2 / RATIO_MAX + 1e-12), RATIO_MAX)


def scattering_per_cm(at_500nm_per_cm: float, power: float) -> Array:
    """Return reduced scattering at WAVELENGTH_NM: it falls with a power of the wavelength."""
    return at_500nm_per_cm * (WAVELENGTH_NM / 500.0) ** -power
