"""One score from two sensors, its grade, how sure it is, and the reasons, as codes.

A product that one of the sensors could not judge gets no grade at all: `Ungraded` says why, and the caller reports it.
Half a measurement is never graded as if it were a whole one.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from math import hypot

from quality.geometry import TofAnalysis
from quality.grades import (
    GRADES,
    Grade,
    GradeLimits,
    grade_interval,
    grade_of,
    grade_probability,
    probability_above,
    rounded_score,
)
from quality.recipe import Recipe
from quality.spectrum import SpectralAnalysis

Parameter = float | str
GRADE_SURE = 0.80  # below this probability the neighbouring grade is mentioned
REASONS_MAX = 8

# Flags that leave the grade and widen its uncertainty: each is told as a reason.
TOF_DOUBTS = ("tof_calibration_expired", "belt_shifted", "surface_unjudged", "zones_filled")
SPECTRAL_DOUBTS = ("spectral_calibration_expired", "moved_between_halves", "flicker", "settings_differ", "unexplained",
                   "haem_unseen")  # fmt: skip

# Why a product has no grade, first match: (flag of an analysis, code).
_TOF_REFUSALS = (
    ("no_valid_zones", "tof_invalid"),
    ("few_valid_zones", "tof_invalid"),
    ("no_product", "no_product"),
    ("out_of_view", "out_of_view"),
    ("several_products", "several_products"),
    ("off_centre", "off_centre"),
)
_SPECTRAL_REFUSALS = (
    ("saturated", "spectral_saturated"),
    ("low_light", "spectral_low_light"),
    ("channel_dark", "spectral_low_light"),
    ("brighter_than_white", "spectral_glare"),
)


@dataclass(frozen=True, slots=True)
class Reason:
    """One machine-readable reason. `parameters` are numbers and names that a text in any language is made from."""

    code: str
    parameters: Mapping[str, Parameter]


@dataclass(frozen=True, slots=True)
class Ungraded:
    """No grade, and why: tof_invalid, no_product, out_of_view, several_products, off_centre, spectral_saturated,
    spectral_low_light or spectral_glare. `no_product` is an empty belt: no sample and no event either."""

    reason: str


@dataclass(frozen=True, slots=True)
class FusionResult:
    """The verdict. final_score is rounded to four decimals before it is graded; `_u` is a standard uncertainty.

    grade_probability: that the true score has this grade. compliance_probability: that it is not REJECT.
    is_compliant: not REJECT and, where the recipe guards, at least as probable as it asks.
    confidence_level: grade_probability times the valid part of the height picture. reasons: the gravest first.
    """

    final_score: float
    final_score_u: float
    final_grade: Grade
    is_compliant: bool
    grade_probability: float
    compliance_probability: float
    confidence_level: float
    tof_score: float
    spectral_score: float
    weight_tof: float
    weight_spectral: float
    recipe: str
    reasons: tuple[Reason, ...]


def fuse(tof: TofAnalysis, spectral: SpectralAnalysis, recipe: Recipe) -> FusionResult | Ungraded:
    """Combine both analyses by the recipe's weights, or say why that would not be honest."""
    refusal = _refusal(tof, spectral)
    if refusal is not None:
        return Ungraded(refusal)
    limits = recipe.grade_limits
    score = rounded_score(recipe.weight_tof * tof.quality_score + recipe.weight_spectral * spectral.quality_score)
    score_u = hypot(recipe.weight_tof * tof.quality_score_u, recipe.weight_spectral * spectral.quality_score_u)
    grade = grade_of(score, limits)
    probability = grade_probability(score, score_u, grade, limits)
    compliance = probability_above(score, score_u, limits.c)
    least = recipe.compliance_probability_min
    guarded = least is not None and grade != "REJECT" and compliance < least
    reasons = _reasons(tof, spectral, recipe, score=score, grade=grade, probability=probability)
    if guarded:
        told = {"probability": round(compliance, 4), "limit": least or 0.0}
        reasons = (reasons[0], Reason("guard_band", told), *reasons[1 : REASONS_MAX - 1])
    return FusionResult(
        final_score=score,
        final_score_u=score_u,
        final_grade=grade,
        is_compliant=grade != "REJECT" and not guarded,
        grade_probability=probability,
        compliance_probability=compliance,
        confidence_level=rounded_score(probability * tof.validity),
        tof_score=tof.quality_score,
        spectral_score=spectral.quality_score,
        weight_tof=recipe.weight_tof,
        weight_spectral=recipe.weight_spectral,
        recipe=recipe.label,
        reasons=reasons,
    )


