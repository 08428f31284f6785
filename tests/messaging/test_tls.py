"""Goal: TLS connections work without blocking, and an untrusted broker is refused, reported and left alone.

Method: real Mosquitto with a second listener under TLS, certificates of a throw-away authority.
"""

import asyncio
import ssl
from collections.abc import Awaitable, Callable

import pytest

from messaging import Client, Subscription
from tests.kit.fix_broker import Authority, OwnBroker
from tests.kit.fix_messaging import DEADLINE_S, ScriptedPeer, States
from tests.kit.ports import free_port

NewClient = Callable[..., Awaitable[Client]]


@pytest.fixture
def tls_port(new_mosquitto: Callable[..., OwnBroker], authority: Authority) -> int:
    """The port of a broker's TLS listener."""
    port = free_port()
    new_mosquitto(
        f"listener {port} 127.0.0.1\ncafile {authority.ca}\n"
        f"certfile {authority.certificate}\nkeyfile {authority.key}\nallow_anonymous true"
    )
    return port


async def test_messages_larger_than_a_tls_record_arrive(
    tls_port: int, authority: Authority, new_client: NewClient
) -> None:
    """Some records hold several packets, some packets several records: none may stay in a buffer nobody looks at."""
    tls = ssl.create_default_context(cafile=authority.ca)
    receiver = await new_client(tls_port, "receiver", tls=tls, high_water=20)
    await receiver.subscribe(Subscription("t/#"))
    sender = await new_client(tls_port, "sender", tls=tls)
    sizes = [1, 60_000, 3, 17_000, 200_000] * 20
    answers = [await sender.submit(f"t/{n}", bytes(size)) for n, size in enumerate(sizes)]
    got: list[int] = []
    async with asyncio.timeout(DEADLINE_S):
        while len(got) < len(sizes):
            for delivery in await receiver.next_batch(7):
                got.append(len(delivery.payload))
                receiver.ack(delivery)
    assert got == sizes
    await asyncio.gather(*answers)


async def test_an_untrusted_broker_is_refused(tls_port: int, new_client: NewClient) -> None:
    states = States()
    client = await new_client(tls_port, "careful", wait=False, tls=ssl.create_default_context(), on_state=states)
    refused = await states.until(lambda change: not change.connected)
    assert "CERTIFICATE_VERIFY_FAILED" in refused.reason
    assert not client.connected


async def test_a_plain_broker_does_not_pass_for_a_secure_one(
    mosquitto: OwnBroker, authority: Authority, new_client: NewClient
) -> None:
    states = States()
    tls = ssl.create_default_context(cafile=authority.ca)
    client = await new_client(mosquitto.port, "careful", wait=False, tls=tls, on_state=states, connect_timeout_s=1.0)
    await states.until(lambda change: not change.connected)
    assert not client.connected


async def test_a_message_behind_an_answer_to_a_ping_is_read_at_once(
    authority: Authority, new_client: NewClient
) -> None:
    """Both in one TLS record: once it is decrypted no selector tells of the second packet, and nothing follows it."""
    answers = iter([b"\xd0\x00" + b"\x30\x06\x00\x01t\x00hi"])
    peer = ScriptedPeer()
    peer.answers[0xC0] = lambda _body: next(answers, b"")
    tls = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    tls.load_cert_chain(authority.certificate, authority.key)
    await peer.start(tls)
    try:
        client = await new_client(
            peer.port, "client", keepalive_s=1, tls=ssl.create_default_context(cafile=authority.ca)
        )
        async with asyncio.timeout(DEADLINE_S):
            [delivery] = await client.next_batch(1)
        assert (delivery.payload, delivery.epoch) == (b"hi", 1)
        await client.disconnect("test")
    finally:
        await peer.stop()
