"""Scenes of known truth: bodies on a belt whose volume is a formula, spectra whose pigments are given.

Written for the tests alone and sharing nothing with the simulator: rays are intersected with quadrics in closed form,
zones average what their rays return, and noise follows what was measured on a real chip.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from quality.calibration import SpectralCalibration, TofCalibration, nominal_tof_calibration
from quality.chromophores import (
    CAROTENE,
    DECADIC_TO_NATURAL,
    DEOXYHAEM,
    LIPID_PER_CM,
    METHAEM,
    OXYHAEM,
    WATER_PER_CM,
    WAVELENGTH_NM,
    reflectance_of,
)
from quality.geometry import TofAnalysis, analyse_tof
from quality.recipe import DEFAULT_RECIPE, Recipe
from quality.spectrum import SpectralAnalysis, analyse_spectrum
from quality.unmixing import LIT_NM, WIDTH_NM

Array = NDArray[np.float64]

BELT_MM = 250.0
SUB = 8  # rays per zone and axis
SIGNAL = 2.06e8  # kcps per SPAD times mm2 of a white zone, as measured on an L8
FULL_SCALE = 18_000
GAIN, INTEGRATION_MS = 64.0, 50.0
WHITE = np.array([700, 900, 1900, 3600, 5300, 7600, 12000, 9600, 15500, 5000], dtype=np.float64)
DARK = np.full(10, 4.0)

_edges = np.radians(np.linspace(-22.5, 22.5, 8 * SUB + 1))
_rays = np.tan((_edges[:-1] + _edges[1:]) / 2.0)
TAN_X, TAN_Y = np.meshgrid(_rays, _rays)


@dataclass(frozen=True)
class Dome:
    """Upper half of an ellipsoid standing on the belt; half axes and centre in mm, turn in radians."""

    a: float = 66.0
    b: float = 54.0
    c: float = 50.0
    x: float = 0.0
    y: float = 0.0
    turn: float = 0.0

    @property
    def volume_mm3(self) -> float:
        return 2.0 / 3.0 * np.pi * self.a * self.b * self.c

    def distance(self, belt_mm: float) -> Array:
        """First hit of each ray, perpendicular distance, mm."""
        cos, sin = np.cos(self.turn), np.sin(self.turn)
        rates = (
            (cos * TAN_X + sin * TAN_Y) / self.a,
            (cos * TAN_Y - sin * TAN_X) / self.b,
            np.full_like(TAN_X, -1.0 / self.c),
        )
        starts = (
            -(cos * self.x + sin * self.y) / self.a,
            -(cos * self.y - sin * self.x) / self.b,
            belt_mm / self.c,
        )
        a = sum(r * r for r in rates)
        b = 2.0 * sum(r * s for r, s in zip(rates, starts, strict=True))
        c = sum(s * s for s in starts) - 1.0
        root = b * b - 4.0 * a * c
        hit = (-b - np.sqrt(np.maximum(root, 0.0))) / (2.0 * a)
        return np.where(root > 0.0, np.minimum(hit, belt_mm), belt_mm)


def zone_means(distance: Array) -> Array:
    """What a zone reports: the mean over its rays, weighted by the returning light."""
    weight = 1.0 / distance**2
    blocks = (8, SUB, 8, SUB)
    return (distance * weight).reshape(blocks).sum(axis=(1, 3)) / weight.reshape(blocks).sum(axis=(1, 3))


def sigma_of(distance: Array, reflectance: float = 0.5, spads: float = 12.0) -> Array:
    """Sigma that the chip would report, mm."""
    signal = SIGNAL * reflectance / distance**2
    return np.sqrt(0.98**2 + 142.0**2 / (signal * spads))


def noisy(distance: Array, rng: np.random.Generator | None) -> Array:
    """A reading: noise of half the reported sigma, steps of a quarter of a millimetre."""
    if rng is None:
        return distance
    return np.round((distance + 0.5 * sigma_of(distance) * rng.standard_normal((8, 8))) * 4.0) / 4.0


def analyse(
    distance: Array,
    *,
    calibration: TofCalibration | None = None,
    recipe: Recipe = DEFAULT_RECIPE,
    status: NDArray[np.uint8] | None = None,
) -> TofAnalysis:
    return analyse_tof(
        distance,
        sigma_mm=sigma_of(np.where(np.isfinite(distance) & (distance > 0.0), distance, BELT_MM)),
        reflectance_pct=np.full((8, 8), 50.0),
        status=np.full((8, 8), 5, dtype=np.uint8) if status is None else status,
        calibration=calibration or nominal_tof_calibration(BELT_MM),
        recipe=recipe,
    )


def reflectance(
    *,
    haem_mm: float = 0.05,
    met: float = 0.2,
    oxygenated: float = 0.75,
    carotene_mm: float = 0.01,
    scatter: float = 20.0,
) -> Array:
    """Reflectance of the nine filtered channels; unknown methaemoglobin values at F1 and F2 count as oxyhaem's."""
    nm = np.arange(380.0, 1000.0, 2.0)
    table = np.where(np.isnan(METHAEM), np.array([110.0, 21.0, *[0.0] * 7]), METHAEM)
    oxy, deoxy, methaem, carotene, lipid, water = (
        np.exp(np.interp(nm, WAVELENGTH_NM, np.log(np.maximum(each, 1e-6))))
        for each in (OXYHAEM, DEOXYHAEM, table, CAROTENE, LIPID_PER_CM, WATER_PER_CM)
    )
    living = oxygenated * oxy + (1.0 - oxygenated) * deoxy
    pigments = haem_mm * ((1.0 - met) * living + met * methaem) + carotene_mm * carotene
    absorption = DECADIC_TO_NATURAL * pigments + 0.5 * lipid + 0.33 * water
    spectrum = reflectance_of(absorption, scatter * (nm / 500.0) ** -1.25)
    middles = np.array([417.8, *LIT_NM, 910.0])
    widths = np.array([23.0, *WIDTH_NM, 80.0])
    filters = np.exp(-4.0 * np.log(2.0) * ((nm - middles[:, None]) / widths[:, None]) ** 2)
    return np.asarray(filters @ spectrum / filters.sum(axis=1), dtype=np.float64)


