"""Delays are drawn from the generator that was given, evenly below a limit that doubles up to 4 s."""

import random

from hypothesis import given
from hypothesis.strategies import integers

from messaging.backoff import CAP_S, FIRST_S, FullJitter


class Highest(random.Random):
    """Draws the upper end."""

    def uniform(self, _a: float, b: float) -> float:
        return b


def test_limits_double_to_the_cap_and_begin_again() -> None:
    backoff = FullJitter(Highest())
    assert [backoff.next_delay_s() for _ in range(8)] == [0.1, 0.2, 0.4, 0.8, 1.6, 3.2, 4.0, 4.0]
    backoff.reset()
    assert backoff.next_delay_s() == FIRST_S


@given(seed=integers(0, 2**32 - 1))
def test_one_seed_is_one_sequence_within_the_cap(seed: int) -> None:
    first, second = (FullJitter(random.Random(seed)) for _ in range(2))  # noqa: S311 - chance of a test
    delays = [first.next_delay_s() for _ in range(20)]
    assert delays == [second.next_delay_s() for _ in range(20)]
    assert all(0.0 <= delay <= CAP_S for delay in delays)
