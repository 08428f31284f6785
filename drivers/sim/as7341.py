"""A register-level AS7341 that looks at a LightSource; drivers talk to it through a bus and can't tell.

Modelled (DS000718, and the application note on the multiplexer): the register pointer with auto-increment, the two
banks, the multiplexer with its RAM, chain and self-clearing command bit, auto-zero and integration on the bus clock,
AVALID, latching by a read of ASTATUS, full scale, saturation flags, real gains, dark counts, noise, the lamp driver.
Not modelled: interrupts and thresholds, the FIFO (it stays empty), flicker detection (its status stays "no valid
measurement"), automatic gain, synchronised modes. That AVALID falls with SP_EN, and that latched data are released
then, is not in the data sheet; every known driver depends on it.
"""

from enum import StrEnum
from typing import Final

import numpy as np
from numpy.typing import NDArray

from drivers.bus import Clock
from drivers.sim.as7341_optics import ADCS, GAINS, SMUX_BYTES, wiring
from drivers.sim.light import LightSource

ADDRESS: Final = 0x39
STEP_US: Final = 2.78  # one unit of ASTEP, and a thousandth of one of WTIME
AUTO_ZERO_NS: Final = 15_000_000
SMUX_NS: Final = 200_000
POWER_UP_NS: Final = 200_000  # no acknowledge before
BUSY_NS: Final = 300_000  # INT_BUSY before
COUNTS_MAX: Final = 65_535
DARK_MAX: Final = (3.0, 3.0, 3.0, 3.0, 3.0, 5.0)  # counts at gain 512 in 98 ms
SHOT_FACTOR: Final = 0.05  # variance per count; an assumption, the data sheet gives none
ADC_NOISE: Final = 0.000_05  # of full scale
QUANTISATION: Final = 0.3
INSTANTS: Final = (1 / 6, 1 / 2, 5 / 6)  # of an integration at which the light is looked at

CONFIG, LED, ENABLE, ATIME, WTIME = 0x70, 0x74, 0x80, 0x81, 0x83
REVISION, IDENTITY, STATUS, ASTATUS, DATA = 0x91, 0x92, 0x93, 0x94, 0x95
STATUS2, STATUS6, CFG0, CFG1, CFG6, ASTEP, AZ_CONFIG = 0xA3, 0xA7, 0xA9, 0xAA, 0xAF, 0xCA, 0xD6
BANK_1 = range(0x60, 0x75)  # these registers exist while CFG0 bit 4 is set
RESET: Final = {
    LED: 0x04,
    IDENTITY: 0x24,
    CFG1: 0x09,
    CFG6: 0x10,
    ASTEP: 0xE7,
    ASTEP + 1: 0x03,
    0xCF: 9,
    AZ_CONFIG: 0xFF,
}
READ_ONLY: Final = frozenset(
    {0x90, REVISION, IDENTITY, ASTATUS, *range(DATA, 0xA1), STATUS2, 0xA4, 0xA6, STATUS6, 0xDB}
)
PON, SP_EN, WEN, SMUXEN = 0x01, 0x02, 0x08, 0x10
AVALID, ASAT_DIGITAL, ASAT_ANALOGUE = 0x40, 0x10, 0x08


class Defect(StrEnum):
    """Ways in which a chip can be broken, or other than we believe, while it still answers."""

    WRONG_IDENTITY = "wrong identity"
    SMUX_STUCK = "multiplexer command never ends"
    NEVER_VALID = "integration never ends"
    VALID_STAYS = "AVALID stays set when measuring stops"


