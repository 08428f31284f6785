"""The verdict: arithmetic, refusal, reasons, words."""

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from quality import (
    DEFAULT_RECIPE,
    AlertLimits,
    FusionResult,
    QualityError,
    Recipe,
    SpectralAnalysis,
    SpectralRules,
    TofAnalysis,
    TofRules,
    Ungraded,
    fuse,
    grade_of,
    text,
)
from tests.unit.quality.scenes import BELT_MM, Dome, analyse, judge, reflectance, zone_means

GOOD_VOLUME = replace(
    DEFAULT_RECIPE, tof=replace(DEFAULT_RECIPE.tof, volume_min_mm3=200_000.0, volume_max_mm3=500_000.0)
)
TOF = analyse(zone_means(Dome().distance(BELT_MM)), recipe=GOOD_VOLUME)
LIGHT = judge(reflectance(haem_mm=0.037, met=0.1, scatter=22.0))

scores = st.floats(0.0, 1.0).map(lambda score: round(score, 4))


def verdict(tof: TofAnalysis = TOF, light: SpectralAnalysis = LIGHT, recipe: Recipe = GOOD_VOLUME) -> FusionResult:
    result = fuse(tof, light, recipe)
    assert isinstance(result, FusionResult)
    return result


@given(tof_score=scores, spectral_score=scores)
def test_the_score_is_sixty_to_forty_rounded_before_it_is_graded(tof_score: float, spectral_score: float) -> None:
    result = verdict(replace(TOF, quality_score=tof_score), replace(LIGHT, quality_score=spectral_score))
    assert result.final_score == round(0.6 * tof_score + 0.4 * spectral_score, 4)
    assert result.final_grade == grade_of(result.final_score, DEFAULT_RECIPE.grade_limits)
    assert result.is_compliant == (result.final_score >= 0.45)


def test_a_good_piece_is_good_and_says_what_decided() -> None:
    result = verdict()
    assert result.final_grade == "A+"
    assert result.recipe == "foie-gras@2"
    assert result.reasons[0].code == "grade"
    assert result.reasons[0].parameters == {"grade": "A+", "score": result.final_score, "limit": 0.9}


def test_uncertainty_is_the_weighted_root_sum_of_squares() -> None:
    result = verdict(replace(TOF, quality_score_u=0.03), replace(LIGHT, quality_score_u=0.05))
    assert result.final_score_u == pytest.approx(np.hypot(0.6 * 0.03, 0.4 * 0.05))


@pytest.mark.parametrize(
    ("tof_flags", "light_flags", "reason"),
    [
        (("no_valid_zones", "no_product"), (), "tof_invalid"),
        (("few_valid_zones", "no_product"), (), "tof_invalid"),
        (("no_product",), ("low_light",), "no_product"),
        (("zones_filled", "out_of_view"), (), "out_of_view"),
        (("off_centre",), (), "off_centre"),
        (("several_products",), (), "several_products"),
        ((), ("saturated",), "spectral_saturated"),
        ((), ("low_light",), "spectral_low_light"),
        ((), ("channel_dark",), "spectral_low_light"),
        ((), ("brighter_than_white",), "spectral_glare"),
    ],
)
def test_half_a_measurement_is_not_graded(
    tof_flags: tuple[str, ...], light_flags: tuple[str, ...], reason: str
) -> None:
    result = fuse(replace(TOF, flags=tof_flags), replace(LIGHT, flags=light_flags), GOOD_VOLUME)
    assert result == Ungraded(reason)
    assert text(reason, {}, "fr") != text(reason, {}, "en")


def test_a_real_empty_belt_and_a_real_dark_lamp_are_ungraded() -> None:
    assert fuse(analyse(np.full((8, 8), BELT_MM)), LIGHT, GOOD_VOLUME) == Ungraded("no_product")
    assert fuse(analyse(np.full((8, 8), np.nan)), LIGHT, GOOD_VOLUME) == Ungraded("tof_invalid")
    assert fuse(TOF, judge(reflectance(), level=0.001), GOOD_VOLUME) == Ungraded("spectral_low_light")


def test_reasons_name_what_cost_most_first() -> None:
    result = verdict(
        replace(TOF, surface_uniformity=0.3, quality_score=0.5, quality_score_u=0.1),
        replace(LIGHT, oxidation_index=0.8, freshness_index=0.2, fat_quality_index=0.9, quality_score=0.4),
    )
    codes = [reason.code for reason in result.reasons]
    assert codes == ["grade", "surface_uniformity_low", "freshness_low", "oxidation_high", "near_limit"]
    points = [reason.parameters["points"] for reason in result.reasons[1:4]]
    assert points == sorted(points, reverse=True)


@pytest.mark.parametrize(("volume", "code"), [(100_000.0, "volume_below_range"), (900_000.0, "volume_above_range")])
def test_a_volume_outside_the_range_is_a_reason(volume: float, code: str) -> None:
    result = verdict(replace(TOF, volume_mm3=volume, volume_score=0.1))
    assert code in [reason.code for reason in result.reasons]


