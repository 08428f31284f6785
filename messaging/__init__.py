"""The MQTT client that both sides use: asyncio over paho-mqtt 2, MQTT 5 always.

paho is the stable client that gives manual acknowledgement, the reason code of each PUBACK and a socket that can be
left unread; this package adds epochs, bounds, reconnecting and `async with`. It knows nothing of topics or payloads.
"""

from messaging.client import Client
from messaging.errors import (
    ClientClosedError,
    ConnectRefusedError,
    MessagingError,
    NotConnectedError,
    PublishRefusedError,
    PublishTooLargeError,
    ReasonCodeError,
    SessionTakenOverError,
    SubscribeRefusedError,
)
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

__all__ = [
    "NO_PROPERTIES",
    "Client",
    "ClientClosedError",
    "ConnectRefusedError",
    "Counters",
    "Delivery",
    "MessagingError",
    "NotConnectedError",
    "Properties",
    "PublishRefusedError",
    "PublishResult",
    "PublishTooLargeError",
    "ReasonCodeError",
    "SessionTakenOverError",
    "StateChange",
    "SubscribeRefusedError",
    "Subscription",
    "Will",
]