WHITE_CALIBRATION = SpectralCalibration(
    id="white",
    dark_counts=tuple(DARK),
    white_counts=tuple(WHITE),
    white_clear_halves=(WHITE[8], WHITE[8]),
    gain=GAIN,
    integration_ms=INTEGRATION_MS,
    white_reflectance=1.0,
)


def counts_of(
    nine: Array, *, level: float = 1.0, halves: tuple[float, float] = (1.0, 1.0), rng: np.random.Generator | None = None
) -> tuple[NDArray[np.int64], tuple[int, int]]:
    """Counts of ten channels and the two Clear readings, for brightnesses of the first and second half."""
    clear = float(nine[2:8].mean())
    first, second = halves
    ten = np.concatenate([nine[:4] * first, nine[4:8] * second, np.array([clear, nine[8]]) * (first + second) / 2.0])
    counts = level * ten * (WHITE - DARK) + DARK
    if rng is not None:
        counts = counts + rng.standard_normal(10) * np.sqrt(0.05 * counts + 0.9**2)
    whites = level * clear * (WHITE[8] - DARK[8])
    return np.rint(counts).astype(np.int64), (round(whites * first + DARK[8]), round(whites * second + DARK[8]))


def judge(
    nine: Array,
    *,
    level: float = 1.0,
    halves: tuple[float, float] = (1.0, 1.0),
    rng: np.random.Generator | None = None,
    saturated: bool = False,
    brightness_per_mm2: float | None = None,
    calibration: SpectralCalibration = WHITE_CALIBRATION,
    recipe: Recipe = DEFAULT_RECIPE,
) -> SpectralAnalysis:
    counts, clear_halves = counts_of(nine, level=level, halves=halves, rng=rng)
    return analyse_spectrum(
        counts,
        clear_halves=clear_halves,
        gain=calibration.gain,
        integration_ms=calibration.integration_ms,
        full_scale=FULL_SCALE,
        saturated=saturated,
        calibration=calibration,
        recipe=recipe,
        brightness_per_mm2=brightness_per_mm2,
    )
