"""`/api/sqal/challenges` and `/api/sqal/references`: does every device still measure a piece whose values are known?

The log is what an auditor reads: nothing in it can be changed, a test that decided nothing is in it too, and what was
not done in time is an alert.
"""

import csv
import io
import random
import re
from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Annotated, Any

import msgspec
from litestar import Controller, Response, get, post
from litestar.di import NamedDependency
from litestar.params import FromPath, JSONBody, QueryParameter
from psycopg.types.json import Jsonb

from cloud.api.export import cell
from cloud.api.params import Before, DeviceFilter, Period, SiteFilter, period_of, text_without_nul
from cloud.api.problems import BadRequestError, ConflictError, NotFoundError, UnavailableError
from cloud.api.rights import ADMIN, Rights
from cloud.clock import Clock
from cloud.commands import send_command
from cloud.store.reader import Row, Store
from contract.bounds import DeviceId, LongText, SiteCode
from messaging.client import Client
from messaging.errors import MessagingError

LOG_ROWS_MAX = 10_000
DAY_S = 86_400.0
Limit = Annotated[int, QueryParameter(name="limit", ge=1, le=500)]
LogLimit = Annotated[int, QueryParameter(name="limit", ge=1, le=LOG_ROWS_MAX)]
PassedFilter = Annotated[bool | None, QueryParameter(name="passed")]
Id = Annotated[str, msgspec.Meta(pattern=r"^[A-Za-z0-9][A-Za-z0-9._-]{0,99}$(?!\n)")]
FIGURE = re.compile(r"[a-z0-9_]{1,50}")
# fmt: off
LOG_COLUMNS = (
    "challenge_id", "taken_at", "device_id", "site_code", "line", "reference_id", "passed", "readings", "figure",
    "expected", "tolerance", "found", "found_u", "deviation", "figure_passed", "refused", "made_by", "calibration_tof",
    "calibration_spectral", "boot_id", "seq", "ingested_at",
)
# fmt: on


