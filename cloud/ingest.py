"""Ingest: MQTT to rows. Take a batch, commit it, send the receipts, only then acknowledge to the broker.

A broker's PUBACK promises nothing about a database, so a device keeps a message until our receipt says that it is
committed, and we keep the broker's copy alive until then too. Whatever dies in between, the message comes again and the
database tells that it is there already.

What is held: at most `held_messages_max` messages, from the broker's socket to the acknowledgement; past that the
socket is not read. While the database is away the batch waits, `_host` says offline (devices then keep their backlog),
and after a keep-alive we leave the broker on purpose: its session for us keeps the rest. One ingester is active for a
shard: it holds a lock in the very database session that writes. A stand-by waits for that lock.

A newcomer's trap: receipts go out on a second connection. The first one is not read while it is full, and then neither
are the broker's answers to what is published on it.
"""

import asyncio
import random
import uuid
from collections.abc import Awaitable, Callable, Mapping, Sequence
from contextlib import AsyncExitStack
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import TypeVar

import structlog

from cloud.broker import inbound_client, outbound_client, subscriptions
from cloud.commit import Message, Refused, Rules, Settled, Stored, commit
from cloud.counters import IngestCounters
from cloud.database import Database, IngestStoppedError, OnPhase, Phase, ShardLostError, Work, become_active
from cloud.duties import Duties
from cloud.ingest_metrics import Gauges, serve_metrics
from cloud.judge import Refusal, SampleFact, address_of, judge
from cloud.publish import Publisher
from cloud.quota import Quota
from cloud.settings import Settings
from cloud.store import outbox
from cloud.store.queries import Queries
from cloud.store.samples import Place
from cloud.store.session import Connection, read_registry, select_recipes_in_use
from cloud.watch import WATCH_S, watch_studies
from contract import TopicError
from messaging import Delivery, SessionTakenOverError, StateChange, SubscribeRefusedError

__all__ = ["IngestCounters", "IngestStoppedError", "Ingester", "Phase", "run_ingest"]

log = structlog.get_logger("ingest")

BATCHES_AHEAD = 1  # judged while the one before is being committed
REFRESH_S = 2.0  # the registry; by it a lost session, and with it a lost lock, is noticed without any traffic
TRIM_S = 600.0  # dead letters
DRAIN_S = 3.0  # to commit what is in hand after the wish to stop; goodbye and close come to 1.5 s more

Result = TypeVar("Result")


@dataclass(frozen=True, slots=True)
class Batch:
    """Deliveries in order of arrival, and what each was judged to be."""

    deliveries: list[Delivery] = field(default_factory=list[Delivery])
    messages: list[Message] = field(default_factory=list[Message])
    limited: set[str] = field(default_factory=set[str])  # devices over their quota that were refused once already


def utc_now() -> datetime:
    """Return the wall clock."""
    return datetime.now(UTC)


async def run_ingest(
    settings: Settings,
    *,
    sql: Path,
    stop: asyncio.Event,
    rng: random.Random,
    now: Callable[[], datetime] = utc_now,
    on_phase: OnPhase = lambda _phase: None,
    counters: IngestCounters | None = None,
) -> None:
    """Ingest until `stop`; `sql` is the folder with `queries/`. `on_phase` hears what we become.

    Raises IngestStoppedError for what no retry can mend: a refused subscription, missing tables or rights. Neither a
    database nor a broker that is away ends it.
    """
    queries = Queries(sql / "queries")
    rules = Rules(queries=queries, language=settings.ingest.language, now=now, new_id=uuid.uuid4)
    totals = counters if counters is not None else IngestCounters()
    active: list[Ingester] = []
    gauges: Gauges = lambda: active[0].gauges() if active else {"active": 0.0, "storing": 0.0}  # noqa: E731
    async with serve_metrics(settings.ingest.metrics_port, totals, gauges):
        await _take_turns(settings, rules, stop, rng=rng, on_phase=on_phase, totals=totals, active=active)


async def _take_turns(
    settings: Settings,
    rules: Rules,
    stop: asyncio.Event,
    *,
    rng: random.Random,
    on_phase: OnPhase,
    totals: IngestCounters,
    active: "list[Ingester]",
) -> None:
    """Stand by, be the active one (then in `active`), and again until `stop`."""
    queries = rules.queries
    while not stop.is_set():
        connection = await _until(stop, become_active(settings, queries, rng, on_phase))
        if connection is None:
            return
        database = Database(settings, queries, connection, rng=rng, totals=totals)
        ingester = Ingester(settings, rules, database, rng=rng, counters=totals, on_phase=on_phase)
        active.append(ingester)
        try:
            await ingester.run(stop)
        except* (ShardLostError, SessionTakenOverError) as lost:
            log.warning("another ingester is active", why=[str(each) for each in lost.exceptions])
        except* (SubscribeRefusedError, IngestStoppedError) as refused:
            raise IngestStoppedError("; ".join(sorted({str(each) for each in refused.exceptions}))) from refused
        finally:
            active.clear()
            await database.close()


