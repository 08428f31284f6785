"""What the AS7341 driver can do beyond a frame: gains, flicker, self-test, counters; and what it must never do."""

import random
import struct
import threading

import adafruit_as7341
import numpy as np
import pytest

from drivers.as7341 import As7341, Flicker
from drivers.as7341_selftest import self_test
from drivers.as7341_settings import ASTEP_MAX, GAINS, STEP_US, Settings, steps_for
from drivers.bus import VirtualClock
from drivers.errors import FrameCorruptError, SensorFaultError, SettingError
from drivers.sim.as7341 import Defect, SimAs7341
from drivers.sim.bus import SimBus
from drivers.sim.faults import BitFlips
from drivers.sim.light import Spectrum, hall
from drivers.sim.scene import BELT_ONLY, BLACK_CAP, GREY_TILE, WHITE_TILE, Scene
from tests.unit.drivers.circuitpython import CircuitPythonBus


class Rig:
    """A scene, a chip, a bus, a driver."""

    def __init__(self, light=None, bus_hz: int = 400_000) -> None:
        self.clock = VirtualClock()
        self.scene = Scene(1)
        self.scene.stage = WHITE_TILE
        self.chip = SimAs7341(self.clock, self.scene if light is None else light, seed=3)
        self.bus = SimBus("rig", self.clock, bus_hz)
        self.bus.attach(self.chip)
        self.driver = As7341(self.bus)


@pytest.fixture
def rig() -> Rig:
    return Rig()


class Mains:
    """Light of the hall alone, flickering."""

    def __init__(self, hz: float, depth: float, level: float = 30.0) -> None:
        self.hz, self.depth, self.level = hz, depth, level

    def spectrum(self, time_s: float, led_ma: float, window_s: float = 0.0) -> Spectrum:
        del led_ma
        swing = self.depth * np.cos(2 * np.pi * self.hz * time_s) * np.sinc(self.hz * window_s)
        return self.level * hall() * (1.0 + swing)


def test_the_unmodified_library_agrees(rig: Rig, monkeypatch: pytest.MonkeyPatch) -> None:
    """Goal: an independent program on the same chip sees the same light. Method: averages of both, channel by channel,
    at the same gain, time and lamp current; what is left is noise of the mean.
    """
    rig.driver.start(gain=64, atime=29, astep=599, led_ma=20)
    ours = np.mean([rig.driver.read().counts for _ in range(20)], axis=0)
    rig.driver.stop()
    monkeypatch.setattr(adafruit_as7341, "sleep", rig.clock.sleep)
    monkeypatch.setattr(adafruit_as7341, "monotonic", lambda: rig.clock.monotonic_ns() / 1e9)
    library = adafruit_as7341.AS7341(CircuitPythonBus(rig.bus))
    library.gain, library.atime, library.astep = adafruit_as7341.Gain.GAIN_64X, 29, 599
    library.led_current, library.led = 20, True
    theirs = np.mean([(*library.all_channels, library.channel_clear, library.channel_nir) for _ in range(20)], axis=0)
    tolerance = 5 * np.sqrt((0.05 * ours + 1.0) / 10.0) + 0.5
    assert (np.abs(ours - theirs) <= tolerance).all(), (ours, theirs)


def test_both_drivers_write_the_same_settings(rig: Rig, monkeypatch: pytest.MonkeyPatch) -> None:
    """Register by register, after either driver has set the chip to the same thing and measured once."""
    registers = (0x81, 0xAA, 0xAF, 0xCA, 0xCB)
    rig.driver.start(gain=128, atime=100, astep=999, led_ma=4)
    rig.driver.read()
    ours = [rig.bus.transfer(0x39, bytes([each]), 1) for each in registers]
    tables = rig.bus.transfer(0x39, b"\x00", 20)
    rig.driver.stop()
    monkeypatch.setattr(adafruit_as7341, "sleep", rig.clock.sleep)
    monkeypatch.setattr(adafruit_as7341, "monotonic", lambda: rig.clock.monotonic_ns() / 1e9)
    library = adafruit_as7341.AS7341(CircuitPythonBus(rig.bus))
    assert library.all_channels
    assert [rig.bus.transfer(0x39, bytes([each]), 1) for each in registers] == ours
    assert rig.bus.transfer(0x39, b"\x00", 20) == tables


