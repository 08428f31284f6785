"""Samples of a period as CSV, streamed: a table program opens it, and no answer is held in memory."""

import csv
import io
from collections.abc import AsyncGenerator, AsyncIterator
from contextlib import asynccontextmanager
from datetime import timedelta
from typing import Annotated, Any

import anyio
from litestar import get
from litestar.di import NamedDependency
from litestar.params import QueryParameter
from litestar.response import Stream

from cloud.api.params import DeviceFilter, Period, SiteFilter, period_of, text_without_nul
from cloud.api.problems import TooManyRequestsError
from cloud.api.rights import Rights
from cloud.store.reader import Store

EXPORTS_MAX = 2  # at once in a process: each holds a connection of the pool for as long as its reader takes
EXPORT_S = 300.0  # a reader that is slower than that is cut off
ROWS_MAX = 1_000_000
CHUNK_ROWS = 500
FORMULA = ("=", "+", "-", "@", "\t", "\r")  # what a table program would run instead of show
Limit = Annotated[int, QueryParameter(name="limit", ge=1, le=ROWS_MAX)]


class Exports:
    """How many exports run."""

    def __init__(self) -> None:
        self.running = 0

    @asynccontextmanager
    async def one(self) -> AsyncGenerator[None]:
        """Hold a place."""
        self.running += 1
        try:
            yield
        finally:
            self.running -= 1


@get(
    "/export/samples.csv",
    summary="Samples as CSV",
    tags=["samples"],
    dependencies={"period": period_of(timedelta(hours=24))},
    media_type="text/csv",
)
async def export_samples(
    store: NamedDependency[Store],
    rights: NamedDependency[Rights],
    exports: NamedDependency[Exports],
    period: NamedDependency[Period],
    *,
    device_id: DeviceFilter = None,
    site_code: SiteFilter = None,
    limit: Limit = 100_000,
) -> Stream:
    """The newest `limit` samples of a period (24 hours by default) without matrices, as CSV. Raises 429."""
    if exports.running >= EXPORTS_MAX:
        raise TooManyRequestsError(f"{EXPORTS_MAX} exports run already; try again soon", retry_after_s=10)
    values = {
        "start": period.start,
        "end": period.end,
        "device_id": text_without_nul(device_id, "device_id"),
        "sites": rights.narrow(site_code),
        "limit": limit,
    }
    headers = {"Content-Disposition": 'attachment; filename="samples.csv"', "X-Content-Type-Options": "nosniff"}
    return Stream(_lines(store, exports, values), media_type="text/csv; charset=utf-8", headers=headers)


async def _lines(store: Store, exports: Exports, values: dict[str, Any]) -> AsyncIterator[bytes]:
    async with exports.one():
        with anyio.fail_after(EXPORT_S):
            is_first = True
            async for rows in store.chunks("api_export", CHUNK_ROWS, **values):
                text = io.StringIO()
                writer = csv.writer(text)
                if is_first:
                    writer.writerow(rows[0])
                    is_first = False
                writer.writerows([[cell(value) for value in row.values()] for row in rows])
                yield text.getvalue().encode()
            if is_first:
                yield b""


def cell(value: Any) -> Any:
    """`value` as a table program shows it: a text that looks like a formula gets an apostrophe before it."""
    return "'" + value if isinstance(value, str) and value.startswith(FORMULA) else value
