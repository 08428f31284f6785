"""Every panel of the Grafana dashboards runs on the real schema, as the role that Grafana has and no more."""

import json
import re
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import psycopg
import pytest
from psycopg import sql
from psycopg.conninfo import make_conninfo

from tests.kit.fix_database import Database
from tests.kit.rows import put_samples, sample_row

REPOSITORY = Path(__file__).parents[2]
BOARDS = [REPOSITORY / "docs" / "monitoring" / f"grafana-{name}.json" for name in ("quality", "line")]
PANELS = [
    pytest.param(panel, id=f"{path.stem}: {panel['title']}")
    for path in BOARDS
    for panel in json.loads(path.read_text(encoding="utf-8"))["panels"]
]


def filled(text: str) -> str:
    """`text` with Grafana's macros and variables put in, as Grafana's PostgreSQL source does it."""
    now = datetime.now(UTC)
    span = f"BETWEEN '{(now - timedelta(days=1)).isoformat()}' AND '{(now + timedelta(hours=1)).isoformat()}'"
    text = text.replace("$__timeFilter(time)", f"time {span}").replace("${site:sqlstring}", "'LL','LS'")
    grouped = "floor(extract(epoch from time)/60)*60 AS time"
    text = re.sub(r"\$__timeGroupAlias\(time, (?:\$__interval|'1m')\)", grouped, text)
    assert "$" not in text, text
    return text


@pytest.fixture
def grafana(store: Database) -> str:
    """The address of a database with samples of two sites and an open alert, for a user with Grafana's role."""
    now = datetime.now(UTC)
    devices = ("ESP32_LL_01", "ESP32_LS_01", "ESP32_MT_01")
    rows = [sample_row(now - timedelta(minutes=n), 0.95 - n / 40, device_id=devices[n % 3]) for n in range(30)]
    put_samples(store.dsn, rows)
    with psycopg.connect(store.dsn, autocommit=True) as connection:
        connection.execute((REPOSITORY / "sql" / "roles.sql").read_bytes())
        connection.execute(
            """INSERT INTO sqal_alert_state (alarm_id, device_id, alert_type, site_code, severity, state, first_at,
                last_at, message) VALUES (gen_random_uuid(), 'ESP32_LL_01', 'x', 'LL', 'critical', 'unacknowledged',
                NOW(), NOW(), 'm')"""
        )
        connection.execute("UPDATE sqal_devices SET last_seen = NOW()")
    return make_conninfo(store.dsn, options="-c role=sqal_grafana")


def test_every_panel_shows_something(grafana: str) -> None:
    empty = {"Lots"}  # nothing here is of a lot
    with psycopg.connect(grafana) as connection:
        for parameter in PANELS:
            panel: Any = parameter.values[0]
            for target in panel["targets"]:
                cursor = connection.execute(filled(target["rawSql"]).encode())
                found = cursor.fetchall()
                assert found or panel["title"] in empty, panel["title"]
                if panel["type"] == "timeseries":
                    assert cursor.description is not None
                    assert cursor.description[0].name == "time", panel["title"]
                if panel["type"] == "stat":
                    assert found[0][0], panel["title"]


@pytest.mark.parametrize("panel", PANELS)
def test_a_panel_shows_the_chosen_sites_only(panel: dict[str, Any]) -> None:
    for target in panel["targets"]:
        assert "site_code IN (${site:sqlstring})" in target["rawSql"]
        assert (
            panel["datasource"]
            == target["datasource"]
            == {
                "type": "grafana-postgresql-datasource",
                "uid": "${datasource}",
            }
        )


@pytest.mark.parametrize("table", ["sqal_sensor_samples", "sqal_users", "sqal_api_tokens", "sqal_devices"])
def test_grafana_reads_no_table(grafana: str, table: str) -> None:
    with psycopg.connect(grafana) as connection, pytest.raises(psycopg.errors.InsufficientPrivilege):
        connection.execute(sql.SQL("SELECT 1 FROM {}").format(sql.Identifier(table)))


def test_the_dashboards_are_whole() -> None:
    boards = [json.loads(path.read_text(encoding="utf-8")) for path in BOARDS]
    assert len({board["uid"] for board in boards}) == len(boards)
    for board in boards:
        numbers = [panel["id"] for panel in board["panels"]]
        assert len(set(numbers)) == len(numbers)
        places = [tuple(panel["gridPos"][key] for key in "xywh") for panel in board["panels"]]
        for n, (x, y, width, height) in enumerate(places):
            assert x + width <= 24
            for other_x, other_y, other_width, other_height in places[:n]:
                is_beside = x >= other_x + other_width or other_x >= x + width
                assert is_beside or y >= other_y + other_height or other_y >= y + height, board["title"]
        assert {each["name"] for each in board["templating"]["list"]} == {"datasource", "site"}
