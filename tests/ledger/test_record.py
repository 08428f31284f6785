"""Goal: every stored column of a sample is under its digest, and leaves from before a column was added stay good.

Method: the columns are asked of the database, so that one that a migration adds fails here until somebody decides where
it belongs; then each is changed in turn. Old leaves are queued as the writer before record 2 queued them.
"""

from typing import Any

from contract.record import COLUMNS, LEFT_OUT, PERSONAL, decode_record
from tests.kit.fix_ledger import LedgerKit

OF_SAMPLES = "table_schema = 'public' AND table_name = 'sqal_sensor_samples'"
OTHER_VALUES = {
    "integer": "12",
    "bigint": "12",
    "numeric": "0.1234",
    "double precision": "0.125",
    "boolean": "NOT COALESCE({0}, FALSE)",
    "character varying": "'x'",
    "uuid": "gen_random_uuid()",
    "timestamp with time zone": "{0} + interval '1 us'",
    "jsonb": "'{{\"x\": 1}}'",
    "ARRAY": "'{{7}}'",
}
QUEUED_BEFORE = """INSERT INTO sqal_ledger_queue (time, device_id, sample_id, lot_id, digest)
    SELECT time, device_id, sample_id, lot_id, sha256(record) FROM sqal_ledger_records ORDER BY time"""


def stored_columns(ledger: LedgerKit) -> dict[str, str]:
    return dict(ledger.sql(f"SELECT column_name, data_type FROM information_schema.columns WHERE {OF_SAMPLES}"))  # noqa: S608  # a constant


def test_somebody_decided_about_every_column(ledger: LedgerKit) -> None:
    newest = COLUMNS[max(COLUMNS)]
    decided = [*newest, *PERSONAL, *LEFT_OUT]
    assert len(decided) == len(set(decided))
    assert set(stored_columns(ledger)) == set(decided), "decide in contract/record.py where a new column belongs"


def test_the_record_is_what_its_names_say(ledger: LedgerKit) -> None:
    ledger.put(1)
    names = COLUMNS[2]
    (record,) = ledger.sql("SELECT record_2 FROM sqal_ledger_records")[0]
    (older,) = ledger.sql("SELECT record FROM sqal_ledger_records")[0]
    assert bytes(record)[4:].startswith(bytes(older)[4:])  # but for the number of columns
    said = decode_record(bytes(record))
    texts = {"numeric", "character varying"}
    kinds = stored_columns(ledger)
    (row,) = ledger.sql(f"SELECT {', '.join(names)} FROM sqal_sensor_samples")  # noqa: S608  # names of our own
    stored: dict[str, Any] = dict(zip(names, row, strict=True))
    for name, value in said.items():
        expected = stored[name]
        assert value == (str(expected) if kinds[name] in texts and expected is not None else expected), name
    assert len(said) > 50


async def test_a_change_of_any_column_is_found(ledger: LedgerKit) -> None:
    ledger.put(len(stored_columns(ledger)) + 2)
    note = await ledger.write()
    columns = stored_columns(ledger)
    for place, (name, kind) in enumerate(columns.items()):
        other = "NULL" if name == "lot_id" else OTHER_VALUES[kind].format(name)
        ledger.sql(f"UPDATE sqal_sensor_samples SET {name} = {other} WHERE sample_id = 's{place}'")  # noqa: S608  # as above
    report = ledger.verify(note)
    found = {each.index for each in report.findings if each.index is not None}
    assert found == set(range(len(columns))), [name for at, name in enumerate(columns) if at not in found]


async def test_leaves_of_record_1_stay_good_beside_those_of_record_2(ledger: LedgerKit) -> None:
    ledger.put(5)
    ledger.sql("DELETE FROM sqal_ledger_queue")
    ledger.sql(QUEUED_BEFORE)
    ledger.put(5, start=100)
    await ledger.write()
    ledger.put(5, start=200)
    note = await ledger.write(batch="lot")
    heads = ledger.sql("SELECT DISTINCT substring(entry FOR 2) FROM sqal_ledger WHERE subject IS NULL ORDER BY 1")
    assert [bytes(head) for (head,) in heads] == [b"\x01\x01", b"\x02\x01"]
    report = ledger.verify(note)
    assert (report.is_valid, report.samples, report.older_records) == (True, 15, 5)
    ledger.sql("UPDATE sqal_sensor_samples SET fusion_final_score = 0.8001 WHERE sample_id = 's3'")
    assert [(each.code, each.index) for each in ledger.verify(note).findings] == [("sample_altered", 3)]
    ledger.sql("UPDATE sqal_sensor_samples SET fusion_final_score = 0.8 WHERE sample_id = 's3'")
    ledger.sql("UPDATE sqal_sensor_samples SET as7341_clear_halves = '{1,2}' WHERE sample_id = 's3'")
    assert ledger.verify(note).is_valid  # record 1 did not know this column: `older_records` says so
