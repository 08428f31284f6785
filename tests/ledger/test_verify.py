"""Goal: the verifier finds every change, names the first bad entry, and finds nothing where nothing was changed.

Method: a small ledger is written by the writer; then somebody with all rights over the database edits it.
"""

from collections.abc import Callable, Iterable
from datetime import timedelta
from pathlib import Path
from typing import Any

import psycopg
import pytest

from cloud.ledger import LedgerError
from cloud.ledger_keys import retire_keys, rotate_keys
from cloud.ledger_queue import LedgerEvent, queue_event
from tests.kit.fix_ledger import NOW, QUERIES, START, LedgerKit

TEXTS = ("note", "document")


async def _event(ledger: LedgerKit, **private: Any) -> None:
    async with await psycopg.AsyncConnection.connect(ledger.dsn) as connection:
        event = LedgerEvent("lot_held", f"lot:{ledger.lot_id}", NOW, ledger.lot_id, {"lot": ledger.lot_id}, private)
        await queue_event(connection, QUERIES, event)


async def test_a_ledger_that_nobody_touched_is_valid(ledger: LedgerKit) -> None:
    ledger.put(600)
    await _event(ledger, person="Jeanne", reason="smell")
    note = await ledger.write()
    report = ledger.verify(note)
    assert report.findings == []
    # the event that names the keys was queued last
    assert (report.entries, report.samples, report.expired, report.erased, report.not_covered) == (602, 600, 0, 0, 0)
    assert ledger.sql("SELECT count(*), min(length(txn_hash)) FROM sqal_blockchain_txns") == [(600, 64)]


async def test_samples_of_a_lot_may_share_an_entry(ledger: LedgerKit) -> None:
    ledger.put(300)
    note = await ledger.write(batch="lot")
    report = ledger.verify(note)
    assert report.is_valid
    assert (report.entries, report.samples) == (2, 300)
    ledger.sql("UPDATE sqal_sensor_samples SET fusion_final_score = 0.95 WHERE sample_id = 's7'")
    found = ledger.verify().findings
    assert [(each.code, each.index) for each in found] == [("sample_altered", 0)]


CHANGES = [
    ("UPDATE sqal_sensor_samples SET fusion_final_score = 0.8001 WHERE sample_id = 's3'", "sample_altered", 3),
    ("UPDATE sqal_sensor_samples SET lot_id = NULL WHERE sample_id = 's3'", "sample_altered", 3),
    ("UPDATE sqal_sensor_samples SET vl53l8ch_distance_matrix[3][3] = 9 WHERE sample_id = 's3'", "sample_altered", 3),
    (
        "UPDATE sqal_sensor_samples SET ingested_at = ingested_at + interval '1 us' WHERE sample_id = 's3'",
        "sample_altered",
        3,
    ),
    ("UPDATE sqal_sensor_samples SET eleveur = 'Paul' WHERE sample_id = 's3'", "personal_altered", 3),
    ("UPDATE sqal_sensor_samples SET time = time + interval '1 us' WHERE sample_id = 's3'", "sample_deleted", 3),
    ("DELETE FROM sqal_sensor_samples WHERE sample_id = 's3'", "sample_deleted", 3),
    (
        "UPDATE sqal_ledger SET entry = set_byte(entry, 20, get_byte(entry, 20) # 1) WHERE leaf_index = 5",
        "entry_altered",
        5,
    ),
    ("UPDATE sqal_ledger SET leaf_hash = sha256('x') WHERE leaf_index = 5", "entry_altered", 5),
    ("UPDATE sqal_ledger SET lot_id = 77 WHERE leaf_index = 5", "index_altered", 5),
    ("DELETE FROM sqal_ledger WHERE leaf_index = 5", "entry_missing", 5),
    ("DELETE FROM sqal_ledger WHERE leaf_index >= 15", "truncated", 15),
    ("DELETE FROM sqal_blockchain_txns WHERE sample_id = 's4'", "txn_missing", 4),
    ("UPDATE sqal_blockchain_txns SET txn_hash = repeat('0', 64) WHERE sample_id = 's4'", "txn_missing", 4),
    ("UPDATE sqal_ledger_checkpoints SET root = sha256('x')", "checkpoint_altered", None),
    ("UPDATE sqal_ledger_checkpoints SET note = replace(note, 'time 2026', 'time 2025')", "checkpoint_invalid", None),
]


