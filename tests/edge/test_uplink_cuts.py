"""A connection cut after every single byte of an exchange: connect, subscribe, publish, answer, receipt.

Method: real Mosquitto behind a proxy that forwards exactly so many bytes of a connection, both directions counted
together, and then cuts it; a cloud of its own connection stores and sends receipts. After each cut the message has
arrived, is the one that was measured, and its room is free again.
"""

import asyncio
import uuid
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from contract.codec import decode, encode
from contract.messages import Event, HostState, Receipt, SeqRange
from contract.topics import device_topic, host_topic
from edge.spool import Spool
from messaging import Client, Subscription
from tests.kit.fix_broker import OwnBroker
from tests.kit.fix_chaos import ChaosProxy
from tests.kit.fix_spool import DEADLINE_S, DEVICE, HandClock, put
from tests.kit.fix_uplink import empty, running_uplink

EXCHANGE_BYTES = 1_000  # connect, subscribe, one message and its receipt take some 800
QUICK_STEP = 97  # bytes between two cuts; the proof takes every byte
RECEIPTS = device_topic("LL", "line1", DEVICE, "receipt")
HOST = HostState(host="ingest-0", online=True, session=uuid.UUID(int=1))


@asynccontextmanager
async def storing(client: Client) -> AsyncIterator[dict[int, set[bytes]]]:
    """A cloud that stores what comes and says so: by number, every form in which a message came."""
    stored: dict[int, set[bytes]] = {}

    async def store() -> None:
        async for delivery in client.deliveries():
            event = decode(Event, delivery.payload)
            assert event.boot_id is not None
            assert event.seq is not None
            stored.setdefault(event.seq, set()).add(delivery.payload.replace(b',"hist":true', b""))
            ranges = [SeqRange(boot_id=event.boot_id, first_seq=event.seq, last_seq=event.seq)]
            await client.submit(RECEIPTS, encode(Receipt(device_id=DEVICE, stored=ranges)))
            client.ack(delivery)

    await client.publish(host_topic("ingest-0"), encode(HOST), retain=True)
    task = asyncio.create_task(store())
    try:
        yield stored
    finally:
        task.cancel()
        await asyncio.wait([task])


async def cut_at(lengths: Iterable[int], spool: Spool, proxy: ChaosProxy, folder: Path, clock: HandClock) -> int:
    """Cut one connection after each of `lengths`; returns how many.

    A receipt may overtake what the client still has to say: a connection that falls silent too soon gets more to send.
    """
    cuts = 0
    async with running_uplink(spool, clock, folder, port=proxy.port) as uplink:
        for length in lengths:
            await asyncio.to_thread(put, spool, clock)
            uplink.client._backoff.reset()  # each cut is the first of its kind
            proxy.forwarded_bytes, proxy.cut_after_bytes = 0, length
            await proxy.cut()
            async with asyncio.timeout(DEADLINE_S):
                while proxy.forwarded_bytes < length:
                    if not spool.stats().rows:
                        await asyncio.to_thread(put, spool, clock)
                    await asyncio.wrap_future(spool.peek(0, 1))
            cuts += proxy.forwarded_bytes == length
            proxy.cut_after_bytes = None
            uplink.client._backoff.reset()
            await empty(spool, deadline_s=DEADLINE_S)
    return cuts


async def run(step: int, new_spool: Callable[..., Spool], cloud: Client, proxy: ChaosProxy, folder: Path) -> int:
    clock = HandClock()
    spool = new_spool(clock=clock)
    async with storing(cloud) as stored:
        cuts = await cut_at(range(1, EXCHANGE_BYTES, step), spool, proxy, folder, clock)
    assert sorted(stored) == list(range(1, max(stored) + 1))
    assert all(len(forms) == 1 for forms in stored.values()), "a message came in two forms"
    return cuts


@pytest.fixture
async def parts(
    mosquitto: OwnBroker,
    new_client: Callable[..., Awaitable[Client]],
    new_chaos: Callable[[int], Awaitable[ChaosProxy]],
) -> tuple[Client, ChaosProxy]:
    cloud = await new_client(mosquitto.port, "cloud", subscriptions=[Subscription("sqal/v1/LL/+/+/event")])
    return cloud, await new_chaos(mosquitto.port)


async def test_a_cut_anywhere_costs_nothing(
    parts: tuple[Client, ChaosProxy], new_spool: Callable[..., Spool], tmp_path: Path
) -> None:
    assert await run(QUICK_STEP, new_spool, *parts, tmp_path) == len(range(1, EXCHANGE_BYTES, QUICK_STEP)) >= 8


@pytest.mark.proof
@pytest.mark.timeout(3_600)
async def test_proof_of_a_cut_at_every_byte(
    parts: tuple[Client, ChaosProxy], new_spool: Callable[..., Spool], tmp_path: Path
) -> None:
    cuts = await run(1, new_spool, *parts, tmp_path)
    print(f"{cuts} cuts")
    assert cuts == EXCHANGE_BYTES - 1 >= 800
