"""Goal: nothing received is lost before it is acknowledged, nothing is acknowledged that was not meant, RAM is bounded.

Method: real Mosquitto, which sends far past the Receive Maximum; consumers that stall, leave or are killed.
"""

import asyncio
import sys
from collections.abc import Awaitable, Callable
from pathlib import Path

from messaging import Client, Delivery, Properties, Subscription
from sqal.parts.broker import start_broker
from tests.kit.fix_broker import OwnBroker
from tests.kit.fix_messaging import DEADLINE_S, States
from tests.kit.ports import free_port

NewClient = Callable[..., Awaitable[Client]]

CONSUMER = """
import asyncio, logging, random, sys
import structlog
from messaging import Client, Subscription

structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(logging.ERROR))

async def main():
    async with Client(host="127.0.0.1", port=int(sys.argv[1]), client_id="consumer", rng=random.Random(1)) as client:
        await client.wait_connected()
        await client.subscribe(Subscription("t/#"))
        print("subscribed", flush=True)
        got = []
        while len(got) < 5:
            got += await client.next_batch(5)
        for delivery in got[:2]:
            client.ack(delivery)
        await client.publish("done", b"")  # answered: the broker has read the two acknowledgements before it
        print("two of five", flush=True)
        await asyncio.Event().wait()

asyncio.run(main())
"""


async def fill(client: Client, count: int, size_bytes: int = 100) -> None:
    """Publish `count` numbered messages to t/n and wait for all answers."""
    answers = [await client.submit("t/n", str(n).encode().ljust(size_bytes)) for n in range(count)]
    await asyncio.gather(*answers)


def number(delivery: Delivery) -> int:
    return int(delivery.payload)


async def take(client: Client, count: int, *, ack: bool = True) -> list[Delivery]:
    taken: list[Delivery] = []
    async with asyncio.timeout(DEADLINE_S):
        while len(taken) < count:
            taken += (batch := await client.next_batch(min(20, count - len(taken))))
            for each in batch if ack else []:
                client.ack(each)
    return taken


async def test_sigkill_between_receipt_and_ack_redelivers(mosquitto: OwnBroker, new_client: NewClient) -> None:
    publisher = await new_client(mosquitto.port, "publisher")
    consumer = await asyncio.create_subprocess_exec(
        sys.executable, "-c", CONSUMER, str(mosquitto.port), stdout=asyncio.subprocess.PIPE
    )
    try:
        assert consumer.stdout is not None
        assert await consumer.stdout.readline() == b"subscribed\n"
        await fill(publisher, 5)
        assert await consumer.stdout.readline() == b"two of five\n"
    finally:
        consumer.kill()
        await consumer.communicate()
    successor = await new_client(mosquitto.port, "consumer")
    assert successor.session_present
    again = await take(successor, 3)
    assert [number(each) for each in again] == [2, 3, 4]
    assert all(each.dup for each in again)
    assert successor.counters.redelivered_total == 3


async def test_a_stale_ack_is_not_sent(new_mosquitto: Callable[..., OwnBroker], new_client: NewClient) -> None:
    """Message 0 is taken, the broker dies without a store and returns; another message gets the same packet id.

    Acknowledging message 0 now must not acknowledge that one: after a third connection it comes again.
    """
    broker = new_mosquitto("persistence false")
    consumer = await new_client(broker.port, "consumer", subscriptions=[Subscription("t/#")])
    await consumer.subscribe(Subscription("t/#"))
    publisher = await new_client(broker.port, "publisher")
    await publisher.publish("t/n", b"0")
    [old] = await take(consumer, 1, ack=False)
    broker.kill()
    broker.start()
    await consumer.subscribe(Subscription("t/#"))
    await publisher.wait_connected()
    await publisher.publish("t/n", b"100")
    [new] = await take(consumer, 1, ack=False)
    assert (old.mid, old.epoch < new.epoch) == (new.mid, True)
    consumer.ack(old)
    assert consumer.counters.stale_acks_total == 1
    assert consumer.counters.acked_total == 0
    await consumer.disconnect("test")
    consumer.reconnect()
    [again] = await take(consumer, 1)
    assert (number(again), again.dup) == (100, True)


async def test_acks_leave_in_order_of_arrival(mosquitto: OwnBroker, new_client: NewClient) -> None:
    """Acknowledged from last to second: none may leave before the first; after a reconnect all five come again."""
    consumer = await new_client(mosquitto.port, "consumer")
    await consumer.subscribe(Subscription("t/#"))
    publisher = await new_client(mosquitto.port, "publisher")
    await fill(publisher, 5)
    taken = await take(consumer, 5, ack=False)
    for delivery in reversed(taken[1:]):
        consumer.ack(delivery)
    assert consumer.counters.acked_total == 0
    await consumer.disconnect("test")
    consumer.reconnect()
    again = await take(consumer, 5, ack=False)
    assert [number(each) for each in again] == [0, 1, 2, 3, 4]
    for delivery in reversed(again):
        consumer.ack(delivery)
        consumer.ack(delivery)  # twice is once
    assert consumer.counters.acked_total == 5


