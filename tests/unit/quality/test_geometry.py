"""Height pictures of known bodies: how near the figures come to the truth, and what happens where there is none."""

from dataclasses import replace
from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from quality import QualityError, nominal_tof_calibration
from quality.calibration import TofCalibration
from quality.geometry import analyse_tof
from quality.recipe import DEFAULT_RECIPE
from tests.unit.quality.scenes import BELT_MM, TAN_X, TAN_Y, Dome, analyse, noisy, sigma_of, zone_means

EMPTY = np.full((8, 8), BELT_MM)

domes = st.builds(
    Dome,
    a=st.floats(45.0, 64.0),
    b=st.floats(40.0, 58.0),
    c=st.floats(25.0, 55.0),
    x=st.floats(-6.0, 6.0),
    y=st.floats(-6.0, 6.0),
    turn=st.floats(0.0, 3.0),
)


@given(dome=domes)
@settings(max_examples=150)
def test_volume_of_a_dome_is_within_seven_percent(dome: Dome) -> None:
    found = analyse(zone_means(dome.distance(BELT_MM)))
    assert found.product_present
    assert found.volume_mm3 == pytest.approx(dome.volume_mm3, rel=0.07)


def test_volume_bias_and_repeatability_over_many_domes() -> None:
    """Goal: the figures that docs/science.md states. Method: 300 domes off centre and turned, one noisy frame each."""
    rng = np.random.default_rng(7)
    errors, pulls = [], []
    for _ in range(300):
        a = rng.uniform(45, 64)
        dome = Dome(a, a * rng.uniform(0.75, 1.0), rng.uniform(30, 55), *rng.uniform(-6, 6, 2), rng.uniform(0, 3))
        found = analyse(noisy(zone_means(dome.distance(BELT_MM)), rng))
        errors.append(found.volume_mm3 / dome.volume_mm3 - 1.0)
        pulls.append((found.volume_mm3 - dome.volume_mm3) / found.volume_mm3_u)
    assert abs(float(np.mean(errors))) < 0.015
    assert float(np.std(errors)) < 0.03
    assert float(np.std(pulls)) < 1.0


def test_stated_uncertainty_grows_with_the_noise() -> None:
    distance = zone_means(Dome().distance(BELT_MM))
    calm, loud = (
        analyse_tof(
            distance,
            sigma_mm=np.full((8, 8), sigma),
            reflectance_pct=np.full((8, 8), 50.0),
            status=np.full((8, 8), 5, dtype=np.uint8),
            calibration=replace(nominal_tof_calibration(BELT_MM), belt_u_mm=0.2, volume_factor_u=0.01),
            recipe=DEFAULT_RECIPE,
        )
        for sigma in (0.5, 3.0)
    )
    assert loud.volume_mm3_u > calm.volume_mm3_u
    assert loud.quality_score_u >= calm.quality_score_u


def test_an_empty_belt_is_never_a_product() -> None:
    rng = np.random.default_rng(1)
    for _ in range(3000):
        found = analyse(noisy(EMPTY, rng))
        assert not found.product_present
        assert found.flags == ("no_product",)
        assert (found.volume_mm3, found.quality_score, found.grade) == (0.0, 0.0, "REJECT")


def test_a_belt_that_rose_is_no_product_however_the_noise_falls() -> None:
    """Goal: raised zones all over the picture leave enough belt to track. Method: noise at its limit, 2 mm higher."""
    rng = np.random.default_rng(3)
    for _ in range(2000):
        found = analyse(np.round((EMPTY - 2.0 + 1.3 * 0.5 * sigma_of(EMPTY) * rng.standard_normal((8, 8))) * 4.0) / 4.0)
        assert not found.product_present
        assert found.belt_shift_mm == pytest.approx(2.0, abs=1.5)


def test_a_plate_of_five_millimetres_is_always_found() -> None:
    rng = np.random.default_rng(2)
    distance = EMPTY.copy()
    distance[2:6, 2:6] -= 5.0
    assert all(analyse(noisy(distance, rng)).product_present for _ in range(500))


def test_the_belt_is_tracked_when_it_sinks_for_all_zones_alike() -> None:
    distance = zone_means(Dome().distance(BELT_MM))
    still, sunk = analyse(distance), analyse(distance + 2.0)
    assert sunk.belt_shift_mm == pytest.approx(-2.0, abs=0.3)
    assert sunk.volume_mm3 == pytest.approx(still.volume_mm3, rel=0.03)
    assert "belt_shifted" in analyse(EMPTY + 20.0).flags


