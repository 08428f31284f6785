"""Products of known pigments under a spectral sensor, for figures of accuracy.

Two sets, with seeds of their own. `tuning` draws pigments over the ranges of a plant, half of them independent of each
other, half correlated with the scattering. `reporting` draws them from three populations that overlap (pale, yellow
and bruised pieces), in each of which pigments and scattering hang together in another way. Chips differ as those of
one reel: filters shifted by up to 5 nm.
"""

from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from drivers.sim.light import WAVELENGTHS_NM, Spectrum, lamp
from drivers.sim.pigments import Pigments, reflectance
from quality.calibration import SpectralCalibration

Array = NDArray[np.float64]

CENTRES_NM = (415.0, 445.0, 480.0, 515.0, 555.0, 590.0, 630.0, 680.0)  # DS000504, typical; widths likewise
WIDTHS_NM = (26.0, 30.0, 36.0, 39.0, 39.0, 40.0, 50.0, 52.0)
NIR_NM, NIR_WIDTH_NM = 910.0, 80.0
WHITE_COUNTS = 9000.0  # of Clear
FULL_SCALE = 18_000
DARK_COUNTS = 3.0
SHOT, READ = 0.05, 0.95  # variance per count; counts
LEVEL_SPREAD = 0.02  # brightness common to all channels: distance and tilt
WHITE_REFLECTANCE = 0.95
TILE_LEVEL_U, TILE_CHANNEL_U = 0.01, 0.005  # of a white tile beside its certificate, as a whole and over the spectrum
POPULATIONS = ((0.005, 0.2, 7.0, 21.0), (0.009, 0.35, 18.0, 17.0), (0.02, 0.6, 9.0, 14.0))  # pale, yellow, bruised


@dataclass(frozen=True)
class Chip:
    """Responses of ten channels over WAVELENGTHS_NM under the lamp, and what the white tile gave: counts and light."""

    responses: Array
    white_counts: Array
    white_light: Array

    @cached_property
    def calibration(self) -> SpectralCalibration:
        """What a calibration of this chip finds."""
        white = tuple(float(each) for each in self.white_counts)
        return SpectralCalibration(
            id="bench",
            dark_counts=(DARK_COUNTS,) * 10,
            white_counts=white,
            white_clear_halves=(white[8], white[8]),
            gain=64.0,
            integration_ms=50.0,
            white_reflectance=WHITE_REFLECTANCE,
        )


@dataclass(frozen=True, slots=True)
class Product:
    """pigments: the truth. spectrum: reflectance over WAVELENGTHS_NM."""

    pigments: Pigments
    spectrum: Spectrum


def make_chip(rng: np.random.Generator, *, shift_nm: float) -> Chip:
    """A chip whose filter centres lie up to shift_nm beside the typical ones, and its white tile; 0: both ideal."""
    centres = np.array((*CENTRES_NM, NIR_NM)) + rng.uniform(-shift_nm, shift_nm, 9)
    widths = np.array((*WIDTHS_NM, NIR_WIDTH_NM))
    bells = np.exp(-4.0 * np.log(2.0) * ((WAVELENGTHS_NM - centres[:, None]) / widths[:, None]) ** 2)
    clear = np.where((WAVELENGTHS_NM > 400.0) & (WAVELENGTHS_NM < 720.0), 1.0, 0.05)
    responses = np.vstack([bells[:8], clear[None, :] * 0.25, bells[8:]]) * lamp()
    tile = 1.0 + TILE_LEVEL_U * rng.standard_normal() + TILE_CHANNEL_U * rng.standard_normal(10)
    white = responses.sum(axis=1) * WHITE_REFLECTANCE * (tile if shift_nm > 0.0 else 1.0)
    return Chip(responses, np.rint(white / white[8] * WHITE_COUNTS + DARK_COUNTS), white)


def tuning(rng: np.random.Generator) -> Product:
    """Pigments drawn evenly and independently over what a plant sees, or correlated with the paleness."""
    return _independent(rng) if rng.random() < 0.5 else _correlated(rng)


