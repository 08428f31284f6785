"""How much of each pigment: constrained non-linear least squares on ln R of channels F2 to F8, with its covariance.

The model is the reflectance law over the width of each filter, not at its centre alone: pigment spectra bend within a
band of 40 nm, and the mean of a curved law is not the law of the mean. Unknown are the haem that carries oxygen or
could, methaem, and yellow pigment, none of them negative. What nobody knows of a piece but everybody knows roughly is
unknown too, with a prior: how much of the haem is oxygenated, how scattering falls with wavelength, how bright the
light was (the same in all channels). That is what makes the uncertainties honest: a pigment that could as well be a
little less light gets the uncertainty that this leaves.

F1 is left out: nobody tabulated methaemoglobin there, and haem makes it nearly black. In F2 methaemoglobin is an
estimate of ours, good to a half, and that doubt is carried. Concentrations are relative to the assumed scattering.
"""

from dataclasses import dataclass
from functools import lru_cache
from math import sqrt
from typing import Final

import numpy as np
from numpy.typing import NDArray

from quality.chromophores import (
    CAROTENE,
    DECADIC_TO_NATURAL,
    DEOXYHAEM,
    LIPID_PER_CM,
    METHAEM,
    OXYHAEM,
    PATH_FACTOR,
    WATER_PER_CM,
    WAVELENGTH_NM,
    absorption_over_scattering,
)

Array = NDArray[np.float64]

FITTED: Final = slice(1, 8)  # F2 to F8 of the nine channels F1 to F8, NIR
HAEM, MET, YELLOW, OXYGEN, POWER, LEVEL = range(6)  # the unknowns
# What F2 to F8 see under the ring light (warm white with violet and blue): middle and width (FWHM) of filter times
# lamp, which lies up to 10 nm beside the filter's own middle where the lamp's spectrum is steep. Another lamp needs
# other numbers here; a white tile cannot tell them.
LIT_NM: Final = np.array([446.2, 475.5, 521.6, 558.8, 591.2, 627.0, 670.5])
WIDTH_NM: Final = np.array([22.6, 45.7, 38.2, 37.5, 38.4, 46.9, 48.7])
# Centres of one reel differ by +-5 nm, rectangular: 2.9 nm. What is seen moves by the square of the ratio of its width
# to the filter's own (DS000504): more where the lamp has a valley, less where it has a peak.
FILTER_U_NM: Final = 2.9 * (WIDTH_NM / np.array([30.0, 36.0, 39.0, 39.0, 40.0, 50.0, 52.0])) ** 2
METHAEM_F2_RELATIVE_U = 0.5
METHAEM_F1_F2_MM: Final = (110.0, 21.0)  # 1/(mM cm) per haem: our estimate of the flank of the Soret band
OXYGENATED, OXYGENATED_U = 0.70, 0.17  # of the haem that is not oxidised, at a surface that lies in air
POWER_U = 0.13  # of the exponent of scattering
LIPID_SHARE, WATER_SHARE = 0.50, 0.33  # typical of foie gras; their absorption here is below 1 % of haem's
BACKGROUND_RELATIVE_U = 0.4  # scattering is not known, so neither is fat and water relative to it
ITERATIONS_MAX = 6
SETTLED = 0.01  # squared length of a step in standard uncertainties, after which the next one is not worth its time
START_SHARES: Final = np.array([0.75, 0.25, 0.12])  # of haem, methaem and yellow, over all haem as F5 alone says
F5_PER_MM = 22.0  # natural absorption of haem in F5, 1/(cm mM)
_SOLVABLE: Final = np.array([1e-9, 1e-9, 1e-9, 0.0, 0.0, 0.0])  # keeps the normal equations regular without light
_NODES: Final = np.array([-1.6, -0.8, 0.0, 0.8, 1.6])  # of a filter, in its standard deviations


@dataclass(frozen=True, slots=True)
class Fit:
    """unknowns: (6,), mM and pure numbers, in the order of HAEM to LEVEL (natural logarithm). covariance: (6, 6).

    gain: (6, 7), by how much each unknown moves with ln R of each channel. filter_u: (7,), standard uncertainty of ln R
    because nobody knows where within the reel's limits the filters' centres lie: more where it is steep. residual: rms
    of what the model leaves of ln R, in its own standard uncertainties.
    """

    unknowns: Array
    covariance: Array
    gain: Array
    filter_u: Array
    residual: float


@dataclass(frozen=True, slots=True)
class _Bands:
    """Flattened over channel and node, 7 x 5 = 35: what a matrix product can take at once.

    parts: (5, 35), deoxyhaem, oxy- minus deoxyhaem, methaem and yellow in natural 1/(cm mM), then the background in
    1/cm. log_wavelength: (35,), ln(wavelength / 500 nm). share: (35,), of the light in its channel; adds: (35, 7), sums
    over a channel's nodes. shift: (35,), change of ln(share) with the filter's centre, per nm.
    """

    parts: Array
    log_wavelength: Array
    share: Array
    adds: Array
    shift: Array


