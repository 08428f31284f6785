"""Devices: the registry, and one device with its newest sample and last 24 hours."""

from datetime import timedelta
from typing import Annotated, Any

import msgspec
from litestar import Controller, get
from litestar.di import NamedDependency
from litestar.params import FromPath, QueryParameter

from cloud.api.params import SiteFilter, text_without_nul
from cloud.api.problems import NotFoundError
from cloud.api.rights import Rights
from cloud.api.samples import newest_sample
from cloud.api.stats import GradeCounts, grade_counts
from cloud.clock import Clock
from cloud.store.reader import Store

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
