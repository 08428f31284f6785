"""`sqal cloud reanalyse`: what another recipe would have made of a period."""

import csv
from collections.abc import Sequence
from datetime import datetime
from pathlib import Path
from typing import Any, TextIO

import click
import msgspec

from cloud.api.export import cell
from cloud.api.params import moment
from cloud.api.problems import BadRequestError
from cloud.comparison import LINE_COLUMNS, ComparisonReport, as_text
from cloud.store.reader import Store
from cloud.store.reanalysis import ORIGINAL, Wanted, compare
from sqal.with_store import SETTINGS, with_store

PROGRESS_ROWS = 5_000


@click.command()
@SETTINGS
@click.option("--from", "start", required=True, help="First moment, RFC 3339 or a date; UTC unless it says otherwise.")
@click.option("--to", "end", required=True, help="First moment that is not included.")
@click.option("--device", "device_id", help="Only this device.")
@click.option(
    "--recipe", required=True, help=f"NAME@VERSION, or {ORIGINAL}: each sample's own, to check what is stored."
)
@click.option("--format", "shape", type=click.Choice(["text", "json"]), default="text", show_default=True)
@click.option(
    "--out", type=click.Path(path_type=Path, dir_okay=False), help="Write the report here, not to the screen."
)
@click.option("--samples", type=click.Path(path_type=Path, dir_okay=False), help="List every sample in this CSV file.")
def reanalyse(
    file: Path | None,
    *,
    start: str,
    end: str,
    device_id: str | None,
    recipe: str,
    shape: str,
    out: Path | None,
    samples: Path | None,
) -> None:
    """Analyse stored samples again from what was measured, and compare. Nothing stored is changed.

    Exits with 1 when, with the original recipe, a sample that lacks nothing does not come back as stored.
    """
    wanted = Wanted(recipe, _moment(start, "--from"), _moment(end, "--to"), device_id)
    if wanted.start >= wanted.end:
        raise click.ClickException("--from must lie before --to")
    try:
        if samples is None:
            report = with_store(file, lambda store: compare(store, wanted, on_lines=_Lines(None).take))
        else:
            with samples.open("w", newline="", encoding="utf-8") as listing:
                report = with_store(file, lambda store: _listed(store, wanted, listing))
        words = as_text(report) if shape == "text" else _json(report)
        if out is None:
            click.echo(words, nl=False)
        else:
            out.write_text(words, encoding="utf-8")
    except OSError as error:
        raise click.ClickException(f"{error.filename}: {error.strerror}") from error
    if recipe == ORIGINAL and report.exactness.among_complete:
        raise click.exceptions.Exit(1)


class _Lines:
    """Writes the lines of samples, and says now and then how far it is."""

    def __init__(self, listing: TextIO | None) -> None:
        self._writer = None if listing is None else csv.writer(listing)
        self._done = 0
        if self._writer is not None:
            self._writer.writerow(LINE_COLUMNS)

    async def take(self, lines: Sequence[list[Any]]) -> None:
        """One part."""
        if self._writer is not None:
            self._writer.writerows([cell(value) for value in line] for line in lines)
        before, self._done = self._done, self._done + len(lines)
        if before // PROGRESS_ROWS != self._done // PROGRESS_ROWS:
            click.echo(f"{self._done} samples", err=True)


async def _listed(store: Store, wanted: Wanted, listing: TextIO) -> ComparisonReport:
    return await compare(store, wanted, on_lines=_Lines(listing).take)


def _json(report: ComparisonReport) -> str:
    return msgspec.json.format(msgspec.json.encode(report), indent=2).decode() + "\n"


def _moment(text: str, option: str) -> datetime:
    try:
        return moment(text, option)
    except BadRequestError as error:
        raise click.ClickException(error.detail) from error
