"""A ledger for tests: a database with the schema, keys, a writer that is driven by hand, and the verifier."""

from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import msgspec
import psycopg
import pytest

from cloud.ledger import Ledger
from cloud.ledger_keys import check_signature, create_keys, read_keys
from cloud.ledger_report import Report, Trust
from cloud.ledger_service import open_ledger_session
from cloud.ledger_verify import verify_ledger
from cloud.settings import LedgerSettings
from cloud.store.queries import Queries
from sqal.resources import resource_path
from tests.kit.fix_database import Database
from tests.kit.rows import put_samples, sample_row

NOW = datetime(2026, 3, 2, 12, 0, tzinfo=UTC)
START = datetime(2026, 3, 2, 8, 0, tzinfo=UTC)
QUERIES = Queries(resource_path("sql") / "queries")


class LedgerKit:
    """One ledger: its database, its files, and what is done to them."""

    def __init__(self, dsn: str, folder: Path) -> None:
        self.dsn = dsn
        self.settings = LedgerSettings(
            origin="sqal.test/ledger", key_file=str(folder / "key"), checkpoint_file=str(folder / "checkpoint")
        )
        create_keys(folder / "key", self.settings.origin)
        self.lot_id = self.sql(
            "INSERT INTO lots_gavage (code_lot, site_code, debut_lot, itm_moyen)"
            " VALUES ('LL-1', 'LL', '2026-03-01', 14.5) RETURNING id"
        )[0][0]

    def sql(self, statement: str, *values: Any) -> list[tuple[Any, ...]]:
        """Run a statement as somebody who may do anything, triggers off."""
        with psycopg.connect(self.dsn) as connection:
            connection.execute("SET session_replication_role = replica")
            cursor = connection.execute(statement.encode(), values)
            return cursor.fetchall() if cursor.description else []

    def put(self, count: int, *, start: int = 0, **changes: Any) -> list[dict[str, Any]]:
        """Store samples of the lot and queue them, as ingest does."""
        changes = dict(changes)
        score = changes.pop("score", 0.8)
        rows = [
            sample_row(
                START + timedelta(seconds=start + n),
                score,
                **{"lot_id": self.lot_id, "sample_id": f"s{start + n}"} | changes,
            )
            for n in range(count)
        ]
        put_samples(self.dsn, rows)
        self.enqueue(rows)
        return rows

    def enqueue(self, rows: Sequence[dict[str, Any]]) -> None:
        with psycopg.connect(self.dsn) as connection:
            values = {"times": [row["time"] for row in rows], "sample_ids": [row["sample_id"] for row in rows]}
            connection.execute(QUERIES["ledger_enqueue_samples"], values)

    def remembered(self) -> str:
        """The file that remembers the newest checkpoint."""
        return Path(self.settings.checkpoint_file).read_text()

    def forget_checkpoint(self) -> None:
        """Remove the file that remembers the newest checkpoint."""
        Path(self.settings.checkpoint_file).unlink()

    @asynccontextmanager
    async def opened(self, **changes: Any) -> AsyncIterator[Ledger]:
        """A writer that has loaded the tree."""
        settings = msgspec.structs.replace(self.settings, **changes)
        async with await open_ledger_session(self.dsn) as connection:
            ledger = Ledger(connection, QUERIES, settings, read_keys(Path(settings.key_file)), lambda: NOW)
            await ledger.open()
            yield ledger

    async def write(self, **changes: Any) -> str:
        """Put everything that is queued into the tree; the newest note."""
        async with self.opened(**changes) as ledger:
            while await ledger.write_round() is not None:
                pass
            assert ledger.latest is not None
            return ledger.latest

    def verify(self, *notes: str, retention_days: float = 90, now: datetime = NOW) -> Report:
        keys = [signer.public for signer in read_keys(Path(self.settings.key_file))]
        trust = Trust(keys, check_signature, notes)
        return verify_ledger(self.dsn, trust, now=now, retention=timedelta(days=retention_days))


@pytest.fixture
def ledger(store: Database, tmp_path: Path) -> LedgerKit:
    """An empty ledger with a key and a lot."""
    return LedgerKit(store.dsn, tmp_path)
