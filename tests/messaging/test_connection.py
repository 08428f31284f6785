"""Goal: connections come back by themselves, their ends are told apart and reported once, nothing leaks or blocks.

Method: real Mosquitto killed and restarted, a proxy that cuts and swallows, a second client with the same id.
"""

import asyncio
from collections.abc import Awaitable, Callable

import pytest

from messaging import Client, NotConnectedError, SessionTakenOverError, Subscription, Will
from messaging.connection import Connection
from messaging.reading import paho
from tests.kit.fix_broker import OwnBroker
from tests.kit.fix_chaos import ChaosProxy
from tests.kit.fix_messaging import DEADLINE_S, ScriptedPeer, States, rng
from tests.kit.ports import free_port

NewClient = Callable[..., Awaitable[Client]]
TAKEN_OVER = b"\xe0\x02\x8e\x00"  # DISCONNECT with its reason code
NewChaos = Callable[[int], Awaitable[ChaosProxy]]


async def test_back_after_a_killed_broker_with_its_subscriptions(mosquitto: OwnBroker, new_client: NewClient) -> None:
    states = States()
    consumer = await new_client(
        mosquitto.port, "consumer", subscriptions=[Subscription("t/#")], on_state=states, clean_start=True
    )
    mosquitto.kill()
    await states.until(lambda change: not change.connected)
    mosquitto.start()
    await states.until(lambda change: change.connected and change.epoch > 1)
    publisher = await new_client(mosquitto.port, "publisher")
    await consumer.subscribe(Subscription("u/#"))  # answered after the standing ones
    await publisher.publish("t/1", b"back")
    async with asyncio.timeout(DEADLINE_S):
        [delivery] = await consumer.next_batch(1)
    assert (delivery.payload, delivery.epoch) == (b"back", consumer.epoch)
    assert consumer.counters.connections_lost_total == 1


async def test_a_restarted_broker_with_a_store_still_knows_us(mosquitto: OwnBroker, new_client: NewClient) -> None:
    states = States()
    consumer = await new_client(mosquitto.port, "consumer", on_state=states)
    assert not consumer.session_present
    mosquitto.restart()
    again = await states.until(lambda change: change.connected and change.epoch > 1)
    assert again.session_present


async def test_no_broker_at_first_is_not_an_error(
    new_mosquitto: Callable[..., OwnBroker], new_client: NewClient
) -> None:
    broker = new_mosquitto()
    broker.stop()
    states = States()
    client = await new_client(broker.port, "early", wait=False, on_state=states)
    refused = await states.until(lambda change: not change.connected)
    assert "Connect call failed" in refused.reason
    broker.start()
    async with asyncio.timeout(DEADLINE_S):
        await client.wait_connected()
    assert client.counters.connect_failures_total >= 1


async def test_refused_credentials_are_reported_with_their_code(
    new_mosquitto: Callable[..., OwnBroker], new_client: NewClient
) -> None:
    broker = new_mosquitto("allow_anonymous false")
    states = States()
    client = await new_client(broker.port, "nobody", wait=False, on_state=states, username="nobody", password="wrong")
    refused = await states.until(lambda change: change.reason_code is not None)
    assert refused.reason_code in {0x86, 0x87}
    assert not client.connected


async def test_take_over_is_reported_once_and_can_end_the_client(
    scripted_peer: ScriptedPeer, new_client: NewClient
) -> None:
    """paho tells this end twice (DISCONNECT, then the closed socket): one report, one count."""
    scripted_peer.answers[0x30] = TAKEN_OVER
    states = States()
    client = await new_client(scripted_peer.port, "same", stop_on_takeover=True, on_state=states)
    waiting = asyncio.create_task(client.next_batch(1))
    with pytest.raises(NotConnectedError):
        await client.publish("a/b", b"1")
    with pytest.raises(SessionTakenOverError, match=r"same: .*\(0x8E\)"):
        await waiting
    assert [change.reason_code for change in states if not change.connected] == [0x8E]
    assert (client.counters.takeovers_total, client.counters.connections_lost_total) == (1, 1)
    with pytest.raises(SessionTakenOverError):
        await client.publish("a/b", b"1")


async def test_without_that_wish_a_taken_session_is_taken_back(
    scripted_peer: ScriptedPeer, new_client: NewClient
) -> None:
    scripted_peer.answers[0x30] = TAKEN_OVER
    states = States()
    client = await new_client(scripted_peer.port, "same", on_state=states)
    with pytest.raises(NotConnectedError):
        await client.publish("a/b", b"1")
    await states.until(lambda change: change.connected and change.epoch > 1)
    assert client.counters.takeovers_total == 1


