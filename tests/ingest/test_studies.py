"""Goal: what devices report of calibrations and challenge tests is kept whole, checked, shown, and rings in time."""

import csv
import io
import uuid
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import msgspec
import psycopg
import pytest

from cloud.commit import Rules
from cloud.judge import Refusal, judge
from cloud.store.queries import Queries
from cloud.store.samples import Place
from cloud.store.session import open_session
from cloud.watch import watch_studies
from contract.codec import decode
from contract.messages import Command
from messaging import Client, Subscription
from quality.calibration import SpectralCalibration, TofCalibration, nominal_tof_calibration
from tests.kit.fix_broker import OwnBroker
from tests.kit.fix_database import Database
from tests.kit.fix_ingest import SQL, TestDevice, rows, value
from tests.kit.fix_serve import Served
from tests.kit.samples import as_bytes, event, sample

NewDevice = Callable[..., Awaitable[TestDevice]]
FIGURE = {"figure": "volume_mm3", "expected": 5e5, "tolerance": 1e4, "found": 5.02e5, "deviation": 2e3, "passed": True}


def calibration(number: int, at: datetime, **changes: Any) -> dict[str, Any]:
    name = f"LL-tof-{number}"
    values = msgspec.to_builtins(nominal_tof_calibration(180.0, name))
    record = {"calibration_id": name, "sensor": "tof", "procedure": "belt", "measured_at": at.isoformat()}
    return {**record, "values": values, **changes}


def reported(seq: int, at: datetime, *records: dict[str, Any]) -> bytes:
    return as_bytes(event(seq, "calibration", timestamp=at.isoformat(), data={"calibrations": list(records)}))


def put_reference(dsn: str) -> None:
    """A piece of LL that must be passed once a day."""
    with psycopg.connect(dsn) as connection:
        connection.execute(
            """INSERT INTO sqal_references (reference_id, site_code, figures, every_s, valid_until, created_by,
            created_at) VALUES ('REF-7', 'LL', '{"volume_mm3": {"value": 5e5, "tolerance": 1e4}}', 86400,
            '2030-01-01', 'x', NOW())"""
        )


def challenge(seq: int, at: datetime, **changes: Any) -> bytes:
    data = {"reference": "REF-7", "taken_at": at.isoformat(), "passed": True, "readings": 5, "lines": [FIGURE]}
    return as_bytes(event(seq, "challenge", timestamp=at.isoformat(), data=data | changes))


async def test_a_calibration_is_kept_whole_shown_and_drift_rings(line: Served, new_device: NewDevice) -> None:
    device = await new_device(line.settings.broker.port)
    now = datetime.now(UTC)
    drift = [{"figure": "belt_mm", "before": 180.0, "after": 183.0, "limit": 2.0}]
    until = (now + timedelta(days=30)).isoformat()
    await device.send(reported(1, now, calibration(1, now - timedelta(minutes=1))), "event")
    await device.send(reported(2, now, calibration(2, now, drift=drift, valid_until=until)), "event")
    await device.until(lambda each: len(each.stored) == 2)
    page = (await line.get("calibrations", device_id="ESP32_LL_01")).json()
    shown = [(each["calibration_id"], each["status"], each["drifted"]) for each in page["calibrations"]]
    assert shown == [("LL-tof-2", "valid", ["belt_mm"]), ("LL-tof-1", "superseded", [])]
    assert 29.9 < page["calibrations"][0]["days_left"] <= 30
    first = (await line.get("calibrations", limit=1)).json()
    second = (await line.get("calibrations", limit=1, before=first["next"])).json()
    assert second["calibrations"][0]["calibration_id"] == "LL-tof-1"
    one = (await line.get("calibrations/ESP32_LL_01/LL-tof-2")).json()
    assert msgspec.convert(one["values"], TofCalibration) == nominal_tof_calibration(180.0, "LL-tof-2")
    assert (await line.get("calibrations/ESP32_LL_01/none")).status_code == 404
    dsn = line.settings.database.url
    query = "SELECT alert_type, state, params ->> 'figure' FROM sqal_alert_state"
    assert rows(dsn, query) == [("calibration_drift", "unacknowledged", "belt_mm")]
    for seq in range(3, 9):  # good pieces do not put a calibration right
        await device.send(as_bytes(sample(seq, at=now + timedelta(milliseconds=seq))))
    await device.until(lambda each: len(each.stored) == 8)
    assert value(dsn, "SELECT state FROM sqal_alert_state") == "unacknowledged"
    await device.send(reported(9, now, calibration(3, now + timedelta(seconds=1))), "event")
    await device.until(lambda each: len(each.stored) == 9)
    assert value(dsn, "SELECT state FROM sqal_alert_state") == "returned_unacknowledged"
    with psycopg.connect(dsn) as connection, pytest.raises(psycopg.errors.RaiseException, match="only ever added"):
        connection.execute("UPDATE sqal_calibrations SET drift = '[]'")


