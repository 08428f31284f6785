"""Our driver beside the manufacturer's sequence as depz-sensor-sdk carries it, unmodified, on the same simulated chip.

Two programs that know nothing of each other must read the same values out of the same bytes, and find in the chip's
memory what the other one wrote there.
"""

from typing import Any

import numpy as np
import pytest
from depz_sensor_sdk.vl53l8 import cnh as depz_cnh
from depz_sensor_sdk.vl53l8 import uld

from drivers.sim.bus import Transfer
from drivers.sim.vl53l8ch_optics import ChipOptics
from drivers.vl53l8ch_calibration import CrosstalkTarget
from drivers.vl53l8ch_cnh import CnhDecoder, CnhSettings
from drivers.vl53l8ch_frame import FrameDecoder, zone_of_cell
from drivers.vl53l8ch_settings import (
    EVERYTHING,
    Measurement,
    RangingMode,
    TargetOrder,
    Threshold,
    TofSettings,
    Window,
)
from tests.unit.drivers.planes import STAIRS, PlaneView, Rig, grid
from tests.unit.drivers.test_vl53l8ch_model import Platform, booted, next_frame, ranging

MOTION_BYTES = 144  # header and payload of the block that the ULD always asks for and we never do


def mixed_view() -> PlaneView:
    """Targets of every kind: near, far, dark, oblique, none."""
    distance, reflectance, cosine = STAIRS.copy(), grid(0.5), grid(1.0)
    distance[0, :3] = np.nan
    distance[1] = np.linspace(15.0, 120.0, 8)
    distance[2], reflectance[2] = 2500.0, 0.1
    cosine[3] = np.linspace(0.1, 0.9, 8)
    return PlaneView(distance, reflectance, incidence_cos=cosine)


def assert_agree(theirs: dict[str, Any], decoder: FrameDecoder, raw: bytes) -> None:
    """Value for value; theirs cuts distances down to whole millimetres and up to 0."""
    ours = decoder.decode(raw, 0)
    cells = decoder.zone_of_cell

    def in_scene(name: str) -> np.ndarray:
        return np.array(theirs[name])[cells]

    assert np.array_equal(in_scene("target_status"), ours.status)
    assert np.array_equal(in_scene("signal_per_spad"), ours.signal_kcps)
    assert np.array_equal(in_scene("ambient_per_spad"), ours.ambient_kcps)
    assert np.array_equal(in_scene("range_sigma_mm"), ours.sigma_mm)
    assert np.array_equal(in_scene("reflectance"), ours.reflectance_pct)
    assert np.array_equal(in_scene("nb_spads_enabled") / 256.0, ours.spads)
    valid = np.isin(ours.status, (5, 6, 9, 10))
    assert np.array_equal(~np.isnan(ours.distance_mm), valid)
    assert np.array_equal(in_scene("distance_mm")[valid], np.floor(ours.distance_mm[valid]))
    assert theirs["silicon_temp_degc"] == ours.temperature_c


@pytest.mark.parametrize(("zones", "hz"), [(8, 15), (4, 60)])
def test_the_uld_reads_our_frames_as_we_do(zones: Any, hz: int) -> None:
    settings = TofSettings(zones=zones, frequency_hz=hz, outputs=EVERYTHING)
    rig = Rig(settings=settings)
    rig.scene.view = mixed_view()
    rig.driver.start()
    decoder = FrameDecoder(settings)
    reader: Any = uld.VL53L8CX(Platform(rig), variant="ch")
    reader.data_read_size = decoder.size
    for _ in range(5):
        rig.driver.read()
        raw = rig.bus.transfer(0x29, b"\0\0", decoder.size)
        assert_agree(reader.parse_frame(raw), decoder, raw)


@pytest.mark.parametrize(("zones", "hz"), [(8, 15), (4, 60)])
def test_we_read_the_frames_of_the_uld_as_it_does(zones: Any, hz: int) -> None:
    rig = Rig()
    rig.scene.view = mixed_view()
    chip = ranging(rig, zones * zones, hz)
    decoder = FrameDecoder(TofSettings(zones=zones, frequency_hz=hz, outputs=EVERYTHING))
    for _ in range(5):
        next_frame(rig, chip)
        raw = rig.bus.transfer(0x29, b"\0\0", chip.data_read_size)
        without_motion = raw[: -12 - MOTION_BYTES] + raw[-12:]
        assert_agree(chip.parse_frame(raw), decoder, without_motion)


