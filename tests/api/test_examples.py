"""Goal: every route is described with an example, and what the server really answers has the example's shape.

Method: two sites are filled, every route is asked, keys and types are compared. `SQAL_WRITE_EXAMPLES=1` writes the
answers of this run as the examples: they are real ones, shortened. An example that still has the shape of its answer
stays as it is, so that two branches that add routes do not meet in every time stamp; `SQAL_WRITE_EXAMPLES=all` writes
all anew.
"""

import json
import os
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import httpx
import psycopg

import cloud.api.document
from tests.api.test_matrix import CHANNEL, MODEL, ROUTES, filled
from tests.kit.fix_closed import World
from tests.kit.fix_database import Database

LIST_SHOWN = 1  # of a list that is no matrix
TEXT_SHOWN = 600
PASSWORD = "correct horse battery"
THREE_DAYS = f"start_time={datetime.now(UTC) - timedelta(days=3):%Y-%m-%dT%H:%M:%SZ}"
QUERIES = {
    "GET /api/sqal/spc/capability": f"?lower=0.5&{THREE_DAYS}",
    "GET /api/sqal/spc/chart": f"?{THREE_DAYS}",
    "GET /api/sqal/ledger/consistency": "?first=1&second=2",
    "GET /api/sqal/ledger/proof": "?index=0",
    "GET /api/sqal/dead-letters": "?reason=invalid",
}
BODIES: dict[str, Any] = {
    "POST /api/sqal/login": {"name": "anne", "password": PASSWORD},
    "PATCH /api/sqal/users/{name}": {"role": "operator"},
    "POST /api/sqal/users": {"name": "bruno", "role": "viewer"},
    "PUT /api/sqal/lots": {"lots": [{"code_lot": "LOT-LL", "debut_lot": "2026-03-01", "site_code": "LL"}]},
}
LAST = {  # they end what others need
    "POST /api/sqal/logout",
    "POST /api/sqal/tokens/{token_id}/revoke",
    "POST /api/sqal/references/{reference_id}/retire",
    "POST /api/sqal/models/{model_id}/retire",
}
FREE = {
    "donnees",
    "data_context",
    "data",
    "reason",
    "values",
    "public",
    "hyperparameters",
    "result",
}  # whatever a sender put there


async def test_every_example_has_the_shape_of_the_answer(world: World, store: Database) -> None:
    names = await prepared(world, store)
    answers = {route: await ask(world, route, names) for route in sorted(ROUTES, key=lambda each: each in LAST)}
    if os.environ.get("SQAL_WRITE_EXAMPLES"):
        write(answers, names, is_anew=os.environ["SQAL_WRITE_EXAMPLES"] == "all")
    examples = cloud.api.document.examples()
    assert set(examples) == set(ROUTES)
    for route, answer in answers.items():
        assert answer.status_code < 300, (route, answer.text)
        example = examples[route]
        assert example.get("media_type", "application/json") == kind_of(answer), route
        if kind_of(answer) == "application/json" and answer.content:
            differences = unlike(example["response"], answer.json(), "$")
            assert not differences, (route, differences)


async def test_the_description_shows_the_examples(world: World) -> None:
    document = (await world.closed.ask("viewer", "GET", "/schema/openapi.json")).json()
    for path, item in document["paths"].items():
        for method, operation in item.items():
            success = next(each for code, each in operation["responses"].items() if code.startswith("2"))
            for kind in list(success.get("content", {}).values())[:1]:
                assert "example" in kind, (method, path)
            if "requestBody" in operation:
                assert "example" in operation["requestBody"]["content"]["application/json"], (method, path)


async def prepared(world: World, store: Database) -> dict[str, Any]:
    """What routes need beside the things of a site: a user, a token, a dead letter."""
    world.closed.access.add_user("anne", "viewer", password=PASSWORD)
    number, _ = world.closed.access.add_token("scale", "viewer", sites=["LL"], scopes=None, days=1)
    with psycopg.connect(store.dsn) as connection:
        row = connection.execute("SELECT MIN(dead_letter_id) FROM sqal_dead_letters").fetchone()
    assert row is not None
    model = await world.closed.ask("admin", "POST", "/api/sqal/models", json=MODEL | {"version": "0"})
    assert model.status_code == 201, model.text
    await world.closed.ask("admin", "PUT", "/api/sqal/channels/panel", json=CHANNEL)
    told = await world.closed.ask("admin", "POST", "/api/sqal/channels/panel/test")
    assert told.status_code == 202, told.text
    parent = {"parent_lot_id": world.foreign.lot_id}
    BODIES["POST /api/sqal/lots/{lot_id}/parents"] = parent
    return {
        "notification_id": told.json()["notification_id"],
        "model_id": model.json()["model_id"],
        "name": "anne",
        "token_id": number,
        "dead_letter_id": row[0],
    } | vars(world.own)


