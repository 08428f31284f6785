"""Goal: the customer's other front ends get what the mission document promises them, from a real server and writer."""

import asyncio
from pathlib import Path

import psycopg
import pytest
from click.testing import CliRunner

from cloud.api.euralis import correlation
from cloud.lot_import import LotImportError, read_csv
from contract.checkpoint import parse_note
from contract.topics import LEDGER_CHECKPOINT
from messaging import Client, Subscription
from sqal.commands.lots import lots as lots_command
from tests.kit.fix_broker import OwnBroker
from tests.kit.fix_ledger import LedgerKit
from tests.kit.fix_messaging import rng
from tests.kit.fix_serve import Serve
from tests.ledger.test_certificates import writer  # noqa: F401  # a fixture

pytestmark = pytest.mark.usefixtures("writer")


async def test_the_history_of_an_animal_holds_its_own_events_and_its_lots(new_server: Serve, ledger: LedgerKit) -> None:
    ledger.put(2)
    http = (await new_server(dsn=ledger.dsn)).http
    body = {"gaveur_id": 7, "canard_ids": [17, "18"], "description": "Lot de mars"}
    begun = await http.post("/api/blockchain/init", json=body)
    assert begun.status_code == 201
    assert begun.json()["events"] == 2
    event = {"type_evenement": "gavage", "donnees": {"dose_g": 420}, "lot_id": ledger.lot_id}
    added = await http.post("/api/blockchain/canard/17", json=event)
    assert added.status_code == 201
    certificate = await http.get("/api/blockchain/canard/17/certificat", params={"lang": "en", "format": "html"})
    assert certificate.status_code == 200, certificate.text
    assert "canard:17" in certificate.text
    history = (await http.get("/api/blockchain/canard/17/history")).json()
    kinds = [each["type_evenement"] for each in history]
    assert sorted(kinds) == ["certificate", "gavage", "init", "qualite_sqal", "qualite_sqal"]
    gavage = next(each for each in history if each["type_evenement"] == "gavage")
    assert gavage["donnees"] == {"dose_g": 420}
    assert gavage["hash"] in added.json()["hashes"]
    assert all(each["block_hash"] for each in history)
    verdict = (await http.get("/api/blockchain/verify")).json()
    assert (verdict["valid"], verdict["first_error"], verdict["samples"]) == (True, None, 2)
    ledger.sql("DELETE FROM sqal_ledger_private")
    history = (await http.get("/api/blockchain/canard/17/history")).json()
    assert next(each for each in history if each["type_evenement"] == "gavage")["donnees"] is None
    assert (await http.get("/api/blockchain/canard/99/history")).status_code == 404
    wrong = await http.post("/api/blockchain/canard/17", json={**event, "lot_id": 999})
    assert wrong.status_code == 400


async def test_checkpoints_are_published_and_prove_each_other(
    new_server: Serve, ledger: LedgerKit, mosquitto: OwnBroker
) -> None:
    ledger.put(3)
    http = (await new_server(dsn=ledger.dsn)).http
    async with Client(host="127.0.0.1", port=mosquitto.port, client_id="outsider", rng=rng()) as client:
        await client.subscribe(Subscription(LEDGER_CHECKPOINT))
        async with asyncio.timeout(20):
            while True:
                kept = (await client.next_batch(1))[0].payload.decode()
                if parse_note(kept).size >= 4:
                    break
    assert ledger.remembered() == kept
    await http.post("/api/blockchain/init", json={"canard_ids": [1]})
    newest = kept
    async with asyncio.timeout(20):
        while parse_note(newest).size == parse_note(kept).size:
            newest = (await http.get("/api/sqal/ledger/checkpoint")).text
    sizes = {"first": parse_note(kept).size, "second": parse_note(newest).size}
    proof = (await http.get("/api/sqal/ledger/consistency", params=sizes)).json()["proof"]
    assert proof
    assert ledger.verify(kept, newest).is_valid
    one = (await http.get("/api/sqal/ledger/proof", params={"index": 1})).json()
    assert one["index"] == 1
    assert len((await http.get("/api/sqal/ledger/keys")).json()) == 1


