"""AS7341 spectral sensor: one frame is all ten channels, measured in two halves of six converters.

Built on the Adafruit library, which knows the multiplexer's tables and the order of the steps. This module adds what
it leaves out: Clear and NIR of both halves, the saturation flag, the gain that was really used, never a value from an
earlier measurement, limits on every wait, and time taken from the bus instead of the machine.

What a newcomer gets wrong: the library keeps one scratch buffer for all sensors of the process and has no lock. All
calls into it go through `_turn`, which lets one thread in at a time and lets others in while it sleeps.
"""

import struct
import threading
import time
from collections.abc import Callable, Generator
from contextlib import contextmanager
from typing import Any, Final, NamedTuple, cast

import adafruit_as7341
import numpy as np

from drivers.bus import Bus, Clock, NakError
from drivers.errors import NotFoundError, SensorFaultError
from drivers.frames import SpectralFrame

ADDRESS: Final = 0x39
CHIP: Final = "AS7341"
# Nominal gain -> (code of register CFG1, typical real gain): DS000718, gain ratios relative to 64x.
GAINS: Final = {
    0.5: (0, 0.512),
    1: (1, 1.02),
    2: (2, 2.05),
    4: (3, 4.16),
    8: (4, 8.0),
    16: (5, 16.0),
    32: (6, 32.0),
    64: (7, 64.0),
    128: (8, 128.0),
    256: (9, 253.0),
    512: (10, 496.0),
}
STEP_US: Final = 2.78
COUNTS_MAX: Final = 65_535
INTEGRATION_MS_MAX: Final = 500.0  # a frame takes twice that; a longer one would span more than one piece
AUTO_ZERO_S: Final = 0.015  # before the first integration after every change of the multiplexer
OSCILLATOR_MARGIN: Final = 1.05  # the data sheet does not say how slow the chip's own clock may be
POWER_UP_S: Final = 0.001  # the chip answers 0.2 ms after its supply is there, and is busy until 0.3 ms
HALF_SLACK_S: Final = 0.25  # a half that takes this much longer than it should, and …
POLLS_MIN: Final = 20  # … was asked this often, has failed; time alone may have passed while our process was stopped
LED_MA_MIN, LED_MA_MAX = 4, 258

# With a white tile (95 %) at 250 mm under the ring light these give Clear, the strongest channel, some 60 % of full
# scale; 50 ms is a whole number of periods of mains flicker at 50 Hz and at 60 Hz.
GAIN_DEFAULT: Final = 128
ATIME_DEFAULT: Final = 29
ASTEP_DEFAULT: Final = 599
LED_MA_DEFAULT: Final = 20

_ENABLE_OFF: Final = b"\x80\x00"
_BANK_0: Final = b"\xa9\x00"
_AUTO_ZERO_FIRST: Final = b"\xd6\xff"
_ASTATUS: Final = b"\x94"
_BURST: Final = struct.Struct("<B6H")  # ASTATUS and the six converters


class _Half(NamedTuple):
    """bands: four of F1 to F8."""

    bands: list[int]
    clear: int
    nir: int
    saturated: bool


