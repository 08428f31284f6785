"""Spectra of known pigments: the order of the pigments is found, the brightness is not mistaken for them."""

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from quality import DEFAULT_RECIPE, QualityError, SpectralCalibration, calibrate_spectrum, learn_reference
from quality.chromophores import absorption_over_scattering, reflectance_of
from quality.spectrum import analyse_spectrum
from quality.unmixing import OXYGENATED
from tests.unit.quality.scenes import (
    DARK,
    FULL_SCALE,
    GAIN,
    INTEGRATION_MS,
    WHITE,
    WHITE_CALIBRATION,
    judge,
    reflectance,
)

INDICES = ("freshness_index", "fat_quality_index", "oxidation_index", "quality_score")

pigments = st.fixed_dictionaries(
    {
        "haem_mm": st.floats(0.02, 0.2),
        "met": st.floats(0.0, 0.9),
        "oxygenated": st.floats(0.5, 0.95),
        "carotene_mm": st.floats(0.003, 0.03),
        "scatter": st.floats(12.0, 25.0),
    }
)


def ranks(values: list[float]) -> np.ndarray:
    return np.argsort(np.argsort(values))


def rank_correlation(first: list[float], second: list[float]) -> float:
    return float(np.corrcoef(ranks(first), ranks(second))[0, 1])


@given(ratio=st.floats(1e-4, 10.0))
def test_the_reflectance_law_is_inverted(ratio: float) -> None:
    reflected = reflectance_of(np.array([ratio]), np.array([1.0]))
    assert absorption_over_scattering(np.log(reflected))[0] == pytest.approx(ratio, rel=1e-9)


@given(mixture=pigments)
@settings(max_examples=100)
def test_pigments_come_back_from_a_clean_spectrum(mixture: dict[str, float]) -> None:
    found = judge(reflectance(**mixture))
    relative = DEFAULT_RECIPE.spectral.scatter_reference_per_cm / mixture["scatter"]
    assert found.usable
    # Oxygenation is not known: what lies beside its prior goes to both pigments, and is stated.
    off = abs(mixture["oxygenated"] - OXYGENATED)
    assert found.haem_mm == pytest.approx(mixture["haem_mm"] * relative, rel=0.03 + 0.25 * off)
    assert found.methaem_fraction == pytest.approx(mixture["met"], abs=0.06 + 0.3 * off)
    assert abs(found.methaem_fraction - mixture["met"]) < 2.0 * found.oxidation_index_u
    assert found.oxidation_index == pytest.approx(found.methaem_fraction, abs=1e-4)


def test_the_order_of_pigments_survives_noise_and_confounding() -> None:
    """Goal: ranks of haem, methaemoglobin and yellow. Method: 300 random mixtures, noisy, brightness off by 3 %."""
    rng = np.random.default_rng(5)
    truths, found = [], []
    for _ in range(300):
        mixture = {
            "haem_mm": rng.uniform(0.02, 0.2),
            "met": rng.uniform(0.0, 0.9),
            "oxygenated": rng.uniform(0.5, 0.95),
            "carotene_mm": rng.uniform(0.003, 0.03),
        }
        answer = judge(reflectance(**mixture), level=rng.normal(1.0, 0.03), rng=rng)
        truths.append(tuple(mixture.values()))
        found.append((answer.haem_mm, answer.methaem_fraction, answer.yellow_mm))
    haem, met, _, yellow = (list(column) for column in zip(*truths, strict=True))
    found_haem, found_met, found_yellow = (list(column) for column in zip(*found, strict=True))
    assert rank_correlation(haem, found_haem) > 0.98
    assert rank_correlation(met, found_met) > 0.95
    assert rank_correlation(yellow, found_yellow) > 0.95


def test_indices_move_with_what_they_are_named_after() -> None:
    mets = [judge(reflectance(met=met)).oxidation_index for met in (0.0, 0.2, 0.4, 0.6, 0.8, 1.0)]
    assert mets == sorted(mets)
    assert mets[0] < 0.05
    assert mets[-1] > 0.95
    pale = [judge(reflectance(scatter=scatter)).fat_quality_index for scatter in (8.0, 12.0, 16.0, 20.0, 24.0)]
    assert pale == sorted(pale)
    fresh = [
        judge(reflectance(haem_mm=haem, met=0.1, scatter=22.0)).freshness_index for haem in (0.037, 0.08, 0.15, 0.3)
    ]
    assert fresh == sorted(fresh, reverse=True)
    assert fresh[0] > 0.97


