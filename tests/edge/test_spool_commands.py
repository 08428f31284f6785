"""`sqal spool verify|stats|export` as a person and as a program call them, on sound and on damaged spools."""

import json
import sqlite3
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

import pytest
from click.testing import CliRunner

from contract.codec import decode
from contract.messages import Event, SeqRange
from contract.sample import Sample
from edge.rows import Kind
from edge.spool import Spool, SpoolLimits
from sqal.commands.spool import spool as command
from tests.kit.fix_spool import HandClock, put


@pytest.fixture
def folder(new_spool: Callable[..., Spool], clock: HandClock, tmp_path: Path) -> Path:
    """Three events and two samples of which one is receipted; closed."""
    spool = new_spool()
    for kind in (Kind.EVENT, Kind.SAMPLE, Kind.EVENT, Kind.SAMPLE, Kind.EVENT):
        put(spool, clock, kind)
    spool.trim([SeqRange(boot_id=spool.boot_id, first_seq=2, last_seq=2)])
    spool.close()
    return tmp_path / "spool"


def run(*words: str) -> tuple[int, str, str]:
    done = CliRunner().invoke(command, list(words))
    return done.exit_code, done.stdout, done.stderr


def flip(path: Path) -> None:
    """Change one byte of the newest body."""
    with closing(sqlite3.connect(path)) as connection, connection:
        ((position, body),) = connection.execute("SELECT position, body FROM rows ORDER BY position DESC LIMIT 1")
        bad = bytes([*body[:-1], body[-1] ^ 1])
        connection.execute("UPDATE rows SET body = ? WHERE position = ?", (bad, position))


@pytest.mark.parametrize("part", ["", "spool.db"])
def test_verify_a_sound_spool(folder: Path, part: str) -> None:
    status, said, _ = run("verify", str(folder / part))
    assert status == 0
    assert said.endswith("4 messages, all sound\n")


def test_verify_names_what_is_damaged(folder: Path) -> None:
    flip(folder / "spool.db")
    status, said, _ = run("verify", str(folder))
    assert status == 1
    assert "seq 5: the bytes fail their checksum" in said
    assert "1 faults in 4 messages" in said


@pytest.mark.parametrize("name", ["verify", "stats", "export"])
def test_what_is_no_spool_is_said_and_ends_with_2(name: str, tmp_path: Path) -> None:
    (tmp_path / "spool.db").write_bytes(b"not a database" * 100)
    status, said, sorry = run(name, str(tmp_path))
    assert (status, said) == (2, "")
    assert "spool.db" in sorry
    (tmp_path / "spool.db").unlink()
    assert run(name, str(tmp_path))[0] == 2


def test_stats_in_words_and_for_programs(folder: Path, clock: HandClock, new_spool: Callable[..., Spool]) -> None:
    status, said, _ = run("stats", str(folder))
    assert status == 0
    assert "4 messages" in said
    assert "3 event, 1 sample" in said
    status, said, _ = run("stats", str(folder), "--json")
    told = json.loads(said)
    assert (told["rows"], told["kinds"], told["faults"], told["timeless"]) == (4, {"event": 3, "sample": 1}, 0, 0)
    assert [(boot["rows"], boot["first_seq"], boot["last_seq"]) for boot in told["boots"]] == [(4, 1, 5)]


def test_stats_count_what_gaps_tell_of(new_spool: Callable[..., Spool], clock: HandClock, tmp_path: Path) -> None:
    spool = new_spool(SpoolLimits(commit_interval_s=0.0, rows_max=40))
    for _ in range(90):
        put(spool, clock, Kind.SAMPLE)
    spool.close()
    told = json.loads(run("stats", str(tmp_path / "spool"), "--json")[1])
    (boot,) = told["boots"]
    assert told["kinds"]["gap"] >= 1
    assert boot["gap_seqs"] + boot["rows"] == boot["last_seq"]


def test_export_writes_what_would_be_sent_beside_a_running_agent(
    folder: Path, new_spool: Callable[..., Spool], clock: HandClock, tmp_path: Path
) -> None:
    agent = new_spool()
    put(agent, clock)
    out = tmp_path / "out.jsonl"
    status, _, said = run("export", str(folder), "-o", str(out))
    assert status == 0
    assert "5 messages written, 0 unreadable" in said
    lines = out.read_bytes().splitlines()
    kinds = [Sample if b'"vl53l8ch"' in line else Event for line in lines]
    assert [decode(kind, line).seq for kind, line in zip(kinds, lines, strict=True)] == [1, 3, 4, 5, 1]


def test_export_leaves_out_what_is_damaged_and_says_so(folder: Path) -> None:
    flip(folder / "spool.db")
    status, said, sorry = run("export", str(folder))
    assert status == 1
    assert len(said.splitlines()) == 3
    assert "fail their checksum" in sorry
    assert "3 messages written, 1 unreadable" in sorry
