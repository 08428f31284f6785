"""The production driver of the VL53L8CH on the simulated chip: rates, truth, and what it does about trouble."""

import random
from typing import Any

import numpy as np
import pytest

from drivers.bus import NakError, RealClock
from drivers.errors import (
    DriverError,
    FirmwareError,
    FrameCorruptError,
    NotFoundError,
    SensorFaultError,
    StaleFrameError,
)
from drivers.sim.bus import SimBus, Transfer
from drivers.sim.faults import BitFlips, NakBurst
from drivers.sim.vl53l8ch import SimVl53l8ch
from drivers.vl53l8ch import Vl53l8ch
from drivers.vl53l8ch_settings import EVERYTHING, TofSettings
from tests.unit.drivers.planes import STAIRS, PlaneView, Rig, Still, grid


class Rewrite:
    """A fault that passes reads of at least `read_len_min` bytes through `change`."""

    def __init__(self, change: Any, read_len_min: int = 1300) -> None:
        self.change = change
        self.read_len_min = read_len_min

    def before(self, transfer: Transfer) -> None:
        pass

    def after(self, transfer: Transfer, data: bytes) -> bytes:
        del transfer
        return self.change(data) if len(data) >= self.read_len_min else data


def patched(offset: int, value: bytes) -> Rewrite:
    """A frame with `value` in place of what is at `offset` of the wire."""
    return Rewrite(lambda data: data[:offset] + value + data[offset + len(value) :])


@pytest.fixture
def rig() -> Rig:
    return Rig(settings=TofSettings(outputs=EVERYTHING))


@pytest.fixture
def running(rig: Rig) -> Rig:
    rig.driver.start()
    rig.driver.read()
    return rig


def test_frames_show_the_scene_in_its_orientation(running: Rig) -> None:
    frames = [running.driver.read() for _ in range(40)]
    distance_mm = np.mean([frame.distance_mm for frame in frames], axis=0)
    assert distance_mm == pytest.approx(STAIRS, abs=0.6)
    last = frames[-1]
    assert last.status.dtype == np.uint8
    assert (last.status == 5).all()
    assert last.reflectance_pct == pytest.approx(grid(50.0), abs=0.5)
    assert last.ambient_kcps == pytest.approx(grid(3.0), abs=0.01)
    assert last.signal_kcps == pytest.approx(2.06e8 * 0.5 / STAIRS**2, rel=0.001)
    assert (last.sigma_mm > 0.9).all()
    assert (last.spads >= 1).all()
    assert (last.spads <= 16).all()
    assert last.captured_ns == running.clock.monotonic_ns()


def test_one_zone_without_target_is_nan_where_the_scene_has_it(running: Rig) -> None:
    hole = STAIRS.copy()
    hole[2, 1] = np.nan
    running.scene.view = PlaneView(hole)
    running.driver.read()
    frame = running.driver.read()
    assert np.isnan(frame.distance_mm).sum() == 1
    assert np.isnan(frame.distance_mm[2, 1])
    assert frame.status[2, 1] == 255


def test_rejected_statuses_are_nan_but_stay_visible(running: Rig) -> None:
    running.scene.view = PlaneView(grid(2500.0), reflectance=grid(0.1))
    running.driver.read()
    frame = running.driver.read()
    assert np.isnan(frame.distance_mm).all()
    assert (frame.status == 3).all()


@pytest.mark.parametrize(("bus_hz", "rate_hz"), [(1_000_000, 15), (400_000, 15), (100_000, 9)])
def test_rate_is_what_the_bus_carries(bus_hz: int, rate_hz: int) -> None:
    rig = Rig(bus_hz=bus_hz)
    rig.driver.start(rate_hz)
    rig.driver.read()
    began_s = rig.now_s
    first, *_, last = [rig.driver.read() for _ in range(60)]
    assert 60 / (rig.now_s - began_s) == pytest.approx(rate_hz, rel=0.03)
    assert rig.driver.frames_missed == last.frame_id + 1 - 61
    assert last.frame_id > first.frame_id


def test_polls_little(running: Rig) -> None:
    """Goal: the driver sleeps until a frame is due. Method: count status reads once it has found the rhythm."""
    for _ in range(20):
        running.driver.read()
    before = running.driver.polls
    for _ in range(100):
        running.driver.read()
    assert (running.driver.polls - before) / 100 <= 4


def test_a_slow_reader_gets_the_newest_frame_and_the_count_of_the_others(running: Rig) -> None:
    running.clock.sleep(10.0)
    frame = running.driver.read()
    assert frame.frame_id == pytest.approx(150, abs=2)
    assert running.driver.frames_missed == frame.frame_id - 1


