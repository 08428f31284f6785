"""Goal: charts, capability, gage studies and the register of models answer as asked, from a real database."""

import csv
import hashlib
import math
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import psycopg
import pytest
from click.testing import CliRunner

from quality.spc import capability, individuals_chart
from sqal.commands.gage import gage as gage_command
from sqal.commands.model import model as model_command
from tests.kit.fix_closed import Closed
from tests.kit.fix_database import Database
from tests.kit.fix_ingest import rows
from tests.kit.fix_serve import Served
from tests.kit.rows import put_samples, sample_row

START = datetime.now(UTC).replace(microsecond=0) - timedelta(hours=2)
NAMES = ("part", "appraiser", "value")


def scores() -> Iterator[float]:
    """A quiet process that leaves its limits once, at the end."""
    for number in range(59):
        yield round(0.80 + 0.02 * math.sin(2.1 * number), 4)
    yield 0.5


@pytest.fixture
def sixty(store: Database) -> list[float]:
    values = list(scores())
    put_samples(store.dsn, [sample_row(START + timedelta(seconds=n), each) for n, each in enumerate(values)])
    return values


async def test_a_chart_says_what_the_science_says(served: Served, sixty: list[float]) -> None:
    found = (await served.get("spc/chart", device_id="ESP32_LL_01")).json()
    expected = individuals_chart(sixty)
    assert (found["centre"], found["upper"]) == pytest.approx((expected.centre, expected.upper))
    assert [each["value"] for each in found["points"]] == sixty
    marked = {place: each["rules"] for place, each in enumerate(found["points"]) if each["rules"]}
    assert marked[59] == [1]
    assert found["violations"] == len(marked)
    assert (found["samples"], found["aggregated"], found["bucket_s"]) == (60, False, None)
    frozen = (await served.get("spc/chart", centre=0.5, sigma=0.01)).json()
    assert frozen["violations"] >= 59
    ewma = (await served.get("spc/chart", kind="ewma")).json()
    assert ewma["points"][59]["drawn"] > ewma["points"][59]["value"]
    for wrong, path in (
        ({"centre": 1}, "centre"),
        ({"index": "fat_percent"}, "index"),
        ({"device_id": "ESP32_LS_01"}, "values"),
        ({"weight": 0}, "weight"),
    ):
        refused = await served.get("spc/chart", **wrong)
        assert (refused.status_code, refused.json()["errors"][0]["path"]) == (400, path), refused.text


