"""From the spool to the broker and back: live lane, backlog lane, receipts, birth and will.

The live lane sends what has just become durable, always, because live views feed on it. The backlog lane reads the
spool for everything else (an earlier start, an absent broker, a receipt that never came), marks it `hist`, keeps at
most a window of messages unreceipted, and waits while nobody says that it stores this site. Nothing is freed here but
by a receipt: a broker's acknowledgement says that the broker has it, which is not the same as that it is stored.

What a newcomer gets wrong: a publish that was refused, or whose connection ended, is no reason to trim or to give up;
the row lies in the spool and the backlog lane comes by again.
"""

import asyncio
import random
from collections import deque
from collections.abc import Awaitable, Callable
from contextlib import suppress
from functools import partial

import structlog

from contract.codec import decode, encode
from contract.errors import ContractError, TopicError
from contract.messages import DesiredConfiguration, ErrorNotice, HostState, Receipt
from contract.sample import Sample
from contract.topics import ALL_HOSTS, DeviceTopic, HostTopic, TopicClass, parse, subscription
from edge.clock import EdgeClock
from edge.hosts import Hosts, UplinkCounters
from edge.identity import Identity, StateName, result_of
from edge.pace import Pace
from edge.rows import Kind, Row, as_history, utc_from_ns
from edge.settings import Settings
from edge.spool import Spool
from edge.spool_errors import SpoolClosedError
from edge.tls import client_context, follow_renewals, password
from edge.window import Window
from messaging import (
    Client,
    Delivery,
    NotConnectedError,
    Properties,
    PublishRefusedError,
    PublishResult,
    PublishTooLargeError,
    StateChange,
    Subscription,
    Will,
)

LIVE_MAX = 256  # rows waiting for the live lane; what does not fit is backlog
PEEK_ROWS = 500
BACKLOG_UNANSWERED_MAX = 300  # less than the client's own bound of publishes: the live lane always finds room
KEEPALIVE_S = 4  # a half-open link is noticed within 6.5 s, so that the live path is back within 10
RECEIVED_BATCH = 100
RESULT_EXPIRY_S = 900
TICK_S = 1.0
STOP_S = 1.0  # for the last messages of a clean stop
JSON = "application/json"
PLAIN = Properties(content_type=JSON)
log = structlog.get_logger("uplink")


def _ignore(*_: object) -> None:
    """Nobody listens."""


