"""`/ws/realtime/`: one viewer's connection. Three tasks: what the hub has for it, what it says, a ping now and then.

The hub bounds and counts; this module speaks the protocol of the customer's front ends and ends connections that are
dead. A stalled connection is cut at its transport: a closing handshake would wait in the very queue that does not move.
"""

import asyncio
from datetime import datetime
from typing import Annotated, Any, Literal

import msgspec
import structlog
from litestar import WebSocket, websocket
from litestar.di import NamedDependency
from litestar.exceptions import WebSocketDisconnect
from msgspec import Meta

import cloud.hub
from cloud.api.access import Doorkeeper
from cloud.api.params import moment
from cloud.api.problems import BadRequestError
from cloud.api.wire import Closed, Frame, abort_of, end_when_refused, feed_of, receive, violation
from cloud.clock import Clock
from cloud.hub import Filters, HubFullError, Viewer, ViewerStalledError, passes
from cloud.live import frame_text, row_of, status_text, welcome_text
from cloud.relay import Relay
from cloud.replay import AWAY_MAX, OVERLAP, ROWS_MAX, merged
from cloud.store.reader import DATABASE_AWAY, Row, Store
from contract.bounds import GRADES, Grade

PING_S = 30.0
TRY_AGAIN_LATER = 1013  # RFC 6455 registry
FRAME_BYTES_MAX = 16 * 1024  # a viewer's messages are a hundred bytes

_log = structlog.get_logger("sqal.realtime")


# Nothing else can be the id of a device or the code of a site; empty is allowed
FilterText = Annotated[str, Meta(pattern=r"^[A-Za-z0-9_-]{0,100}$(?!\n)")]


class Wish(msgspec.Struct, frozen=True):
    """How a viewer wants to be served: everything or of each device the newest, and since when it has been away."""

    mode: Literal["all", "latest"] = "all"
    since: str | None = None


class FilterValues(msgspec.Struct, frozen=True):
    """Filters as they travel: empty means all."""

    device_id: FilterText | None = None
    site_code: FilterText | None = None
    min_grade: Grade | Literal[""] | None = None

    def filters(self) -> Filters:
        """The hub's filters."""
        return Filters(self.device_id or None, self.site_code or None, self.min_grade or None)


class Said(msgspec.Struct, frozen=True):
    """What a viewer may say."""

    type: str
    filters: FilterValues = FilterValues()


@websocket(["/ws/realtime", "/ws/realtime/"])
async def realtime(
    socket: WebSocket[Any, Any, Any],
    relay: NamedDependency[Relay],
    store: NamedDependency[Store],
    clock: NamedDependency[Clock],
    doorkeeper: NamedDependency[Doorkeeper],
) -> None:
    """Serve one viewer until it leaves."""
    await socket.accept()
    complaint = ""
    try:
        query = dict(socket.query_params)
        filters, wish = _query_filters(query), msgspec.convert(query, Wish)
        since = None if wish.since is None else moment(wish.since, "$.since")
    except (msgspec.ValidationError, BadRequestError) as error:
        path, reason = violation(error) if isinstance(error, msgspec.ValidationError) else ("$.since", str(error))
        complaint = frame_text("error", clock.now(), error=f"{reason}; nothing is filtered", path=path)
        filters, wish, since = Filters(), Wish(), None
    try:
        viewer = relay.hub.join(filters, sites=socket.scope["user"].sites)
    except HubFullError as error:
        await socket.close(code=TRY_AGAIN_LATER, reason=str(error))
        return
    viewer.coalesces = wish.mode == "latest"
    viewer.post(complaint)
    session = _Session(socket, relay, store, clock, viewer, doorkeeper=doorkeeper)
    try:
        await session.run(since)
    finally:
        relay.hub.leave(viewer)


def _query_filters(query: dict[str, str]) -> Filters:
    """The filters in the query string. A `+` that nobody escaped is a space: `A+` arrives as `A `."""
    if "min_grade" in query:
        query["min_grade"] = query["min_grade"].replace(" ", "+")
    return msgspec.convert(query, FilterValues).filters()


