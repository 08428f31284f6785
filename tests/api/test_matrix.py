"""Every route of the API's description, for every role and for a foreign site: who is let in, and what is shown.

A route that stands in the description and not in ROUTES fails the test: whoever adds one says here who may use it and
what it does for somebody of one site.

    own     shows what stands at the caller's sites and nothing else
    target  is about one thing: 403 where that stands at a foreign site, something else where it is the caller's
    hidden  as `target`, but what stands elsewhere is not there at all: 404
    all     shows every site at once: 403 for callers of some sites
    none    holds nothing of a site
    public  asks nobody who he is
"""

from dataclasses import dataclass, field
from typing import Any, Literal

import httpx
import pytest

from quality.recipe import DEFAULT_RECIPE
from tests.kit.fix_closed import EARLIER, ROLES, Belongings, Closed, World

Rule = Literal["own", "target", "hidden", "all", "none", "public"]
WORDS = {"reason": "r", "person": "p"}
HISTORY = {"type_evenement": "x", "lot_id": "{lot_id}"}


@dataclass(frozen=True)
class Who:
    """Who may use a route: the least role, the rule for sites, and a body and a query that make sense."""

    role: str
    rule: Rule
    body: dict[str, Any] = field(default_factory=dict)
    query: str = ""
    names: dict[str, Any] = field(default_factory=dict)