class As7341:
    """One sensor on `bus`. Not started, its lamp is off. One thread at a time."""

    def __init__(self, bus: Bus) -> None:
        self._bus = bus
        self._halves: _Halves | None = None
        self._gain = GAINS[GAIN_DEFAULT]
        self._integration_ms = 0.0
        self._full_scale = 0
        self._led_ma = 0

    def start(
        self,
        gain: float = GAIN_DEFAULT,
        atime: int = ATIME_DEFAULT,
        astep: int = ASTEP_DEFAULT,
        led_ma: int = LED_MA_DEFAULT,
    ) -> None:
        """Set the chip up from whatever state it is in, and switch the lamp on (`led_ma` 0: off).

        gain: a key of GAINS. One half integrates for (atime + 1) (astep + 1) 2.78 us, at most INTEGRATION_MS_MAX.
        led_ma: 0, or even and from 4 to 258. Raises ValueError for a setting the chip can't have, NotFoundError,
        SensorFaultError, or a BusError.
        """
        steps = _check_settings(gain, atime, astep, led_ma)
        self._halves = None
        self._gain = GAINS[gain]
        self._integration_ms = steps * STEP_US / 1000.0
        self._full_scale = min(COUNTS_MAX, steps)
        self._led_ma = led_ma
        with _turn(self._bus, self._half_limit_s):
            halves = self._connect()
            halves.set_up(code=self._gain[0], atime=atime, astep=astep, led_ma=led_ma)
        self._halves = halves

    def read(self) -> SpectralFrame:
        """Measure all ten channels now; takes two integrations and the auto-zero of each.

        Raises SensorFaultError when the chip does not finish or is not set as it was started: it has lost its state,
        `start` again. A BusError leaves it as it was, the next `read` begins from scratch.
        """
        halves = self._halves
        if halves is None:
            raise SensorFaultError(f"the {CHIP} has not been started")
        first = self._half(halves.measure_first)
        second = self._half(halves.measure_second)
        clear, nir = (first.clear, second.clear), (first.nir, second.nir)
        counts = [*first.bands, *second.bands, round(sum(clear) / 2), round(sum(nir) / 2)]
        return SpectralFrame(
            captured_ns=self._bus.clock.monotonic_ns(),
            counts=np.array(counts, dtype=np.int64),
            clear_halves=clear,
            nir_halves=nir,
            gain=self._gain[1],
            integration_ms=self._integration_ms,
            full_scale=self._full_scale,
            led_ma=self._led_ma,
            saturated=first.saturated or second.saturated,
        )

    def stop(self) -> None:
        """Lamp off, chip to sleep. Raises a BusError."""
        halves, self._halves = self._halves, None
        if halves is not None:
            with _turn(self._bus, self._half_limit_s):
                halves.shut_down()

    @property
    def _half_limit_s(self) -> float:
        return self._integration_ms / 1000.0 + AUTO_ZERO_S + HALF_SLACK_S

    def _connect(self) -> "_Halves":
        self._bus.clock.sleep(POWER_UP_S)
        try:
            for registers in (_ENABLE_OFF, _BANK_0, _AUTO_ZERO_FIRST):  # an earlier program may have left it running
                self._bus.transfer(ADDRESS, registers)
        except NakError as error:
            raise NotFoundError(CHIP, ADDRESS, "nothing answers") from error
        identity = self._bus.transfer(ADDRESS, b"\x92", 1)
        if identity[0] >> 2 != 0x09:
            raise NotFoundError(CHIP, ADDRESS, f"its identity register holds 0x{identity[0]:02X}, not 0x24", identity)
        return _Halves(self._bus, (self._integration_ms / 1000.0 + AUTO_ZERO_S) * OSCILLATOR_MARGIN)

    def _half(self, measure: Callable[[], None]) -> _Half:
        with _turn(self._bus, self._half_limit_s):
            measure()
        # One burst: reading ASTATUS latches the data that belong to it.
        status, *counts = _BURST.unpack(self._bus.transfer(ADDRESS, _ASTATUS, _BURST.size))
        if status & 0x0F != self._gain[0]:
            raise SensorFaultError(f"the chip measured at gain code {status & 0x0F}, set was {self._gain[0]}")
        saturated = bool(status & 0x80) or max(counts) >= self._full_scale
        return _Half(counts[:4], clear=counts[4], nir=counts[5], saturated=saturated)


class _Halves(adafruit_as7341.AS7341):
    """The library's sensor, opened where its public face gives too little away."""

    def __init__(self, bus: Bus, conversion_s: float) -> None:
        self._conversion_s = conversion_s
        super().__init__(cast("Any", _Wire(bus)), ADDRESS)

    def set_up(self, *, code: int, atime: int, astep: int, led_ma: int) -> None:
        """Settings, then the lamp."""
        self._gain = code
        self.atime = atime
        self.astep = astep
        self.led_current = max(LED_MA_MIN, led_ma)
        self.led = led_ma > 0

    def measure_first(self) -> None:
        """F1 to F4, Clear, NIR: from the multiplexer to data ready."""
        self._low_channels_configured = False  # else the library is content with what it finds
        self._configure_f1_f4()

    def measure_second(self) -> None:
        """F5 to F8, Clear, NIR."""
        self._high_channels_configured = False
        self._configure_f5_f8()

    def shut_down(self) -> None:
        """Stop measuring, lamp off, power down to sleep."""
        self._color_meas_enabled = False
        self.led = False
        self._power_enabled = False

    def _wait_for_data(self, timeout: float = 1.0) -> None:
        """Don't ask before there can be an answer: saves some sixty polls, and distrusts a ready bit left standing."""
        del timeout  # the turn has its own
        _library_sleep(self._conversion_s)
        while not self._data_ready_bit:
            _library_sleep(0.001)