def test_the_default_reference_is_the_composition_that_the_recipe_states() -> None:
    expected = reflectance(haem_mm=0.037, met=0.1, oxygenated=0.75, carotene_mm=0.010, scatter=22.0)[:8]
    np.testing.assert_allclose(DEFAULT_RECIPE.spectral.reference_reflectance, expected, rtol=0.02)


@given(first=st.floats(0.8, 1.2), second=st.floats(0.8, 1.2))
def test_unequal_halves_are_balanced_and_told(first: float, second: float) -> None:
    nine = reflectance()
    mean = (first + second) / 2.0
    still, moved = judge(nine, level=mean), judge(nine, halves=(first, second))
    np.testing.assert_allclose(moved.reflectance, still.reflectance, rtol=0.01, atol=0.003)  # counts are whole
    unequal = abs(first - second) / mean
    if unequal > 0.06:
        assert "moved_between_halves" in moved.flags
        assert moved.quality_score_u > still.quality_score_u
    if unequal < 0.04:
        assert "moved_between_halves" not in moved.flags


def test_a_nearer_surface_is_not_a_paler_one() -> None:
    nine = reflectance()
    calibration = replace(WHITE_CALIBRATION, white_distance_mm=250.0)
    there = judge(nine, calibration=calibration, brightness_per_mm2=1.0 / 250.0**2)
    nearer = judge(nine, level=(250.0 / 220.0) ** 2, calibration=calibration, brightness_per_mm2=1.0 / 220.0**2)
    assert nearer.fat_quality_index == pytest.approx(there.fat_quality_index, abs=0.01)
    uncorrected = judge(nine, level=(250.0 / 220.0) ** 2, calibration=calibration)
    assert uncorrected.fat_quality_index > there.fat_quality_index + 0.05


def test_uncertainties_cover_the_scatter_of_repeated_readings() -> None:
    rng = np.random.default_rng(3)
    nine = reflectance()
    answers = [judge(nine, level=rng.normal(1.0, 0.02), rng=rng) for _ in range(200)]
    for name in INDICES:
        scatter = float(np.std([getattr(answer, name) for answer in answers]))
        stated = float(np.mean([getattr(answer, f"{name}_u") for answer in answers]))
        assert scatter <= stated < 16.0 * scatter, name


def test_saturation_darkness_and_glare_are_refused_with_flags() -> None:
    nine = reflectance()
    assert "saturated" in judge(nine, saturated=True).flags
    assert "saturated" in judge(nine, level=8.0).flags
    dark = judge(nine, level=0.01)
    assert dark.flags[-1] == "low_light"
    assert (dark.quality_score, dark.grade) == (0.0, "REJECT")
    glare = judge(np.full(9, 1.0), level=1.13)
    assert "brighter_than_white" in glare.flags
    assert not any(answer.usable for answer in (judge(nine, saturated=True), dark, glare))


def test_without_visible_haem_the_oxidation_is_unknown_not_good() -> None:
    answer = judge(np.full(9, 0.97))
    assert "haem_unseen" in answer.flags
    assert answer.oxidation_index_u > 0.25


def test_other_settings_than_the_calibration_are_told_and_scaled() -> None:
    nine = reflectance()
    counts = np.rint(nine.take([0, 1, 2, 3, 4, 5, 6, 7, 7, 8]) * (WHITE - DARK) / 2.0 + DARK).astype(np.int64)
    clear = (int(counts[8]), int(counts[8]))
    answer = analyse_spectrum(
        counts, clear_halves=clear, gain=GAIN / 2.0, integration_ms=INTEGRATION_MS, full_scale=FULL_SCALE,
        saturated=False, calibration=WHITE_CALIBRATION, recipe=DEFAULT_RECIPE,
    )  # fmt: skip
    assert "settings_differ" in answer.flags
    np.testing.assert_allclose(answer.reflectance[3:8], nine[3:8], rtol=0.01)
    assert answer.quality_score_u > judge(nine).quality_score_u


