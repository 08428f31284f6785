"""Goal: every named statement is one that the server takes, with the types it deduces by itself; nothing is run."""

import re

import psycopg
import pytest

from cloud.store.queries import Queries
from tests.kit.fix_database import Database
from tests.kit.fix_ingest import SQL

QUERIES = Queries(SQL / "queries")
PLAIN = [name for name in QUERIES.names() if not name.startswith(("copy_", "create_", "maintain_refresh"))]


def numbered(text: str) -> str:
    """The statement with $1, $2 … where psycopg has %(name)s."""
    names: dict[str, int] = {}
    found = re.sub(r"%\((\w+)\)s", lambda hit: f"${names.setdefault(hit[1], len(names) + 1)}", text)
    return found.replace("%%", "%")


@pytest.fixture
def session(store: Database):
    with psycopg.connect(store.dsn, autocommit=True) as connection:
        connection.execute(QUERIES["create_stage_samples"])
        yield connection


def test_every_statement_can_be_prepared(session: psycopg.Connection) -> None:
    refused: dict[str, str] = {}
    for name in PLAIN:
        try:
            session.execute(f"PREPARE {name} AS {numbered(QUERIES[name])}".encode())
        except psycopg.Error as error:
            refused[name] = str(error)
    assert not refused
