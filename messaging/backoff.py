"""How long to wait before the next attempt: full jitter, so that a thousand devices do not return in one instant."""

import random

FIRST_S = 0.1  # a broker that restarts is back in tens of milliseconds
CAP_S = 4.0  # the live path must be back within ten seconds of any single fault


class FullJitter:
    """Delays drawn evenly from 0 to a limit that doubles from 0.1 s to 4 s."""

    def __init__(self, rng: random.Random) -> None:
        """Draw from `rng`; nothing else is random."""
        self._rng = rng
        self._limit_s = FIRST_S

    def next_delay_s(self) -> float:
        """Return the next delay in seconds, 0 to 4, and double the limit of the one after it."""
        delay_s = self._rng.uniform(0.0, self._limit_s)
        self._limit_s = min(CAP_S, self._limit_s * 2)
        return delay_s

    def reset(self) -> None:
        """Begin again at 0.1 s: the last connection was a good one."""
        self._limit_s = FIRST_S