def test_the_uld_finds_our_settings_in_the_chip() -> None:
    entry = Threshold(0, 7, Measurement.DISTANCE_MM, Window.INSIDE, 150, 300)
    settings = TofSettings(
        frequency_hz=7,
        mode=RangingMode.AUTONOMOUS,
        integration_ms=11,
        sharpener_pct=14,
        target_order=TargetOrder.CLOSEST,
        crosstalk_margin_kcps=40.0,
        thresholds=(entry,),
    )
    rig = Rig(settings=settings)
    rig.driver.start()
    rig.driver.stop()
    chip: Any = uld.VL53L8CX(Platform(rig), variant="ch")
    assert chip.get_resolution() == 64
    assert chip.get_ranging_frequency_hz() == 7
    assert chip.get_ranging_mode() == uld.RANGING_MODE_AUTONOMOUS
    assert chip.get_integration_time_ms() == 11
    assert chip.get_sharpener_percent() == 14
    assert chip.get_target_order() == uld.TARGET_ORDER_CLOSEST
    assert chip.get_xtalk_margin() == 40.0
    assert chip.get_detection_thresholds_enable() == 1
    first = chip.get_detection_thresholds()[0]
    assert (first["low_thresh"], first["high_thresh"], first["measurement"], first["type"]) == (150, 300, 1, 0)
    assert first["zone_num"] == 0 | uld.LAST_THRESHOLD  # top right of the scene is zone 0


class Writes:
    """Remembers what is written to the chip."""

    def __init__(self) -> None:
        self.seen: list[bytes] = []

    def before(self, transfer: Transfer) -> None:
        if len(transfer.write) > 2:
            self.seen.append(transfer.write)

    def after(self, transfer: Transfer, data: bytes) -> bytes:
        del transfer
        return data


def test_our_boot_writes_what_the_uld_writes_in_its_order() -> None:
    """Goal: no step of the manufacturer's boot is lost. Method: both on the same specimen, write by write."""
    theirs, ours = Rig(), Rig()
    records = Writes(), Writes()
    theirs.bus.faults.append(records[0])
    ours.bus.faults.append(records[1])
    booted(theirs)
    ours.driver.boot()
    assert len(records[0].seen) > 80
    assert records[1].seen == records[0].seen


@pytest.mark.parametrize("resolution", [16, 64])
def test_both_leave_the_same_calibration_in_the_chip(resolution: int) -> None:
    """Goal: our averaging to 4 x 4 is the manufacturer's. Method: compare the parameter memory after either."""

    def memory(rig: Rig) -> dict[int, bytes]:
        parameters = rig.chip._parameters
        assert parameters is not None
        spans = ((0x5450, 8), (0x9E14, 0x9FD8 - 0x9E14), (0x9FD8, 0xA29C - 0x9FD8), (0xAD38, 16))
        return {start: parameters[start : start + size] for start, size in spans}

    theirs, ours = Rig(), Rig(settings=TofSettings(zones=4 if resolution == 16 else 8))
    booted(theirs).set_resolution(resolution)
    ours.driver.start()
    assert memory(ours) == memory(theirs)


def test_histogram_configuration_is_byte_for_byte_theirs() -> None:
    theirs = depz_cnh.CnhConfig()
    theirs.init_config(4, 20, 2)
    theirs.create_agg_map(64, 0, 0, 2, 2, 4, 4)
    cells = zone_of_cell(8)
    ours = CnhSettings(tuple(np.array(theirs.map_id)[cells].ravel().tolist()), bins=20, first_bin=4, sub_sample=2)
    assert ours.packed(cells) == theirs.pack()
    assert ours.memory_bytes == theirs.required_memory()
    assert ours.captured_mm == pytest.approx(theirs.min_max_distance_mm(), abs=1)
    assert ours.bin_centres_mm.tolist() == pytest.approx([theirs.bin_center_mm(number) for number in range(20)])


