"""What the ranging chip can do beyond a plain frame, through the production driver on the simulated chip."""

from typing import Any

import numpy as np
import pytest

from drivers.errors import StaleFrameError
from drivers.vl53l8ch_cnh import BIN_MM, CnhSettings
from drivers.vl53l8ch_settings import (
    EVERYTHING,
    Measurement,
    Output,
    RangingMode,
    TargetOrder,
    Threshold,
    TofSettings,
    Window,
)
from tests.unit.drivers.planes import STAIRS, PlaneView, Rig, SampledView, grid


def started(settings: TofSettings, distance_mm: Any = STAIRS, **more: Any) -> Rig:
    rig = Rig(distance_mm, settings=settings, **more)
    rig.driver.start()
    rig.driver.read(3.0)
    return rig


@pytest.mark.parametrize("outputs", [frozenset[Output](), frozenset({Output.SIGMA}), EVERYTHING])
def test_only_what_was_asked_for_is_moved_and_shown(outputs: frozenset[Output]) -> None:
    rig = started(TofSettings(outputs=outputs))
    before = rig.bus.wire_bytes
    frame = rig.driver.read()
    assert rig.bus.wire_bytes - before < rig.driver.settings.frame_bytes + 60
    fields = {
        Output.AMBIENT: frame.ambient_kcps,
        Output.SPADS: frame.spads,
        Output.SIGNAL: frame.signal_kcps,
        Output.SIGMA: frame.sigma_mm,
        Output.REFLECTANCE: frame.reflectance_pct,
    }
    for output, values in fields.items():
        assert np.isnan(values).all() == (output not in outputs)
    assert frame.distance_mm == pytest.approx(STAIRS, abs=5)


def test_4x4_zones_are_means_of_four() -> None:
    """Goal: a zone of 4 x 4 shows all that it covers. Method: two heights within each; neither alone comes out."""
    rows = np.where(np.arange(8) % 2 == 0, 300.0, 310.0)
    rig = started(TofSettings(zones=4, frequency_hz=60, outputs=EVERYTHING), np.tile(rows[:, None], (1, 8)))
    frames = [rig.driver.read() for _ in range(50)]
    assert frames[0].distance_mm.shape == (4, 4)
    mean = np.mean([frame.distance_mm for frame in frames], axis=0)
    assert mean == pytest.approx(np.full((4, 4), 304.84), abs=0.5)  # the nearer surface returns more light
    assert (frames[0].status == 5).all()
    assert (frames[0].spads > 16).all()


def test_4x4_keeps_the_orientation() -> None:
    rig = started(TofSettings(zones=4, frequency_hz=30))
    mean = np.mean([rig.driver.read().distance_mm for _ in range(40)], axis=0)
    assert mean == pytest.approx(STAIRS.reshape(4, 2, 4, 2).mean(axis=(1, 3)), abs=2.0)


@pytest.mark.parametrize(("order", "first_mm"), [(TargetOrder.STRONGEST, 1500.0), (TargetOrder.CLOSEST, 500.0)])
def test_two_targets_in_a_zone_come_in_the_order_asked_for(order: TargetOrder, first_mm: float) -> None:
    """A dark thread at 500 mm before a white wall at 1,500 mm."""
    rig = Rig(settings=TofSettings(targets=3, target_order=order, outputs=EVERYTHING, frequency_hz=5))
    near, far = np.array([500.0] + [1500.0] * 8), np.array([0.05] + [0.9] * 8)
    rig.scene.view = SampledView(near, far)
    rig.driver.start()
    rig.driver.read(2.0)
    frame = rig.driver.read(2.0)
    assert frame.targets is not None
    assert (frame.targets.count == 2).all()
    assert frame.targets.distance_mm.shape == (3, 8, 8)
    assert np.isnan(frame.targets.distance_mm[2]).all()
    assert (frame.targets.status[2] == 255).all()
    assert np.median(frame.distance_mm) == pytest.approx(first_mm, abs=10)
    assert np.array_equal(frame.distance_mm, frame.targets.distance_mm[0])
    assert np.median(frame.targets.distance_mm[1]) == pytest.approx(2000.0 - first_mm, abs=15)
    assert frame.targets.signal_kcps[:2].sum(axis=0) == pytest.approx(
        frame.targets.signal_kcps[0] + frame.targets.signal_kcps[1]
    )


def test_an_edge_within_a_zone_is_a_mixed_pulse() -> None:
    rig = Rig()
    rig.scene.view = SampledView(np.array([200.0, 200.0, 320.0]), np.full(3, 0.5))
    rig.driver.start()
    rig.driver.read()
    frame = rig.driver.read()
    assert (frame.status == 13).all()
    assert np.isnan(frame.distance_mm).all()


