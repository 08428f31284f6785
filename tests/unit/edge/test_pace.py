"""How fast the backlog lane sends: below the quota, slower where it is told so, and soon at its pace again."""

import random

from edge.pace import BURST, CALM_S, RATE_MAX_HZ, RATE_MIN_HZ, REST_S, Pace


def pace(seed: int = 1) -> Pace:
    return Pace(random.Random(seed))  # noqa: S311 - the rests of a test


def sent_within(pace: Pace, start_s: float, seconds: float) -> int:
    """How many messages go out in `seconds` when every wait is kept to."""
    now_s, count = start_s, 0
    while now_s < start_s + seconds:
        wait_s = pace.take(now_s)
        now_s += wait_s
        count += not wait_s
    return count


def test_it_keeps_below_the_quota() -> None:
    assert RATE_MAX_HZ * 9.9 <= sent_within(pace(), 0.0, 10.0) <= RATE_MAX_HZ * 10 + BURST


def test_it_rests_about_a_second_and_goes_on_at_half_the_pace() -> None:
    one = pace()
    sent_within(one, 0.0, 2.0)
    rest_s = one.complain(2.0)
    assert REST_S[0] <= rest_s <= REST_S[1]
    assert one.take(2.0 + rest_s / 2) > 0
    count = sent_within(one, 2.0 + rest_s, 2.0)
    assert RATE_MAX_HZ * 0.95 <= count <= RATE_MAX_HZ + BURST


def test_what_is_said_of_messages_before_the_rest_does_not_count_twice() -> None:
    one = pace()
    rest_s = one.complain(1.0)
    assert one.complain(1.0 + rest_s / 2) == 0.0
    assert one.complaints == 1
    assert one.complain(1.0 + rest_s) > 0


def test_calm_brings_the_pace_back_and_complaints_never_stop_it() -> None:
    one = pace()
    now_s = 0.0
    for _ in range(30):
        now_s += one.complain(now_s)
    assert one.rate_hz == RATE_MIN_HZ
    assert sent_within(one, now_s, 2.0) >= RATE_MIN_HZ
    for _ in range(40):
        now_s += CALM_S
        one.take(now_s)
    assert one.rate_hz == RATE_MAX_HZ


def test_a_thousand_devices_do_not_come_back_in_one_instant() -> None:
    rests = {round(pace(seed).complain(0.0), 2) for seed in range(200)}
    assert len(rests) > 50
