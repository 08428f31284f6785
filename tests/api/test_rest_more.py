"""What makes the API pleasant: registering, replaying, exporting, asking again, and watching it."""

import asyncio
import io
import json
import logging
import re
from datetime import UTC, datetime
from pathlib import Path

import httpx
import structlog

from cloud.logs import blanked, configure_logs
from cloud.settings import BrokerSettings, DatabaseSettings, Settings
from sqal.commands.doctor import examine
from tests.kit.fix_broker import OwnBroker
from tests.kit.fix_closed import Closed
from tests.kit.fix_database import Database
from tests.kit.fix_serve import Serve, Served
from tests.kit.rows import put, put_samples, sample_row

LETTER = """
INSERT INTO sqal_dead_letters (digest, reason, detail, topic, payload, payload_bytes)
VALUES (sha256(convert_to(%(topic)s, 'UTF8')), 'invalid', 'x', %(topic)s, '{}', 2)"""


async def test_devices_are_registered_and_changed_by_admins(closed: Closed) -> None:
    new = {"device_id": "PI_LL_02", "site_code": "LL", "device_name": "Balance"}
    assert (await closed.ask("operator", "POST", "/api/sqal/devices", json=new)).status_code == 403
    made = await closed.ask("admin", "POST", "/api/sqal/devices", json=new)
    assert (made.status_code, made.json()["line"]) == (201, "line1")
    assert (await closed.ask("admin", "POST", "/api/sqal/devices", json=new)).status_code == 409
    changed = await closed.ask("admin", "PATCH", "/api/sqal/devices/PI_LL_02", json={"status": "maintenance"})
    assert (changed.json()["status"], changed.json()["device_name"]) == ("maintenance", "Balance")
    assert (await closed.ask("admin", "PATCH", "/api/sqal/devices/NONE", json={})).status_code == 404
    nowhere = await closed.ask("admin", "PATCH", "/api/sqal/devices/PI_LL_02", json={"site_code": "XX"})
    assert nowhere.status_code == 400
    sites = (await closed.ask("at LL", "GET", "/api/sqal/sites")).json()["sites"]
    assert [(each["site_code"], each["devices"]) for each in sites] == [("LL", 2)]


async def test_a_dead_letter_is_sent_again(closed: Closed, store: Database) -> None:
    for topic in ("sqal/v1/LL/line1/ESP32_LL_01/sample", "sqal/v1/LL/line1/ESP32_LL_01/health", "nonsense"):
        put(store.dsn, LETTER, topic=topic)
    page = (await closed.ask("admin", "GET", "/api/sqal/dead-letters")).json()["dead_letters"]
    statuses = {}
    for letter in page:
        answer = await closed.ask("admin", "POST", f"/api/sqal/dead-letters/{letter['dead_letter_id']}/replay")
        statuses[letter["topic"].rsplit("/", 1)[-1]] = answer.status_code
    assert statuses == {"sample": 200, "health": 409, "nonsense": 409}
    again = (await closed.ask("admin", "GET", "/api/sqal/dead-letters")).json()["dead_letters"]
    assert sum(each["replayed_at"] is not None for each in again) == 1


async def test_csv_runs_no_formula(served: Served, store: Database) -> None:
    put_samples(store.dsn, [sample_row(datetime.now(UTC), sample_id="=1+1"), sample_row(datetime.now(UTC))])
    answer = await served.get("export/samples.csv")
    assert answer.headers["content-type"].startswith("text/csv")
    head, *rows = answer.text.splitlines()
    assert head.startswith("time,sample_id,device_id,site_code")
    assert len(rows) == 2
    assert any(",'=1+1," in row for row in rows)


async def test_what_has_not_changed_is_not_sent_again(served: Served, store: Database) -> None:
    put_samples(store.dsn, [sample_row(datetime.now(UTC))])
    first = await served.get("samples/latest")
    assert first.headers["content-encoding"] == "gzip"
    tag = {"If-None-Match": first.headers["etag"]}
    again = await served.http.get("/api/sqal/samples/latest", headers=tag)
    assert (again.status_code, again.content) == (304, b"")
    put_samples(store.dsn, [sample_row(datetime.now(UTC))])
    served.relay.counters.stored += 1  # as the receipt of that sample would
    assert (await served.http.get("/api/sqal/samples/latest", headers=tag)).status_code == 200