class Ingester:
    """The active ingester of a shard, for as long as it holds the lock."""

    def __init__(
        self,
        settings: Settings,
        rules: Rules,
        database: Database,
        *,
        rng: random.Random,
        counters: IngestCounters,
        on_phase: OnPhase,
    ) -> None:
        """Write through `database`, whose session holds the lock of the shard."""
        self._settings = settings
        self._rules = rules
        self._database = database
        self._quota = Quota(settings.ingest.device_rate_max_hz)
        self._counters = counters
        self._on_phase = on_phase
        self._registry: Mapping[str, Place] = {}
        self._is_database_there = True
        self._is_subscribed = False
        self._queue: asyncio.Queue[Batch] = asyncio.Queue(BATCHES_AHEAD)
        session = uuid.uuid4()
        self._inbound = inbound_client(settings, rng=rng, on_state=self._on_state)
        self._outbound = outbound_client(settings, rng=rng, session=session, on_state=self._on_outbound)
        self._publisher = Publisher(self._outbound, settings=settings, session=session, now=rules.now)
        self._duties = Duties(settings, rules, self._outbound, self._use, registry=lambda: self._registry, rng=rng)

    async def run(self, stop: asyncio.Event) -> None:
        """Serve until `stop`, then commit what is in hand and say goodbye."""
        await self._use(self._look_up)
        async with AsyncExitStack() as stack:
            await stack.enter_async_context(self._outbound)
            await stack.enter_async_context(self._inbound)
            async with asyncio.TaskGroup() as tasks:
                collector = tasks.create_task(self._collect_forever(), name="ingest.collect")
                others = [
                    tasks.create_task(self._subscribe(), name="ingest.subscribe"),
                    tasks.create_task(self._write_forever(), name="ingest.write"),
                    tasks.create_task(self._keep_house_forever(), name="ingest.house"),
                    tasks.create_task(self._publisher.keep_host_state(), name="ingest.host"),
                ]
                for name, duty in self._duties.tasks().items():
                    others.append(tasks.create_task(duty, name=f"ingest.{name}"))
                await stop.wait()
                collector.cancel()
                await self._drain()
                for task in others:
                    task.cancel()
            await self._publisher.say_goodbye()

    async def _subscribe(self) -> None:
        """Devices hear that somebody stores only once nothing they send can pass us by."""
        await self._inbound.subscribe(*subscriptions(self._settings))
        self._is_subscribed = True
        self._say_state()
        log.info("active", shard=self._settings.ingest.shard)
        self._on_phase("active")

    async def _collect_forever(self) -> None:
        limits = self._settings.ingest
        loop = asyncio.get_running_loop()
        while True:
            batch = Batch()
            self._take(batch, await self._inbound.next_batch(limits.batch_rows_max))
            deadline = loop.time() + limits.batch_age_s
            while (room := limits.batch_rows_max - len(batch.messages)) > 0:
                try:
                    async with asyncio.timeout_at(deadline):
                        arrived = await self._inbound.next_batch(room)
                except TimeoutError:
                    break
                self._take(batch, arrived)
            await self._queue.put(batch)

    def _take(self, batch: Batch, deliveries: Sequence[Delivery]) -> None:
        batch.deliveries.extend(deliveries)
        now_s = asyncio.get_running_loop().time()
        for each in deliveries:
            device = _device_of(each.topic)
            if device is None or self._quota.takes(device, now_s):
                batch.messages.append(self._judged(each.topic, each.payload))
                continue
            self._counters.rate_limited_total += 1
            if device not in batch.limited:  # one notice and one dead letter a batch: more would do its work for it
                batch.limited.add(device)
                batch.messages.append(Message(each.topic, each.payload, self._limited(each.topic)))

    def _limited(self, topic: str) -> Refusal:
        detail = f"more than {self._settings.ingest.device_rate_max_hz:g} messages a second: send the rest again later"
        return Refusal("rate_limited", None, detail, address_of(topic))

    def _judged(self, topic: str, payload: bytes) -> Message:
        future_s_max = self._settings.ingest.future_s_max
        verdict = judge(topic, payload, registry=self._registry, now=self._rules.now(), future_s_max=future_s_max)
        return Message(topic, payload, verdict)

    async def _write_forever(self) -> None:
        while True:
            batch = await self._queue.get()
            await self._settle(batch)
            self._queue.task_done()

    async def _settle(self, batch: Batch) -> None:
        """Commit, then receipts, then acknowledge: the order is the promise."""
        loop = asyncio.get_running_loop()
        began_s = loop.time()
        settled = await self._use(lambda connection: self._commit(connection, batch.messages))
        self._count(settled, loop.time() - began_s)
        self._counters.receipts_unsent_total += await self._publisher.tell(settled)
        self._inbound.ack(*batch.deliveries)
        self._duties.announcer.wake()

    async def _commit(self, connection: Connection, messages: Sequence[Message]) -> list[Settled]:
        """A device may have been registered a moment ago: strangers are judged again with a fresh registry."""
        if any(isinstance(each.verdict, Refusal) and each.verdict.code == "unknown_device" for each in messages):
            self._registry = await read_registry(connection, self._rules.queries)
            messages = [
                self._judged(each.topic, each.payload) if isinstance(each.verdict, Refusal) else each
                for each in messages
            ]
        return await commit(connection, self._rules, messages)

    async def _keep_house_forever(self) -> None:
        limits = self._settings.ingest
        loop = asyncio.get_running_loop()
        trim_at = watch_at = loop.time()
        while True:
            await self._use(self._look_up)
            if loop.time() >= watch_at:
                watch_at = loop.time() + WATCH_S
                await self._use(lambda connection: watch_studies(connection, self._rules, limits.sites))
            self._duties.announcer.wake()  # what the API left there: recipes activated, alerts raised by hand
            if loop.time() >= trim_at:
                trim_at = loop.time() + TRIM_S
                trimmed = await self._use(
                    lambda connection: outbox.trim_dead_letters(
                        connection,
                        self._rules.queries,
                        age_s=limits.dead_letter_days * 86_400,
                        bytes_max=limits.dead_letter_bytes_max,
                    )
                )
                if trimmed:
                    log.warning("dead letters beyond their bounds forgotten", count=trimmed)
            await asyncio.sleep(REFRESH_S)

    async def _look_up(self, connection: Connection) -> None:
        """Read anew which devices there are and by which recipes they are judged."""
        self._registry = await read_registry(connection, self._rules.queries)
        for sentence in self._rules.recipes.put(await select_recipes_in_use(connection, self._rules.queries)):
            log.warning("alerts keep the limits of the default recipe", why=sentence)

    async def _use(self, work: Work[Result]) -> Result:
        return await self._database.use(work, self)

    async def _drain(self) -> None:
        try:
            async with asyncio.timeout(DRAIN_S):
                await self._queue.join()
        except TimeoutError:
            log.warning("stopped with work in hand: the broker keeps it", batches=self._queue.qsize() + 1)

    def on_database(self, *, there: bool) -> None:
        """Tell devices, and come back to the broker once the database is there again."""
        if there == self._is_database_there:
            return
        self._is_database_there = there
        self._say_state()
        if there:
            self._inbound.reconnect()
            if self._is_subscribed:
                self._on_phase("active")

    async def on_long_absence(self) -> None:
        """Leave the broker: its session for us keeps what comes."""
        if self._inbound.connected:
            await self._inbound.disconnect("the database is away: the session keeps what comes")
            self._on_phase("away")

    def _on_state(self, _change: StateChange) -> None:
        self._say_state()

    def _on_outbound(self, change: StateChange) -> None:
        self._say_state()
        if change.connected:
            self._duties.announcer.on_connected()

    @property
    def _is_storing(self) -> bool:
        return self._is_database_there and self._is_subscribed and self._inbound.connected

    def _say_state(self) -> None:
        self._publisher.set_online(online=self._is_storing)

    def gauges(self) -> dict[str, float]:
        """What is held and how things stand, by name, for whoever watches."""
        return {
            "active": 1.0,
            "database_connected": self._is_database_there,
            "broker_connected": self._inbound.connected,
            "storing": self._is_storing,
            "held_messages": self._inbound.held,
            "queued_batches": self._queue.qsize(),
            "lag_seconds": self._counters.lag_seconds_last,
            **self._duties.gauges(),
        }

    def _note_lag(self, settled: Sequence[Settled]) -> None:
        """The quickest live sample of each site: one that is late with all of them is late because of us."""
        newest: dict[str, datetime] = {}
        for each in settled:
            if isinstance(each, Stored) and isinstance(each.fact, SampleFact) and not each.fact.sample.hist:
                site = each.fact.place.site_code
                newest[site] = max(newest.get(site, each.fact.sample.timestamp), each.fact.sample.timestamp)
        now, now_s = self._rules.now(), asyncio.get_running_loop().time()
        for site, at in newest.items():
            lag_s = max(0.0, (now - at).total_seconds())
            self._counters.lag_seconds_last = lag_s
            self._duties.watch.note_lag(site, lag_s, now_s)

    def _count(self, settled: Sequence[Settled], seconds: float) -> None:
        totals = self._counters
        totals.note_batch(len(settled), seconds)
        self._note_lag(settled)
        for each in settled:
            match each:
                case Stored(is_new=True):
                    totals.accepted_total += 1
                case Stored():
                    totals.duplicates_total += 1
                case Refused(refusal=refusal) if refusal.is_held:
                    totals.held_total += 1
                case Refused():
                    totals.rejected_total += 1


def _device_of(topic: str) -> str | None:
    """Return whose message it is; None for a topic that the judge will refuse."""
    try:
        return address_of(topic).device
    except TopicError:
        return None


async def _until(stop: asyncio.Event, work: Awaitable[Result]) -> Result | None:
    """Return the result of `work`, or None when `stop` comes first."""
    working = asyncio.ensure_future(work)
    stopping = asyncio.ensure_future(stop.wait())
    try:
        await asyncio.wait([working, stopping], return_when=asyncio.FIRST_COMPLETED)
        return working.result() if working.done() else None
    finally:
        stopping.cancel()
        if not working.done():
            working.cancel()
            await asyncio.wait([working])
