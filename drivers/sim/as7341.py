"""A register-level AS7341 that looks at a LightSource; drivers talk to it through a bus and can't tell.

Modelled (DS000718, and the application note on the multiplexer): registers, banks, reserved bits, multiplexer,
auto-zero, wait time and integration on the bus clock, latching, saturation, real gains, automatic gain, noise, lamp,
interrupt bits, FIFO, flicker engine. Synchronised modes wait for an edge that no pin here delivers. Not in the data
sheet, but what every known driver depends on: that AVALID falls with SP_EN, and that latched data are released then.
Assumed: WLONG is 16 times, the pointer stays in the two bytes of the FIFO.

`violations` says in words what a driver did against the data sheet; the chip itself would not tell.
"""

from typing import Final

import numpy as np
from numpy.typing import NDArray

from drivers.bus import Clock
from drivers.sim import as7341_map as reg
from drivers.sim.as7341_converters import COUNTS_MAX, convert
from drivers.sim.as7341_defects import Defect
from drivers.sim.as7341_fifo import THRESHOLDS, Fifo
from drivers.sim.as7341_flicker import LISTEN_S, Stretch, listen
from drivers.sim.as7341_interrupts import Thresholds, regulated
from drivers.sim.as7341_optics import ADCS, GAINS, SMUX_BYTES, flicker_response, wiring
from drivers.sim.light import LightSource, Spectrum

ADDRESS: Final = 0x39
STEP_US: Final = 2.78  # one unit of ASTEP and of FD_TIME, and a thousandth of one of WTIME
AUTO_ZERO_NS, SMUX_NS = 15_000_000, 200_000
POWER_UP_NS, BUSY_NS = 200_000, 300_000  # no acknowledge before; INT_BUSY before
DARK_MAX: Final = (*[3.0] * 5, 5.0)  # counts at gain 512 in 98 ms
WINDOWS: Final = 3  # parts of an integration in each of which the light is looked at once
WATCHED_MAX: Final = 256  # integrations made up for one by one when FIFO or thresholds want to see each


