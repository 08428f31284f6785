"""Three front ends at once: a Euralis-like client that polls REST, a Gaveurs-like client of the blockchain API, and a
dashboard on the WebSocket, all against a running demo line.

Goal: none of them sees an error, a gap or an answer of another shape while the line stores what it measures; and the
figures are the line's: the ITM of the demo's lots goes with their quality because the simulated animals of a lot with a
better ITM have larger and paler livers.
Method: each client is a thread with a connection of its own and works until the line has stored enough.
"""

import json
import threading
from collections import Counter
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import httpx
import psycopg
import pytest
from websockets.sync.client import connect

from cloud.certificate import check
from cloud.certificate_file import read_file
from cloud.ledger_keys import check_signature
from contract.checkpoint import parse_key
from tests.kit.fix_line import LineUnderTest

SPEED = 6.0
ROWS = 240  # eighty pieces a lot: their means stand apart by several standard errors
ANSWER_S = 30.0
LOTS = "SELECT id, code_lot, site_code FROM lots_gavage ORDER BY itm_moyen"


def euralis(url: str, lots: list[tuple[int, str, str]], done: threading.Event) -> Counter[str]:
    """Poll supervision, lots and the ITM as a page does; how often each was answered."""
    seen: Counter[str] = Counter()
    with httpx.Client(base_url=url, timeout=ANSWER_S, headers={"Origin": "http://localhost:3000"}) as http:
        while not done.is_set():
            for path in ("/api/euralis/sites", "/api/euralis/lots", "/api/euralis/dashboard/kpis"):
                answer = http.get(path)
                assert answer.status_code == 200, (path, answer.text)
                assert answer.headers["access-control-allow-origin"] == "http://localhost:3000"
                seen[path] += 1
            for lot_id, code, site in lots:
                lot = http.get(f"/api/sqal/integration/lot/{lot_id}").json()
                assert lot["lot_id"] == lot_id
                assert lot["lot"]["code_lot"] == code
                assert len(lot["samples"]) <= 50
                assert all(each["site_code"] == site for each in lot["samples"])
                assert sum(lot["grade_distribution"].values()) == lot["total_samples"]
                seen["integration"] += 1
    return seen


def gaveurs(url: str, lot_id: int, done: threading.Event) -> Counter[str]:
    """Begin animals, bind them to a lot, read histories, fetch certificates and prove them offline."""
    seen: Counter[str] = Counter()
    with httpx.Client(base_url=url, timeout=ANSWER_S, headers={"Origin": "http://localhost:3001"}) as http:
        keys = [parse_key(key) for key in http.get("/api/sqal/ledger/keys").json()]
        while not done.is_set():
            animal = f"c{seen['animals']}"
            begun = http.post("/api/blockchain/init", json={"gaveur_id": 7, "canard_ids": [animal], "description": "d"})
            assert begun.status_code == 201, begun.text
            event = {"type_evenement": "gavage", "donnees": {"dose_g": 420}, "lot_id": lot_id}
            added = http.post(f"/api/blockchain/canard/{animal}", json=event)
            assert added.status_code == 201, added.text
            history = http.get(f"/api/blockchain/canard/{animal}/history").json()
            kinds = Counter(each["type_evenement"] for each in history)
            assert kinds["init"] == kinds["gavage"] == 1
            answer = http.get(f"/api/blockchain/canard/{animal}/certificat")
            assert answer.status_code == 200, answer.text
            document, _ = read_file(answer.content)
            summary, _ = check(document, keys, check_signature)
            assert summary.subject == f"canard:{animal}"
            verdict = http.get("/api/blockchain/verify").json()
            assert verdict["valid"] is True, verdict
            seen["animals"] += 1
    return seen


def dashboard(url: str, done: threading.Event) -> Counter[str]:
    """Listen as a dashboard does; how many messages of each type came."""
    seen: Counter[str] = Counter()
    with connect(url.replace("http", "ws", 1) + "/ws/realtime/", origin=None) as socket:
        while not done.is_set():
            try:
                message: dict[str, Any] = json.loads(socket.recv(timeout=0.5))
            except TimeoutError:
                continue
            seen[message["type"]] += 1
            if message["type"] == "analysis_result":
                assert {"device_id", "site_code", "sample_id", "lot_id", "result", "confidence"} <= set(
                    message["payload"]
                )
    return seen


@pytest.mark.timeout(360)
def test_three_front_ends_work_at_once(line_at: Callable[..., LineUnderTest]) -> None:
    under = line_at(sites=3, speed=SPEED)
    under.wait(lambda: under.count() > 20, "the first rows")
    with psycopg.connect(under.line.dsn) as connection:
        lots = [(int(lot), str(code), str(site)) for lot, code, site in connection.execute(LOTS)]
    url, done = under.line.plan.url, threading.Event()
    with ThreadPoolExecutor(3) as clients:
        before = under.count()
        works = [
            clients.submit(euralis, url, lots, done),
            clients.submit(gaveurs, url, lots[0][0], done),
            clients.submit(dashboard, url, done),
        ]
        try:
            under.wait(
                lambda: under.count() >= before + ROWS or any(work.done() for work in works), "rows", timeout_s=240
            )
        finally:
            stored = under.count() - before
            done.set()
        polled, animals, live = (work.result(ANSWER_S * 3) for work in works)
    assert stored >= ROWS
    assert min(polled.values()) >= 3, polled
    assert animals["animals"] >= 2, animals
    assert live["gap"] == 0, live
    assert live["analysis_result"] >= ROWS / 2, live
    assert live["sensor_data"] >= 2 * live["analysis_result"] - 2, live
    found = httpx.get(f"{url}/api/euralis/lots", params={"min_samples": 10}, timeout=ANSWER_S).json()
    assert [lot["itm"] for lot in found["lots"]] == [15.25, 14.9, 14.55]
    assert found["correlation_itm_qualite"] > 0.5, found["lots"]