@pytest.mark.parametrize(("change", "code", "index"), CHANGES)
async def test_a_change_is_found_and_its_entry_named(
    ledger: LedgerKit, change: str, code: str, index: int | None
) -> None:
    ledger.put(20)
    note = await ledger.write()
    ledger.sql(change)
    report = ledger.verify(note)
    assert report.first is not None
    assert (report.first.code, report.first.index) == (code, index), report.findings


async def test_a_swap_of_two_entries_is_found(ledger: LedgerKit) -> None:
    ledger.put(20)
    await ledger.write()
    ledger.sql("UPDATE sqal_ledger SET leaf_index = -5 WHERE leaf_index = 5")
    ledger.sql("UPDATE sqal_ledger SET leaf_index = 5 WHERE leaf_index = 6")
    ledger.sql("UPDATE sqal_ledger SET leaf_index = 6 WHERE leaf_index = -5")
    report = ledger.verify()
    assert [each.code for each in report.findings] == ["fork"]


async def test_a_sample_that_was_slipped_in_is_found(ledger: LedgerKit) -> None:
    ledger.put(5)
    note = await ledger.write()
    ledger.sql(
        "CREATE TEMP TABLE one AS SELECT * FROM sqal_sensor_samples WHERE sample_id = 's1';"
        " UPDATE one SET sample_id = 'slipped';"
        " INSERT INTO sqal_sensor_samples SELECT * FROM one"
    )
    assert [each.code for each in ledger.verify(note).findings] == ["sample_inserted"]


async def test_tables_put_in_the_way_of_the_verifier_deceive_nobody(ledger: LedgerKit) -> None:
    """Goal: who has all rights over the database changes a sample and shows the verifier a copy that was kept."""
    ledger.put(5)
    note = await ledger.write()
    ledger.sql("CREATE SCHEMA decoy")
    ledger.sql("CREATE TABLE decoy.sqal_sensor_samples AS SELECT * FROM sqal_sensor_samples")
    (name,) = ledger.sql("SELECT current_database()")[0]
    ledger.sql(f'ALTER DATABASE "{name}" SET search_path = decoy, public')
    (view,) = ledger.sql("SELECT pg_get_viewdef('sqal_ledger_records'::regclass)")[0]
    lie = view.replace("FROM sqal_sensor_samples", "FROM decoy.sqal_sensor_samples")
    ledger.sql(f"CREATE OR REPLACE VIEW public.sqal_ledger_records AS {lie}")
    ledger.sql("UPDATE public.sqal_sensor_samples SET fusion_final_score = 0.95 WHERE sample_id = 's3'")
    assert [(each.code, each.index) for each in ledger.verify(note).findings] == [("sample_altered", 3)]


async def test_a_history_that_was_written_anew_is_a_fork(ledger: LedgerKit) -> None:
    """Goal: the operator, who has the key too, rewrites history; whoever kept a checkpoint sees it."""
    ledger.put(20)
    kept = await ledger.write()
    ledger.sql("TRUNCATE sqal_ledger, sqal_ledger_nodes, sqal_ledger_checkpoints, sqal_blockchain_txns")
    ledger.sql("DELETE FROM sqal_sensor_samples WHERE sample_id = 's3'")
    with pytest.raises(LedgerError, match="was set back"):
        await ledger.write()
    ledger.forget_checkpoint()
    ledger.put(1, start=30)
    rows = ledger.sql("SELECT time, sample_id FROM sqal_sensor_samples WHERE sample_id <> 's30' ORDER BY time")
    ledger.enqueue([{"time": time, "sample_id": name} for time, name in rows])
    await ledger.write()
    assert ledger.verify().is_valid  # the new history alone is a good one
    assert [each.code for each in ledger.verify(kept).findings] == ["fork"]


