"""Samples: the newest, those of a period, one by its id."""

from datetime import datetime, timedelta
from typing import Annotated, Any

import msgspec
from litestar import Controller, get
from litestar.di import NamedDependency
from litestar.params import PathParameter, QueryParameter

from cloud.api.params import DeviceFilter, Period, period_of, text_without_nul
from cloud.api.problems import BadRequestError, NotFoundError
from cloud.api.rights import Rights
from cloud.store.reader import Row, Store

LIMIT_MAX = 1000
Limit = Annotated[int, QueryParameter(name="limit", ge=1, le=LIMIT_MAX)]

SAMPLE_ID_MAX = 100  # characters, as in the contract


class Samples(msgspec.Struct, frozen=True):
    """Samples of a period, newest first."""

    samples: list[dict[str, Any]]
    count: int
    period: Period


class Namesake(msgspec.Struct, frozen=True):
    """Another sample that its sender gave the same id."""

    time: datetime
    device_id: str


async def newest_sample(store: Store, rights: Rights, device_id: str | None) -> Row | None:
    """The newest sample that the caller may see, of one device or of all."""
    if rights.sites is None:
        return await store.row("api_latest_sample", device_id=device_id)
    return await store.row("api_latest_sample_like", device_id=device_id, sites=rights.sites, grades=None)


class SamplesController(Controller):
    """`/api/sqal/samples`."""

    path = "/samples"
    tags = ("samples",)

    @get("/latest", summary="The newest sample")
    async def latest(
        self, store: NamedDependency[Store], rights: NamedDependency[Rights], device_id: DeviceFilter = None
    ) -> Row:
        """The newest sample, of one device or of all. Raises NotFoundError where there is none."""
        sample = await newest_sample(store, rights, text_without_nul(device_id, "device_id"))
        if sample is None:
            raise NotFoundError("there is no sample yet" + (f" of device {device_id}" if device_id else ""))
        return sample

    @get("/", summary="Samples of a period", dependencies={"period": period_of(timedelta(hours=24))})
    async def in_period(
        self,
        store: NamedDependency[Store],
        period: NamedDependency[Period],
        rights: NamedDependency[Rights],
        device_id: DeviceFilter = None,
        limit: Limit = 100,
    ) -> Samples:
        """The newest `limit` samples of a period (24 hours by default), newest first."""
        samples = await store.rows(
            "api_samples",
            start=period.start,
            end=period.end,
            device_id=text_without_nul(device_id, "device_id"),
            sites=rights.sites,
            limit=limit,
        )
        return Samples(samples, len(samples), period)

    @get("/{sample_id:path}", summary="One sample by its id")
    async def one(
        self,
        store: NamedDependency[Store],
        rights: NamedDependency[Rights],
        sample_id: Annotated[str, PathParameter(schema_extra={"max_length": SAMPLE_ID_MAX})],
    ) -> Row:
        """The newest sample with this id, and in `others` the time and device of all others that have it."""
        wanted = text_without_nul(sample_id.removeprefix("/"), "sample_id") or ""
        if len(wanted) > SAMPLE_ID_MAX:
            raise BadRequestError("sample_id", f"{len(wanted)} characters, an id has at most {SAMPLE_ID_MAX}")
        sample = await store.row("api_sample", sample_id=wanted, sites=rights.sites)
        if sample is None:
            raise NotFoundError(f"there is no sample {wanted!r}")
        namesakes = await store.rows("api_sample_namesakes", sample_id=wanted, sites=rights.sites)
        mine = (sample["time"], sample["device_id"])
        others = [Namesake(**each) for each in namesakes if (each["time"], each["device_id"]) != mine]
        return {**sample, "others": others}
