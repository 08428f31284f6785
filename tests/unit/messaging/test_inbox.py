"""The hold of received messages: bounded by what is told, acknowledged in order, never across epochs."""

import asyncio

import pytest
from hypothesis import given
from hypothesis.strategies import lists, permutations, sampled_from

from messaging.inbox import Inbox
from messaging.values import Counters, Delivery


def inbox_with(count: int, *, high_water: int = 10, epoch: int = 1) -> Inbox:
    inbox = Inbox(high_water=high_water, counters=Counters())
    inbox.begin_epoch(epoch)
    for mid in range(1, count + 1):
        inbox.put(delivery(mid, epoch=epoch))
    return inbox


def delivery(mid: int, *, epoch: int = 1, qos: int = 1) -> Delivery:
    return Delivery(topic="t", payload=b"", qos=qos, retain=False, dup=False, epoch=epoch, mid=mid)


@given(order=permutations(range(1, 8)))
def test_whatever_the_order_of_acks_they_leave_in_order_of_arrival(order: list[int]) -> None:
    inbox = inbox_with(7)
    left = [mid for asked in order for mid in inbox.ack(delivery(asked))]
    assert left == [1, 2, 3, 4, 5, 6, 7]


async def test_taken_but_unacknowledged_messages_are_held() -> None:
    inbox = inbox_with(10)
    assert inbox.full
    assert len(await inbox.take(100)) == 10
    assert inbox.full
    for mid in range(1, 6):
        inbox.ack(delivery(mid))
    assert inbox.has_room


async def test_qos_0_is_held_until_taken() -> None:
    inbox = inbox_with(0)
    inbox.put(delivery(0, qos=0))
    assert inbox.held == 1
    [taken] = await inbox.take(1)
    assert inbox.held == 0
    assert inbox.ack(taken) == []


async def test_a_new_epoch_keeps_what_waits_and_forgets_what_was_taken() -> None:
    inbox = inbox_with(4)
    [old] = await inbox.take(1)
    inbox.begin_epoch(2)
    assert inbox.held == 3
    inbox.put(delivery(1, epoch=2))
    assert inbox.ack(old) == []
    assert [(each.epoch, each.mid) for each in await inbox.take(10)] == [(1, 2), (1, 3), (1, 4), (2, 1)]
    assert inbox.held == 1
    assert inbox.ack(delivery(1, epoch=2)) == [1]
    assert inbox.held == 0


@given(steps=lists(sampled_from(["put", "put0", "take", "ack", "epoch"]), max_size=60))
def test_the_count_of_held_never_drifts(steps: list[str]) -> None:
    """A model that counts by looking: waiting plus taken-and-unacknowledged of this epoch."""

    async def run() -> None:
        inbox = inbox_with(0, high_water=1_000)
        waiting: list[Delivery] = []
        open_: list[Delivery] = []
        epoch, mid = 1, 0
        for step in steps:
            if step in {"put", "put0"}:
                mid += 1
                new = delivery(mid, epoch=epoch, qos=int(step == "put"))
                waiting.append(new)
                inbox.put(new)
            elif step == "take" and waiting:
                [taken] = await inbox.take(1)
                assert taken is waiting.pop(0)
                if taken.qos and taken.epoch == epoch:
                    open_.append(taken)
            elif step == "ack" and open_:
                assert inbox.ack(first := open_.pop(0)) == [first.mid]
            elif step == "epoch":
                epoch += 1
                open_.clear()
                inbox.begin_epoch(epoch)
            assert inbox.held == len(waiting) + len(open_)

    asyncio.run(run())


async def test_takers_get_what_waits_before_they_learn_of_the_end() -> None:
    inbox = inbox_with(1)
    inbox.end(ValueError("over"))
    assert len(await inbox.take(5)) == 1
    with pytest.raises(ValueError, match="over"):
        await inbox.take(5)


async def test_room_is_told_at_half_of_the_mark() -> None:
    inbox = inbox_with(10)
    told: list[int] = []
    inbox.on_room = lambda: told.append(inbox.held)
    for mid in range(1, 6):
        inbox.ack(delivery(mid))
    assert told == [5]


async def test_large_messages_fill_it_by_their_bytes() -> None:
    inbox = Inbox(high_water=100, counters=Counters(), bytes_max=1_000)
    inbox.begin_epoch(1)
    for mid in (1, 2, 3, 4):
        inbox.put(delivery(mid)._replace(payload=bytes(250)))
    assert inbox.full
    taken = await inbox.take(10)
    assert inbox.full
    inbox.ack(taken[1])
    assert inbox.full, "out of order: the first one still holds its place"
    inbox.ack(taken[0])
    assert inbox.has_room
    assert inbox.held_bytes == 500
    inbox.end_epoch()
    assert inbox.held_bytes == 0
