"""The production driver of the AS7341 on the register model, in virtual time."""

import sys
import threading
from collections.abc import Iterator

import numpy as np
import pytest

from drivers.as7341 import As7341
from drivers.as7341_settings import ASTEP_DEFAULT, ATIME_DEFAULT, GAINS, LED_MA_DEFAULT
from drivers.bus import BusTimeoutError, NakError, RealClock, VirtualClock
from drivers.errors import NotFoundError, SensorFaultError
from drivers.frames import CHANNELS, SpectralFrame
from drivers.sim.as7341 import GAINS as REAL_GAINS
from drivers.sim.as7341 import Defect, SimAs7341
from drivers.sim.as7341_optics import reference_light, wiring
from drivers.sim.bus import SimBus
from drivers.sim.faults import NakBurst, Outage
from drivers.sim.light import Spectrum
from drivers.sim.scene import BELT_ONLY, WHITE_TILE, Scene

FIRST_HALF = bytes.fromhex("3001000000420000500000002004003001500006")
MEAN_S = 10.0  # long enough to even out the flicker of the hall
SECOND_HALF = bytes.fromhex("0000004002001003501003000000240000500006")


class Rig:
    """A scene, a chip, a bus, a driver."""

    def __init__(self, seed: int = 1, clock: VirtualClock | RealClock | None = None) -> None:
        self.clock = VirtualClock() if clock is None else clock
        self.scene = Scene(seed)
        self.scene.stage = WHITE_TILE
        self.chip = SimAs7341(self.clock, self.scene, seed=seed)
        self.bus = SimBus("rig", self.clock, 400_000)
        self.bus.attach(self.chip)
        self.driver = As7341(self.bus)

    def seconds(self) -> float:
        return self.clock.monotonic_ns() / 1e9


@pytest.fixture
def rig() -> Rig:
    return Rig()


def expected(light: Spectrum, gain: float, integration_ms: float) -> np.ndarray:
    """Ten mean counts by the optics alone: no registers, no clock, no noise."""
    first, second = (wiring(table) @ light * gain * integration_ms for table in (FIRST_HALF, SECOND_HALF))
    return np.concatenate([first[:4], second])


def assert_within_noise(frame: SpectralFrame, light: Spectrum) -> None:
    mean = expected(light, frame.gain, frame.integration_ms)
    sigma = np.sqrt(0.05 * mean + 1.0)
    assert (np.abs(frame.counts - mean) <= 5 * sigma + 1.0).all(), dict(zip(CHANNELS, frame.counts, strict=True))


def test_ten_channels_of_a_white_tile(rig: Rig) -> None:
    """The default settings put the strongest channel at 60 to 70 % of full scale, and every channel well over noise."""
    rig.driver.start()
    frame = rig.driver.read()
    assert_within_noise(frame, rig.scene.spectrum(0.0, LED_MA_DEFAULT, MEAN_S))
    assert frame.counts.dtype == np.int64
    assert (frame.gain, frame.full_scale, frame.led_ma, frame.saturated) == (128.0, 18_000, LED_MA_DEFAULT, False)
    assert frame.integration_ms == pytest.approx((ATIME_DEFAULT + 1) * (ASTEP_DEFAULT + 1) * 2.78e-3)
    assert CHANNELS[int(frame.counts.argmax())] == "Clear"
    assert 0.60 < frame.counts.max() / frame.full_scale < 0.70
    assert frame.counts.min() > 1000
    assert frame.counts[8] == round(sum(frame.clear_halves) / 2)
    assert frame.counts[9] == round(sum(frame.nir_halves) / 2)
    assert frame.captured_ns == rig.clock.monotonic_ns()


def test_dark_belt_and_products(rig: Rig) -> None:
    rig.driver.start(led_ma=0)
    dark = rig.driver.read()
    assert dark.led_ma == 0
    assert_within_noise(dark, rig.scene.spectrum(0.0, 0, MEAN_S))
    rig.driver.start()
    rig.scene.stage = BELT_ONLY
    assert_within_noise(rig.driver.read(), rig.scene.spectrum(0.0, LED_MA_DEFAULT, MEAN_S))


def test_no_product_saturates() -> None:
    rig = Rig(seed=3)
    scene = Scene(3)
    rig.scene.stage = scene.stage
    rig.driver.start()
    for piece in range(1, 21):
        rig.clock.sleep(4.0 * piece + 0.2 - rig.seconds())
        frame = rig.driver.read()
        assert_within_noise(frame, scene.spectrum(rig.seconds(), LED_MA_DEFAULT, MEAN_S))
        assert not frame.saturated
        assert frame.counts.max() < 0.9 * frame.full_scale
        assert frame.counts[2:].min() > 50


