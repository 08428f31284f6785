"""Devices: the registry, and one device with its newest sample and last 24 hours."""

from datetime import timedelta
from typing import Annotated, Any, Literal

import msgspec
from litestar import Controller, get, patch, post
from litestar.di import NamedDependency
from litestar.params import FromPath, JSONBody, QueryParameter
from msgspec import Meta

from cloud.api.params import SiteFilter, text_without_nul
from cloud.api.problems import BadRequestError, ConflictError, NotFoundError
from cloud.api.rights import ADMIN, Rights
from cloud.api.samples import newest_sample
from cloud.api.stats import GradeCounts, grade_counts
from cloud.clock import Clock
from cloud.store.reader import Row, Store
from contract.bounds import DeviceId, Line, LongText, SiteCode

DAY = timedelta(hours=24)
StatusFilter = Annotated[str | None, QueryParameter(name="status", max_length=20)]


class Devices(msgspec.Struct, frozen=True):
    """Devices by id."""

    devices: list[dict[str, Any]]
    total: int


class DeviceDay(msgspec.Struct, frozen=True):
    """The last 24 hours of one device; averages are null where there was no sample."""

    total_samples: int
    avg_quality_score: float | None
    compliance_rate_pct: float | None
    grade_distribution: GradeCounts


class DeviceDetail(msgspec.Struct, frozen=True):
    """A device, its newest sample, its hours, and its last 24 hours in sum."""

    device: dict[str, Any]
    latest_sample: dict[str, Any] | None
    hourly_stats: list[dict[str, Any]]
    stats_24h: DeviceDay


Named = Annotated[str, Meta(min_length=1, max_length=200)]
Version = Annotated[str, Meta(max_length=20)]
Profile = Annotated[str, Meta(max_length=50)]
Status = Literal["active", "inactive", "maintenance", "error"]


class NewDevice(msgspec.Struct, frozen=True):
    """A device to be; its certificate is a matter of `sqal pki device`."""

    device_id: DeviceId
    site_code: SiteCode
    line: Line = "line1"
    device_name: Named | None = None
    firmware_version: Version | None = None
    status: Status = "active"
    config_profile: Profile | None = None
    location: LongText | None = None


class DeviceChange(msgspec.Struct, frozen=True):
    """What to change; what is absent stays. A device that moves takes new topics: write the access list anew."""

    site_code: SiteCode | None = None
    line: Line | None = None
    device_name: Named | None = None
    firmware_version: Version | None = None
    status: Status | None = None
    config_profile: Profile | None = None
    location: LongText | None = None


class Sites(msgspec.Struct, frozen=True):
    """Sites and how many devices stand there."""

    sites: list[dict[str, Any]]


@get("/sites", summary="All sites", tags=["devices"])
async def sites(store: NamedDependency[Store], rights: NamedDependency[Rights]) -> Sites:
    """The caller's sites with their devices counted."""
    return Sites(await store.rows("api_sites", sites=rights.sites))


async def _require_site(store: Store, site_code: str) -> None:
    """Raises BadRequestError for a site that is not there."""
    if not await store.rows("api_sites", sites=[site_code]):
        raise BadRequestError("site_code", f"there is no site {site_code!r}")


def _check_texts(data: NewDevice | DeviceChange) -> None:
    for name, value in msgspec.structs.asdict(data).items():
        text_without_nul(value, name)


class DevicesController(Controller):
    """`/api/sqal/devices`."""

    path = "/devices"
    tags = ("devices",)

    @get("/", summary="All devices")
    async def all(
        self,
        store: NamedDependency[Store],
        rights: NamedDependency[Rights],
        site_code: SiteFilter = None,
        status: StatusFilter = None,
    ) -> Devices:
        """Registered devices, by site and status where asked."""
        devices = await store.rows(
            "api_devices",
            sites=rights.narrow(site_code),
            status=text_without_nul(status, "status"),
        )
        return Devices(devices, len(devices))

    @post("/", summary="Register a device", opt=ADMIN)
    async def add(
        self, store: NamedDependency[Store], rights: NamedDependency[Rights], data: JSONBody[NewDevice]
    ) -> Row:
        """Register a device. Raises ConflictError where its id is taken."""
        _check_texts(data)
        rights.require(data.site_code)
        await _require_site(store, data.site_code)
        row = await store.row("api_insert_device", **msgspec.structs.asdict(data))
        if row is None:
            raise ConflictError(f"there is a device {data.device_id!r} already")
        return row

    @patch("/{device_id:str}", summary="Change a device", opt=ADMIN)
    async def change(
        self,
        store: NamedDependency[Store],
        rights: NamedDependency[Rights],
        device_id: FromPath[str],
        data: JSONBody[DeviceChange],
    ) -> Row:
        """Change a device; both its old and its new site must be the caller's. Raises NotFoundError."""
        text_without_nul(device_id, "device_id")
        _check_texts(data)
        known = await store.row("api_device", device_id=device_id)
        if known is None:
            raise NotFoundError(f"there is no device {device_id[:100]!r}")
        rights.require(known["site_code"])
        if data.site_code is not None:
            rights.require(data.site_code)
            await _require_site(store, data.site_code)
        row = await store.row("api_update_device", device_id=device_id, **msgspec.structs.asdict(data))
        assert row is not None, "devices are never deleted"
        return row

    @get("/{device_id:str}", summary="One device")
    async def one(
        self,
        store: NamedDependency[Store],
        clock: NamedDependency[Clock],
        rights: NamedDependency[Rights],
        device_id: FromPath[str],
    ) -> DeviceDetail:
        """A device with its last 24 hours. Raises NotFoundError."""
        text_without_nul(device_id, "device_id")
        device = await store.row("api_device", device_id=device_id)
        if device is None:
            raise NotFoundError(f"there is no device {device_id[:100]!r}")
        rights.require(device["site_code"])
        start = clock.now() - DAY
        totals = await store.row("api_device_totals", device_id=device_id, start=start, sites=rights.sites)
        assert totals is not None, "an aggregate always has a row"
        return DeviceDetail(
            device=device,
            latest_sample=await newest_sample(store, rights, device_id),
            hourly_stats=await store.rows("api_device_hours", device_id=device_id, start=start, sites=rights.sites),
            stats_24h=DeviceDay(
                total_samples=totals["total_samples"],
                avg_quality_score=totals["avg_quality_score"],
                compliance_rate_pct=totals["compliance_rate_pct"],
                grade_distribution=grade_counts(totals),
            ),
        )