async def ask(world: World, route: str, names: dict[str, Any]) -> httpx.Response:
    entry = ROUTES[route]
    method, path = route.split()
    url = filled(path, names | entry.names) + (QUERIES.get(route) or entry.query)
    body = None if method == "GET" else BODIES.get(route) or filled(entry.body, names)
    if body is not None:
        return await world.closed.ask("admin", method, url, json=body)
    return await world.closed.ask("admin", method, url)


def kind_of(answer: httpx.Response) -> str:
    """The media type without its parameters; of nothing it is JSON."""
    return answer.headers.get("content-type", "application/json").partition(";")[0]


def unlike(example: Any, real: Any, path: str) -> list[str]:
    """Where the shapes differ. Null stands for anything, an empty list for any."""
    if example is None or real is None:
        return []
    if isinstance(example, dict) and isinstance(real, dict):
        if path.rsplit(".", 1)[-1] in FREE:
            return []
        odd = [f"{path}.{name} is in one of them only" for name in sorted(example.keys() ^ real.keys())]
        return odd + [
            each
            for name in example.keys() & real.keys()
            for each in unlike(example[name], real[name], f"{path}.{name}")
        ]
    if isinstance(example, list) and isinstance(real, list):
        return unlike(example[0], real[0], f"{path}[]") if example and real else []
    same = isinstance(example, bool) == isinstance(real, bool) and (
        isinstance(example, str) == isinstance(real, str)
        and isinstance(example, dict | list) == isinstance(real, dict | list)
    )
    return [] if same else [f"{path}: {type(example).__name__} and {type(real).__name__}"]


def write(answers: dict[str, httpx.Response], names: dict[str, Any], *, is_anew: bool) -> None:
    """Store what was answered as the examples, a line each; one whose shape holds is kept unless all are made anew."""
    before = {} if is_anew else cloud.api.document.examples()
    lines: list[str] = []
    for route in sorted(answers):
        example = example_of(route, answers[route], names)
        kept = before.get(route)
        if kept is not None and kept.keys() == example.keys() and not unlike(kept, example, "$"):
            example = kept
        lines.append(f"{json.dumps(route)}: {json.dumps(example, ensure_ascii=False)}")
    Path(cloud.api.document.EXAMPLES).write_text("{\n" + ",\n".join(lines) + "\n}\n", encoding="utf-8")
    cloud.api.document.examples.cache_clear()


def example_of(route: str, answer: httpx.Response, names: dict[str, Any]) -> dict[str, Any]:
    """What was asked of a route and what it answered, shortened."""
    entry = ROUTES[route]
    example: dict[str, Any] = {}
    if kind_of(answer) != "application/json":
        example["media_type"] = kind_of(answer)
        example["response"] = "…" if b"%PDF" in answer.content[:10] else answer.text[:TEXT_SHOWN]
    elif answer.content:
        example["response"] = shortened(answer.json())
    body = BODIES.get(route) or filled(entry.body, names)
    if not route.startswith("GET") and body:
        example["request"] = body
    used = {name: value for name, value in (names | entry.names).items() if "{" + name + "}" in route}
    query = httpx.QueryParams((QUERIES.get(route) or entry.query).lstrip("?"))
    if used or query:
        example["parameters"] = used | dict(query)
    return example


def shortened(value: Any) -> Any:
    """`value` with long lists and secrets cut; rows of a matrix stay whole."""
    if isinstance(value, dict):
        return {name: "…" if name in ("secret", "ticket") and each else shortened(each) for name, each in value.items()}
    if isinstance(value, list):
        is_plain = all(isinstance(each, int | float | None) for each in value)
        is_matrix = len(value) == 8 and all(isinstance(each, list) for each in value)
        return [shortened(each) for each in (value if is_plain or is_matrix else value[:LIST_SHOWN])]
    return value[:TEXT_SHOWN] if isinstance(value, str) else value
