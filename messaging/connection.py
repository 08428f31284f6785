"""One connection, from CONNECT to the end of its socket: an epoch.

Each epoch has a paho client of its own. Packet ids, unanswered publishes and late callbacks die with it, so nothing of
one connection can be mistaken for something of the next. paho's resending on reconnect is thereby off on purpose: who
publishes keeps the message until it is answered and decides itself whether to send it again.

All of it runs on the event loop's thread: paho's socket callbacks register the socket with the loop.
"""

import asyncio
import contextlib
import socket
import ssl
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from paho.mqtt.client import MQTTMessage
from paho.mqtt.enums import MQTTErrorCode
from paho.mqtt.packettypes import PacketTypes
from paho.mqtt.properties import Properties as PahoProperties
from paho.mqtt.reasoncodes import ReasonCode
from paho.mqtt.subscribeoptions import SubscribeOptions

from messaging.errors import ConnectRefusedError, NotConnectedError, PublishRefusedError, PublishTooLargeError
from messaging.inbox import Inbox
from messaging.reading import PahoClient
from messaging.rim import (
    connect_properties,
    publish_properties,
    read_properties,
    read_property,
    will_properties,
)
from messaging.values import Counters, Delivery, Properties, PublishResult, Subscription, Will

READS_PER_WAKEUP = 64  # packets read before others get their turn on the event loop
PACKET_OVERHEAD_BYTES = 1_024  # header and properties beside topic and payload, generously
SILENCE_SHARE = 1.5  # of a keep-alive without a byte from the broker: a half-open link
LEAVE_TIMEOUT_S = 1.0  # to write a DISCONNECT; a peer that does not take it in time is simply left
RECEIVE_MAXIMUM_DEFAULT = 65_535  # MQTT 5, 3.2.2.3.3
NORMAL_DISCONNECTION = 0x00
DISCONNECT_WITH_WILL = 0x04
UNSPECIFIED = 0x80
SESSION_TAKEN_OVER = 0x8E


@dataclass(frozen=True, slots=True)
class Options:
    """What a CONNECT says."""

    host: str
    port: int
    client_id: str
    session_expiry_s: int
    keepalive_s: int
    will: Will | None
    receive_maximum: int
    inflight_max: int
    tls: ssl.SSLContext | None
    username: str | None
    password: str | None


@dataclass(frozen=True, slots=True)
class Ending:
    """Why a connection ended; `planned` when we left on purpose."""

    planned: bool
    reason_code: int | None
    reason: str