def test_histograms_show_the_pulse_where_the_target_is() -> None:
    rig = started(TofSettings(cnh=CnhSettings.tiled(4, 4, bins=18)), grid(400.0))
    frame = rig.driver.read()
    assert frame.cnh is not None
    histogram, centres = frame.cnh.histogram_kcps, frame.cnh.bin_centres_mm
    assert histogram.shape == (16, 18)
    assert histogram.sum(axis=1) == pytest.approx(frame.signal_kcps.mean(), rel=0.1)
    middle = (histogram * centres).sum(axis=1) / histogram.sum(axis=1)
    assert middle == pytest.approx(400.0, abs=8)
    assert frame.cnh.ambient_kcps == pytest.approx(np.full(16, 3.0), abs=0.01)
    far = abs(centres - 400.0) > 5.5 * BIN_MM
    assert abs(histogram[:, far]).max() < 10


def test_histograms_know_their_zones() -> None:
    """Goal: aggregate 0 is the scene's top left. Method: one aggregate of four sees a nearer target."""
    distance = grid(600.0)
    distance[:4, :4] = 300.0
    rig = started(TofSettings(cnh=CnhSettings.tiled(2, 2, bins=20, sub_sample=2)), distance)
    frame = rig.driver.read()
    assert frame.cnh is not None
    peaks = frame.cnh.bin_centres_mm[frame.cnh.histogram_kcps.argmax(axis=1)]
    assert peaks == pytest.approx([300.0, 600.0, 600.0, 600.0], abs=2 * BIN_MM)


ENTRY = Threshold(2, 5, Measurement.DISTANCE_MM, Window.AT_MOST_LOW, 250.0)


def test_thresholds_wake_the_host_only_when_met() -> None:
    rig = Rig(grid(400.0), settings=TofSettings(thresholds=(ENTRY,)))
    rig.driver.start()
    with pytest.raises(StaleFrameError):
        rig.driver.read(timeout_s=1.0)
    nearer = grid(400.0)
    nearer[2, 6] = 200.0  # its neighbour does not count
    rig.scene.view = PlaneView(nearer)
    with pytest.raises(StaleFrameError):
        rig.driver.read(timeout_s=1.0)
    nearer = grid(400.0)
    nearer[2, 5] = 200.0
    rig.scene.view = PlaneView(nearer)
    frame = rig.driver.read(timeout_s=1.0)
    assert frame.distance_mm[2, 5] == pytest.approx(200.0, abs=5)
    assert rig.driver.frames_missed == 0


@pytest.mark.parametrize(
    ("measurement", "window", "low", "high", "met"),
    [
        (Measurement.DISTANCE_MM, Window.INSIDE, 390, 410, True),
        (Measurement.DISTANCE_MM, Window.OUTSIDE, 390, 410, False),
        (Measurement.DISTANCE_MM, Window.ABOVE_HIGH, 0, 390, True),
        (Measurement.SIGNAL_KCPS, Window.AT_MOST_LOW, 1e5, 0, True),
        (Measurement.SIGMA_MM, Window.ABOVE_HIGH, 0, 50, False),
        (Measurement.AMBIENT_KCPS, Window.INSIDE, 2, 4, True),
        (Measurement.TARGETS, Window.EQUAL_LOW, 1, 0, True),
        (Measurement.STATUS, Window.NOT_EQUAL_LOW, 5, 0, False),
        (Measurement.SPADS, Window.INSIDE, 1, 16, True),
    ],
)
def test_every_measurement_and_window(
    measurement: Measurement, window: Window, low: float, high: float, met: bool
) -> None:
    entry = Threshold(0, 0, measurement, window, low, high)
    rig = Rig(grid(400.0), settings=TofSettings(thresholds=(entry,)))
    rig.driver.start()
    rig.clock.sleep(0.1)  # the first frame bears other statuses
    if met:
        rig.driver.read(timeout_s=0.5)
    else:
        with pytest.raises(StaleFrameError):
            [rig.driver.read(timeout_s=0.5) for _ in range(2)]


def test_two_conditions_of_a_zone_at_4x4() -> None:
    near = Threshold(1, 1, Measurement.DISTANCE_MM, Window.AT_MOST_LOW, 500, both=True)
    bright = Threshold(1, 1, Measurement.SIGNAL_KCPS, Window.ABOVE_HIGH, 0, 1e5, both=True)
    rig = Rig(grid(400.0), settings=TofSettings(zones=4, thresholds=(near, bright)))
    rig.driver.start()
    with pytest.raises(StaleFrameError):
        rig.driver.read(timeout_s=0.5)


def test_autostop_ends_with_the_event_and_starts_again() -> None:
    rig = Rig(grid(200.0), settings=TofSettings(thresholds=(ENTRY,), autostop=True))
    rig.driver.start()
    first = rig.driver.read(timeout_s=1.0)
    with pytest.raises(StaleFrameError):
        rig.driver.read(timeout_s=1.0)
    rig.driver.stop()
    rig.driver.start()
    assert rig.driver.read(timeout_s=1.0).frame_id <= first.frame_id


def test_autonomous_mode() -> None:
    rig = started(TofSettings(mode=RangingMode.AUTONOMOUS, integration_ms=10))
    began_s = rig.now_s
    for _ in range(15):
        rig.driver.read()
    assert rig.now_s - began_s == pytest.approx(1.0, rel=0.05)
