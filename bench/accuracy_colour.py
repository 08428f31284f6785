"""Products under chips with what was found and what is true, for `bench.accuracy`."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np

from bench.figures import Figure, median
from bench.spectra import FULL_SCALE, Chip, Product, counts_of, make_chip, reporting
from drivers.sim.light import WAVELENGTHS_NM
from quality import DEFAULT_RECIPE, Recipe, SpectralAnalysis, analyse_spectrum
from quality.colour import TABLE_NM, TABLE_WEIGHTS

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
COVERAGE_FACTOR = 1.96
INDICES = ("oxidation_index", "fat_quality_index", "freshness_index")
LAB = ("lightness", "a_star", "b_star")


@dataclass(frozen=True, slots=True)
class Truth:
    """True indices and spectral score; named as in SpectralAnalysis."""

    oxidation_index: float
    fat_quality_index: float
    freshness_index: float
    quality_score: float


def true_spectral(colour: Colour, recipe: Recipe) -> Truth:
    """By their formulas: the oxidation from the pigments, the others under a typical chip without noise."""
    clean = judge(colour.product, _TYPICAL, None)
    rules = recipe.spectral
    oxidation = min(1.0, colour.met / rules.methaem_fraction_full)
    score = (
        rules.freshness_weight * clean.freshness_index
        + rules.fat_quality_weight * clean.fat_quality_index
        + rules.oxidation_weight * (1.0 - oxidation)
    )
    return Truth(oxidation, clean.fat_quality_index, clean.freshness_index, score)


def true_lab(product: Product) -> tuple[float, float, float]:
    """CIELAB of the whole spectrum, D65, 10 degrees, by the sums of CIE 15 at 20 nm."""
    spectrum = np.interp(TABLE_NM, WAVELENGTHS_NM, product.spectrum)
    x, y, z = (np.cbrt((weights @ spectrum) / weights.sum()) for weights in TABLE_WEIGHTS)  # all far above the cut
    return 116.0 * float(y) - 16.0, 500.0 * float(x - y), 200.0 * float(y - z)


def spectral_coverage(colours: Sequence[Colour]) -> list[tuple[str, list[bool]]]:
    """Whether each stated 95 % interval holds the truth, by figure."""
    truths = [true_spectral(colour, DEFAULT_RECIPE) for colour in colours]
    labs = [dict(zip(LAB, true_lab(colour.product), strict=True)) for colour in colours]

    def within(found: SpectralAnalysis, name: str, truth: float) -> bool:
        return abs(getattr(found, name) - truth) <= COVERAGE_FACTOR * getattr(found, f"{name}_u")

    rows: list[tuple[str, list[bool]]] = []
    for name in INDICES:
        pairs = zip(colours, truths, strict=True)
        rows.append((name.replace("_", " "), [within(one.found, name, getattr(truth, name)) for one, truth in pairs]))
    for name in LAB:
        inside = [within(colour.found, name, lab[name]) for colour, lab in zip(colours, labs, strict=True)]
        rows.append((name.replace("_star", "*"), inside))
    return rows


def pigment_figures(colours: Sequence[Colour]) -> list[Figure]:
    """Rank correlations with the truth, within chips as one device ranks its own pieces, and with all chips mixed."""
    rows: list[Figure] = []
    pairs: tuple[tuple[str, Callable[[Colour], tuple[float, float]], float], ...] = (
        ("haem", lambda each: (each.haem, each.found.haem_mm), 0.98),
        ("methaem fraction", lambda each: (each.met, each.found.methaem_fraction), 0.95),
        ("yellow", lambda each: (each.yellow, each.found.yellow_mm), 0.95),
    )
    for name, pair, target in pairs:
        single = [rank_correlation([pair(each) for each in colours if each.chip == chip]) for chip in range(CHIPS)]
        mixed = rank_correlation([pair(each) for each in colours])
        count = len(colours) // CHIPS
        for how, value, note in (
            ("median chip", median(single), f"{CHIPS} chips, {count} pieces each"),
            ("worst chip", min(single), f"the least of {CHIPS}"),
            ("chips mixed", mixed, f"{len(colours)} pieces"),
        ):
            rows.append(Figure(f"rank correlation, {name}, {how}", value, "", f">= {target}", value >= target, note))
    return rows


def rank_correlation(pairs: Sequence[tuple[float, float]]) -> float:
    """Spearman's coefficient."""
    ranks = [np.argsort(np.argsort([pair[side] for pair in pairs])) for side in (0, 1)]
    return float(np.corrcoef(ranks[0], ranks[1])[0, 1])
