"""The client: keeps one connection after another alive and gives its users publish, subscribe, deliveries, ack.

    async with Client(host="broker", port=1883, client_id="sqal-ingest-0", rng=random.Random(),
                      subscriptions=[Subscription("sqal/v1/#")]) as client:
        async for delivery in client.deliveries():
            await store(delivery)
            client.ack(delivery)

A newcomer's trap: while the inbox is at its high-water mark the socket is not read, and so neither are the broker's
answers to what we publish. Who publishes *before* acknowledging, as ingest does with receipts, uses a second client
for it, or does not await the answer (`submit`).
"""

import asyncio
import random
import ssl
from collections.abc import AsyncIterator, Callable, Iterable
from types import TracebackType
from typing import Self

import structlog

from messaging import connection as mqtt
from messaging import limits
from messaging.backoff import CAP_S, FullJitter
from messaging.connection import Connection, Ending, Options
from messaging.dialing import dial
from messaging.errors import (
    ClientClosedError,
    MessagingError,
    NotConnectedError,
    SessionTakenOverError,
    SubscribeRefusedError,
    in_words,
)
from messaging.inbox import Inbox
from messaging.values import (
    NO_PROPERTIES,
    Counters,
    Delivery,
    Properties,
    PublishResult,
    StateChange,
    Subscription,
    Will,
)

log = structlog.get_logger("messaging")


