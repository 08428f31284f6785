"""paho for one connection, reading many packets with one call of the system and taking the common PUBLISH itself.

paho reads a packet in three calls and decodes a PUBLISH into five objects; under load that costs more than all we do
with a message. Here the socket is read in large pieces. A PUBLISH of QoS 0 or 1 whose properties are none, or were
seen before, becomes a delivery at once; every other packet, and everything strange, is handed to paho as it is.
"""

import socket
import struct
import time
from collections.abc import Callable, Sequence
from typing import Any, Final

from paho.mqtt import client as paho
from paho.mqtt.enums import CallbackAPIVersion, MQTTErrorCode, MQTTProtocolVersion
from paho.mqtt.exception import MalformedPacket, MQTTException
from paho.mqtt.packettypes import PacketTypes
from paho.mqtt.properties import Properties as PahoProperties

from messaging.values import NO_PROPERTIES, Delivery, Properties

RECEIVE_BYTES = 256 * 1024  # at most this much is asked of the system at once, and held beside the inbox
PUBLISH = 0x30  # MQTT 5, 2.1.2
PUBACK = b"\x40\x02"  # and two bytes of packet id: success, without properties (3.4.2.1)
LENGTH_BYTES_MAX = 4  # MQTT 5, 1.5.5
REMEMBERED_MAX = 512  # topics, and sets of properties; a site has some hundred
REMEMBERED_BYTES_MAX = 256
UNREADABLE = (MQTTException, MalformedPacket, KeyError, IndexError, ValueError, struct.error)

OnPublish = Callable[
    [str, bytes, int, bool, bool, int, Properties], None
]  # topic, payload, QoS, retain, DUP, packet id


class PahoClient(paho.Client):
    """paho on a socket that is connected already: paho's own connecting blocks."""

    def __init__(
        self,
        client_id: str,
        connected: socket.socket,
        *,
        epoch: int,
        on_delivery: Callable[[Delivery], None],
        read_properties: Callable[[PahoProperties], Properties],
    ) -> None:
        """Speak MQTT 5 as `client_id` over `connected`, which becomes paho's to close; `epoch` marks deliveries."""
        super().__init__(
            CallbackAPIVersion.VERSION2,
            client_id=client_id,
            protocol=MQTTProtocolVersion.MQTTv5,
            reconnect_on_failure=False,
            manual_ack=True,
        )
        self.packets_read = 0
        self._connected: Final = connected
        self._epoch = epoch
        self._on_delivery = on_delivery
        self._read_properties = read_properties
        self._received = b""
        self._start = 0
        self._topics: dict[bytes, str] = {}
        self._properties: dict[bytes, Properties] = {b"\0": NO_PROPERTIES}
        self.max_inflight_messages_set(0)  # we bound what is in flight ourselves and know the broker's Receive Maximum

    def acknowledge(self, mids: Sequence[int]) -> None:
        """Send PUBACK for packets, in this order, in one piece."""
        self._packet_queue(0x40, b"".join(PUBACK + mid.to_bytes(2) for mid in mids), 0, 0)

    def _create_socket(self) -> Any:  # any socket serves; paho's own protocol type demands its parameter names
        return self._connected

    def _packet_read(self) -> MQTTErrorCode:
        """Handle one packet, as paho's own does."""
        while (span := self._next_packet()) is None:
            problem = self._fill()
            if problem != MQTTErrorCode.MQTT_ERR_SUCCESS:
                return problem
        body, end = span
        command = self._received[self._start]
        if end < 0:
            return MQTTErrorCode.MQTT_ERR_PROTOCOL
        self._start = end
        self.packets_read += 1
        if command & 0xF0 == PUBLISH and self._take_publish(command, body, end):
            return MQTTErrorCode.MQTT_ERR_SUCCESS
        return self._hand_over(command, self._received[body:end])

    def _next_packet(self) -> tuple[int, int] | None:
        """Where the body of the next packet begins and ends; None until all of it is here, -1 for an endless one."""
        received, at = self._received, self._start + 1
        length = shift = 0
        while at < len(received):
            byte = received[at]
            length |= (byte & 127) << shift
            at += 1
            if byte < 128:
                return (at, at + length) if at + length <= len(received) else None
            shift += 7
            if shift == 7 * LENGTH_BYTES_MAX:
                return at, -1
        return None

    def _fill(self) -> MQTTErrorCode:
        try:
            piece = self._sock_recv(RECEIVE_BYTES)
        except BlockingIOError:
            return MQTTErrorCode.MQTT_ERR_AGAIN
        except OSError:
            return MQTTErrorCode.MQTT_ERR_CONN_LOST
        if not piece:
            return MQTTErrorCode.MQTT_ERR_CONN_LOST
        self._last_bytes_received = time.monotonic()  # paho's keep-alive looks at it, on the same clock
        self._received = self._received[self._start :] + piece
        self._start = 0
        return MQTTErrorCode.MQTT_ERR_SUCCESS

    def _take_publish(self, command: int, body: int, end: int) -> bool:
        """Take a PUBLISH that is nothing special; False leaves it to paho."""
        received = self._received
        qos = command >> 1 & 3
        at = body + 2 + int.from_bytes(received[body : body + 2])
        name, mid = received[body + 2 : at], 0
        if qos:
            mid = int.from_bytes(received[at : at + 2])
            at += 2
        if qos > 1 or not name or at >= end or (qos and mid == 0) or received[at] > 127:
            return False
        data = at + 1 + received[at]
        if data > end:
            return False
        properties = self._properties.get(received[at:data]) or self._learn(received[at:data])
        if properties is None:
            return False
        topic = self._topics.get(name) or self._topic_of(name)
        retain, dup = bool(command & 1), bool(command & 8)
        self._on_delivery(Delivery(topic, received[data:end], qos, retain, dup, self._epoch, mid, properties))
        return True

    def _topic_of(self, name: bytes) -> str:
        if len(self._topics) >= REMEMBERED_MAX:
            self._topics.clear()
        try:
            topic = name.decode()
        except UnicodeDecodeError:
            topic = "\ufffd"  # no topic of ours: whoever consumes rejects it with a reason and acknowledges it
        self._topics[name] = topic
        return topic

    def _learn(self, packed: bytes) -> Properties | None:
        """Read properties that were not seen before; None when they cannot be read."""
        properties = PahoProperties(PacketTypes.PUBLISH)
        try:
            properties.unpack(packed)  # pyright: ignore[reportUnknownMemberType]  # paho does not annotate it
        except UNREADABLE:
            return None
        ours = self._read_properties(properties)
        if len(packed) <= REMEMBERED_BYTES_MAX:
            if len(self._properties) >= REMEMBERED_MAX:
                self._properties.clear()
            self._properties[packed] = ours
        return ours

    def _hand_over(self, command: int, body: bytes) -> MQTTErrorCode:
        """Let paho handle a packet as if it had read it."""
        self._in_packet = {
            "command": command,
            "have_remaining": 1,
            "remaining_count": [],
            "remaining_mult": 1,
            "remaining_length": len(body),
            "packet": bytearray(body),
            "to_process": 0,
            "pos": 0,
        }
        try:
            return self._packet_handle()
        except MalformedPacket:
            return MQTTErrorCode.MQTT_ERR_PROTOCOL
