"""What is in flight, and what is to be sent again."""

from edge.rows import Span
from edge.window import IN_FLIGHT_MIN, IN_FLIGHT_START, RECEIPT_S, Window

S = 10**9


def test_receipts_make_room() -> None:
    window = Window(in_flight_max=2)
    window.note(5, 0)
    window.note(6, 0)
    assert not window.has_room
    assert window.receipted([Span(1, 5), Span(90, 99)], 0) == 1
    assert window.has_room


def test_what_was_missed_moves_the_cursor_back_and_never_forward() -> None:
    window = Window(cursor=10)
    window.missed(20)
    assert window.cursor == 10
    window.missed(4)
    assert window.cursor == 3


def test_overdue_counts_only_time_in_which_somebody_stored() -> None:
    window = Window(cursor=50)
    window.note(7, 0)
    window.note(8, 20 * S)
    assert window.overdue(31 * S, stored_since_ns=5 * S) == 0
    assert window.overdue(36 * S, stored_since_ns=5 * S) == 1
    assert (window.cursor, list(window.sent)) == (6, [8])
    assert window.overdue(51 * S, stored_since_ns=5 * S) == 1
    assert window.resent == 2


def test_sending_again_starts_the_wait_anew() -> None:
    window = Window()
    window.note(7, 0)
    window.note(7, 20 * S)
    assert window.overdue(31 * S, stored_since_ns=0) == 0


def test_memory_is_bounded_and_the_forgotten_are_sent_again() -> None:
    window = Window(remembered_max=3, cursor=100)
    for position in range(10, 15):
        window.note(position, 0)
    assert list(window.sent) == [12, 13, 14]
    assert window.cursor == 9


def test_a_lost_session_sends_all_again() -> None:
    window = Window(cursor=100)
    window.note(40, 0)
    window.forget_all()
    assert (window.cursor, window.sent, window.resent) == (0, {}, 1)


def test_what_was_dropped_over_the_quota_is_given_back_and_nothing_younger() -> None:
    window = Window(cursor=50)
    window.note(7, 10)
    window.note(8, 20)
    window.note(9, 30)
    assert window.give_back(20) == 2
    assert (window.cursor, list(window.sent), window.resent) == (6, [9], 2)


def test_slow_receipts_leave_no_more_in_flight_than_is_stored_in_time() -> None:
    """400 in flight take four times as long as they may: a quarter of them is allowed, and quick receipts raise it."""
    window = Window()
    for position in range(400):
        window.note(position + 1, 0)
    window.receipted([Span(1, 10)], round(4 * RECEIPT_S * S))
    assert window.allowed == 100
    assert not window.has_room
    window.forget_all()
    for turn in range(20):
        window.note(1_000 + turn, 0)
        window.receipted([Span(1_000 + turn, 1_000 + turn)], 100 * S)
    assert window.allowed == IN_FLIGHT_MIN
    for turn in range(IN_FLIGHT_START):
        window.note(2_000 + turn, 0)
    window.receipted([Span(2_000, 3_000)], round(RECEIPT_S * S / 2))
    assert window.allowed == IN_FLIGHT_MIN + IN_FLIGHT_START