class _Wire:
    """What the library takes for a CircuitPython I2C bus. Locking is `_turn`'s business."""

    def __init__(self, bus: Bus) -> None:
        self._transfer = bus.transfer

    def try_lock(self) -> bool:
        """Granted: whoever is here holds the turn."""
        return True

    def unlock(self) -> None:
        """Nothing to give back."""

    def writeto(self, address: int, buffer: bytearray, *, start: int = 0, end: int | None = None) -> None:
        """Write a part of `buffer`; an empty one asks who is there."""
        self._transfer(address, bytes(buffer[start:end]))

    def readfrom_into(self, address: int, buffer: bytearray, *, start: int = 0, end: int | None = None) -> None:
        """Fill a part of `buffer`."""
        stop = len(buffer) if end is None else end
        buffer[start:stop] = self._transfer(address, b"", stop - start)

    def writeto_then_readfrom(
        self,
        address: int,
        out_buffer: bytearray,
        in_buffer: bytearray,
        *,
        out_start: int = 0,
        out_end: int | None = None,
        in_start: int = 0,
        in_end: int | None = None,
    ) -> None:
        """Write, then read; both buffers may be the same object."""
        stop = len(in_buffer) if in_end is None else in_end
        in_buffer[in_start:stop] = self._transfer(address, bytes(out_buffer[out_start:out_end]), stop - in_start)


_library_lock = threading.Lock()
_here = threading.local()  # .turn: the turn this thread has in the library, if any


class _Turn:
    """A thread's stay inside the library, on the clock of its bus and with an end."""

    def __init__(self, clock: Clock, limit_s: float) -> None:
        self.clock = clock
        self._deadline_ns = clock.monotonic_ns() + round(limit_s * 1e9)
        self._sleeps = 0

    def sleep(self, seconds: float) -> None:
        """Let other sensors' threads into the library meanwhile. Raises SensorFaultError past the deadline."""
        self._sleeps += 1
        if self._sleeps > POLLS_MIN and self.clock.monotonic_ns() > self._deadline_ns:
            raise SensorFaultError(f"the {CHIP} does not finish what it was told to do")
        _library_lock.release()
        try:
            self.clock.sleep(seconds)
        finally:
            _library_lock.acquire()


@contextmanager
def _turn(bus: Bus, limit_s: float) -> Generator[None]:
    """Enter the library. Always the bus before the library, so that two threads can't wait for each other."""
    with bus.lock, _library_lock:
        _here.turn = _Turn(bus.clock, limit_s)
        try:
            yield
        finally:
            _here.turn = None


def _library_sleep(seconds: float) -> None:
    turn: _Turn | None = getattr(_here, "turn", None)
    if turn is None:
        time.sleep(seconds)  # somebody else in this process uses the library on his own
    else:
        turn.sleep(seconds)


def _library_monotonic() -> float:
    turn: _Turn | None = getattr(_here, "turn", None)
    return time.monotonic() if turn is None else turn.clock.monotonic_ns() / 1e9


adafruit_as7341.sleep = _library_sleep
adafruit_as7341.monotonic = _library_monotonic


def _check_settings(gain: float, atime: int, astep: int, led_ma: int) -> int:
    """The number of steps of one integration."""
    if gain not in GAINS:
        raise ValueError(f"gain is {gain}, must be one of {', '.join(f'{value:g}' for value in GAINS)}")
    if not 0 <= atime <= 255:
        raise ValueError(f"atime is {atime}, must be 0 to 255")
    if not 0 <= astep <= 65_534:
        raise ValueError(f"astep is {astep}, must be 0 to 65534")
    steps = (atime + 1) * (astep + 1)
    if steps == 1:
        raise ValueError("atime and astep must not both be 0")
    if steps * STEP_US > INTEGRATION_MS_MAX * 1000.0:
        raise ValueError(
            f"one half would integrate for {steps * STEP_US / 1000:.0f} ms, at most {INTEGRATION_MS_MAX:.0f}"
        )
    if led_ma != 0 and (led_ma % 2 or not LED_MA_MIN <= led_ma <= LED_MA_MAX):
        raise ValueError(f"led_ma is {led_ma}, must be 0, or even and from {LED_MA_MIN} to {LED_MA_MAX}")
    return steps
