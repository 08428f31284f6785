"""The raw worker: what devices that only measure send becomes samples, by the functions that run on a Raspberry Pi.

A sample made here goes the way of any other: published to the broker, stored by ingest, receipted. Only on its receipt
is the raw message acknowledged, so whatever dies in between, it comes again; what is stored already is left alone. One
worker of a shard is active and holds a lock in the database; another waits. What cannot be analysed is kept as a dead
letter and its device is told; it delays nobody.

What a newcomer gets wrong: an empty belt is analysed, acknowledged and leaves nothing behind, so the numbers of a raw
device have holes in the database. They are its messages' numbers, not its samples'.
"""

import asyncio
import random
import uuid
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from datetime import datetime, timedelta
from importlib.metadata import version
from pathlib import Path

import structlog
from msgspec.structs import replace

from cloud.broker import inbound_client, password, tls_context
from cloud.commit import Refused
from cloud.counters import IngestCounters
from cloud.database import Database, OnPhase, ShardLostError, become_active
from cloud.ingest import IngestStoppedError, utc_now
from cloud.judge import Refusal
from cloud.pending import Fate, Pending
from cloud.publish import JSON, Publisher
from cloud.raw_analysis import Analyst, DeviceCalibrations, Moment
from cloud.raw_pairing import Pairing
from cloud.raw_reading import incomplete, raw_topic, read, refusal
from cloud.recipes_in_use import RecipesInUse
from cloud.settings import Settings
from cloud.store import raw as store
from cloud.store.outbox import put_dead_letter
from cloud.store.queries import Queries
from cloud.store.samples import Place
from cloud.store.session import read_registry, select_recipes_in_use
from contract.codec import decode, encode
from contract.errors import ContractError, TopicError
from contract.messages import ErrorNotice, Event, Raw, Receipt
from contract.packed import raw_of
from contract.sample import ClockQuality, Sample
from contract.topics import DeviceTopic, TopicClass, device_topic, parse, subscription
from messaging import Client, Delivery, MessagingError, SessionTakenOverError, StateChange, SubscribeRefusedError
from messaging.values import Subscription
from quality.errors import QualityError

log = structlog.get_logger("raw")

BATCH = 50  # analysed between two looks at the queue: some 100 ms of work
HELD_MAX = 500  # messages in hand, the parts that wait for the rest included; past that the socket is not read
REFRESH_S = 2.0  # registry, calibrations, parts that came alone
RECEIPT_WAIT_S = 30.0  # then the sample is sent again: it is the same row
AGAIN_S = 2.0  # after the broker or ingest would not have it now
UNSET = ClockQuality(state="unset")


@dataclass(slots=True)
class RawCounters:
    """Totals since start."""

    received: int = 0
    stored: int = 0  # became a sample or an event, and the receipt for it came
    nothing: int = 0  # an empty belt, a product that passed by
    known: int = 0  # stored before: it came again
    refused: int = 0  # kept as dead letters
    resent: int = 0


@dataclass(slots=True)
class Job:
    """One number in hand and everything that it came in."""

    topic: DeviceTopic
    place: Place
    raw: Raw
    arrived: datetime
    deliveries: list[Delivery] = field(default_factory=list[Delivery])

    @property
    def number(self) -> store.Number:
        """Its name for ever."""
        return (self.raw.device_id, self.raw.boot_id, self.raw.seq)


