"""What a liver is made of, and the colour that follows: pigments to diffuse reflectance.

Absorption is the sum of haem, yellow pigments, fat and water; scattering falls with wavelength; reflectance follows
R = exp(-A / sqrt(3 (1 + mu_s' / mu_a))) with A near 7 (Jacques 2013, Phys. Med. Biol. 58 R37). The pigment table holds
averages over the channels of an AS7341 and is interpolated between their centres, so the finest structure of the
haemoglobin spectra is smoothed away.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from drivers.sim.light import WAVELENGTHS_NM, Spectrum

CENTRES_NM = (415.0, 445.0, 480.0, 515.0, 555.0, 590.0, 630.0, 680.0, 910.0)

# Decadic, per haemoglobin tetramer, 1/(cm M): S. Prahl's compilation (OMLC), averaged over the channels.
OXYHAEMOGLOBIN = (387548.0, 119370.0, 30370.0, 28033.0, 41290.0, 21765.0, 1983.0, 312.0, 1173.0)
HAEMOGLOBIN = (359365.0, 266758.0, 23842.0, 29914.0, 47103.0, 27405.0, 7240.0, 2532.0, 697.0)
# Per haem, 1/(cm mM): Zijlstra & Buursma from 480 nm on. The first two are our estimate of the flank of the Soret band,
# whose peak lies near 405 nm; they are good to a third.
METHAEMOGLOBIN_PER_HAEM_MM = (110.0, 21.0, 8.41, 7.94, 5.02, 3.64, 3.02, 0.66, 0.66)
# 1/(cm M): PhotochemCAD, bilirubin in chloroform and beta-carotene in hexane. 1e-3 stands for "nothing measurable".
BILIRUBIN = (35013.0, 51229.0, 29630.0, 3242.0, 60.0, 24.0, 22.0, 21.0, 1e-3)
CAROTENE = (84090.0, 121950.0, 91828.0, 18288.0, 919.0, 700.0, 1e-3, 1e-3, 1e-3)
# Absorption, natural, 1/cm of the pure substance (OMLC).
FAT_PER_CM = (0.0905, 0.0681, 0.0348, 0.0150, 0.0077, 0.0052, 0.0045, 0.0040, 0.0514)
WATER_PER_CM = (0.00047, 0.00031, 0.00026, 0.00030, 0.00059, 0.00166, 0.00287, 0.00544, 0.152)

BLOOD_HAEMOGLOBIN_M = 150.0 / 64_500.0  # whole blood: 150 g/L, 64,500 g/mol
BILIRUBIN_M_PER_MG_DL = 1e-2 / 584.66
REFLECTANCE_PATH = 7.0  # the A of the law above


@dataclass(frozen=True, slots=True)
class Pigments:
    """Composition of one piece.

    blood: volume fraction of whole blood, 0 to 1. oxidised: fraction of its haem that is methaemoglobin, 0 to 1.
    oxygenated: fraction of the rest that carries oxygen. bilirubin_mg_dl, carotene_um: yellow pigments. fat, water:
    volume fractions. scatter_per_cm: reduced scattering at 500 nm; scatter_power: its fall with wavelength.
    """

    blood: float
    oxidised: float
    oxygenated: float
    bilirubin_mg_dl: float
    carotene_um: float
    fat: float
    water: float
    scatter_per_cm: float
    scatter_power: float


def _on_grid(values: tuple[float, ...]) -> Spectrum:
    logs: NDArray[np.float64] = np.interp(WAVELENGTHS_NM, CENTRES_NM, np.log(values))
    return np.exp(logs)


_OXY = _on_grid(OXYHAEMOGLOBIN)
_DEOXY = _on_grid(HAEMOGLOBIN)
_MET = 4.0 * 1000.0 * _on_grid(METHAEMOGLOBIN_PER_HAEM_MM)  # four haems a tetramer, mM to M
_BILIRUBIN = _on_grid(BILIRUBIN)
_CAROTENE = _on_grid(CAROTENE)
_FAT = _on_grid(FAT_PER_CM)
_WATER = _on_grid(WATER_PER_CM)


def absorption(pigments: Pigments) -> Spectrum:
    """Absorption coefficient mu_a in 1/cm, natural."""
    living = 1.0 - pigments.oxidised
    haem = living * (pigments.oxygenated * _OXY + (1.0 - pigments.oxygenated) * _DEOXY) + pigments.oxidised * _MET
    decadic = (
        pigments.blood * BLOOD_HAEMOGLOBIN_M * haem
        + pigments.bilirubin_mg_dl * BILIRUBIN_M_PER_MG_DL * _BILIRUBIN
        + pigments.carotene_um * 1e-6 * _CAROTENE
    )
    return np.log(10.0) * decadic + pigments.fat * _FAT + pigments.water * _WATER


def reflectance(pigments: Pigments) -> Spectrum:
    """Diffuse reflectance, 0 to 1, over WAVELENGTHS_NM."""
    scattering = pigments.scatter_per_cm * (WAVELENGTHS_NM / 500.0) ** -pigments.scatter_power
    return np.exp(-REFLECTANCE_PATH / np.sqrt(3.0 * (1.0 + scattering / absorption(pigments))))
