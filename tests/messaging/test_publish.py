"""Goal: what `publish` returns is what the broker said, and a message that nobody answered never looks like a success.

Method: real Mosquitto with an access list, killed where needed; a scripted peer for answers Mosquitto never gives.
"""

import asyncio
from collections.abc import Awaitable, Callable
from pathlib import Path

import pytest

from messaging import (
    Client,
    ClientClosedError,
    NotConnectedError,
    Properties,
    PublishRefusedError,
    PublishTooLargeError,
    SubscribeRefusedError,
    Subscription,
)
from tests.kit.fix_broker import OwnBroker
from tests.kit.fix_messaging import ScriptedPeer, States, rng

NewClient = Callable[..., Awaitable[Client]]


@pytest.fixture
def guarded(new_mosquitto: Callable[..., OwnBroker], tmp_path: Path) -> OwnBroker:
    """A broker where anonymous clients write below `allowed/` only."""
    access = tmp_path / "acl"
    access.write_text("topic read #\ntopic write allowed/#\n")
    access.chmod(0o600)
    return new_mosquitto(f"acl_file {access}")


async def test_denied_publish_is_an_error_and_the_connection_stays(guarded: OwnBroker, new_client: NewClient) -> None:
    client = await new_client(guarded.port, "publisher")
    with pytest.raises(PublishRefusedError, match=r"forbidden/a: Not authorized \(0x87\)") as refused:
        await client.publish("forbidden/a", b"1")
    assert refused.value.reason_code == 0x87
    assert (await client.publish("allowed/a", b"1")).epoch == 1
    assert client.counters.publishes_refused_total == 1
    assert client.counters.published_total == 1


async def test_the_broker_says_when_nobody_subscribes(mosquitto: OwnBroker, new_client: NewClient) -> None:
    client = await new_client(mosquitto.port, "publisher")
    assert (await client.publish("a/b", b"1")).no_subscribers
    await new_client(mosquitto.port, "subscriber", subscriptions=[Subscription("other/#")])
    watching = await new_client(mosquitto.port, "watching")
    await watching.subscribe(Subscription("a/#"))
    assert not (await client.publish("a/b", b"1")).no_subscribers


async def test_properties_qos_0_and_retained_travel(mosquitto: OwnBroker, new_client: NewClient) -> None:
    sent = Properties(
        content_type="application/json",
        response_topic="res/1",
        correlation_data=b"\x00\x01",
        user_properties=(("traceparent", "00-ab"), ("b", "c")),
        expiry_s=60,
    )
    client = await new_client(mosquitto.port, "publisher")
    await client.publish("a/retained", b"kept", retain=True, properties=sent)
    receiver = await new_client(mosquitto.port, "receiver", subscriptions=[Subscription("a/#")])
    [kept] = await receiver.next_batch(10)
    assert (kept.topic, kept.payload, kept.retain, kept.qos) == ("a/retained", b"kept", True, 1)
    assert kept.properties == sent
    assert (await client.publish("a/fleeting", b"", qos=0)).reason_code == 0
    [fleeting] = await receiver.next_batch(10)
    assert (fleeting.topic, fleeting.payload, fleeting.retain, fleeting.qos) == ("a/fleeting", b"", False, 0)


async def test_what_the_broker_would_hang_up_on_is_not_sent(mosquitto: OwnBroker, new_client: NewClient) -> None:
    client = await new_client(mosquitto.port, "publisher")
    with pytest.raises(PublishTooLargeError, match="the broker takes 262144"):
        await client.publish("a/b", bytes(300_000))
    await client.publish("a/b", bytes(200_000))
    assert client.epoch == 1


async def test_a_connection_that_ends_first_fails_the_publish(
    scripted_peer: ScriptedPeer, new_client: NewClient
) -> None:
    """The peer accepts CONNECT and never answers a PUBLISH; then the client leaves."""
    client = await new_client(scripted_peer.port, "publisher")
    answers = [await client.submit("a/b", b"1") for _ in range(3)]
    await client.disconnect("test")
    for answer in answers:
        with pytest.raises(NotConnectedError, match="the connection ended: test"):
            await answer
    with pytest.raises(NotConnectedError, match="no connection"):
        await client.publish("a/b", b"1")
    assert client.counters.publishes_unanswered_total == 3