def _independent(rng: np.random.Generator) -> Product:
    return _product(
        blood=rng.uniform(0.002, 0.03), oxidised=rng.uniform(0.0, 0.95), oxygenated=rng.uniform(0.5, 0.95),
        carotene_um=rng.uniform(1.0, 30.0), bilirubin=rng.uniform(0.2, 1.0), fat=rng.uniform(0.4, 0.6),
        scatter=rng.uniform(10.0, 25.0), power=rng.uniform(1.1, 1.4),
    )  # fmt: skip


def _correlated(rng: np.random.Generator) -> Product:
    """Paler pieces scatter more, older blood is more oxidised."""
    pale = rng.beta(2.0, 2.0)
    blood = 0.002 + 0.024 * (1.0 - pale) * rng.beta(2.0, 3.0) * 2.0
    oxidised = np.clip(0.15 + 0.5 * (1.0 - pale) + 0.25 * rng.standard_normal(), 0.01, 0.95)
    return _product(
        blood=min(blood, 0.04), oxidised=float(oxidised), oxygenated=rng.uniform(0.4, 0.95),
        carotene_um=float(np.clip(rng.lognormal(2.2, 0.7), 0.5, 45.0)), bilirubin=rng.uniform(0.1, 1.2),
        fat=rng.uniform(0.35, 0.65), scatter=12.0 + 13.0 * pale + rng.uniform(-2.0, 2.0), power=rng.uniform(1.0, 1.5),
    )  # fmt: skip


def reporting(rng: np.random.Generator) -> Product:
    """A pale, a yellow or a bruised piece: medians and spreads of each kind, and how its members vary together."""
    kind = rng.choice(3, p=(0.5, 0.3, 0.2))
    blood, oxidised, carotene, scatter = POPULATIONS[kind]
    common = rng.standard_normal()  # what moves everything of one animal
    return _product(
        blood=float(np.clip(blood * np.exp(0.4 * rng.standard_normal() + 0.2 * common), 0.0015, 0.04)),
        oxidised=float(np.clip(oxidised + 0.18 * rng.standard_normal() - 0.05 * common, 0.01, 0.95)),
        oxygenated=0.4 + 0.55 * rng.beta(3.0, 2.0),
        carotene_um=float(np.clip(carotene * np.exp(0.5 * rng.standard_normal() + 0.1 * common), 0.5, 45.0)),
        bilirubin=0.1 + 0.9 * rng.beta(1.5, 3.0), fat=float(np.clip(0.5 + 0.06 * rng.standard_normal(), 0.3, 0.65)),
        scatter=float(np.clip(scatter + 2.5 * rng.standard_normal() - 0.8 * common, 9.0, 28.0)),
        power=float(np.clip(1.25 + 0.12 * rng.standard_normal(), 0.9, 1.6)),
    )  # fmt: skip


def _product(
    *, blood: float, oxidised: float, oxygenated: float, carotene_um: float, bilirubin: float, fat: float,
    scatter: float, power: float,
) -> Product:  # fmt: skip
    pigments = Pigments(
        blood=blood, oxidised=oxidised, oxygenated=oxygenated, bilirubin_mg_dl=bilirubin, carotene_um=carotene_um,
        fat=fat, water=0.85 - fat, scatter_per_cm=scatter, scatter_power=power,
    )  # fmt: skip
    return Product(pigments, reflectance(pigments))


def counts_of(
    product: Product, chip: Chip, rng: np.random.Generator | None
) -> tuple[NDArray[np.int64], tuple[int, int]]:
    """Ten counts and the two Clear readings of one measurement; without rng, exact."""
    light = (chip.responses * product.spectrum).sum(axis=1) / chip.white_light
    level = 1.0 if rng is None else 1.0 + LEVEL_SPREAD * float(rng.standard_normal())
    counts = light * (chip.white_counts - DARK_COUNTS) * level + DARK_COUNTS
    if rng is not None:
        counts = counts + np.sqrt(SHOT * counts + READ**2) * rng.standard_normal(10)
    whole = np.clip(np.rint(counts), 0, FULL_SCALE).astype(np.int64)
    return whole, (int(whole[8]), int(whole[8]))