READING = ("POST /api/sqal/tickets", "POST /api/sqal/spc/gage-rr")  # change nothing: the scope `read` suffices
# fmt: off
REQUEST = {"command_id": "01910000-0000-7000-8000-000000000000"}
SHIPPED = {"name": DEFAULT_RECIPE.name, "version": DEFAULT_RECIPE.version}
PIECE = {
    "reference_id": "new-{code}", "figures": {"volume_mm3": {"value": 1000.0, "tolerance": 10.0}}, "every_s": 86400.0,
    "valid_until": "2099-01-01T00:00:00Z", "site_code": "{code}",
}
MODEL = {"model_name": "anomalies", "model_type": "anomaly", "version": "1", "file_sha256": "0" * 64}
GAGE = {
    "readings": [
        {"part": part, "appraiser": who, "value": 1000.0 + 10 * n + 2 * m + trial}
        for n, part in enumerate("ab") for m, who in enumerate("xy") for trial in range(2)
    ]
}
PANEL = {"name": "panel"}
CHANNEL = {"kind": "mqtt", "target": "plant/alerts"}
ROUTES = {
    "GET /api/sqal/health": Who("viewer", "none"),
    "GET /api/sqal/dashboard/overview": Who("viewer", "own"),
    "GET /api/sqal/devices": Who("viewer", "own"),
    "POST /api/sqal/devices": Who("admin", "target", {"device_id": "NEW_{code}", "site_code": "{code}"}),
    "GET /api/sqal/devices/{device_id}": Who("viewer", "target"),
    "PATCH /api/sqal/devices/{device_id}": Who("admin", "target", {"device_name": "n"}),
    "GET /api/sqal/fleet": Who("viewer", "own"),
    "POST /api/sqal/devices/{device_id}/commands": Who("operator", "target", {"name": "self-test"}),
    "GET /api/sqal/devices/{device_id}/commands/{command_id}": Who("viewer", "target", names=REQUEST),
    "GET /api/sqal/devices/{device_id}/twin": Who("viewer", "target"),
    "PUT /api/sqal/devices/{device_id}/twin": Who("operator", "target", {"rate_hz": 1.0}),
    "GET /api/sqal/samples": Who("viewer", "own"),
    "GET /api/sqal/samples/latest": Who("viewer", "own"),
    "GET /api/sqal/samples/{sample_id}": Who("viewer", "hidden"),
    "GET /api/sqal/stats/grade-distribution": Who("viewer", "own"),
    "GET /api/sqal/stats/hourly": Who("viewer", "own"),
    "GET /api/sqal/stats/sites": Who("viewer", "own"),
    "POST /api/sqal/alerts/{alert_id}/acknowledge": Who("operator", "target", query="?acknowledged_by=x"),
    "GET /api/sqal/alerts": Who("viewer", "own"),
    "GET /api/sqal/alerts/states": Who("viewer", "own"),
    "POST /api/sqal/alerts": Who("operator", "target",
        {"device_id": "{device_id}", "alert_type": "x", "severity": "info", "message": "m"}),
    "GET /api/sqal/integration/lots-aggregated": Who("viewer", "own"),
    "GET /api/sqal/integration/lot/{lot_id}": Who("viewer", "target"),
    "POST /api/sqal/login": Who("viewer", "public"),
    "POST /api/sqal/logout": Who("viewer", "public"),
    "GET /api/sqal/me": Who("viewer", "none"),
    "POST /api/sqal/tickets": Who("viewer", "none"),
    "GET /api/sqal/users": Who("admin", "all"),
    "POST /api/sqal/users": Who("admin", "all", {"name": "n", "role": "viewer"}),
    "PATCH /api/sqal/users/{name}": Who("admin", "all"),
    "GET /api/sqal/tokens": Who("admin", "all"),
    "POST /api/sqal/tokens": Who("admin", "all", {"name": "n"}),
    "POST /api/sqal/tokens/{token_id}/revoke": Who("admin", "all"),
    "GET /api/sqal/audit": Who("admin", "all"),
    "GET /api/sqal/sites": Who("viewer", "own"),
    "GET /api/sqal/export/samples.csv": Who("viewer", "own"),
    "GET /api/sqal/dead-letters": Who("viewer", "all"),
    "POST /api/sqal/dead-letters/{dead_letter_id}/replay": Who("admin", "all"),
    "GET /api/sqal/dead-letters/{dead_letter_id}": Who("viewer", "all"),
    "GET /api/sqal/gaps": Who("viewer", "own"),
    "GET /api/sqal/events": Who("viewer", "own"),
    "POST /api/blockchain/canard/{canard_id}": Who("operator", "target", HISTORY),
    "GET /api/blockchain/canard/{canard_id}/certificat": Who("viewer", "target"),
    "GET /api/blockchain/canard/{canard_id}/history": Who("viewer", "target"),
    "POST /api/blockchain/init": Who("operator", "none", {"canard_ids": ["new"]}),
    "GET /api/blockchain/verify": Who("viewer", "public"),
    "GET /api/euralis/alertes": Who("viewer", "own"),
    "GET /api/euralis/sites/compare": Who("viewer", "own"),
    "GET /api/euralis/dashboard/kpis": Who("viewer", "own"),
    "GET /api/euralis/lots/{lot_id}": Who("viewer", "target"),
    "GET /api/euralis/lots": Who("viewer", "own"),
    "GET /api/euralis/sites/{code}/lots": Who("viewer", "target"),
    "GET /api/euralis/sites/{code}": Who("viewer", "target"),
    "GET /api/euralis/sites": Who("viewer", "own"),
    "GET /api/euralis/sites/{code}/stats": Who("viewer", "target"),
    "GET /api/gaveurs/lots/{lot_id}/certificat": Who("viewer", "target"),
    "GET /api/gaveurs/lots/{lot_id}": Who("viewer", "target"),
    "POST /api/sqal/lots/{lot_id}/parents": Who("operator", "target", {"parent_lot_id": "{lot_id}"}),
    "GET /api/sqal/lots/{lot_id}/decisions": Who("viewer", "target"),
    "GET /api/sqal/lots/{lot_id}/pieces": Who("viewer", "target"),
    "GET /api/sqal/lots/{lot_id}/genealogy": Who("viewer", "target"),
    "POST /api/sqal/lots/{lot_id}/hold": Who("operator", "target", WORDS),
    "POST /api/sqal/lots/{lot_id}/release": Who("operator", "target", WORDS),
    "GET /api/sqal/lots/{lot_id}/report": Who("viewer", "target"),
    "PUT /api/sqal/lots": Who("operator", "target",
        {"lots": [{"code_lot": "LOT-{code}", "debut_lot": "2026-03-01"}]}),
    "GET /api/sqal/ledger/checkpoint": Who("viewer", "public"),
    "GET /api/sqal/ledger/checkpoints": Who("viewer", "public"),
    "GET /api/sqal/ledger/keys": Who("viewer", "public"),
    "GET /api/sqal/ledger/consistency": Who("viewer", "public"),
    "GET /api/sqal/ledger/proof": Who("viewer", "public"),
    "GET /api/sqal/recipes": Who("viewer", "none"),
    "POST /api/sqal/recipes": Who("operator", "all", {"values": {"name": "mine"}, "comment": "ours"}),
    "GET /api/sqal/recipes/activations": Who("viewer", "own"),
    "GET /api/sqal/recipes/{name}/{version}": Who("viewer", "none", names=SHIPPED),
    "GET /api/sqal/recipes/{name}/{version}/diff": Who("viewer", "none", names=SHIPPED),
    "POST /api/sqal/recipes/{name}/{version}/activate": Who("admin", "target",
        {"reason": "r", "device_id": "{device_id}"}, names=SHIPPED),
    "GET /api/sqal/calibrations": Who("viewer", "own"),
    "GET /api/sqal/calibrations/{device_id}/{calibration_id}": Who("viewer", "target"),
    "GET /api/sqal/references": Who("viewer", "own"),
    "POST /api/sqal/references": Who("admin", "target", PIECE),
    "POST /api/sqal/references/{reference_id}/retire": Who("admin", "target"),
    "GET /api/sqal/challenges": Who("viewer", "own"),
    "GET /api/sqal/challenges/due": Who("viewer", "own"),
    "GET /api/sqal/challenges/log.csv": Who("viewer", "own"),
    "POST /api/sqal/challenges/start": Who("operator", "target",
        {"device_id": "{device_id}", "reference_id": "{reference_id}"}),
    "GET /api/sqal/models": Who("viewer", "none"),
    "GET /api/sqal/models/{model_id}": Who("viewer", "none"),
    "POST /api/sqal/models": Who("operator", "all", MODEL),
    "POST /api/sqal/models/{model_id}/activate": Who("admin", "all"),
    "POST /api/sqal/models/{model_id}/retire": Who("admin", "all"),
    "GET /api/sqal/spc/chart": Who("viewer", "own"),
    "GET /api/sqal/spc/capability": Who("viewer", "own", query="?lower=0.5"),
    "POST /api/sqal/spc/gage-rr": Who("viewer", "none", GAGE),
    "GET /api/sqal/reanalysis": Who("operator", "own", query=f"?recipe={DEFAULT_RECIPE.label}"),
    "GET /api/sqal/alerts/{alert_id}/actions": Who("viewer", "target"),
    "POST /api/sqal/alerts/{alert_id}/shelve": Who("operator", "target", {"reason": "r", "minutes": 10}),
    "POST /api/sqal/alerts/{alert_id}/unshelve": Who("operator", "target"),
    "GET /api/sqal/channels": Who("admin", "all"),
    "PUT /api/sqal/channels/{name}": Who("admin", "all", CHANNEL, names=PANEL),
    "POST /api/sqal/channels/{name}/test": Who("admin", "all", names=PANEL),
    "GET /api/sqal/channels/log": Who("admin", "own"),
    "GET /api/sqal/channels/log/{notification_id}": Who("admin", "all"),
    "GET /livez": Who("viewer", "public"),
    "GET /readyz": Who("viewer", "public"),
    "GET /metrics": Who("viewer", "none"),
}
# fmt: on


