"""Whatever is wrong with a measurement, the answer is a refusal with its reason or a wider result with a flag."""

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from quality import (
    DEFAULT_RECIPE,
    FusionResult,
    QualityError,
    SpectralAnalysis,
    SpectralCalibration,
    TofAnalysis,
    Ungraded,
    analyse_spectrum,
    calibrate_spectrum,
    expire,
    fuse,
    nominal_tof_calibration,
)
from tests.unit.quality.scenes import (
    BELT_MM,
    DARK,
    FULL_SCALE,
    GAIN,
    INTEGRATION_MS,
    WHITE,
    WHITE_CALIBRATION,
    Dome,
    analyse,
    counts_of,
    judge,
    reflectance,
    zone_means,
)

CLEAN = zone_means(Dome().distance(BELT_MM))
LIGHT = judge(reflectance())
GOOD = analyse(CLEAN)
GAUGED = replace(nominal_tof_calibration(BELT_MM), belt_u_mm=0.2, volume_factor_u=0.01)


def light(**changes: object) -> SpectralAnalysis:
    counts, halves = counts_of(reflectance())
    asked = {
        "clear_halves": halves,
        "gain": GAIN,
        "integration_ms": INTEGRATION_MS,
        "full_scale": FULL_SCALE,
        "saturated": False,
        "calibration": WHITE_CALIBRATION,
        "recipe": DEFAULT_RECIPE,
    }
    return analyse_spectrum(counts, **(asked | changes))


def with_holes(part: float) -> TofAnalysis:
    holes = np.random.default_rng(2).random((8, 8)) < part
    return analyse(np.where(holes, np.nan, CLEAN))


def refusal(tof: TofAnalysis, spectral: SpectralAnalysis = LIGHT) -> str | None:
    result = fuse(tof, spectral, DEFAULT_RECIPE)
    return result.reason if isinstance(result, Ungraded) else None


def codes(tof: TofAnalysis, spectral: SpectralAnalysis) -> set[str]:
    result = fuse(tof, spectral, DEFAULT_RECIPE)
    assert isinstance(result, FusionResult)
    return {reason.code for reason in result.reasons}


def two_domes() -> np.ndarray:
    small = Dome(30.0, 28.0, 40.0)
    return np.minimum(*(replace(small, x=x).distance(BELT_MM) for x in (-55.0, 55.0)))


@pytest.mark.parametrize(
    ("tof", "reason"),
    [
        (analyse(np.full((8, 8), np.nan)), "tof_invalid"),
        (analyse(CLEAN, status=np.full((8, 8), 4, dtype=np.uint8)), "tof_invalid"),
        (with_holes(0.7), "tof_invalid"),
        (analyse(zone_means(Dome(x=85.0).distance(BELT_MM))), "out_of_view"),
        (analyse(zone_means(two_domes())), "several_products"),
        (analyse(np.full((8, 8), BELT_MM)), "no_product"),
    ],
    ids=["all NaN", "no valid status", "two thirds blind", "half out of view", "two products", "empty"],
)
def test_a_picture_that_cannot_be_judged_has_no_grade(tof: TofAnalysis, reason: str) -> None:
    assert refusal(GOOD) is None
    assert refusal(tof) == reason


def test_some_blind_zones_leave_a_wider_flagged_result() -> None:
    holey = with_holes(0.12)
    assert "zones_filled" in holey.flags
    assert holey.volume_mm3_u > GOOD.volume_mm3_u
    assert "zones_filled" in codes(holey, LIGHT)


def test_an_expired_calibration_widens_everything_and_is_a_reason() -> None:
    tof, old_tof = (analyse(CLEAN, calibration=each) for each in (GAUGED, expire(GAUGED)))
    assert old_tof.flags == ("tof_calibration_expired",)
    assert old_tof.volume_mm3 == tof.volume_mm3
    assert old_tof.volume_mm3_u > 1.2 * tof.volume_mm3_u
    fresh, old = light(), light(calibration=expire(WHITE_CALIBRATION))
    assert old.flags == ("spectral_calibration_expired",)
    assert old.quality_score_u > 1.2 * fresh.quality_score_u
    assert old.haem_mm_u > 1.2 * fresh.haem_mm_u
    assert {"tof_calibration_expired", "spectral_calibration_expired"} <= codes(old_tof, old)
    assert fuse(old_tof, old, DEFAULT_RECIPE).grade_probability <= fuse(tof, fresh, DEFAULT_RECIPE).grade_probability


