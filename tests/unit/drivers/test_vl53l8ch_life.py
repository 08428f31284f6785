"""The life of a ranging chip: sleep, addresses, calibration, faults, drift, self-test; driver on simulated chip."""

import threading
from typing import Any

import numpy as np
import pytest

from drivers.bus import NakError
from drivers.errors import FrameCorruptError, NotFoundError, SensorFaultError, SettingError, StaleFrameError
from drivers.sim.faults import NakBurst
from drivers.sim.vl53l8ch import SimVl53l8ch
from drivers.sim.vl53l8ch_optics import ChipOptics
from drivers.vl53l8ch import Vl53l8ch
from drivers.vl53l8ch_calibration import CrosstalkTarget, NoCrosstalkError
from drivers.vl53l8ch_control import PowerMode
from drivers.vl53l8ch_selftest import self_test
from drivers.vl53l8ch_settings import TofSettings
from tests.unit.drivers.planes import STAIRS, PlaneView, Rig, grid


def started(settings: TofSettings, distance_mm: Any = STAIRS, **more: Any) -> Rig:
    rig = Rig(distance_mm, settings=settings, **more)
    rig.driver.start()
    rig.driver.read(3.0)
    return rig


def test_sleep_keeps_the_firmware_and_deep_sleep_does_not() -> None:
    rig = started(TofSettings())
    rig.driver.power(PowerMode.SLEEP)
    rig.driver.power(PowerMode.WAKE)
    rig.driver.start()
    rig.driver.read()
    assert rig.driver.counters.boots == 1
    rig.driver.power(PowerMode.DEEP_SLEEP)
    rig.driver.power(PowerMode.WAKE)
    rig.driver.start()
    rig.driver.read()
    assert rig.driver.counters.boots == 2


def test_a_dip_of_the_supply_between_two_sessions_is_noticed() -> None:
    rig = started(TofSettings())
    rig.driver.stop()
    rig.chip.power_cycle()
    rig.driver.start()
    rig.driver.read()
    assert rig.driver.counters.boots == 2


def test_two_sensors_on_one_bus() -> None:
    rig = Rig()
    other = SimVl53l8ch(rig.clock, rig.scene, seed=2)
    second = Vl53l8ch(rig.bus)
    rig.driver.move_to(0x2A)  # the other one is held in reset meanwhile
    rig.bus.attach(other)
    second.start(10)
    rig.driver.start(10)
    assert rig.driver.address == 0x2A
    for driver in (rig.driver, second, rig.driver, second):
        assert driver.read().distance_mm == pytest.approx(STAIRS, abs=6)
    with pytest.raises(SettingError, match="another chip answers there already"):
        rig.driver.move_to(0x29)
    with pytest.raises(SettingError, match="must be 0x08 to 0x77"):
        rig.driver.move_to(0x78)
    rig.driver.move_to(0x2A)


def test_moving_a_chip_that_is_not_there() -> None:
    rig = Rig()
    rig.bus.detach(rig.chip)
    with pytest.raises(NotFoundError):
        rig.driver.move_to(0x2A)


def test_crosstalk_calibration_takes_the_window_away() -> None:
    """Goal: behind glass, near targets seem nearer until the window is calibrated; the calibration can be kept."""
    rig = Rig(grid(250.0))
    rig.chip.optics = ChipOptics(window_kcps=300.0)

    def bias_mm(driver: Vl53l8ch) -> float:
        driver.start()
        driver.read()
        return float(np.mean([driver.read().distance_mm for _ in range(20)]) - 250.0)

    assert bias_mm(rig.driver) < -5
    began_s = rig.now_s
    kept = rig.driver.calibrate_crosstalk(CrosstalkTarget(samples=4))
    assert rig.now_s - began_s == pytest.approx(2.5, abs=0.3)
    assert len(kept) == 776
    assert not rig.driver.ranging
    assert rig.driver.calibration().crosstalk_kcps().mean() == pytest.approx(300.0, rel=0.01)
    assert bias_mm(rig.driver) == pytest.approx(0.0, abs=0.5)
    again = Vl53l8ch(rig.bus)
    again.use_crosstalk(kept)
    assert bias_mm(again) == pytest.approx(0.0, abs=0.5)


def test_without_a_window_there_is_nothing_to_calibrate() -> None:
    rig = started(TofSettings())
    with pytest.raises(NoCrosstalkError, match="too little crosstalk"):
        rig.driver.calibrate_crosstalk()
    rig.driver.start()
    assert rig.driver.read().distance_mm == pytest.approx(STAIRS, abs=6)


@pytest.mark.parametrize("wrong", [{"distance_mm": 599}, {"reflectance_pct": 0}, {"samples": 17}])
def test_impossible_calibration_targets(wrong: dict[str, int]) -> None:
    with pytest.raises(SettingError):
        CrosstalkTarget(**wrong)


@pytest.mark.parametrize("kept", [b"", bytes(776)])
def test_foreign_crosstalk_is_refused(kept: bytes) -> None:
    with pytest.raises(SettingError, match="crosstalk"):
        Rig().driver.use_crosstalk(kept)


def test_a_failed_processor_is_told_and_a_start_heals_it() -> None:
    rig = started(TofSettings())
    rig.chip.mcu_fault = 0x80
    with pytest.raises(SensorFaultError, match="0x80"):
        rig.driver.read()
    rig.driver.start()
    rig.driver.read()
    rig.driver.stop()
    rig.chip.mcu_fault = 0x81
    with pytest.raises(SensorFaultError, match="processor failed"):
        rig.driver.start()