def described(closed: Closed) -> set[str]:
    """Every route of the description."""
    document = closed.served.app.openapi_schema.to_schema()
    return {f"{method.upper()} {path}" for path, item in document["paths"].items() for method in item}


def filled(value: Any, names: dict[str, Any]) -> Any:
    """`value` with the names in braces put in."""
    if isinstance(value, dict):
        return {key: filled(each, names) for key, each in value.items()}
    if isinstance(value, list):
        return [filled(each, names) for each in value]
    if not isinstance(value, str):
        return value
    return names["lot_id"] if value == "{lot_id}" else value.format(**names)


async def use(closed: Closed, who: str | None, route: str, things: Belongings, *, query: str = "") -> httpx.Response:
    """Ask a route about things of one site."""
    entry = ROUTES[route]
    method, path = route.split()
    names = (
        {
            "name": "nobody",
            "token_id": 2**31 - 1,
            "dead_letter_id": 2**31 - 1,
            "model_id": 2**31 - 1,
            "notification_id": 2**31 - 1,
        }
        | vars(things)
        | entry.names
    )
    url = filled(path, names) + (query or entry.query)
    body = None if method == "GET" else filled(entry.body, names)
    return await closed.ask(who, method, url, json=body)


async def test_every_described_route_has_its_rule(closed: Closed) -> None:
    assert described(closed) == set(ROUTES)


