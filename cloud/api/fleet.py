"""Devices in their own words, what they shall be set to, and commands to them.

A command is published once and ends after a minute: a device that has not heard it by then shall not do it. Its answer
comes by MQTT; every server hears it, so it can be asked of any. What was asked of whom is in the audit record.
"""

import random
import re
import uuid
from datetime import UTC, datetime, timedelta
from typing import Annotated, Any, Literal

import msgspec
from litestar import Controller, get, post, put
from litestar.di import NamedDependency
from litestar.params import FromPath, JSONBody, PathParameter
from msgspec import Meta

from cloud.api.params import SiteFilter, text_without_nul
from cloud.api.problems import BadRequestError, NotFoundError, UnavailableError
from cloud.api.rights import Rights
from cloud.clock import Clock
from cloud.commands import COMMAND_S, send_command
from cloud.fleet import Said
from cloud.relay import Relay
from cloud.store.reader import Row, Store
from cloud.store.recipes import desire
from contract.bounds import LotId
from contract.messages import ReportedConfiguration, SamplingMode
from messaging.client import Client
from messaging.errors import MessagingError

ARGS_BYTES_MAX = 8 * 1024
UUID7 = re.compile(r"[0-9a-f]{8}-[0-9a-f]{4}-7[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}")
CommandName = Annotated[str, Meta(pattern=r"^[a-z][a-z0-9-]{0,49}$(?!\n)")]
CommandPath = Annotated[str, PathParameter(max_length=36)]
Progress = Literal["sent", "begun", "done", "refused", "failed", "unanswered"]


class FleetList(msgspec.Struct, frozen=True):
    """Devices by id, each with what it last said; who never said anything is not in it."""

    devices: list[Said]