class ExpectedFigure(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A figure of a reference piece in its own unit, and by how much a reading's mean may differ."""

    value: float
    tolerance: Annotated[float, msgspec.Meta(gt=0)]


class NewReference(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A reference piece: its id as engraved, its figures by name (`volume_mm3`, …), how often it must be shown."""

    reference_id: Id
    figures: Annotated[dict[str, ExpectedFigure], msgspec.Meta(min_length=1, max_length=50)]
    every_s: Annotated[float, msgspec.Meta(ge=600, le=366 * DAY_S)]
    valid_until: datetime
    site_code: SiteCode | None = None
    description: LongText = ""

    def __post_init__(self) -> None:
        for name in self.figures:
            if FIGURE.fullmatch(name) is None:
                raise ValueError(f"figures: {name[:50]!r} is no name such as volume_mm3")


class Start(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A challenge test to be made now. tile_in_place: somebody has laid the piece under the sensors."""

    device_id: DeviceId
    reference_id: Id
    tile_in_place: bool = False


class Started(msgspec.Struct, frozen=True):
    """What the device was asked; its record bears `request` and comes as soon as it has measured."""

    request: str
    device_id: str
    reference_id: str
    expires_at: datetime


class References(msgspec.Struct, frozen=True):
    """Reference pieces, those in use first."""

    references: list[Row]


class Challenges(msgspec.Struct, frozen=True):
    """A page of the log, newest first."""

    challenges: list[Row]
    next: int | None


class Due(msgspec.Struct, frozen=True):
    """For each device and piece: when it was passed last and must be again; `overdue` counts those that are late."""

    due: list[Row]
    overdue: int


class ReferencesController(Controller):
    """`/api/sqal/references`."""

    path = "/references"
    tags = ("challenges",)

    @get("/", summary="Reference pieces")
    async def all(self, store: NamedDependency[Store], rights: NamedDependency[Rights]) -> References:
        """Pieces that the caller's sites use, retired ones last."""
        return References(await store.rows("references_all", sites=rights.sites))

    @post("/", summary="Register a reference piece", opt=ADMIN)
    async def add(
        self,
        store: NamedDependency[Store],
        clock: NamedDependency[Clock],
        rights: NamedDependency[Rights],
        data: JSONBody[NewReference],
    ) -> Row:
        """From now on every active device in its reach must pass it in time. Raises 400, 403, 409."""
        rights.require(data.site_code)
        text_without_nul(data.description, "description")
        now = clock.now()
        if data.valid_until.tzinfo is None or data.valid_until <= now:
            raise BadRequestError("valid_until", "must lie in the future, with a time zone")
        values = msgspec.structs.asdict(data) | {"figures": Jsonb(msgspec.to_builtins(data.figures))}
        row = await store.row("reference_add", **values, by=rights.principal.name, now=now)
        if row is None:
            raise ConflictError(f"there is a reference piece {data.reference_id!r} already")
        return row

    @post("/{reference_id:str}/retire", summary="Retire a reference piece", opt=ADMIN, status_code=200)
    async def retire(
        self,
        store: NamedDependency[Store],
        clock: NamedDependency[Clock],
        rights: NamedDependency[Rights],
        reference_id: FromPath[str],
    ) -> Row:
        """No device needs to pass it any more; its records stay. Raises NotFoundError."""
        await _reference(store, rights, reference_id)
        row = await store.row("reference_retire", reference_id=reference_id, by=rights.principal.name, now=clock.now())
        assert row is not None, "reference pieces are never deleted"
        return row


class ChallengesController(Controller):
    """`/api/sqal/challenges`."""

    path = "/challenges"
    tags = ("challenges",)

    @get("/", summary="Challenge tests", dependencies={"period": period_of(timedelta(days=30))})
    async def all(
        self,
        store: NamedDependency[Store],
        period: NamedDependency[Period],
        rights: NamedDependency[Rights],
        *,
        before: Before = None,
        device_id: DeviceFilter = None,
        site_code: SiteFilter = None,
        passed: PassedFilter = None,
        limit: Limit = 100,
    ) -> Challenges:
        """A page of the log, newest first; 30 days by default."""
        rows = await store.rows(
            "challenges",
            start=period.start,
            end=period.end,
            before=before,
            device_id=text_without_nul(device_id, "device_id"),
            sites=rights.narrow(site_code),
            passed=passed,
            limit=limit,
        )
        return Challenges(rows, rows[-1]["challenge_id"] if len(rows) == limit else None)

    @get("/due", summary="Which challenge tests are due")
    async def due(
        self,
        store: NamedDependency[Store],
        clock: NamedDependency[Clock],
        rights: NamedDependency[Rights],
        device_id: DeviceFilter = None,
        site_code: SiteFilter = None,
    ) -> Due:
        """Every active device with every piece in use."""
        rows = await store.rows(
            "challenges_due",
            now=clock.now(),
            sites=rights.narrow(site_code),
            device_id=text_without_nul(device_id, "device_id"),
        )
        return Due(rows, sum(row["is_overdue"] for row in rows))

    @get(
        "/log.csv",
        summary="The log for an auditor",
        dependencies={"period": period_of(timedelta(days=365))},
        media_type="text/csv",
    )
    async def log(
        self,
        store: NamedDependency[Store],
        period: NamedDependency[Period],
        rights: NamedDependency[Rights],
        *,
        device_id: DeviceFilter = None,
        site_code: SiteFilter = None,
        limit: LogLimit = LOG_ROWS_MAX,
    ) -> Response[bytes]:
        """One line for each figure of each test, newest first; a year by default."""
        rows = await store.rows(
            "challenges",
            start=period.start,
            end=period.end,
            before=None,
            device_id=text_without_nul(device_id, "device_id"),
            sites=rights.narrow(site_code),
            passed=None,
            limit=limit,
        )
        headers = {"Content-Disposition": 'attachment; filename="challenge-tests.csv"'}
        return Response(_log(rows).encode(), media_type="text/csv; charset=utf-8", headers=headers)

    @post("/start", summary="Ask a device for a challenge test", status_code=202)
    async def start(
        self,
        store: NamedDependency[Store],
        client: NamedDependency[Client],
        clock: NamedDependency[Clock],
        rng: NamedDependency[random.Random],
        rights: NamedDependency[Rights],
        *,
        data: JSONBody[Start],
    ) -> Started:
        """Send the device the piece's figures; it measures and reports. Raises 400, 403, 404, 409, 503."""
        device = await store.row("api_device", device_id=data.device_id)
        if device is None or device["site_code"] is None:
            raise BadRequestError("device_id", f"no device {data.device_id!r} is registered at a site")
        rights.require(device["site_code"])
        piece = await _reference(store, rights, data.reference_id)
        now = clock.now()
        if piece["retired_at"] is not None or piece["valid_until"] <= now:
            raise ConflictError(f"the reference piece {data.reference_id} is retired or past its own validity")
        if piece["site_code"] not in (None, device["site_code"]):
            raise BadRequestError("reference_id", f"{data.reference_id} is used at {piece['site_code']} only")
        told = {name: piece[name] for name in ("reference_id", "figures", "every_s")}
        args = {"reference": {**told, "valid_until": piece["valid_until"].isoformat()}}
        args |= {"tile_in_place": data.tile_in_place, "made_by": rights.principal.name}
        try:
            sent = await send_command(
                client, device, "challenge-test", args, by=rights.principal.name, now=now, rng=rng
            )
        except (MessagingError, TimeoutError) as error:
            raise UnavailableError("the broker did not take it; try again later") from error
        return Started(sent.id, data.device_id, data.reference_id, sent.expires_at)


async def _reference(store: Store, rights: Rights, reference_id: str) -> Row:
    """The piece, for those who may know of it. Raises NotFoundError, ForbiddenError."""
    text_without_nul(reference_id, "reference_id")
    row = await store.row("reference_one", reference_id=reference_id)
    if row is None:
        raise NotFoundError(f"there is no reference piece {reference_id[:100]!r}")
    if row["site_code"] is not None:
        rights.require(row["site_code"])
    return row


def _log(rows: Sequence[Row]) -> str:
    text = io.StringIO()
    writer = csv.writer(text)
    writer.writerow(LOG_COLUMNS)
    for row in rows:
        lines: list[dict[str, Any]] = row["lines"] or [{}]
        for line in lines:
            figures = {**line, "figure_passed": line.get("passed")} | {"passed": row["passed"]}
            writer.writerow([cell({**row, **figures}.get(name)) for name in LOG_COLUMNS])
    return text.getvalue()
