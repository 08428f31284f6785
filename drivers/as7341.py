"""AS7341 spectral sensor: one frame is all ten channels, measured in two halves of six converters.

A frame costs seventeen transfers; per half these are the multiplexer's table in one burst, one look at the ready bit
when it is due, one 13-byte burst of status and counts, and the latched counts once more, because the chip sends no
checksum and a spectrum has little in it that could contradict itself (`double_read` False leaves that out). Four bytes
that are written at the start and read with every frame tell a chip that has lost its supply from one that has not.

What a newcomer gets wrong: the ready bit does not fall when the data are read, and whether it falls when measuring
stops is not in the data sheet. So nothing is asked before it can be there: a frame is always of its own time. And the
gain is never changed behind a caller's back, because a white reference holds for one gain only: `choose_gain` proposes,
a recipe keeps.
"""

import struct
import threading
from collections.abc import Callable, Generator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from typing import Final, NamedTuple, NoReturn

from drivers import as7341_registers as reg
from drivers.as7341_half import Half, bracket, frame_of
from drivers.as7341_settings import GAINS, LED_MA_MIN, Settings
from drivers.bus import Bus, BusError, NakError
from drivers.errors import FrameCorruptError, NotFoundError, SensorFaultError, SettingError
from drivers.frames import SpectralFrame

ADDRESS: Final = reg.ADDRESS
CHIP: Final = "AS7341"
AUTO_ZERO_S: Final = 0.015  # before the first integration after every change of the multiplexer
OSCILLATOR_MARGIN: Final = 1.05  # the data sheet does not say how slow the chip's own clock may be
POWER_UP_S: Final = 0.001  # the chip answers 0.2 ms after its supply is there, and is busy until 0.3 ms
SMUX_S: Final = 0.0005  # a command of the multiplexer takes some 0.2 ms
POLL_S: Final = 0.001
SLACK_S: Final = 0.25  # what takes this much longer than it should, and …
POLLS_MIN: Final = 20  # … was asked for this often, has failed; time alone may pass while our process is stopped
FLICKER_S: Final = 0.6  # how long the flicker engine listens at most, with some to spare
FD_GAIN_CODE, FD_STEPS = 9, 0x3FF  # 256x, for the little that a shroud lets through; 2.84 ms a reading
PEAK_SHARE: Final = 0.6  # of full scale: what an automatic choice of the gain aims at
MARK: Final = b"\xa5\x5a\xc3\x3c"  # in the thresholds, which are unused: 0 after a loss of supply

_BURST: Final = struct.Struct("<B6H")  # ASTATUS and the six converters


@dataclass(slots=True)
class As7341Counters:
    """Totals since the driver was made. late: steps that never ended; lost: times the chip had forgotten its settings.

    polls: looks at a bit that was not there yet. corrupt: answers that could not be true. bus_errors: calls that ended
    in one.
    """

    starts: int = 0
    frames: int = 0
    saturated: int = 0
    polls: int = 0
    late: int = 0
    lost: int = 0
    corrupt: int = 0
    bus_errors: int = 0


class Flicker(NamedTuple):
    """What the flicker engine heard. hz: 100, 120, or None for neither; saturated: too much light to tell."""

    hz: int | None
    saturated: bool


class GainChoice(NamedTuple):
    """gain: nominal. peak_share: the strongest channel's share of full scale at it."""

    gain: float
    peak_share: float