@pytest.mark.parametrize("frequency_hz", [1, 5, 10])
def test_other_rates(rig: Rig, frequency_hz: int) -> None:
    rig.driver.start(frequency_hz)
    rig.driver.read(3.0)
    began_s = rig.now_s
    for _ in range(10):
        rig.driver.read(3.0)
    assert 10 / (rig.now_s - began_s) == pytest.approx(frequency_hz, rel=0.03)


@pytest.mark.parametrize("frequency_hz", [0, 16])
def test_impossible_rate_is_refused_by_name(rig: Rig, frequency_hz: int) -> None:
    with pytest.raises(ValueError, match=f"frequency_hz is {frequency_hz}"):
        rig.driver.start(frequency_hz)


def test_stop_and_start_again(running: Rig) -> None:
    running.driver.stop()
    with pytest.raises(SensorFaultError, match="not been started"):
        running.driver.read()
    running.driver.stop()
    before = running.bus.wire_bytes
    running.driver.start(5)
    assert running.bus.wire_bytes - before < 8_000  # the firmware is still there
    assert running.driver.read().frame_id == 0


def test_nothing_on_the_bus(rig: Rig) -> None:
    rig.bus.detach(rig.chip)
    with pytest.raises(NotFoundError, match="no VL53L8CH at 0x29: nothing answers"):
        rig.driver.start()


def test_another_chip_at_the_address(rig: Rig) -> None:
    rig.bus.faults.append(Rewrite(lambda data: b"\xf0\x02" if len(data) == 2 else data, 2))
    with pytest.raises(NotFoundError, match="identity is F0 02, must be F0 0C") as caught:
        rig.driver.start()
    assert caught.value.received == b"\xf0\x02"


def test_damaged_download_is_a_firmware_error(rig: Rig) -> None:
    class Damage:
        """Flips a bit of one piece of the download on its way to the chip."""

        def present_at(self, address: int) -> bool:
            return rig.chip.present_at(address)

        def write(self, data: bytes) -> None:
            rig.chip.write(data[:100] + bytes([data[100] ^ 4]) + data[101:] if len(data) > 4000 else data)

        def read(self, count: int) -> bytes:
            return rig.chip.read(count)

        def power_cycle(self) -> None:
            rig.chip.power_cycle()

    rig.bus.detach(rig.chip)
    rig.bus.attach(Damage())
    with pytest.raises(FirmwareError) as caught:
        rig.driver.start()
    assert caught.value.expected == 0x0C0B6C9E
    assert caught.value.received != 0x0C0B6C9E


def test_laser_fault(rig: Rig) -> None:
    rig.chip.laser_fault = 1
    with pytest.raises(SensorFaultError, match="laser safety"):
        rig.driver.start()


def test_chip_that_never_boots(rig: Rig) -> None:
    rig.bus.faults.append(Rewrite(lambda data: b"\x00" if len(data) == 1 else data, 1))
    with pytest.raises(SensorFaultError, match="does not answer in time"):
        rig.driver.start()


def test_brown_out_while_ranging_is_noticed_and_a_start_heals_it(running: Rig) -> None:
    running.chip.power_cycle()
    with pytest.raises(SensorFaultError, match="restarted and lost its firmware"):
        running.driver.read()
    running.driver.start()
    assert running.driver.read().distance_mm == pytest.approx(STAIRS, abs=6)


def test_lost_chip_passes_the_bus_error_up_and_comes_back(running: Rig) -> None:
    running.bus.faults.append(NakBurst(0x29, 3))
    for _ in range(3):
        with pytest.raises(NakError):
            running.driver.read()
    running.driver.read()


def test_stuck_chip_is_stale(running: Rig) -> None:
    stuck = running.bus.transfer(0x29, b"\x00\x00", 4)
    running.bus.faults.append(Rewrite(lambda data: stuck if len(data) == 4 else data, 4))
    began_s = running.now_s
    with pytest.raises(StaleFrameError, match="the last was number 0") as caught:
        running.driver.read(timeout_s=0.3)
    assert caught.value.waited_s == pytest.approx(0.3, abs=0.01)
    assert running.now_s - began_s == pytest.approx(0.3, abs=0.01)


def test_error_flag_of_the_chip(running: Rig) -> None:
    running.bus.faults.append(Rewrite(lambda data: b"\x07\x05\x9c\x91" if len(data) == 4 else data, 4))
    with pytest.raises(SensorFaultError, match="0x9C") as caught:
        running.driver.read()
    assert caught.value.code == 0x9C