@pytest.mark.parametrize(("rows", "bins"), [(4, 18), (8, 18), (2, 100), (1, 7)])
def test_histograms_agree(rows: int, bins: int) -> None:
    cnh = CnhSettings.tiled(rows, rows, bins=bins)
    settings = TofSettings(frequency_hz=5, outputs=EVERYTHING, cnh=cnh)
    rig = Rig(settings=settings)
    rig.scene.view = mixed_view()
    rig.driver.start()
    rig.driver.read()
    raw = rig.bus.transfer(0x29, b"\0\0", settings.frame_bytes)
    reader: Any = uld.VL53L8CX(Platform(rig), variant="ch")
    reader.data_read_size = settings.frame_bytes
    config = depz_cnh.CnhConfig()
    config.nb_of_aggregates, config.feature_length = cnh.aggregates, bins
    theirs = depz_cnh.decode(config, reader.parse_frame(raw)["cnh_raw"])
    ours = FrameDecoder(settings).decode(raw, 0).cnh
    assert ours is not None
    assert ours.histogram_kcps.tolist() == [each["hist"] for each in theirs["aggregates"]]
    assert ours.ambient_kcps.tolist() == [each["ambient"] for each in theirs["aggregates"]]
    assert ours.reference_residual == theirs["ref_residual"]


def test_histograms_of_a_session_of_theirs() -> None:
    rig = Rig(grid(500.0))
    chip = booted(rig)
    chip.set_resolution(64)
    chip.set_ranging_frequency_hz(10)
    config = depz_cnh.CnhConfig()
    config.init_config(0, 24, 1)
    config.create_agg_map(64, 0, 0, 2, 2, 4, 4)
    chip.dci_write_data(depz_cnh.MI_CFG_DEV_IDX, config.pack())
    chip.start_ranging(cnh_data_size=config.required_memory())
    assert chip.frame_size_mismatch is None
    block = next_frame(rig, chip)["cnh_raw"]
    ours = CnhDecoder(CnhSettings.tiled(4, 4, bins=24)).decode(np.frombuffer(block, "<u4"), block)
    theirs = depz_cnh.decode(config, block)
    assert ours.histogram_kcps.tolist() == [each["hist"] for each in theirs["aggregates"]]


def test_the_uld_sleeps_wakes_and_boots_the_chip() -> None:
    rig = Rig()
    chip = booted(rig)
    for mode in (uld.POWER_MODE_SLEEP, uld.POWER_MODE_WAKEUP, uld.POWER_MODE_DEEP_SLEEP, uld.POWER_MODE_WAKEUP):
        chip.set_power_mode(mode)
        assert chip.get_power_mode() == mode
    chip.start_ranging()
    next_frame(rig, chip)


def test_crosstalk_calibrations_agree() -> None:
    def behind_glass() -> Rig:
        rig = Rig()
        rig.chip.optics = ChipOptics(window_kcps=100.0)
        return rig

    theirs, ours = behind_glass(), behind_glass()
    chip = booted(theirs)
    chip.calibrate_xtalk(3, 4, 700)
    assert not chip.xtalk_calibration_failed
    assert ours.driver.calibrate_crosstalk(CrosstalkTarget(700, 3, 4)) == chip.xtalk_data


def test_the_uld_finds_no_crosstalk_where_there_is_no_window() -> None:
    chip = booted(Rig())
    chip.calibrate_xtalk(3, 1, 600)
    assert chip.xtalk_calibration_failed


def test_thresholds_of_theirs_work_on_the_chip() -> None:
    rig = Rig(grid(400.0))
    chip = booted(rig)
    chip.set_resolution(64)
    chip.set_ranging_frequency_hz(15)
    entry = {"low_thresh": 100, "high_thresh": 200, "measurement": 1, "type": 0, "zone_num": 0 | uld.LAST_THRESHOLD}
    chip.set_detection_thresholds([entry])
    chip.set_detection_thresholds_enable(True)
    chip.set_detection_thresholds_auto_stop(True)
    chip.start_ranging()
    rig.clock.sleep(1.0)
    assert not chip.check_data_ready()
    rig.scene.view = PlaneView(grid(150.0))
    next_frame(rig, chip)
    assert chip.p.rd_multi(0x2FFC, 4) == b"\xff\x04\x00\x00"
    chip.stop_ranging()