@pytest.mark.parametrize(("nominal", "code"), [(gain, code) for gain, (code, _) in GAINS.items()])
def test_every_gain_reports_the_real_factor(rig: Rig, nominal: float, code: int) -> None:
    rig.driver.start(gain=nominal, led_ma=4)
    frame = rig.driver.read()
    assert frame.gain == REAL_GAINS[code] == pytest.approx(nominal, rel=0.05)
    if not frame.saturated:
        assert_within_noise(frame, rig.scene.spectrum(0.0, 4, MEAN_S))


def test_too_much_light_is_said(rig: Rig) -> None:
    rig.driver.start(gain=512, led_ma=100)
    frame = rig.driver.read()
    assert frame.saturated
    assert frame.counts.max() == frame.full_scale


class Fading:
    """A lamp that goes out."""

    def __init__(self, out_at_s: float) -> None:
        self.out_at_s = out_at_s

    def spectrum(self, time_s: float, led_ma: float, window_s: float = 0.0) -> Spectrum:
        del window_s
        return reference_light() * (led_ma if time_s < self.out_at_s else 0.1)


def test_one_saturated_half_is_enough() -> None:
    """The means of Clear and NIR stay below full scale, and yet the first half was clipped."""
    clock = VirtualClock()
    bus = SimBus("fading", clock, 400_000)
    bus.attach(SimAs7341(clock, Fading(0.075)))
    driver = As7341(bus)
    driver.start(gain=32)
    frame = driver.read()
    assert frame.clear_halves[0] == frame.full_scale > frame.clear_halves[1] * 2
    assert frame.counts[8:].max() < frame.full_scale
    assert frame.saturated


@pytest.mark.parametrize("defects", [set(), {Defect.VALID_STAYS}])
def test_never_a_value_from_before(rig: Rig, defects: set[Defect]) -> None:
    """Not even from a chip whose ready bit outlives the measurement that set it."""
    rig.chip.defects = defects
    rig.driver.start()
    for reflecting in (WHITE_TILE, BELT_ONLY, WHITE_TILE, BELT_ONLY):
        rig.scene.stage = reflecting
        assert_within_noise(rig.driver.read(), rig.scene.spectrum(0.0, LED_MA_DEFAULT, MEAN_S))


def test_halves_tell_that_something_moved() -> None:
    """The belt starts between the two halves: each half has its own Clear, and they differ."""
    rig = Rig(seed=2)
    rig.scene.stage = Scene(2).stage
    rig.driver.start()
    rig.clock.sleep(3.20 - rig.seconds())
    first, second = rig.driver.read().clear_halves
    assert abs(first - second) > 0.1 * max(first, second)


def test_a_frame_takes_two_integrations_and_little_more(rig: Rig) -> None:
    rig.driver.start()
    before_ns, transfers = rig.clock.monotonic_ns(), rig.bus.transfers
    rig.driver.read()
    assert 130e6 < rig.clock.monotonic_ns() - before_ns < 145e6
    assert rig.bus.transfers - transfers == 15


def test_stop_puts_the_lamp_out_and_the_chip_to_sleep(rig: Rig) -> None:
    rig.driver.start()
    assert rig.chip.led_ma(rig.clock.monotonic_ns()) == LED_MA_DEFAULT
    rig.driver.stop()
    assert rig.chip.led_ma(rig.clock.monotonic_ns()) == 0
    assert rig.bus.transfer(0x39, b"\x80", 1) == b"\x00"
    with pytest.raises(SensorFaultError, match="not been started"):
        rig.driver.read()
    rig.driver.stop()  # once more does no harm
    rig.driver.start()
    assert rig.driver.read().counts.min() > 1000


def test_start_takes_over_a_chip_that_was_left_running(rig: Rig) -> None:
    rig.clock.sleep(0.001)
    for registers in (b"\x80\x03", b"\xa9\x10", b"\xd6\x01", b"\x81\xff"):
        rig.bus.transfer(0x39, registers)
    rig.driver.start()
    assert_within_noise(rig.driver.read(), rig.scene.spectrum(0.0, LED_MA_DEFAULT, MEAN_S))


@pytest.mark.parametrize(
    ("settings", "reason"),
    [
        ({"gain": 100}, "gain is 100, must be one of 0.5, 1, 2.*the nearest that works is 128"),
        ({"gain": 1000}, "the nearest that works is 512"),
        ({"atime": 256}, "atime is 256, must be 0 to 255; the nearest that works is 255"),
        ({"astep": 65_535}, "astep is 65535, must be 0 to 65534; the nearest that works is 65534"),
        ({"atime": -1}, "the nearest that works is 0"),
        ({"atime": 0, "astep": 0}, "astep is 0, must not be 0 while atime is 0; the nearest that works is 1"),
        ({"led_ma": 5}, "led_ma is 5.*the nearest that works is 4"),
        ({"led_ma": 2}, "led_ma is 2.*the nearest that works is 4"),
        ({"led_ma": 260}, "led_ma is 260.*the nearest that works is 258"),
    ],
)
def test_impossible_settings_are_refused(rig: Rig, settings: dict[str, int], reason: str) -> None:
    with pytest.raises(ValueError, match=reason):
        rig.driver.start(**settings)
    assert rig.bus.transfers == 0