async def test_measurements_of_one_piece_are_one_value(served: Served, store: Database, sixty: list[float]) -> None:
    with psycopg.connect(store.dsn) as connection:
        connection.execute("UPDATE sqal_sensor_samples SET piece_id = 'p' || (EXTRACT(second FROM time)::INTEGER / 3)")
    found = (await served.get("spc/chart", per="piece")).json()
    assert len(found["points"]) == len(
        {stamp.second // 3 for stamp in (START + timedelta(seconds=n) for n in range(60))}
    )
    assert len((await served.get("spc/chart", per="sample")).json()["points"]) == 60


async def test_a_long_period_is_seen_from_afar(served: Served, store: Database) -> None:
    put_samples(store.dsn, [sample_row(START + timedelta(seconds=2 * n), 0.8 + 0.001 * (n % 7)) for n in range(2100)])
    found = (await served.get("spc/chart", start_time=START.isoformat())).json()
    assert (found["aggregated"], found["samples"]) == (True, 2100)
    assert len(found["points"]) <= 2000
    assert sum(each["n"] for each in found["points"]) == 2100


async def test_capability_has_its_limits(served: Served, sixty: list[float]) -> None:
    found = (await served.get("spc/capability", lower=0.6, upper=1.0)).json()
    expected = capability(sixty, lower=0.6, upper=1.0)
    assert found["capability"]["cpk"] == pytest.approx(expected.cpk)
    assert found["capability"]["cpk_low"] < found["capability"]["cpk"] < found["capability"]["cpk_high"]
    assert (found["capability"]["stable"], found["is_truncated"]) == (expected.stable, False)
    assert (await served.get("spc/capability")).json()["errors"][0]["path"] == "lower"
    assert (await served.get("spc/capability", lower="nan")).status_code == 400


def readings() -> list[dict[str, Any]]:
    """Five parts, two appraisers, three trials; what differs is mostly the parts."""
    return [
        {"part": f"P{part}", "appraiser": who, "value": 100.0 * part + 2.0 * (who == "B") + trial * (-1) ** part}
        for part in range(5)
        for who in "AB"
        for trial in range(3)
    ]


async def test_a_gage_study_by_api_and_command(served: Served, store: Database, tmp_path: Path) -> None:
    asked = await served.http.post("/api/sqal/spc/gage-rr", json={"readings": readings(), "tolerance": 100})
    assert asked.status_code == 200, asked.text
    found = asked.json()
    assert (found["parts"], found["appraisers"], found["trials"], found["study"]["verdict"]) == (5, 2, 3, "good")
    uneven = await served.http.post("/api/sqal/spc/gage-rr", json={"readings": readings()[:-1]})
    assert "P4 by B: 2 readings, others have 3" in uneven.json()["detail"]
    put_samples(store.dsn, [sample_row(START + timedelta(seconds=n), sample_id=f"s{n}") for n in range(30)])
    with psycopg.connect(store.dsn) as connection:
        for number, each in enumerate(readings()):
            connection.execute(
                "UPDATE sqal_sensor_samples SET vl53l8ch_volume_mm3 = %s WHERE sample_id = %s",
                (each["value"], f"s{number}"),
            )
    named = [
        {"part": each["part"], "appraiser": each["appraiser"], "sample_id": f"s{n}"}
        for n, each in enumerate(readings())
    ]
    by_id = await served.http.post("/api/sqal/spc/gage-rr", json={"readings": named, "tolerance": 100})
    assert by_id.json()["study"] == pytest.approx(found["study"])
    unknown = [*named[:-1], {**named[-1], "sample_id": "none"}]
    refused = await served.http.post("/api/sqal/spc/gage-rr", json={"readings": unknown})
    assert refused.json()["errors"][0]["path"] == "readings[29].sample_id"
    table = tmp_path / "study.csv"
    with table.open("w", newline="") as content:
        writer = csv.DictWriter(content, NAMES)
        writer.writeheader()
        writer.writerows(readings())
    done = CliRunner().invoke(gage_command, [str(table), "--tolerance", "100"])
    assert done.exit_code == 0, done.output
    assert "good" in done.output


async def test_models_are_registered_and_one_of_a_kind_is_in_use(closed: Closed, store: Database) -> None:
    wanted = {"model_name": "grades", "model_type": "grade", "version": "1", "file_sha256": "a" * 64, "accuracy": 0.91}
    assert (await closed.ask("viewer", "POST", "/api/sqal/models", json=wanted)).status_code == 403
    assert (await closed.ask("at LL", "POST", "/api/sqal/models", json=wanted)).status_code == 403
    first = (await closed.ask("operator", "POST", "/api/sqal/models", json=wanted)).json()
    assert (first["accuracy"], first["is_active"], first["registered_by"]) == (0.91, False, "token:operator")
    assert (await closed.ask("operator", "POST", "/api/sqal/models", json=wanted)).status_code == 409
    second = (await closed.ask("operator", "POST", "/api/sqal/models", json={**wanted, "version": "2"})).json()
    for wrong in ({"file_sha256": "A" * 64}, {"accuracy": 1.1}, {"metrics": {"a b": 1.0}}, {"model_name": ""}):
        refused = await closed.ask("operator", "POST", "/api/sqal/models", json={**wanted, "version": "3", **wrong})
        assert refused.status_code == 400, wrong

    def url(model: dict[str, Any], word: str) -> str:
        return f"/api/sqal/models/{model['model_id']}/{word}"

    assert (await closed.ask("operator", "POST", url(first, "activate"))).status_code == 403
    for model in (first, second):
        done = await closed.ask("admin", "POST", url(model, "activate"))
        assert (done.status_code, done.json()["is_active"]) == (200, True)
    listed = (await closed.ask("viewer", "GET", "/api/sqal/models")).json()["models"]
    assert [(each["version"], each["is_active"]) for each in listed] == [("2", True), ("1", False)]
    assert (await closed.ask("admin", "POST", url(second, "retire"))).json()["retired_by"] == "token:admin"
    assert (await closed.ask("admin", "POST", url(second, "activate"))).status_code == 409
    assert (await closed.ask("admin", "POST", "/api/sqal/models/999/retire")).status_code == 404
    audited = rows(
        store.dsn, "SELECT count(*) FROM sqal_audit WHERE outcome = 'done' AND target LIKE '/api/sqal/models/%%'"
    )
    assert audited == [(3,)]


def test_the_command_takes_the_hash_from_the_file(store: Database, tmp_path: Path) -> None:
    source = tmp_path / "grades.onnx"
    source.write_bytes(b"weights")
    environment = {"SQAL_DATABASE_URL": store.dsn}

    def sqal(*words: str) -> str:
        done = CliRunner().invoke(model_command, words, env=environment)
        assert done.exit_code == 0, done.output
        return done.output

    named = (
        "--name",
        "grades",
        "--kind",
        "grade",
        "--version",
        "1",
        "--metric",
        "accuracy=0.9",
        "--metric",
        "auc=0.95",
    )
    assert hashlib.sha256(b"weights").hexdigest() in sqal("register", str(source), *named)
    assert "in use" in sqal("activate", "1")
    assert "in use" in sqal("list")
    sqal("retire", "1")
    query = "SELECT accuracy::FLOAT, metrics, file_bytes, is_active FROM sqal_ml_models"
    assert rows(store.dsn, query) == [(0.9, {"auc": 0.95}, 7, False)]
    again = CliRunner().invoke(model_command, ["activate", "1"], env=environment)
    assert (again.exit_code, "retired" in again.output) == (1, True)


async def test_reference_pieces_are_for_admins_of_their_site(closed: Closed) -> None:
    body = {
        "reference_id": "REF-8",
        "figures": {"volume_mm3": {"value": 5e5, "tolerance": 1e4}},
        "every_s": 86400,
        "valid_until": "2100-01-01T00:00:00Z",
        "site_code": "LL",
    }
    assert (await closed.ask("operator", "POST", "/api/sqal/references", json=body)).status_code == 403
    made = await closed.ask("admin", "POST", "/api/sqal/references", json=body)
    assert (made.status_code, made.json()["figures"]) == (201, body["figures"])
    assert (await closed.ask("admin", "POST", "/api/sqal/references", json=body)).status_code == 409
    for wrong in (
        {"figures": {"a b": {"value": 1.0, "tolerance": 0.1}}},
        {"figures": {"volume_mm3": {"value": 1.0, "tolerance": 0}}},
        {"valid_until": "2020-01-01T00:00:00Z"},
        {"valid_until": "2100-01-01T00:00:00"},
        {"every_s": 1},
    ):
        refused = await closed.ask("admin", "POST", "/api/sqal/references", json={**body, "reference_id": "X", **wrong})
        assert refused.status_code == 400, (wrong, refused.text)
    due = (await closed.ask("viewer", "GET", "/api/sqal/challenges/due")).json()
    assert [(each["device_id"], each["passed_at"]) for each in due["due"]] == [("ESP32_LL_01", None)]
    retired = await closed.ask("admin", "POST", "/api/sqal/references/REF-8/retire")
    assert retired.json()["retired_by"] == "token:admin"
    assert (await closed.ask("viewer", "GET", "/api/sqal/challenges/due")).json()["due"] == []
    start = {"device_id": "ESP32_LL_01", "reference_id": "REF-8"}
    assert (await closed.ask("operator", "POST", "/api/sqal/challenges/start", json=start)).status_code == 409
