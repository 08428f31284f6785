"""The AS7341 model's engines beside the plain measurement: waiting, thresholds, FIFO, gain control, flicker."""

import struct

import numpy as np
import pytest
from numpy.typing import NDArray

from tests.unit.drivers.spectral_bench import FIRST_HALF, TYPICAL, Bench, Light


@pytest.fixture
def bench() -> Bench:
    return Bench()


def test_reserved_bits_and_registers_stay_as_they_are(bench: Bench) -> None:
    """What is not listed reads as after a reset; the model tells what was done against the data sheet."""
    for register, value, kept in ((0x82, 0xFF, 0x00), (0x80, 0x85, 0x01), (0xAA, 0xE5, 0x05), (0xB5, 0xFB, 0x03)):
        bench.put(register, value)
        assert bench.get(register)[0] == kept
    bench.put(0x74, 0x80)
    bench.put(0x80, 0x03)
    bench.put(0x81, 1)
    assert len(bench.chip.violations) == 6
    bench.put(0x80, 0x01)
    for register in (0x90, 0x91, 0x92, 0x94, 0xA3, 0xFD):
        before = bench.get(register)
        bench.put(register, 0x5A)
        assert bench.get(register) == before


def test_forbidden_times_are_noticed(bench: Bench) -> None:
    bench.set_up(atime=0, astep=0)
    bench.put(0x80, 0x03)
    assert "forbidden" in bench.chip.violations[-1]


def test_copies_in_bank_1_are_the_data(bench: Bench) -> None:
    bench.set_up()
    bench.measure()
    data = bench.get(0x94, 13)
    bench.put(0xA9, 0x10)
    assert bench.get(0x60, 3) + bench.get(0x66, 10) == data
    bench.put(0xA9, 0x00)
    assert bench.get(0x60, 3) == bytes(3)


def test_multiplexer_commands(bench: Bench) -> None:
    """0 empties the chain, 3 does nothing, and a command without power does not run."""
    bench.set_up()
    for command, clear_min in ((0x18, 1000), (0x00, 0)):
        bench.put(0x80, 0x01)
        bench.put(0xAF, command)
        bench.put(0x80, 0x11)
        bench.clock.sleep(0.001)
        clear = bench.measure()[5]
        assert clear >= clear_min
        assert (clear > 10) == (clear_min > 0)


def test_wait_time_spaces_integrations(bench: Bench) -> None:
    """WEN with WTIME 35: one result every 100 ms; too short a wait is told by SP_TRIG; WLONG makes it 16 times."""
    bench.set_up()  # 27.8 ms
    bench.put(0x83, 35)
    bench.put(0x80, 0x0B)
    bench.clock.sleep(0.043)
    first = bench.get(0x94, 13)
    bench.clock.sleep(0.095)
    assert bench.get(0x94, 13) == first
    bench.clock.sleep(0.006)
    assert bench.get(0x94, 13) != first
    assert not bench.get(0xA7)[0] & 0x04
    bench.put(0x80, 0x01)
    bench.put(0x83, 1)  # 5.6 ms
    bench.put(0x80, 0x0B)
    bench.clock.sleep(0.1)
    assert bench.get(0xA7)[0] & 0x04
    bench.put(0x80, 0x01)
    bench.put(0xA9, 0x04)
    bench.put(0x83, 35)
    bench.put(0x80, 0x0B)
    bench.clock.sleep(0.05)
    first = bench.get(0x94, 13)
    bench.clock.sleep(1.5)
    assert bench.get(0x94, 13) == first
    bench.clock.sleep(0.1)
    assert bench.get(0x94, 13) != first


@pytest.mark.parametrize(("persistence", "integrations"), [(0, 1), (1, 1), (3, 3), (4, 5), (6, 15)])
def test_thresholds_and_persistence(persistence: int, integrations: int) -> None:
    bench = Bench()
    bench.set_up()
    bench.put(0xB5, 4)  # Clear
    bench.put(0x84, *(100).to_bytes(2, "little"), *(1000).to_bytes(2, "little"))
    bench.put(0xBD, persistence)
    bench.put(0xF9, 0x08)
    bench.put(0x80, 0x03)
    bench.clock.sleep(0.015 + (integrations - 0.5) * 0.0278)
    assert not bench.get(0x93)[0] & 0x08
    assert not bench.chip.interrupt
    bench.clock.sleep(0.0278)
    assert bench.get(0x93)[0] & 0x08
    assert bench.chip.interrupt
    assert bench.get(0xA4) == b"\x20"  # above the high one
    bench.put(0x93, 0x08)
    assert not bench.chip.interrupt
    bench.light.level = 0.01
    bench.clock.sleep(0.1)
    assert bench.get(0xA4) == b"\x10"


def test_sleep_after_interrupt(bench: Bench) -> None:
    bench.set_up()
    bench.put(0xF9, 0x08)
    bench.put(0xAC, 0x10)
    bench.put(0x80, 0x03)
    bench.clock.sleep(0.05)
    first = bench.get(0x94, 13)
    assert bench.get(0xA7) == b"\x02"
    bench.clock.sleep(1.0)
    assert bench.get(0x94, 13) == first
    bench.put(0xFA, 0x01)
    assert bench.get(0xA7) == b"\x00"
    bench.clock.sleep(0.05)
    assert bench.get(0x94, 13) != first