class SimAs7341:
    """One chip; a SimChip for SimBus.attach. `clock` is the clock of its bus."""

    def __init__(self, clock: Clock, light: LightSource, *, seed: int = 0, unit_spread: float = 0.0) -> None:
        """`seed` decides noise, dark counts and how this unit differs from the typical one.

        unit_spread: standard deviation of the sensitivities of its converters, relative (0.05 is lifelike).
        """
        self.defects: set[Defect] = set()
        self.violations: list[str] = []
        self._clock = clock
        self._light = light
        self._rng = np.random.default_rng([seed, 7341])
        self._sensitivity = 1.0 + unit_spread * self._rng.standard_normal(ADCS)
        self._dark = self._rng.uniform(0.0, DARK_MAX)
        self._power_up()

    def present_at(self, address: int) -> bool:
        """At 0x39, from 200 us after power-up on."""
        return address == ADDRESS and self._clock.monotonic_ns() >= self._powered_ns + POWER_UP_NS

    def power_cycle(self) -> None:
        """Back to the reset values; the lamp goes out."""
        self._power_up()

    def write(self, data: bytes) -> None:
        """Set the register pointer, then write registers from there on."""
        self._catch_up()
        self._pointer = data[0]
        for value in data[1:]:
            self._poke(self._pointer, value)
            self._advance()

    def read(self, count: int) -> bytes:
        """Registers from the pointer on, which stays behind the last one."""
        self._catch_up()
        values = bytearray()
        for _ in range(count):
            values.append(self._peek(self._pointer))
            self._advance()
        return bytes(values)

    @property
    def integration_ms(self) -> float:
        """(ATIME + 1) (ASTEP + 1) 2.78 us."""
        return self._steps * STEP_US / 1000.0

    @property
    def full_scale(self) -> int:
        """Highest count at this integration time."""
        return min(COUNTS_MAX, self._steps)

    @property
    def gain(self) -> float:
        """Real gain."""
        return GAINS[min(self._gain_code, len(GAINS) - 1)]

    @property
    def interrupt(self) -> bool:
        """Whether the INT pin is pulled low."""
        return bool(self._registers[reg.STATUS] & self._registers[reg.INTENAB] & reg.RINGS)

    def led_ma(self, at_ns: int) -> int:
        """Current through the lamp at a moment not long ago, 0 when off."""
        return self._led_ma if at_ns >= self._led_since_ns else self._led_before_ma

    def expected_counts(self, time_s: float, led_ma: float, window_s: float = 0.0) -> NDArray[np.float64]:
        """What the six converters would count on average, before clipping, as they are wired now."""
        rate = self._responses @ self._spectrum(time_s, led_ma, window_s) * self._sensitivity
        dark = self._dark * (self.gain / 512.0) * (self.integration_ms / 98.0)
        return rate * (self.gain * self.integration_ms) + dark

    def _spectrum(self, time_s: float, led_ma: float, window_s: float) -> Spectrum:
        return self._light.spectrum(time_s, 0.0 if Defect.LAMP_DEAD in self.defects else led_ma, window_s)

    @property
    def _steps(self) -> int:
        return (self._registers[reg.ATIME] + 1) * (self._word(reg.ASTEP) + 1)

    def _word(self, register: int) -> int:
        return self._registers[register] | self._registers[register + 1] << 8

    def _power_up(self) -> None:
        self._powered_ns = self._clock.monotonic_ns()
        self._registers = bytearray(256)
        for register, value in reg.RESET.items():
            self._registers[register] = value
        self._chain(bytes(SMUX_BYTES))
        self._pointer = 0
        self._smux_done_ns: int | None = None
        self._next_ns: int | None = None  # end of the running integration
        self._zeroed_ns = 0  # end of a manual auto-zero
        self._heard_ns: int | None = None  # end of the running stretch of flicker detection
        self._results = bytes(1 + 2 * ADCS)  # ASTATUS and the data, as they stand in the converters
        self._latched: bytes | None = None
        self._integrations = 0
        self._gain_code = self._registers[reg.CFG1]
        self._fifo = Fifo()
        self._thresholds = Thresholds()
        self._led_ma = self._led_before_ma = self._led_since_ns = 0

    def _chain(self, table: bytes) -> None:
        self._wired = table
        self._responses = wiring(table)
        self._flicker_response = flicker_response(table)

    def _advance(self) -> None:
        self._pointer = reg.FIFO_LOW if self._pointer == reg.FIFO_HIGH else (self._pointer + 1) & 0xFF

    def _elsewhere(self, register: int) -> bool:
        """Whether this register belongs to the bank that is not chosen; the choice itself is in both."""
        if register < reg.ENABLE or register == reg.CFG0 or not self._registers[reg.CFG0] & reg.REG_BANK:
            return False
        self.violations.append(f"0x{register:02X} was asked for while bank 1 was chosen")
        return True

    def _peek(self, register: int) -> int:
        if register in reg.BANK_1:
            return self._peek_bank_1(register)
        if self._elsewhere(register):
            return 0
        if reg.ASTATUS <= register < reg.ASTATUS + len(self._results):
            return self._result(register - reg.ASTATUS)
        if register >= reg.FIFO_LEVEL:
            return self._peek_fifo(register)
        if register == reg.STATUS6:
            busy = self._clock.monotonic_ns() < self._powered_ns + BUSY_NS
            return self._registers[register] | reg.INT_BUSY * busy | reg.FIFO_OVERFLOW * self._fifo.overflowed
        return 0 if register == reg.IDENTITY and Defect.WRONG_IDENTITY in self.defects else self._registers[register]

    def _peek_fifo(self, register: int) -> int:
        if register == reg.FIFO_LEVEL:
            return self._fifo.level
        return self._fifo.low() if register == reg.FIFO_LOW else self._fifo.take_high()

    def _peek_bank_1(self, register: int) -> int:
        if not self._registers[reg.CFG0] & reg.REG_BANK:
            return 0
        if register == reg.ASTATUS_COPY:
            return self._result(0)
        if register in (reg.ASTATUS_COPY + 1, reg.ASTATUS_COPY + 2):
            return self._result(register - reg.ASTATUS_COPY)
        if reg.CHANNELS_COPY <= register < reg.CONFIG:
            return self._result(register - reg.CHANNELS_COPY + 3)
        return self._registers[register]

    def _result(self, place: int) -> int:
        """A byte of status and data; the status latches the rest."""
        if place == 0:
            self._latched = self._results
        return (self._results if self._latched is None else self._latched)[place]

    def _poke(self, register: int, value: int) -> None:
        if register in reg.BANK_1 and not self._registers[reg.CFG0] & reg.REG_BANK:
            self.violations.append(f"0x{register:02X} was written while bank 0 was chosen")
            return
        if self._elsewhere(register):
            return
        if register in reg.ONE_CLEARS:
            self._registers[register] &= ~(value & reg.ONE_CLEARS[register]) & 0xFF
            if register == reg.STATUS and value & reg.SINT:
                self._registers[reg.STATUS5] = 0
            return
        if register == reg.CONTROL:
            self._control(value)
            return
        mask = reg.WRITABLE.get(register, 0)
        kept = reg.RESET.get(register, 0) & ~mask & 0xFF
        self._complain(register, value, mask, kept)
        if register == reg.ENABLE:
            self._enable(value & mask)
            return
        if mask:
            self._registers[register] = value & mask | kept
        if register in (reg.CONFIG, reg.LED):
            self._switch_lamp()
        elif register == reg.CFG1:
            self._gain_code = value & 0x1F

    def _complain(self, register: int, value: int, mask: int, kept: int) -> None:
        if not mask:
            self.violations.append(f"0x{register:02X} cannot be written")
        elif value & ~mask & 0xFF != kept:
            self.violations.append(f"reserved bits of 0x{register:02X} were written: 0x{value:02X}")
        if register in reg.CONFIGURATION and self._registers[reg.ENABLE] & reg.SP_EN:
            self.violations.append(f"0x{register:02X} was written while the chip was measuring")

    def _control(self, value: int) -> None:
        if value & reg.FIFO_CLEAR:
            self._fifo.clear()
        if value & reg.MANUAL_ZERO and not self._registers[reg.ENABLE] & reg.SP_EN:
            self._zeroed_ns = self._clock.monotonic_ns() + AUTO_ZERO_NS
        if value & reg.CLEAR_SAI and self._registers[reg.STATUS6] & reg.SAI_ACTIVE:
            self._registers[reg.STATUS6] &= ~reg.SAI_ACTIVE & 0xFF
            if self._registers[reg.ENABLE] & reg.SP_EN:
                self._begin()

    def _switch_lamp(self) -> None:
        led = self._registers[reg.LED]
        led_ma = 4 + 2 * (led & 0x7F) if self._registers[reg.CONFIG] & 0x08 and led & 0x80 else 0
        if led_ma != self._led_ma:
            self._led_before_ma, self._led_ma = self._led_ma, led_ma
            self._led_since_ns = self._clock.monotonic_ns()

    def _enable(self, value: int) -> None:
        before, self._registers[reg.ENABLE] = self._registers[reg.ENABLE], value
        now_ns = self._clock.monotonic_ns()
        if value & reg.SMUXEN and value & reg.PON and self._smux_done_ns is None:
            self._smux_done_ns = now_ns + SMUX_NS
        measuring, listening = reg.PON | reg.SP_EN, reg.PON | reg.FDEN
        if value & listening != listening:
            self._heard_ns = None
        elif before & listening != listening:
            self._heard_ns = now_ns + round(LISTEN_S * 1e9)
        if value & measuring != measuring:
            self._next_ns = None
            self._latched = None
            self._registers[reg.STAT] = 0
            self._registers[reg.STATUS6] &= ~reg.SP_TRIG & 0xFF
            if Defect.VALID_STAYS not in self.defects:
                self._registers[reg.STATUS2] = 0
        elif before & measuring != measuring:
            self._begin()

    def _begin(self) -> None:
        """A fresh row of integrations."""
        if self._steps == 1 or self._word(reg.ASTEP) == COUNTS_MAX:
            self.violations.append("ATIME and ASTEP hold a time that is forbidden")
        self._integrations = 0
        self._thresholds = Thresholds()
        self._gain_code = self._registers[reg.CFG1]
        if self._registers[reg.CONFIG] & 0x03:
            self._registers[reg.STAT] = 0x02  # waits for an edge of the synchronising pin
            return
        start_ns = max(self._clock.monotonic_ns(), self._zeroed_ns)
        self._next_ns = start_ns + self._auto_zero_ns(0) + self._integration_ns()

    def _integration_ns(self) -> int:
        return round(self._steps * STEP_US * 1000.0)

    def _auto_zero_ns(self, integration: int) -> int:
        """Before every n-th integration by AZ_CONFIG; 255: before the first only, 0: never."""
        every = self._registers[reg.AZ_CONFIG]
        due = integration == 0 if every == 0xFF else every != 0 and integration % every == 0
        return AUTO_ZERO_NS if due else 0

    def _wait_ns(self) -> int:
        if not self._registers[reg.ENABLE] & reg.WEN:
            return 0
        longer = 16 if self._registers[reg.CFG0] & reg.WLONG else 1
        return round((self._registers[reg.WTIME] + 1) * STEP_US * 1e6 * longer)

    def _period_ns(self, integration: int) -> int:
        return max(self._wait_ns(), self._auto_zero_ns(integration) + self._integration_ns())

    def _catch_up(self) -> None:
        """Let happen what the clock says has happened since the last transfer."""
        now_ns = self._clock.monotonic_ns()
        if self._smux_done_ns is not None and now_ns >= self._smux_done_ns and Defect.SMUX_STUCK not in self.defects:
            self._smux_done_ns = None
            self._registers[reg.ENABLE] &= ~reg.SMUXEN & 0xFF
            self._move_smux(self._registers[reg.CFG6] >> 3 & 3)
        if self._heard_ns is not None and now_ns >= self._heard_ns:
            self._hear(now_ns)
        asleep = self._registers[reg.STATUS6] & reg.SAI_ACTIVE
        if self._next_ns is None or asleep or now_ns < self._next_ns or Defect.NEVER_VALID in self.defects:
            return
        ended_ns = self._skip(self._next_ns, now_ns)
        while ended_ns <= now_ns and self._registers[reg.STATUS6] & reg.SAI_ACTIVE == 0:
            self._integrations += 1
            self._next_ns = ended_ns + self._period_ns(self._integrations)
            if self._watched or self._next_ns > now_ns:
                self._convert(ended_ns)
            ended_ns = self._next_ns

    @property
    def _watched(self) -> bool:
        """Whether anything but the newest result matters."""
        agc = self._registers[reg.CFG8] & reg.SP_AGC
        return bool(self._registers[reg.FIFO_MAP] or self._registers[reg.INTENAB] & reg.SP_IEN or agc)

    def _skip(self, next_ns: int, now_ns: int) -> int:
        """Leave out whole rounds of integrations that nobody looked at; the auto-zero repeats once a round."""
        every = self._registers[reg.AZ_CONFIG] if 0 < self._registers[reg.AZ_CONFIG] < 0xFF else 1
        round_ns = sum(self._period_ns(self._integrations + 1 + place) for place in range(every))
        rounds = (now_ns - next_ns) // round_ns
        if self._watched:
            rounds = max(0, rounds - WATCHED_MAX // every)
        self._integrations += rounds * every
        return next_ns + rounds * round_ns

    def _move_smux(self, command: int) -> None:
        """0: the chain's start-up state, taken as nothing connected; 1: chain to RAM; 2: RAM to chain; 3: nothing."""
        if command == 2:
            self._chain(bytes(self._registers[:SMUX_BYTES]))
        elif command == 1:
            self._registers[:SMUX_BYTES] = self._wired
        elif command == 0:
            self._chain(bytes(SMUX_BYTES))
        if self._registers[reg.CFG9] & reg.SIEN_SMUX:
            self._system_interrupt(reg.SINT_SMUX)

    def _system_interrupt(self, source: int) -> None:
        self._registers[reg.STATUS5] |= source
        self._registers[reg.STATUS] |= reg.SINT

    def _hear(self, now_ns: int) -> None:
        """The newest stretch of flicker detection that has ended."""
        assert self._heard_ns is not None
        length_ns = round(LISTEN_S * 1e9)
        self._heard_ns += (now_ns - self._heard_ns) // length_ns * length_ns
        steps = max(2, self._registers[reg.FD_TIME_1] | (self._registers[reg.FD_TIME_2] & 0x07) << 8)
        gain = GAINS[min(self._registers[reg.FD_TIME_2] >> 3, len(GAINS) - 1)]
        reading_s = steps * STEP_US * 1e-6

        def readings(times_s: NDArray[np.float64], window_s: float) -> NDArray[np.float64]:
            light = [self._flicker_response @ self._spectrum(float(at), self._led_ma, window_s) for at in times_s]
            return np.array(light, dtype=np.float64) * (gain * window_s * 1e3)

        before = self._registers[reg.FD_STATUS]
        status = listen(
            readings, Stretch(self._heard_ns / 1e9, reading_s, steps), self._registers[reg.FD_CFG0], self._rng
        )
        self._registers[reg.FD_STATUS] = status
        self._heard_ns += length_ns
        if status != before and self._registers[reg.CFG9] & reg.SIEN_FD:
            self._system_interrupt(reg.SINT_FD)

    def _convert(self, ended_ns: int) -> None:
        window_ns = self._integration_ns() / WINDOWS
        instants = [ended_ns - round((part + 0.5) * window_ns) for part in range(WINDOWS)]
        counts = sum(
            (self.expected_counts(at_ns / 1e9, self.led_ma(at_ns), window_ns / 1e9) for at_ns in instants),
            start=np.zeros(ADCS),
        ) / len(instants)
        data, clipped, overloaded = convert(counts, self._steps, self._rng)
        self._finish(data, clipped=clipped, overloaded=overloaded or Defect.SATURATED in self.defects)

    def _finish(self, data: NDArray[np.uint16], *, clipped: bool, overloaded: bool) -> None:
        """Put a result where it can be read, and ring what is to be rung."""
        registers = self._registers
        saturated = clipped or overloaded
        self._results = bytes([0x80 * saturated | self._gain_code & 0x0F]) + data.tobytes()
        registers[reg.STATUS2] = reg.AVALID | reg.ASAT_DIGITAL * clipped | reg.ASAT_ANALOGUE * overloaded
        registers[reg.STATUS] |= reg.ASAT * saturated
        # The first integration after a start carries an auto-zero that is nobody's fault.
        if registers[reg.ENABLE] & reg.WEN and self._wait_ns() < self._integration_ns():
            registers[reg.STATUS6] |= reg.SP_TRIG
        self._fifo.fill(registers[reg.FIFO_MAP], self._results)
        if self._fifo.level >= THRESHOLDS[registers[reg.CFG8] >> 6] and registers[reg.INTENAB] & reg.F_IEN:
            registers[reg.STATUS] |= reg.FINT
        if registers[reg.CFG8] & reg.SP_AGC:
            share, most = float(data.max()) / self.full_scale, registers[reg.AGC_GAIN_MAX]
            self._gain_code = regulated(self._gain_code, share, registers[reg.CFG10], most)
        self._judge(int(data[min(registers[reg.CFG12] & 0x07, ADCS - 1)]))

    def _judge(self, count: int) -> None:
        registers = self._registers
        low, high = self._word(reg.LOW_THRESHOLD), self._word(reg.HIGH_THRESHOLD)
        rings = self._thresholds.judge(count, low, high, registers[reg.PERSISTENCE])
        registers[reg.STATUS3] = self._thresholds.outside
        if rings and registers[reg.INTENAB] & reg.SP_IEN:
            registers[reg.STATUS] |= reg.AINT
            if registers[reg.CFG3] & reg.SAI:
                registers[reg.STATUS6] |= reg.SAI_ACTIVE