async def test_lots_are_held_with_reason_and_person_released_and_related(new_server: Serve, ledger: LedgerKit) -> None:
    ledger.put(3)
    http = (await new_server(dsn=ledger.dsn)).http
    base = f"/api/sqal/lots/{ledger.lot_id}"
    why = {"reason": "odour", "person": "Jeanne"}
    assert (await http.post(f"{base}/release", json=why)).status_code == 409
    assert (await http.post(f"{base}/hold", json=why)).status_code == 201
    assert (await http.post(f"{base}/hold", json=why)).status_code == 409
    assert (await http.get(f"/api/euralis/lots/{ledger.lot_id}")).json()["is_held"] is True
    assert (await http.post(f"{base}/release", json=why)).status_code == 201
    made = await http.put("/api/sqal/lots", json={"lots": [{"code_lot": "P1", "debut_lot": "2026-02-01", "itm": 14.1}]})
    parent = made.json()["lots"][0]["lot_id"]
    assert (await http.post(f"{base}/parents", json={"parent_lot_id": parent, "share": 0.5})).status_code == 201
    loop = await http.post(f"/api/sqal/lots/{parent}/parents", json={"parent_lot_id": ledger.lot_id})
    assert loop.status_code == 400
    assert (await http.get(f"{base}/genealogy")).json()["ancestors"][0]["code_lot"] == "P1"
    table = (await http.get(f"{base}/report")).text.splitlines()
    assert len(table) == 4
    assert (await http.get(f"{base}/report", params={"format": "pdf"})).content.startswith(b"%PDF-")
    view = (await http.get(f"/api/gaveurs/lots/{ledger.lot_id}")).json()
    assert view["total_samples"] == 3
    async with asyncio.timeout(20):
        while {"lot_hold", "lot_release", "lot_parent"} - {each["type_evenement"] for each in view["history"]}:
            view = (await http.get(f"/api/gaveurs/lots/{ledger.lot_id}")).json()
    # the person stands in no entry
    assert ledger.sql("SELECT count(*) FROM sqal_ledger WHERE position('Jeanne'::BYTEA IN entry) > 0") == [(0,)]
    with psycopg.connect(ledger.dsn) as connection:
        connection.execute("COMMENT ON TABLE lots_gavage IS NULL")
    refused = await http.put("/api/sqal/lots", json={"lots": [{"code_lot": "P2", "debut_lot": "2026-02-01"}]})
    assert refused.status_code == 409


async def test_supervision_shows_how_itm_and_quality_go_together(new_server: Serve, ledger: LedgerKit) -> None:
    lots = "INSERT INTO lots_gavage (code_lot, site_code, debut_lot, itm_moyen) VALUES (%s, 'LS', '2026-03-01', %s)"
    for n, (itm, score) in enumerate(((14.0, 0.9), (15.0, 0.8), (16.0, 0.7))):
        (lot_id,) = ledger.sql(lots + " RETURNING id", f"LS-{n}", itm)[0]
        ledger.put(12, start=100 * (n + 1), lot_id=lot_id, score=score)
    http = (await new_server(dsn=ledger.dsn)).http
    found = (await http.get("/api/euralis/lots", params={"site_code": "LS", "min_samples": 10})).json()
    assert [each["itm"] for each in found["lots"]] == [16.0, 15.0, 14.0]
    assert found["correlation_itm_qualite"] == -1.0
    for path in ("sites", "sites/LL", "sites/LL/stats", "sites/LL/lots", "sites/compare", "dashboard/kpis", "alertes"):
        answer = await http.get(f"/api/euralis/{path}")
        assert answer.status_code == 200, (path, answer.text)
    assert (await http.get("/api/euralis/sites/XX")).status_code == 404


def test_lots_come_from_csv_and_a_wrong_line_is_named(
    ledger: LedgerKit, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = tmp_path / "lots.csv"
    file.write_text("code_lot;debut_lot;site_code;itm_moyen\nLL-1;2026-03-01;LL;15.2\nLL-2;2026-03-02;LL;14.9\n")
    monkeypatch.setenv("DATABASE_URL", ledger.dsn)
    ran = CliRunner().invoke(lots_command, ["import", str(file)])
    assert ran.output == "1 lots made, 1 brought up to date\n", ran.output
    assert ledger.sql("SELECT itm_moyen::TEXT FROM lots_gavage ORDER BY code_lot") == [("15.200",), ("14.900",)]
    with pytest.raises(LotImportError, match="line 2"):
        read_csv("code_lot,debut_lot\nA,tomorrow\n")
    assert correlation([(1, 1), (2, 2)]) is None
