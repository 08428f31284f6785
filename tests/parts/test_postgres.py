"""Goal: the embedded PostgreSQL starts, survives, and says in one sentence why it does not.

Method: the real binaries on free ports and temporary folders; the death of a parent is played with a real process.
"""

import os
import select
import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import psycopg
import pytest

from sqal.parts import PartError, postgres
from sqal.parts.postgres import RunningPostgres, explain, start_postgres
from tests.kit.fix_database import Database, OwnPostgres
from tests.kit.ports import free_port

PARENT = """
import pathlib, sys, time
from sqal.parts.postgres import start_postgres
server = start_postgres(data=pathlib.Path(sys.argv[1]), port=int(sys.argv[2]), sync=False)
print(server.child.pid, flush=True)
sys.stdin.read()
"""


def value(dsn: str, query: str) -> object:
    with psycopg.connect(dsn) as connection:
        row = connection.execute(query.encode()).fetchone()
    assert row is not None
    return row[0]


def test_committed_rows_survive_sigkill(own_postgres: OwnPostgres) -> None:
    with psycopg.connect(own_postgres.dsn) as connection:
        connection.execute("CREATE TABLE kept AS SELECT generate_series(1, 1000) AS n")
    own_postgres.kill()
    own_postgres.start()
    assert value(own_postgres.dsn, "SELECT count(*) FROM kept") == 1000


def test_utc_and_utf8_whatever_the_machine_says(database: Database) -> None:
    assert value(database.dsn, "SHOW timezone") == "UTC"
    assert value(database.dsn, "SHOW server_encoding") == "UTF8"
    assert value(database.dsn, "SELECT lower('FOIE GRAS ÉTUVÉ')") == "foie gras étuvé"


def test_databases_are_fresh_and_templates_work(new_database: Callable[..., Database]) -> None:
    template = new_database()
    with psycopg.connect(template.dsn) as connection:
        connection.execute("CREATE TABLE here (n int)")
    assert value(new_database(template=template.name).dsn, "SELECT count(*) FROM here") == 0
    assert value(new_database().dsn, "SELECT to_regclass('here')") is None


def test_second_instance_on_the_same_data_is_one_sentence(
    own_postgres: OwnPostgres, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(postgres, "TAKEOVER_GRACE_S", 0.2)
    with pytest.raises(PartError, match="another instance already uses the data in"):
        start_postgres(data=own_postgres.data, port=free_port(), sync=False)
    assert value(own_postgres.dsn, "SELECT 1") == 1


def test_taken_port_is_one_sentence(postgres: RunningPostgres, tmp_path: Path) -> None:
    with pytest.raises(PartError, match=f"port {postgres.port} is taken"):
        start_postgres(data=tmp_path / "data", port=postgres.port, sync=False)


def test_full_disk_is_one_sentence(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(postgres, "DISK_FREE_BYTES_MIN", 1 << 60)
    with pytest.raises(PartError, match=r"disk .* is full: PostgreSQL needs"):
        start_postgres(data=tmp_path / "data", port=free_port(), sync=False)
    assert not (tmp_path / "data").exists()


def test_foreign_content_is_never_replaced(tmp_path: Path) -> None:
    data = tmp_path / "data"
    data.mkdir()
    (data / "thesis.txt").write_text("mine")
    with pytest.raises(PartError, match="cannot become a PostgreSQL data folder"):
        start_postgres(data=data, port=free_port(), sync=False)
    assert (data / "thesis.txt").read_text() == "mine"


def test_a_start_that_was_cut_short_is_made_again(tmp_path: Path) -> None:
    half_made = tmp_path / "data.making"
    half_made.mkdir()
    (half_made / "PG_VERSION").write_text("18\n")
    server = start_postgres(data=tmp_path / "data", port=free_port(), sync=False)
    server.stop()
    assert not half_made.exists()


def test_the_server_dies_with_its_parent(tmp_path: Path) -> None:
    """The parent is killed with SIGKILL; the end of the server shows on a pidfd, its data start again."""
    port = free_port()
    command = [sys.executable, "-c", PARENT, str(tmp_path / "data"), str(port)]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as parent:
        assert parent.stdout is not None
        server = os.pidfd_open(int(parent.stdout.readline()))
        try:
            parent.send_signal(signal.SIGKILL)
            assert select.select([server], [], [], 20)[0], "the server outlived its parent"
        finally:
            os.close(server)
    start_postgres(data=tmp_path / "data", port=port, sync=False).stop()


@pytest.mark.parametrize(
    ("words", "sentence"),
    [
        ('could not bind IPv4 address "127.0.0.1": Address already in use', "port 5 is taken"),
        ('FATAL:  lock file "postmaster.pid" already exists', "another instance"),
        ("FATAL:  pre-existing shared memory block (key 1) is still in use", "another instance"),
        ("FATAL:  could not write to file: No space left on device", "is full"),
        ("FATAL:  database files are incompatible with server", "another version"),
        ('FATAL:  data directory "/d" has wrong ownership', "belongs to another user"),
        ("initdb: error: could not access directory: Permission denied", "permissions"),
    ],
)
def test_every_known_trouble_has_its_sentence(words: str, sentence: str) -> None:
    explained = explain(words, data=Path("/d"), port=5)
    assert explained is not None
    assert sentence in explained


def test_unknown_trouble_is_not_explained_away() -> None:
    assert explain("PANIC:  the moon is full", data=Path("/d"), port=5) is None