async def test_equal_refusals_at_once_are_refusals(served: Served, store: Database) -> None:
    answers = await asyncio.gather(*(served.get("samples/latest") for _ in range(20)))
    assert [each.status_code for each in answers] == [404] * 20
    assert (await served.get("samples/latest")).json()["detail"] == "there is no sample yet"


async def test_head_is_answered_like_get(new_server: Serve, tmp_path: object) -> None:
    served = await new_server()
    assert (await served.http.head("/")).status_code == 503  # not built, as GET says


async def test_a_lost_database_is_told_quickly(new_server: Serve, mosquitto: OwnBroker) -> None:
    served = await new_server(broker_port=mosquitto.port)
    answer = await served.http.get("/api/sqal/devices", timeout=httpx.Timeout(5))
    assert answer.status_code == 503
    assert (await served.http.get("/livez")).json() == {"alive": True}
    ready = await served.http.get("/readyz")
    assert (ready.status_code, ready.json()["database_connected"]) == (503, False)


async def test_metrics(served: Served) -> None:
    await served.get("devices")
    text = (await served.http.get("/metrics")).text
    assert 'sqal_http_requests_total{method="GET",status="200"}' in text
    assert "sqal_viewers 0" in text
    for name in (line.split()[2] for line in text.splitlines() if line.startswith("# TYPE")):
        assert f"# HELP {name} " in text


async def test_every_metric_that_is_watched_exists(served: Served) -> None:
    text = (await served.http.get("/metrics")).text
    folder = Path(__file__).parents[2] / "docs" / "monitoring"
    for file in ("prometheus-rules.yml", "grafana-server.json"):
        for name in re.findall(r"\bsqal_[a-z_]+[a-z]\b(?![^\n]*__name__)", (folder / file).read_text()):
            assert name.removesuffix("_bucket") in text, (file, name)


def test_logs_hold_no_secrets_and_no_variables(capsys: object) -> None:
    assert blanked("GET /x?token=abc&a=1") == "GET /x?token=…&a=1"
    assert blanked("Authorization: Bearer abc.def") == "Authorization: Bearer …"
    assert blanked("postgresql://u:geheim@h/d") == "postgresql://u:…@h/d"

    stream = io.StringIO()
    configure_logs(stream)
    try:
        local_secret = "geheim"
        try:
            raise ValueError("token=abc")
        except ValueError:
            structlog.get_logger("x").error("bug", exc_info=True)
            logging.getLogger("y").warning("ticket=%s", "abc")
        lines = [json.loads(line) for line in stream.getvalue().splitlines()]
    finally:
        structlog.reset_defaults()
        logging.basicConfig(handlers=[], force=True)
    assert [line["event"] for line in lines] == ["bug", "ticket=…"]
    assert "Traceback" in lines[0]["exception"]
    assert local_secret not in lines[0]["exception"].replace('"geheim"', "")
    assert "abc" not in stream.getvalue()


def test_doctor(store: Database, mosquitto: OwnBroker) -> None:
    well = Settings(database=DatabaseSettings(url=store.dsn), broker=BrokerSettings(port=mosquitto.port))
    findings = list(examine(well))
    assert {each.verdict for each in findings} <= {"well", "look"}
    assert any("nobody is an admin" in each.text for each in findings)
    put(store.dsn, "UPDATE sqal_devices SET site_code = NULL WHERE device_id = 'ESP32_MT_01'")
    texts = [each.text for each in examine(well) if each.verdict == "wrong"]
    assert texts == ["devices that stand at no site cannot send: ESP32_MT_01"]
    away = Settings(database=DatabaseSettings(url="postgresql://postgres@127.0.0.1:1/x"), broker=BrokerSettings(port=1))
    wrong = [each.text for each in examine(away) if each.verdict == "wrong"]
    assert len(wrong) == 2
    assert "cannot be reached" in wrong[0]
    assert "does not let us in" in wrong[1]


