"""What goes in and out of the client: plain values, no paho types.

A newcomer's trap: `mid` is only unique within its `epoch`. After a reconnect the same number means another message.
"""

from dataclasses import dataclass, field
from typing import NamedTuple


@dataclass(frozen=True, slots=True)
class Properties:
    """The MQTT 5 properties that we use. Bridges drop them: nothing needed for correctness may live here alone."""

    content_type: str | None = None
    response_topic: str | None = None
    correlation_data: bytes | None = None
    user_properties: tuple[tuple[str, str], ...] = ()
    expiry_s: int | None = None  # message expiry; on a delivery, what is left of it


NO_PROPERTIES = Properties()


@dataclass(frozen=True, slots=True)
class Will:
    """What the broker publishes for us when we vanish without a DISCONNECT."""

    topic: str
    payload: bytes
    qos: int = 1
    retain: bool = True
    delay_s: int = 0  # a reconnect within it suppresses the will
    properties: Properties = NO_PROPERTIES


@dataclass(frozen=True, slots=True)
class Subscription:
    """A topic filter and how it is asked for."""

    topic_filter: str
    qos: int = 1
    no_local: bool = False  # True: not our own messages
    retain_as_published: bool = True
    retain_handling: int = 0  # 0: retained messages at every subscribe, 1: at a new one only, 2: never


class Delivery(NamedTuple):
    """A received message. Acknowledge it with `Client.ack` once its effect is durable."""

    topic: str
    payload: bytes
    qos: int
    retain: bool
    dup: bool
    epoch: int  # the connection it came in
    mid: int  # packet id within the epoch; 0 for QoS 0
    properties: Properties = NO_PROPERTIES


@dataclass(frozen=True, slots=True)
class PublishResult:
    """The broker took the message. `reason_code` is 0x00, or 0x10: nobody subscribes to it."""

    reason_code: int
    reason: str
    epoch: int

    @property
    def no_subscribers(self) -> bool:
        """Whether the broker said that nobody, online or offline, subscribes to the topic."""
        return self.reason_code == 0x10


@dataclass(frozen=True, slots=True)
class StateChange:
    """The connection came or went; `reason` is for people, `reason_code` as in MQTT 5, None when nobody gave one."""

    connected: bool
    epoch: int
    session_present: bool
    reason_code: int | None
    reason: str


@dataclass(slots=True)
class Counters:
    """What happened since the client was made. Every bound of this package has its effect counted here."""

    connects_total: int = 0
    connect_failures_total: int = 0
    connections_lost_total: int = 0
    planned_disconnects_total: int = 0
    takeovers_total: int = 0
    takeovers_suspected_total: int = 0  # short lives in a row: a broker that does not say why it hangs up
    published_total: int = 0
    publishes_refused_total: int = 0
    publishes_unanswered_total: int = 0  # the connection ended before the broker answered
    received_total: int = 0
    redelivered_total: int = 0  # with DUP set
    acked_total: int = 0
    stale_acks_total: int = 0  # not sent: the delivery came in an earlier epoch
    pauses_total: int = 0  # reading stopped at the high-water mark
    held_max: int = 0  # most deliveries ever held at once
    subscriptions_refused_total: int = 0
    refused_filters: dict[str, int] = field(default_factory=dict[str, int])  # topic filter -> reason code
