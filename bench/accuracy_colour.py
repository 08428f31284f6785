"""Products under chips with what was found and what is true, for `bench.accuracy`."""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from bench.spectra import FULL_SCALE, Chip, Product, counts_of, make_chip, reporting
from quality import DEFAULT_RECIPE, Recipe, SpectralAnalysis, analyse_spectrum

CHIPS = 12
HAEM_PER_BLOOD_MM = 150.0 / 64_500.0 * 4.0 * 1000.0
BILIRUBIN_AS_CAROTENE_MM = 1e-2 / 584.66 * 1e3 * 29_630.0 / 91_828.0  # per mg/dL, by the absorption in F3
SCATTER = DEFAULT_RECIPE.spectral.scatter_reference_per_cm


@dataclass(frozen=True, slots=True)
class Colour:
    """One product under one chip: what was found, and the truth."""

    chip: int
    found: SpectralAnalysis
    haem: float
    met: float
    yellow: float
    product: Product


def colours_of(
    rng: np.random.Generator, count: int, draw: Callable[[np.random.Generator], Product] = reporting, chips: int = CHIPS
) -> list[Colour]:
    """Products under chips of one reel, in turn."""
    reel = [make_chip(rng, shift_nm=5.0) for _ in range(chips)]
    found: list[Colour] = []
    for index in range(count):
        product = draw(rng)
        pigments = product.pigments
        relative = SCATTER / pigments.scatter_per_cm
        yellow_mm = pigments.carotene_um * 1e-3 + pigments.bilirubin_mg_dl * BILIRUBIN_AS_CAROTENE_MM
        found.append(
            Colour(
                chip=index % chips,
                found=judge(product, reel[index % chips], rng),
                haem=pigments.blood * HAEM_PER_BLOOD_MM * relative,
                met=pigments.oxidised,
                yellow=yellow_mm * relative,
                product=product,
            )
        )
    return found


def judge(product: Product, chip: Chip, rng: np.random.Generator | None) -> SpectralAnalysis:
    """What the analysis says of a product under a chip; without rng, without noise."""
    counts, halves = counts_of(product, chip, rng)
    return analyse_spectrum(
        counts, clear_halves=halves, gain=64.0, integration_ms=50.0, full_scale=FULL_SCALE, saturated=False,
        calibration=chip.calibration, recipe=DEFAULT_RECIPE,
    )  # fmt: skip


_TYPICAL = make_chip(np.random.default_rng(0), shift_nm=0.0)


def true_spectral(colour: Colour, recipe: Recipe) -> tuple[float, float, float]:
    """True oxidation, freshness and spectral score: by their formulas, under a typical chip without noise."""
    clean = judge(colour.product, _TYPICAL, None)
    rules = recipe.spectral
    oxidation = min(1.0, colour.met / rules.methaem_fraction_full)
    score = (
        rules.freshness_weight * clean.freshness_index
        + rules.fat_quality_weight * clean.fat_quality_index
        + rules.oxidation_weight * (1.0 - oxidation)
    )
    return oxidation, clean.freshness_index, score
