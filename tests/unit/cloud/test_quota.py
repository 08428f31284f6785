"""A device within its rate is never limited; one beyond it gets its rate and no more."""

from hypothesis import given
from hypothesis import strategies as st

from cloud.quota import BURST_S, DEVICES_MAX, Quota


@given(st.floats(0.0, 1.0))
def test_a_steady_device_is_never_limited(jitter_s: float) -> None:
    quota = Quota(10.0)
    assert all(quota.takes("a", n * 0.1 + jitter_s * (n % 2)) for n in range(1_000))


def test_a_wild_device_gets_its_rate_and_delays_nobody() -> None:
    quota = Quota(10.0)
    taken = sum(quota.takes("wild", n / 1_000) for n in range(100_000))  # a hundred times its rate for 100 s
    assert taken == 10 * 100 + 10 * BURST_S - 1
    assert quota.takes("calm", 100.0)


def test_a_flood_of_names_does_not_fill_the_memory() -> None:
    quota = Quota(1.0)
    assert all(quota.takes(f"d{n}", n / 1_000) for n in range(3 * DEVICES_MAX))
    assert len(quota._buckets) <= DEVICES_MAX  # pyright: ignore[reportPrivateUsage]
