"""Who may what: logins, tokens, tickets, cookies, WebSockets, the record. Every route for every role: test_matrix."""

import asyncio
import json
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

import psycopg
import pytest
import websockets
from websockets.exceptions import ConnectionClosed, InvalidStatus

import cloud.api.access
from tests.kit.fix_broker import OwnBroker
from tests.kit.fix_closed import Closed, access_to
from tests.kit.fix_database import Database, OwnPostgres
from tests.kit.fix_serve import Serve, Served
from tests.kit.rows import put, put_samples, sample_row

PASSWORD = "a long enough one"


BODIES: dict[str, dict[str, Any]] = {
    "POST /api/sqal/alerts": {"device_id": "ESP32_LL_01", "alert_type": "x", "severity": "info", "message": "m"},
}


async def test_live_shows_own_sites_only(closed: Closed, store: Database) -> None:
    put_samples(store.dsn, [sample_row(datetime.now(UTC), device_id="ESP32_LS_01")])
    async with websockets.connect(closed.url("/ws/realtime/", "at LL") + "&site_code=LS") as socket:
        await socket.send('{"type":"heartbeat"}')
        kinds = [json.loads(await socket.recv())["type"]]
        while kinds[-1] != "heartbeat_ack":
            kinds.append(json.loads(await socket.recv())["type"])
        assert "latest_sample" not in kinds
    async with websockets.connect(closed.url("/ws/sensors/", "at LL")) as socket:
        await socket.recv()
        await socket.send(json.dumps(SAMPLE_AT_LS))
        refused = json.loads(await socket.recv())
        assert (refused["type"], refused["path"]) == ("error", "$.device_id")


MATRIX = [[100] * 8] * 8
SAMPLE_AT_LS: dict[str, Any] = {
    "sample_id": "s",
    "device_id": "ESP32_LS_01",
    "timestamp": "2026-01-01T00:00:00Z",
    "vl53l8ch": {
        "raw": {"distance_matrix": MATRIX, "reflectance_matrix": MATRIX, "amplitude_matrix": MATRIX},
        "analysis": {"volume_mm3": 1.0, "surface_uniformity": 0.5, "quality_score": 0.5, "grade": "C"},
    },
    "as7341": {
        "raw": {f"F{n}_{nm}nm": 1 for n, nm in enumerate((415, 445, 480, 515, 555, 590, 630, 680), 1)}
        | {"Clear": 1, "NIR": 1},
        "analysis": {"freshness_index": 0.5, "fat_quality_index": 0.5, "oxidation_index": 0.5, "quality_score": 0.5},
    },
    "fusion": {"final_score": 0.5, "final_grade": "C", "is_compliant": True},
}


@pytest.mark.parametrize(
    ("path", "who", "status"),
    [
        ("/ws/realtime/", None, 401),
        ("/ws/sensors/", None, 401),
        ("/ws/sensors/", "viewer", 403),
        ("/ws/sensors/", "reader", 403),
    ],
)
async def test_websockets_are_refused_before_the_upgrade(
    closed: Closed, path: str, who: str | None, status: int
) -> None:
    with pytest.raises(InvalidStatus) as refused:
        await websockets.connect(closed.served.ws + path if who is None else closed.url(path, who))
    assert refused.value.response.status_code == status


