"""`/api/sqal/calibrations`: what each device's sensors were measured to be, and whether that still holds."""

from datetime import datetime
from typing import Annotated, Any, Literal

import msgspec
from litestar import Controller, get
from litestar.di import NamedDependency
from litestar.params import FromPath, QueryParameter

from cloud.api.cursor import cursor_of, key_of
from cloud.api.params import DeviceFilter, SiteFilter, text_without_nul
from cloud.api.problems import NotFoundError
from cloud.api.rights import Rights
from cloud.clock import Clock
from cloud.store.reader import Row, Store
from contract.bounds import DeviceId, ShortText
from contract.studies import Drift

Limit = Annotated[int, QueryParameter(name="limit", ge=1, le=500)]
Cursor = Annotated[
    str | None, QueryParameter(name="before", max_length=500, description="the `next` of the page before")
]
SensorFilter = Annotated[Literal["tof", "spectral"] | None, QueryParameter(name="sensor")]
Status = Literal["valid", "expired", "superseded"]


class CalibrationEntry(msgspec.Struct, frozen=True, kw_only=True):
    """One calibration without its values.

    status: `superseded` where the device has a newer one of the sensor, `expired` where its time is over; `days_left`
    until then, negative after it, null where it has no end. drifted: figures that moved further than they may.
    """

    device_id: str
    calibration_id: str
    sensor: str
    procedure: str
    measured_at: datetime
    valid_until: datetime | None
    status: Status
    days_left: float | None
    drift: list[Drift]
    drifted: list[str]
    conditions: dict[str, Any]
    based_on: str | None
    made_by: str | None
    site_code: str | None
    line: str | None
    ingested_at: datetime


class Calibrations(msgspec.Struct, frozen=True):
    """A page of calibrations, newest first; `next` is the `before` of the page after it, null on the last."""

    calibrations: list[CalibrationEntry]
    next: str | None


class CalibrationDetail(msgspec.Struct, frozen=True):
    """One calibration with all its values, as the analysis takes them."""

    calibration: CalibrationEntry
    values: dict[str, Any]


class CalibrationKey(msgspec.Struct, frozen=True, array_like=True):
    """What calibrations are ordered by."""

    measured_at: datetime
    device_id: DeviceId
    calibration_id: ShortText


class CalibrationsController(Controller):
    """`/api/sqal/calibrations`."""

    path = "/calibrations"
    tags = ("calibrations",)

    @get("/", summary="Calibrations of the devices")
    async def all(
        self,
        store: NamedDependency[Store],
        clock: NamedDependency[Clock],
        rights: NamedDependency[Rights],
        *,
        before: Cursor = None,
        device_id: DeviceFilter = None,
        site_code: SiteFilter = None,
        sensor: SensorFilter = None,
        limit: Limit = 100,
    ) -> Calibrations:
        """A page, newest first; whether each is valid, expired or superseded."""
        key = key_of(CalibrationKey, before)
        rows = await store.rows(
            "api_calibrations",
            time=key and key.measured_at,
            cursor_device_id=key and key.device_id,
            calibration_id=key and key.calibration_id,
            device_id=text_without_nul(device_id, "device_id"),
            sites=rights.narrow(site_code),
            sensor=sensor,
            limit=limit,
        )
        now = clock.now()
        entries = [entry_of(row, now) for row in rows]
        last = entries[-1] if len(entries) == limit else None
        more = last and cursor_of(CalibrationKey(last.measured_at, last.device_id, last.calibration_id))
        return Calibrations(entries, more)

    @get("/{device_id:str}/{calibration_id:str}", summary="One calibration")
    async def one(
        self,
        store: NamedDependency[Store],
        clock: NamedDependency[Clock],
        rights: NamedDependency[Rights],
        *,
        device_id: FromPath[str],
        calibration_id: FromPath[str],
    ) -> CalibrationDetail:
        """A calibration that samples name, whole. Raises NotFoundError."""
        text_without_nul(device_id, "device_id")
        text_without_nul(calibration_id, "calibration_id")
        row = await store.row("calibration", device_id=device_id, calibration_id=calibration_id)
        if row is None:
            raise NotFoundError(f"{device_id[:100]} has no calibration {calibration_id[:100]!r}")
        rights.require(row["site_code"])
        return CalibrationDetail(entry_of(row, clock.now()), row["calibration_values"])


def entry_of(row: Row, now: datetime) -> CalibrationEntry:
    """`row` as it is shown at `now`."""
    until: datetime | None = row["valid_until"]
    status: Status = "superseded"
    if row["is_newest"]:
        status = "valid" if until is None or until > now else "expired"
    drift = msgspec.convert(row["drift"], list[Drift])
    fields = {name: row[name] for name in CalibrationEntry.__struct_fields__ if name in row and name != "drift"}
    return CalibrationEntry(
        **fields,
        status=status,
        days_left=None if until is None else round((until - now).total_seconds() / 86_400, 2),
        drift=drift,
        drifted=[each.figure for each in drift if each.is_beyond],
    )
