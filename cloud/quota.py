"""How much one device may send: a bucket of tokens for each, so that a device that runs wild delays nobody else. Pure.

A spool that drains after an outage is no such device: the rate is a hundred times what a line produces, and the bucket
holds some seconds of it.
"""

from typing import Final

BURST_S = 5.0  # of the full rate; a device within its rate on average is never limited
DEVICES_MAX = 10_000  # as many as the broker lets in; past that the fullest buckets are forgotten, which harms nobody


class Quota:
    """Token buckets by device."""

    def __init__(self, rate_hz: float) -> None:
        """Let each device send `rate_hz` messages a second on average."""
        self._rate_hz: Final = rate_hz
        self._burst: Final = rate_hz * BURST_S
        self._buckets: dict[str, tuple[float, float]] = {}  # tokens left, and when that was, in seconds

    def takes(self, device: str, now_s: float) -> bool:
        """Tell whether `device` may send one more; `now_s` is a monotonic time."""
        tokens, since_s = self._buckets.get(device, (self._burst, now_s))
        tokens = min(self._burst, tokens + (now_s - since_s) * self._rate_hz)
        if len(self._buckets) >= DEVICES_MAX and device not in self._buckets:
            self._forget_idle(now_s)
        if tokens < 1.0:
            self._buckets[device] = (tokens, now_s)
            return False
        self._buckets[device] = (tokens - 1.0, now_s)
        return True

    def _forget_idle(self, now_s: float) -> None:
        """Forget those who would have a full bucket by now, or everybody when nobody would."""
        kept = {
            device: (tokens, since_s)
            for device, (tokens, since_s) in self._buckets.items()
            if tokens + (now_s - since_s) * self._rate_hz < self._burst
        }
        self._buckets = kept if len(kept) < DEVICES_MAX else {}
