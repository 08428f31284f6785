"""`/ws/sensors/`: devices that speak WebSocket instead of MQTT, in the protocol of the customer's simulators.

One connection is one boot. A sample is acknowledged when its receipt says that it is in the database; between welcome
and that acknowledgement nothing else is sent. At most IN_FLIGHT_MAX samples of a connection wait for theirs; past that
its socket is not read. Errors name the field and leave the connection open.
"""

import asyncio
from typing import Any

import msgspec
import structlog
from litestar import WebSocket, websocket
from litestar.di import NamedDependency
from litestar.exceptions import WebSocketDisconnect

from cloud.access import Principal
from cloud.api.access import Doorkeeper
from cloud.api.wire import Closed, Frame, end_when_refused, receive, violation
from cloud.clock import Clock
from cloud.flat import PAYLOAD_BYTES_MAX, read_sample
from cloud.gateway import Gateway
from cloud.live import frame_text
from cloud.pending import Fate
from cloud.store.reader import DATABASE_AWAY, Store
from cloud.store.samples import Place
from contract.errors import ContractError
from contract.sample import Sample

IN_FLIGHT_MAX = 32  # a simulator that flushes its buffer is slowed down to what ingest takes
TOUCH_S = 5.0  # between two updates of a device's last_seen
TOUCHED_MAX = 256  # devices of a connection whose heartbeat is noted; made-up names end here

_log = structlog.get_logger("sqal.sensors")


class Envelope(msgspec.Struct, frozen=True):
    """What all messages of a device have in common; a sample may come without `type`."""

    type: str = "sensor_data"
    device_id: str | None = None


@websocket(["/ws/sensors", "/ws/sensors/"])
async def sensors(
    socket: WebSocket[Any, Any, Any],
    gateway: NamedDependency[Gateway],
    store: NamedDependency[Store],
    clock: NamedDependency[Clock],
    doorkeeper: NamedDependency[Doorkeeper],
) -> None:
    """Serve one device, or one simulator of many, until it leaves."""
    await socket.accept()
    try:
        async with asyncio.TaskGroup() as tasks:
            rights = tasks.create_task(end_when_refused(socket, doorkeeper), name="sensors.rights")
            try:
                await _Session(socket, gateway, store, clock).run()
            finally:
                rights.cancel()
    except* (Closed, WebSocketDisconnect, OSError):
        pass  # it left; what it sent is stored or not, and it will ask by sending again


class _Session:
    """One connection: a boot of its own."""

    def __init__(self, socket: WebSocket[Any, Any, Any], gateway: Gateway, store: Store, clock: Clock) -> None:
        self._socket = socket
        self._gateway = gateway
        self._store = store
        self._clock = clock
        self._principal: Principal = socket.scope["user"]
        self._boot = gateway.new_boot()
        self._room = asyncio.Semaphore(IN_FLIGHT_MAX)
        self._touched_at: dict[str, float] = {}

    async def run(self) -> None:
        await self._say("connection_established", message="SQAL takes samples here")
        async with asyncio.TaskGroup() as tasks:
            while True:
                frame = await receive(self._socket)
                try:
                    sample = await self._take(frame)
                    if sample is None:
                        continue
                    place = await self._gateway.place_of(sample)
                    self._require(sample, place)
                except ContractError as error:
                    await self._say("error", error=error.reason, path=error.path)
                    continue
                await self._room.acquire()
                tasks.create_task(self._deliver(self._boot.stamp(sample, place), place), name="sensors.deliver")

    def _require(self, sample: Sample, place: Place) -> None:
        """Refuse a sample of a site where the sender has no rights. Raises ContractError."""
        if not self._principal.may_see(place.site_code):
            raise ContractError("$.device_id", f"{self._principal.name} has no rights at {sample.device_id}'s site")

    async def _take(self, frame: Frame) -> Sample | None:
        """The sample in `frame`, or None for a message that is dealt with. Raises ContractError."""
        if len(frame) > PAYLOAD_BYTES_MAX:
            raise ContractError("$", f"{len(frame)} bytes, at most {PAYLOAD_BYTES_MAX} are accepted")
        envelope = _envelope(frame)
        if envelope.type == "sensor_data":
            return read_sample(frame)
        if envelope.type == "esp32_hello":
            await self._touch(envelope.device_id)
            await self._say("hello_ack", message="welcome")
        elif envelope.type == "ping":
            await self._say("pong")
        elif envelope.type == "heartbeat":
            await self._touch(envelope.device_id)
        else:
            raise ContractError("$.type", f"there is no message of type {envelope.type[:40]!r}")
        return None

    async def _deliver(self, sample: Sample, place: Place) -> None:
        """Publish `sample` and answer what became of it."""
        try:
            fate = await self._gateway.deliver(sample, place)
        finally:
            self._room.release()
        if fate.outcome == "stored":
            fusion = sample.fusion
            await self._say(
                "ack",
                sample_id=sample.sample_id,
                status="saved",
                fusion_score=fusion.final_score,
                fusion_grade=fusion.final_grade,
            )
        else:
            await self._say("error", sample_id=sample.sample_id, error=_words(fate), path=fate.path or "$")

    async def _touch(self, device_id: str | None) -> None:
        """Note that a device was heard of, now and then."""
        now_s = self._clock.monotonic()
        if device_id is None or now_s - self._touched_at.get(device_id, -TOUCH_S) < TOUCH_S:
            return
        if "\0" in device_id or (device_id not in self._touched_at and len(self._touched_at) >= TOUCHED_MAX):
            return
        self._touched_at[device_id] = now_s
        try:
            await self._store.run("api_touch_device", device_id=device_id, now=self._clock.now())
        except DATABASE_AWAY as error:
            _log.warning("last_seen_not_stored", device_id=device_id, error=str(error).strip())

    async def _say(self, kind: str, **fields: Any) -> None:
        await self._socket.send_text(frame_text(kind, self._clock.now(), **fields))


def _envelope(frame: Frame) -> Envelope:
    """Type and sender of a message. Raises ContractError."""
    try:
        return msgspec.json.decode(frame, type=Envelope)
    except msgspec.MsgspecError as error:
        path, reason = violation(error)
        raise ContractError(path, reason) from error
    except RecursionError:
        raise ContractError("$", "nested too deeply") from None


def _words(fate: Fate) -> str:
    return fate.reason if fate.outcome == "unknown" else f"{fate.outcome}: {fate.reason}"