def _refusal(tof: TofAnalysis, spectral: SpectralAnalysis) -> str | None:
    for flags, table in ((tof.flags, _TOF_REFUSALS), (spectral.flags, _SPECTRAL_REFUSALS)):
        for flag, code in table:
            if flag in flags:
                return code
    return None


def _reasons(
    tof: TofAnalysis, spectral: SpectralAnalysis, recipe: Recipe, *, score: float, grade: Grade, probability: float
) -> tuple[Reason, ...]:
    """Say first which limit decided the grade, then what cost most points, then what made the measurement unsure."""
    low, high = grade_interval(grade, recipe.grade_limits)
    limit = high if grade == "REJECT" else low
    decided = Reason("grade", {"grade": grade, "score": score, "limit": limit})
    costs = sorted(_costs(tof, spectral, recipe), key=lambda reason: -float(reason.parameters["points"]))
    doubts: list[Reason] = []
    if probability < GRADE_SURE:
        doubts.append(_doubt(score, grade, recipe.grade_limits, probability))
    doubts += [Reason(flag, {}) for flag in TOF_DOUBTS if flag in tof.flags]
    doubts += [Reason(flag, {}) for flag in SPECTRAL_DOUBTS if flag in spectral.flags]
    return (decided, *costs, *doubts)[:REASONS_MAX]


def _costs(tof: TofAnalysis, spectral: SpectralAnalysis, recipe: Recipe) -> list[Reason]:
    """Return the indices that fall short of an A, each with the points of the final score that it can cost."""
    limit = recipe.grade_limits.a
    rules_tof, rules = recipe.tof, recipe.spectral
    spectral_weight = recipe.weight_spectral
    candidates = (
        ("surface_uniformity_low", tof.surface_uniformity, recipe.weight_tof * rules_tof.uniformity_weight),
        ("freshness_low", spectral.freshness_index, spectral_weight * rules.freshness_weight),
        ("fat_quality_low", spectral.fat_quality_index, spectral_weight * rules.fat_quality_weight),
    )
    found = [
        Reason(code, {"value": rounded_score(value), "limit": limit, "points": rounded_score(weight * (1.0 - value))})
        for code, value, weight in candidates
        if value < limit
    ]
    oxidation = spectral.oxidation_index
    if oxidation > 1.0 - limit:
        points = rounded_score(spectral_weight * rules.oxidation_weight * oxidation)
        found.append(Reason("oxidation_high", {"value": oxidation, "limit": 1.0 - limit, "points": points}))
    return found + _volume_costs(tof, recipe)


def _volume_costs(tof: TofAnalysis, recipe: Recipe) -> list[Reason]:
    rules = recipe.tof
    points = rounded_score(recipe.weight_tof * rules.volume_weight * (1.0 - tof.volume_score))
    value = round(tof.volume_mm3 / 1000.0, 1)
    if tof.volume_mm3 < rules.volume_min_mm3:
        limit = rules.volume_min_mm3 / 1000.0
        return [Reason("volume_below_range", {"value": value, "limit": limit, "points": points})]
    if tof.volume_mm3 > rules.volume_max_mm3:
        limit = rules.volume_max_mm3 / 1000.0
        return [Reason("volume_above_range", {"value": value, "limit": limit, "points": points})]
    return []


def _doubt(score: float, grade: Grade, limits: GradeLimits, probability: float) -> Reason:
    """Name the neighbouring grade whose limit is nearer."""
    low, high = grade_interval(grade, limits)
    index = GRADES.index(grade)
    better_is_nearer = grade == "REJECT" or (grade != "A+" and high - score < score - low)
    neighbour = GRADES[index - 1] if better_is_nearer else GRADES[index + 1]
    limit = high if better_is_nearer else low
    return Reason("near_limit", {"grade": neighbour, "limit": limit, "probability": round(probability, 2)})
