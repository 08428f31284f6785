"""The register model of the AS7341, asked by the unmodified Adafruit library and by hand."""

import struct
from collections.abc import Iterator

import adafruit_as7341
import numpy as np
import pytest

from drivers.bus import VirtualClock
from drivers.sim.as7341 import GAINS, Defect, SimAs7341
from drivers.sim.as7341_optics import reference_light, wiring
from tests.unit.drivers.circuitpython import CircuitPythonBus
from tests.unit.drivers.spectral_bench import FIRST_HALF, SECOND_HALF, TYPICAL, Bench, Light


@pytest.fixture
def bench() -> Bench:
    return Bench()


@pytest.fixture
def library_bench(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> Iterator[Bench]:
    """The library's two names for time follow the bench's clock."""
    monkeypatch.setattr(adafruit_as7341, "sleep", bench.clock.sleep)
    monkeypatch.setattr(adafruit_as7341, "monotonic", lambda: bench.clock.monotonic_ns() / 1e9)
    return bench


def within_noise(counts: tuple[int, ...], expected: tuple[float, ...]) -> bool:
    return all(
        abs(count - mean) <= 5 * (0.05 * mean + 1.0) ** 0.5 for count, mean in zip(counts, expected, strict=True)
    )


def test_the_unmodified_library_reads_the_typical_counts(library_bench: Bench) -> None:
    sensor = adafruit_as7341.AS7341(CircuitPythonBus(library_bench.bus))
    sensor.gain = adafruit_as7341.Gain.GAIN_64X
    sensor.atime, sensor.astep = 0, 9999
    assert within_noise(sensor.all_channels, TYPICAL[:8])
    assert within_noise((sensor.channel_clear, sensor.channel_nir), TYPICAL[8:])
    assert within_noise((sensor.channel_555nm, sensor.channel_680nm), (TYPICAL[4], TYPICAL[7]))
    assert within_noise((sensor.channel_415nm, sensor.channel_515nm), (TYPICAL[0], TYPICAL[3]))


def test_the_library_does_not_wait_when_its_half_is_selected(library_bench: Bench) -> None:
    """Reading one channel twice in a row hands out the old value until the running integration has ended."""
    sensor = adafruit_as7341.AS7341(CircuitPythonBus(library_bench.bus))
    before = sensor.channel_555nm
    library_bench.light.level = 0.1
    asked_ns = library_bench.clock.monotonic_ns()
    assert sensor.channel_555nm == before
    assert library_bench.clock.monotonic_ns() - asked_ns < 5_000_000
    library_bench.clock.sleep(2 * library_bench.chip.integration_ms / 1e3)
    assert sensor.channel_555nm == pytest.approx(0.1 * before, rel=0.05)


def test_the_library_switches_the_lamp(library_bench: Bench) -> None:
    sensor = adafruit_as7341.AS7341(CircuitPythonBus(library_bench.bus))
    sensor.led_current = 20
    assert library_bench.chip.led_ma(library_bench.clock.monotonic_ns()) == 0
    sensor.led = True
    assert library_bench.chip.led_ma(library_bench.clock.monotonic_ns()) == 20
    assert (sensor.led, sensor.led_current) == (True, 20)
    library_bench.chip.power_cycle()
    library_bench.clock.sleep(0.001)
    assert library_bench.chip.led_ma(library_bench.clock.monotonic_ns()) == 0


def test_nobody_at_the_address_and_a_wrong_identity(library_bench: Bench) -> None:
    library_bench.chip.defects.add(Defect.WRONG_IDENTITY)
    with pytest.raises(RuntimeError, match="Failed to find"):
        adafruit_as7341.AS7341(CircuitPythonBus(library_bench.bus))
    library_bench.bus.detach(library_bench.chip)
    with pytest.raises(ValueError, match="No I2C device"):
        adafruit_as7341.AS7341(CircuitPythonBus(library_bench.bus))


def test_power_up_takes_its_time() -> None:
    clock = VirtualClock()
    chip = SimAs7341(clock, Light())
    assert not chip.present_at(0x39)
    clock.sleep(250e-6)
    assert chip.present_at(0x39)
    assert not chip.present_at(0x38)
    chip.write(b"\xa7")
    assert chip.read(1) == b"\x01"
    clock.sleep(100e-6)
    chip.write(b"\xa7")
    assert chip.read(1) == b"\x00"


def test_pointer_runs_on_and_stays(bench: Bench) -> None:
    bench.put(0x84, 1, 2, 3, 4)
    assert bench.get(0x84, 4) == bytes((1, 2, 3, 4))
    bench.put(0x85)
    assert bench.bus.transfer(0x39, b"", 1) == b"\x02"
    assert bench.bus.transfer(0x39, b"", 2) == b"\x03\x04"


def test_reset_values_identity_and_banks(bench: Bench) -> None:
    assert bench.get(0x92) == b"\x24"
    bench.put(0x92, 0xFF)
    assert bench.get(0x92) == b"\x24"
    assert bench.get(0xCA, 2) == (999).to_bytes(2, "little")
    assert bench.get(0xAA) == b"\x09"
    bench.put(0x74, 0x90)  # not reachable in bank 0
    bench.put(0xA9, 0x10)
    assert bench.get(0x74) == b"\x04"
    bench.put(0x74, 0x90)
    assert bench.get(0x74) == b"\x90"
    bench.put(0xA9, 0x00)
    assert bench.get(0x74) == b"\x00"


@pytest.mark.parametrize("code", range(len(GAINS)))
def test_real_gains(code: int) -> None:
    """Counts follow the real ratios; the step that is called 512 is 496."""
    bench = Bench(Light(0.2))
    bench.set_up(gain_code=code, astep=59_999)
    measured = np.array([bench.measure() for _ in range(40)])
    assert (measured[:, 0] == code).all()
    expected = 0.2 * TYPICAL[8] * 6.0 * GAINS[code] / 64.0
    assert measured[:, 5].mean() == pytest.approx(expected, rel=0.005, abs=2.5)


def test_512x_is_496x() -> None:
    bench = Bench(Light(0.05))
    readings = []
    for code in (7, 10):
        bench.set_up(gain_code=code, astep=59_999)
        readings.append(np.mean([bench.measure()[5] for _ in range(20)]))
    assert readings[1] / readings[0] == pytest.approx(7.75, rel=0.01)


def test_multiplexer_needs_its_command_and_clears_its_bit(bench: Bench) -> None:
    bench.set_up(smux=FIRST_HALF)
    first = bench.measure()
    bench.put(0x80, 0x01)
    bench.put(0x00, *SECOND_HALF)
    assert within_noise(bench.measure()[1:], TYPICAL[:4] + TYPICAL[8:])  # RAM alone changes nothing
    bench.put(0xAF, 0x08)  # chain to RAM
    bench.put(0x80, 0x11)
    assert bench.get(0x80) == b"\x11"
    bench.clock.sleep(0.001)
    assert bench.get(0x80) == b"\x01"
    assert bench.get(0x00, 20) == FIRST_HALF
    bench.set_up(smux=SECOND_HALF)
    second = bench.measure()
    assert within_noise(first[1:], TYPICAL[:4] + TYPICAL[8:])
    assert within_noise(second[1:], TYPICAL[4:])


def test_a_converter_adds_up_its_diodes() -> None:
    """Half of a channel is half the counts; two channels on one converter are their sum; none is the dark."""
    light = reference_light() * 64.0 * 27.8
    left_f7 = wiring(bytes(7) + b"\x01" + bytes(12)) @ light
    assert left_f7[0] == pytest.approx(TYPICAL[6] / 2)
    assert not left_f7[1:].any()
    both_and_f8 = bytearray(20)
    both_and_f8[0x07] = both_and_f8[0x0A] = both_and_f8[0x0E] = 0x01
    both_and_f8[0x03] = 0x10
    assert (wiring(bytes(both_and_f8)) @ light)[0] == pytest.approx(TYPICAL[6] + TYPICAL[7])
    assert not wiring(bytes(20)).any()


def test_valid_comes_after_auto_zero_and_integration(bench: Bench) -> None:
    bench.set_up(astep=9999)  # 27.8 ms
    bench.put(0x80, 0x03)
    bench.clock.sleep(0.0420)
    assert not bench.valid()
    bench.clock.sleep(0.0008)
    assert bench.valid()
    bench.get(0x94, 13)
    assert bench.valid()  # reading does not clear it
    bench.put(0x80, 0x01)
    assert not bench.valid()
    bench.put(0xD6, 0)  # no auto-zero at all
    bench.put(0x80, 0x03)
    bench.clock.sleep(0.0279)
    assert bench.valid()


@pytest.mark.parametrize(("every", "cycle_ms"), [(0, 27.8), (1, 42.8), (255, 27.8), (4, 27.8 + 15 / 4)])
def test_integrations_run_on_back_to_back(bench: Bench, every: int, cycle_ms: float) -> None:
    """After an hour unread, the newest result is one cycle old at most, and it costs no time to find it."""
    bench.set_up(astep=9999)
    bench.put(0xD6, every)
    bench.put(0x80, 0x03)
    bench.clock.sleep(3600.0)
    bench.light.level = 0.5
    bench.clock.sleep(2 * cycle_ms / 1e3 + 0.030)
    assert struct.unpack("<B6H", bench.get(0x94, 13))[5] == pytest.approx(0.5 * TYPICAL[8], rel=0.06)


def test_status_latches_data_of_one_integration(bench: Bench) -> None:
    bench.set_up()
    status, *counts = bench.measure()
    assert status == 7
    bench.light.level = 0.1
    bench.clock.sleep(0.1)
    assert struct.unpack("<6H", bench.get(0x95, 12)) == tuple(counts)
    assert struct.unpack("<B6H", bench.get(0x94, 13))[5] < 0.2 * counts[4]


def test_full_scale_and_its_flags() -> None:
    bench = Bench(Light(20.0))
    bench.set_up(gain_code=10, atime=29, astep=599)
    status, *counts = bench.measure()
    assert counts[4] == 18_000 == bench.chip.full_scale
    assert status == 0x8A
    assert bench.get(0xA3)[0] & 0x58 == 0x58
    assert bench.get(0x93)[0] & 0x80
    bench.put(0x93, 0x80)
    assert not bench.get(0x93)[0] & 0x80
    bench.light.level = 0.01
    assert bench.measure()[0] == 0x0A
    assert bench.get(0xA3)[0] & 0x18 == 0


def test_long_integration_clips_at_sixteen_bits_without_analogue_overload() -> None:
    bench = Bench(Light(0.9))
    bench.set_up(gain_code=9, atime=99, astep=999)
    status, *counts = bench.measure()
    assert (status & 0x80, counts[4]) == (0, pytest.approx(0.9 * TYPICAL[8] * 10 * 253 / 64, rel=0.01))
    bench.light.level = 1.0
    status, *counts = bench.measure()
    assert (status & 0x80, counts[4]) == (0x80, 65_535)
    assert bench.get(0xA3)[0] & 0x18 == 0x10


def test_lamp_lights_what_it_lights() -> None:
    bench = Bench(Light(0.05, by_lamp=True))
    bench.set_up()
    assert max(bench.measure()[1:]) <= 3  # dark
    bench.put(0xA9, 0x10)
    bench.put(0x70, 0x08)
    bench.put(0x74, 0x80 | 8)  # 20 mA
    bench.put(0xA9, 0x00)
    assert within_noise(bench.measure()[1:], TYPICAL[:4] + TYPICAL[8:])


def test_broken_chips(bench: Bench) -> None:
    bench.chip.defects.add(Defect.SMUX_STUCK)
    bench.set_up()
    assert bench.get(0x80) == b"\x11"
    bench.chip.defects = {Defect.NEVER_VALID}
    bench.put(0x80, 0x03)
    bench.clock.sleep(10.0)
    assert not bench.valid()


def test_without_power_bit_nothing_runs(bench: Bench) -> None:
    bench.put(0x80, 0x12)
    bench.clock.sleep(1.0)
    assert bench.get(0x80) == b"\x12"
    assert not bench.valid()


def test_same_seed_same_noise() -> None:
    readings = []
    for _ in range(2):
        bench = Bench()
        bench.set_up()
        readings.append([bench.measure() for _ in range(5)])
    assert readings[0] == readings[1]
    assert len(set(readings[0])) > 1