@pytest.mark.parametrize(
    ("data", "path"),
    [
        ({"calibrations": [calibration(1, datetime.now(UTC), values={"id": "x"})]}, "$.data.calibrations[0]"),
        (
            {"calibrations": [calibration(1, datetime.now(UTC), values={"id": "LL-tof-1"})]},
            "$.data.calibrations[0].values",
        ),
        ({"calibrations": [calibration(1, datetime.now(UTC), sensor="nose")]}, "$.data.calibrations[0].sensor"),
    ],
)
async def test_a_calibration_that_cannot_be_is_refused_with_its_path(
    line: Served, new_device: NewDevice, data: dict[str, Any], path: str
) -> None:
    device = await new_device(line.settings.broker.port)
    await device.send(as_bytes(event(1, "calibration", data=data)), "event")
    await device.until(lambda each: len(each.errors) == 1)
    assert device.errors[0].path == path
    assert value(line.settings.database.url, "SELECT count(*) FROM sqal_calibrations") == 0


def test_a_spectral_calibration_with_swapped_white_and_dark_is_refused() -> None:
    dark, white = (20.0,) * 10, (9000.0,) * 10
    good = SpectralCalibration("s", dark, white, (9000.0, 9000.0), gain=64.0, integration_ms=50.0)
    values = msgspec.to_builtins(good)
    now = datetime(2026, 3, 3, tzinfo=UTC)
    for swapped in (False, True):
        if swapped:
            values |= {"dark_counts": list(white), "white_counts": list(dark)}
        record = calibration(1, now, calibration_id="s", sensor="spectral", procedure="dark_white", values=values)
        payload = reported(1, now, record)
        verdict = judge(
            "sqal/v1/LL/line1/ESP32_LL_01/event",
            payload,
            registry={"ESP32_LL_01": Place("ESP32_LL_01", "LL", "line1")},
            now=now,
            future_s_max=60,
        )
        assert isinstance(verdict, Refusal) == swapped
        assert not isinstance(verdict, Refusal) or "swapped" in verdict.detail


async def test_time_alone_raises_and_ends_what_is_due(store: Database, line: Served, new_device: NewDevice) -> None:
    """Method: the ingester's own look at the clock, at moments that the test chooses."""
    dsn, now = store.dsn, datetime.now(UTC)
    device = await new_device(line.settings.broker.port)
    until = (now + timedelta(days=30)).isoformat()
    await device.send(reported(1, now, calibration(1, now, valid_until=until)), "event")
    await device.send(challenge(2, now), "event")
    await device.until(lambda each: len(each.stored) == 2)
    put_reference(dsn)
    queries = Queries(SQL / "queries")
    ids = iter(range(1, 100))
    moment = now
    rules = Rules(queries, "en", lambda: moment, lambda: uuid.UUID(int=next(ids)))
    query = "SELECT alert_type, state, occurrences, message FROM sqal_alert_state ORDER BY alert_type"
    async with await open_session(dsn, queries) as session:
        assert await watch_studies(session, rules, ["*"]) == 0
        moment = now + timedelta(days=31)
        assert await watch_studies(session, rules, ["LS"]) == 0
        assert await watch_studies(session, rules, ["*"]) == 2
        assert await watch_studies(session, rules, ["*"]) == 0, "it rings once"
        raised = rows(dsn, query)
        assert [each[:3] for each in raised] == [
            ("calibration_expired", "unacknowledged", 1),
            ("challenge_overdue", "unacknowledged", 1),
        ]
        assert raised[0][3] == f"Calibration tof expired on {now + timedelta(days=30):%Y-%m-%d}"
        assert raised[1][3] == f"Challenge test REF-7 overdue since {now + timedelta(days=1):%Y-%m-%d}"
        await device.send(reported(3, now, calibration(2, now + timedelta(seconds=5))), "event")
        await device.until(lambda each: len(each.stored) == 3)
        assert await watch_studies(session, rules, ["*"]) == 1
    assert [each[:2] for each in rows(dsn, query)] == [
        ("calibration_expired", "returned_unacknowledged"),
        ("challenge_overdue", "unacknowledged"),
    ]