@given(
    tof_score=scores,
    spectral_score=scores,
    u=st.floats(0.0, 0.3),
    uniformity=scores,
    oxidation=scores,
    volume=st.floats(0.0, 2e6),
    tof_flags=st.sets(st.sampled_from(["belt_shifted", "surface_unjudged", "zones_filled"])),
    light_flags=st.sets(st.sampled_from(["moved_between_halves", "settings_differ", "unexplained", "haem_unseen"])),
)
def test_every_reason_has_words_in_both_languages(
    *, tof_score: float, spectral_score: float, u: float, uniformity: float, oxidation: float, volume: float,
    tof_flags: set[str], light_flags: set[str],
) -> None:  # fmt: skip
    result = verdict(
        replace(
            TOF, quality_score=tof_score, quality_score_u=u, surface_uniformity=uniformity, volume_mm3=volume,
            flags=tuple(tof_flags),
        ),
        replace(LIGHT, quality_score=spectral_score, oxidation_index=oxidation, flags=tuple(light_flags)),
    )  # fmt: skip
    assert 0.0 <= result.confidence_level <= 1.0
    for reason in result.reasons:
        for language in ("fr", "en"):
            assert "{" not in text(reason.code, reason.parameters, language)


def test_words_have_a_decimal_comma_in_french() -> None:
    parameters = {"value": 0.325, "limit": 0.4}
    assert text("quality_critical", parameters) == "Score qualité critique : 0,33 (limite 0,40)"
    assert text("quality_critical", parameters, "en") == "Critical quality score: 0.33 (limit 0.40)"
    with pytest.raises(QualityError, match="unknown"):
        text("nonsense", {})
    with pytest.raises(QualityError, match="limit"):
        text("quality_low", {"value": 0.5})


@pytest.mark.parametrize(
    ("field", "make"),
    [
        ("name", lambda: Recipe(name="")),
        ("version", lambda: Recipe(version=0)),
        ("weight_tof", lambda: Recipe(weight_tof=0.7)),
        ("density_g_cm3", lambda: Recipe(density_g_cm3=0.0)),
        ("tof.volume_max_mm3", lambda: TofRules(volume_max_mm3=1.0)),
        ("tof.roughness_half_mm", lambda: TofRules(roughness_half_mm=float("nan"))),
        ("tof.uniformity_weight", lambda: TofRules(uniformity_weight=0.9)),
        ("spectral.reference_reflectance", lambda: SpectralRules(reference_reflectance=(0.5,) * 7)),
        ("spectral.lightness_range", lambda: SpectralRules(lightness_range=(70.0, 40.0))),
        ("spectral.freshness_weight", lambda: SpectralRules(freshness_weight=0.5)),
        ("alerts.score_low", lambda: AlertLimits(score_low=0.3)),
        ("alerts.oxidation_high", lambda: AlertLimits(oxidation_high=1.5)),
    ],
)
def test_a_recipe_that_cannot_be_is_refused_by_field(field: str, make: object) -> None:
    with pytest.raises(QualityError) as caught:
        make()
    assert caught.value.field == field


@given(score=scores, least=st.floats(0.5, 0.99))
def test_a_guarded_recipe_accepts_only_what_surely_complies(score: float, least: float) -> None:
    tof = replace(TOF, quality_score=score, quality_score_u=0.05)
    light = replace(LIGHT, quality_score=score, quality_score_u=0.05)
    plain = fuse(tof, light, GOOD_VOLUME)
    guarded = fuse(tof, light, replace(GOOD_VOLUME, compliance_probability_min=least))
    assert isinstance(plain, FusionResult)
    assert isinstance(guarded, FusionResult)
    assert guarded.final_grade == plain.final_grade
    assert guarded.is_compliant == (plain.is_compliant and plain.compliance_probability >= least)
    assert ("guard_band" in [reason.code for reason in guarded.reasons]) == (
        plain.is_compliant and not guarded.is_compliant
    )


def test_the_default_recipe_never_changes_under_its_version() -> None:
    """Goal: a sample that cites a label was graded with these numbers. Whoever changes one raises the version."""
    assert (DEFAULT_RECIPE.label, DEFAULT_RECIPE.digest) == ("foie-gras@2", "ab305075081a")
    stricter = replace(DEFAULT_RECIPE, alerts=AlertLimits(freshness_low=0.51))
    assert stricter.digest != DEFAULT_RECIPE.digest
    assert replace(DEFAULT_RECIPE).digest == DEFAULT_RECIPE.digest


def test_reasons_say_which_index_met_which_limit() -> None:
    tof = replace(TOF, surface_uniformity=0.41)
    light = replace(LIGHT, freshness_index=0.30, fat_quality_index=0.35, oxidation_index=0.66)
    told = {reason.code: reason.parameters for reason in verdict(tof, light).reasons}
    assert told["surface_uniformity_low"] == {"value": 0.41, "limit": 0.75, "points": round(0.6 * 0.6 * 0.59, 4)}
    assert told["freshness_low"] == {"value": 0.30, "limit": 0.75, "points": round(0.4 * 0.4 * 0.7, 4)}
    assert told["fat_quality_low"] == {"value": 0.35, "limit": 0.75, "points": round(0.4 * 0.3 * 0.65, 4)}
    assert told["oxidation_high"] == {"value": 0.66, "limit": 0.25, "points": round(0.4 * 0.3 * 0.66, 4)}