@pytest.mark.timeout(300)
async def test_every_route_for_every_role(world: World) -> None:
    """Goal: nobody gets in without the role that a route asks for, and no token does more than its scopes say."""
    closed = world.closed
    for route, entry in ROUTES.items():
        if entry.rule == "public":
            status = (await use(closed, None, route, world.own)).status_code
            assert status not in (401, 403) or route == "POST /api/sqal/login", route
            continue
        assert (await use(closed, None, route, world.own)).status_code == 401, route
        for role in ROLES:
            status = (await use(closed, role, route, world.own)).status_code
            is_let_in = ROLES.index(role) >= ROLES.index(entry.role)
            assert (status not in (401, 403)) == is_let_in, (route, role, status)
            assert status < 500, (route, role, status)
        if not route.startswith("GET") and route not in READING:
            assert (await use(closed, "reader", route, world.own)).status_code == 403, route


@pytest.mark.timeout(300)
async def test_every_route_for_a_foreign_site(world: World) -> None:
    """Goal: rights at LL show and change nothing of LS. Method: an administrator of LL, so that sites alone decide."""
    closed, foreign = world.closed, world.foreign
    for route, entry in ROUTES.items():
        if entry.rule == "public":
            continue
        own = await use(closed, "admin at LL", route, world.own)
        other = await use(closed, "admin at LL", route, foreign)
        if entry.rule == "all":
            assert (own.status_code, other.status_code) == (403, 403), route
            continue
        assert own.status_code not in (401, 403), (route, own.text)
        assert own.status_code < 500, (route, own.text)
        assert not shown(own, foreign), route
        wanted = {"target": 403, "hidden": 404}.get(entry.rule, own.status_code)
        assert other.status_code == wanted, (route, other.text)
        if entry.rule == "own":
            for query in ("?site_code=LS", "?device_id=ESP32_LS_01", "?limit=1"):
                answer = await use(closed, "admin at LL", route, foreign, query=query)
                assert answer.status_code in (200, 400, 403, 404), (route, query)
                assert answer.status_code == 403 or not shown(answer, foreign), (route, query)


async def test_figures_of_one_site_count_that_site_only(world: World) -> None:
    """Goal: sums leak nothing either."""
    day = (await world.closed.ask("at LL", "GET", "/api/sqal/dashboard/overview")).json()
    assert (day["total_devices"], day["active_alerts"], day["stats_24h"]["total_samples"]) == (1, 1, 1)
    figures = (await world.closed.ask("at LL", "GET", "/api/euralis/dashboard/kpis")).json()
    sums = [figures[name] for name in ("total_sites", "total_devices", "total_lots", "total_samples", "active_alerts")]
    assert sums == [1, 1, 2, 1 + EARLIER, 1]  # the ledger's own lot stands at LL too
    lots = (await world.closed.ask("at LL", "GET", "/api/euralis/lots")).json()
    assert [lot["code_lot"] for lot in lots["lots"]] == ["LOT-LL"]


def shown(answer: httpx.Response, things: Belongings) -> list[str]:
    """The marks of `things` in an answer that is no refusal."""
    if answer.status_code >= 400:
        return []
    return [mark for mark in things.marks if mark in answer.text]