class As7341:
    """One sensor on `bus`. Not started, its lamp is off. Calls from several threads take turns.

    usual: how a start without other wishes sets it. before_half: called when all but the start of an integration is
    done, with the seconds from that start to the first light that counts; it may wait. bracketed: measure the first
    half again after the second and take the mean of both, so that what moves evenly moves both halves alike.
    """

    def __init__(
        self, bus: Bus, *, double_read: bool = True, usual: Settings | None = None, bracketed: bool = False
    ) -> None:
        self.counters = As7341Counters()
        self.usual = Settings() if usual is None else usual
        self.before_half: Callable[[float], None] | None = None
        self._bus = bus
        self._double_read = double_read
        self._bracketed = bracketed
        self._lock = threading.RLock()
        self._settings: Settings | None = None

    @property
    def settings(self) -> Settings | None:
        """How it was started, None while it is not."""
        return self._settings

    def start(
        self,
        gain: float | None = None,
        atime: int | None = None,
        astep: int | None = None,
        led_ma: int | None = None,
    ) -> None:
        """Set the chip up from whatever state it is in, and switch the lamp on (`led_ma` 0: off).

        gain, atime, astep, led_ma: see drivers.as7341_settings.Settings; None: as usual. Raises SettingError for what
        the chip can't be set to, NotFoundError, or a BusError.
        """
        wishes = {"gain": gain, "atime": atime, "astep": astep, "led_ma": led_ma}
        settings = replace(self.usual, **{name: wish for name, wish in wishes.items() if wish is not None})
        with self._turn():
            self._settings = None
            self.counters.starts += 1
            self._connect()
            self._write(reg.CFG1, settings.gain_code)
            self._write(reg.ATIME, settings.atime)
            self._write(reg.THRESHOLDS, *MARK)
            self._write(reg.ASTEP, settings.astep & 0xFF, settings.astep >> 8)
            self._write(reg.CFG6, reg.RAM_TO_CHAIN)
            self._lamp(settings.led_ma)
            self._settings = settings

    def read(self) -> SpectralFrame:
        """Measure all ten channels now; takes two integrations and the auto-zero of each.

        Raises SensorFaultError when the chip does not finish or is not set as it was started: it has lost its state,
        `start` again. A FrameCorruptError (the answer cannot be true) or a BusError leaves it as it was, the next
        `read` begins from scratch.
        """
        with self._turn():
            settings = self._started()
            first = self._half(reg.FIRST_HALF, settings)
            second = self._half(reg.SECOND_HALF, settings)
            self._check_memory(settings)
            if self._bracketed:
                first = bracket(first, self._half(reg.FIRST_HALF, settings))
            frame = frame_of(first, second, settings, self._bus.clock.monotonic_ns())
            self.counters.frames += 1
            self.counters.saturated += frame.saturated
            return frame

    def stop(self) -> None:
        """Lamp off, chip to sleep. Raises a BusError."""
        with self._turn():
            if self._settings is not None:
                self._settings = None
                self._lamp(0)
                self._write(reg.ENABLE, 0)

    def choose_gain(self, peak_share: float = PEAK_SHARE) -> GainChoice:
        """The gain at which the strongest channel of what is in view comes nearest to `peak_share` of full scale
        without passing it; the sensor is left as it was started.

        A proposal for a recipe: show the brightest thing to be measured, keep the gain, make the white reference at
        it. Raises SettingError, SensorFaultError (too bright even at the lowest gain), or a BusError.
        """
        if not 0.05 <= peak_share <= 0.95:
            raise SettingError("peak_share", peak_share, "must be 0.05 to 0.95", PEAK_SHARE)
        with self._turn():
            settings = self._started()
            try:
                return self._try_gains(settings, peak_share)
            finally:
                self._write(reg.ENABLE, reg.PON)
                self._write(reg.CFG1, settings.gain_code)

    def detect_flicker(self) -> Flicker:
        """Listen for lamps on mains of 50 or 60 Hz, with the own lamp off meanwhile; takes half a second.

        Raises SensorFaultError when the engine does not finish, or a BusError.
        """
        with self._turn():
            settings = self._started()
            self._lamp(0)
            try:
                status = self._listen()
            finally:
                self._lamp(settings.led_ma)
        saturated = bool(status & reg.FD_SATURATED)
        if status & reg.FD_100 and status & reg.FD_100_VALID:
            return Flicker(100, saturated)
        if status & reg.FD_120 and status & reg.FD_120_VALID:
            return Flicker(120, saturated)
        return Flicker(None, saturated)

    def measure_half(self, table: bytes, *, lamp: bool = True) -> Half:
        """One integration under a table of the multiplexer of 20 bytes, with or without the lamp: for self-tests.

        Raises as `read` does.
        """
        with self._turn():
            settings = self._started()
            if lamp:
                return self._half(table, settings)
            self._lamp(0)
            try:
                return self._half(table, settings)
            finally:
                self._lamp(settings.led_ma)

    def chain(self, table: bytes) -> bytes:
        """Send a table to the multiplexer's chain and read the chain back: for self-tests. Raises as `read` does."""
        with self._turn():
            self._started()
            self._connect_diodes(table)
            try:
                self._write(reg.SMUX_RAM, *bytes(len(table)))
                self._write(reg.CFG6, reg.CHAIN_TO_RAM)
                self._command_multiplexer()
                return self._read(reg.SMUX_RAM, len(table))
            finally:
                self._write(reg.CFG6, reg.RAM_TO_CHAIN)

    @contextmanager
    def _turn(self) -> Generator[None]:
        with self._lock:
            try:
                yield
            except BusError:
                self.counters.bus_errors += 1
                raise

    def _started(self) -> Settings:
        if self._settings is None:
            raise SensorFaultError(f"the {CHIP} has not been started")
        return self._settings

    def _write(self, register: int, *values: int) -> None:
        self._bus.transfer(ADDRESS, bytes((register, *values)))

    def _read(self, register: int, count: int = 1) -> bytes:
        return self._bus.transfer(ADDRESS, bytes((register,)), count)

    def _connect(self) -> None:
        """Make sure of the chip, and undo what an earlier program may have left behind."""
        self._bus.clock.sleep(POWER_UP_S)
        try:
            self._write(reg.CFG0, 0)  # first: nothing from 0x80 on is there while bank 1 is chosen
        except NakError as error:
            raise NotFoundError(CHIP, ADDRESS, "nothing answers") from error
        self._write(reg.ENABLE, 0)
        identity = self._read(reg.IDENTITY)
        if identity[0] >> 2 != reg.PART:
            raise NotFoundError(CHIP, ADDRESS, f"its identity register holds 0x{identity[0]:02X}, not 0x24", identity)
        self._write(reg.INTENAB, 0)
        self._write(reg.CONTROL, reg.CLEAR_SAI)  # asleep after an interrupt that nobody took, it would not measure
        cfg8 = self._read(reg.CFG8)[0]
        if cfg8 & reg.SP_AGC:
            self._write(reg.CFG8, cfg8 & ~reg.SP_AGC)  # it would change the gain by itself
        self._write(reg.AZ_CONFIG, 0xFF)
        self._write(reg.ENABLE, reg.PON)

    def _lamp(self, led_ma: int) -> None:
        self._write(reg.ENABLE, reg.PON)  # no setting may be changed while the chip measures
        self._write(reg.CFG0, reg.BANK_1)
        try:
            self._write(reg.CONFIG, reg.LED_SEL)
            drive = (max(led_ma, LED_MA_MIN) - LED_MA_MIN) // 2
            self._write(reg.LED, (reg.LED_ACT if led_ma else 0) | drive)
        finally:
            self._write(reg.CFG0, 0)

    def _half(self, table: bytes, settings: Settings) -> Half:
        self._connect_diodes(table)
        if self.before_half is not None:
            self.before_half(AUTO_ZERO_S)
        self._write(reg.ENABLE, reg.PON | reg.SP_EN)
        begun_ns = self._bus.clock.monotonic_ns()
        integration_s = settings.integration_ms / 1000.0
        expected_s = integration_s + AUTO_ZERO_S
        flags = self._await(reg.STATUS2, reg.AVALID, reg.AVALID, expected_s * OSCILLATOR_MARGIN, "measuring")
        status, *counts = self._burst(settings)
        if status & 0x0F != settings.gain_code:
            self.counters.lost += 1
            raise SensorFaultError(f"the chip measured at gain code {status & 0x0F}, set was {settings.gain_code}")
        digital = bool(flags & reg.ASAT_DIGITAL) or max(counts) >= settings.full_scale
        analogue = bool(flags & reg.ASAT_ANALOGUE) or (bool(status & reg.ASTATUS_SATURATED) and not digital)
        return Half(tuple(counts), digital, analogue, begun_ns + round((expected_s - integration_s / 2) * 1e9))

    def _burst(self, settings: Settings) -> tuple[int, ...]:
        """ASTATUS and six counts that do not contradict themselves. Raises FrameCorruptError."""
        raw = self._read(reg.ASTATUS, _BURST.size)
        values = _BURST.unpack(raw)
        if values[0] & reg.ASTATUS_RESERVED:
            self._refuse("ASTATUS", "reserved bits of 0", f"0x{values[0]:02X}", raw)
        if max(values[1:]) > settings.full_scale:
            self._refuse("a count", f"{settings.full_scale} at most", max(values[1:]), raw)
        if self._double_read:
            again = self._read(reg.DATA, _BURST.size - 1)  # still latched
            if again != raw[1:]:
                self._refuse("the second reading", raw[1:].hex(), again.hex(), raw)
        return values

    def _refuse(self, field: str, expected: object, received: object, raw: bytes) -> NoReturn:
        self.counters.corrupt += 1
        raise FrameCorruptError(field, expected=expected, received=received, raw=raw)

    def _connect_diodes(self, table: bytes) -> None:
        """The multiplexer may only be changed while nothing is being measured."""
        self._write(reg.ENABLE, reg.PON)
        self._write(reg.SMUX_RAM, *table)
        self._command_multiplexer()

    def _command_multiplexer(self) -> None:
        self._write(reg.ENABLE, reg.PON | reg.SMUXEN)
        self._await(reg.ENABLE, reg.SMUXEN, 0, SMUX_S, "switching its multiplexer")

    def _await(self, register: int, mask: int, wanted: int, expected_s: float, doing: str) -> int:
        """Sleep for as long as it takes, then look until the bits of `mask` are as `wanted`; the register's value."""
        clock = self._bus.clock
        deadline_ns = clock.monotonic_ns() + round((expected_s + SLACK_S) * 1e9)
        clock.sleep(expected_s)
        looks = 0
        while (value := self._read(register)[0]) & mask != wanted:
            looks += 1
            if looks > POLLS_MIN and clock.monotonic_ns() > deadline_ns:
                self.counters.late += 1
                raise SensorFaultError(f"the {CHIP} does not finish {doing}")
            self.counters.polls += 1
            clock.sleep(POLL_S)
        return value

    def _check_memory(self, settings: Settings) -> None:
        """Whether the chip still is as it was started: after a dip of its supply all settings are gone."""
        if not self._remembers(settings):
            self.counters.corrupt += 1
            if not self._remembers(settings):  # not the wire, then
                self.counters.lost += 1
                raise SensorFaultError(
                    f"the {CHIP} has lost its settings: its supply dipped, or another program uses it"
                )

    def _remembers(self, settings: Settings) -> bool:
        memory = self._read(reg.ENABLE, 8)
        return bool(memory[0] & reg.PON) and memory[1] == settings.atime and memory[4:] == MARK

    def _try_gains(self, settings: Settings, peak_share: float) -> GainChoice:
        """From a cautious trial to what it predicts, and down from there until nothing saturates."""
        trial = 16
        while trial > 1 and self._peak(settings, trial) >= 1.0:
            trial //= 4
        rate = self._peak(settings, trial) / GAINS[trial][1]  # share of full scale per unit of gain
        fitting = [gain for gain, (_, real) in GAINS.items() if rate * real <= peak_share]
        candidates = sorted(fitting, reverse=True) or [min(GAINS)]
        for gain in candidates:
            share = self._peak(settings, gain)
            if share <= peak_share * 1.05 or (gain == min(GAINS) and share < 1.0):
                return GainChoice(gain, share)
        raise SensorFaultError(
            "there is too much light even for the lowest gain: less lamp current or integration time"
        )

    def _peak(self, settings: Settings, gain: float) -> float:
        """The strongest channel's share of full scale at `gain`; at least 1 when anything saturates."""
        self._write(reg.ENABLE, reg.PON)
        self._write(reg.CFG1, GAINS[gain][0])
        at_gain = Settings(gain, settings.atime, settings.astep, settings.led_ma)
        halves = [self._half(table, at_gain) for table in (reg.FIRST_HALF, reg.SECOND_HALF)]
        share = max(max(half.counts) for half in halves) / settings.full_scale
        return max(share, 1.0) if any(half.digital or half.analogue for half in halves) else share

    def _listen(self) -> int:
        """The flicker engine's status at the end of a fresh run."""
        self._connect_diodes(reg.FLICKER_TABLE)
        self._write(reg.FD_CFG0, 0x21)  # its own coefficients for 100 and 120 Hz, nothing into the FIFO
        self._write(reg.FD_TIME_1, FD_STEPS & 0xFF)
        self._write(reg.FD_TIME_2, FD_GAIN_CODE << 3 | FD_STEPS >> 8)
        self._write(reg.FD_STATUS, reg.FD_VALID | reg.FD_SATURATED | reg.FD_120_VALID | reg.FD_100_VALID)  # 1 clears
        self._write(reg.ENABLE, reg.PON | reg.SP_EN | reg.FDEN)
        return self._await(reg.FD_STATUS, reg.FD_VALID, reg.FD_VALID, FLICKER_S, "listening for flicker")