class Uplink:
    """The agent's connection. `run` keeps it until cancelled; `offer` and `release` are called on the event loop.

    introduce: publishes what a new connection begins with, after `state` online (the birth certificate, health).
    on_taken_over: another client uses our id, as far as one can tell.
    on_desired: takes a desired configuration. on_command: takes a command's topic and payload.
    """

    def __init__(
        self,
        *,
        spool: Spool,
        identity: Identity,
        settings: Settings,
        clock: EdgeClock,
        chance: random.Random,
        window: Window | None = None,
    ) -> None:
        self.counters = UplinkCounters()
        self.window = window or Window()
        self.hosts = Hosts(identity.site)
        self.introduce: Callable[[], Awaitable[None]] = _nothing
        self.on_taken_over: Callable[[str], None] = _ignore
        self.on_desired: Callable[[DesiredConfiguration], Awaitable[None]] = _nothing
        self.on_command: Callable[[DeviceTopic, bytes], Awaitable[None]] = _nothing
        self._spool = spool
        self._identity = identity
        self._clock = clock
        self._live: deque[Row] = deque()
        self._live_ready = asyncio.Event()
        self._backlog_ready = asyncio.Event()
        self._connected = asyncio.Event()
        self._births = asyncio.Event()
        self._backlog_slots = asyncio.Semaphore(BACKLOG_UNANSWERED_MAX)
        self.pace = Pace(chance)
        self._limited_ns = 0  # when the ingester last said that we send too much
        self._answers: set[asyncio.Future[PublishResult]] = set()
        self._waiting_told = False
        self._takeovers = 0
        self._behind = True  # whether the spool may hold what the backlog lane has not looked at
        tls = client_context(settings)
        self.client = Client(
            host=settings.broker_host,
            port=settings.broker_port,
            client_id=f"sqal-edge-{identity.device_id}",
            rng=chance,
            keepalive_s=KEEPALIVE_S,
            subscriptions=self._subscriptions(),
            will=Will(identity.topic("state"), encode(identity.state("lost", spool.boot_id, None))),
            tls=tls,
            username=settings.broker_username,
            password=password(settings),
            on_state=self._on_state,
        )
        self._follow_renewals = partial(follow_renewals, self.client, tls, settings)

    def _subscriptions(self) -> list[Subscription]:
        me = self._identity
        own = [me.topic("receipt"), me.topic("error"), me.topic("cfg", "desired")]
        commands = subscription("cmd", "+", "+", site=me.site, line=me.line, device=me.device_id)
        return [Subscription(each) for each in (*own, commands, ALL_HOSTS)]

    # --- from the spool, on the event loop

    def offer(self, rows: list[Row]) -> None:
        """Rows that have just become durable, for the live lane."""
        for row in rows:
            if not row.stamped:
                continue  # nothing is sent while its time is not known; `release` follows
            if self._connected.is_set() and len(self._live) < LIVE_MAX:
                self._live.append(row)
            else:
                self.counters.live_left_to_backlog += 1
                self._leave_to_backlog(row.position)
        self._live_ready.set()

    def release(self) -> None:
        """Rows that had no time have got one."""
        self._leave_to_backlog(1)

    def _leave_to_backlog(self, position: int) -> None:
        self.window.missed(position)
        self._look_back()

    def _look_back(self) -> None:
        self._behind = True
        self._backlog_ready.set()

    # --- lanes

    async def run(self) -> None:
        """Connect, send, receive, until cancelled; then say goodbye. Raises what ended the client for good."""
        async with self.client:
            try:
                async with asyncio.TaskGroup() as tasks:
                    tasks.create_task(self._send_live(), name="uplink.live")
                    tasks.create_task(self._send_backlog(), name="uplink.backlog")
                    tasks.create_task(self._receive(), name="uplink.receive")
                    tasks.create_task(self._tend(), name="uplink.tend")
                    tasks.create_task(self._follow_renewals(), name="uplink.tls")
            finally:
                await self._farewell()

    async def _send_live(self) -> None:
        while True:
            await self._live_ready.wait()
            self._live_ready.clear()
            while self._live:
                row = self._live[0]
                if await self._send(row, row.body):
                    self.counters.live_sent += 1
                if self._live and self._live[0] is row:
                    self._live.popleft()
                newest = not any(each.kind is Kind.SAMPLE for each in self._live)
                if newest and isinstance(row.message, Sample):
                    await self._send_result(row.message)

    async def _send_backlog(self) -> None:
        while True:
            await self._backlog_ready.wait()
            if not self._connected.is_set() or not self._may_send_backlog() or not self.window.has_room:
                self._backlog_ready.clear()  # whoever changes one of the three sets it again
                continue
            start = self.window.cursor
            rows: list[Row] = []
            with suppress(SpoolClosedError):
                rows = await asyncio.wrap_future(self._spool.peek(start, PEEK_ROWS))
            if self.window.cursor < start:
                continue  # something older turned up meanwhile
            if not rows:
                self._behind = False
                self._backlog_ready.clear()
                continue
            await self._send_rows(rows)

    async def _send_rows(self, rows: list[Row]) -> None:
        live = {row.position for row in self._live}
        for row in rows:
            before = self.window.cursor
            if row.position not in self.window.sent and row.position not in live:
                if not self.window.has_room or not await self._send_old(row):
                    return
                self.counters.backlog_sent += 1
            if self.window.cursor < before:
                return
            self.window.cursor = row.position

    async def _send_old(self, row: Row) -> bool:
        """Send a row of the backlog at its pace, once fewer than BACKLOG_UNANSWERED_MAX of them are unanswered."""
        while wait_s := self.pace.take(asyncio.get_running_loop().time()):  # noqa: ASYNC110  # a schedule, no event
            await asyncio.sleep(wait_s)
        await self._backlog_slots.acquire()
        return await self._send(row, as_history(row.body), self._backlog_slots.release)

    def _may_send_backlog(self) -> bool:
        if not (stored := self.hosts.since_ns is not None) and not self._waiting_told:
            log.info("uplink.backlog_waits", reason=f"nobody says that it stores site {self._identity.site}")
        elif stored and self._waiting_told:
            log.info("uplink.backlog_goes_on")
        self._waiting_told = not stored
        return stored

    async def _send(self, row: Row, body: bytes, on_answer: Callable[[], None] = _ignore) -> bool:
        """Hand a row to the broker; False when there is no connection. on_answer: called once, whatever comes of it."""
        kind: TopicClass = "sample" if row.kind is Kind.SAMPLE else "event"
        try:
            answer = await self.client.submit(self._identity.topic(kind), body, properties=PLAIN)
        except NotConnectedError:
            on_answer()
            self._leave_to_backlog(row.position)
            return False
        except PublishTooLargeError as error:
            on_answer()
            self._refused(row.position, error)
            return True
        self.window.note(row.position, self._clock.monotonic_ns())
        self._answers.add(answer)
        answer.add_done_callback(lambda done: self._answered(row.position, done))
        answer.add_done_callback(lambda _: on_answer())
        return True

    def _answered(self, position: int, answer: asyncio.Future[PublishResult]) -> None:
        self._answers.discard(answer)
        error = None if answer.cancelled() else answer.exception()
        if isinstance(error, PublishRefusedError):
            self._refused(position, error)
        elif answer.cancelled() or error is not None:
            self.counters.unanswered += 1
            self._leave_to_backlog(position)

    def _refused(self, position: int, error: Exception) -> None:
        """Counted and left in flight: it is tried again when its receipt is overdue, not at once and for ever."""
        self.counters.refused += 1
        self.window.note(position, self._clock.monotonic_ns())
        if self.counters.refused.bit_count() == 1:  # at 1, 2, 4, 8 …: said, but not at every message
            log.warning("uplink.refused", total=self.counters.refused, reason=str(error))

    async def _send_result(self, sample: Sample) -> None:
        await self.say("result", result_of(sample), retain=True, expiry_s=RESULT_EXPIRY_S)

    async def say(
        self,
        kind: TopicClass,
        payload: bytes,
        *detail: str,
        qos: int = 1,
        retain: bool = False,
        expiry_s: int | None = None,
    ) -> None:
        """Publish something that is not kept: said now or, without a connection, not at all."""
        properties = Properties(content_type=JSON, expiry_s=expiry_s)
        try:
            answer = await self.client.submit(
                self._identity.topic(kind, *detail), payload, qos=qos, retain=retain, properties=properties
            )
        except (NotConnectedError, PublishTooLargeError) as error:
            log.info("uplink.unsaid", what=kind, reason=str(error))
            return
        self._answers.add(answer)
        answer.add_done_callback(self._said)

    def _said(self, answer: asyncio.Future[PublishResult]) -> None:
        self._answers.discard(answer)
        if not answer.cancelled() and isinstance(answer.exception(), PublishRefusedError):
            self.counters.refused += 1

    # --- connection

    def _on_state(self, change: StateChange) -> None:
        totals = self.client.counters
        if totals.takeovers_total + totals.takeovers_suspected_total > self._takeovers:
            self._takeovers = totals.takeovers_total + totals.takeovers_suspected_total
            if self._takeovers.bit_count() == 1:  # told at 1, 2, 4, 8 …: two that share an id take turns for ever
                self.on_taken_over(change.reason)
        if not change.connected:
            self._connected.clear()
            self._live.clear()  # durable already: the backlog lane takes them up
            self._leave_to_backlog(1)
            return
        if not change.session_present:
            self.window.forget_all()
        self._connected.set()
        self._births.set()
        self._leave_to_backlog(1)

    async def _tend(self) -> None:
        """Greet each new connection, and once a second look for receipts that are overdue."""
        while True:
            with suppress(TimeoutError):
                async with asyncio.timeout(TICK_S):
                    await self._births.wait()
            if self._births.is_set():
                self._births.clear()
                await self.say("state", self._state("online"), retain=True)
                await self.introduce()
            since_ns = self.hosts.since_ns
            if since_ns is not None and self.window.overdue(self._clock.monotonic_ns(), since_ns):
                self._look_back()

    def _state(self, state: StateName) -> bytes:
        wall_ns = self._clock.wall_ns(self._clock.monotonic_ns())
        at = None if wall_ns is None else utc_from_ns(wall_ns)
        return encode(self._identity.state(state, self._spool.boot_id, at))

    async def _farewell(self) -> None:
        """What is in hand is answered, then `state` stopped; all of it within a second."""
        if not self.client.connected:
            return
        try:
            async with asyncio.timeout(STOP_S):
                for row in self._live:
                    await self._send(row, row.body)
                await self.say("state", self._state("stopped"), retain=True)
                if self._answers:
                    await asyncio.wait(self._answers)
        except TimeoutError:
            log.info("uplink.farewell_unanswered")

    # --- from the broker

    async def _receive(self) -> None:
        while True:
            for delivery in await self.client.next_batch(RECEIVED_BATCH):
                try:
                    await self._take(delivery)
                except (ContractError, TopicError) as error:
                    self.counters.unreadable_received += 1
                    log.warning("uplink.unreadable", topic=delivery.topic, reason=str(error))
                self.client.ack(delivery)

    async def _take(self, delivery: Delivery) -> None:
        topic = parse(delivery.topic)
        if isinstance(topic, HostTopic):
            state = decode(HostState, delivery.payload) if delivery.payload else None
            self.hosts.hear(topic.host, state, self._clock.monotonic_ns())
            self._backlog_ready.set()
        elif isinstance(topic, DeviceTopic) and topic.kind == "receipt":
            self._take_receipt(decode(Receipt, delivery.payload))
        elif isinstance(topic, DeviceTopic) and topic.kind == "error":
            self._take_error(decode(ErrorNotice, delivery.payload))
        elif isinstance(topic, DeviceTopic) and topic.kind == "cfg":
            await self.on_desired(decode(DesiredConfiguration, delivery.payload))
        elif isinstance(topic, DeviceTopic) and topic.kind == "cmd":
            await self.on_command(topic, delivery.payload)

    def _take_error(self, notice: ErrorNotice) -> None:
        self.counters.errors_received += 1
        log.warning("uplink.error_received", code=notice.code, reason=notice.reason, held=notice.held)
        if notice.code == "rate_limited" and notice.held:
            self._limited_ns = self._clock.monotonic_ns()
            if rest_s := self.pace.complain((loop := asyncio.get_running_loop()).time()):
                loop.call_later(rest_s, self._after_rest)

    def _after_rest(self) -> None:
        """What was over the quota has been dropped without a receipt: it goes to the backlog lane once more."""
        self.window.give_back(self._limited_ns)
        self._look_back()

    def _take_receipt(self, receipt: Receipt) -> None:
        if receipt.device_id != self._identity.device_id:
            raise ContractError("$.device_id", f"a receipt for {receipt.device_id!r}")
        self.counters.receipts += 1
        self.counters.rejected += sum(each.last_seq - each.first_seq + 1 for each in receipt.rejected)
        if receipt.rejected:
            log.warning("uplink.rejected", ranges=[(each.first_seq, each.last_seq) for each in receipt.rejected])
        ranges = [*receipt.stored, *receipt.rejected]
        self.window.receipted(self._spool.spans(ranges), self._clock.monotonic_ns())
        self._spool.trim(ranges)
        if self._behind:
            self._backlog_ready.set()  # there is room again


async def _nothing(*_: object) -> None:
    """Nobody listens."""
