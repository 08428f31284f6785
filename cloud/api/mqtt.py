"""`/ws/mqtt/`: the messages of chosen topics as they travel, for integrators who have no MQTT client at hand.

Each connection is a client of the broker of its own, so that retained messages arrive as they would by MQTT, and one
that asks for much slows nobody else. A caller of some sites gets theirs: a wildcard in place of the site becomes its
sites. Filters, not messages, are checked against the rights, so nothing of another site is even asked for.

    client  {"type":"subscribe","topics":["sqal/v1/LL/#"]}   server  {"type":"subscribe_ack","topics":[…]}
    server  {"type":"mqtt","topic",…,"retain","payload":<JSON>}, or "payload_base64" where it is no JSON
"""

import asyncio
import base64
import random
from typing import Annotated, Any

import msgspec
from litestar import WebSocket, websocket
from litestar.di import NamedDependency
from litestar.exceptions import WebSocketDisconnect
from msgspec import Meta

from cloud.access import Principal
from cloud.api.access import Doorkeeper
from cloud.api.wire import Closed, Frame, abort_of, end_when_refused, feed_of, receive, violation
from cloud.broker import password, tls_context
from cloud.clock import Clock
from cloud.hub import Bundle, Counters, Filters, Viewer, ViewerStalledError
from cloud.live import frame_text, welcome_text
from cloud.settings import BrokerSettings
from contract.topics import ROOT
from messaging.client import Client
from messaging.errors import SubscribeRefusedError
from messaging.values import Delivery, Subscription

CONNECTIONS_MAX = 100  # of this process; each is a connection to the broker too
TOPICS_MAX = 50
FRAME_BYTES_MAX = 16 * 1024
TRY_AGAIN_LATER = 1013
SEGMENT = r"(?:[A-Za-z0-9_][A-Za-z0-9_-]{0,99}|\+)"
Topic = Annotated[
    str, Meta(pattern=rf"^sqal/v1/{SEGMENT}(?:/{SEGMENT})*(?:/#)?$(?!\n)|^sqal/v1/#$(?!\n)", max_length=500)
]


class Said(msgspec.Struct, frozen=True):
    """What a caller may say."""

    type: str
    topics: Annotated[list[Topic], Meta(max_length=TOPICS_MAX)] = []


class MqttRooms:
    """How many such connections there are, and what each needs to reach the broker."""

    def __init__(self, broker: BrokerSettings, rng: random.Random) -> None:
        self.open = 0
        self.rng = rng
        self.broker = broker
        self.tls = tls_context(broker)
        self.password = password(broker)

    def client(self) -> Client:
        """A client of the broker for one connection."""
        return Client(
            host=self.broker.host,
            port=self.broker.port,
            client_id=f"sqal-serve-ws-{self.rng.getrandbits(64):016x}",
            rng=self.rng,
            clean_start=True,
            session_expiry_s=0,
            keepalive_s=self.broker.keep_alive_s,
            tls=self.tls,
            username=self.broker.username,
            password=self.password,
            ack_on_take=True,
        )


def allowed_filters(topic: str, principal: Principal) -> list[str]:
    """What `topic` means for `principal`: itself, itself for each of its sites, or nothing."""
    if principal.sites is None:
        return [topic]
    site, _, rest = topic.removeprefix(f"{ROOT}/").partition("/")
    if site == "#":
        return [f"{ROOT}/{each}/#" for each in sorted(principal.sites)]
    if site == "+":
        return [f"{ROOT}/{each}/{rest}" for each in sorted(principal.sites)] if rest else []
    return [topic] if site in principal.sites else []


@websocket(["/ws/mqtt", "/ws/mqtt/"])
async def mqtt(
    socket: WebSocket[Any, Any, Any],
    rooms: NamedDependency[MqttRooms],
    clock: NamedDependency[Clock],
    doorkeeper: NamedDependency[Doorkeeper],
) -> None:
    """Relay chosen topics to one caller until it leaves."""
    await socket.accept()
    if rooms.open >= CONNECTIONS_MAX:
        await socket.close(code=TRY_AGAIN_LATER, reason=f"{CONNECTIONS_MAX} such connections are open already")
        return
    rooms.open += 1
    try:
        async with rooms.client() as client:
            await _Session(socket, client, clock).run(doorkeeper)
    finally:
        rooms.open -= 1