async def test_a_revoked_token_loses_what_it_holds_open(closed: Closed, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(cloud.api.access, "CACHE_S", 0.0)
    monkeypatch.setattr(cloud.api.access, "RECHECK_S", 0.02)
    async with (
        websockets.connect(closed.url("/ws/realtime/", "viewer")) as viewer,
        websockets.connect(closed.url("/ws/realtime/", "operator")) as other,
    ):
        (number,) = [each["token_id"] for each in closed.access.tokens() if each["name"] == "viewer"]
        closed.access.revoke_token(number)
        with pytest.raises(ConnectionClosed) as ended:
            await until_closed(viewer)
        assert ended.value.rcvd is not None
        assert ended.value.rcvd.code == 1008
        await other.send('{"type":"heartbeat"}')
        while "heartbeat_ack" not in str(await other.recv()):
            pass
    assert (await closed.ask("viewer", "GET", "/api/sqal/devices")).status_code == 401


async def until_closed(socket: Any) -> None:
    async with asyncio.timeout(20):
        while True:
            await socket.recv()


async def test_login_session_and_logout(closed: Closed) -> None:
    closed.access.add_user("anne", "operator", password=PASSWORD, sites=["LL"])
    http, own = closed.served.http, {"Origin": f"http://localhost:{closed.served.port}"}
    body = {"name": "anne", "password": PASSWORD}
    answer = await http.post("/api/sqal/login", json=body)
    assert answer.status_code == 200, answer.text
    cookie = answer.headers["set-cookie"]
    assert "HttpOnly" in cookie
    assert "SameSite=Strict" in cookie
    me = (await http.get("/api/sqal/me")).json()
    assert (me["name"], me["role"], me["sites"]) == ("user:anne", "operator", ["LL"])
    alert = BODIES["POST /api/sqal/alerts"]
    for headers, status in (
        (own, 201),
        ({}, 401),  # no word of the page it came from: could be a stranger's
        ({"Origin": "http://localhost:3000"}, 401),  # a known front end is not our page: it needs a token
        ({"Sec-Fetch-Site": "same-site"}, 401),
        ({"Sec-Fetch-Site": "same-origin"}, 201),
    ):
        assert (await http.post("/api/sqal/alerts", json=alert, headers=headers)).status_code == status, headers
    assert (await http.post("/api/sqal/logout", headers=own)).status_code == 204
    secret = cookie.partition("=")[2].partition(";")[0]
    assert (await http.get("/api/sqal/me", headers={"Cookie": f"sqal_session={secret}"})).status_code == 401


async def test_failed_logins_make_their_name_wait(closed: Closed, store: Database) -> None:
    closed.access.add_user("anne", "viewer", password=PASSWORD)
    http = closed.served.http
    for name in ("anne", "nobody"):
        statuses = [0]
        while statuses[-1] != 429 and len(statuses) < 9:  # each failure doubles the wait: even a slow machine meets it
            wrong = {"name": name, "password": "wrong"}
            statuses.append((await http.post("/api/sqal/login", json=wrong)).status_code)
        assert statuses[1:] == [*[401] * (len(statuses) - 2), 429]
    put(store.dsn, "UPDATE sqal_login_failures SET next_at = NOW() + INTERVAL '1 minute'")
    held = await http.post("/api/sqal/login", json={"name": "anne", "password": PASSWORD})
    assert held.status_code == 429
    assert int(held.headers["retry-after"]) >= 1


async def test_a_login_link_works_once_and_a_disabled_user_is_out(closed: Closed) -> None:
    closed.access.add_user("anne", "admin")
    base = str(closed.served.http.base_url)
    link, late = closed.access.login_link("anne", base), closed.access.login_link("anne", base)
    first = await closed.served.http.get(link)
    assert (first.status_code, first.headers["location"]) == (303, "/")
    assert (await closed.served.http.get(link)).status_code == 401
    person = await closed.served.http.get(link, headers={"Accept": "text/html"})
    assert (person.status_code, person.headers["location"]) == (303, "/login?link=used")
    assert "set-cookie" not in person.headers
    closed.access.change_user("anne", is_active=False)
    assert (await closed.served.http.get(late)).status_code == 401


async def test_a_ticket_opens_one_websocket(closed: Closed) -> None:
    ticket = (await closed.ask("viewer", "POST", "/api/sqal/tickets")).json()["ticket"]
    front_end: Any = "http://localhost:3000"
    async with websockets.connect(f"{closed.served.ws}/ws/realtime/?ticket={ticket}", origin=front_end) as socket:
        assert "connection_established" in str(await socket.recv())
    with pytest.raises(InvalidStatus):
        await websockets.connect(f"{closed.served.ws}/ws/realtime/?ticket={ticket}")
    assert (await closed.served.http.get(f"/api/sqal/devices?ticket={ticket}")).status_code == 401


async def test_an_expired_token_and_a_made_up_one(closed: Closed, store: Database) -> None:
    _, secret = closed.access.add_token("old", "admin", sites=None, scopes=None, days=1)
    put(store.dsn, "UPDATE sqal_api_tokens SET expires_at = NOW() WHERE name = 'old'")
    for token in (secret, "sqal_made_up", "é"):
        answer = await closed.served.http.get(
            "/api/sqal/devices", headers={"Authorization": f"Bearer {token}".encode()}
        )
        assert answer.status_code in (400, 401), token


async def test_users_and_tokens_by_rest(closed: Closed) -> None:
    made = await closed.ask("admin", "POST", "/api/sqal/users", json={"name": "bob", "role": "viewer"})
    assert (made.status_code, made.json()["has_password"]) == (201, False)
    assert (
        await closed.ask("admin", "POST", "/api/sqal/users", json={"name": "bob", "role": "viewer"})
    ).status_code == 409
    short = await closed.ask("admin", "PATCH", "/api/sqal/users/bob", json={"password": "short"})
    assert (short.status_code, short.json()["errors"][0]["path"]) == (400, "password")
    changed = await closed.ask("admin", "PATCH", "/api/sqal/users/bob", json={"role": "operator", "sites": ["LL"]})
    assert (changed.json()["role"], changed.json()["sites"]) == ("operator", ["LL"])
    token = (await closed.ask("admin", "POST", "/api/sqal/tokens", json={"name": "mes", "scopes": ["read"]})).json()
    closed.tokens["mes"] = token["secret"]
    assert (await closed.ask("mes", "GET", "/api/sqal/me")).json()["scopes"] == ["read"]
    listed = await closed.ask("admin", "GET", "/api/sqal/tokens")
    assert token["secret"] not in listed.text
    assert (await closed.ask("admin", "POST", f"/api/sqal/tokens/{token['token_id']}/revoke")).json()["revoked_at"]
    refused = await closed.ask("admin", "POST", "/api/sqal/tokens", json={"name": "x", "scopes": ["write"]})
    assert refused.status_code == 400


async def test_changes_and_denials_are_on_record_without_secrets(closed: Closed, store: Database) -> None:
    await closed.ask("operator", "POST", "/api/sqal/alerts", json=BODIES["POST /api/sqal/alerts"])
    await closed.ask("viewer", "POST", "/api/sqal/users", json={}, headers={"X-Request-Id": "mine-1"})
    await closed.served.http.get("/api/sqal/devices?token=a-secret")
    await closed.served.http.get("/api/sqal/devices", headers={"Origin": "https://evil.example"})
    page = (await closed.ask("admin", "GET", "/api/sqal/audit")).json()["audit"]
    seen = {(each["actor"], each["outcome"], each["action"], each["target"], each["status"]) for each in page}
    assert seen >= {
        ("token:operator", "done", "POST", "/api/sqal/alerts", 201),
        ("token:viewer", "denied", "POST", "/api/sqal/users", 403),
        ("nobody", "denied", "GET", "/api/sqal/devices", 401),
        ("nobody", "denied", "GET", "/api/sqal/devices", 403),
    }
    assert "mine-1" in {each["request_id"] for each in page}
    with psycopg.connect(store.dsn) as connection:
        assert "a-secret" not in str(connection.execute("SELECT * FROM sqal_audit").fetchall())


async def test_the_demo_is_open_to_this_machine_only(served: Served) -> None:
    assert (await served.get("me")).json()["name"] == "demo"
    for name in ("X-Forwarded-For", "Forwarded", "Via", "X-Real-IP"):
        answer = await served.http.get("/api/sqal/devices", headers={name: "127.0.0.1"})
        assert answer.status_code == 401, name
    assert (await served.get("users")).status_code == 403


async def test_viewers_survive_the_database_and_strangers_do_not_get_in(
    own_postgres: OwnPostgres,
    mosquitto: OwnBroker,
    new_server: Serve,
    migrate_into: Callable[[str], None],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    migrate_into(own_postgres.dsn)
    monkeypatch.setattr(cloud.api.access, "RECHECK_S", 0.02)
    served = await new_server(dsn=own_postgres.dsn, broker_port=mosquitto.port, demo=False)
    _, token = access_to(own_postgres.dsn).add_token("v", "viewer", sites=None, scopes=None, days=1)
    url = f"{served.ws}/ws/realtime/?token={token}"
    async with websockets.connect(url) as socket:
        own_postgres.kill()
        async with websockets.connect(url) as another:  # a decision of less than a minute ago
            assert "connection_established" in str(await another.recv())
        headers = {"Authorization": "Bearer sqal_unknown"}
        assert (await served.http.get("/api/sqal/devices", headers=headers)).status_code == 503
        await socket.send('{"type":"heartbeat"}')
        while "heartbeat_ack" not in str(await socket.recv()):
            pass