@lru_cache(maxsize=1)
def _bands() -> _Bands:
    sigma = WIDTH_NM[:, None] / 2.3548
    wavelength = LIT_NM[:, None] + sigma * _NODES
    share = np.exp(-0.5 * _NODES**2)
    share = np.broadcast_to(share / share.sum(), wavelength.shape)

    def on_nodes(table: Array) -> Array:
        return np.exp(np.interp(wavelength, WAVELENGTH_NM, np.log(np.maximum(table, 1e-6)))).ravel()

    met = METHAEM.copy()
    met[:2] = METHAEM_F1_F2_MM
    oxy, deoxy = on_nodes(OXYHAEM), on_nodes(DEOXYHAEM)
    background = on_nodes(LIPID_SHARE * LIPID_PER_CM + WATER_SHARE * WATER_PER_CM)
    pigments = DECADIC_TO_NATURAL * np.stack([deoxy, oxy - deoxy, on_nodes(met), on_nodes(CAROTENE)])
    return _Bands(
        parts=np.vstack([pigments, background]),
        log_wavelength=np.log(wavelength / 500.0).ravel(),
        share=share.ravel(),
        adds=np.repeat(np.eye(7), len(_NODES), axis=0),
        shift=(_NODES / sigma).ravel(),  # of a Gaussian filter
    )


def fit_pigments(
    log_reflectance: Array, channel_u: Array, *, level_u: float, scatter_per_cm: float, scatter_power: float
) -> Fit:
    """Find the unknowns that explain ln R of F2 to F8 best, none of the pigments being negative.

    log_reflectance, channel_u: (7,), natural logarithms and their independent standard uncertainties; level_u: of
    what is common to all. The uncertainty of the filters' centres is added here: it weighs where the spectrum is steep.
    """
    first = float(absorption_over_scattering(log_reflectance[3:4])[0]) * scatter_per_cm / F5_PER_MM
    start = max(first, 1e-3) * START_SHARES
    prior = np.array([*start.tolist(), OXYGENATED, scatter_power, 0.0])
    stiffness = np.array([0.0, 0.0, 0.0, OXYGENATED_U**-2, POWER_U**-2, max(level_u, 1e-4) ** -2])
    unknowns = prior
    channel_u2 = channel_u * channel_u
    ridge = np.diag(stiffness + _SOLVABLE)
    covariance, weighted, residual, weight, filter_u = ridge, np.zeros((6, 7)), np.zeros(7), np.ones(7), np.zeros(7)
    for _ in range(ITERATIONS_MAX):
        model, jacobian, filter_u, extra2 = _model(unknowns, scatter_per_cm)
        weight = 1.0 / (channel_u2 + filter_u * filter_u + extra2)
        residual = log_reflectance - model
        weighted = jacobian * weight
        covariance = np.asarray(np.linalg.inv(weighted @ jacobian.T + ridge), dtype=np.float64)
        pull = weighted @ residual + stiffness * (prior - unknowns)
        step = covariance @ pull
        unknowns = _within_bounds(unknowns, step)
        if float(pull @ step) < SETTLED:
            break
    return Fit(
        unknowns=unknowns,
        covariance=covariance,
        gain=covariance @ weighted,
        filter_u=filter_u,
        residual=sqrt(float(weight @ (residual * residual)) / 7.0),
    )


def _within_bounds(unknowns: Array, step: Array) -> Array:
    """Go the step, but no pigment below nothing, none to more than four times what it was, and shares within 0 to 1."""
    moved = (unknowns + step).tolist()
    was = unknowns.tolist()
    for pigment in (HAEM, MET, YELLOW):
        moved[pigment] = min(max(moved[pigment], 0.0), 4.0 * was[pigment] + 0.02)
    moved[OXYGEN] = min(max(moved[OXYGEN], 0.0), 1.0)
    return np.array(moved)


def _model(unknowns: Array, scatter_per_cm: float) -> tuple[Array, Array, Array, Array]:
    """Return ln R of seven channels, its derivatives (6, 7), and what the model itself does not know of it.

    That is the standard uncertainty by the filters' centres (7,) and the variance by everything else (7,).
    """
    bands = _bands()
    haem, met, yellow, oxygen, power, level = unknowns.tolist()
    absorption = np.array([haem, haem * oxygen, met, yellow, 1.0]) @ bands.parts
    ratio = np.exp(-power * bands.log_wavelength) * scatter_per_cm / absorption
    root = 3.0 + 3.0 * ratio
    inverse = 1.0 / np.sqrt(root)
    light = bands.share * np.exp(-PATH_FACTOR * inverse)
    by_log_ratio = light * ratio * inverse * (1.5 * PATH_FACTOR) / root
    rows = np.empty((8, 35))  # derivatives of the light by the five parts, by the power, by the centre; the light
    np.multiply(bands.parts, -by_log_ratio / absorption, out=rows[:5])
    np.multiply(by_log_ratio, -bands.log_wavelength, out=rows[5])
    np.multiply(light, bands.shift, out=rows[6])
    rows[7] = light
    sums = rows @ bands.adds
    total = sums[7]
    sums[:7] /= total
    jacobian = np.empty((6, 7))
    jacobian[HAEM] = sums[0] + oxygen * sums[1]
    jacobian[MET : YELLOW + 1] = sums[2:4]
    jacobian[OXYGEN] = haem * sums[1]
    jacobian[POWER] = sums[5]
    jacobian[LEVEL] = 1.0
    extra2 = (BACKGROUND_RELATIVE_U * sums[4]) ** 2
    extra2[0] += (METHAEM_F2_RELATIVE_U * met * sums[2, 0]) ** 2
    return np.log(total) + level, jacobian, np.abs(FILTER_U_NM * sums[6]), extra2