class _Session:
    """One caller's connection."""

    def __init__(self, socket: WebSocket[Any, Any, Any], client: Client, clock: Clock) -> None:
        self._socket = socket
        self._client = client
        self._clock = clock
        self._principal: Principal = socket.scope["user"]
        self._viewer = Viewer(Filters(), Counters())
        self._topics: set[str] = set()

    async def run(self, doorkeeper: Doorkeeper) -> None:
        self._viewer.post(welcome_text("SQAL topics; subscribe to some", self._clock.now()))
        try:
            async with asyncio.TaskGroup() as tasks:
                tasks.create_task(
                    self._viewer.pump(self._socket.send_text, feed=feed_of(self._socket)), name="mqtt.pump"
                )
                tasks.create_task(self._relay(), name="mqtt.relay")
                tasks.create_task(self._listen(), name="mqtt.listen")
                tasks.create_task(end_when_refused(self._socket, doorkeeper), name="mqtt.rights")
        except* ViewerStalledError:
            abort_of(self._socket)()
        except* (Closed, WebSocketDisconnect, OSError):
            pass  # it left

    async def _relay(self) -> None:
        while True:
            for delivery in await self._client.next_batch(100):
                self._viewer.offer(Bundle(kind="status", texts=(self._text(delivery),)))

    def _text(self, delivery: Delivery) -> str:
        payload: dict[str, Any]
        try:
            msgspec.json.decode(delivery.payload)
            payload = {"payload": msgspec.Raw(delivery.payload)}
        except (msgspec.DecodeError, RecursionError, UnicodeDecodeError):
            payload = {"payload_base64": base64.b64encode(delivery.payload).decode()}
        return frame_text("mqtt", self._clock.now(), topic=delivery.topic, retain=delivery.retain, **payload)

    async def _listen(self) -> None:
        while True:
            self._viewer.post(await self._answer(await receive(self._socket)))

    async def _answer(self, frame: Frame) -> str:
        now = self._clock.now()
        if len(frame) > FRAME_BYTES_MAX:
            return frame_text("error", now, error=f"{len(frame)} bytes, at most {FRAME_BYTES_MAX}", path="$")
        try:
            said = msgspec.json.decode(frame, type=Said)
        except msgspec.MsgspecError as error:
            path, reason = violation(error)
            return frame_text("error", now, error=reason, path=path)
        if said.type in ("heartbeat", "ping"):
            return frame_text("heartbeat_ack" if said.type == "heartbeat" else "pong", now)
        if said.type != "subscribe":
            return frame_text("error", now, error=f"there is no message of type {said.type[:40]!r}", path="$.type")
        return await self._subscribe(said.topics)

    async def _subscribe(self, topics: list[str]) -> str:
        wanted: set[str] = set()
        for index, topic in enumerate(topics):
            allowed = allowed_filters(topic, self._principal)
            if not allowed:
                reason = f"{self._principal.name} has no rights at the site of {topic}"
                return frame_text("error", self._clock.now(), error=reason, path=f"$.topics[{index}]")
            wanted.update(allowed)
        if len(wanted | self._topics) > TOPICS_MAX:
            reason = f"more than {TOPICS_MAX} topics on one connection"
            return frame_text("error", self._clock.now(), error=reason, path="$.topics")
        try:
            if wanted - self._topics:
                # a client that is still connecting would ask for them twice, and retained messages would come twice
                await self._client.wait_connected()
                await self._client.subscribe(*(Subscription(each) for each in sorted(wanted - self._topics)))
        except SubscribeRefusedError as error:
            return frame_text("error", self._clock.now(), error=str(error), path="$.topics")
        self._topics |= wanted
        return frame_text("subscribe_ack", self._clock.now(), topics=sorted(self._topics))
