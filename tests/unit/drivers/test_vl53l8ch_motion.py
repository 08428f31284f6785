"""The motion indicator: driver and simulated chip together, and the configuration beside the manufacturer's driver."""

from typing import Any

import numpy as np
import pytest

from drivers.errors import FrameCorruptError, SettingError
from drivers.sim.vl53l8ch_cnh import CONFIGURATION
from drivers.vl53l8ch_cnh import CnhSettings
from drivers.vl53l8ch_frame import zone_of_cell
from drivers.vl53l8ch_motion import MotionSettings, decode_motion
from drivers.vl53l8ch_settings import TofSettings
from tests.unit.drivers.planes import PlaneView, Rig, grid
from tests.unit.drivers.test_vl53l8ch_model import booted

STILL_MAX = 10.0
THRESHOLD = 44.0


def looking(zones: Any = 8) -> Rig:
    """A chip that looks for motion between 400 and 1500 mm, at a wall 1 m away."""
    rig = Rig(grid(1000.0))
    rig.driver.start(settings=TofSettings(zones=zones, motion=MotionSettings()))
    return rig


@pytest.mark.parametrize("zones", [4, 8])
def test_a_scene_that_stands_still_moves_nothing(zones: int) -> None:
    rig = looking(zones)
    for _ in range(20):
        motion = rig.driver.read().motion
        assert motion is not None
        assert motion.groups == 0
        assert motion.intensity.shape == (4, 4)
        assert float(motion.intensity.max()) < STILL_MAX


@pytest.mark.parametrize("zones", [4, 8])
@pytest.mark.parametrize(("row", "column"), [(0, 0), (1, 3), (3, 2)])
def test_what_moves_shows_in_its_own_place(zones: int, row: int, column: int) -> None:
    """Method: one group of the wall comes 200 mm nearer between two frames."""
    rig = looking(zones)
    for _ in range(5):
        rig.driver.read()
    nearer = grid(1000.0)
    nearer[2 * row : 2 * row + 2, 2 * column : 2 * column + 2] = 800.0
    rig.scene.view = PlaneView(nearer)
    rig.clock.sleep(0.1)
    motion = rig.driver.read().motion
    assert motion is not None
    assert motion.groups == 1
    assert np.unravel_index(int(motion.intensity.argmax()), (4, 4)) == (row, column)
    assert motion.indicator == motion.intensity.max() > THRESHOLD


def test_what_moves_outside_of_the_window_is_not_looked_at() -> None:
    rig = Rig(grid(3000.0))
    rig.driver.start(settings=TofSettings(motion=MotionSettings(400, 1000)))
    for _ in range(5):
        rig.driver.read()
    rig.scene.view = PlaneView(grid(2500.0))
    rig.clock.sleep(0.1)
    motion = rig.driver.read().motion
    assert motion is not None
    assert motion.groups == 0


@pytest.mark.parametrize(("nearest", "furthest"), [(400, 1500), (500, 2000), (2500, 4000)])
def test_the_configuration_is_the_manufacturers_but_for_the_orientation(nearest: int, furthest: int) -> None:
    rig = Rig()
    chip = booted(rig)
    chip.set_resolution(64)
    theirs = chip.motion_indicator_init(64)
    chip.motion_indicator_set_distance_motion(theirs, nearest, furthest)
    assert chip.dci_read_data(CONFIGURATION, 156)[:28] == theirs.pack()[:28]
    ours = MotionSettings(nearest, furthest).packed(zone_of_cell(8))
    assert ours[:28] == theirs.pack()[:28]
    assert ours[92:] == theirs.pack()[92:]
    ours_map, their_map = np.frombuffer(ours, np.int8, 64, 28), np.frombuffer(theirs.pack(), np.int8, 64, 28)
    assert np.array_equal(ours_map[zone_of_cell(8)], their_map.reshape(8, 8)), "theirs counts as if zone 0 were left"


def test_the_manufacturers_driver_reads_the_same_block() -> None:
    rig = Rig(grid(1000.0))
    chip = booted(rig)
    chip.set_resolution(64)
    chip.set_ranging_frequency_hz(15)
    chip.motion_indicator_set_distance_motion(chip.motion_indicator_init(64), 400, 1500)
    chip.start_ranging()
    rig.clock.sleep(0.2)
    assert chip.check_data_ready()
    found = chip.get_ranging_data()["motion_indicator"]
    assert found["nb_of_aggregates"] == 16
    assert found["nb_of_detected_aggregates"] == 0


@pytest.mark.parametrize(
    ("make", "field", "nearest"),
    [
        (lambda: MotionSettings(399, 1000), "motion.nearest_mm", 400),
        (lambda: MotionSettings(400, 1901), "motion.furthest_mm", 1900),
        (lambda: MotionSettings(3000, 4001), "motion.furthest_mm", 4000),
        (lambda: MotionSettings(1000, 1000), "motion.furthest_mm", 2500),
        (lambda: TofSettings(motion=MotionSettings(), cnh=CnhSettings.tiled()), "motion", None),
    ],
)
def test_the_impossible_is_refused(make: Any, field: str, nearest: int | None) -> None:
    with pytest.raises(SettingError) as caught:
        make()
    assert (caught.value.field, caught.value.nearest) == (field, nearest)


@pytest.mark.parametrize("counts", [[0, 17, 16, 0], [0, 0, 15, 0]])
def test_impossible_counts_are_refused(counts: list[int]) -> None:
    words = np.zeros(35, "<u4")
    words[2:3].view(np.uint8)[:] = counts
    with pytest.raises(FrameCorruptError):
        decode_motion(words, b"")
