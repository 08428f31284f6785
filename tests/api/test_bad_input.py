"""Input that can't be meant: a problem that names the field, never a 500; a database that is away is a 503."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from tests.kit.fix_broker import OwnBroker
from tests.kit.fix_serve import Serve, Served

FIELDS = [
    ("samples", {"limit": 1001}, "limit", "1000"),
    ("samples", {"limit": 0}, "limit", "1"),
    ("samples", {"limit": "many"}, "limit", "int"),
    ("samples", {"start_time": "yesterday"}, "start_time", "RFC 3339"),
    ("samples", {"start_time": ""}, "start_time", "RFC 3339"),
    ("samples", {"end_time": "2026-13-01T00:00:00Z"}, "end_time", "RFC 3339"),
    ("samples", {"start_time": "2026-02-02T00:00:00Z", "end_time": "2026-02-01T00:00:00Z"}, "start_time", "before"),
    ("samples", {"start_time": "2026-02-01T00:00:00Z", "end_time": "2026-02-01T00:00:00Z"}, "start_time", "before"),
    ("samples", {"start_time": "1999-01-01T00:00:00Z"}, "start_time", "366 days"),
    ("samples", {"end_time": "0001-01-01T00:00:00Z"}, "start_time", "before"),
    ("samples", {"start_time": "0001-01-01T00:00:00+14:00"}, "start_time", "RFC 3339"),
    ("samples", {"start_time": "9999-12-31T23:59:59-14:00"}, "start_time", "RFC 3339"),
    ("samples", {"device_id": "x" * 101}, "device_id", "100"),
    ("samples", {"device_id": "a\0b"}, "device_id", "U+0000"),
    ("samples/latest", {"device_id": "\0"}, "device_id", "U+0000"),
    ("devices", {"site_code": "LLL"}, "site_code", "2"),
    ("devices", {"site_code": "\0"}, "site_code", "U+0000"),
    ("devices", {"status": "\0"}, "status", "U+0000"),
    ("stats/hourly", {"limit": 50_001}, "limit", "50000"),
    ("stats/sites", {"start_time": "x"}, "start_time", "RFC 3339"),
    ("stats/grade-distribution", {"site_code": "\0"}, "site_code", "U+0000"),
    ("alerts", {"limit": 501}, "limit", "500"),
    ("alerts", {"severity": "loud"}, "severity", "loud"),
    ("alerts", {"is_acknowledged": "perhaps"}, "is_acknowledged", "bool"),
    ("integration/lot/0", {}, "lot_id", "1"),
    ("integration/lot/99999999999999999999", {}, "lot_id", "2147483647"),
    ("dead-letters", {"before": "x"}, "before", "int"),
    ("dead-letters", {"reason": "\0"}, "reason", "U+0000"),
    ("dead-letters/9223372036854775808", {}, "dead_letter_id", "9223372036854775807"),
    ("gaps", {"before": "x"}, "before", "next"),
    ("gaps", {"before": "WzFd"}, "before", "next"),
    ("gaps", {"before": "é"}, "before", "next"),
    ("events", {"kind": "\0"}, "kind", "U+0000"),
]
ALERT: dict[str, Any] = {
    "device_id": "ESP32_LL_01",
    "alert_type": "x",
    "severity": "info",
    "message": "m",
    "sample_id": "s",
}
BODIES = [
    ({**ALERT, "severity": "loud"}, "severity"),
    ({**ALERT, "device_id": "../.."}, "device_id"),
    ({**ALERT, "device_id": "ESP32_XX_99"}, "device_id"),
    ({**ALERT, "alert_type": "x" * 51}, "alert_type"),
    ({**ALERT, "alert_type": ""}, "alert_type"),
    ({**ALERT, "message": "x" * 501}, "message"),
    ({**ALERT, "message": "a\0b"}, "message"),
    ({**ALERT, "sample_id": "x" * 101}, "sample_id"),
    ({**ALERT, "data_context": [1]}, "data_context"),
    ({**ALERT, "data_context": {"a": "\0"}}, "data_context"),
    ({**ALERT, "data_context": {"a": "x" * 20_000}}, "data_context"),
    ({key: text for key, text in ALERT.items() if key != "message"}, "message"),
]


def assert_problem(answer: Any, status: int) -> dict[str, Any]:
    assert answer.status_code == status, answer.text
    assert answer.headers["content-type"] == "application/problem+json"
    problem = answer.json()
    assert problem["status"] == status
    assert problem["title"]
    assert problem["detail"]
    return problem


async def test_a_parameter_that_does_not_fit_is_named(served: Served) -> None:
    for path, params, field, words in FIELDS:
        problem = assert_problem(await served.get(path, **params), 400)
        (error,) = problem["errors"]
        assert error["path"] == field, (path, params, problem)
        assert words in error["reason"], (path, params, problem)


async def test_a_body_that_does_not_fit_is_named(served: Served) -> None:
    for body, field in BODIES:
        problem = assert_problem(await served.http.post("/api/sqal/alerts", json=body), 400)
        assert any(field in error["path"] or field in error["reason"] for error in problem["errors"]), (body, problem)


@pytest.mark.parametrize(
    ("content", "status"), [(b"", 400), (b"{", 400), (b"\xff", 400), (b"[" * 30_000, 400), (b'"' + b"x" * 70_000, 413)]
)
async def test_a_body_that_is_none(served: Served, content: bytes, status: int) -> None:
    headers = {"Content-Type": "application/json"}
    assert_problem(await served.http.post("/api/sqal/alerts", content=content, headers=headers), status)


async def test_what_is_not_there(served: Served) -> None:
    for path in ("devices/ESP32_XX_99", "samples/none", "samples/latest", "integration/lot/5", "dead-letters/5", "nix"):
        assert_problem(await served.get(path), 404)
    assert_problem(await served.http.post("/api/sqal/alerts/5/acknowledge?acknowledged_by=Anne"), 404)
    assert_problem(await served.http.delete("/api/sqal/devices"), 405)


async def test_an_acknowledgement_needs_a_name(served: Served) -> None:
    for query in ("", "?acknowledged_by=", f"?acknowledged_by={'x' * 201}", "?acknowledged_by=%00"):
        problem = assert_problem(await served.http.post(f"/api/sqal/alerts/5/acknowledge{query}"), 400)
        assert problem["errors"][0]["path"] == "acknowledged_by"


async def test_unknown_parameters_are_ignored(served: Served) -> None:
    assert (await served.get("devices", colour="blue")).status_code == 200


async def test_a_period_in_the_future_is_empty_and_no_error(served: Served) -> None:
    start = datetime.now(UTC) + timedelta(days=1)
    end = start + timedelta(days=1)
    answer = await served.get("samples", start_time=start.isoformat(), end_time=end.isoformat())
    assert answer.json()["count"] == 0


async def test_without_database(new_server: Serve, mosquitto: OwnBroker) -> None:
    served = await new_server(broker_port=mosquitto.port)
    for path in ("devices", "samples", "dashboard/overview", "alerts"):
        answer = await served.get(path)
        assert_problem(answer, 503)
        assert answer.headers["retry-after"] == "5"
    health = await served.get("health")
    assert health.status_code == 200
    assert health.json()["status"] == "error"
    assert health.json()["database_connected"] is False
