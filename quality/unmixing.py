"""How much of each pigment: non-negative least squares on the absorption of channels F3 to F8.

F1 and F2 are left out: no measured methaemoglobin values exist there, and haem makes them nearly black. The four
pigments are oxy-, deoxy- and methaemoglobin and carotene; fat and water absorb little in the visible and are taken off
at the composition of the reference. Concentrations are relative to the assumed scattering (see chromophores).
"""

from dataclasses import dataclass
from functools import lru_cache
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
    WATER_PER_CM,
    absorption_over_scattering,
    scattering_per_cm,
)

Array = NDArray[np.float64]

FITTED: Final = slice(2, 8)  # F3 to F8 of the nine channels F1 to F8, NIR
OXY, DEOXY, MET, YELLOW = range(4)
LIPID_SHARE, WATER_SHARE = 0.50, 0.33  # typical of foie gras; their absorption here is below 1 % of haem's
_PIGMENTS: Final = DECADIC_TO_NATURAL * np.stack([OXYHAEM, DEOXYHAEM, METHAEM, CAROTENE])[:, FITTED].T
_BACKGROUND: Final = (LIPID_SHARE * LIPID_PER_CM + WATER_SHARE * WATER_PER_CM)[FITTED]


@dataclass(frozen=True, slots=True)
class Fit:
    """projector: (4, 6), from absorption of F3 to F8 to pigments in mM, for the pigments that are present at all.

    residual: rms of what the pigments do not explain, relative to the absorption.
    """

    projector: Array
    residual: float


@lru_cache(maxsize=16)
def _scattering(at_500nm_per_cm: float, power: float) -> Array:
    return scattering_per_cm(at_500nm_per_cm, power)[FITTED]


def absorption_of(log_reflectance: Array, *, scatter_per_cm: float, scatter_power: float) -> Array:
    """Return pigment absorption of F3 to F8, 1/cm, from ln R of nine channels; the last axis is the channels'."""
    ratio = absorption_over_scattering(log_reflectance[..., FITTED])
    return ratio * _scattering(scatter_per_cm, scatter_power) - _BACKGROUND


def fit_pigments(absorption: Array, absorption_u: Array) -> Fit:
    """Find the pigments that explain six absorptions best without any being negative (Lawson and Hanson 1974).

    absorption, absorption_u: (6,), 1/cm; the uncertainties weigh the channels. Returns the linear map of the pigments
    that came out above zero, so that uncertainties can be carried through it.
    """
    weight = 1.0 / absorption_u
    design = _PIGMENTS * weight[:, None]
    gram, moment = design.T @ design, design.T @ (absorption * weight)
    active = _active_set(gram, moment)
    projector = np.zeros((4, 6))
    if active:
        projector[active] = np.linalg.solve(gram[np.ix_(active, active)], design.T[active] * weight)
    left = absorption - _PIGMENTS @ (projector @ absorption)
    scale = max(float(np.abs(absorption).max()), 1e-9)
    return Fit(projector=projector, residual=float(np.sqrt((left * left).mean())) / scale)


def _active_set(gram: Array, moment: Array) -> list[int]:
    """Return which of the four unknowns are above zero in the non-negative solution."""
    active: list[int] = []
    solution = np.zeros(4)
    for _ in range(12):  # four unknowns settle in a few exchanges; the bound guards against rounding in a circle
        gradient = moment - gram @ solution
        gradient[active] = 0.0
        best = int(gradient.argmax())
        if gradient[best] <= 1e-10 * float(np.abs(moment).max()):
            break
        active = sorted([*active, best])
        trial = _solve(gram, moment, active)
        while active and float(trial.min()) <= 0.0:
            active = _retreat(active, solution, trial)
            trial = _solve(gram, moment, active)
        solution = np.zeros(4)
        solution[active] = trial
    return active


def _solve(gram: Array, moment: Array, active: list[int]) -> Array:
    if not active:
        return np.zeros(0)
    return np.asarray(np.linalg.solve(gram[np.ix_(active, active)], moment[active]), dtype=np.float64)


def _retreat(active: list[int], solution: Array, trial: Array) -> list[int]:
    """Go from the solution towards the trial until the first unknown reaches zero, and drop it."""
    old = solution[active]
    falling = trial <= 0.0
    steps = np.where(falling, old / np.maximum(old - trial, 1e-300), np.inf)
    first = int(steps.argmin())
    step = float(steps[first])
    solution[active] = old + step * (trial - old)
    solution[active[first]] = 0.0
    return [unknown for index, unknown in enumerate(active) if index != first]
