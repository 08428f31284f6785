"""`/api/sqal/spc`: control charts, capability and gage studies of any index, device and period."""

import asyncio
from datetime import datetime, timedelta
from typing import Annotated, Any, Literal

import msgspec
from litestar import Controller, get, post
from litestar.di import NamedDependency
from litestar.params import JSONBody, QueryParameter

from cloud.api.params import DeviceFilter, Period, SiteFilter, period_of, text_without_nul
from cloud.api.problems import BadRequestError
from cloud.api.rights import Rights
from cloud.store.reader import Row, Store
from cloud.studies_gage import READINGS_MAX, GageReading, crossed
from contract.bounds import INT_MAX
from quality.errors import QualityError
from quality.gage import gage_rr
from quality.spc import Capability, Chart, capability, ewma_chart, individuals_chart

POINTS_MAX = 2_000  # drawn; past that the chart is one of means over spans of equal length
VALUES_MAX = 5_000  # of a capability: the newest; more do not make its limits narrower in any way that matters
READS: dict[str, Any] = {"role": "viewer", "reads": True}

Index = Literal[
    "final_score", "tof_score", "spectral_score", "volume_mm3", "mass_g", "surface_uniformity", "freshness_index",
    "fat_quality_index", "oxidation_index", "belt_distance_mm", "length_mm", "width_mm", "thickness_mm",
    "footprint_mm2", "roughness_mm", "lightness", "a_star", "b_star", "delta_e", "haem_mm", "methaem_fraction",
    "yellow_mm",
]  # fmt: skip
IndexName = Annotated[Index, QueryParameter(name="index")]
LotFilter = Annotated[int | None, QueryParameter(name="lot_id", ge=1, le=INT_MAX)]
Per = Annotated[Literal["piece", "sample"], QueryParameter(name="per")]
Kind = Annotated[Literal["individuals", "ewma"], QueryParameter(name="kind")]
Weight = Annotated[float, QueryParameter(name="weight", gt=0, le=1, description="of the newest value, EWMA")]
Centre = Annotated[float | None, QueryParameter(name="centre", description="of an earlier study; needs sigma")]
Sigma = Annotated[float | None, QueryParameter(name="sigma", gt=0, description="of an earlier study; needs centre")]
Lower = Annotated[float | None, QueryParameter(name="lower", description="lower specification limit")]
Upper = Annotated[float | None, QueryParameter(name="upper", description="upper specification limit")]
Confidence = Annotated[float, QueryParameter(name="confidence", ge=0.5, lt=1)]


class Point(msgspec.Struct, frozen=True, kw_only=True):
    """A point of a chart. value: as measured; drawn: what the chart shows (the average so far, on an EWMA chart).

    rules: of the Western Electric handbook (1 to 4) that this point completes; on an EWMA chart 1: beyond its limits.
    n: samples in it. sample_id: none for a span.
    """

    time: datetime
    value: float
    drawn: float
    n: int
    sample_id: str | None
    rules: list[int]


class ControlChart(msgspec.Struct, frozen=True, kw_only=True):
    """A control chart. bucket_s: the span of each point's mean; null where each point is a piece or sample."""

    index: str
    kind: str
    device_id: str | None
    start: datetime
    end: datetime
    centre: float
    lower: float
    upper: float
    sigma: float
    points: list[Point]
    violations: int
    samples: int
    aggregated: bool
    bucket_s: float | None


class CapabilityAnswer(msgspec.Struct, frozen=True, kw_only=True):
    """Cp, Cpk, Pp, Ppk with their confidence limits; `capability.stable` says whether they are worth anything."""

    index: str
    device_id: str | None
    start: datetime
    end: datetime
    lower: float | None
    upper: float | None
    confidence: float
    mean: float
    capability: Capability
    is_truncated: bool