async def test_two_clients_of_one_id_learn_that_something_is_wrong(mosquitto: OwnBroker, new_client: NewClient) -> None:
    """Mosquitto 2.0.11 closes the elder connection without a word: the pattern is what can be told."""
    states = States()
    await new_client(mosquitto.port, "same", on_state=states)
    await new_client(mosquitto.port, "same")
    told = await states.until(lambda change: "does another client use our id?" in change.reason)
    assert not told.connected


async def test_two_ends_of_one_connection_count_once(scripted_peer: ScriptedPeer, new_client: NewClient) -> None:
    client = await new_client(scripted_peer.port, "client")
    connection = client._connection
    assert isinstance(connection, Connection)
    await client.disconnect("first")
    connection.close("second")
    connection.close("third")
    assert connection.ended.result().reason == "first"


@pytest.mark.parametrize("end", ["cut", "error", "goodbye"])
async def test_the_will_speaks_for_the_lost_and_for_nobody_else(
    end: str, mosquitto: OwnBroker, new_client: NewClient, new_chaos: NewChaos
) -> None:
    proxy = await new_chaos(mosquitto.port)
    watcher = await new_client(mosquitto.port, "watcher")
    await watcher.subscribe(Subscription("state/#"))
    will = Will("state/device", b"lost")

    async def live_and_die() -> None:
        async with Client(host="127.0.0.1", port=proxy.port, client_id="device", rng=rng(), will=will) as device:
            await device.wait_connected()
            if end == "cut":
                proxy.accepts = False
                await proxy.cut()
            if end == "error":
                raise ZeroDivisionError

    await asyncio.gather(live_and_die(), return_exceptions=True)
    await watcher.publish("state/marker", b"")
    heard = []
    async with asyncio.timeout(DEADLINE_S):
        while "state/marker" not in heard or (end != "goodbye" and "state/device" not in heard):
            heard += [each.topic for each in await watcher.next_batch(1)]
    assert ("state/device" in heard) == (end != "goodbye")


async def test_a_black_hole_is_found_by_keep_alive(
    mosquitto: OwnBroker, new_client: NewClient, new_chaos: NewChaos
) -> None:
    proxy = await new_chaos(mosquitto.port)
    states = States()
    client = await new_client(proxy.port, "client", keepalive_s=1, on_state=states, connect_timeout_s=0.5)
    proxy.black_hole = True
    lost = await states.until(lambda change: not change.connected)
    assert "the link is dead" in lost.reason
    await states.until(lambda change: change.reason == "the broker did not answer in time")
    proxy.black_hole = False
    async with asyncio.timeout(DEADLINE_S):
        await client.wait_connected()


async def test_an_idle_connection_lives_longer_than_its_keep_alive(
    mosquitto: OwnBroker, new_client: NewClient, scripted_peer: ScriptedPeer
) -> None:
    """The scripted peer counts PINGREQs; three of them are more than two keep-alives."""
    pinged = asyncio.Semaphore(0)

    def pong(_body: bytes) -> bytes:
        pinged.release()
        return b"\xd0\x00"

    scripted_peer.answers[0xC0] = pong
    client = await new_client(scripted_peer.port, "idle", keepalive_s=1)
    async with asyncio.timeout(DEADLINE_S):
        for _ in range(3):
            await pinged.acquire()
    assert (client.connected, client.epoch) == (True, 1)


async def test_cancelling_while_connecting_leaves_nothing_behind(new_chaos: NewChaos) -> None:
    """Warnings are errors in this suite: a leaked socket or task fails the test."""
    hole = await new_chaos(free_port())
    hole.black_hole = True
    for cancel_after_s in (0.0, 0.01, 0.05):

        async def run() -> None:
            async with Client(host="127.0.0.1", port=hole.port, client_id="c", rng=rng()) as client:
                await client.wait_connected()

        with pytest.raises(TimeoutError):
            async with asyncio.timeout(cancel_after_s):
                await run()
    assert not [task for task in asyncio.all_tasks() if task.get_name().startswith("messaging.")]


async def test_a_broker_that_talks_nonsense_is_left(scripted_peer: ScriptedPeer, new_client: NewClient) -> None:
    scripted_peer.answers[0x10] = b"HTTP/1.1 400 Bad Request\r\n\r\n"
    states = States()
    await new_client(scripted_peer.port, "client", wait=False, on_state=states, connect_timeout_s=0.5)
    failed = await states.until(lambda change: not change.connected)
    assert failed.reason


def test_paho_still_makes_its_socket_where_we_hand_it_ours() -> None:
    """If this method had another name, ours would be ignored and paho would connect by itself and block."""
    assert callable(getattr(paho.Client, "_create_socket", None))
