"""The time of a simulated world: it passes only while somebody waits for it, and no faster than it should.

On a real bus a program that is slow loses time; on a simulated one the program also computes the world, and at twenty
times the speed of life a millisecond of computing would be twenty of the sensors' time: chips would seem to miss their
deadlines. So this clock moves by what is slept, and sleeps for real only as far as it is ahead of life times `speed`.
A machine that is too slow gets a slower world, never a broken one.
"""

import time

LAG_MAX_S = 1.0  # of life: how far the world may hurry to catch up after a hold-up; the rest is let go


class PacedClock:
    """drivers.bus.Clock for one simulated bus and its thread: at `speed` 20 a sleep of 1 s takes 50 ms of life."""

    def __init__(self, speed: float = 1.0) -> None:
        if speed <= 0:
            raise ValueError(f"speed is {speed}, must be above 0")
        self._speed = speed
        self._now_ns = 0
        self._origin_s = time.monotonic()  # life's time when this clock's was 0, moved on by lag that was let go

    def monotonic_ns(self) -> int:
        """Nanoseconds slept so far."""
        return self._now_ns

    def sleep(self, seconds: float) -> None:
        """Let `seconds` of this clock's time pass."""
        self._now_ns += round(seconds * 1e9)
        ahead_s = self._now_ns / 1e9 / self._speed - (time.monotonic() - self._origin_s)
        if ahead_s > 0:
            time.sleep(ahead_s)
        elif ahead_s < -LAG_MAX_S:
            self._origin_s += -LAG_MAX_S - ahead_s
