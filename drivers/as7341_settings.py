"""What an AS7341 can be set to: gain, integration time, lamp current; a wish it cannot grant is answered with the
nearest that it can.

Register values and limits follow DS000718; the real gains are its typical ratios to 64x, times 64.
"""

from dataclasses import dataclass
from typing import Final

from drivers.errors import SettingError

# Nominal gain -> (code of register CFG1, typical real gain).
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
ATIME_MAX: Final = 255
ASTEP_MAX: Final = 65_534  # 65535 is reserved
STEPS_MAX: Final = (ATIME_MAX + 1) * (ASTEP_MAX + 1)
LED_MA_MIN, LED_MA_MAX = 4, 258

# With a white tile (95 %) at 250 mm under the ring light these give Clear, the strongest channel, some 60 % of full
# scale; 50 ms is a whole number of periods of mains flicker at 50 Hz and at 60 Hz.
GAIN_DEFAULT: Final = 128
ATIME_DEFAULT: Final = 29
ASTEP_DEFAULT: Final = 599
LED_MA_DEFAULT: Final = 20


@dataclass(frozen=True, slots=True)
class Settings:
    """One way to measure. gain: nominal, a key of GAINS. led_ma: 0 for no light, else even and from 4 to 258.

    Each half integrates for (atime + 1) (astep + 1) 2.78 us. Raises SettingError for what the chip cannot do, with
    the nearest that it can.
    """

    gain: float = GAIN_DEFAULT
    atime: int = ATIME_DEFAULT
    astep: int = ASTEP_DEFAULT
    led_ma: int = LED_MA_DEFAULT

    def __post_init__(self) -> None:
        if self.gain not in GAINS:
            nearest = min(GAINS, key=lambda each: abs(each - self.gain))
            known = ", ".join(f"{value:g}" for value in GAINS)
            raise SettingError("gain", self.gain, f"must be one of {known}", nearest)
        _within("atime", self.atime, ATIME_MAX)
        _within("astep", self.astep, ASTEP_MAX)
        if self.steps == 1:
            raise SettingError("astep", self.astep, "must not be 0 while atime is 0", 1)
        if self.led_ma and (self.led_ma % 2 or not LED_MA_MIN <= self.led_ma <= LED_MA_MAX):
            nearest = min(LED_MA_MAX, max(LED_MA_MIN, self.led_ma // 2 * 2))
            reason = f"must be 0, or even and from {LED_MA_MIN} to {LED_MA_MAX}"
            raise SettingError("led_ma", self.led_ma, reason, nearest)

    @property
    def steps(self) -> int:
        """Steps of one integration."""
        return (self.atime + 1) * (self.astep + 1)

    @property
    def integration_ms(self) -> float:
        """Duration of one half's integration."""
        return self.steps * STEP_US / 1000.0

    @property
    def full_scale(self) -> int:
        """The highest count at this integration time."""
        return min(COUNTS_MAX, self.steps)

    @property
    def gain_code(self) -> int:
        """What register CFG1 holds."""
        return GAINS[self.gain][0]

    @property
    def real_gain(self) -> float:
        """The typical real factor."""
        return GAINS[self.gain][1]


def steps_for(integration_ms: float) -> tuple[int, int]:
    """`(atime, astep)` whose integration time is nearest to `integration_ms`.

    Prefers the highest full scale, as few steps of ATIME as will do. Raises SettingError beyond the chip's limits.
    """
    shortest_ms, longest_ms = 2 * STEP_US / 1000.0, STEPS_MAX * STEP_US / 1000.0
    if not shortest_ms <= integration_ms <= longest_ms:
        nearest_ms = shortest_ms if integration_ms < shortest_ms else longest_ms
        reason = f"must be {shortest_ms:g} to {longest_ms:g}"
        raise SettingError("integration_ms", integration_ms, reason, nearest_ms)
    wanted = integration_ms * 1000.0 / STEP_US
    fewest = max(1, -(-round(wanted) // (ASTEP_MAX + 1)))
    candidates = (
        (rounds - 1, round(wanted / rounds) - 1) for rounds in range(fewest, min(fewest + 8, ATIME_MAX + 1) + 1)
    )
    possible = [pair for pair in candidates if 0 <= pair[1] <= ASTEP_MAX and (pair[0] + 1) * (pair[1] + 1) > 1]
    return min(possible, key=lambda pair: abs((pair[0] + 1) * (pair[1] + 1) - wanted))


def _within(name: str, value: int, most: int) -> None:
    if not 0 <= value <= most:
        raise SettingError(name, value, f"must be 0 to {most}", 0 if value < 0 else most)