async def run_raw(
    settings: Settings,
    *,
    sql: Path,
    stop: asyncio.Event,
    rng: random.Random,
    now: Callable[[], datetime] = utc_now,
    on_phase: OnPhase = lambda _phase: None,
    counters: RawCounters | None = None,
) -> None:
    """Work until `stop`. Raises IngestStoppedError for what no retry can mend."""
    queries = Queries(sql / "queries")
    own = replace(settings, ingest=replace(settings.ingest, shard=f"{settings.ingest.shard}-raw"))
    totals = counters if counters is not None else RawCounters()
    while not stop.is_set():
        waiting = asyncio.create_task(become_active(own, queries, rng, on_phase))
        stopping = asyncio.create_task(stop.wait())
        await asyncio.wait([waiting, stopping], return_when=asyncio.FIRST_COMPLETED)
        stopping.cancel()
        if not waiting.done():
            waiting.cancel()
            await asyncio.wait([waiting])
            return
        database = Database(own, queries, waiting.result(), rng=rng, totals=IngestCounters())
        worker = RawWorker(own, queries, database, rng=rng, now=now, counters=totals, on_phase=on_phase)
        try:
            await worker.run(stop)
        except* (ShardLostError, SessionTakenOverError) as lost:
            log.warning("another raw worker is active", why=[str(each) for each in lost.exceptions])
        except* (SubscribeRefusedError, IngestStoppedError) as refused:
            raise IngestStoppedError("; ".join(sorted({str(each) for each in refused.exceptions}))) from refused
        finally:
            await database.close()


