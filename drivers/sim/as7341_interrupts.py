"""What a simulated AS7341 decides by itself after an integration: interrupt or not, and the next gain."""

from dataclasses import dataclass

from drivers.sim.as7341_map import ABOVE_HIGH, BELOW_LOW

AGC_HIGH = (0.5, 0.625, 0.75, 0.875)  # CFG10 bits 7 and 6, shares of full scale
AGC_LOW = (0.125, 0.25, 0.375, 0.5)  # bits 5 and 4


def needed(persistence: int) -> int:
    """Integrations in a row outside the thresholds before an interrupt: 0 means every one, whatever its counts."""
    return persistence if persistence < 4 else 5 * (persistence - 3)


@dataclass(slots=True)
class Thresholds:
    """in_a_row: how many of the last integrations were outside. outside: bits of STATUS3."""

    in_a_row: int = 0
    outside: int = 0

    def judge(self, count: int, low: int, high: int, persistence: int) -> bool:
        """Whether this integration makes an interrupt."""
        self.outside = ABOVE_HIGH * (count > high) | BELOW_LOW * (count < low)
        self.in_a_row = self.in_a_row + 1 if self.outside else 0
        wanted = needed(persistence)
        return wanted == 0 or self.in_a_row >= wanted


def regulated(code: int, share: float, cfg10: int, most: int) -> int:
    """The gain code for the next integration when the strongest channel was at `share` of full scale."""
    if share > AGC_HIGH[cfg10 >> 6] and code > 0:
        return code - 1
    return code + 1 if share < AGC_LOW[cfg10 >> 4 & 3] and code < most else code
