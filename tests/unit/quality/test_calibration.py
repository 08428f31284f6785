"""The belt: found in noise, found when tilted, refused when it is no belt."""

import numpy as np
import pytest

from quality import QualityError, TofCalibration, calibrate_belt
from tests.unit.quality.scenes import BELT_MM, TAN_X, Dome, analyse, noisy, zone_means


def frames_of(distance: np.ndarray, count: int = 20) -> np.ndarray:
    rng = np.random.default_rng(4)
    return np.array([noisy(distance, rng) for _ in range(count)])


def test_a_tilted_belt_is_found_and_then_looks_flat() -> None:
    belt = zone_means(BELT_MM / (1.0 - 0.05 * TAN_X))
    calibration = calibrate_belt(frames_of(belt), calibration_id="b")
    assert calibration.belt_plane == pytest.approx((BELT_MM, 0.05, 0.0), abs=0.4)
    assert calibration.belt_u_mm < 0.5
    found = analyse(belt, calibration=calibration)
    assert not found.product_present
    assert np.abs(found.height_mm).max() < 1.0


def test_zones_that_read_wrong_are_corrected() -> None:
    """Goal: a zone's own offset vanishes. Method: one zone reads 4 mm short on the belt and on a dome alike."""
    bias = np.zeros((8, 8))
    bias[3, 3] = -4.0
    calibration = calibrate_belt(frames_of(np.full((8, 8), BELT_MM) + bias, 60), calibration_id="b")
    dome = zone_means(Dome().distance(BELT_MM))
    assert analyse(dome + bias, calibration=calibration).volume_mm3 == pytest.approx(analyse(dome).volume_mm3, rel=0.02)


def test_offset_and_slope_of_the_range_are_applied() -> None:
    true = zone_means(Dome().distance(BELT_MM))
    read = (true - 5.0) / 1.02
    calibration = calibrate_belt(
        frames_of((np.full((8, 8), BELT_MM) - 5.0) / 1.02), calibration_id="b", range_offset_mm=5.0, range_slope=1.02
    )
    assert analyse(read, calibration=calibration).volume_mm3 == pytest.approx(analyse(true).volume_mm3, rel=0.02)


def test_a_belt_with_something_on_it_is_refused() -> None:
    with pytest.raises(QualityError, match="not an empty belt"):
        calibrate_belt(frames_of(zone_means(Dome().distance(BELT_MM))), calibration_id="b")


@pytest.mark.parametrize(
    ("frames", "reason"),
    [
        (np.zeros((5, 4, 4)), "must be"),
        (np.full((2, 8, 8), BELT_MM), "at least"),
        (np.full((5, 8, 8), np.nan), "zones see the belt"),
    ],
)
def test_too_little_to_go_by_is_refused(frames: np.ndarray, reason: str) -> None:
    with pytest.raises(QualityError, match=reason) as caught:
        calibrate_belt(frames, calibration_id="b")
    assert caught.value.field == "frames_mm"


def test_one_blind_zone_does_not_stop_a_calibration() -> None:
    frames = frames_of(np.full((8, 8), BELT_MM))
    frames[:, 2, 2] = np.nan
    assert calibrate_belt(frames, calibration_id="b").belt_plane[0] == pytest.approx(BELT_MM, abs=0.3)


@pytest.mark.parametrize(
    ("field", "changes"),
    [
        ("id", {"id": ""}),
        ("belt_plane", {"belt_plane": (5.0, 0.0, 0.0)}),
        ("belt_plane", {"belt_plane": (250.0, 0.9, 0.0)}),
        ("column_edges_deg", {"column_edges_deg": (0.0,) * 9}),
        ("row_edges_deg", {"row_edges_deg": (1.0, 2.0)}),
        ("zone_residual_mm", {"zone_residual_mm": (0.0,) * 63}),
        ("range_slope", {"range_slope": 0.0}),
        ("range_offset_mm", {"range_offset_mm": 1e6}),
        ("volume_factor", {"volume_factor": 0.0}),
        ("volume_factor_u", {"volume_factor_u": -1.0}),
        ("belt_u_mm", {"belt_u_mm": float("nan")}),
    ],
)
def test_a_calibration_that_cannot_be_is_refused_by_field(field: str, changes: dict[str, object]) -> None:
    values = {"id": "b", "belt_plane": (250.0, 0.0, 0.0)} | changes
    with pytest.raises(QualityError) as caught:
        TofCalibration(**values)
    assert caught.value.field == field