async def test_what_retention_took_is_expired_not_deleted(ledger: LedgerKit) -> None:
    ledger.put(10)
    note = await ledger.write()
    ledger.sql("DELETE FROM sqal_sensor_samples WHERE sample_id < 's4'")
    later = START + timedelta(days=100)
    report = ledger.verify(note, now=later)
    assert (report.is_valid, report.expired) == (True, 4)
    assert ledger.verify(note, now=later, retention_days=120).findings_total == 4


async def test_personal_data_can_be_erased_but_not_changed(ledger: LedgerKit) -> None:
    rows = ledger.put(3)
    ledger.sql("DELETE FROM sqal_ledger_queue")
    ledger.sql("UPDATE sqal_sensor_samples SET eleveur = 'Paul'")
    ledger.enqueue(rows)
    await _event(ledger, person="Jeanne")
    note = await ledger.write()
    assert ledger.verify(note).is_valid
    ledger.sql("UPDATE sqal_sensor_samples SET eleveur = 'Marc' WHERE sample_id = 's1'")
    found = ledger.verify(note).findings
    assert [(each.code, each.index) for each in found] == [("personal_altered", 1)]
    ledger.sql("UPDATE sqal_sensor_samples SET eleveur = NULL; DELETE FROM sqal_ledger_salts")
    ledger.sql("DELETE FROM sqal_ledger_private")
    report = ledger.verify(note)
    assert (report.is_valid, report.erased) == (True, 4)


def some(size: int) -> Iterable[int]:
    return sorted({0, size - 1, *range(3, size, 23)})


@pytest.mark.parametrize(
    "places", [some, pytest.param(range, marks=(pytest.mark.proof, pytest.mark.timeout(1800)))], ids=["some", "all"]
)
async def test_every_byte_of_entries_hashes_and_checkpoints_counts(
    ledger: LedgerKit, places: Callable[[int], Iterable[int]]
) -> None:
    """Goal: no byte of the ledger changes unnoticed. Method: change each in turn, in one entry of each kind."""
    ledger.put(3)
    await _event(ledger, person="Jeanne")
    note = await ledger.write()
    for table, column, where in (
        ("sqal_ledger", "entry", "leaf_index = 1"),
        ("sqal_ledger", "entry", "leaf_index = 3"),
        ("sqal_ledger", "leaf_hash", "leaf_index = 1"),
        ("sqal_ledger_checkpoints", "root", "TRUE"),
        ("sqal_ledger_checkpoints", "note", "TRUE"),
        ("sqal_ledger_private", "salt", "TRUE"),
        ("sqal_ledger_private", "document", "TRUE"),
    ):
        cast = f"convert_to({column}, 'UTF8')" if column in TEXTS else column
        (size,) = ledger.sql(f"SELECT length({cast}) FROM {table} WHERE {where} LIMIT 1")[0]  # noqa: S608  # constants
        for at in places(size):
            flip = f"set_byte({cast}, {at}, get_byte({cast}, {at}) # 1)"
            if column in TEXTS:
                flip = f"convert_from({flip}, 'LATIN1')"
            (kept,) = ledger.sql(f"SELECT {column} FROM {table} WHERE {where}")[0]  # noqa: S608  # constants
            ledger.sql(f"UPDATE {table} SET {column} = {flip} WHERE {where}")  # noqa: S608  # constants
            report = ledger.verify(note)
            assert not report.is_valid, (table, column, at)
            if table == "sqal_ledger":
                assert report.first is not None
                assert report.first.index == int(where[-1])
            ledger.sql(f"UPDATE {table} SET {column} = %s WHERE {where}", kept)  # noqa: S608  # constants
    assert ledger.verify(note).is_valid


async def test_keys_rotate_and_old_checkpoints_stay_good(ledger: LedgerKit) -> None:
    ledger.put(3)
    first = await ledger.write()
    rotate_keys(Path(ledger.settings.key_file))
    ledger.put(3, start=10)
    both = await ledger.write()
    assert both.count("\u2014") == 2
    retire_keys(Path(ledger.settings.key_file))
    ledger.put(3, start=20)
    await ledger.write()
    assert ledger.verify(both).is_valid  # trusts the new key only; the ledger names the old one
    assert [each.code for each in ledger.verify(first).findings] == ["checkpoint_invalid"]
