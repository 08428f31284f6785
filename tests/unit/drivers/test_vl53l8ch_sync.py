"""The sync pin: one frame for every rising edge, by driver and simulated chip together."""

import pytest

from drivers.errors import StaleFrameError
from drivers.sim.vl53l8ch_rhythm import Triggered
from drivers.vl53l8ch_settings import RangingMode, TofSettings
from tests.unit.drivers.planes import Rig

SETTINGS = TofSettings(mode=RangingMode.AUTONOMOUS, integration_ms=10, sync_pin=True)
BUSY_S = 0.041  # four integrations of 10 ms, and 1 ms


@pytest.fixture
def rig() -> Rig:
    rig = Rig()
    rig.driver.start(settings=SETTINGS)
    return rig


def test_without_an_edge_there_is_no_frame_and_no_laser(rig: Rig) -> None:
    with pytest.raises(StaleFrameError, match="none has come yet"):
        rig.driver.read(0.5)
    assert rig.chip.laser_share(0.0, rig.now_s) == 0.0


def test_every_edge_makes_one_frame_as_soon_as_it_can_be_there(rig: Rig) -> None:
    """Method: edges at uneven times, as an encoder gives them; each frame is read before the next edge."""
    for number, pause_s in enumerate((0.05, 0.3, 0.043, 1.7, 0.06)):
        rig.clock.sleep(pause_s)
        edge_s = rig.now_s
        assert rig.chip.sync_edge()
        frame = rig.driver.read(0.5)
        assert frame.frame_id == number
        assert frame.captured_ns / 1e9 - edge_s == pytest.approx(BUSY_S + 0.012, abs=0.004)
        assert rig.chip.laser_share(edge_s, edge_s + 0.040) == pytest.approx(1.0)
        with pytest.raises(StaleFrameError):
            rig.driver.read(0.02)


def test_frames_that_nobody_read_are_counted(rig: Rig) -> None:
    for _ in range(3):
        assert rig.chip.sync_edge()
        rig.clock.sleep(0.1)
    assert rig.driver.read(0.1).frame_id == 2
    rig.chip.sync_edge()
    rig.clock.sleep(0.1)
    rig.chip.sync_edge()
    rig.clock.sleep(0.1)
    assert rig.driver.read(0.1).frame_id == 4
    assert rig.driver.counters.missed == 1


def test_an_edge_during_a_frame_is_lost() -> None:
    rhythm = Triggered(busy_ns=41_000_000)
    assert rhythm.edge(0)
    assert not rhythm.edge(40_000_000)
    assert rhythm.edge(41_000_000)
    assert rhythm.lost == 1
    assert [rhythm.frame_id(at) for at in (0, 40_999_999, 41_000_000, 82_000_000)] == [0, 0, 0, 1]


def test_a_stop_finishes_the_frame_that_has_begun_and_needs_none(rig: Rig) -> None:
    before_s = rig.now_s
    rig.driver.stop()
    assert rig.now_s - before_s < 0.02, "no frame was under way"
    rig.driver.start()
    rig.chip.sync_edge()
    before_s = rig.now_s
    rig.driver.stop()
    assert rig.now_s - before_s == pytest.approx(BUSY_S, abs=0.02)
    assert not rig.chip.sync_edge(), "it has stopped"


def test_a_pause_keeps_the_pin_in_force(rig: Rig) -> None:
    rig.driver.pause()
    assert not rig.chip.sync_edge()
    rig.driver.resume()
    assert rig.chip.sync_edge()
    assert rig.driver.read(0.2).frame_id == 0


def test_in_continuous_mode_the_chip_takes_no_notice_of_the_pin() -> None:
    rig = Rig()
    rig.driver.start()
    assert not rig.chip.sync_edge()
    assert rig.driver.read().frame_id == 0
