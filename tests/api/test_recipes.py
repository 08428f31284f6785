"""Goal: a recipe is stored once, compared, activated on record, and reaches the device as a message it can read."""

import asyncio
import json
from pathlib import Path
from typing import Any

import msgspec
import psycopg
import pytest
from click.testing import CliRunner

from contract.codec import decode
from contract.messages import DesiredConfiguration
from messaging import Client, Subscription
from quality.recipe import DEFAULT_RECIPE, Recipe
from sqal.commands.recipe import recipe as recipe_command
from tests.kit.fix_broker import OwnBroker
from tests.kit.fix_closed import Closed
from tests.kit.fix_database import Database
from tests.kit.fix_ingest import rows
from tests.kit.fix_messaging import DEADLINE_S, rng
from tests.kit.fix_serve import Served

STRICT: dict[str, Any] = {"name": "foie-gras", "tof": {"volume_min_mm3": 450000.0}, "weight_tof": 0.5} | {
    "weight_spectral": 0.5
}


async def test_a_recipe_is_numbered_kept_and_compared(closed: Closed) -> None:
    made = await closed.ask("operator", "POST", "/api/sqal/recipes", json={"values": STRICT, "comment": "larger"})
    assert made.status_code == 201, made.text
    assert made.json()["label"] == "foie-gras@2"
    again = await closed.ask("operator", "POST", "/api/sqal/recipes", json={"values": {"name": "magret"}})
    assert again.json()["label"] == "magret@1"
    listed = (await closed.ask("viewer", "GET", "/api/sqal/recipes")).json()
    assert [each["label"] for each in listed["recipes"]] == ["foie-gras@2", "magret@1", "foie-gras@1"]
    assert listed["default"] == DEFAULT_RECIPE.label
    one = (await closed.ask("viewer", "GET", "/api/sqal/recipes/foie-gras/2")).json()
    assert msgspec.convert(one["values"], Recipe).tof.volume_min_mm3 == 450_000.0
    diff = (await closed.ask("viewer", "GET", "/api/sqal/recipes/foie-gras/2/diff")).json()
    assert {each["path"]: each["after"] for each in diff["changes"]} == {
        "weight_tof": 0.5,
        "weight_spectral": 0.5,
        "tof.volume_min_mm3": 450000.0,
    }
    back = await closed.ask("viewer", "GET", "/api/sqal/recipes/foie-gras/1/diff?against=foie-gras@2")
    assert back.json()["changes"][0] == {"path": "weight_tof", "before": 0.5, "after": 0.6}


@pytest.mark.parametrize(
    ("values", "path"),
    [
        ({"name": "x", "tof": {"volume_min": 1.0}}, "values.tof.volume_min"),
        ({"name": "x", "weight_tof": 0.9}, "values.weight_tof"),
        ({"name": "x", "weight_tof": "a"}, "values.weight_tof"),
        ({"name": "a b"}, "values.name"),
        ({"name": "x", "grade_limits": {"a": 0.95}}, "values.grade_limits"),
    ],
)
async def test_a_recipe_that_cannot_be_is_refused_by_its_field(
    closed: Closed,
    values: dict[str, Any],
    path: str,
) -> None:
    answer = await closed.ask("operator", "POST", "/api/sqal/recipes", json={"values": values})
    assert answer.status_code == 400
    assert answer.json()["errors"][0]["path"] == path, answer.text


