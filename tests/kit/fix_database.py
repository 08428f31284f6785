"""PostgreSQL for tests: one server for the whole run, a fresh database for each test that asks.

`postgres` is the shared server: never stop it. A test that kills its database takes `own_postgres`, a server of its
own that can be killed and restarted on the same data and port.
"""

import itertools
import os
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import psycopg
import pytest
from psycopg import sql

from sqal.parts.postgres import RunningPostgres, start_postgres
from tests.kit.ports import free_port

_numbers = itertools.count(1)


@dataclass(frozen=True, slots=True)
class Database:
    """An empty database of one test."""

    name: str
    dsn: str


class OwnPostgres:
    """A server that belongs to one test: kill it, stop it, start it again on the same data and port."""

    def __init__(self, data: Path, port: int) -> None:
        self.data = data
        self.port = port
        self.running: RunningPostgres | None = None

    @property
    def dsn(self) -> str:
        return f"postgresql://postgres@127.0.0.1:{self.port}/postgres"

    def start(self) -> None:
        self.running = start_postgres(data=self.data, port=self.port, sync=False)

    def kill(self) -> None:
        assert self.running is not None
        self.running.kill()

    def stop(self) -> None:
        if self.running is not None:
            self.running.stop()


@pytest.fixture(scope="session")
def postgres(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningPostgres]:
    """The shared PostgreSQL server, without fsync."""
    server = start_postgres(data=tmp_path_factory.mktemp("postgres") / "data", port=free_port(), sync=False)
    yield server
    server.stop()


@pytest.fixture
def own_postgres(tmp_path: Path) -> Iterator[OwnPostgres]:
    """A started server of the test's own."""
    server = OwnPostgres(tmp_path / "own_postgres", free_port())
    server.start()
    yield server
    server.stop()


@pytest.fixture
def new_database(postgres: RunningPostgres) -> Iterator[Callable[..., Database]]:
    """Make databases: `new_database()` an empty one, `new_database(template="…")` a copy; dropped after the test."""
    made: list[str] = []

    def make(template: str = "template0") -> Database:
        name = f"test_{os.getpid()}_{next(_numbers)}"
        with psycopg.connect(postgres.dsn, autocommit=True) as connection:
            statement = sql.SQL("CREATE DATABASE {} TEMPLATE {} STRATEGY WAL_LOG")
            connection.execute(statement.format(sql.Identifier(name), sql.Identifier(template)))
        made.append(name)
        return Database(name=name, dsn=postgres.dsn_of(name))

    yield make
    with psycopg.connect(postgres.dsn, autocommit=True) as connection:
        for name in made:
            connection.execute(sql.SQL("DROP DATABASE IF EXISTS {} WITH (FORCE)").format(sql.Identifier(name)))


@pytest.fixture
def database(new_database: Callable[..., Database]) -> Database:
    """An empty database, gone after the test."""
    return new_database()