@given(
    counts=st.lists(st.integers(0, 65_535), min_size=10, max_size=10), clear=st.tuples(*[st.integers(0, 65_535)] * 2)
)
def test_any_counts_give_finite_figures_in_range(counts: list[int], clear: tuple[int, int]) -> None:
    answer = analyse_spectrum(
        np.array(counts), clear_halves=clear, gain=GAIN, integration_ms=INTEGRATION_MS, full_scale=65_535,
        saturated=False, calibration=WHITE_CALIBRATION, recipe=DEFAULT_RECIPE,
    )  # fmt: skip
    for name in INDICES:
        assert 0.0 <= getattr(answer, name) <= 1.0
        assert 0.0 <= getattr(answer, f"{name}_u") <= 0.6
    assert np.isfinite(answer.reflectance).all()


def test_nir_ratios_are_none_where_the_lamp_has_no_infrared() -> None:
    lit = judge(reflectance())
    assert lit.ratio_red_nir is not None
    assert lit.ratio_red_nir == pytest.approx(reflectance()[7] / reflectance()[8], rel=0.02)
    unlit = replace(WHITE_CALIBRATION, white_counts=(*WHITE[:9], 50.0))
    assert judge(reflectance(), calibration=unlit).ratio_red_nir is None


def test_a_reference_is_learnt_from_accepted_pieces() -> None:
    rng = np.random.default_rng(0)
    pieces = np.array([reflectance(haem_mm=rng.normal(0.05, 0.005))[:8] for _ in range(30)])
    pieces[3] = 0.9  # one outlier must not count
    reference, tolerance = learn_reference(pieces)
    np.testing.assert_allclose(reference, reflectance()[:8], rtol=0.05)
    assert 0.02 <= tolerance < 0.1
    rules = replace(DEFAULT_RECIPE.spectral, reference_reflectance=reference, absorbance_tolerance=tolerance)
    assert judge(reflectance(), recipe=replace(DEFAULT_RECIPE, spectral=rules)).freshness_index > 0.95
    with pytest.raises(QualityError, match="reflectances"):
        learn_reference(pieces[:2])


def calibration(**changes: object) -> SpectralCalibration:
    values = {
        "id": "w",
        "dark_counts": tuple(DARK),
        "white_counts": tuple(WHITE),
        "white_clear_halves": (WHITE[8], WHITE[8]),
        "gain": GAIN,
        "integration_ms": INTEGRATION_MS,
    }
    return SpectralCalibration(**(values | changes))


@pytest.mark.parametrize(
    ("field", "changes"),
    [
        ("id", {"id": ""}),
        ("dark_counts", {"dark_counts": (1.0,) * 9}),
        ("white_counts", {"white_counts": (float("nan"),) * 10}),
        ("white_counts", {"dark_counts": tuple(WHITE), "white_counts": tuple(DARK)}),
        ("white_counts", {"white_counts": (100.0,) * 10}),
        ("white_clear_halves", {"white_clear_halves": (0.0, 9.0)}),
        ("gain", {"gain": 0.0}),
        ("integration_ms", {"integration_ms": -1.0}),
        ("white_reflectance", {"white_reflectance": 1.2}),
        ("white_distance_mm", {"white_distance_mm": 1.0}),
    ],
)
def test_a_calibration_that_cannot_be_is_refused_by_field(field: str, changes: dict[str, object]) -> None:
    with pytest.raises(QualityError) as caught:
        calibration(**changes)
    assert caught.value.field == field


def test_dark_and_white_are_medians() -> None:
    dark, white = np.tile(DARK, (5, 1)), np.tile(WHITE, (5, 1))
    white[2] *= 0.3
    made = calibrate_spectrum(
        dark,
        white,
        white[:, [8, 8]],
        calibration_id="w",
        gain=GAIN,
        integration_ms=INTEGRATION_MS,
        full_scale=FULL_SCALE,
    )
    assert made.white_counts == tuple(WHITE)
    with pytest.raises(QualityError, match="saturated"):
        calibrate_spectrum(
            dark,
            white * 1.3,
            white[:, [8, 8]],
            calibration_id="w",
            gain=GAIN,
            integration_ms=INTEGRATION_MS,
            full_scale=FULL_SCALE,
        )
    with pytest.raises(QualityError, match="dark_counts"):
        calibrate_spectrum(
            dark[:2],
            white,
            white[:, [8, 8]],
            calibration_id="w",
            gain=GAIN,
            integration_ms=INTEGRATION_MS,
            full_scale=FULL_SCALE,
        )
