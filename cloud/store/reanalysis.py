"""Samples of a period, read and analysed again part by part: what is held does not grow with the period."""

import asyncio
import time
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from cloud.comparison import Comparison, ComparisonReport
from cloud.reanalysis import Recomputed, Skipped, reanalyse
from cloud.recipes import RecipeError
from cloud.store.reader import Row, Store
from cloud.store.recipes import load_recipe
from cloud.studies import Calibration, calibration_of
from quality.calibration import SpectralCalibration, TofCalibration
from quality.errors import QualityError
from quality.recipe import Recipe

ORIGINAL = "original"
CHUNK_ROWS = 100
CACHED_MAX = 1_000  # calibrations and recipes; a device has some a month

OnLines = Callable[[Sequence[list[Any]]], Awaitable[None]]


@dataclass(frozen=True, slots=True)
class Wanted:
    """Which samples, and with what. recipe: a label, or ORIGINAL for each sample's own. sites: None for every site."""

    recipe: str
    start: datetime
    end: datetime
    device_id: str | None = None
    sites: list[str] | None = None
    limit: int = 2**31 - 1


@dataclass(slots=True)
class _Known:
    """Calibrations and recipes that were read already; None for those that are not there."""

    store: Store
    recipe: Recipe | None
    calibrations: dict[tuple[str, str], Calibration | None] = field(
        default_factory=dict[tuple[str, str], "Calibration | None"]
    )
    recipes: dict[str, Recipe | None] = field(default_factory=dict[str, "Recipe | None"])

    async def calibration(self, device_id: str, calibration_id: str) -> Calibration | None:
        """A device's calibration by its id."""
        key = (device_id, calibration_id)
        if key not in self.calibrations:
            row = await self.store.row("calibration", device_id=device_id, calibration_id=calibration_id)
            if len(self.calibrations) >= CACHED_MAX:
                self.calibrations.clear()
            self.calibrations[key] = None if row is None else calibration_of(row["sensor"], row["calibration_values"])
        return self.calibrations[key]

    async def recipe_for(self, row: Row) -> Recipe | None:
        """The recipe to judge a sample by."""
        if self.recipe is not None:
            return self.recipe
        label: str = row["recipe"] or ""
        if label not in self.recipes:
            if len(self.recipes) >= CACHED_MAX:
                self.recipes.clear()
            try:
                self.recipes[label] = await load_recipe(self.store, label)
            except RecipeError:
                self.recipes[label] = None
        return self.recipes[label]


Job = tuple[Row, TofCalibration, SpectralCalibration, Recipe] | tuple[Row, Skipped]


async def compare(store: Store, wanted: Wanted, *, on_lines: OnLines | None = None) -> ComparisonReport:
    """Analyse the samples again and say what differs. on_lines gets the line of every sample, part by part.

    Raises RecipeError for a recipe that is not there. Nothing is written.
    """
    recipe = None if wanted.recipe == ORIGINAL else await load_recipe(store, wanted.recipe)
    known = _Known(store, recipe)
    comparison = Comparison()
    began_s = time.monotonic()
    values = {name: getattr(wanted, name) for name in ("start", "end", "device_id", "sites")}
    total = (await store.row("reanalysis_count", **values) or {})["total"]
    async for rows in store.chunks("reanalysis_samples", CHUNK_ROWS, **values, limit=wanted.limit):
        jobs = [await _job(known, row) for row in rows]
        lines = await asyncio.to_thread(_analyse, jobs, comparison)
        if on_lines is not None:
            await on_lines(lines)
    return comparison.report(
        recipe=wanted.recipe,
        start=wanted.start.isoformat(),
        end=wanted.end.isoformat(),
        device_id=wanted.device_id,
        is_truncated=total > comparison.samples,
        seconds=time.monotonic() - began_s,
    )


async def _job(known: _Known, row: Row) -> Job:
    """A sample with all that its analysis needs, or why it cannot be had."""
    if row["calibration_tof"] is None or row["calibration_spectral"] is None:
        return row, Skipped("calibration_not_named")
    tof = await known.calibration(row["device_id"], row["calibration_tof"])
    spectral = await known.calibration(row["device_id"], row["calibration_spectral"])
    if not isinstance(tof, TofCalibration) or not isinstance(spectral, SpectralCalibration):
        return row, Skipped("calibration_unknown")
    recipe = await known.recipe_for(row)
    if recipe is None:
        return row, Skipped("recipe_unknown")
    return row, tof, spectral, recipe


def _analyse(jobs: Sequence[Job], comparison: Comparison) -> list[list[Any]]:
    lines: list[list[Any]] = []
    for job in jobs:
        found: Recomputed | Skipped
        if len(job) == 2:
            found = job[1]
        else:
            try:
                found = reanalyse(*job)
            except QualityError as error:
                found = Skipped(f"unusable_{error.field}")
        lines.append(comparison.add(job[0], found))
    return lines
