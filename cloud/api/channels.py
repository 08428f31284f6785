"""Channels that hear of alerts, a test of each, and the log of what was sent. For administrators."""

from typing import Annotated, Any

import msgspec
from litestar import Controller, get, post, put
from litestar.di import NamedDependency
from litestar.params import JSONBody, PathParameter, QueryParameter
from msgspec import Meta

from cloud.api.params import Before
from cloud.api.problems import BadRequestError, NotFoundError
from cloud.api.rights import ADMIN, Rights
from cloud.channels import ChannelError, ChannelKind, check_target
from cloud.clock import Clock
from cloud.store.channels import TEST_SITE, trial_payload
from cloud.store.reader import Row, Store
from contract.bounds import Severity, SiteCode

ChannelName = Annotated[str, Meta(pattern=r"^[A-Za-z0-9][A-Za-z0-9_-]{0,99}$")]
ChannelPath = Annotated[str, PathParameter(pattern=r"^[A-Za-z0-9][A-Za-z0-9_-]{0,99}$")]
NumberPath = Annotated[int, PathParameter(ge=1)]
Limit = Annotated[int, QueryParameter(name="limit", ge=1, le=500)]


class Channel(msgspec.Struct, frozen=True):
    """Where alerts are told: addresses separated by commas, an https URL, or an MQTT topic. No sites: all."""

    kind: ChannelKind
    target: Annotated[str, Meta(min_length=1, max_length=500)]
    min_severity: Severity = "warning"
    sites: Annotated[list[SiteCode], Meta(min_length=1, max_length=100)] | None = None
    is_active: bool = True


class Queued(msgspec.Struct, frozen=True):
    """The number of a test message; its fate is in the log."""

    notification_id: int


class ChannelsController(Controller):
    """`/api/sqal/channels`."""

    path = "/channels"
    tags = ("alerts",)
    opt = ADMIN

    @get("/", summary="Channels")
    async def channels(self, store: NamedDependency[Store]) -> list[Row]:
        """Every channel by name."""
        return await store.rows("channels")

    @put("/{name:str}", summary="Make or change a channel")
    async def put_channel(self, store: NamedDependency[Store], name: ChannelPath, data: JSONBody[Channel]) -> Row:
        """Make or replace the channel of that name. Raises BadRequestError for a target that cannot be reached."""
        try:
            check_target(data.kind, data.target)
        except ChannelError as error:
            raise BadRequestError("target", str(error)) from error
        row = await store.row("put_channel", name=name, **msgspec.structs.asdict(data))
        assert row is not None
        return row

    @post("/{name:str}/test", summary="Send a test message", status_code=202)
    async def test_channel(
        self, store: NamedDependency[Store], clock: NamedDependency[Clock], name: ChannelPath
    ) -> Queued:
        """Hand a test message to the ingester, which sends it once; ask the log for its fate."""
        values: dict[str, Any] = {"site_code": TEST_SITE, "payload": trial_payload(clock.now())}
        row = await store.row("put_test_notification", name=name, **values)
        if row is None:
            raise NotFoundError(f"there is no channel {name!r}")
        return Queued(row["notification_id"])

    @get("/log/{notification_id:int}", summary="One message to a channel")
    async def notification(self, store: NamedDependency[Store], notification_id: NumberPath) -> Row:
        """Whether a message was sent, waits or was given up, and why."""
        row = await store.row("notification", notification_id=notification_id)
        if row is None:
            raise NotFoundError(f"there is no message {notification_id}")
        return row

    @get("/log", summary="Messages to channels")
    async def log(
        self,
        store: NamedDependency[Store],
        rights: NamedDependency[Rights],
        *,
        before: Before = None,
        limit: Limit = 100,
    ) -> list[Row]:
        """The newest messages, newest first; a page begins before the last number of the one before it."""
        return await store.rows("api_notifications", before=before, sites=rights.sites, limit=limit)