class NewCommand(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What to do, such as `self-test`, `calibrate`, `restart-sensor`, and with what; the device checks both."""

    name: CommandName
    args: dict[str, Any] = {}


class Sent(msgspec.Struct, frozen=True):
    """What the device was asked; ask for the answer by `request`."""

    request: str
    device_id: str
    name: str
    expires_at: datetime


class CommandState(msgspec.Struct, frozen=True):
    """How far a command is. status, message, result: the device's own, 0 while it has said nothing.

    unanswered: its time is over and nothing was heard; it was not done, or its answer was lost.
    """

    request: str
    device_id: str
    progress: Progress
    status: int = 0
    message: str = ""
    result: dict[str, Any] = {}


class TwinChange(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What a device shall be set to; what is absent stays. rate_hz 0.1 to 15."""

    lot_id: LotId | None = None
    rate_hz: Annotated[float, Meta(ge=0.1, le=15.0)] | None = None
    mode: SamplingMode | None = None


class Twin(msgspec.Struct, frozen=True):
    """What a device shall be set to and what it is set to.

    agreement: `agrees` once it has applied revision `revision`, `refused` where it says why not (in
    `reported.errors`), `waiting` until it has answered, `local` where nobody here ever asked for anything.
    """

    device_id: str
    agreement: Literal["agrees", "refused", "waiting", "local"]
    revision: int | None
    desired: dict[str, Any]
    desired_by: str | None
    desired_at: datetime | None
    reported: ReportedConfiguration | None


@get("/fleet", summary="Devices in their own words", tags=["devices"])
async def fleet(
    relay: NamedDependency[Relay], rights: NamedDependency[Rights], site_code: SiteFilter = None
) -> FleetList:
    """State, health (spool, clock, counters), birth (versions, sensors) and configuration, as last heard."""
    return FleetList(relay.fleet.at(rights.narrow(site_code)))


class CommandsController(Controller):
    """`/api/sqal/devices/{device_id}/commands` and `…/twin`."""

    path = "/devices/{device_id:str}"
    tags = ("devices",)

    @post("/commands", summary="Ask a device to do something", status_code=202)
    async def send(
        self,
        *,
        store: NamedDependency[Store],
        client: NamedDependency[Client],
        clock: NamedDependency[Clock],
        rng: NamedDependency[random.Random],
        rights: NamedDependency[Rights],
        device_id: FromPath[str],
        data: JSONBody[NewCommand],
    ) -> Sent:
        """Publish a command; it holds for a minute. Raises 400, 403, 404, 503."""
        device = await _device(store, rights, device_id)
        size = len(msgspec.json.encode(data.args))
        if size > ARGS_BYTES_MAX:
            raise BadRequestError("args", f"{size} bytes, at most {ARGS_BYTES_MAX} are accepted")
        by = rights.principal.name
        try:
            sent = await send_command(client, device, data.name, data.args, by=by, now=clock.now(), rng=rng)
        except (MessagingError, TimeoutError) as error:
            raise UnavailableError("the broker did not take it; try again later") from error
        return Sent(sent.id, device_id, data.name, sent.expires_at)

    @get("/commands/{command_id:str}", summary="How far a command is")
    async def state(
        self,
        *,
        store: NamedDependency[Store],
        relay: NamedDependency[Relay],
        clock: NamedDependency[Clock],
        rights: NamedDependency[Rights],
        device_id: FromPath[str],
        command_id: CommandPath,
    ) -> CommandState:
        """What the device has answered so far. Raises NotFoundError."""
        await _device(store, rights, device_id)
        if UUID7.fullmatch(command_id) is None:
            raise NotFoundError("there is no such command")
        result = relay.fleet.answer(device_id, command_id)
        if result is None:
            is_over = clock.now() > sent_at(command_id) + timedelta(seconds=COMMAND_S)
            return CommandState(command_id, device_id, "unanswered" if is_over else "sent")
        progress = progress_of(result.status)
        return CommandState(command_id, device_id, progress, result.status, result.message, result.result)

    @get("/twin", summary="What a device shall be set to, and is")
    async def twin(
        self,
        store: NamedDependency[Store],
        relay: NamedDependency[Relay],
        rights: NamedDependency[Rights],
        device_id: FromPath[str],
    ) -> Twin:
        """Desired and reported configuration. Raises NotFoundError."""
        await _device(store, rights, device_id)
        return await _twin(store, relay, device_id)

    @put("/twin", summary="Set a device")
    async def set_twin(
        self,
        *,
        store: NamedDependency[Store],
        relay: NamedDependency[Relay],
        clock: NamedDependency[Clock],
        rights: NamedDependency[Rights],
        device_id: FromPath[str],
        data: JSONBody[TwinChange],
    ) -> Twin:
        """Change what a device shall be set to; it is told at once and says what it took. Raises 400, 403, 404."""
        device = await _device(store, rights, device_id)
        changes = {name: value for name, value in msgspec.structs.asdict(data).items() if value is not None}
        if not changes:
            raise BadRequestError("lot_id", "say at least one of lot_id, rate_hz and mode")
        if data.lot_id is not None and await store.row("api_lot", lot_id=data.lot_id) is None:
            raise BadRequestError("lot_id", f"there is no lot {data.lot_id}")
        async with store.transaction() as connection:
            await desire(connection, store, device, changes, by=rights.principal.name, now=clock.now())
        return await _twin(store, relay, device_id)


def progress_of(status: int) -> Progress:
    """What a device's status means: as in HTTP, 202 begun, 200 done, 4xx refused, 5xx failed."""
    if status == 202:  # HTTP's own number
        return "begun"
    return "done" if status < 400 else "refused" if status < 500 else "failed"


def sent_at(request: str) -> datetime:
    """When a command was made, by its own number: the first 48 bits of a UUIDv7 are milliseconds since 1970."""
    return datetime.fromtimestamp((uuid.UUID(request).int >> 80) / 1000, UTC)


async def _device(store: Store, rights: Rights, device_id: str) -> Row:
    """The device, for those who may know of it. Raises NotFoundError, ForbiddenError."""
    text_without_nul(device_id, "device_id")
    device = await store.row("api_device", device_id=device_id)
    if device is None or device["site_code"] is None:
        raise NotFoundError(f"no device {device_id[:100]!r} is registered at a site")
    rights.require(device["site_code"])
    return device


async def _twin(store: Store, relay: Relay, device_id: str) -> Twin:
    row = await store.row("twin_of", device_id=device_id)
    said = relay.fleet.said(device_id)
    reported = None if said is None else said.reported
    if row is None:
        return Twin(device_id, "local", None, {}, None, None, reported)
    desired: dict[str, Any] = {name: value for name, value in row["desired"].items() if name != "recipe_values"}
    revision: int = row["revision"]
    agreement: Literal["agrees", "refused", "waiting"] = "waiting"
    if reported is not None and reported.revision >= revision:
        agreement = "refused" if reported.errors else "agrees"
    return Twin(device_id, agreement, revision, desired, row["desired_by"], row["desired_at"], reported)
