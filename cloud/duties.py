"""What the active ingester does beside storing: alarms to the broker, the watch, shelves, messages to channels.

All of it runs in the session that holds the shard's lock: of two ingesters only one does it, and none does it without
the database. Nothing here delays a batch by more than one short statement.
"""

import asyncio
import random
from collections.abc import Awaitable, Callable, Coroutine, Mapping
from typing import Any

from cloud.announce import Announcer, alarm_subscriptions
from cloud.channels import Sender
from cloud.commit import Rules
from cloud.lookout import Verdict, Watch, observations, watch_subscriptions
from cloud.notify import Notifier
from cloud.settings import Settings
from cloud.store.alerts import apply_observations, expire_shelves
from cloud.store.samples import Place
from cloud.store.session import Connection
from messaging import Client, Delivery

LOOK_S = 1.0  # between two looks of the watch
HEARD_BATCH = 500

Use = Callable[[Callable[[Connection], Awaitable[Any]]], Awaitable[Any]]


class Duties:
    """The duties of an active ingester; `client` is the connection on which it speaks."""

    def __init__(
        self,
        settings: Settings,
        rules: Rules,
        client: Client,
        use: Use,
        *,
        registry: Callable[[], Mapping[str, Place]],
        rng: random.Random,
    ) -> None:
        sites = settings.ingest.sites
        self._client = client
        self._rules = rules
        self._use = use
        self._registry = registry
        self._sites = sites
        self.watch = Watch(settings.alerts)
        self.announcer = Announcer(client, rules.queries, use, sites=sites)
        self.notifier = Notifier(
            Sender(settings.notify, client),
            rules.queries,
            use,
            settings=settings.notify,
            sites=sites,
            language=rules.language,
            now=rules.now,
            new_id=rules.new_id,
            rng=rng,
        )

    def tasks(self) -> dict[str, Coroutine[Any, Any, None]]:
        """What has to run, by name."""
        return {
            "outbox": self.announcer.publish_forever(),
            "republish": self.announcer.republish_forever(),
            "compare": self.announcer.compare_forever(),
            "listen": self._listen(),
            "watch": self._watch_forever(),
            "notify": self.notifier.run(),
        }

    def gauges(self) -> dict[str, float]:
        """What the duties count, by name."""
        return {
            "devices_watched": self.watch.devices,
            "health_unreadable_total": self.watch.unreadable_total,
            "outbox_published_total": self.announcer.published_total,
            "alarms_ended_total": self.announcer.ended_total,
            "notifications_sent_total": self.notifier.sent_total,
            "notifications_failed_total": self.notifier.failed_total,
            "notifications_dead_total": self.notifier.dead_total,
        }

    async def _listen(self) -> None:
        """Hear devices and retained alarms; on the speaking connection, which is never paused for long."""
        await self._client.subscribe(*alarm_subscriptions(self._sites), *watch_subscriptions(self._sites))
        while True:
            heard = await self._client.next_batch(HEARD_BATCH)
            for delivery in heard:
                self._hear(delivery)
            self._client.ack(*heard)

    def _hear(self, delivery: Delivery) -> None:
        if "/_alarm/" in delivery.topic:
            self.announcer.hear(delivery)
        else:
            self.watch.hear(delivery.topic, delivery.payload, asyncio.get_running_loop().time())

    async def _watch_forever(self) -> None:
        loop = asyncio.get_running_loop()
        while True:
            verdicts = list(self.watch.verdicts(self._registry(), loop.time()))
            news = self.watch.news(verdicts)
            await self._use(lambda session, news=news: self._judge(session, news))
            await asyncio.sleep(LOOK_S)

    async def _judge(self, session: Connection, news: list[Verdict]) -> None:
        now = self._rules.now()
        async with session.transaction():
            expired = await expire_shelves(session, self._rules.queries, now=now)
            if news:
                seen = observations(news, now=now, language=self._rules.language)
                await apply_observations(session, self._rules.queries, live=seen, old=[], new_id=self._rules.new_id)
        self.watch.told(news)
        if news or expired:
            self.announcer.wake()