class Connection:
    """A paho client on one socket. Make it, `await open()`, then publish; `ended` resolves when it is over."""

    def __init__(
        self,
        options: Options,
        *,
        epoch: int,
        connected: socket.socket,
        inbox: Inbox,
        counters: Counters,
        on_ended: Callable[[], None],
    ) -> None:
        """Take over `connected`, a non-blocking socket with the broker at its other end.

        `on_ended` is called in the instant of the end, before anybody who waits on `ended` runs.
        """
        self.epoch = epoch
        self.session_present = False
        self.keepalive_s = options.keepalive_s
        self.paused_since: float | None = None  # loop time
        self._loop = asyncio.get_running_loop()
        self.ended: asyncio.Future[Ending] = self._loop.create_future()
        self._on_ended = on_ended
        self._options = options
        self._inbox = inbox
        self._counters = counters
        self._socket: socket.socket | None = connected
        self._connack: asyncio.Future[None] = self._loop.create_future()
        self._slots = asyncio.Semaphore(options.inflight_max)
        self._packet_bytes_max: int | None = None
        self._publishing: dict[int, tuple[str, asyncio.Future[PublishResult]]] = {}
        self._subscribing: dict[int, asyncio.Future[list[int]]] = {}
        self._heard_at = self._loop.time()
        self._leaving: str | None = None
        self._paho = self._make_paho(connected)

    async def open(self, *, clean_start: bool) -> None:
        """Send CONNECT and wait for the answer; raise ConnectRefusedError or NotConnectedError."""
        options = self._options
        self._inbox.begin_epoch(self.epoch)
        properties = connect_properties(
            session_expiry_s=options.session_expiry_s, receive_maximum=options.receive_maximum
        )
        self._paho.connect_async(
            options.host, options.port, options.keepalive_s, clean_start=clean_start, properties=properties
        )
        self._paho.reconnect()
        await self._connack

    async def submit(
        self, topic: str, payload: bytes, *, qos: int, retain: bool, properties: Properties
    ) -> asyncio.Future[PublishResult]:
        """Send a message once there is room in flight; the future resolves with the broker's answer.

        QoS 0 resolves when it is written to the socket. The future fails with PublishRefusedError or NotConnectedError.
        """
        size_bytes = len(topic.encode()) + len(payload) + PACKET_OVERHEAD_BYTES
        if self._packet_bytes_max is not None and size_bytes > self._packet_bytes_max:
            raise PublishTooLargeError(topic=topic, size_bytes=size_bytes, size_bytes_max=self._packet_bytes_max)
        await self._slots.acquire()
        if self.ended.done():
            self._slots.release()  # the next waiter must learn it too
            raise NotConnectedError(f"the connection ended: {self.ended.result().reason}")
        ours = publish_properties(properties)
        sent = self._paho.publish(topic, payload, qos=qos, retain=retain, properties=ours)
        while sent.rc == MQTTErrorCode.MQTT_ERR_QUEUE_SIZE:  # after 65,535 messages: this packet id is still in flight
            sent = self._paho.publish(topic, payload, qos=qos, retain=retain, properties=ours)
        if sent.rc != MQTTErrorCode.MQTT_ERR_SUCCESS:
            self._slots.release()
            raise NotConnectedError(f"the connection is ending: {sent.rc.name}")
        answer: asyncio.Future[PublishResult] = self._loop.create_future()
        self._publishing[sent.mid] = (topic, answer)
        return answer

    def subscribe(self, subscriptions: Sequence[Subscription]) -> asyncio.Future[list[int]]:
        """Send SUBSCRIBE; the future resolves with one reason code for each, or fails with NotConnectedError."""
        asked = [(each.topic_filter, _options_of(each)) for each in subscriptions]
        code, mid = self._paho.subscribe(asked)
        granted: asyncio.Future[list[int]] = self._loop.create_future()
        if mid is None or code != MQTTErrorCode.MQTT_ERR_SUCCESS:
            _fail(granted, NotConnectedError("the connection is ending"))
        else:
            self._subscribing[mid] = granted
        return granted

    def ack(self, mids: Sequence[int]) -> None:
        """Send PUBACK for packets of this epoch, in this order."""
        self._paho.acknowledge(mids)

    def resume_reading(self) -> None:
        """Read the socket again after a pause; does nothing when there was none."""
        if self.paused_since is None or self._socket is None or self._leaving is not None:
            return
        self.paused_since = None
        self._loop.add_reader(self._socket, self._read)
        self._loop.call_soon(self._read)  # TLS may hold decrypted bytes that no selector sees

    def tick(self) -> None:
        """Do what time demands: keep-alive. Call it at least eight times in one.

        paho asks after a silence of one keep-alive and gives up after two. Half of one is enough for an answer.
        """
        if self.ended.done():
            return
        self._paho.loop_misc()
        silence_s = self._loop.time() - self._heard_at
        if self.paused_since is None and silence_s > SILENCE_SHARE * self.keepalive_s:
            self.close(f"the broker has been silent for {silence_s:.1f} s: the link is dead")

    async def leave(self, reason_code: int, reason: str) -> None:
        """Send DISCONNECT with `reason_code` and wait up to a second for it to be written; then close."""
        if not self.ended.done() and self._leaving is None:
            self._leaving = reason
            self._stop_reading()
            self._inbox.end_epoch()  # a PUBACK queued behind the DISCONNECT would never leave
            self._paho.disconnect(ReasonCode(PacketTypes.DISCONNECT, identifier=reason_code))
            await asyncio.wait([self.ended], timeout=LEAVE_TIMEOUT_S)
        self.close(reason)

    def close(self, reason: str) -> None:
        """Close the socket without a word. Safe to repeat."""
        still_open = self._socket
        self._forget_socket()
        if still_open is not None:
            still_open.close()
        self._finish(Ending(planned=self._leaving is not None, reason_code=None, reason=reason))

    def _make_paho(self, connected: socket.socket) -> PahoClient:
        options = self._options
        client = PahoClient(
            options.client_id,
            connected,
            epoch=self.epoch,
            on_delivery=self._inbox.put,
            read_properties=read_properties,
        )
        if options.username is not None:
            client.username_pw_set(options.username, options.password)
        if (will := options.will) is not None:
            client.will_set(will.topic, will.payload, will.qos, will.retain, will_properties(will))
        client.on_socket_open = self._on_socket_open
        client.on_socket_close = self._on_socket_close
        client.on_socket_register_write = self._on_register_write
        client.on_socket_unregister_write = self._on_unregister_write
        client.on_connect = self._on_connect
        client.on_disconnect = self._on_disconnect
        client.on_publish = self._on_publish
        client.on_subscribe = self._on_subscribe
        client.on_message = self._on_message
        return client

    def _read(self) -> None:
        """Read packets until the socket is dry, the inbox full or others have waited long enough."""
        self._heard_at = self._loop.time()
        for _ in range(READS_PER_WAKEUP):
            if self._socket is None or self.paused_since is not None:
                return
            if self._inbox.full:
                self._counters.pauses_total += 1
                self._stop_reading()
                return
            before = self._paho.packets_read
            self._paho.loop_read()
            if self._paho.packets_read == before and not _holds_decrypted(self._socket):
                return
        self._loop.call_soon(self._read)

    def _stop_reading(self) -> None:
        if self._socket is not None and self.paused_since is None:
            self.paused_since = self._loop.time()
            self._loop.remove_reader(self._socket)

    def _on_socket_open(self, _client: Any, _userdata: Any, opened: Any) -> None:
        self._loop.add_reader(opened, self._read)

    def _on_socket_close(self, _client: Any, _userdata: Any, _closing: Any) -> None:
        self._forget_socket()

    def _forget_socket(self) -> None:
        if self._socket is not None:
            with contextlib.suppress(ValueError):  # closed already by the other side of a failed handshake
                self._loop.remove_reader(self._socket)
                self._loop.remove_writer(self._socket)
            self._socket = None

    def _on_register_write(self, _client: Any, _userdata: Any, waiting: Any) -> None:
        self._loop.add_writer(waiting, self._paho.loop_write)

    def _on_unregister_write(self, _client: Any, _userdata: Any, waiting: Any) -> None:
        if self._socket is not None:
            self._loop.remove_writer(waiting)

    def _on_connect(
        self, _client: Any, _userdata: Any, flags: Any, reason: ReasonCode, properties: PahoProperties | None
    ) -> None:
        if self._connack.done():
            return
        if reason.is_failure:
            _fail(self._connack, ConnectRefusedError("connect", reason_code=reason.value, reason=str(reason)))
            return
        self.session_present = bool(flags.session_present)
        self.keepalive_s = read_property(properties, "ServerKeepAlive") or self.keepalive_s
        self._packet_bytes_max = read_property(properties, "MaximumPacketSize")
        broker_max = read_property(properties, "ReceiveMaximum") or RECEIVE_MAXIMUM_DEFAULT
        self._slots = asyncio.Semaphore(min(self._options.inflight_max, broker_max))
        self._connack.set_result(None)

    def _on_disconnect(
        self, _client: Any, _userdata: Any, flags: Any, reason: ReasonCode, _properties: PahoProperties | None
    ) -> None:
        """End the epoch; paho may call this twice for one loss, the first call counts."""
        code = reason.value if flags.is_disconnect_packet_from_server else None
        words = self._leaving or (
            "the connection was lost" if code is None and reason.value == UNSPECIFIED else str(reason)
        )
        self._finish(Ending(planned=self._leaving is not None, reason_code=code, reason=words))

    def _on_publish(
        self, _client: Any, _userdata: Any, mid: int, reason: ReasonCode, _properties: PahoProperties | None
    ) -> None:
        if mid not in self._publishing:
            return
        topic, answer = self._publishing.pop(mid)
        self._slots.release()
        if reason.is_failure:
            self._counters.publishes_refused_total += 1
            _fail(answer, PublishRefusedError(topic, reason_code=reason.value, reason=str(reason)))
            return
        self._counters.published_total += 1
        if not answer.done():
            answer.set_result(PublishResult(reason_code=reason.value, reason=str(reason), epoch=self.epoch))

    def _on_subscribe(
        self, _client: Any, _userdata: Any, mid: int, codes: list[ReasonCode], _properties: PahoProperties | None
    ) -> None:
        granted = self._subscribing.pop(mid, None)
        if granted is not None and not granted.done():
            granted.set_result([code.value for code in codes])

    def _on_message(self, _client: Any, _userdata: Any, message: MQTTMessage) -> None:
        """Take what our own reading left to paho."""
        try:
            topic = message.topic
        except UnicodeDecodeError:
            topic = "\ufffd"
        self._inbox.put(
            Delivery(
                topic=topic,
                payload=bytes(message.payload),
                qos=message.qos,
                retain=message.retain,
                dup=message.dup,
                epoch=self.epoch,
                mid=message.mid,
                properties=read_properties(message.properties),
            )
        )

    def _finish(self, ending: Ending) -> None:
        if self.ended.done():
            return
        self.ended.set_result(ending)
        self._on_ended()
        self._inbox.end_epoch()
        error = NotConnectedError(f"the connection ended: {ending.reason}")
        _fail(self._connack, error)
        for _, answer in self._publishing.values():
            self._counters.publishes_unanswered_total += 1
            _fail(answer, error)
            self._slots.release()
        for granted in self._subscribing.values():
            _fail(granted, error)
        self._publishing.clear()
        self._subscribing.clear()


def _options_of(subscription: Subscription) -> SubscribeOptions:
    return SubscribeOptions(
        qos=subscription.qos,
        noLocal=subscription.no_local,
        retainAsPublished=subscription.retain_as_published,
        retainHandling=subscription.retain_handling,
    )


def _fail(future: asyncio.Future[Any], error: Exception) -> None:
    """Fail a future that somebody may have stopped waiting for: no complaint when nobody looks."""
    if not future.done():
        future.set_exception(error)
        future.exception()


def _holds_decrypted(reading: socket.socket | None) -> bool:
    return isinstance(reading, ssl.SSLSocket) and reading.pending() > 0