def test_drawings_instead_of_a_calibration_are_several_times_less_certain() -> None:
    assert analyse(CLEAN).volume_mm3_u > 1.5 * analyse(CLEAN, calibration=GAUGED).volume_mm3_u


def test_swapped_white_and_dark_never_become_a_calibration() -> None:
    dark, white = np.tile(DARK, (5, 1)), np.tile(WHITE, (5, 1))
    with pytest.raises(QualityError, match=r"white_counts: .*swapped"):
        calibrate_spectrum(
            white, dark, dark[:, [8, 8]], calibration_id="w", gain=GAIN, integration_ms=INTEGRATION_MS,
            full_scale=FULL_SCALE,
        )  # fmt: skip
    with pytest.raises(QualityError, match="dark_counts"):
        SpectralCalibration(
            id="w", dark_counts=(float("nan"),) * 10, white_counts=tuple(WHITE), white_clear_halves=(9.0, 9.0),
            gain=GAIN, integration_ms=INTEGRATION_MS,
        )  # fmt: skip


@pytest.mark.parametrize(("hertz", "integration_ms", "flagged"), [
    (100, 50.0, False), (120, 50.0, False), (100, 30.0, False), (100, 25.0, True), (100, 27.8, True),
    (120, 27.8, True), (None, 27.8, False),
])  # fmt: skip
def test_flicker_is_told_unless_whole_periods_were_measured(
    hertz: int | None, integration_ms: float, flagged: bool
) -> None:
    calibration = replace(WHITE_CALIBRATION, integration_ms=integration_ms)
    steady, found = (
        light(calibration=calibration, integration_ms=integration_ms, flicker_hz=each) for each in (None, hertz)
    )
    assert ("flicker" in found.flags) == flagged
    assert (found.quality_score_u > steady.quality_score_u) == flagged
    assert ("flicker" in codes(GOOD, found)) == flagged


def test_infrared_of_a_laser_is_discarded_and_the_grade_stays() -> None:
    counts, _ = counts_of(reflectance())
    clean = light(nir_halves=(int(counts[9]), int(counts[9])))
    polluted = light(nir_halves=(int(counts[9]) - 600, int(counts[9]) + 600))
    assert clean.ratio_red_nir is not None
    for found in (polluted, light(ranging=True)):
        assert "nir_polluted" in found.flags
        assert (found.ratio_red_nir, found.ratio_clear_nir) == (None, None)
        assert found.quality_score == clean.quality_score
    bright = np.array([*counts[:9], 9000])
    assert "nir_polluted" in judge_counts(bright).flags


def judge_counts(counts: np.ndarray) -> SpectralAnalysis:
    return analyse_spectrum(
        counts, clear_halves=(int(counts[8]), int(counts[8])), gain=GAIN, integration_ms=INTEGRATION_MS,
        full_scale=FULL_SCALE, saturated=False, calibration=WHITE_CALIBRATION, recipe=DEFAULT_RECIPE,
    )  # fmt: skip


def test_movement_alike_in_both_bands_is_movement_and_no_laser() -> None:
    counts, (first, _) = counts_of(reflectance())
    nir = int(counts[9])
    found = light(clear_halves=(first, round(first * 0.85)), nir_halves=(nir, round(nir * 0.85)))
    assert "moved_between_halves" in found.flags
    assert "nir_polluted" not in found.flags


@given(
    cells=st.lists(
        st.tuples(st.integers(0, 63), st.sampled_from([np.nan, np.inf, -np.inf, -5.0, 0.0, 1e9, 3.0])), max_size=40
    )
)
@settings(max_examples=60, deadline=None)
def test_rubbish_in_a_picture_never_raises_and_never_gives_what_is_not_a_number(
    cells: list[tuple[int, float]],
) -> None:
    spoilt = CLEAN.copy()
    for place, value in cells:
        spoilt.ravel()[place] = value
    found = analyse(spoilt)
    for figure in (found.volume_mm3, found.volume_mm3_u, found.quality_score, found.quality_score_u):
        assert np.isfinite(figure)
    assert isinstance(fuse(found, LIGHT, DEFAULT_RECIPE), FusionResult | Ungraded)