def test_system_interrupt_of_the_multiplexer(bench: Bench) -> None:
    bench.put(0xB2, 0x10)
    bench.put(0xF9, 0x01)
    bench.put(0x80, 0x11)
    bench.clock.sleep(0.001)
    assert (bench.get(0xA6), bench.get(0x93)) == (b"\x04", b"\x01")
    assert bench.chip.interrupt
    bench.put(0x93, 0x01)
    assert (bench.get(0xA6), bench.get(0x93)) == (b"\x00", b"\x00")


def test_fifo_keeps_what_its_map_says(bench: Bench) -> None:
    """Status and Clear of each integration, oldest first; threshold interrupt; full is full."""
    bench.set_up()
    bench.put(0xFC, 0x21)
    bench.put(0xB1, 0x40)  # four entries
    bench.put(0xF9, 0x04)
    bench.put(0x80, 0x03)
    bench.clock.sleep(0.015 + 1.5 * 0.0278)
    assert bench.get(0xFD) == b"\x02"
    assert not bench.get(0x93)[0] & 0x04
    bench.light.level = 0.5
    bench.clock.sleep(0.0278)
    assert bench.get(0xFD) == b"\x04"
    assert bench.get(0x93)[0] & 0x04
    status, before, again, after = struct.unpack("<4H", bench.get(0xFE, 8))
    assert (status, again) == (7, 7)
    assert before == pytest.approx(TYPICAL[8], rel=0.05)
    assert after < 0.9 * before
    assert (bench.get(0xFD), bench.get(0xFE, 2)) == (b"\x00", b"\x00\x00")
    bench.clock.sleep(10.0)
    assert bench.get(0xFD) == b"\x80"
    assert bench.get(0xA7)[0] & 0x80
    bench.put(0xFA, 0x02)
    assert (bench.get(0xFD), bench.get(0xA7)) == (b"\x00", b"\x00")


def test_automatic_gain_says_what_it_used() -> None:
    """SP_AGC climbs from 0.5x until the strongest channel is over its low mark, and stops at AGC_GAIN_MAX."""
    bench = Bench()
    bench.set_up(gain_code=0)
    bench.put(0xB1, 0x04)
    bench.put(0xB3, 0xC0)
    bench.put(0x80, 0x03)
    bench.clock.sleep(1.0)
    status, *counts = struct.unpack("<B6H", bench.get(0x94, 13))
    assert status == 7
    assert max(counts) / bench.chip.full_scale > 0.125
    bench.light.level = 0.0
    bench.clock.sleep(1.0)
    assert bench.get(0x94)[0] == 9


def test_synchronised_modes_wait_for_an_edge(bench: Bench) -> None:
    bench.set_up()
    bench.put(0xA9, 0x10)
    bench.put(0x70, 0x01)
    bench.put(0xA9, 0x00)
    bench.put(0x80, 0x03)
    bench.clock.sleep(1.0)
    assert not bench.valid()
    bench.put(0xA9, 0x10)
    assert bench.get(0x71) == b"\x02"


def test_manual_auto_zero_takes_its_time(bench: Bench) -> None:
    bench.set_up()
    bench.put(0xD6, 0)
    bench.put(0xFA, 0x04)
    bench.put(0x80, 0x03)
    bench.clock.sleep(0.0400)
    assert not bench.valid()
    bench.clock.sleep(0.0030)
    assert bench.valid()


class Mains(Light):
    """Flickers at `hz`."""

    def __init__(self, hz: float, level: float = 0.2) -> None:
        super().__init__(level)
        self.hz = hz

    def spectrum(self, time_s: float, led_ma: float, window_s: float = 0.0) -> NDArray[np.float64]:
        swing = 0.3 * np.cos(2 * np.pi * self.hz * time_s) * np.sinc(self.hz * window_s)
        return super().spectrum(time_s, led_ma, window_s) * (1.0 + swing)


@pytest.mark.parametrize(
    ("light", "fd_cfg0", "status"),
    [
        (Mains(100), 0x21, 0x2D),
        (Mains(120), 0x21, 0x2E),
        (Mains(170), 0x21, 0x2C),
        (Mains(100), 0x60, 0x2C),
        (Mains(1000), 0x60, 0x2D),
        (Mains(1200), 0x60, 0x2E),
        (Mains(100, 1e4), 0x21, 0x30),
    ],
)
def test_flicker_engine(light: Light, fd_cfg0: int, status: int) -> None:
    bench = Bench(light)
    table = bytes(19) + b"\x60"
    bench.set_up(smux=table)
    steps = 100 if fd_cfg0 & 0x40 else 0x3FF
    bench.put(0xD7, fd_cfg0)
    bench.put(0xD8, steps & 0xFF)
    bench.put(0xDA, 10 << 3 | steps >> 8)
    bench.put(0xB2, 0x40)
    bench.put(0x80, 0x41)
    bench.clock.sleep(0.4)
    assert bench.get(0xDB) == b"\x00"
    bench.clock.sleep(0.2)
    assert bench.get(0xDB)[0] == status
    assert bench.get(0xA6)[0] & 0x08
    bench.put(0xDB, 0x2C)
    assert bench.get(0xDB)[0] == status & ~0x2C


def test_flicker_engine_is_deaf_without_its_diode() -> None:
    bench = Bench(Mains(100))
    bench.set_up(smux=FIRST_HALF)
    bench.put(0xD8, 0xFF)
    bench.put(0xDA, 10 << 3 | 3)
    bench.put(0x80, 0x41)
    bench.clock.sleep(0.6)
    assert bench.get(0xDB) == b"\x2c"