@pytest.mark.parametrize(
    ("offset", "value", "field"),
    [
        (16, b"\x54\xb4\x00\xc1", "block header"),
        (1296, b"\x00\x00\x00\x63", "frame number at the end"),
        (1288, b"\x00\x00\x00\x0c", "block header"),
        (8, b"\x00\x00\x30\x01", "frame number at the end"),
        (28 + 3, b"\x7f", "temperature"),
        (564 + 4, b"\x01\x01\x03\x01", "targets in a zone"),
        (1224 + 4, b"\x05\x05\x05\x1e", "target status"),
        (1020 + 4, b"\x7f\xff\x03\x20", "distance"),
    ],
)
def test_impossible_frames_are_refused_with_their_evidence(running: Rig, offset: int, value: bytes, field: str) -> None:
    fault = patched(offset, value)
    running.bus.faults.append(fault)
    with pytest.raises(FrameCorruptError) as caught:
        running.driver.read()
    assert caught.value.field == field
    assert len(caught.value.raw) == 1300
    running.bus.faults.remove(fault)
    running.driver.read()


def test_frame_numbers_move_on_with_time(running: Rig) -> None:
    """Goal: a frame from the future does not pass. Method: both counters of a frame agree on it."""
    number = 9_000

    def renumber(data: bytes) -> bytes:
        word = number.to_bytes(4, "big")
        return data[:8] + word + data[12:1296] + word

    running.bus.faults.append(Rewrite(renumber))
    with pytest.raises(FrameCorruptError, match=f"frame number is {number}, must be 1 to"):
        running.driver.read()


def test_a_count_that_has_jumped_is_followed_after_one_refusal(running: Rig) -> None:
    def later(data: bytes) -> bytes:
        word = (int.from_bytes(data[8:12], "big") + 9_000).to_bytes(4, "big")
        return data[:8] + word + data[12:1296] + word

    running.bus.faults.append(Rewrite(later))
    with pytest.raises(FrameCorruptError):
        running.driver.read()
    ids = [running.driver.read().frame_id for _ in range(3)]
    assert ids == [9_002, 9_003, 9_004]
    assert running.driver.frames_missed == 9_001


def test_one_flipped_bit_in_the_status_is_not_believed(running: Rig) -> None:
    """Goal: bad news that doesn't repeat itself costs nothing. Method: the error bit is set in one status only."""

    told: list[bytes] = []

    def once(data: bytes) -> bytes:
        if told or len(data) != 4:
            return data
        told.append(data)
        return data[:3] + bytes([data[3] | 0x80])

    running.bus.faults.append(Rewrite(once, 4))
    running.driver.read()
    assert told


def test_a_faulty_chip_is_not_asked_to_stop(running: Rig) -> None:
    running.chip.power_cycle()
    with pytest.raises(SensorFaultError):
        running.driver.read()
    before_s = running.now_s
    running.driver.stop()
    assert running.now_s == before_s
    with pytest.raises(SensorFaultError, match="found faulty"):
        running.driver.read()


def test_flipped_bits_never_leave_the_bounds(running: Rig) -> None:
    """Goal: whatever a flipped bit does, it ends in a DriverError or in values within their documented ranges."""
    rng = random.Random(11)  # noqa: S311 - a seeded fault, no secret
    flips = BitFlips(0x29, 0.5, rng)
    running.bus.faults.append(flips)
    refused = 0
    for _ in range(400):
        try:
            frame = running.driver.read(timeout_s=0.5)
        except DriverError:
            refused += 1
            continue
        seen = frame.distance_mm[~np.isnan(frame.distance_mm)]
        assert ((seen >= 0) & (seen <= 4000)).all()
        assert (frame.reflectance_pct <= 127.5).all()
    assert flips.flipped > 200
    assert refused > 10


def test_the_download_respects_the_message_limit(rig: Rig) -> None:
    longest = 0

    class Watch(Rewrite):
        def before(self, transfer: Transfer) -> None:
            nonlocal longest
            longest = max(longest, len(transfer.write), transfer.read_len)

    rig.bus.faults.append(Watch(lambda data: data))
    rig.driver.start()
    assert longest == 4098


def test_ranges_in_real_time_too() -> None:
    """Goal: the same line on a clock that runs 200 times as fast as life."""
    clock = RealClock(speed=200)
    bus = SimBus("sim", clock)
    bus.attach(SimVl53l8ch(clock, Still(PlaneView(STAIRS))))
    driver = Vl53l8ch(bus)
    driver.start()
    ids = [driver.read(timeout_s=60.0).frame_id for _ in range(5)]
    assert ids == sorted(set(ids))
    driver.stop()