async def test_an_alert_is_shelved_for_a_while_and_taken_off_again(closed: Closed, store: Database) -> None:
    body = {"device_id": "ESP32_LL_01", "alert_type": "belt", "severity": "warning", "message": "Tapis sale"}
    raised = await closed.ask("operator", "POST", "/api/sqal/alerts", json=body)
    path = f"/api/sqal/alerts/{raised.json()['alert_id']}"
    shelf = {"minutes": 30, "reason": "nettoyage en cours"}
    assert (await closed.ask("viewer", "POST", f"{path}/shelve", json=shelf)).status_code == 403
    assert (await closed.ask("operator", "POST", f"{path}/shelve", json=shelf | {"minutes": 20_000})).status_code == 400
    shelved = await closed.ask("operator", "POST", f"{path}/shelve", json=shelf)
    assert (shelved.status_code, shelved.json()["state"]) == (200, "shelved")
    assert shelved.json()["shelved_until"] is not None
    states = "/api/sqal/alerts/states"
    (stands,) = (await closed.ask("viewer", "GET", states, params={"state": "shelved"})).json()["alerts"]
    assert (stands["shelved_reason"], stands["occurrences"], stands["alert_type"]) == ("nettoyage en cours", 1, "belt")
    assert (await closed.ask("viewer", "GET", states, params={"state": "open"})).json()["alerts"] == []
    assert (await closed.ask("viewer", "GET", states, params={"state": "odd"})).status_code == 400
    back = await closed.ask("operator", "POST", f"{path}/unshelve", params={"comment": "propre"})
    assert (back.json()["state"], back.json()["shelved_until"]) == ("unacknowledged", None)
    assert (await closed.ask("operator", "POST", f"{path}/unshelve")).status_code == 404
    acknowledged = {"acknowledged_by": "Anne", "comment": "vu"}
    assert (await closed.ask("operator", "POST", f"{path}/acknowledge", params=acknowledged)).status_code == 200
    actions = (await closed.ask("viewer", "GET", f"{path}/actions")).json()
    assert [(each["action"], each["comment"]) for each in actions] == [
        ("shelve", "nettoyage en cours"),
        ("unshelve", "propre"),
        ("acknowledge", "vu"),
    ]
    assert (await closed.ask("viewer", "GET", "/api/sqal/alerts/999999/actions")).status_code == 404


async def test_channels_are_for_admins_and_can_be_tried(closed: Closed) -> None:
    channel = {"kind": "email", "target": "chef@usine.example", "min_severity": "critical", "sites": ["LL"]}
    assert (await closed.ask("operator", "PUT", "/api/sqal/channels/chef", json=channel)).status_code == 403
    made = await closed.ask("admin", "PUT", "/api/sqal/channels/chef", json=channel)
    assert (made.status_code, made.json()["sites"]) == (200, ["LL"])
    wrong = await closed.ask("admin", "PUT", "/api/sqal/channels/chef", json=channel | {"target": "chef"})
    assert (wrong.status_code, "no e-mail address" in wrong.text) == (400, True)
    assert [each["name"] for each in (await closed.ask("admin", "GET", "/api/sqal/channels")).json()] == ["chef"]
    assert (await closed.ask("admin", "POST", "/api/sqal/channels/none/test")).status_code == 404
    queued = await closed.ask("admin", "POST", "/api/sqal/channels/chef/test")
    assert queued.status_code == 202
    number = queued.json()["notification_id"]
    one = await closed.ask("admin", "GET", f"/api/sqal/channels/log/{number}")
    assert (one.json()["state"], one.json()["attempts"]) == ("waiting", 0)
    log = (await closed.ask("admin", "GET", "/api/sqal/channels/log")).json()
    assert [(each["channel"], each["site_code"]) for each in log] == [("chef", "LL")]
    assert (await closed.ask("admin", "GET", "/api/sqal/channels/log/999999")).status_code == 404
