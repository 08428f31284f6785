"""How the belt moves: total travel as a function of time. Left to right, towards growing x."""

from dataclasses import dataclass
from typing import Protocol


class Motion(Protocol):
    """A belt with one place for a piece every `pitch_mm`; place 0 is under the sensor at travel 0."""

    @property
    def pitch_mm(self) -> float:
        """Distance from one place to the next."""
        ...

    def travel_mm(self, time_s: float) -> float:
        """How far the belt has moved since time 0."""
        ...


@dataclass(frozen=True, slots=True)
class Indexed:
    """Stop and go: each place dwells under the sensor for `dwell_s`, then the belt moves one pitch on in `move_s`."""

    dwell_s: float = 3.0
    move_s: float = 1.0
    pitch_mm: float = 420.0  # field of view 207 mm + longest piece: between two pieces the belt is empty for a moment

    def __post_init__(self) -> None:
        if self.dwell_s <= 0 or self.move_s <= 0 or self.pitch_mm <= 0:
            raise ValueError(f"dwell, move and pitch must be above 0: {self}")

    def travel_mm(self, time_s: float) -> float:
        """Whole pitches, and a smooth start and stop in between."""
        place, within_s = divmod(time_s, self.dwell_s + self.move_s)
        part = max(0.0, (within_s - self.dwell_s) / self.move_s)
        return self.pitch_mm * (place + part * part * (3.0 - 2.0 * part))


@dataclass(frozen=True, slots=True)
class Continuous:
    """A belt that never stops."""

    speed_mm_s: float = 100.0
    pitch_mm: float = 420.0

    def __post_init__(self) -> None:
        if self.speed_mm_s <= 0 or self.pitch_mm <= 0:
            raise ValueError(f"speed and pitch must be above 0: {self}")

    def travel_mm(self, time_s: float) -> float:
        """Speed times time."""
        return self.speed_mm_s * time_s


@dataclass(frozen=True, slots=True)
class Encoder:
    """A wheel on the belt that counts; what a line has instead of our knowledge of the motion.

    pulses_per_mm: resolution. slip: share of the way that the wheel misses, 0 for a good one.
    """

    motion: Motion
    pulses_per_mm: float = 5.0
    slip: float = 0.0

    def __post_init__(self) -> None:
        if self.pulses_per_mm <= 0 or not 0.0 <= self.slip < 1.0:
            raise ValueError(f"pulses_per_mm must be above 0 and slip 0 to 1: {self}")

    def count(self, time_s: float) -> int:
        """Pulses since time 0."""
        return int(self.motion.travel_mm(time_s) * (1.0 - self.slip) * self.pulses_per_mm // 1)

    def speed_mm_s(self, time_s: float, over_s: float = 0.02) -> float:
        """What the pulses of the last `over_s` say."""
        return (self.count(time_s) - self.count(time_s - over_s)) / self.pulses_per_mm / over_s
