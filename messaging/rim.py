"""The rim of paho-mqtt: its dynamic properties, turned into our types here only."""

import functools
from typing import Any

from paho.mqtt.packettypes import PacketTypes
from paho.mqtt.properties import Properties as PahoProperties

from messaging.values import NO_PROPERTIES, Properties, Will


def connect_properties(*, session_expiry_s: int, receive_maximum: int) -> PahoProperties:
    """Return the properties of CONNECT."""
    properties = PahoProperties(PacketTypes.CONNECT)
    _set(properties, "SessionExpiryInterval", session_expiry_s)
    _set(properties, "ReceiveMaximum", receive_maximum)
    return properties


def will_properties(will: Will) -> PahoProperties:
    """Return the properties of a will."""
    properties = _fill(PahoProperties(PacketTypes.WILLMESSAGE), will.properties)
    if will.delay_s:
        _set(properties, "WillDelayInterval", will.delay_s)
    return properties


@functools.lru_cache(maxsize=64)
def publish_properties(properties: Properties) -> PahoProperties | None:
    """Return the properties of PUBLISH, None when there are none; cached, for paho builds three tables for each."""
    return None if properties == NO_PROPERTIES else _fill(PahoProperties(PacketTypes.PUBLISH), properties)


def read_properties(received: PahoProperties | None) -> Properties:
    """Return our part of what came with a PUBLISH."""
    if received is None or received.isEmpty():
        return NO_PROPERTIES
    return Properties(
        content_type=read_property(received, "ContentType"),
        response_topic=read_property(received, "ResponseTopic"),
        correlation_data=read_property(received, "CorrelationData"),
        user_properties=tuple(read_property(received, "UserProperty") or ()),
        expiry_s=read_property(received, "MessageExpiryInterval"),
    )


def read_property(received: PahoProperties | None, name: str) -> Any:
    """Return one property by its name in the specification, without blanks, or None."""
    return getattr(received, name, None)


def _fill(properties: PahoProperties, ours: Properties) -> PahoProperties:
    values = {
        "ContentType": ours.content_type,
        "ResponseTopic": ours.response_topic,
        "CorrelationData": ours.correlation_data,
        "MessageExpiryInterval": ours.expiry_s,
        "UserProperty": list(ours.user_properties) or None,
    }
    for name, value in values.items():
        if value is not None:
            _set(properties, name, value)
    return properties


def _set(properties: PahoProperties, name: str, value: object) -> None:
    setattr(properties, name, value)
