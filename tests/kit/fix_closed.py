"""A server outside the demo: nothing is open, there is a token of every kind, and two sites with something at each."""

import asyncio
import uuid
from collections.abc import AsyncIterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import httpx
import psycopg
import pytest

from cloud.ledger_keys import read_keys
from cloud.ledger_service import Writing, run_ledger
from cloud.settings import BrokerSettings, DatabaseSettings, Settings
from sqal.access import Access
from tests.kit.fix_broker import OwnBroker
from tests.kit.fix_database import Database
from tests.kit.fix_ledger import QUERIES, LedgerKit
from tests.kit.fix_messaging import rng
from tests.kit.fix_serve import Serve, Served
from tests.kit.rows import put_samples, sample_row

RECORDS = (
    """INSERT INTO sqal_events (time, device_id, boot_id, seq, kind, site_code, line)
    VALUES (NOW(), %(device)s, %(boot)s, 1, 'restart', %(code)s, 'line1')""",
    """INSERT INTO sqal_gaps (device_id, boot_id, first_seq, last_seq, reason, time, site_code, line)
    VALUES (%(device)s, %(boot)s, 2, 3, 'spool_full', NOW(), %(code)s, 'line1')""",
    """INSERT INTO sqal_calibrations (device_id, calibration_id, sensor, procedure, measured_at, calibration_values,
        site_code, line, boot_id, seq)
    VALUES (%(device)s, 'calibration-' || %(code)s, 'tof', 'empty-belt', NOW(), '{}', %(code)s, 'line1', %(boot)s,
        4)""",
    """INSERT INTO sqal_references (reference_id, site_code, figures, every_s, valid_until, created_by, created_at)
    VALUES ('piece-' || %(code)s, %(code)s, '{"volume_mm3": {"value": 1000, "tolerance": 10}}', 86400, '2099-01-01Z',
        'token:admin', NOW())""",
    """INSERT INTO sqal_challenges (device_id, boot_id, seq, reference_id, taken_at, passed, readings, lines, site_code,
        line)
    VALUES (%(device)s, %(boot)s, 5, 'piece-' || %(code)s, NOW(), TRUE, 10, '[]', %(code)s, 'line1')""",
)
LETTER = """INSERT INTO sqal_dead_letters (digest, reason, detail, topic, device_id, site_code, payload, payload_bytes)
    VALUES (sha256(convert_to(%(code)s, 'UTF8')), 'invalid', 'no sample', 'sqal/v1/' || %(code)s || '/line1/'
        || %(device)s || '/sample', %(device)s, %(code)s, '{}', 2)"""
EARLIER = 9  # samples of each site two days ago
ROLES = ("viewer", "operator", "admin")


@dataclass
class Closed:
    """A server outside the demo, with tokens of every kind."""

    served: Served
    access: Access
    tokens: dict[str, str]

    async def ask(self, who: str | None, method: str, path: str, **more: Any) -> httpx.Response:
        """Ask as `who`, or as nobody."""
        headers = {} if who is None else {"Authorization": f"Bearer {self.tokens[who]}"}
        return await self.served.http.request(method, path, headers=headers | more.pop("headers", {}), **more)

    def url(self, path: str, who: str) -> str:
        """The address of a WebSocket as `who`."""
        return f"{self.served.ws}{path}?token={self.tokens[who]}"


@dataclass(frozen=True)
class Belongings:
    """What stands at one site, by the names that routes use."""

    code: str
    device_id: str
    sample_id: str
    lot_id: int
    alert_id: int
    canard_id: str
    reference_id: str
    calibration_id: str

    @property
    def marks(self) -> tuple[str, ...]:
        """Texts that occur in an answer only where it shows something of this site."""
        return (self.device_id, self.sample_id, f"LOT-{self.code}", f'"{self.code}"')


@dataclass
class World:
    """A closed server and what stands at LL and at LS."""

    closed: Closed
    own: Belongings
    foreign: Belongings


def access_to(dsn: str) -> Access:
    """What `sqal user` and `sqal token` work with."""
    return Access(dsn, QUERIES)


@pytest.fixture
async def closed(store: Database, mosquitto: OwnBroker, new_server: Serve) -> Closed:
    """A server outside the demo, with tokens of every kind."""
    served = await new_server(dsn=store.dsn, broker_port=mosquitto.port, demo=False)
    access = access_to(store.dsn)
    tokens = {role: access.add_token(role, role, sites=None, scopes=None, days=1)[1] for role in ROLES}
    tokens["at LL"] = access.add_token("at LL", "operator", sites=["LL"], scopes=None, days=1)[1]
    tokens["admin at LL"] = access.add_token("admin at LL", "admin", sites=["LL"], scopes=None, days=1)[1]
    tokens["reader"] = access.add_token("reader", "admin", sites=None, scopes=["read"], days=1)[1]
    return Closed(served, access, tokens)


@pytest.fixture
async def world(closed: Closed, ledger: LedgerKit, mosquitto: OwnBroker) -> AsyncIterator[World]:
    """Two sites with a lot, a sample, an alert and an animal each; the ledger's writer runs."""
    settings = Settings(
        database=DatabaseSettings(url=ledger.dsn), broker=BrokerSettings(port=mosquitto.port), ledger=ledger.settings
    )
    stop = asyncio.Event()
    signers = read_keys(Path(ledger.settings.key_file))
    writing = Writing(settings, QUERIES, signers, rng(), lambda: datetime.now(UTC))
    writer = asyncio.create_task(run_ledger(writing, stop), name="test.ledger")
    try:
        yield World(closed, await _settle(closed, ledger, "LL"), await _settle(closed, ledger, "LS"))
    finally:
        stop.set()
        await writer


async def _settle(closed: Closed, ledger: LedgerKit, code: str) -> Belongings:
    with psycopg.connect(ledger.dsn) as connection:
        row = connection.execute(
            "INSERT INTO lots_gavage (code_lot, site_code, debut_lot, itm_moyen)"
            " VALUES (%s, %s, NOW(), 14.5) RETURNING id",
            (f"LOT-{code}", code),
        ).fetchone()
        for statement in (*RECORDS, LETTER):
            connection.execute(statement, {"code": code, "device": f"ESP32_{code}_01", "boot": uuid.UUID(int=7)})
    assert row is not None
    device, sample, animal = f"ESP32_{code}_01", f"sample-{code}", f"canard-{code}"
    rows = [sample_row(datetime.now(UTC), sample_id=sample, device_id=device, lot_id=row[0])]
    put_samples(ledger.dsn, rows)
    past = datetime.now(UTC) - timedelta(days=2)
    put_samples(ledger.dsn, [sample_row(past, 0.70 + n / 50, device_id=device) for n in range(EARLIER)])
    ledger.enqueue(rows)
    alert = {"device_id": device, "alert_type": "x", "severity": "info", "message": "m"}
    raised = await closed.ask("operator", "POST", "/api/sqal/alerts", json=alert)
    event = {"type_evenement": "gavage", "lot_id": row[0]}
    bound = await closed.ask("operator", "POST", f"/api/blockchain/canard/{animal}", json=event)
    assert bound.status_code == 201, bound.text
    return Belongings(
        code, device, sample, row[0], raised.json()["alert_id"], animal, f"piece-{code}", f"calibration-{code}"
    )
