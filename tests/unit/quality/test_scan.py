"""Whole passes over domes of known volume, traced in closed form: volume, symmetry, speed, anomalies, refusals."""

from dataclasses import replace

import numpy as np
import pytest

from quality.calibration import TofCalibration
from quality.errors import QualityError
from quality.gauge import BODY_RELATIVE_U, gauge_factor, joint_factor
from quality.geometry import TofAnalysis
from quality.piece import piece_of
from quality.recipe import DEFAULT_RECIPE
from quality.scan import ScanAnalysis, analyse_scan, estimate_speed
from tests.unit.quality.scenes import BELT_MM, TAN_X, TAN_Y, Array, Dome, analyse, noisy, sigma_of, zone_means

CALIBRATION = TofCalibration(id="belt", belt_plane=(BELT_MM, 0.0, 0.0), volume_factor_u=0.0)
STEP_MM = 7.0
TRAVEL = np.arange(-196.0, 197.0, STEP_MM)


def seen_by(distance: Array) -> Array:
    """Zone means as the chip weighs them: by distance and by how squarely the surface is lit."""
    x, y = distance * TAN_X, distance * TAN_Y
    gy, gx = np.gradient(distance)
    run_x, run_y = np.gradient(x, axis=1), np.gradient(y, axis=0)
    slope_x, slope_y = gx / np.maximum(run_x, 1e-3), gy / np.maximum(run_y, 1e-3)
    cosine = np.clip(1.0 - slope_x * TAN_X - slope_y * TAN_Y, 0.05, None) / np.sqrt(1.0 + slope_x**2 + slope_y**2)
    blocks, weight = (8, 8, 8, 8), np.clip(cosine, 0.05, 1.0) / distance**2
    return (distance * weight).reshape(blocks).sum(axis=(1, 3)) / weight.reshape(blocks).sum(axis=(1, 3))


def frames_of(dome: Dome, *, rng: np.random.Generator | None = None, travel: Array = TRAVEL) -> Array:
    stack = [noisy(seen_by(replace(dome, x=dome.x + s).distance(BELT_MM)), rng) for s in travel.tolist()]
    return np.stack(stack)


def scan(frames: Array, *, travel: Array = TRAVEL, calibration: TofCalibration = CALIBRATION) -> ScanAnalysis:
    return analyse_scan(
        frames,
        sigma_mm=sigma_of(np.nan_to_num(frames, nan=BELT_MM)),
        reflectance_pct=np.full(frames.shape, 50.0),
        status=np.full(frames.shape, 5, dtype=np.uint8),
        travel_mm=travel,
        calibration=calibration,
        recipe=DEFAULT_RECIPE,
    )


DOME = Dome(a=70.0, b=52.0, c=50.0)
CLEAN = frames_of(DOME)


def test_a_whole_pass_gives_the_volume_within_its_uncertainty() -> None:
    found = scan(frames_of(DOME, rng=np.random.default_rng(1)))
    assert found.usable
    assert found.flags == ()
    assert found.volume_mm3 == pytest.approx(DOME.volume_mm3, rel=0.035)
    assert abs(found.volume_mm3 - DOME.volume_mm3) < 3.0 * found.volume_mm3_u
    assert found.mass_g == pytest.approx(found.volume_mm3 * 0.947e-3)
    assert found.length_mm == pytest.approx(140.0, abs=15.0)
    assert found.width_mm == pytest.approx(104.0, abs=15.0)
    assert found.thickness_mm == pytest.approx(50.0, abs=2.5)


def test_passes_repeat_and_noise_goes_to_nothing() -> None:
    rng = np.random.default_rng(2)
    volumes = np.array([scan(frames_of(DOME, rng=rng)).volume_mm3 for _ in range(6)])
    exact = scan(CLEAN).volume_mm3
    assert float(volumes.std(ddof=1)) < 0.006 * exact
    assert float(volumes.mean()) == pytest.approx(exact, rel=0.006)


def test_a_mirrored_pass_is_the_same_piece() -> None:
    across = scan(CLEAN[:, ::-1])
    along = scan(CLEAN[::-1, :, ::-1], travel=-TRAVEL[::-1])
    for other in (across, along):
        assert other.volume_mm3 == pytest.approx(scan(CLEAN).volume_mm3, rel=1e-6)
        assert other.length_mm == pytest.approx(scan(CLEAN).length_mm, abs=5.1)


def test_a_shift_along_the_belt_changes_nothing_and_scale_goes_with_the_cube() -> None:
    exact = scan(CLEAN)
    assert scan(CLEAN, travel=TRAVEL + 1e4).volume_mm3 == pytest.approx(exact.volume_mm3, rel=1e-9)
    double = scan(
        CLEAN * 2.0, travel=TRAVEL * 2.0, calibration=replace(CALIBRATION, belt_plane=(2 * BELT_MM, 0.0, 0.0))
    )
    assert double.volume_mm3 == pytest.approx(8.0 * exact.volume_mm3, rel=0.01)


def test_a_higher_body_has_more_volume() -> None:
    volumes = [scan(frames_of(replace(DOME, c=c))).volume_mm3 for c in (20.0, 35.0, 50.0, 60.0)]
    assert volumes == sorted(volumes)


def test_the_speed_of_the_belt_is_in_the_pictures() -> None:
    frames = frames_of(DOME, rng=np.random.default_rng(3))
    speed = estimate_speed(
        frames, sigma_mm=sigma_of(frames), status=np.full(frames.shape, 5, dtype=np.uint8), time_s=TRAVEL / 120.0,
        calibration=CALIBRATION, recipe=DEFAULT_RECIPE,
    )  # fmt: skip
    assert speed is not None
    assert speed.mm_s == pytest.approx(120.0, rel=0.025)