class GageRequest(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A crossed study: every part read equally often by every appraiser. tolerance: width of the specification."""

    readings: Annotated[list[GageReading], msgspec.Meta(min_length=8, max_length=READINGS_MAX)]
    index: Index = "volume_mm3"
    tolerance: Annotated[float, msgspec.Meta(gt=0)] | None = None


class GageAnswer(msgspec.Struct, frozen=True):
    """The study, as `quality.gage.GageStudy` has it."""

    index: str
    parts: int
    appraisers: int
    trials: int
    study: dict[str, Any]


class SpcController(Controller):
    """`/api/sqal/spc`."""

    path = "/spc"
    tags = ("spc",)

    @get("/chart", summary="A control chart", dependencies={"period": period_of(timedelta(hours=24))})
    async def chart(
        self,
        store: NamedDependency[Store],
        rights: NamedDependency[Rights],
        period: NamedDependency[Period],
        *,
        index: IndexName = "final_score",
        kind: Kind = "individuals",
        per: Per = "piece",
        device_id: DeviceFilter = None,
        site_code: SiteFilter = None,
        lot_id: LotFilter = None,
        weight: Weight = 0.2,
        centre: Centre = None,
        sigma: Sigma = None,
    ) -> ControlChart:
        """Individuals or EWMA chart with its violations, 24 hours by default; seen from afar it is one of means.

        Raises BadRequestError for fewer than eight values.
        """
        if (centre is None) != (sigma is None):
            raise BadRequestError("centre", "and sigma come from one earlier study: both or neither")
        wanted = _wanted(rights, period, index, device_id=device_id, site_code=site_code, lot_id=lot_id)
        rows, bucket_s, total = await _series(store, wanted, by_piece=per == "piece")
        values = [row["value"] for row in rows]
        frozen = None if centre is None or sigma is None else (centre, sigma)
        try:
            if kind == "ewma":
                chart = await asyncio.to_thread(ewma_chart, values, weight=weight, target=centre, sigma=sigma)
            else:
                chart = await asyncio.to_thread(individuals_chart, values, frozen=frozen)
        except QualityError as error:
            raise BadRequestError(error.field, error.reason) from error
        return _answer(chart, rows, wanted, kind=kind, bucket_s=bucket_s, total=total)

    @get("/capability", summary="Capability", dependencies={"period": period_of(timedelta(hours=24))})
    async def capability(
        self,
        store: NamedDependency[Store],
        rights: NamedDependency[Rights],
        period: NamedDependency[Period],
        *,
        index: IndexName = "final_score",
        per: Per = "piece",
        device_id: DeviceFilter = None,
        site_code: SiteFilter = None,
        lot_id: LotFilter = None,
        lower: Lower = None,
        upper: Upper = None,
        confidence: Confidence = 0.95,
    ) -> CapabilityAnswer:
        """Cp and Cpk against one or two specification limits. Raises BadRequestError without any, or too few values."""
        wanted = _wanted(rights, period, index, device_id=device_id, site_code=site_code, lot_id=lot_id)
        rows = await store.rows("spc_values", **wanted, by_piece=per == "piece", limit=VALUES_MAX + 1)
        values = [row["value"] for row in rows[-VALUES_MAX:]]
        try:
            found = await asyncio.to_thread(capability, values, lower=lower, upper=upper, confidence=confidence)
        except QualityError as error:
            raise BadRequestError(error.field, error.reason) from error
        return CapabilityAnswer(
            index=index,
            device_id=device_id,
            start=period.start,
            end=period.end,
            lower=lower,
            upper=upper,
            confidence=confidence,
            mean=sum(values) / len(values),
            capability=found,
            is_truncated=len(rows) > VALUES_MAX,
        )

    @post("/gage-rr", summary="A gage study", opt=READS, status_code=200)
    async def gage(
        self, store: NamedDependency[Store], rights: NamedDependency[Rights], data: JSONBody[GageRequest]
    ) -> GageAnswer:
        """Repeatability and reproducibility of readings, given as values or as samples. Raises BadRequestError."""
        ids = [each.sample_id for each in data.readings if each.sample_id is not None]
        for name in (*ids, *(word for each in data.readings for word in (each.part, each.appraiser))):
            text_without_nul(name, "readings")
        rows = await store.rows("spc_of_samples", index=data.index, sample_ids=ids, sites=rights.sites) if ids else []
        known = {row["sample_id"]: row["value"] for row in rows}
        readings: list[tuple[str, str, float]] = []
        for number, each in enumerate(data.readings):
            value = each.value if each.sample_id is None else known.get(each.sample_id)
            if value is None:
                raise BadRequestError(f"readings[{number}].sample_id", f"no such sample with a {data.index}")
            readings.append((each.part, each.appraiser, value))
        try:
            table = crossed(readings)
            study = await asyncio.to_thread(gage_rr, table, tolerance=data.tolerance)
        except QualityError as error:
            raise BadRequestError(error.field, error.reason) from error
        parts, appraisers, trials = table.shape
        return GageAnswer(data.index, parts, appraisers, trials, msgspec.to_builtins(study))


def _wanted(
    rights: Rights, period: Period, index: str, *, device_id: str | None, site_code: str | None, lot_id: int | None
) -> dict[str, Any]:
    """The values of the statements. Raises BadRequestError, ForbiddenError."""
    return {
        "index": index,
        "start": period.start,
        "end": period.end,
        "device_id": text_without_nul(device_id, "device_id"),
        "sites": rights.narrow(site_code),
        "lot_id": lot_id,
    }


async def _series(store: Store, wanted: dict[str, Any], *, by_piece: bool) -> tuple[list[Row], float | None, int]:
    """The points, the span of each where they are means, and how many samples they stand for."""
    total: int = (await store.row("spc_count", **wanted) or {})["total"]
    if total <= POINTS_MAX:
        rows = await store.rows("spc_values", **wanted, by_piece=by_piece, limit=POINTS_MAX)
        return rows, None, total
    bucket_s = (wanted["end"] - wanted["start"]).total_seconds() / POINTS_MAX
    return await store.rows("spc_buckets", **wanted, bucket_s=bucket_s), bucket_s, total


def _answer(
    chart: Chart, rows: list[Row], wanted: dict[str, Any], *, kind: str, bucket_s: float | None, total: int
) -> ControlChart:
    rules: dict[int, list[int]] = {}
    for signal in chart.signals:
        rules.setdefault(signal.index, []).append(signal.rule)
    points = [
        Point(
            time=row["time"],
            value=row["value"],
            drawn=drawn,
            n=row.get("n", 1),
            sample_id=row.get("sample_id"),
            rules=rules.get(place, []),
        )
        for place, (row, drawn) in enumerate(zip(rows, chart.points, strict=True))
    ]
    return ControlChart(
        index=wanted["index"],
        kind=kind,
        device_id=wanted["device_id"],
        start=wanted["start"],
        end=wanted["end"],
        centre=chart.centre,
        lower=chart.lower,
        upper=chart.upper,
        sigma=chart.sigma,
        points=points,
        violations=len(rules),
        samples=total,
        aggregated=bucket_s is not None,
        bucket_s=bucket_s,
    )
