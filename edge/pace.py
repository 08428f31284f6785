"""How fast the backlog lane sends, and how long it rests when it is told that this is too fast. Pure: time comes in.

The ingester lets each device send so many messages a second and drops the rest without a receipt; it says so with
`rate_limited`. A backlog that runs into that wall takes the live samples with it, for both draw on one quota. So the
lane stays below the quota that ingest has by default, and where it is told that even this is too much it rests for
about a second, halves its pace, and feels its way up again.
"""

import random

RATE_MAX_HZ = 1_800.0  # of the 2,000 messages a second that ingest allows a device unless told otherwise
RATE_MIN_HZ = 5.0
BURST = 64  # messages handed over without a pause: waking up for each of them costs more than sending it
REST_S = (0.5, 1.5)
CALM_S = 5.0  # without a complaint before the pace is raised
RAISE = 1.25
LOWER = 0.5


class Pace:
    """A bucket of tokens whose rate falls by half at each complaint and rises by a quarter after each calm."""

    def __init__(self, chance: random.Random, *, rate_max_hz: float = RATE_MAX_HZ) -> None:
        self.rate_hz = self._rate_max_hz = rate_max_hz
        self.complaints = 0
        self._chance = chance
        self._tokens = float(BURST)
        self._since_s = 0.0
        self._rest_until_s = self._changed_s = float("-inf")

    def take(self, now_s: float) -> float:
        """Take leave for one message: 0, or the seconds to wait before asking again."""
        if now_s < self._rest_until_s:
            return self._rest_until_s - now_s
        if self.rate_hz < self._rate_max_hz and now_s - self._changed_s >= CALM_S:
            self.rate_hz = min(self._rate_max_hz, self.rate_hz * RAISE)
            self._changed_s = now_s
        self._tokens = min(float(BURST), self._tokens + (now_s - self._since_s) * self.rate_hz)
        self._since_s = now_s
        if self._tokens < 1.0:
            return min(BURST / 2, self.rate_hz) / self.rate_hz  # half a bucket, at most a second of it
        self._tokens -= 1.0
        return 0.0

    def complain(self, now_s: float) -> float:
        """The other side says that it was too much: seconds of rest, 0 while it speaks of what was sent before one."""
        if now_s < self._rest_until_s:
            return 0.0
        self.complaints += 1
        self.rate_hz = max(RATE_MIN_HZ, self.rate_hz * LOWER)
        self._rest_until_s = self._changed_s = now_s + self._chance.uniform(*REST_S)
        self._tokens, self._since_s = 0.0, self._rest_until_s
        return self._rest_until_s - now_s
