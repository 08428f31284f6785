"""Goal: analysed again with its own recipe a period comes back bit for bit; with another the report says what moves.

Method: pieces judged by the line's functions, sent through a real ingester into a real database, analysed again by the
command and by the API; then some stored values spoiled, to see that the check can fail.
"""

import asyncio
import csv
import io
import json
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import psycopg
import pytest
from click.testing import CliRunner

from cloud.reanalysis import FIELDS, stored_form
from sqal.commands.reanalyse import reanalyse as command
from tests.kit.fix_ingest import TestDevice, rows
from tests.kit.fix_serve import Served
from tests.kit.pieces import calibrated, piece
from tests.kit.samples import as_bytes, sample

NewDevice = Callable[..., Awaitable[TestDevice]]
PIECES = 40
STRICT = {"name": "strict", "tof": {"volume_min_mm3": 600000.0, "volume_max_mm3": 900000.0}}


@pytest.fixture
async def measured(line: Served, new_device: NewDevice) -> Served:
    """Calibrations, PIECES pieces, and one sample of a sender that names no calibration."""
    device = await new_device(line.settings.broker.port)
    now = datetime.now(UTC) - timedelta(minutes=1)
    await device.send(as_bytes(calibrated(now)), "event")
    for seq in range(2, PIECES + 2):
        await device.send(as_bytes(piece(seq, now + timedelta(seconds=seq))))
    await device.send(as_bytes(sample(PIECES + 2, at=now)))
    await device.until(lambda each: len(each.stored) + len(each.rejected) == PIECES + 2)
    assert not device.rejected, device.errors
    return line


def run(served: Served, *words: str) -> Any:
    day = datetime.now(UTC)
    period = ("--from", (day - timedelta(days=1)).isoformat(), "--to", (day + timedelta(days=1)).isoformat())
    environment = {"SQAL_DATABASE_URL": served.settings.database.url}
    return CliRunner().invoke(command, [*period, *words], env=environment)


async def test_the_original_comes_back_bit_for_bit_and_a_spoiled_row_is_found(measured: Served, tmp_path: Path) -> None:
    before = rows(measured.settings.database.url, "SELECT * FROM sqal_sensor_samples ORDER BY time")
    out, listing = tmp_path / "report.json", tmp_path / "samples.csv"
    words = ("--recipe", "original", "--format", "json", "--out", str(out), "--samples", str(listing))
    done = await asyncio.to_thread(run, measured, *words)
    report = json.loads(out.read_text())
    assert report["exactness"]["identical"] == report["exactness"]["compared"] == PIECES, report["exactness"]
    assert done.exit_code == 0, done.output
    assert report["skipped"] == {"calibration_not_named": 1}
    assert (report["grades_changed"], report["assumed"]) == (0, {})
    assert report["samples_per_s"] > 20
    lines = list(csv.DictReader(io.StringIO(listing.read_text())))
    assert len(lines) == PIECES + 1
    assert rows(measured.settings.database.url, "SELECT * FROM sqal_sensor_samples ORDER BY time") == before
    with psycopg.connect(measured.settings.database.url) as connection:
        connection.execute(
            "UPDATE sqal_sensor_samples SET as7341_freshness_index = as7341_freshness_index / 2 WHERE piece_id = 'p7'"
        )
    done = await asyncio.to_thread(run, measured, *words)
    assert done.exit_code == 1
    differences = json.loads(out.read_text())["exactness"]["differences"]
    assert [(each["field"], each["samples"]) for each in differences] == [("as7341_freshness_index", 1)]


async def test_what_was_not_stored_is_assumed_and_said(measured: Served) -> None:
    with psycopg.connect(measured.settings.database.url) as connection:
        connection.execute("UPDATE sqal_sensor_samples SET vl53l8ch_sigma_matrix = NULL WHERE piece_id = 'p3'")
        connection.execute("UPDATE sqal_sensor_samples SET as7341_clear_halves = NULL WHERE piece_id = 'p4'")
        connection.execute(
            "UPDATE sqal_sensor_samples SET details = jsonb_set(details, '{tof,frames}', '9') WHERE piece_id = 'p5'"
        )
    done = await asyncio.to_thread(run, measured, "--recipe", "original")
    assert done.exit_code == 0, "a sample that lacks something is no fault"
    for words in ("note: 1 sigma_assumed", "note: 1 halves_assumed", "note: 1 geometry_kept", f"of {PIECES} samples"):
        assert words in done.output


async def test_another_recipe_is_compared_and_nothing_is_written(measured: Served) -> None:
    made = await measured.http.post("/api/sqal/recipes", json={"values": STRICT})
    assert made.json()["label"] == "strict@1"
    answer = await measured.get("reanalysis", recipe="strict@1", start_time=datetime.now(UTC) - timedelta(days=1))
    report = answer.json()
    assert answer.status_code == 200, answer.text
    assert report["recomputed"] == PIECES
    assert report["worse"] == report["grades_changed"] > 0
    counted = sum(count for counts in report["confusion"].values() for count in counts.values())
    assert counted == PIECES
    shift = next(each for each in report["shifts"] if each["figure"] == "vl53l8ch_quality_score")
    assert shift["mean_shift"] < 0
    assert sum(shift["histogram_before"]) == sum(shift["histogram_after"]) == PIECES
    same = next(each for each in report["shifts"] if each["figure"] == "as7341_oxidation_index")
    assert same["mean_shift"] == same["sd_shift"] == 0.0
    listed = await measured.get("reanalysis", recipe="strict@1", format="csv")
    outcomes = [each["outcome"] for each in csv.DictReader(io.StringIO(listed.text))]
    assert sorted(set(outcomes)) == ["calibration_not_named", "recomputed"]
    first = (await measured.get("reanalysis", recipe="strict@1", limit=10)).json()
    assert (first["samples"], first["is_truncated"]) == (10, True)
    assert "grades changed" in (await measured.get("reanalysis", recipe="strict@1", format="text")).text
    for wrong, path in (({"recipe": "x@1"}, "recipe"), ({"recipe": "x"}, "recipe"), ({}, "recipe")):
        refused = await measured.get("reanalysis", **wrong)
        assert (refused.status_code, refused.json()["errors"][0]["path"]) == (400, path)
    assert (await asyncio.to_thread(run, measured, "--recipe", "x@1")).exit_code == 1


def test_a_figure_is_compared_as_the_database_rounds_it() -> None:
    assert stored_form(0.12345, 4) == 0.1235
    assert stored_form(0.123449999999, 4) == 0.1234
    assert stored_form(1 / 3, None) == 1 / 3
    assert stored_form(None, 4) is None
    assert len({each.column for each in FIELDS}) == len(FIELDS)
