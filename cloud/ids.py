"""UUIDs of version 7 (RFC 9562): ordered by time, so that boots sort by when they began. Python 3.11 has none."""

import random
import uuid

_TIME_MS_MAX = 2**48 - 1


def uuid7(time_ms: int, rng: random.Random) -> uuid.UUID:
    """A version 7 UUID for `time_ms` (milliseconds since 1970-01-01 UTC, 48 bits) with 74 bits drawn from `rng`."""
    assert 0 <= time_ms <= _TIME_MS_MAX, "a time that RFC 9562 cannot hold"
    version, variant = 0x7, 0b10
    value = time_ms << 80 | version << 76 | rng.getrandbits(12) << 64 | variant << 62 | rng.getrandbits(62)
    return uuid.UUID(int=value)