class RawWorker:
    """The active worker of a shard."""

    def __init__(
        self,
        settings: Settings,
        queries: Queries,
        database: Database,
        *,
        rng: random.Random,
        now: Callable[[], datetime],
        counters: RawCounters,
        on_phase: OnPhase,
    ) -> None:
        """Use `database`, whose session holds the lock."""
        self._settings = settings
        self._queries = queries
        self._database = database
        self._now = now
        self._counters = counters
        self._on_phase = on_phase
        self._pairing: Pairing[Delivery] = Pairing()
        self._pending = Pending()
        self._analyst = Analyst(f"sqal-raw {version('sqal')}")
        self._registry: Mapping[str, Place] = {}
        self._calibrations: Mapping[str, DeviceCalibrations | str] = {}
        self._recipes = RecipesInUse()
        self._in_hand: dict[store.Number, Job] = {}
        self._tasks: asyncio.TaskGroup
        self._delivering: set[asyncio.Task[None]] = set()
        held = replace(settings, ingest=replace(settings.ingest, held_messages_max=HELD_MAX))
        self._inbound = inbound_client(held, rng=rng, on_state=_ignore)
        self._outbound = _outbound_client(settings, rng)
        self._publisher = Publisher(self._outbound, settings=settings, session=uuid.uuid4(), now=now)

    async def run(self, stop: asyncio.Event) -> None:
        """Serve until `stop`; what is in hand then stays with the broker."""
        await self._refresh()
        async with self._outbound, self._inbound, asyncio.TaskGroup() as tasks:
            self._tasks = tasks
            working = [
                tasks.create_task(self._hear_fates(), name="raw.fates"),
                tasks.create_task(self._keep_house(), name="raw.house"),
                tasks.create_task(self._work(), name="raw.work"),
            ]
            await stop.wait()
            for task in [*working, *self._delivering]:
                task.cancel()

    async def _work(self) -> None:
        sites = ["+"] if "*" in self._settings.ingest.sites else self._settings.ingest.sites
        await self._outbound.wait_connected()  # first the ear for receipts, then what makes them
        await self._inbound.subscribe(*(Subscription(subscription("raw", site=site)) for site in sites))
        log.info("active", shard=self._settings.ingest.shard)
        self._on_phase("active")
        while True:
            jobs: list[Job] = []
            for delivery in await self._inbound.next_batch(BATCH):
                self._counters.received += 1
                job = await self._sorted(delivery)
                if job is not None:
                    jobs.append(job)
            await self._settle(jobs)

    async def _sorted(self, delivery: Delivery) -> Job | None:
        """The number that is whole now; None for a part, for what is refused, and for one that is in hand already."""
        try:
            topic = raw_topic(delivery.topic)
        except TopicError as error:
            log.warning("not a raw topic", topic=delivery.topic, why=error.reason)
            self._inbound.ack(delivery)
            return None
        found = read(topic, delivery.payload, self._registry)
        if isinstance(found, Refusal) and found.code == "unknown_device":  # it may have been registered a moment ago
            await self._refresh()
            found = read(topic, delivery.payload, self._registry)
        deliveries = [delivery]
        if not isinstance(found, Raw | Refusal):
            try:
                whole = self._pairing.take(topic.device, found, delivery, _monotonic_s())
                if whole is None:
                    return None
                deliveries, found = whole.carriers, raw_of(whole.part, topic.device)
            except ContractError as error:
                found = refusal("invalid", error.path, error.reason, topic)
        if isinstance(found, Refusal):
            await self._refuse(found, deliveries)
            return None
        return self._begun(topic, found, deliveries)

    def _begun(self, topic: DeviceTopic, raw: Raw, deliveries: list[Delivery]) -> Job | None:
        job = Job(topic, self._registry[topic.device], raw, self._now(), deliveries)
        known = self._in_hand.get(job.number)
        if known is not None:  # the connection was lost meanwhile: the broker wants an answer to this one too
            known.deliveries += deliveries
            return None
        self._in_hand[job.number] = job
        return job

    async def _settle(self, jobs: Sequence[Job]) -> None:
        numbers = [job.number for job in jobs]
        known = await self._database.use(lambda connection: store.stored(connection, self._queries, numbers), self)
        for job in jobs:
            if job.number in known:
                self._counters.known += 1
                self._done(job)
                continue
            moment = await self._moment(job)
            found = self._calibrations.get(job.raw.device_id, "it has none: run `sqal cloud calibrate`")
            recipe = self._recipes.of(job.place.device_id, job.place.site_code)
            if isinstance(found, str):
                await self._give_up(job, refusal("no_calibration", None, found, job.topic, job.number[1:]))
                continue
            if isinstance(recipe, str):
                await self._give_up(job, refusal("not_computable", "recipe", recipe, job.topic, job.number[1:]))
                continue
            try:
                message = await asyncio.to_thread(self._analyst.analyse, job.raw, job.place, found, recipe, moment)
            except QualityError as error:
                detail = refusal("not_computable", f"$.{error.field}", error.reason, job.topic, job.number[1:])
                await self._give_up(job, detail)
                continue
            if message is None:
                self._counters.nothing += 1
                self._done(job)
                continue
            task = self._tasks.create_task(self._deliver(job, message), name="raw.deliver")
            self._delivering.add(task)
            task.add_done_callback(self._delivering.discard)

    async def _moment(self, job: Job) -> Moment:
        """When it was measured: as the device says, or by the first message of its start."""
        raw = job.raw
        if raw.timestamp is not None:
            at_ms = round(raw.timestamp.timestamp() * 1000) if raw.uptime_ms is None else raw.uptime_ms
            return Moment(raw.timestamp, None, at_ms)
        assert raw.uptime_ms is not None
        uptime = timedelta(milliseconds=raw.uptime_ms)
        zero_at = await self._database.use(
            lambda connection: store.note_boot(
                connection, self._queries, raw.device_id, raw.boot_id, job.arrived - uptime
            ),
            self,
        )
        return Moment(zero_at + uptime, UNSET, raw.uptime_ms)

    async def _deliver(self, job: Job, message: Sample | Event) -> None:
        """Publish until its fate is known, then let go of the raw message."""
        kind: TopicClass = "sample" if isinstance(message, Sample) else "event"
        topic = device_topic(job.topic.site, job.topic.line, job.topic.device, kind)
        payload = encode(message)
        while True:
            fate = await self._sent(job, topic, payload)
            if fate.outcome == "stored":
                self._counters.stored += 1
                self._done(job)
                return
            if fate.outcome == "rejected":  # ingest keeps the sample as evidence, with its reason
                self._counters.refused += 1
                log.warning("a sample of a raw message was refused", topic=topic, path=fate.path, why=fate.reason)
                self._done(job)
                return
            if fate.outcome == "held" and self._registry.get(job.raw.device_id) != job.place:
                detail = f"its device moved or went while it was on its way: {fate.reason}"
                await self._give_up(job, refusal("wrong_site", "topic", detail, job.topic, job.number[1:]))
                return
            self._counters.resent += 1
            await asyncio.sleep(AGAIN_S)

    async def _sent(self, job: Job, topic: str, payload: bytes) -> Fate:
        fate = self._pending.expect(*job.number)
        try:
            async with asyncio.timeout(RECEIPT_WAIT_S):
                await self._outbound.wait_connected()
                await self._outbound.publish(topic, payload, properties=JSON)
                return await fate
        except TimeoutError:
            return Fate("unknown", "no receipt yet")
        except MessagingError as error:
            return Fate("unknown", str(error))
        finally:
            self._pending.forget(*job.number)

    def _done(self, job: Job) -> None:
        self._in_hand.pop(job.number, None)
        self._inbound.ack(*job.deliveries)

    async def _give_up(self, job: Job, why: Refusal) -> None:
        self._in_hand.pop(job.number, None)
        await self._refuse(why, job.deliveries)

    async def _refuse(self, why: Refusal, deliveries: Sequence[Delivery]) -> None:
        """Keep what came as dead letters, tell the device once, let go."""
        kept = [await self._keep(why, delivery) for delivery in deliveries]
        self._counters.refused += len(kept)
        await self._publisher.tell([Refused(why, kept[0])])
        self._inbound.ack(*deliveries)

    async def _keep(self, why: Refusal, delivery: Delivery) -> int:
        topic, payload = delivery.topic, delivery.payload
        return await self._database.use(
            lambda connection: put_dead_letter(connection, self._queries, topic=topic, payload=payload, refusal=why),
            self,
        )

    async def _hear_fates(self) -> None:
        """Receipts and error notices, whoever they are for."""
        while True:
            for delivery in await self._outbound.next_batch(BATCH):
                try:
                    topic = parse(delivery.topic)
                    if not isinstance(topic, DeviceTopic):
                        continue
                    if topic.kind == "receipt":
                        self._pending.take_receipt(decode(Receipt, delivery.payload))
                    else:
                        self._pending.take_error(topic.device, decode(ErrorNotice, delivery.payload))
                except ContractError as error:
                    log.warning("unreadable word of ingest", topic=delivery.topic, why=str(error))

    async def _keep_house(self) -> None:
        said = RawCounters()
        while True:
            await asyncio.sleep(REFRESH_S)
            await self._refresh()
            for _, waiting in self._pairing.given_up(_monotonic_s()):
                why = incomplete(raw_topic(waiting.carriers[0].topic), waiting.part)
                await self._refuse(why, waiting.carriers)
            if self._counters != said:
                said = RawCounters(**asdict(self._counters))
                log.info("totals", **asdict(said))

    async def _refresh(self) -> None:
        self._registry = await self._database.use(lambda c: read_registry(c, self._queries), self)
        self._calibrations = await self._database.use(lambda c: store.read_calibrations(c, self._queries), self)
        self._recipes.put(await self._database.use(lambda c: select_recipes_in_use(c, self._queries), self))

    def on_database(self, *, there: bool) -> None:
        """Come back to the broker once the database is there again."""
        if there:
            self._inbound.reconnect()

    async def on_long_absence(self) -> None:
        """Leave the broker: its session for us keeps what comes."""
        if self._inbound.connected:
            await self._inbound.disconnect("the database is away: the session keeps what comes")
            self._on_phase("away")


def _outbound_client(settings: Settings, rng: random.Random) -> Client:
    broker, ingest = settings.broker, settings.ingest
    sites = ["+"] if "*" in ingest.sites else ingest.sites
    return Client(
        host=broker.host,
        port=broker.port,
        client_id=f"sqal-ingest-{ingest.shard}-out",
        rng=rng,
        subscriptions=[
            Subscription(subscription(kind, site=site), qos=1) for site in sites for kind in ("receipt", "error")
        ],
        clean_start=True,
        session_expiry_s=0,
        keepalive_s=broker.keep_alive_s,
        tls=tls_context(broker),
        username=broker.username,
        password=password(broker),
        ack_on_take=True,
    )


def _ignore(_change: StateChange) -> None:
    """The connection's coming and going needs no act of ours: what is in hand is sent again."""


def _monotonic_s() -> float:
    return asyncio.get_running_loop().time()