async def test_a_killed_broker_fails_what_it_had_not_answered(mosquitto: OwnBroker, new_client: NewClient) -> None:
    client = await new_client(mosquitto.port, "publisher")
    answers = [await client.submit("a/b", bytes(1000)) for _ in range(400)]
    mosquitto.kill()
    results = await asyncio.gather(*answers, return_exceptions=True)
    failed = [each for each in results if isinstance(each, NotConnectedError)]
    assert len(failed) == client.counters.publishes_unanswered_total
    assert len(failed) + client.counters.published_total == 400


async def test_no_more_in_flight_than_allowed(scripted_peer: ScriptedPeer, new_client: NewClient) -> None:
    """Ours is 500, the peer's Receive Maximum 3: the fourth message waits for an answer to one of the first three."""
    scripted_peer.answers[0x10] = bytes.fromhex("2006000003210003")
    client = await new_client(scripted_peer.port, "publisher")
    for _ in range(3):
        await client.submit("a/b", b"1")
    fourth = asyncio.create_task(client.submit("a/b", b"1"))
    fifth = asyncio.create_task(client.submit("a/b", b"1"))
    await asyncio.wait([fourth, fifth], timeout=0.05)
    assert not fourth.done()
    await client.disconnect("test")
    for waiting in (fourth, fifth):
        with pytest.raises(NotConnectedError):
            await waiting


async def test_a_cancelled_publish_keeps_its_place_until_answered(
    scripted_peer: ScriptedPeer, new_client: NewClient
) -> None:
    """One in flight, cancelled while the peer is silent: the next one waits for the answer to the first."""
    sent = asyncio.Semaphore(0)
    scripted_peer.answers[0x30] = lambda _body: sent.release() or b""
    client = await new_client(scripted_peer.port, "publisher", inflight_max=1)
    publishing = asyncio.create_task(client.publish("a/b", b"1"))
    await sent.acquire()
    publishing.cancel()
    second = asyncio.create_task(client.publish("a/b", b"2"))
    await asyncio.wait([publishing, second], timeout=0.05)
    assert publishing.cancelled()
    assert len([kind for kind, _ in scripted_peer.received if kind & 0xF0 == 0x30]) == 1
    second.cancel()


async def test_packet_ids_wrap_around_one_that_is_still_in_flight(mosquitto: OwnBroker, new_client: NewClient) -> None:
    client = await new_client(mosquitto.port, "publisher")
    assert client._connection is not None
    client._connection._paho._last_mid = 65_534
    answers = [await client.submit("a/b", b"1") for _ in range(3)]
    client._connection._paho._last_mid = 65_534
    answers += [await client.submit("a/b", b"1") for _ in range(3)]
    assert len([await answer for answer in answers]) == 6


async def test_a_refused_subscription_is_an_error(scripted_peer: ScriptedPeer, new_client: NewClient) -> None:
    scripted_peer.answers[0x80] = lambda body: b"\x90\x04" + body[:2] + b"\x00\x87"
    client = await new_client(scripted_peer.port, "subscriber")
    with pytest.raises(SubscribeRefusedError, match=r"secret/#: .*\(0x87\)"):
        await client.subscribe(Subscription("secret/#"))


async def test_a_standing_subscription_that_is_refused_is_counted(
    scripted_peer: ScriptedPeer, new_client: NewClient
) -> None:
    seen = asyncio.Event()

    def refuse(body: bytes) -> bytes:
        seen.set()
        return b"\x90\x04" + body[:2] + b"\x00\x87"

    scripted_peer.answers[0x80] = refuse
    scripted_peer.answers[0x30] = lambda body: b"\x40\x02" + body[5:7]
    client = await new_client(scripted_peer.port, "subscriber", subscriptions=[Subscription("secret/#")])
    await seen.wait()
    await client.publish("a/b", b"after the answer")
    assert client.counters.refused_filters == {"secret/#": 0x87}
    assert client.counters.subscriptions_refused_total == 1


async def test_after_the_end_everything_says_so(mosquitto: OwnBroker) -> None:
    states = States()
    async with Client(host="127.0.0.1", port=mosquitto.port, client_id="gone", rng=rng(), on_state=states) as client:
        await client.wait_connected()
    assert [each.connected for each in states] == [True, False]
    assert [delivery async for delivery in client.deliveries()] == []
    with pytest.raises(ClientClosedError):
        await client.publish("a/b", b"1")
    with pytest.raises(ClientClosedError):
        await client.wait_connected()