def test_nothing_is_done_against_the_data_sheet(rig: Rig) -> None:
    """No reserved bit, no register that is not there, no change of the configuration while the chip measures."""
    rig.driver.start()
    rig.driver.read()
    rig.driver.choose_gain()
    rig.driver.detect_flicker()
    rig.driver.read()
    assert self_test(rig.driver).ok
    rig.driver.stop()
    assert rig.chip.violations == []


@pytest.mark.parametrize("integration_ms", [0.01, 1.0, 8.333, 20.0, 50.0, 182.2, 1000.0, 5000.0, 46_000.0])
def test_integration_time_is_free(rig: Rig, integration_ms: float) -> None:
    atime, astep = steps_for(integration_ms)
    settings = Settings(1, atime, astep, 0)
    assert settings.integration_ms == pytest.approx(integration_ms, abs=max(STEP_US / 1000, integration_ms * 1e-4))
    rig.driver.start(gain=1, atime=atime, astep=astep, led_ma=0)
    frame = rig.driver.read()
    assert frame.integration_ms == settings.integration_ms
    assert frame.full_scale == min(65_535, settings.steps)


def test_impossible_integration_times_name_the_nearest() -> None:
    for wrong_ms, nearest_ms in ((0.001, 0.00556), (60_000.0, 256 * (ASTEP_MAX + 1) * STEP_US / 1000)):
        with pytest.raises(SettingError, match="the nearest that works is") as caught:
            steps_for(wrong_ms)
        assert caught.value.nearest == pytest.approx(nearest_ms)


def test_basic_counts_compare_across_settings(rig: Rig) -> None:
    frames = []
    for gain, atime, astep in ((64, 29, 599), (128, 29, 599), (128, 14, 599), (32, 59, 599)):
        rig.driver.start(gain=gain, atime=atime, astep=astep)
        frames.append(rig.driver.read())
    for frame in frames[1:]:
        np.testing.assert_allclose(frame.basic_counts, frames[0].basic_counts, rtol=0.03)


def test_saturation_is_told_apart() -> None:
    """Digital: a count at full scale. Analogue: the counts look plausible and are not."""
    rig = Rig()
    rig.driver.start(gain=128, led_ma=24, atime=99, astep=999)
    frame = rig.driver.read()
    assert (frame.saturated, frame.saturated_digital, frame.saturated_analogue) == (True, True, False)
    rig.chip.defects.add(Defect.SATURATED)
    rig.driver.start(gain=1)
    frame = rig.driver.read()
    assert frame.counts.max() < frame.full_scale
    assert (frame.saturated, frame.saturated_digital, frame.saturated_analogue) == (True, False, True)
    assert rig.driver.counters.saturated == 2


def test_halves_carry_their_own_times(rig: Rig) -> None:
    rig.driver.start()
    before_ns = rig.clock.monotonic_ns()
    frame = rig.driver.read()
    first_ns, second_ns = frame.halves_ns
    assert before_ns < first_ns < second_ns < frame.captured_ns
    assert 0.060e9 < second_ns - first_ns < 0.075e9


@pytest.mark.parametrize(("stage", "led_ma"), [(WHITE_TILE, 20), (WHITE_TILE, 4), (GREY_TILE, 20), (BELT_ONLY, 20)])
def test_gain_is_proposed_and_never_changed(rig: Rig, stage, led_ma: int) -> None:
    rig.scene.stage = stage
    rig.driver.start(gain=2, led_ma=led_ma)
    choice = rig.driver.choose_gain()
    assert choice.peak_share <= 0.63
    assert rig.driver.read().gain == GAINS[2][1]
    higher = [gain for gain in GAINS if gain > choice.gain]
    rig.driver.start(gain=choice.gain, led_ma=led_ma)
    frame = rig.driver.read()
    assert frame.counts.max() / frame.full_scale == pytest.approx(choice.peak_share, rel=0.05)
    if higher:
        rig.driver.start(gain=higher[0], led_ma=led_ma)
        frame = rig.driver.read()
        assert frame.counts.max() / frame.full_scale > 0.58


