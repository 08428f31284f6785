"""`/ws/sensors/`: devices that speak WebSocket instead of MQTT. Their samples travel on as MQTT like all others.

One connection is one boot (`boot_id`), each device on it is numbered from 1, `origin` is "ws"; the sender keeps its own
`sample_id`. A sample is acknowledged when its receipt says that it is in the database. At most IN_FLIGHT_MAX samples of
a connection wait for theirs; past that its socket is not read. Errors name the field and leave the connection open.
"""

import asyncio
import random
import uuid
from collections import defaultdict
from typing import Any

import msgspec
import structlog
from litestar import WebSocket, websocket
from litestar.di import NamedDependency
from litestar.exceptions import WebSocketDisconnect
from msgspec.structs import replace

from cloud.api.wire import Closed, Frame, receive, violation
from cloud.clock import Clock
from cloud.flat import PAYLOAD_BYTES_MAX, read_sample
from cloud.ids import uuid7
from cloud.live import frame_text
from cloud.pending import Fate
from cloud.registry import Place, Registry, RegistryAwayError
from cloud.relay import Relay
from cloud.store.reader import DATABASE_AWAY, Store
from contract.bounds import MESSAGE_BYTES_MAX
from contract.codec import encode
from contract.errors import ContractError
from contract.sample import Sample
from contract.topics import device_topic
from messaging.client import Client
from messaging.errors import MessagingError
from messaging.values import Properties

RECEIPT_WAIT_S = 10.0  # a commit takes 50 ms; past this the sender is told that nobody knows yet
IN_FLIGHT_MAX = 32  # a simulator that flushes its buffer is slowed down to what ingest takes
TOUCH_S = 5.0  # between two updates of a device's last_seen
JSON = Properties(content_type="application/json")

_log = structlog.get_logger("sqal.sensors")


class Envelope(msgspec.Struct, frozen=True):
    """What all messages of a device have in common; a sample may come without `type`."""

    type: str = "sensor_data"
    device_id: str | None = None


@websocket(["/ws/sensors", "/ws/sensors/"])
async def sensors(
    socket: WebSocket[Any, Any, Any],
    *,
    relay: NamedDependency[Relay],
    client: NamedDependency[Client],
    registry: NamedDependency[Registry],
    store: NamedDependency[Store],
    clock: NamedDependency[Clock],
    rng: NamedDependency[random.Random],
) -> None:
    """Serve one device, or one simulator of many, until it leaves."""
    await socket.accept()
    boot_id = uuid7(int(clock.now().timestamp() * 1000), rng)
    try:
        await _Session(socket, relay, client, registry, store, clock, boot_id).run()
    except* (Closed, WebSocketDisconnect, OSError):
        pass  # it left; what it sent is stored or not, and it will ask by sending again


