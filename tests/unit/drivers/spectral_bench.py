"""The data sheet's light, and an AS7341 before it on a bus in virtual time, with registers by hand."""

import struct

import numpy as np
from numpy.typing import NDArray

from drivers.bus import VirtualClock
from drivers.sim.as7341 import SimAs7341
from drivers.sim.as7341_optics import reference_light
from drivers.sim.bus import SimBus

TYPICAL = (55, 110, 210, 390, 590, 840, 1350, 1070, 1750, 112)  # DS000718: F1 to F8, Clear, NIR at 64x, 27.8 ms
FIRST_HALF = bytes.fromhex("3001000000420000500000002004003001500006")
SECOND_HALF = bytes.fromhex("0000004002001003501003000000240000500006")


class Light:
    """The data sheet's light, `level` times, times the lamp's current when `by_lamp`."""

    def __init__(self, level: float = 1.0, *, by_lamp: bool = False) -> None:
        self.level = level
        self.by_lamp = by_lamp

    def spectrum(self, time_s: float, led_ma: float, window_s: float = 0.0) -> NDArray[np.float64]:
        del time_s, window_s
        return reference_light() * self.level * (led_ma if self.by_lamp else 1.0)


class Bench:
    """A chip on a bus in virtual time, and registers by hand."""

    def __init__(self, light: Light | None = None) -> None:
        self.clock = VirtualClock()
        self.light = Light() if light is None else light
        self.chip = SimAs7341(self.clock, self.light, seed=11)
        self.bus = SimBus("bench", self.clock, 400_000)
        self.bus.attach(self.chip)
        self.clock.sleep(0.001)

    def put(self, register: int, *values: int) -> None:
        self.bus.transfer(0x39, bytes((register, *values)))

    def get(self, register: int, count: int = 1) -> bytes:
        return self.bus.transfer(0x39, bytes((register,)), count)

    def set_up(self, *, gain_code: int = 7, atime: int = 0, astep: int = 9999, smux: bytes = FIRST_HALF) -> None:
        self.put(0x80, 0x01)
        self.put(0xAA, gain_code)
        self.put(0x81, atime)
        self.put(0xCA, astep & 0xFF, astep >> 8)
        self.put(0xAF, 0x10)
        self.put(0x00, *smux)
        self.put(0x80, 0x11)
        self.clock.sleep(0.001)

    def valid(self) -> bool:
        return bool(self.get(0xA3)[0] & 0x40)

    def measure(self) -> tuple[int, ...]:
        """ASTATUS and six counts of a fresh measurement."""
        self.put(0x80, 0x01)
        self.put(0x80, 0x03)
        self.clock.sleep(0.015 + self.chip.integration_ms / 1e3)
        assert self.valid()
        return struct.unpack("<B6H", self.get(0x94, 13))