def test_absent_and_wrong_chips(rig: Rig) -> None:
    rig.chip.defects.add(Defect.WRONG_IDENTITY)
    with pytest.raises(NotFoundError, match="identity register holds 0x00") as caught:
        rig.driver.start()
    assert (caught.value.address, caught.value.received) == (0x39, b"\x00")
    rig.bus.detach(rig.chip)
    with pytest.raises(NotFoundError, match="nothing answers"):
        rig.driver.start()


@pytest.mark.parametrize("defect", [Defect.SMUX_STUCK, Defect.NEVER_VALID])
def test_a_chip_that_never_finishes_is_given_up(rig: Rig, defect: Defect) -> None:
    rig.driver.start()
    rig.chip.defects.add(defect)
    before = rig.seconds()
    with pytest.raises(SensorFaultError, match="does not finish"):
        rig.driver.read()
    assert rig.seconds() - before < 0.4
    rig.chip.defects.clear()
    assert_within_noise(rig.driver.read(), rig.scene.spectrum(0.0, LED_MA_DEFAULT, MEAN_S))


def test_a_dip_of_the_supply_is_noticed_and_cured(rig: Rig) -> None:
    rig.driver.start()
    rig.driver.read()
    rig.chip.power_cycle()
    rig.clock.sleep(0.01)
    with pytest.raises(SensorFaultError):
        rig.driver.read()
    rig.driver.start()
    assert_within_noise(rig.driver.read(), rig.scene.spectrum(0.0, LED_MA_DEFAULT, MEAN_S))


def test_a_changed_gain_is_noticed(rig: Rig) -> None:
    rig.driver.start()
    rig.bus.transfer(0x39, b"\xaa\x09")
    with pytest.raises(SensorFaultError, match="gain code 9, set was 8"):
        rig.driver.read()


def test_trouble_on_the_wire_passes_through_and_the_next_frame_is_clean(rig: Rig) -> None:
    rig.driver.start()
    for count in range(1, 4):
        rig.bus.faults = [NakBurst(0x39, count)]
        with pytest.raises(NakError):
            rig.driver.read()
        rig.bus.faults = []
        assert_within_noise(rig.driver.read(), rig.scene.spectrum(0.0, LED_MA_DEFAULT, MEAN_S))


def test_trouble_at_any_moment_never_yields_a_wrong_frame(rig: Rig) -> None:
    """Hold the line for 2 ms from each ms of a measurement on: an error or a true frame, and then true frames again."""
    rig.driver.start()
    failed = 0
    for delay_ms in range(150):
        start_ns = rig.clock.monotonic_ns() + delay_ms * 1_000_000
        rig.bus.faults = [Outage(0x39, start_ns, start_ns + 2_000_000, stuck_line=True)]
        try:
            assert_within_noise(rig.driver.read(), rig.scene.spectrum(0.0, LED_MA_DEFAULT, MEAN_S))
        except BusTimeoutError:
            failed += 1
        rig.bus.faults = []
        assert_within_noise(rig.driver.read(), rig.scene.spectrum(0.0, LED_MA_DEFAULT, MEAN_S))
    assert failed >= 5


@pytest.fixture
def restless_threads() -> Iterator[None]:
    """Switch between threads as often as the interpreter can."""
    interval_s = sys.getswitchinterval()
    sys.setswitchinterval(1e-6)
    yield
    sys.setswitchinterval(interval_s)


@pytest.mark.usefixtures("restless_threads")
def test_sensors_of_several_threads_do_not_meet() -> None:
    """Three drivers on three buses and clocks, all at once: nothing of the process is shared between them."""
    frames: dict[int, list[SpectralFrame]] = {1: [], 2: [], 3: []}
    rigs = {seed: Rig(seed, clock=RealClock(speed=50.0 * seed)) for seed in frames}

    def run(seed: int) -> None:
        rigs[seed].driver.start(led_ma=4 * seed)
        frames[seed].extend(rigs[seed].driver.read() for _ in range(60))

    threads = [threading.Thread(target=run, args=(seed,)) for seed in frames]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(timeout=30)
    for seed, own in frames.items():
        assert len(own) == 60
        for frame in own:
            assert_within_noise(frame, rigs[seed].scene.spectrum(0.0, 4 * seed, MEAN_S))


class StutteringClock(VirtualClock):
    """The process is stopped for ten seconds at every sleep, as on a machine that swaps."""

    def sleep(self, seconds: float) -> None:
        super().sleep(seconds + 10.0)


def test_a_stopped_process_is_not_a_broken_sensor() -> None:
    rig = Rig(clock=StutteringClock())
    rig.driver.start()
    assert_within_noise(rig.driver.read(), rig.scene.spectrum(0.0, LED_MA_DEFAULT, MEAN_S))
