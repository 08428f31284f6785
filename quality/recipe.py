"""A recipe: every number of the grading that a quality manager may want to change, in one frozen, versioned value.

Nothing else in this package holds a limit, a weight or a reference. A sample names the recipe it was graded with, so
that its grade can be understood, and computed again, years later.
"""

import hashlib
import json
from dataclasses import asdict, dataclass, field
from math import isfinite

from quality.errors import require
from quality.grades import GradeLimits

WEIGHT_SUM_TOLERANCE = 1e-9


@dataclass(frozen=True, slots=True)
class AlertLimits:
    """Limits of the five alert rules, all on indices between 0 and 1; an alert is raised beyond, never on, a limit."""

    score_critical: float = 0.4
    score_low: float = 0.6
    oxidation_high: float = 0.7
    freshness_low: float = 0.5

    def __post_init__(self) -> None:
        require(0.0 <= self.score_critical <= self.score_low <= 1.0, "alerts.score_low", "must be >= score_critical")
        for name in ("oxidation_high", "freshness_low"):
            require(0.0 <= getattr(self, name) <= 1.0, f"alerts.{name}", "must be within 0..1")


@dataclass(frozen=True, slots=True)
class TofRules:
    """How the height picture is judged.

    volume_min_mm3, volume_max_mm3: full marks between; none beyond a relative distance volume_softness outside.
    roughness_half_mm: rms deviation from a smooth surface at which uniformity is one half.
    form_allowance: part of the greatest height by which a smooth lobe may depart from the fitted surface.
    height_min_mm: lowest height that counts as product; zones_min: fewest connected zones of a product.
    valid_zones_min: fewest of the 64 zones with a valid distance for the picture to be judged at all.
    uniformity_weight, volume_weight: exponents of the weighted geometric mean; they sum to 1.
    """

    volume_min_mm3: float = 400_000.0
    volume_max_mm3: float = 750_000.0
    volume_softness: float = 0.21
    roughness_half_mm: float = 2.0
    form_allowance: float = 0.022
    height_min_mm: float = 3.0
    zones_min: int = 3
    valid_zones_min: int = 32
    belt_drift_max_mm: float = 6.0
    uniformity_weight: float = 0.6
    volume_weight: float = 0.4

    def __post_init__(self) -> None:
        require(0.0 < self.volume_min_mm3 < self.volume_max_mm3, "tof.volume_max_mm3", "must exceed volume_min_mm3 > 0")
        for name in ("volume_softness", "roughness_half_mm", "height_min_mm", "belt_drift_max_mm"):
            value = getattr(self, name)
            require(isfinite(value) and value > 0.0, f"tof.{name}", "must be positive")
        require(0.0 <= self.form_allowance < 1.0, "tof.form_allowance", "must be within 0..1")
        require(1 <= self.zones_min <= 64, "tof.zones_min", "must be within 1..64")
        require(1 <= self.valid_zones_min <= 64, "tof.valid_zones_min", "must be within 1..64")
        weights_ok = min(self.uniformity_weight, self.volume_weight) >= 0.0
        weights_ok &= abs(self.uniformity_weight + self.volume_weight - 1.0) <= WEIGHT_SUM_TOLERANCE
        require(weights_ok, "tof.uniformity_weight", "and volume_weight must not be negative and must sum to 1")