async def test_a_challenge_test_is_on_record_and_a_failed_one_rings(line: Served, new_device: NewDevice) -> None:
    device = await new_device(line.settings.broker.port)
    now = datetime.now(UTC)
    failed = {**FIGURE, "found": 5.3e5, "deviation": 3e4, "passed": False}
    await device.send(challenge(1, now, passed=False, lines=[FIGURE, failed], made_by="=Léa"), "event")
    await device.until(lambda each: len(each.stored) == 1)
    dsn = line.settings.database.url
    assert rows(dsn, "SELECT alert_type, severity FROM sqal_alert_state") == [("challenge_failed", "critical")]
    page = (await line.get("challenges")).json()
    assert [(each["reference_id"], each["passed"]) for each in page["challenges"]] == [("REF-7", False)]
    assert (await line.get("challenges", passed="true")).json()["challenges"] == []
    log = await line.get("challenges/log.csv")
    lines = list(csv.DictReader(io.StringIO(log.text)))
    assert [each["figure_passed"] for each in lines] == ["True", "False"]
    assert {each["passed"] for each in lines} == {"False"}
    assert lines[0]["made_by"] == "'=Léa", "a table program must not run it"
    await device.send(challenge(2, now), "event")
    await device.until(lambda each: len(each.stored) == 2)
    assert value(dsn, "SELECT state FROM sqal_alert_state") == "returned_unacknowledged"
    await device.send(challenge(3, now, lines=[]), "event")
    await device.until(lambda each: len(each.errors) == 1)
    assert "passed needs at least one line" in device.errors[0].reason


async def test_a_test_is_asked_for_by_command(
    line: Served, new_client: Callable[..., Awaitable[Client]], new_device: NewDevice, mosquitto: OwnBroker
) -> None:
    listener = await new_client(mosquitto.port, "d", subscriptions=[Subscription("sqal/v1/LL/line1/ESP32_LL_01/cmd/#")])
    dsn = line.settings.database.url
    put_reference(dsn)
    wanted = {"device_id": "ESP32_LL_01", "reference_id": "REF-7", "tile_in_place": True}
    answer = await line.http.post("/api/sqal/challenges/start", json=wanted)
    assert answer.status_code == 202, answer.text
    (heard,) = await listener.next_batch(1)
    command = decode(Command, heard.payload)
    assert heard.topic.endswith(f"/cmd/{answer.json()['request']}/challenge-test")
    assert command.args["reference"]["figures"] == {"volume_mm3": {"value": 5e5, "tolerance": 1e4}}
    elsewhere = await line.http.post("/api/sqal/challenges/start", json={**wanted, "device_id": "ESP32_LS_01"})
    assert elsewhere.json()["errors"][0]["path"] == "reference_id"
    unknown = await line.http.post("/api/sqal/challenges/start", json={**wanted, "reference_id": "none"})
    assert unknown.status_code == 404
    body = {"reference_id": "REF-8", "figures": {"a b": {"value": 1.0, "tolerance": 0.1}}, "every_s": 3600}
    named = await line.http.post("/api/sqal/references", json={**body, "valid_until": "2030-01-01T00:00:00Z"})
    assert named.status_code in (400, 403), "the demo's caller is an operator"
    due = (await line.get("challenges/due")).json()
    assert (due["overdue"], [each["device_id"] for each in due["due"]]) == (1, ["ESP32_LL_01"])