@given(dome=domes)
@settings(max_examples=60)
def test_mirrored_and_turned_pictures_have_the_same_figures(dome: Dome) -> None:
    distance = zone_means(dome.distance(BELT_MM))
    first = analyse(distance)
    for other in (distance[::-1], distance[:, ::-1], distance.T, np.rot90(distance)):
        second = analyse(np.ascontiguousarray(other))
        assert second.volume_mm3 == pytest.approx(first.volume_mm3, rel=1e-9)
        assert second.surface_uniformity == pytest.approx(first.surface_uniformity, abs=1e-6)
        assert second.flags == first.flags


@given(c=st.floats(20.0, 50.0), more=st.floats(1.0, 10.0))
def test_a_higher_dome_has_more_volume(c: float, more: float) -> None:
    low, high = (analyse(zone_means(Dome(c=height).distance(BELT_MM))) for height in (c, c + more))
    assert high.volume_mm3 > low.volume_mm3
    assert high.height_max_mm > low.height_max_mm


def test_uniformity_falls_as_the_surface_gets_rougher() -> None:
    distance = zone_means(Dome(64.0, 56.0, 50.0).distance(BELT_MM))
    pattern = np.where((np.indices((8, 8)).sum(axis=0) % 2) == 0, 1.0, -1.0)
    inside = BELT_MM - distance > 10.0
    uniformities = [analyse(distance + depth * pattern * inside).surface_uniformity for depth in (0, 1, 2, 3, 5, 8)]
    assert uniformities[0] > 0.9
    assert all(rough < smooth for smooth, rough in pairwise(uniformities))
    assert uniformities[-1] < 0.2


def test_a_dent_lowers_the_score_but_hardly_the_volume() -> None:
    distance = zone_means(Dome(64.0, 56.0, 50.0).distance(BELT_MM))
    dented = distance.copy()
    dented[4, 4] += 12.0
    whole, hurt = analyse(distance), analyse(dented)
    assert hurt.quality_score < whole.quality_score - 0.1
    assert hurt.volume_mm3 == pytest.approx(whole.volume_mm3, rel=0.04)


def test_a_product_that_goes_on_beyond_the_picture_is_out_of_view() -> None:
    cut = analyse(zone_means(Dome(60.0, 50.0, 45.0, x=70.0).distance(BELT_MM)))
    assert cut.out_of_view
    assert "out_of_view" in cut.flags
    assert "off_centre" in cut.flags
    assert not analyse(zone_means(Dome(60.0, 50.0, 45.0).distance(BELT_MM))).out_of_view


def test_a_rim_inside_a_border_zone_is_still_in_view() -> None:
    """A piece of 180 mm reaches into the outer zones of a 207 mm field without leaving it."""
    found = analyse(zone_means(Dome(90.0, 50.0, 45.0).distance(BELT_MM)))
    assert found.product[:, 0].any()
    assert not found.out_of_view


def test_two_products_are_told_apart() -> None:
    distance = EMPTY.copy()
    distance[2:6, 1:3] -= 30.0
    distance[2:6, 5:7] -= 30.0
    assert "several_products" in analyse(distance).flags


def _slab(tilt: float) -> tuple[np.ndarray, np.ndarray]:
    """Zone distances of an empty belt of this slope and of a slab of 100 x 100 x 20 mm on it."""
    belt, slab = (height / (1.0 - tilt * TAN_X) for height in (BELT_MM, BELT_MM - 20.0))
    on_slab = (np.abs(slab * TAN_X) < 50.0) & (np.abs(slab * TAN_Y) < 50.0)
    return zone_means(belt), zone_means(np.where(on_slab, slab, belt))


def test_a_tilted_belt_does_not_tilt_the_figures() -> None:
    """Goal: volume by the calibrated tilt. Method: a slab of constant height above a belt of 4 degrees, and a level
    one. Steep walls hide a strip of belt, so the volume is a tenth too large; the tilt must add no more than
    where the rim happens to fall in a zone."""
    level = analyse(_slab(0.0)[1])
    belt, distance = _slab(0.07)
    calibration = replace(nominal_tof_calibration(BELT_MM), belt_plane=(BELT_MM, 0.07, 0.0))
    tilted = analyse(distance, calibration=calibration)
    assert tilted.volume_mm3 == pytest.approx(level.volume_mm3, rel=0.08)
    assert tilted.volume_mm3 == pytest.approx(200_000.0, rel=0.12)
    assert not analyse(belt, calibration=calibration).product_present
    assert analyse(belt).flags != ("no_product",)