def test_too_bright_for_any_gain_is_said() -> None:
    rig = Rig(Mains(100, 0.0, level=5e6))
    rig.driver.start()
    with pytest.raises(SensorFaultError, match="even for the lowest gain"):
        rig.driver.choose_gain()
    with pytest.raises(SettingError, match=r"peak_share is 1\.5"):
        rig.driver.choose_gain(1.5)


@pytest.mark.parametrize(
    ("light", "heard"),
    [
        (Mains(100, 0.3), Flicker(100, False)),
        (Mains(120, 0.3), Flicker(120, False)),
        (Mains(100, 0.0), Flicker(None, False)),
        (Mains(400, 0.3), Flicker(None, False)),
        (Mains(100, 0.3, level=3000.0), Flicker(None, True)),
    ],
)
def test_mains_flicker(light: Mains, heard: Flicker) -> None:
    rig = Rig(light)
    rig.driver.start()
    assert rig.driver.detect_flicker() == heard
    assert rig.chip.led_ma(rig.clock.monotonic_ns()) == 20  # the lamp is on again
    assert rig.driver.read().counts.shape == (10,)


def test_the_library_misnames_what_it_hears(monkeypatch: pytest.MonkeyPatch) -> None:
    """Its coefficients are for 1 kHz: at 100 Hz it is deaf, ours on the same chip is not, even after it."""
    rig = Rig(Mains(100, 0.3))
    rig.clock.sleep(0.001)
    monkeypatch.setattr(adafruit_as7341, "sleep", rig.clock.sleep)
    monkeypatch.setattr(adafruit_as7341, "monotonic", lambda: rig.clock.monotonic_ns() / 1e9)
    library = adafruit_as7341.AS7341(CircuitPythonBus(rig.bus))
    library.flicker_detection_enabled = True
    rig.clock.sleep(1.0)
    assert library.flicker_detected is None
    rig.driver.start()
    assert rig.driver.detect_flicker().hz == 100


class Dip:
    """The supply fails for a moment before the first transfer after `at_ns`, and the chip answers again."""

    def __init__(self, rig: Rig, at_ns: int) -> None:
        self.rig, self.at_ns, self.done = rig, at_ns, False

    def before(self, transfer) -> None:
        if transfer.at_ns >= self.at_ns and not self.done:
            self.done = True
            self.rig.chip.power_cycle()
            self.rig.clock.sleep(0.001)

    def after(self, transfer, data: bytes) -> bytes:
        del transfer
        return data


def _read_until(rig: Rig, dip: Dip) -> None:
    """Frames before the dip are fine; the one that it falls into must not come."""
    while not dip.done:
        rig.driver.read()


def test_a_dip_of_the_supply_at_any_moment_never_yields_a_frame(rig: Rig) -> None:
    """The worst settings for it: those that the chip also has after a reset, so that only the lamp betrays it."""
    rig.driver.start(gain=256, atime=0, astep=999)
    seen = 0
    for delay_us in range(0, 40_000, 1_000):
        dip = Dip(rig, rig.clock.monotonic_ns() + delay_us * 1_000)
        rig.bus.faults = [dip]
        with pytest.raises(SensorFaultError):
            _read_until(rig, dip)
        seen += dip.done
        rig.bus.faults = []
        rig.driver.start(gain=256, atime=0, astep=999)
        assert rig.driver.read().led_ma == 20
    assert seen == 40
    assert rig.driver.counters.lost + rig.driver.counters.late == 40


class Witness:
    """Knows what the chip said before the wire bent it."""

    def __init__(self) -> None:
        self.bursts: list[tuple[int, ...]] = []

    def before(self, transfer) -> None:
        """Let every transfer through."""

    def after(self, transfer, data: bytes) -> bytes:
        if transfer.write == b"\x94":
            self.bursts.append(struct.unpack("<B6H", data)[1:])
        return data

    def frame(self) -> list[int]:
        first, second = self.bursts[-2:]
        return [*first[:4], *second[:4], round((first[4] + second[4]) / 2), round((first[5] + second[5]) / 2)]