class Client:
    """An MQTT 5 client that reconnects by itself. `async with` owns its connection and its one task."""

    def __init__(
        self,
        *,
        host: str,
        port: int,
        client_id: str,
        rng: random.Random,
        subscriptions: Iterable[Subscription] = (),
        clean_start: bool = False,
        session_expiry_s: int = limits.SESSION_EXPIRY_S,
        keepalive_s: int = limits.KEEPALIVE_S,
        connect_timeout_s: float = limits.CONNECT_TIMEOUT_S,
        will: Will | None = None,
        receive_maximum: int = limits.RECEIVE_MAXIMUM,
        high_water: int = limits.HIGH_WATER,
        high_water_bytes: int = limits.HIGH_WATER_BYTES,
        inflight_max: int = limits.INFLIGHT_MAX,
        tls: ssl.SSLContext | None = None,
        username: str | None = None,
        password: str | None = None,
        ack_on_take: bool = False,
        stop_on_takeover: bool = False,
        on_state: Callable[[StateChange], None] | None = None,
    ) -> None:
        """Describe the connection; nothing happens before `async with`.

        `clean_start` forgets the session at the first connect only. `subscriptions` are asked for at every connect.
        `ack_on_take` acknowledges when a delivery is taken: for viewers that may miss one. `stop_on_takeover` ends the
        client with SessionTakenOverError when the broker says that another one connected with its id, instead of taking
        the session back; Mosquitto 2.0.11 does not say so, later ones do.
        `on_state` is called on the event loop for each connect and disconnect and must not block.
        """
        assert client_id, "MQTT needs a client id to keep a session"
        assert keepalive_s > 0
        assert inflight_max >= 1
        self.counters = Counters()
        self.epoch = 0
        self.last_reason = "not connected yet"
        self._options = Options(
            host=host,
            port=port,
            client_id=client_id,
            session_expiry_s=session_expiry_s,
            keepalive_s=keepalive_s,
            will=will,
            receive_maximum=receive_maximum,
            inflight_max=inflight_max,
            tls=tls,
            username=username,
            password=password,
        )
        self._clean_start = clean_start
        self._connect_timeout_s = connect_timeout_s
        self._ack_on_take = ack_on_take
        self._stop_on_takeover = stop_on_takeover
        self._on_state = on_state
        self._subscriptions = {each.topic_filter: each for each in subscriptions}
        self._backoff = FullJitter(rng)
        self._inbox = Inbox(high_water=high_water, bytes_max=high_water_bytes, counters=self.counters)
        self._inbox.on_room = self._on_room
        self._room = asyncio.Event()
        self._wanted = asyncio.Event()  # cleared: we stay away on purpose
        self._wanted.set()
        self._is_connected = asyncio.Event()
        self._connection: Connection | None = None
        self._task: asyncio.Task[None] | None = None
        self._failure: BaseException | None = None
        self._short_lives = 0  # connections in a row that ended within 4 s

    async def __aenter__(self) -> Self:
        """Start connecting in the background; `wait_connected` waits for it."""
        assert self._task is None, "a client is used once"
        self._task = asyncio.create_task(self._run(), name=f"messaging.{self._options.client_id}")
        self._task.add_done_callback(self._on_task_done)
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Say goodbye and close all. Left by an error, the broker is asked to publish the will."""
        crashed = kind is not None and issubclass(kind, Exception)
        leaving, self._connection = self._connection, None
        self._wanted.clear()
        defect = self._failure
        self._fail(ClientClosedError(f"{self._options.client_id} is closed"))
        try:
            if leaving is not None:
                code = mqtt.DISCONNECT_WITH_WILL if crashed else mqtt.NORMAL_DISCONNECTION
                await leaving.leave(code, "closed")
        finally:
            if leaving is not None:
                leaving.close("closed")
            assert self._task is not None
            self._task.cancel()
            await asyncio.wait([self._task])
        if kind is None and defect is not None and not isinstance(defect, MessagingError):
            raise defect  # a defect of ours that nobody else has seen

    @property
    def connected(self) -> bool:
        """Whether the broker has accepted the current connection."""
        return self._connection is not None

    @property
    def session_present(self) -> bool:
        """Whether the broker still knew us at the last connect."""
        return self._connection is not None and self._connection.session_present

    @property
    def held(self) -> int:
        """How many received messages are held, taken or not, at most the high-water mark."""
        return self._inbox.held

    async def wait_connected(self) -> int:
        """Wait for a connection and return its epoch; raise what ended the client."""
        while True:
            if self._failure is not None:
                raise self._failure
            if self._connection is not None:
                return self._connection.epoch
            await self._is_connected.wait()

    async def publish(
        self,
        topic: str,
        payload: bytes,
        *,
        qos: int = 1,
        retain: bool = False,
        properties: Properties = NO_PROPERTIES,
    ) -> PublishResult:
        """Publish and wait for the broker's answer.

        Raises PublishRefusedError (reason code 0x80 or more), PublishTooLargeError, and NotConnectedError when there
        is no connection or it ends first; then nobody knows whether the broker has it.
        """
        return await (await self.submit(topic, payload, qos=qos, retain=retain, properties=properties))

    async def submit(
        self,
        topic: str,
        payload: bytes,
        *,
        qos: int = 1,
        retain: bool = False,
        properties: Properties = NO_PROPERTIES,
    ) -> asyncio.Future[PublishResult]:
        """Hand over a message as soon as fewer than `inflight_max` are unanswered; the future is the answer.

        The future fails as `publish` does. It may be dropped; the counters still tell.
        """
        assert qos in {0, 1}, "QoS 2 promises what a receipt keeps"
        connection = self._connection
        if connection is None:
            raise self._failure or NotConnectedError(f"no connection: {self.last_reason}")
        return await connection.submit(topic, payload, qos=qos, retain=retain, properties=properties)

    async def subscribe(self, *subscriptions: Subscription) -> None:
        """Subscribe now and at every connect to come; waits for the broker's consent.

        Raises SubscribeRefusedError; what is refused is not asked for again.
        """
        self._subscriptions |= {each.topic_filter: each for each in subscriptions}
        while True:
            await self.wait_connected()
            if (connection := self._connection) is None:
                continue
            try:
                codes = await connection.subscribe(subscriptions)
            except NotConnectedError:
                continue
            break
        for each, code in zip(subscriptions, codes, strict=True):
            if code >= 0x80:
                del self._subscriptions[each.topic_filter]
                self.counters.subscriptions_refused_total += 1
                raise SubscribeRefusedError(each.topic_filter, reason_code=code, reason="the broker refused it")

    async def deliveries(self) -> AsyncIterator[Delivery]:
        """Yield received messages in order of arrival, for ever; ends when the client is closed."""
        while True:
            try:
                batch = await self.next_batch(1)
            except ClientClosedError:
                return
            yield batch[0]

    async def next_batch(self, limit: int) -> list[Delivery]:
        """Wait for a message and return up to `limit` of those received; raise what ended the client."""
        batch = await self._inbox.take(limit)
        if self._ack_on_take:
            self.ack(*batch)
        return batch

    def ack(self, *deliveries: Delivery) -> None:
        """Acknowledge deliveries. PUBACKs leave in order of arrival; one of an earlier epoch is counted, not sent."""
        mids = [mid for delivery in deliveries for mid in self._inbox.ack(delivery)]
        if mids and self._connection is not None:
            self._connection.ack(mids)

    async def disconnect(self, reason: str) -> None:
        """Leave on purpose and stay away until `reconnect`: the session keeps what is published meanwhile."""
        self._wanted.clear()
        if self._connection is not None:
            await self._connection.leave(mqtt.NORMAL_DISCONNECTION, reason)

    def reconnect(self) -> None:
        """End a stay away; returns at once, `wait_connected` waits."""
        self._wanted.set()

    async def _run(self) -> None:
        """Keep one connection after another, until cancelled."""
        while True:
            await self._wanted.wait()
            await self._wait_room()  # with a full inbox even CONNACK would stay unread
            try:
                connection = await self._connect()
            except (OSError, MessagingError) as error:
                self.counters.connect_failures_total += 1
                self._report(epoch=self.epoch, reason_code=getattr(error, "reason_code", None), reason=in_words(error))
            else:
                ending = await self._attend(connection)
                self._after(connection, ending)
                if ending.planned:
                    continue
            await asyncio.sleep(self._backoff.next_delay_s())

    async def _connect(self) -> Connection:
        self.epoch += 1
        connection: Connection | None = None
        try:
            async with asyncio.timeout(self._connect_timeout_s):
                connected = await dial(self._options.host, self._options.port, self._options.tls)
                connection = Connection(
                    self._options,
                    epoch=self.epoch,
                    connected=connected,
                    inbox=self._inbox,
                    counters=self.counters,
                    on_ended=self._on_ended,
                )
                await connection.open(clean_start=self._clean_start and self.counters.connects_total == 0)
        except BaseException:
            if connection is not None:
                connection.close("the connection was not accepted")
            raise
        self.counters.connects_total += 1
        return connection

    async def _attend(self, connection: Connection) -> Ending:
        """Serve a connection until it ends: subscriptions, keep-alive, the limit of a pause."""
        loop = asyncio.get_running_loop()
        opened_at_s = loop.time()
        try:
            self._connection = connection
            self._is_connected.set()
            self._report(epoch=connection.epoch, reason_code=0, reason="connected")
            if self._subscriptions:
                asked = list(self._subscriptions)
                granted = connection.subscribe(list(self._subscriptions.values()))
                granted.add_done_callback(lambda done: self._on_granted(asked, done))
            tick_s = min(limits.TICK_S, connection.keepalive_s / 8)
            while not connection.ended.done():
                await asyncio.wait([connection.ended], timeout=tick_s)
                connection.tick()
                paused_since = connection.paused_since
                if (
                    paused_since is not None
                    and loop.time() - paused_since > connection.keepalive_s * limits.PAUSE_SHARE
                ):
                    await connection.leave(
                        mqtt.NORMAL_DISCONNECTION, "the inbox stayed full: the session keeps the rest"
                    )
            self._short_lives += 1
            if loop.time() - opened_at_s > CAP_S:
                self._short_lives = 0
                self._backoff.reset()
            return connection.ended.result()
        finally:
            connection.close("closed")

    def _after(self, connection: Connection, ending: Ending) -> None:
        """Count and tell the end of a connection."""
        if ending.planned:
            self.counters.planned_disconnects_total += 1
        else:
            self.counters.connections_lost_total += 1
        reason = ending.reason
        if not ending.planned and self._short_lives >= limits.SHORT_LIVES_SUSPECT:
            self.counters.takeovers_suspected_total += 1
            reason = f"{reason} soon after connecting, {self._short_lives} times: does another client use our id?"
        self._report(epoch=connection.epoch, reason_code=ending.reason_code, reason=reason)
        if ending.reason_code == mqtt.SESSION_TAKEN_OVER:
            self.counters.takeovers_total += 1
            if self._stop_on_takeover:
                raise SessionTakenOverError(
                    self._options.client_id, reason_code=ending.reason_code, reason=ending.reason
                )

    async def _wait_room(self) -> None:
        """Stay away while the inbox is more than half full."""
        while not self._inbox.has_room:
            self._room.clear()
            await self._room.wait()

    def _on_ended(self) -> None:
        self._connection = None
        self._is_connected.clear()

    def _on_room(self) -> None:
        self._room.set()
        if self._connection is not None:
            self._connection.resume_reading()

    def _on_granted(self, asked: list[str], granted: asyncio.Future[list[int]]) -> None:
        """Note which of our standing subscriptions the broker refuses; a lost connection asks again by itself."""
        if granted.cancelled() or granted.exception() is not None:
            return
        refused = {name: code for name, code in zip(asked, granted.result(), strict=True) if code >= 0x80}
        self.counters.refused_filters = refused
        self.counters.subscriptions_refused_total += len(refused)
        if refused:
            log.warning("subscriptions refused", client_id=self._options.client_id, filters=refused)

    def _report(self, *, epoch: int, reason_code: int | None, reason: str) -> None:
        self.last_reason = reason
        change = StateChange(
            connected=self.connected,
            epoch=epoch,
            session_present=self.session_present,
            reason_code=reason_code,
            reason=reason,
        )
        log.info("connection", client_id=self._options.client_id, connected=change.connected, epoch=epoch, why=reason)
        if self._on_state is not None:
            self._on_state(change)

    def _on_task_done(self, task: asyncio.Task[None]) -> None:
        """Hand whatever ended the client to those who wait on it; a defect must not look like silence."""
        if not task.cancelled() and (error := task.exception()) is not None:
            self._fail(error)

    def _fail(self, error: BaseException) -> None:
        if self._failure is None:
            self._failure = error
            self._inbox.end(error)
            self._is_connected.set()
