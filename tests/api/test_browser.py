"""What a browser may do and gets: origins, host names, documentation and dashboard without internet."""

import re
from pathlib import Path

import pytest
import websockets
from websockets.exceptions import InvalidStatus

from tests.kit.fix_serve import Serve, Served

ALLOWED = ["http://localhost:3000", "http://localhost:3001", "http://localhost:5173"]


@pytest.mark.parametrize("origin", ALLOWED)
async def test_known_front_ends_may_read(served: Served, origin: str) -> None:
    answer = await served.http.get("/api/sqal/devices", headers={"Origin": origin})
    assert answer.status_code == 200
    assert answer.headers["access-control-allow-origin"] == origin
    preflight = {"Origin": origin, "Access-Control-Request-Method": "POST"}
    assert (await served.http.options("/api/sqal/alerts", headers=preflight)).status_code == 204
    async with websockets.connect(f"{served.ws}/ws/realtime/", origin=origin) as socket:  # pyright: ignore
        assert "connection_established" in str(await socket.recv())


@pytest.mark.parametrize(
    ("headers", "status"),
    [
        ({"Origin": "https://evil.example"}, 403),
        ({"Origin": "null"}, 403),
        ({"Origin": "http://localhost:3000.evil.example"}, 403),
        ({"Host": "evil.example"}, 421),
        ({"Host": "evil.example:8000", "Origin": "http://evil.example:8000"}, 421),
        ({"Host": "[::1"}, 421),
    ],
)
async def test_strangers_are_refused_before_anything_else(served: Served, headers: dict[str, str], status: int) -> None:
    answer = await served.http.get("/api/sqal/devices", headers=headers)
    assert answer.status_code == status
    assert answer.headers["content-type"] == "application/problem+json"
    assert answer.json()["detail"]


async def test_a_strangers_page_gets_no_websocket(served: Served) -> None:
    for path in ("/ws/realtime/", "/ws/sensors/"):
        with pytest.raises(InvalidStatus) as refused:
            await websockets.connect(f"{served.ws}{path}", origin="https://evil.example")  # pyright: ignore
        assert refused.value.response.status_code == 403


async def test_own_origin_and_loopback_names(served: Served) -> None:
    own = f"http://127.0.0.1:{served.port}"
    answer = await served.http.get(f"{own}/api/sqal/devices", headers={"Origin": own})
    assert answer.status_code == 200


async def test_the_documentation_needs_no_internet(served: Served) -> None:
    page = await served.http.get("/docs")
    assert page.status_code == 200
    start = await served.http.get("/docs/start.js")
    for text in (page.text, start.text):
        assert not re.search(r"(https?:)?//[a-z]", text)
    assert "'unsafe-inline'" not in page.headers["content-security-policy"]
    schema = (await served.http.get("/schema/openapi.json")).json()
    paths = {path.removeprefix("/api/sqal") for path in schema["paths"]}
    assert paths >= {
        "/health",
        "/devices",
        "/devices/{device_id}",
        "/samples",
        "/samples/latest",
        "/samples/{sample_id}",
        "/stats/hourly",
        "/stats/sites",
        "/stats/grade-distribution",
        "/alerts",
        "/alerts/{alert_id}/acknowledge",
        "/dashboard/overview",
        "/integration/lot/{lot_id}",
        "/integration/lots-aggregated",
        "/dead-letters",
        "/gaps",
        "/events",
    }
    names = {each["name"] for each in schema["paths"]["/api/sqal/samples"]["get"]["parameters"]}
    assert names == {"start_time", "end_time", "device_id", "limit"}


async def test_an_unbuilt_dashboard_says_what_to_do(served: Served) -> None:
    answer = await served.http.get("/")
    assert answer.status_code == 503
    assert "make page" in answer.text


async def test_the_dashboard(new_server: Serve, tmp_path: Path) -> None:
    page = tmp_path / "static"
    (page / "assets").mkdir(parents=True)
    (page / "index.html").write_text("<!doctype html><title>SQAL</title>")
    (page / "assets" / "index-abc.js").write_text("run()")
    (tmp_path / "secret.txt").write_text("outside")
    served = await new_server(static_dir=page)
    for path in ("/", "/alerts", "/lots/5/history"):
        answer = await served.http.get(path)
        assert answer.status_code == 200
        assert answer.text.startswith("<!doctype html>")
        assert answer.headers["cache-control"] == "no-cache"
        assert "default-src 'self'" in answer.headers["content-security-policy"]
        assert answer.headers["x-content-type-options"] == "nosniff"
    script = await served.http.get("/assets/index-abc.js")
    assert script.headers["cache-control"] == "public, max-age=31536000, immutable"
    assert script.headers["content-type"].startswith("text/javascript")
    again = await served.http.get("/", headers={"If-None-Match": answer.headers["etag"]})
    assert (again.status_code, again.content) == (304, b"")
    for path in ("/assets/gone.js", "/api/nix", "/ws/nix", "/vendor/gone.css"):
        assert (await served.http.get(path)).status_code == 404
    for path in ("/..%2fsecret.txt", "/%2e%2e/secret.txt", "/assets/..%2f..%2fsecret.txt", "/%00"):
        assert "outside" not in (await served.http.get(path)).text