class _Session:
    """One viewer's connection from its welcome to its end."""

    def __init__(
        self,
        socket: WebSocket[Any, Any, Any],
        relay: Relay,
        store: Store,
        clock: Clock,
        viewer: Viewer,
        *,
        doorkeeper: Doorkeeper,
    ) -> None:
        self._doorkeeper = doorkeeper
        self._socket = socket
        self._relay = relay
        self._store = store
        self._clock = clock
        self._viewer = viewer

    async def run(self, since: datetime | None) -> None:
        try:
            try:
                async with asyncio.timeout(cloud.hub.STALL_S):
                    await self._greet(since)
            except TimeoutError as error:
                raise ViewerStalledError("took not even its welcome") from error
            async with asyncio.TaskGroup() as tasks:
                tasks.create_task(
                    self._viewer.pump(self._socket.send_text, feed=feed_of(self._socket)), name="realtime.pump"
                )
                tasks.create_task(self._ping(), name="realtime.ping")
                tasks.create_task(self._listen(), name="realtime.listen")
                tasks.create_task(end_when_refused(self._socket, self._doorkeeper), name="realtime.rights")
        except* ViewerStalledError:
            _log.warning("viewer_evicted", viewers=len(self._relay.hub))
            abort_of(self._socket)()
        except* (Closed, WebSocketDisconnect, OSError):
            pass  # it left; there is nobody to tell

    async def _greet(self, since: datetime | None) -> None:
        now = self._clock.now()
        status = self._relay.links.status
        words = (
            "SQAL live" if status.database_connected else "SQAL live; the database does not answer, history is missing"
        )
        await self._socket.send_text(welcome_text(words, now))
        row = await self._latest_row() if since is None else None
        if row is not None:
            await self._socket.send_text(frame_text("latest_sample", self._clock.now(), data=row))
        if since is not None:
            await self._replay(since)
        if not (status.database_connected and status.broker_connected and status.storing):
            await self._socket.send_text(status_text(self._relay.links.status, self._clock.now()))

    async def _replay(self, since: datetime) -> None:
        """Send what was stored or came by since `since`; what comes meanwhile waits in the queue.

        The viewer has joined the hub already, so there is no hole between the two; what overlaps it drops by its id.
        """
        oldest = self._clock.now() - AWAY_MAX
        start = max(since, oldest) - OVERLAP
        viewer, rows = self._viewer, None
        try:
            rows = await self._store.rows("api_replay", start=start, sites=viewer.sites_shown, limit=ROWS_MAX + 1)
        except DATABASE_AWAY:
            self._relay.links.set_database(connected=False)
        filters = viewer.filters
        wanted = [
            row
            for row in (rows or [])[:ROWS_MAX]
            if passes(filters, row["device_id"], row["site_code"], row["fusion_final_grade"])
        ]
        remembered = [each for each in self._relay.memory.since(start) if viewer.wants(each.bundle)]
        sent = merged(wanted, remembered, self._clock.now())
        for texts in sent:
            for text in texts:
                await self._socket.send_text(text)
        is_whole = since >= oldest and rows is not None and len(rows) <= ROWS_MAX
        await self._socket.send_text(
            frame_text("resume_ack", self._clock.now(), since=since, replayed=len(sent), complete=is_whole)
        )

    async def _latest_row(self) -> Row | None:
        """The newest sample that this viewer wants: from the database, or from what came by while that is away."""
        filters = self._viewer.filters
        newest = self._relay.newest(filters, self._viewer.sites)
        if self._relay.links.status.database_connected:
            grades = None if filters.min_grade is None else list(GRADES[: GRADES.index(filters.min_grade) + 1])
            try:
                row = await self._store.row(
                    "api_latest_sample_like", device_id=filters.device_id, sites=self._viewer.sites_shown, grades=grades
                )
            except DATABASE_AWAY:
                self._relay.links.set_database(connected=False)
            else:
                if row is not None and (newest is None or row["time"] >= newest.sample.timestamp):
                    return row
        return None if newest is None else row_of(newest.sample, newest.site_code)

    async def _ping(self) -> None:
        while True:
            await asyncio.sleep(PING_S)
            self._viewer.post(frame_text("ping", self._clock.now()))

    async def _listen(self) -> None:
        while True:
            frame = await receive(self._socket)
            self._viewer.post(self._answer(frame))

    def _answer(self, frame: Frame) -> str:
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
        if said.type in ("subscribe", "unsubscribe"):
            self._viewer.filters = said.filters.filters() if said.type == "subscribe" else Filters()
            filters = msgspec.to_builtins(self._viewer.filters)
            return frame_text(f"{said.type}_ack", now, filters=filters)
        if said.type == "pong":
            return ""
        return frame_text("error", now, error=f"there is no message of type {said.type[:40]!r}", path="$.type")