def test_an_empty_pass_is_no_product_and_half_a_pass_says_so() -> None:
    empty = np.stack([noisy(np.full((8, 8), BELT_MM), np.random.default_rng(n)) for n in range(20)])
    nothing = scan(empty, travel=np.arange(20) * STEP_MM)
    assert not nothing.product_present
    assert nothing.volume_mm3 == 0.0
    half = scan(CLEAN[: len(TRAVEL) // 2], travel=TRAVEL[: len(TRAVEL) // 2])
    assert "cut_at_ends" in half.flags
    assert not half.usable
    beside = scan(frames_of(replace(DOME, y=70.0)))
    assert "out_of_view" in beside.flags


def test_blind_zones_are_filled_from_their_own_past_and_widen_the_doubt() -> None:
    holed = CLEAN.copy()
    holed[::5, 3:5, 3] = np.nan
    found, exact = scan(holed), scan(CLEAN)
    assert "zones_filled" in found.flags
    assert found.volume_mm3 == pytest.approx(exact.volume_mm3, rel=0.02)
    assert found.volume_mm3_u > exact.volume_mm3_u
    assert "no_product" in scan(np.full_like(CLEAN, np.nan)).flags


def test_two_pieces_in_one_pass_are_told() -> None:
    far = frames_of(replace(DOME, a=40.0, x=-60.0))
    near = frames_of(replace(DOME, a=40.0, x=60.0))
    assert "several_products" in scan(np.minimum(far, near)).flags


def test_a_dent_is_found_where_it_is() -> None:
    dent_mm, place = 15.0, 20.0
    frames: list[Array] = []
    for s in TRAVEL.tolist():
        distance = replace(DOME, x=s).distance(BELT_MM)
        x, y = distance * TAN_X - s, distance * TAN_Y
        on_it = distance < BELT_MM - 1.0
        frames.append(seen_by(distance + on_it * dent_mm * np.exp(-((x - place) ** 2 + y**2) / (2 * 12.0**2))))
    found = scan(np.stack(frames))
    dents = [spot for spot in found.anomalies if spot.kind == "dent"]
    assert dents
    assert abs(dents[0].along_mm - place) < 12.0
    assert abs(dents[0].across_mm) < 12.0
    assert found.surface_uniformity < scan(CLEAN).surface_uniformity
    assert not [spot for spot in scan(CLEAN).anomalies if spot.severity > 0.4]


def test_what_is_no_pass_is_refused_with_its_reason() -> None:
    for travel, reason in ((TRAVEL[::-1], "rise"), (TRAVEL * 4.0, "exceed"), (TRAVEL[:3], "at least")):
        with pytest.raises(QualityError, match=reason):
            scan(CLEAN[: len(travel)], travel=travel)
    with pytest.raises(QualityError, match="sigma_mm"):
        analyse_scan(
            CLEAN, sigma_mm=CLEAN[:3], reflectance_pct=CLEAN, status=np.full(CLEAN.shape, 5, dtype=np.uint8),
            travel_mm=TRAVEL, calibration=CALIBRATION, recipe=DEFAULT_RECIPE,
        )  # fmt: skip


def test_the_gauge_body_takes_the_bias_out_and_a_wrong_one_is_refused() -> None:
    volumes = np.array([5.0e5, 5.01e5, 4.99e5, 5.0e5, 5.0e5])
    factor, factor_u = gauge_factor(volumes, true_mm3=4.9e5, true_mm3_u=500.0)
    assert factor == pytest.approx(0.98, abs=1e-3)
    assert factor_u == pytest.approx(
        factor * np.hypot(np.hypot(500.0 / 4.9e5, 0.0014142 / 5**0.5), BODY_RELATIVE_U), rel=1e-3
    )
    for bad in (volumes * np.array([1.0, 1.1, 0.9, 1.0, 1.0]), volumes * 2.0, volumes[:3], volumes * np.nan):
        with pytest.raises(QualityError, match="volumes_mm3"):
            gauge_factor(bad, true_mm3=4.9e5, true_mm3_u=500.0)


def test_a_set_of_gauge_bodies_is_better_than_one_and_contradictions_are_refused() -> None:
    single, three = joint_factor([(0.98, 0.012)]), joint_factor([(0.98, 0.012), (0.97, 0.012), (0.99, 0.012)])
    assert single == pytest.approx((0.98, 0.012))
    assert three == pytest.approx((0.98, 0.012 / 3**0.5))
    assert joint_factor([(0.95, 0.012), (1.01, 0.012)])[1] == pytest.approx(0.03)  # their scatter says more
    with pytest.raises(QualityError, match="contradict"):
        joint_factor([(0.98, 0.005), (1.10, 0.005)])
    with pytest.raises(QualityError, match="at least one"):
        joint_factor([])


def test_a_piece_has_the_passes_figures_and_the_frames_light() -> None:
    middle: TofAnalysis = analyse(zone_means(DOME.distance(BELT_MM)))
    found = scan(CLEAN)
    piece = piece_of(found, middle, DEFAULT_RECIPE)
    assert piece.volume_mm3 == found.volume_mm3
    assert piece.brightness_per_mm2 == middle.brightness_per_mm2
    cut = piece_of(replace(found, flags=("cut_at_ends",)), middle, DEFAULT_RECIPE)
    assert cut.out_of_view
    assert "no_product" in piece_of(replace(found, product_present=False), middle, DEFAULT_RECIPE).flags
