"""The uplink on a real Mosquitto: both lanes, receipts, refusals, a killed broker, birth and will."""

import asyncio
import random
import uuid
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from contract.codec import decode, encode
from contract.messages import Event, HostState, Receipt, SeqRange, State
from contract.topics import DeviceTopic, device_topic, host_topic, parse
from edge.clock import EdgeClock
from edge.identity import Identity
from edge.rows import Kind
from edge.settings import Settings
from edge.spool import Spool
from edge.uplink import Uplink
from messaging import Client, Subscription
from tests.kit.fix_broker import OwnBroker
from tests.kit.fix_spool import DEADLINE_S, DEVICE, HandClock, event, put

NewSpool = Callable[..., Spool]
NewClient = Callable[..., Awaitable[Client]]


class Cloud:
    """A tiny ingester: takes events, says that it stores, sends receipts when told to."""

    def __init__(self, client: Client) -> None:
        self.client = client
        self.events: list[Event] = []
        self.states: list[State] = []

    async def store(self, *, online: bool) -> None:
        state = HostState(host="ingest-0", online=online, session=uuid.uuid4())
        await self.client.publish(host_topic("ingest-0"), encode(state), retain=True)

    async def hear(self, seqs: set[int]) -> None:
        """Take deliveries until events with all `seqs` have come."""
        async with asyncio.timeout(DEADLINE_S):
            while not seqs <= {each.seq for each in self.events}:
                await self.take()

    async def hear_state(self, wanted: str) -> State:
        async with asyncio.timeout(DEADLINE_S):
            while not self.states or self.states[-1].state != wanted:
                await self.take()
        return self.states[-1]

    async def take(self) -> None:
        for delivery in await self.client.next_batch(1):
            topic = parse(delivery.topic)
            assert isinstance(topic, DeviceTopic)
            if topic.kind == "event":
                self.events.append(decode(Event, delivery.payload))
            elif topic.kind == "state":
                self.states.append(decode(State, delivery.payload))
            self.client.ack(delivery)

    async def receipt(self, boot_id: uuid.UUID, first: int, last: int) -> None:
        receipt = Receipt(device_id=DEVICE, stored=[SeqRange(boot_id=boot_id, first_seq=first, last_seq=last)])
        await self.client.publish(device_topic("LL", "line1", DEVICE, "receipt"), encode(receipt))


@pytest.fixture
async def new_cloud(new_client: NewClient) -> Callable[[OwnBroker], Awaitable[Cloud]]:
    async def start(broker: OwnBroker) -> Cloud:
        everything = Subscription("sqal/v1/LL/+/+/+")
        return Cloud(await new_client(broker.port, "cloud", subscriptions=[everything]))

    return start


@asynccontextmanager
async def running(spool: Spool, clock: EdgeClock, broker: OwnBroker, folder: Path) -> AsyncIterator[Uplink]:
    """An uplink on `spool`, ended cleanly."""
    settings = Settings(device=DEVICE, site="LL", state_dir=folder, broker_port=broker.port)
    identity = Identity(DEVICE, "LL", "line1", uuid.uuid4())
    chance = random.Random(3)  # noqa: S311 - delays of a test
    uplink = Uplink(spool=spool, identity=identity, settings=settings, clock=clock, chance=chance)
    loop = asyncio.get_running_loop()
    spool.on_commit = lambda rows: _post(loop, lambda: uplink.offer(rows))
    spool.on_release = lambda: _post(loop, uplink.release)
    task = asyncio.create_task(uplink.run())
    async with asyncio.timeout(DEADLINE_S):
        await uplink.client.wait_connected()
    try:
        yield uplink
    finally:
        task.cancel()
        await asyncio.wait([task])


def _post(loop: asyncio.AbstractEventLoop, call: Callable[[], None]) -> None:
    if not loop.is_closed():
        loop.call_soon_threadsafe(call)


async def until(holds: Callable[[], bool], cloud: Cloud, spool: Spool) -> None:
    """Poke the spool's thread until `holds`; every turn waits for its answer."""
    async with asyncio.timeout(DEADLINE_S):
        while not holds():
            await asyncio.wrap_future(spool.peek(0, 1))