async def test_the_hold_is_bounded_against_a_broker_that_ignores_receive_maximum(
    mosquitto: OwnBroker, new_client: NewClient
) -> None:
    consumer = await new_client(mosquitto.port, "consumer", receive_maximum=50, high_water=100)
    await consumer.subscribe(Subscription("t/#"))
    await consumer.disconnect("let a backlog grow")
    publisher = await new_client(mosquitto.port, "publisher")
    await fill(publisher, 5_000)
    consumer.reconnect()
    taken = await take(consumer, 5_000)
    assert [number(each) for each in taken] == list(range(5_000))
    assert consumer.counters.held_max <= 100
    assert consumer.counters.pauses_total > 0
    assert consumer.held == 0


async def test_a_stalled_consumer_leaves_on_purpose_and_drains_later(
    mosquitto: OwnBroker, new_client: NewClient
) -> None:
    """The consumer takes nothing for longer than a keep-alive, as with a database that is away."""
    states = States()
    consumer = await new_client(
        mosquitto.port, "consumer", keepalive_s=1, high_water=100, receive_maximum=200, on_state=states
    )
    await consumer.subscribe(Subscription("t/#"))
    publisher = await new_client(mosquitto.port, "publisher")
    await fill(publisher, 1_000)
    left = await states.until(lambda change: not change.connected)
    assert left.reason == "the inbox stayed full: the session keeps the rest"
    assert not consumer.connected
    taken: dict[int, Delivery] = {}
    async with asyncio.timeout(DEADLINE_S):
        while len(taken) < 1_000:
            for delivery in await consumer.next_batch(20):
                taken[number(delivery)] = delivery
                consumer.ack(delivery)
    assert sorted(taken) == list(range(1_000))
    assert consumer.counters.planned_disconnects_total >= 1
    assert consumer.counters.connections_lost_total == 0
    assert consumer.counters.held_max <= 100
    assert "exceeded timeout" not in mosquitto.log


async def test_a_planned_absence_loses_nothing(mosquitto: OwnBroker, new_client: NewClient) -> None:
    consumer = await new_client(mosquitto.port, "consumer")
    await consumer.subscribe(Subscription("t/#"))
    await consumer.disconnect("the database is away")
    assert consumer.last_reason == "the database is away"
    publisher = await new_client(mosquitto.port, "publisher")
    await fill(publisher, 200)
    assert not consumer.connected
    consumer.reconnect()
    assert [number(each) for each in await take(consumer, 200)] == list(range(200))
    assert consumer.session_present


async def test_ack_on_take_needs_no_acks(mosquitto: OwnBroker, new_client: NewClient) -> None:
    viewer = await new_client(mosquitto.port, "viewer", ack_on_take=True, high_water=10)
    await viewer.subscribe(Subscription("t/#"))
    publisher = await new_client(mosquitto.port, "publisher")
    await fill(publisher, 100)
    assert len(await take(viewer, 100, ack=False)) == 100
    assert viewer.held == 0


async def test_own_publishing_has_a_client_of_its_own_beside_a_full_inbox(
    mosquitto: OwnBroker, new_client: NewClient
) -> None:
    """Receipt before acknowledgement, awaited, while the consumer's socket is unread: no deadlock, no reconnect."""
    consumer = await new_client(mosquitto.port, "consumer", high_water=10, receive_maximum=10)
    await consumer.subscribe(Subscription("t/#"))
    receipts = await new_client(mosquitto.port, "receipts")
    publisher = await new_client(mosquitto.port, "publisher")
    await fill(publisher, 200)
    done = 0
    async with asyncio.timeout(DEADLINE_S):
        while done < 200:
            batch = await consumer.next_batch(10)
            await receipts.publish("r", str(len(batch)).encode())
            for delivery in batch:
                consumer.ack(delivery)
            done += len(batch)
    assert consumer.epoch == 1


async def test_an_ack_behind_the_goodbye_is_not_counted_as_sent(mosquitto: OwnBroker, new_client: NewClient) -> None:
    consumer = await new_client(mosquitto.port, "consumer")
    await consumer.subscribe(Subscription("t/#"))
    publisher = await new_client(mosquitto.port, "publisher")
    await fill(publisher, 1)
    [delivery] = await take(consumer, 1, ack=False)
    leaving = asyncio.create_task(consumer.disconnect("test"))
    await asyncio.sleep(0)  # the DISCONNECT is queued, not written
    consumer.ack(delivery)
    await leaving
    assert (consumer.counters.acked_total, consumer.counters.stale_acks_total) == (0, 1)
    consumer.reconnect()
    [again] = await take(consumer, 1)
    assert again.dup


async def test_the_broker_without_installation_keeps_the_same_promises(tmp_path: Path, new_client: NewClient) -> None:
    """iotcore: what was not acknowledged comes again in the session, retained values and properties travel."""
    running = start_broker(port=free_port(), directory=tmp_path, kind="iotcore")
    try:
        consumer = await new_client(running.port, "consumer")
        await consumer.subscribe(Subscription("t/#"))
        publisher = await new_client(running.port, "publisher")
        await fill(publisher, 100, size_bytes=60_000)
        taken = await take(consumer, 100, ack=False)
        for delivery in taken[:40]:
            consumer.ack(delivery)
        await consumer.publish("done", b"")
        await consumer.disconnect("test")
        consumer.reconnect()
        assert [number(each) for each in await take(consumer, 60)] == list(range(40, 100))
        await publisher.publish("t/kept", b"1", retain=True, properties=Properties(content_type="text/plain"))
        late = await new_client(running.port, "late", subscriptions=[Subscription("t/kept")])
        [kept] = await take(late, 1)
        assert (kept.retain, kept.properties.content_type) == (True, "text/plain")
        await consumer.disconnect("over")
    finally:
        running.kill()