def test_torn_frames_are_refused_and_read_again() -> None:
    """The frame behind a torn one is whole a moment later, and is not lost."""
    rig = started(TofSettings())
    rig.chip.torn = 1
    with pytest.raises(FrameCorruptError, match="frame number at the end"):
        rig.driver.read()
    assert [rig.driver.read().frame_id for _ in range(3)] == [1, 2, 3]
    assert rig.driver.counters.corrupt == {"frame number at the end": 1}


def test_a_frame_read_in_pieces_is_torn() -> None:
    """Goal: the registers show the newest frame at any time. Method: two halves, a period apart."""
    rig = started(TofSettings())
    size = rig.driver.settings.frame_bytes
    first = rig.bus.transfer(0x29, b"\0\0", size // 2)
    rig.clock.sleep(0.07)
    torn = first + rig.bus.transfer(0x29, (size // 2).to_bytes(2, "big"), size // 2)
    with pytest.raises(FrameCorruptError, match="frame number at the end"):
        rig.driver.decoder().decode(torn, 0)


def test_a_stuck_chip_is_stale_until_it_goes_on() -> None:
    rig = started(TofSettings())
    rig.chip.stuck = True
    with pytest.raises(StaleFrameError):
        [rig.driver.read(0.2) for _ in range(3)]
    assert rig.driver.counters.stale == 1
    rig.chip.stuck = False
    rig.driver.read(0.2)


def test_a_swapped_chip_is_named() -> None:
    rig = Rig()
    rig.chip.identity = bytes([0xF0, 0x02])
    rig.chip.power_cycle()
    with pytest.raises(NotFoundError, match="its identity is F0 02, must be F0 0C"):
        rig.driver.start()


def test_a_laser_fault_is_found_at_the_next_start() -> None:
    rig = started(TofSettings())
    rig.driver.stop()
    rig.chip.laser_fault = 4
    with pytest.raises(SensorFaultError, match="laser safety"):
        rig.driver.start()


def test_a_refused_setting_leaves_the_chip_at_its_work() -> None:
    rig = started(TofSettings(frequency_hz=5), bus_hz=100_000)
    with pytest.raises(SettingError):
        rig.driver.start(15)
    assert rig.driver.read().distance_mm == pytest.approx(STAIRS, abs=6)


class TranslucentView(PlaneView):
    translucency = grid(0.5)


def test_translucent_products_seem_further_away() -> None:
    rig = Rig()
    rig.chip.optics = ChipOptics(subsurface_mm=6.0)
    rig.scene.view = TranslucentView(grid(300.0))
    rig.driver.start()
    rig.driver.read()
    assert rig.driver.read().distance_mm.mean() == pytest.approx(303.0, abs=0.5)


def test_counters_tell_every_kind_of_trouble() -> None:
    rig = started(TofSettings())
    rig.bus.faults.append(NakBurst(0x29, 1))
    with pytest.raises(NakError):
        rig.driver.read()
    rig.clock.sleep(1.0)
    rig.driver.read()
    counters = rig.driver.counters
    assert (counters.bus_errors, counters.boots, counters.frames) == (1, 1, 2)
    assert counters.missed == rig.driver.frames_missed >= 14


def test_drift_is_taken_away_by_temperature_compensation() -> None:
    """Goal: what VHV repeats are for. Method: ten minutes of warming up, with and without."""

    def drift_mm(repeat: int) -> float:
        rig = Rig(grid(300.0), settings=TofSettings(frequency_hz=1, vhv_repeat_frames=repeat))
        rig.chip.optics = ChipOptics(uncompensated_mm_per_c=0.3)
        rig.driver.start()
        early = np.mean([rig.driver.read(2.0).distance_mm for _ in range(10)])
        rig.clock.sleep(600.0)
        return float(np.mean([rig.driver.read(2.0).distance_mm for _ in range(10)]) - early)

    assert drift_mm(0) > 4.0
    assert abs(drift_mm(20)) < 1.0


def test_optics_of_a_specimen() -> None:
    rig = started(TofSettings(), grid(300.0))
    rig.driver.stop()
    rig.chip.optics = ChipOptics(offset_mm=4.0, range_gain=0.01, film_transmission=0.8)
    rig.driver.start()
    rig.driver.read()
    frame = rig.driver.read()
    assert frame.distance_mm.mean() == pytest.approx(307.0, abs=0.5)
    assert frame.signal_kcps.mean() == pytest.approx(0.64 * 2.06e8 * 0.5 / 300**2, rel=0.01)
    assert ChipOptics.specimen(3) == ChipOptics.specimen(3) != ChipOptics.specimen(4)


def test_threads_share_a_driver() -> None:
    rig = started(TofSettings())
    ids: list[int] = []
    threads = [
        threading.Thread(target=lambda: ids.extend(rig.driver.read(9.0).frame_id for _ in range(50))) for _ in range(3)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(timeout=30)
    assert len(ids) == len(set(ids)) == 150


def test_self_test_of_a_healthy_chip_leaves_it_at_its_work() -> None:
    rig = started(TofSettings(frequency_hz=10))
    found = self_test(rig.driver)
    assert found.ok
    assert [step.name for step in found.steps] == ["identity", "firmware", "factory data", "memory", "module", "frames"]
    assert "10.0 Hz" in found.steps[-1].sentence
    assert "64 of 64 zones" in found.steps[-1].sentence
    rig.driver.read()


def test_self_test_names_what_is_wrong() -> None:
    rig = Rig()
    rig.chip.laser_fault = 1
    found = self_test(rig.driver)
    assert not found.ok
    assert found.steps[-1].sentence.startswith("the laser safety check failed: replace the sensor")
    rig.chip.supply = False
    assert "nothing answers" in self_test(rig.driver).steps[-1].sentence


def test_self_test_says_when_nothing_is_seen() -> None:
    rig = Rig(grid(np.nan))
    assert "is the window covered" in self_test(rig.driver).steps[-1].sentence