@dataclass(frozen=True, slots=True)
class SpectralRules:
    """How the light is judged.

    reference_reflectance: F1 to F8 of the product as it should be, 0 to 1; learn it from accepted pieces with
    `quality.spectrum.learn_reference`. The default is what published optical constants give for a pale, fatty liver
    (docs/science.md, section 4). absorbance_tolerance: spread of good pieces, log10 units.
    freshness_half_distance: distance from the reference, in tolerances, at which freshness is one half.
    methaem_fraction_full: share of met-haemoglobin in all haem at which the oxidation index reaches 1.
    lightness_range: L* mapped to 0..1. scatter_range: log10 of scattering over absorption at 680 nm mapped to 0..1.
    moved_relative: difference of the Clear readings of the two halves beyond which the product moved between them.
    counts_min: fewest counts above dark in Clear for a spectrum to be judged at all.
    """

    reference_reflectance: tuple[float, ...] = (0.135, 0.181, 0.269, 0.420, 0.455, 0.550, 0.712, 0.819)
    absorbance_tolerance: float = 0.08
    freshness_half_distance: float = 3.5
    methaem_fraction_full: float = 1.0
    lightness_range: tuple[float, float] = (40.0, 75.0)
    scatter_range: tuple[float, float] = (1.0, 2.5)
    scatter_reference_per_cm: float = 15.35
    scatter_power: float = 1.25
    moved_relative: float = 0.05
    counts_min: float = 200.0
    freshness_weight: float = 0.4
    fat_quality_weight: float = 0.3
    oxidation_weight: float = 0.3

    def __post_init__(self) -> None:
        reference_ok = len(self.reference_reflectance) == 8 and all(0.0 < r <= 1.0 for r in self.reference_reflectance)
        require(reference_ok, "spectral.reference_reflectance", "must be eight values within 0..1")
        for name in ("absorbance_tolerance", "freshness_half_distance", "methaem_fraction_full", "moved_relative"):
            value = getattr(self, name)
            require(isfinite(value) and value > 0.0, f"spectral.{name}", "must be positive")
        for name in ("lightness_range", "scatter_range"):
            low, high = getattr(self, name)
            require(low < high, f"spectral.{name}", "must rise")
        weights = (self.freshness_weight, self.fat_quality_weight, self.oxidation_weight)
        weights_ok = min(weights) >= 0.0 and abs(sum(weights) - 1.0) <= WEIGHT_SUM_TOLERANCE
        require(weights_ok, "spectral.freshness_weight", "and its siblings must not be negative and must sum to 1")


@dataclass(frozen=True, slots=True)
class Recipe:
    """What a product is judged by. weight_tof and weight_spectral sum to 1; density_g_cm3 is for the mass estimate.

    compliance_probability_min: None accepts what is not REJECT (simple acceptance, the producer's and the consumer's
    risk shared); 0.95 accepts only what complies with at least that probability (guarded acceptance, JCGM 106 8.3).
    """

    name: str = "foie-gras"
    version: int = 2
    weight_tof: float = 0.60
    weight_spectral: float = 0.40
    density_g_cm3: float = 0.947
    compliance_probability_min: float | None = None
    grade_limits: GradeLimits = field(default_factory=GradeLimits)
    tof: TofRules = field(default_factory=TofRules)
    spectral: SpectralRules = field(default_factory=SpectralRules)
    alerts: AlertLimits = field(default_factory=AlertLimits)

    def __post_init__(self) -> None:
        require(bool(self.name), "name", "must not be empty")
        require(self.version >= 1, "version", "must be at least 1")
        weights_ok = min(self.weight_tof, self.weight_spectral) >= 0.0
        weights_ok &= abs(self.weight_tof + self.weight_spectral - 1.0) <= WEIGHT_SUM_TOLERANCE
        require(weights_ok, "weight_tof", "and weight_spectral must not be negative and must sum to 1")
        least = self.compliance_probability_min
        require(least is None or 0.5 <= least < 1.0, "compliance_probability_min", "must be within 0.5..1")
        require(0.1 <= self.density_g_cm3 <= 10.0, "density_g_cm3", "must be within 0.1..10")

    @property
    def label(self) -> str:
        """Return the name under which a sample cites this recipe, such as `foie-gras@2`."""
        return f"{self.name}@{self.version}"

    @property
    def digest(self) -> str:
        """Return twelve hexadecimal digits of a hash over every number: two recipes of one label must not differ."""
        text = json.dumps(asdict(self), sort_keys=True, separators=(",", ":"))
        return hashlib.sha256(text.encode()).hexdigest()[:12]


DEFAULT_RECIPE = Recipe()
