"""Laws that hold whatever the piece: scale, shift, mirror, noise that goes to nothing, and figures that only rise."""

from dataclasses import replace
from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from quality import DEFAULT_RECIPE, analyse_spectrum, analyse_tof, fuse, nominal_tof_calibration
from quality.geometry import TofAnalysis
from quality.recipe import TofRules
from tests.unit.quality.scenes import (
    BELT_MM,
    FULL_SCALE,
    INTEGRATION_MS,
    WHITE_CALIBRATION,
    Dome,
    analyse,
    counts_of,
    judge,
    noisy,
    reflectance,
    zone_means,
)

domes = st.builds(Dome, a=st.floats(55.0, 68.0), b=st.floats(45.0, 60.0), c=st.floats(30.0, 60.0))


def seen(dome: Dome, belt_mm: float = BELT_MM, *, height_min_mm: float = 3.0) -> TofAnalysis:
    """Without noise, and with thresholds that scale with the scene."""
    distance = zone_means(dome.distance(belt_mm))
    rules: TofRules = replace(DEFAULT_RECIPE.tof, height_min_mm=height_min_mm)
    return analyse_tof(
        distance,
        sigma_mm=np.full((8, 8), 1e-3),
        reflectance_pct=np.full((8, 8), 50.0),
        status=np.full((8, 8), 5, dtype=np.uint8),
        calibration=nominal_tof_calibration(belt_mm),
        recipe=replace(DEFAULT_RECIPE, tof=rules),
    )


@given(dome=domes, scale=st.floats(0.6, 2.0))
@settings(max_examples=40, deadline=None)
def test_a_scene_k_times_as_large_has_k_cubed_the_volume_and_the_same_shape(dome: Dome, scale: float) -> None:
    larger = Dome(scale * dome.a, scale * dome.b, scale * dome.c)
    small, large = seen(dome), seen(larger, scale * BELT_MM, height_min_mm=3.0 * scale)
    assert large.volume_mm3 == pytest.approx(scale**3 * small.volume_mm3, rel=1e-6)
    assert large.footprint_mm2 == pytest.approx(scale**2 * small.footprint_mm2, rel=1e-6)
    assert large.height_max_mm == pytest.approx(scale * small.height_max_mm, rel=1e-6)
    assert large.brightness_per_mm2 == pytest.approx(small.brightness_per_mm2 / scale**2, rel=1e-6)


@given(dome=domes, x=st.floats(-8.0, 8.0), y=st.floats(-8.0, 8.0))
@settings(max_examples=40, deadline=None)
def test_a_piece_moved_within_the_picture_keeps_its_volume(dome: Dome, x: float, y: float) -> None:
    still, moved = seen(dome), seen(replace(dome, x=x, y=y))
    if not (still.out_of_view or moved.out_of_view):
        assert moved.volume_mm3 == pytest.approx(still.volume_mm3, rel=0.06)  # where the zones fall on the rim


@given(dome=domes, x=st.floats(-6.0, 6.0), turn=st.floats(0.0, 3.0))
@settings(max_examples=40, deadline=None)
def test_a_mirrored_scene_has_the_same_figures(dome: Dome, x: float, turn: float) -> None:
    one, other = seen(replace(dome, x=x, turn=turn)), seen(replace(dome, x=-x, turn=-turn))
    for name in ("volume_mm3", "footprint_mm2", "surface_uniformity", "quality_score", "brightness_per_mm2"):
        assert getattr(other, name) == pytest.approx(getattr(one, name), rel=1e-4), name


def test_scatter_vanishes_with_the_noise() -> None:
    distance = zone_means(Dome().distance(BELT_MM))
    spreads: list[float] = []
    for share in (1.0, 0.3, 0.1, 0.0):
        rng = np.random.default_rng(4)
        volumes = [analyse(distance + share * (noisy(distance, rng) - distance)).volume_mm3 for _ in range(40)]
        spreads.append(float(np.std(volumes)))
    assert all(later < 0.6 * earlier for earlier, later in pairwise(spreads))
    assert spreads[-1] == 0.0


@given(times=st.sampled_from([1, 2, 4]))
def test_the_same_light_for_longer_is_the_same_surface(times: int) -> None:
    counts, (first, second) = counts_of(reflectance())
    dark = WHITE_CALIBRATION.dark

    def longer(values: np.ndarray, offset: np.ndarray) -> np.ndarray:
        return np.rint((values - offset) * times + offset).astype(np.int64)

    halves = longer(np.array([first, second]), dark[[8, 8]])
    found = analyse_spectrum(
        longer(counts, dark), clear_halves=(int(halves[0]), int(halves[1])), gain=WHITE_CALIBRATION.gain,
        integration_ms=times * INTEGRATION_MS, full_scale=times * FULL_SCALE, saturated=False,
        calibration=WHITE_CALIBRATION, recipe=DEFAULT_RECIPE,
    )  # fmt: skip
    assert found.reflectance == pytest.approx(judge(reflectance()).reflectance, rel=1e-6)


@pytest.mark.parametrize(
    ("figure", "ingredient", "values", "rises"),
    [
        ("haem_mm", "haem_mm", (0.02, 0.05, 0.1, 0.2), True),
        ("yellow_mm", "carotene_mm", (0.002, 0.005, 0.01, 0.02), True),
        ("oxidation_index", "met", (0.0, 0.3, 0.6, 0.9), True),
        ("fat_quality_index", "scatter", (9.0, 13.0, 18.0, 24.0), True),
        ("lightness", "haem_mm", (0.02, 0.05, 0.1, 0.2), False),
        ("a_star", "haem_mm", (0.02, 0.05, 0.1, 0.2), True),
        ("b_star", "carotene_mm", (0.002, 0.005, 0.01, 0.02), True),
        ("quality_score", "met", (0.1, 0.3, 0.6, 0.9), False),
    ],
)
def test_figures_of_the_light_move_one_way_with_what_they_stand_for(
    figure: str, ingredient: str, values: tuple[float, ...], rises: bool
) -> None:
    found = [getattr(judge(reflectance(**{ingredient: value})), figure) for value in values]
    assert found == sorted(found, reverse=not rises)
    assert len(set(found)) == len(found)


@given(better=st.floats(0.0, 0.2), score=st.floats(0.0, 0.8))
def test_a_better_part_never_makes_a_worse_whole(better: float, score: float) -> None:
    tof, light = analyse(zone_means(Dome().distance(BELT_MM))), judge(reflectance())
    low, high = (
        fuse(tof, replace(light, quality_score=round(each, 4)), DEFAULT_RECIPE) for each in (score, score + better)
    )
    assert high.final_score >= low.final_score
    assert high.compliance_probability >= low.compliance_probability - 1e-12
