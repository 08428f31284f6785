"""What the outbox holds goes to the broker, at least once; and what the broker keeps of alarms is made to agree.

A retained alarm outlives whoever published it: a broker that was restored from a copy shows alarms that ended long ago,
one that lost its store shows none. So at every connect the open alarms are written to the outbox again, and each
retained alarm that the broker shows us and the database does not know as open is ended. Both are harmless to repeat.

A newcomer's trap: only deliveries that the broker marks as retained are held against the database; what we publish
comes back to us too, and may be older than the next commit.
"""

import asyncio
import uuid
from collections.abc import Awaitable, Callable
from typing import Any, TypeVar

import structlog

from cloud.store import outbox
from cloud.store.alarms import missing_alarms, republish_open
from cloud.store.queries import Queries
from cloud.store.session import Connection
from contract import TopicError
from contract.topics import AlarmTopic, parse
from messaging import Client, Delivery, MessagingError, Subscription

log = structlog.get_logger("ingest")

ROWS = 100  # read and published at a time
RETRY_S = 2.0
SEEN_MAX = 10_000  # retained alarms that wait to be compared; more wait for the next connect

Result = TypeVar("Result")
Use = Callable[[Callable[[Connection], Awaitable[Any]]], Awaitable[Any]]


def alarm_subscriptions(sites: list[str]) -> list[Subscription]:
    """What has to be heard to know which alarms the broker keeps, of some sites, `["*"]` for all."""
    of = ["+"] if "*" in sites else sites
    return [Subscription(str(AlarmTopic(site, "+")), retain_as_published=False) for site in of]


class Announcer:
    """Publishes the outbox through `client`, and keeps retained alarms in agreement with the database."""

    def __init__(self, client: Client, queries: Queries, use: Use, *, sites: list[str]) -> None:
        """`use` runs work on the session of the active ingester; `sites` are those of its shard."""
        self._client = client
        self._queries = queries
        self._use = use
        self._sites = None if "*" in sites else sites
        self._filled = asyncio.Event()
        self._connected = asyncio.Event()
        self._seen: dict[uuid.UUID, str] = {}
        self._noticed = asyncio.Event()
        self.published_total = 0
        self.ended_total = 0
        self._filled.set()  # what an earlier run left behind

    def wake(self) -> None:
        """There may be something in the outbox."""
        self._filled.set()

    def on_connected(self) -> None:
        """The broker may have lost what it kept."""
        self._connected.set()

    def hear(self, delivery: Delivery) -> None:
        """Note an alarm that the broker keeps; anything else is passed over."""
        if not delivery.retain or not delivery.payload or len(self._seen) >= SEEN_MAX:
            return
        try:
            topic = parse(delivery.topic)
        except TopicError:
            return
        if not isinstance(topic, AlarmTopic):
            return
        try:
            self._seen[uuid.UUID(topic.alarm_id)] = delivery.topic
        except ValueError:
            return  # somebody else's: our ids are UUIDs
        self._noticed.set()

    async def publish_forever(self) -> None:
        """Publish what waits, oldest first, and remove it once the broker has it."""
        while True:
            await self._filled.wait()
            self._filled.clear()
            while waiting := await self._use(lambda session: outbox.waiting(session, self._queries, limit=ROWS)):
                try:
                    await self._client.wait_connected()
                    answers = [
                        await self._client.submit(each.topic, each.payload, retain=each.retain) for each in waiting
                    ]
                    await asyncio.gather(*answers)
                except MessagingError as error:
                    log.warning("alarms wait for the broker", waiting=len(waiting), why=str(error))
                    await asyncio.sleep(RETRY_S)
                    continue
                self.published_total += len(waiting)
                done = [each.outbox_id for each in waiting]
                await self._use(lambda session, done=done: outbox.remove(session, self._queries, done))

    async def republish_forever(self) -> None:
        """At every connect, say again which alarms are open."""
        while True:
            await self._connected.wait()
            self._connected.clear()
            count = await self._use(lambda session: republish_open(session, self._queries, self._sites))
            if count:
                log.info("open alarms are said again", count=count)
                self.wake()

    async def compare_forever(self) -> None:
        """End what the broker keeps and the database does not know as open."""
        while True:
            await self._noticed.wait()
            self._noticed.clear()
            seen, self._seen = self._seen, {}
            ended = await self._use(lambda session, seen=seen: missing_alarms(session, self._queries, seen))
            if ended:
                log.warning("alarms of the broker that nobody knows are ended", count=ended)
                self.ended_total += ended
                self.wake()