class SimAs7341:
    """One chip; a SimChip for SimBus.attach. `clock` is the clock of its bus."""

    def __init__(self, clock: Clock, light: LightSource, *, seed: int = 0, unit_spread: float = 0.0) -> None:
        """`seed` decides noise, dark counts and how this unit differs from the typical one.

        unit_spread: standard deviation of the sensitivities of its converters, relative (0.05 is lifelike).
        """
        self.defects: set[Defect] = set()
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
            self._pointer = (self._pointer + 1) & 0xFF

    def read(self, count: int) -> bytes:
        """Registers from the pointer on, which stays behind the last one."""
        self._catch_up()
        start, self._pointer = self._pointer, (self._pointer + count) & 0xFF
        return bytes(self._peek((start + offset) & 0xFF) for offset in range(count))

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
        return GAINS[min(self._registers[CFG1] & 0x1F, len(GAINS) - 1)]

    def led_ma(self, at_ns: int) -> int:
        """Current through the lamp at a moment not long ago, 0 when off."""
        return self._led_ma if at_ns >= self._led_since_ns else self._led_before_ma

    def expected_counts(self, time_s: float, led_ma: float) -> NDArray[np.float64]:
        """What the six converters would count on average, before clipping, as they are wired now."""
        rate = self._responses @ self._light.spectrum(time_s, led_ma) * self._sensitivity
        dark = self._dark * (self.gain / 512.0) * (self.integration_ms / 98.0)
        return rate * (self.gain * self.integration_ms) + dark

    @property
    def _steps(self) -> int:
        astep = self._registers[ASTEP] | self._registers[ASTEP + 1] << 8
        return (self._registers[ATIME] + 1) * (astep + 1)

    def _power_up(self) -> None:
        self._powered_ns = self._clock.monotonic_ns()
        self._registers = bytearray(256)
        self._bank_1 = bytearray(len(BANK_1))
        for register, value in RESET.items():
            self._store(register)[register - self._base(register)] = value
        self._ram = bytearray(SMUX_BYTES)
        self._chain(bytes(SMUX_BYTES))
        self._pointer = 0
        self._smux_done_ns: int | None = None
        self._next_ns: int | None = None  # end of the running integration
        self._results = bytes(1 + 2 * ADCS)  # ASTATUS and the data, as they stand in the converters
        self._latched: bytes | None = None
        self._integrations = 0
        self._led_ma = self._led_before_ma = 0
        self._led_since_ns = 0

    @staticmethod
    def _base(register: int) -> int:
        return BANK_1.start if register in BANK_1 else 0

    def _store(self, register: int) -> bytearray:
        return self._bank_1 if register in BANK_1 else self._registers

    def _chain(self, table: bytes) -> None:
        self._wired = table
        self._responses = wiring(table)

    def _peek(self, register: int) -> int:
        if register < SMUX_BYTES:
            return self._ram[register]
        if register in BANK_1:
            return self._bank_1[register - BANK_1.start] if self._registers[CFG0] & 0x10 else 0
        if register == IDENTITY and Defect.WRONG_IDENTITY in self.defects:
            return 0x00
        if register == ASTATUS:
            self._latched = self._results
        if ASTATUS <= register < ASTATUS + len(self._results):
            return (self._results if self._latched is None else self._latched)[register - ASTATUS]
        if register == STATUS6:
            return int(self._clock.monotonic_ns() < self._powered_ns + BUSY_NS)
        return self._registers[register]

    def _poke(self, register: int, value: int) -> None:
        if register < SMUX_BYTES:
            self._ram[register] = value
        elif register in BANK_1:
            if self._registers[CFG0] & 0x10:
                self._bank_1[register - BANK_1.start] = value
                self._switch_lamp()
        elif register == STATUS:
            self._registers[STATUS] &= ~value & 0xFF  # writing 1 clears
        elif register == ENABLE:
            self._enable(value)
        elif register not in READ_ONLY:
            self._registers[register] = value

    def _switch_lamp(self) -> None:
        driving = self._bank_1[CONFIG - BANK_1.start] & 0x08 and self._bank_1[LED - BANK_1.start] & 0x80
        led_ma = 4 + 2 * (self._bank_1[LED - BANK_1.start] & 0x7F) if driving else 0
        if led_ma != self._led_ma:
            self._led_before_ma, self._led_ma = self._led_ma, led_ma
            self._led_since_ns = self._clock.monotonic_ns()

    def _enable(self, value: int) -> None:
        before, self._registers[ENABLE] = self._registers[ENABLE], value
        now_ns = self._clock.monotonic_ns()
        if value & SMUXEN and value & PON and self._smux_done_ns is None:
            self._smux_done_ns = now_ns + SMUX_NS
        measuring = PON | SP_EN
        if value & measuring != measuring:
            self._next_ns = None
            self._latched = None
            if Defect.VALID_STAYS not in self.defects:
                self._registers[STATUS2] = 0
        elif before & measuring != measuring:
            self._integrations = 0
            self._next_ns = now_ns + self._auto_zero_ns(0) + self._integration_ns()

    def _integration_ns(self) -> int:
        return round(self._steps * STEP_US * 1000.0)

    def _auto_zero_ns(self, integration: int) -> int:
        """Before every n-th integration by AZ_CONFIG; 255: before the first only, 0: never."""
        every = self._registers[AZ_CONFIG]
        due = integration == 0 if every == 0xFF else every != 0 and integration % every == 0
        return AUTO_ZERO_NS if due else 0

    def _period_ns(self, integration: int) -> int:
        wait_ns = round((self._registers[WTIME] + 1) * STEP_US * 1e6) if self._registers[ENABLE] & WEN else 0
        return max(wait_ns, self._auto_zero_ns(integration) + self._integration_ns())

    def _catch_up(self) -> None:
        """Let happen what the clock says has happened since the last transfer."""
        now_ns = self._clock.monotonic_ns()
        if self._smux_done_ns is not None and now_ns >= self._smux_done_ns and Defect.SMUX_STUCK not in self.defects:
            self._smux_done_ns = None
            self._registers[ENABLE] &= ~SMUXEN & 0xFF
            self._move_smux(self._registers[CFG6] >> 3 & 3)
        if self._next_ns is None or now_ns < self._next_ns or Defect.NEVER_VALID in self.defects:
            return
        ended_ns = self._next_ns
        # Of a long row of integrations that nobody looked at only the last one matters. The auto-zero repeats after
        # `every` integrations, so whole rounds of that many can be skipped at once.
        every = self._registers[AZ_CONFIG] if 0 < self._registers[AZ_CONFIG] < 0xFF else 1
        round_ns = sum(self._period_ns(self._integrations + 1 + place) for place in range(every))
        rounds = (now_ns - ended_ns) // round_ns
        self._integrations += rounds * every
        ended_ns += rounds * round_ns
        while ended_ns + self._period_ns(self._integrations + 1) <= now_ns:
            self._integrations += 1
            ended_ns += self._period_ns(self._integrations)
        self._integrations += 1
        self._next_ns = ended_ns + self._period_ns(self._integrations)
        self._convert(ended_ns)

    def _move_smux(self, command: int) -> None:
        """0: the chain's start-up state, taken as nothing connected; 1: chain to RAM; 2: RAM to chain."""
        if command == 2:
            self._chain(bytes(self._ram))
        elif command == 1:
            self._ram[:] = self._wired
        elif command == 0:
            self._chain(bytes(SMUX_BYTES))

    def _convert(self, ended_ns: int) -> None:
        duration_ns = self._integration_ns()
        instants = [ended_ns - round(part * duration_ns) for part in INSTANTS]
        counts = sum(
            (self.expected_counts(at_ns / 1e9, self.led_ma(at_ns)) for at_ns in instants), start=np.zeros(ADCS)
        ) / len(instants)
        full_scale = self.full_scale
        sigma = np.sqrt(SHOT_FACTOR * counts + (ADC_NOISE * full_scale) ** 2 + QUANTISATION**2)
        # A converter counts at most once a step: beyond, its analogue part is overloaded however long it integrates.
        overloaded = bool((counts > self._steps).any())
        noisy = np.rint(counts + sigma * self._rng.standard_normal(ADCS))
        clipped = bool((noisy >= full_scale).any())
        data = np.clip(noisy, 0, full_scale).astype("<u2")
        status = 0x80 if clipped or overloaded else 0
        self._results = bytes([status | self._registers[CFG1] & 0x0F]) + data.tobytes()
        self._registers[STATUS2] = AVALID | ASAT_DIGITAL * clipped | ASAT_ANALOGUE * overloaded
        if status:
            self._registers[STATUS] |= 0x80
