"""`sqal cloud gage`: a gage R&R study from a table of readings."""

import csv
from pathlib import Path

import click
import msgspec

from cloud.store.reader import Store
from cloud.studies_gage import crossed
from quality.errors import QualityError
from quality.gage import gage_rr
from sqal.with_store import SETTINGS, with_store


@click.command()
@SETTINGS
@click.argument("table", type=click.Path(path_type=Path, dir_okay=False, exists=True))
@click.option("--index", default="volume_mm3", show_default=True, help="What is looked up where TABLE names samples.")
@click.option("--tolerance", type=click.FloatRange(0, min_open=True), help="Width of the specification.")
@click.option("--json", "as_json", is_flag=True, help="Print the study as JSON.")
def gage(file: Path | None, table: Path, index: str, tolerance: float | None, *, as_json: bool) -> None:
    """Repeatability and reproducibility of the readings in TABLE (CSV: part, appraiser, and value or sample_id)."""
    rows = _read(table)
    ids = [row["sample_id"] for row in rows if row.get("sample_id")]
    known: dict[str, float] = {}
    if ids:

        async def work(store: Store) -> dict[str, float]:
            found = await store.rows("spc_of_samples", index=index, sample_ids=ids, sites=None)
            return {row["sample_id"]: row["value"] for row in found if row["value"] is not None}

        known = with_store(file, work)
    try:
        readings = [(row["part"], row["appraiser"], _value(row, known, index)) for row in rows]
        study = gage_rr(crossed(readings), tolerance=tolerance)
    except (QualityError, ValueError) as error:
        raise click.ClickException(str(error)) from error
    if as_json:
        click.echo(msgspec.json.format(msgspec.json.encode(study), indent=2))
        return
    for name in ("repeatability", "reproducibility", "interaction", "rr", "part", "total"):
        click.echo(f"{name:<16}{getattr(study, name):>14.6g}")
    click.echo(f"R&R is {study.rr_share:.1%} of the total variation: {study.verdict}; {study.ndc} distinct categories")
    if study.p_t is not None:
        click.echo(f"R&R takes {study.p_t:.1%} of the tolerance")


def _read(table: Path) -> list[dict[str, str]]:
    try:
        with table.open(newline="", encoding="utf-8-sig") as content:
            reader = csv.DictReader(content)
            names = set(reader.fieldnames or ())
            if not {"part", "appraiser"} <= names or not names & {"value", "sample_id"}:
                raise click.ClickException(f"{table} needs the columns part, appraiser, and value or sample_id")
            return list(reader)
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        raise click.ClickException(f"{table}: {error}") from error


def _value(row: dict[str, str], known: dict[str, float], index: str) -> float:
    if row.get("value"):
        return float(row["value"])
    name = row.get("sample_id") or ""
    if name not in known:
        raise QualityError("sample_id", f"no sample {name!r} with a {index}")
    return known[name]
