"""`/api/sqal/reanalysis`: what another recipe would have made of a period. Reads, computes, writes nothing.

One runs at a time in a process, over a bounded number of samples; longer ones belong to `sqal cloud reanalyse`.
"""

import csv
import io
from collections.abc import Sequence
from datetime import timedelta
from typing import Annotated, Any, Literal

import msgspec
from litestar import Response, get
from litestar.di import NamedDependency
from litestar.params import QueryParameter

from cloud.api.export import cell
from cloud.api.params import DeviceFilter, Period, SiteFilter, period_of, text_without_nul
from cloud.api.problems import BadRequestError, TooManyRequestsError
from cloud.api.rights import OPERATOR, Rights
from cloud.comparison import LINE_COLUMNS, ComparisonReport, as_text
from cloud.recipes import RecipeError
from cloud.store.reader import Store
from cloud.store.reanalysis import ORIGINAL, Wanted, compare

SAMPLES_MAX = 20_000
RecipeLabel = Annotated[
    str, QueryParameter(name="recipe", max_length=100, description=f"a label, or `{ORIGINAL}`: each sample's own")
]
Limit = Annotated[int, QueryParameter(name="limit", ge=1, le=SAMPLES_MAX)]
Shape = Annotated[Literal["json", "text", "csv"], QueryParameter(name="format")]


class Reanalyses:
    """Whether one runs."""

    def __init__(self) -> None:
        self.running = False


@get(
    "/reanalysis",
    summary="What another recipe would have said",
    tags=["recipes"],
    opt=OPERATOR,
    dependencies={"period": period_of(timedelta(hours=24))},
)
async def reanalysis(
    store: NamedDependency[Store],
    rights: NamedDependency[Rights],
    reanalyses: NamedDependency[Reanalyses],
    period: NamedDependency[Period],
    *,
    recipe: RecipeLabel,
    device_id: DeviceFilter = None,
    site_code: SiteFilter = None,
    limit: Limit = 5_000,
    format: Shape = "json",  # noqa: A002  # the name in the query
) -> Response[bytes]:
    """The comparison as JSON or text, or every sample as CSV; the first `limit` of a period (24 h). Raises 400, 429."""
    wanted = Wanted(
        text_without_nul(recipe, "recipe") or "",
        period.start,
        period.end,
        text_without_nul(device_id, "device_id"),
        rights.narrow(site_code),
        limit,
    )
    if reanalyses.running:
        raise TooManyRequestsError("another re-analysis runs in this process; try again soon", retry_after_s=10)
    reanalyses.running = True
    lines = _Lines() if format == "csv" else None
    try:
        report = await compare(store, wanted, on_lines=None if lines is None else lines.take)
    except RecipeError as error:
        raise BadRequestError("recipe", error.reason) from error
    finally:
        reanalyses.running = False
    return _answer(report, lines, format)


class _Lines:
    """The lines of samples as CSV; SAMPLES_MAX of them are some 5 MB."""

    def __init__(self) -> None:
        self.text = io.StringIO()
        self._writer = csv.writer(self.text)
        self._writer.writerow(LINE_COLUMNS)

    async def take(self, lines: Sequence[list[Any]]) -> None:
        """One part."""
        self._writer.writerows([cell(value) for value in line] for line in lines)


def _answer(report: ComparisonReport, lines: _Lines | None, shape: str) -> Response[bytes]:
    if lines is not None:
        headers = {"Content-Disposition": 'attachment; filename="reanalysis.csv"'}
        return Response(lines.text.getvalue().encode(), media_type="text/csv; charset=utf-8", headers=headers)
    if shape == "text":
        return Response(as_text(report).encode(), media_type="text/plain; charset=utf-8")
    return Response(msgspec.json.encode(report), media_type="application/json")