async def test_live_goes_on_and_backlog_waits_until_somebody_stores(
    new_spool: NewSpool,
    clock: HandClock,
    mosquitto: OwnBroker,
    tmp_path: Path,
    new_cloud: Callable[..., Awaitable[Cloud]],
) -> None:
    spool = new_spool()
    for _ in range(3):
        put(spool, clock)
    cloud = await new_cloud(mosquitto)
    async with running(spool, clock, mosquitto, tmp_path):
        await cloud.hear_state("online")
        await asyncio.to_thread(put, spool, clock)
        await cloud.hear({4})
        assert [(each.seq, each.hist) for each in cloud.events] == [(4, False)]
        await cloud.store(online=True)
        await cloud.hear({1, 2, 3})
        assert [(each.seq, each.hist) for each in cloud.events[1:]] == [(1, True), (2, True), (3, True)]
        assert spool.stats().rows == 4  # acknowledged by the broker, and kept
        await cloud.receipt(spool.boot_id, 1, 4)
        await until(lambda: spool.stats().rows == 0, cloud, spool)
    await cloud.hear_state("stopped")


async def test_a_killed_broker_costs_nothing(
    new_spool: NewSpool,
    clock: HandClock,
    mosquitto: OwnBroker,
    tmp_path: Path,
    new_cloud: Callable[..., Awaitable[Cloud]],
) -> None:
    """Goal: what the broker took and forgot is sent again. Method: SIGKILL after its acknowledgement, then restart."""
    spool = new_spool()
    cloud = await new_cloud(mosquitto)
    async with running(spool, clock, mosquitto, tmp_path):
        await asyncio.to_thread(put, spool, clock)
        await cloud.hear({1})
        mosquitto.kill()
        for _ in range(5):
            await asyncio.to_thread(put, spool, clock)
        await asyncio.to_thread(mosquitto.start)
        async with asyncio.timeout(DEADLINE_S):
            await cloud.client.wait_connected()
        await cloud.store(online=True)
        cloud.events.clear()
        await cloud.hear({1, 2, 3, 4, 5, 6})
        await cloud.receipt(spool.boot_id, 1, 6)
        await until(lambda: spool.stats().rows == 0, cloud, spool)


async def test_a_refused_publish_trims_nothing_and_is_tried_again(
    new_spool: NewSpool,
    clock: HandClock,
    new_mosquitto: Callable[..., OwnBroker],
    tmp_path: Path,
    new_cloud: Callable[..., Awaitable[Cloud]],
) -> None:
    acl = tmp_path / "acl"
    acl.write_text("topic readwrite #\ntopic deny sqal/v1/LL/line1/+/event\n")
    broker = new_mosquitto(f"acl_file {acl}")
    spool = new_spool()
    cloud = await new_cloud(broker)
    await cloud.store(online=True)
    async with running(spool, clock, broker, tmp_path) as uplink:
        await asyncio.to_thread(put, spool, clock)
        await until(lambda: uplink.counters.refused == 1, cloud, spool)
        assert spool.stats().rows == 1
        clock.now_ns += 31 * 10**9
        await until(lambda: uplink.counters.refused == 2, cloud, spool)
        assert spool.stats().rows == 1


async def test_no_receipt_for_thirty_seconds_sends_again(
    new_spool: NewSpool,
    clock: HandClock,
    mosquitto: OwnBroker,
    tmp_path: Path,
    new_cloud: Callable[..., Awaitable[Cloud]],
) -> None:
    spool = new_spool()
    cloud = await new_cloud(mosquitto)
    await cloud.store(online=True)
    async with running(spool, clock, mosquitto, tmp_path) as uplink:
        await until(lambda: uplink.hosts.since_ns is not None, cloud, spool)
        await asyncio.to_thread(put, spool, clock)
        await cloud.hear({1})
        cloud.events.clear()
        clock.now_ns += 31 * 10**9
        await cloud.hear({1})
        assert cloud.events[0].hist
        assert uplink.window.resent == 1


async def test_nothing_is_sent_while_the_time_is_unknown(
    new_spool: NewSpool,
    clock: HandClock,
    mosquitto: OwnBroker,
    tmp_path: Path,
    new_cloud: Callable[..., Awaitable[Cloud]],
) -> None:
    zero, clock.zero_wall_ns = clock.zero_wall_ns, None
    spool = new_spool()
    cloud = await new_cloud(mosquitto)
    await cloud.store(online=True)
    async with running(spool, clock, mosquitto, tmp_path) as uplink:
        await asyncio.to_thread(put, spool, clock)
        clock.zero_wall_ns = zero
        clock.now_ns += 10 * 10**9
        await asyncio.wrap_future(spool.append(Kind.EVENT, clock.now_ns, event))
        await cloud.hear({1, 2})
        assert {each.timestamp.year for each in cloud.events} == {2026}
        assert uplink.counters.unreadable_received == 0