async def test_activating_is_for_admins_on_record_and_stays_within_sites(closed: Closed, store: Database) -> None:
    await closed.ask("operator", "POST", "/api/sqal/recipes", json={"values": STRICT})
    url = "/api/sqal/recipes/foie-gras/2/activate"
    assert (await closed.ask("operator", "POST", url, json={"reason": "r"})).status_code == 403
    done = await closed.ask("admin", "POST", url, json={"reason": "trial", "device_id": "ESP32_LL_01"})
    assert done.json()["devices"] == ["ESP32_LL_01"], done.text
    wrong = await closed.ask("admin", "POST", url, json={"reason": "r", "device_id": "ESP32_LL_01", "site_code": "LS"})
    assert wrong.json()["errors"][0]["path"] == "site_code"
    nobody = await closed.ask("admin", "POST", url, json={"reason": "r", "site_code": "ZZ"})
    assert nobody.json()["errors"][0]["path"] == "site_code"
    assert (
        await closed.ask("admin", "POST", "/api/sqal/recipes/none/1/activate", json={"reason": "r"})
    ).status_code == 404
    page = (await closed.ask("viewer", "GET", "/api/sqal/recipes/activations")).json()
    assert [(each["device_id"], each["activated_by"]) for each in page["activations"]] == [
        ("ESP32_LL_01", "token:admin")
    ]
    wanted = {each["device_id"]: each["wanted"] for each in page["in_use"]}
    assert wanted == {"ESP32_LL_01": "foie-gras@2", "ESP32_LS_01": "foie-gras@1", "ESP32_MT_01": "foie-gras@1"}
    ours = (await closed.ask("at LL", "GET", "/api/sqal/recipes/activations")).json()
    assert [each["device_id"] for each in ours["in_use"]] == ["ESP32_LL_01"]
    done_by = rows(store.dsn, "SELECT actor FROM sqal_audit WHERE outcome = 'done' AND target = %s", url)
    assert done_by == [("token:admin",)]


async def test_a_stored_version_cannot_be_changed(closed: Closed, store: Database) -> None:
    await closed.ask("operator", "POST", "/api/sqal/recipes", json={"values": STRICT})
    for statement in ("UPDATE sqal_recipes SET comment = 'x'", "DELETE FROM sqal_recipes", "TRUNCATE sqal_recipes"):
        with psycopg.connect(store.dsn) as connection, pytest.raises(psycopg.errors.RaiseException, match="only ever"):
            connection.execute(statement.encode())


async def test_a_device_is_told_by_its_twin(line: Served, mosquitto: OwnBroker, tmp_path: Path) -> None:
    """Method: a real ingester publishes what the command line left in the outbox; the device finds it retained."""
    source = tmp_path / "recipe.json"
    source.write_text(json.dumps(STRICT))
    environment = {"SQAL_DATABASE_URL": line.settings.database.url}

    def sqal(*words: str) -> str:
        done = CliRunner().invoke(recipe_command, words, env=environment)
        assert done.exit_code == 0, done.output
        return done.output

    assert "foie-gras@2" in await asyncio.to_thread(sqal, "add", str(source))
    assert "weight_tof: 0.6 -> 0.5" in await asyncio.to_thread(sqal, "diff", "foie-gras@1", "foie-gras@2")
    await asyncio.to_thread(sqal, "activate", "foie-gras@2", "--reason", "all")
    async with Client(host="127.0.0.1", port=mosquitto.port, client_id="device", rng=rng()) as client:
        await client.subscribe(Subscription("sqal/v1/LL/line1/ESP32_LL_01/cfg/desired"))
        async with asyncio.timeout(DEADLINE_S):
            told = (await client.next_batch(1))[0]
    desired = decode(DesiredConfiguration, told.payload)
    assert desired.recipe == "foie-gras@2"
    assert msgspec.convert(desired.recipe_values, Recipe).weight_tof == 0.5
    first = desired.revision
    await asyncio.to_thread(sqal, "activate", "foie-gras@1", "--reason", "back", "--device", "ESP32_LL_01")
    assert rows(line.settings.database.url, "SELECT device_id FROM sqal_device_twins WHERE revision > %s", first) == [
        ("ESP32_LL_01",)
    ]
    assert "ESP32_LL_01: foie-gras@1" in await asyncio.to_thread(sqal, "list")
    unknown = await asyncio.to_thread(CliRunner().invoke, recipe_command, ["show", "x@9"], env=environment)
    assert (unknown.exit_code, "there is no recipe x@9" in unknown.output) == (1, True)