@given(
    holes=st.lists(st.integers(0, 63), max_size=64),
    value=st.sampled_from([np.nan, np.inf, -5.0, 0.0]),
)
def test_whatever_is_missing_the_answer_is_flagged_and_finite(holes: list[int], value: float) -> None:
    distance = zone_means(Dome().distance(BELT_MM)).ravel().copy()
    distance[holes] = value
    found = analyse(distance.reshape(8, 8))
    numbers = (found.volume_mm3, found.volume_mm3_u, found.quality_score, found.quality_score_u, found.avg_reflectance)
    assert all(np.isfinite(number) for number in numbers)
    assert np.isfinite(found.height_mm).all()
    assert bool(found.flags) == bool(holes)


def test_nothing_valid_is_no_product_and_says_so() -> None:
    for distance in (np.full((8, 8), np.nan), EMPTY):
        status = np.full((8, 8), 255, dtype=np.uint8)
        found = analyse(distance, status=status)
        assert found.flags[0] == "no_valid_zones"
        assert not found.product_present
    few = np.where(np.arange(64).reshape(8, 8) < 20, BELT_MM, np.nan)
    assert analyse(few).flags[0] == "few_valid_zones"


def test_a_few_holes_cost_little_volume_and_widen_the_uncertainty() -> None:
    distance = zone_means(Dome().distance(BELT_MM))
    holed = distance.copy()
    holed[3, 2] = holed[4, 5] = holed[2, 4] = np.nan
    whole, patched = analyse(distance), analyse(holed)
    assert patched.volume_mm3 == pytest.approx(whole.volume_mm3, rel=0.05)
    assert patched.volume_mm3_u > whole.volume_mm3_u
    assert "zones_filled" in patched.flags


def test_the_score_of_the_volume_fades_outside_the_range() -> None:
    distance = zone_means(Dome().distance(BELT_MM))
    volume = analyse(distance).volume_mm3
    scores = []
    for part in (0.9, 1.05, 1.1, 1.2, 1.5):
        rules = replace(DEFAULT_RECIPE.tof, volume_min_mm3=volume * part, volume_max_mm3=volume * 3.0)
        scores.append(analyse(distance, recipe=replace(DEFAULT_RECIPE, tof=rules)).volume_score)
    assert scores[0] == 1.0
    assert scores == sorted(scores, reverse=True)
    assert scores[-1] == 0.0


def test_the_gauge_factor_scales_the_volume() -> None:
    distance = zone_means(Dome().distance(BELT_MM))
    gauged = replace(nominal_tof_calibration(BELT_MM), volume_factor=0.98)
    assert analyse(distance, calibration=gauged).volume_mm3 == pytest.approx(0.98 * analyse(distance).volume_mm3)


def test_mass_is_volume_times_density() -> None:
    found = analyse(zone_means(Dome().distance(BELT_MM)))
    assert found.mass_g == pytest.approx(found.volume_mm3 * 0.947e-3)
    assert found.mass_g_u / found.mass_g > found.volume_mm3_u / found.volume_mm3


def test_brightness_follows_distance_and_tilt() -> None:
    flat = EMPTY - 30.0
    flat[[0, -1]] = flat[:, [0, -1]] = BELT_MM
    level = analyse(flat).brightness_per_mm2 * 220.0**2
    assert level == pytest.approx(1.0, abs=0.01)
    x = np.tile(np.linspace(-17.5, 17.5, 8), (8, 1))
    tilted = np.where(flat < BELT_MM, flat + x, flat)
    assert analyse(tilted).brightness_per_mm2 * 220.0**2 < 0.99


def test_a_matrix_of_another_shape_is_refused_by_name() -> None:
    with pytest.raises(QualityError, match="distance_mm") as caught:
        analyse_tof(
            np.zeros((4, 4)),
            sigma_mm=np.ones((8, 8)),
            reflectance_pct=np.ones((8, 8)),
            status=np.full((8, 8), 5, dtype=np.uint8),
            calibration=TofCalibration(id="x", belt_plane=(BELT_MM, 0.0, 0.0)),
            recipe=DEFAULT_RECIPE,
        )
    assert caught.value.field == "distance_mm"