class _Session:
    """One connection: a boot of its own."""

    def __init__(
        self,
        socket: WebSocket[Any, Any, Any],
        relay: Relay,
        client: Client,
        registry: Registry,
        store: Store,
        clock: Clock,
        boot_id: uuid.UUID,
    ) -> None:
        self._socket = socket
        self._relay = relay
        self._client = client
        self._registry = registry
        self._store = store
        self._clock = clock
        self._boot_id = boot_id
        self._numbers: defaultdict[str, int] = defaultdict(int)
        self._room = asyncio.Semaphore(IN_FLIGHT_MAX)
        self._touched_at: dict[str, float] = {}

    async def run(self) -> None:
        await self._send("connection_established", message="SQAL takes samples here")
        async with asyncio.TaskGroup() as tasks:
            while True:
                frame = await receive(self._socket)
                answer = await self._take(frame)
                if isinstance(answer, str):
                    await self._socket.send_text(answer)
                elif answer is not None:
                    await self._room.acquire()
                    tasks.create_task(self._deliver(*answer), name="sensors.deliver")

    async def _take(self, frame: Frame) -> str | tuple[Sample, Place] | None:
        """The answer to a message, or the sample to deliver, or None where no answer is due."""
        if len(frame) > PAYLOAD_BYTES_MAX:
            return self._error(f"{len(frame)} bytes, at most {PAYLOAD_BYTES_MAX} are accepted", "$")
        try:
            envelope = msgspec.json.decode(frame, type=Envelope)
        except (msgspec.MsgspecError, RecursionError) as error:
            path, reason = violation(error) if isinstance(error, msgspec.MsgspecError) else ("$", "nested too deeply")
            return self._error(reason, path)
        if envelope.type == "sensor_data":
            return await self._read(frame)
        if envelope.type == "esp32_hello":
            await self._touch(envelope.device_id)
            return frame_text("hello_ack", self._clock.now(), message="welcome")
        if envelope.type == "ping":
            return frame_text("pong", self._clock.now())
        if envelope.type == "heartbeat":
            await self._touch(envelope.device_id)
            return None
        return self._error(f"there is no message of type {envelope.type[:40]!r}", "$.type")

    async def _read(self, frame: Frame) -> str | tuple[Sample, Place]:
        """The sample in `frame` with its site, line and number, or the error to answer."""
        try:
            sample = read_sample(frame)
            place = await self._registry.place_of(sample.device_id)
        except ContractError as error:
            return self._error(error.reason, error.path)
        except RegistryAwayError as error:
            return self._error(str(error), "$.device_id")
        if place is None:
            return self._error(f"no device {sample.device_id!r} is registered", "$.device_id")
        if sample.site_code not in (None, place.site_code):
            reason = f"says {sample.site_code!r}, the device stands at {place.site_code!r}"
            return self._error(reason, "$.site_code")
        stamped = self._stamped(sample, place)
        size_bytes = len(encode(stamped))
        if size_bytes > MESSAGE_BYTES_MAX:
            return self._error(f"{size_bytes} bytes without what we drop, at most {MESSAGE_BYTES_MAX} travel", "$")
        return stamped, place

    def _stamped(self, sample: Sample, place: Place) -> Sample:
        self._numbers[sample.device_id] += 1
        return replace(
            sample,
            boot_id=self._boot_id,
            seq=self._numbers[sample.device_id],
            site_code=place.site_code,
            line=place.line,
            origin="ws",
        )

    async def _deliver(self, sample: Sample, place: Place) -> None:
        """Publish `sample` and answer what became of it."""
        assert sample.seq is not None
        number = (sample.device_id, self._boot_id, sample.seq)
        try:
            fate = self._relay.pending.expect(*number)
            topic = device_topic(place.site_code, place.line, sample.device_id, "sample")
            async with asyncio.timeout(RECEIPT_WAIT_S):
                await self._client.publish(topic, encode(sample), properties=JSON)
                answer = self._fate_text(sample, await fate)
        except TimeoutError:
            answer = self._error("not stored yet: published, but no receipt so far; it is still in flight", "$", sample)
        except MessagingError as error:
            answer = self._error(f"not stored: the broker did not take it ({error}); send it again", "$", sample)
        finally:
            self._relay.pending.forget(*number)
            self._room.release()
        await self._socket.send_text(answer)

    def _fate_text(self, sample: Sample, fate: Fate) -> str:
        if fate.outcome == "stored":
            return frame_text(
                "ack",
                self._clock.now(),
                sample_id=sample.sample_id,
                status="saved",
                fusion_score=sample.fusion.final_score,
                fusion_grade=sample.fusion.final_grade,
            )
        return self._error(f"{fate.outcome}: {fate.reason}", fate.path or "$", sample)

    async def _touch(self, device_id: str | None) -> None:
        """Note that a device was heard of, now and then."""
        now_s = self._clock.monotonic()
        if device_id is None or now_s - self._touched_at.get(device_id, -TOUCH_S) < TOUCH_S:
            return
        if "\0" in device_id or len(self._touched_at) >= IN_FLIGHT_MAX:
            return  # no device; or a stranger who makes up names
        self._touched_at[device_id] = now_s
        try:
            await self._store.run("api_touch_device", device_id=device_id, now=self._clock.now())
        except DATABASE_AWAY as error:
            _log.warning("last_seen_not_stored", device_id=device_id, error=str(error).strip())

    def _error(self, reason: str, path: str, sample: Sample | None = None) -> str:
        named = {} if sample is None else {"sample_id": sample.sample_id}
        return frame_text("error", self._clock.now(), error=reason, path=path, **named)

    async def _send(self, kind: str, **fields: Any) -> None:
        await self._socket.send_text(frame_text(kind, self._clock.now(), **fields))
