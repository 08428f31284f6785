"""UUIDs of version 7."""

import random
import uuid

from hypothesis import given
from hypothesis import strategies as st

from cloud.ids import uuid7


@given(st.integers(0, 2**48 - 1), st.integers(0, 2**32))
def test_time_version_and_variant_are_where_rfc_9562_wants_them(time_ms: int, seed: int) -> None:
    made = uuid7(time_ms, random.Random(seed))  # noqa: S311  # a seed is one run
    assert made.version == 7
    assert made.variant == uuid.RFC_4122
    assert made.int >> 80 == time_ms


def test_later_ones_sort_later() -> None:
    rng = random.Random(7)  # noqa: S311  # as above
    made = [uuid7(1_700_000_000_000 + n, rng) for n in range(100)]
    assert made == sorted(made)
    assert len(set(made)) == 100