def _flipped(rig: Rig, frames: int) -> tuple[int, int]:
    """With a flipped bit in 2 % of all reads: frames that came, and those of them that are wrong."""
    witness = Witness()
    rig.bus.faults = [witness, BitFlips(0x39, 0.02, random.Random(4))]  # noqa: S311  # a seeded one is wanted
    rig.driver.start()
    came = wrong = 0
    for _ in range(frames):
        try:
            frame = rig.driver.read()
        except (FrameCorruptError, SensorFaultError):
            continue
        came += 1
        wrong += frame.counts.tolist() != witness.frame()
    return came, wrong


def test_flipped_bits_never_become_data(rig: Rig) -> None:
    """What is read once can only be held against full scale and reserved bits; what is read twice is right."""
    came, wrong = _flipped(rig, 1500)
    assert came > 1200
    assert wrong == 0
    assert rig.driver.counters.corrupt > 50
    assert rig.driver.counters.lost < 20  # of those some are flips of the gain in ASTATUS
    once = Rig()
    once.driver = As7341(once.bus, double_read=False)
    came, wrong = _flipped(once, 1500)
    assert 0 < wrong < 0.05 * came


def test_threads_of_one_sensor_take_turns(rig: Rig) -> None:
    rig.driver.start(gain=32)
    whole = rig.driver.read().counts
    failures: list[object] = []

    def read_many() -> None:
        for _ in range(20):
            counts = rig.driver.read().counts
            if (np.abs(counts - whole) > 6 * np.sqrt(0.05 * whole + 1) + 1).any():
                failures.append(counts)

    threads = [threading.Thread(target=read_many) for _ in range(3)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(timeout=30)
    assert failures == []
    assert rig.driver.counters.frames == 61


def test_self_test_of_a_healthy_sensor(rig: Rig) -> None:
    rig.scene.stage = BELT_ONLY
    found = self_test(rig.driver)
    assert found.ok, found
    assert [step.name for step in found.steps] == [
        "identity", "multiplexer", "timing", "darkness", "lamp", "gains", "flicker",
    ]  # fmt: skip
    assert rig.driver.settings is None
    rig.driver.start(gain=4, led_ma=8)
    assert self_test(rig.driver).ok
    assert rig.driver.settings == Settings(4, led_ma=8)
    assert rig.driver.read().gain == GAINS[4][1]


@pytest.mark.parametrize(
    ("defect", "step", "words"),
    [
        (Defect.WRONG_IDENTITY, "identity", "identity register holds 0x00"),
        (Defect.SMUX_STUCK, "multiplexer", "does not finish switching"),
        (Defect.NEVER_VALID, "timing", "does not finish measuring"),
        (Defect.LAMP_DEAD, "lamp", "is it connected"),
        (Defect.SATURATED, "lamp", "too much light"),
    ],
)
def test_self_test_names_what_is_broken(rig: Rig, defect: Defect, step: str, words: str) -> None:
    rig.chip.defects.add(defect)
    found = self_test(rig.driver)
    assert not found.ok
    assert found.steps[-1].name == step
    assert words in found.steps[-1].sentence


def test_self_test_with_nobody_there_and_in_the_dark(rig: Rig) -> None:
    rig.scene.stage = BLACK_CAP
    assert "under the sensor" in self_test(rig.driver).steps[-1].sentence
    rig.bus.detach(rig.chip)
    found = self_test(rig.driver)
    assert [step.ok for step in found.steps] == [False]
    assert "nothing answers" in found.steps[0].sentence


@pytest.mark.parametrize(
    "left_behind",
    [
        [(0xB1, 0x04)],  # gain control: it would measure at gains of its own
        [(0xF9, 0x08), (0xAC, 0x10), (0xBD, 0x00), (0x80, 0x03)],  # asleep after an interrupt that nobody took
        [(0xA9, 0x10), (0x70, 0x01)],  # bank 1, and waiting for an edge of the synchronising pin
    ],
)
def test_what_an_earlier_program_left_behind_is_undone(rig: Rig, left_behind: list[tuple[int, int]]) -> None:
    rig.bus.clock.sleep(0.001)
    for register, value in left_behind:
        rig.bus.transfer(0x39, bytes((register, value)))
    rig.bus.clock.sleep(1.0)
    rig.chip.violations.clear()
    rig.driver.start(gain=64)
    assert rig.driver.read().gain == GAINS[64][1]
    assert rig.chip.violations == []
