"""Goal: the customer's own statements run, the statistics are right, and no column is smaller than the contract.

Method: the mission document's statements on a migrated database; the bounds of msgspec types against the catalog.
"""

import json
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

import psycopg
import pytest
from msgspec import inspect

from cloud.store.samples import COLUMNS, SPECTRAL_DETAILS, TOF_DETAILS
from contract import Sample
from contract.bounds import SCHEMA
from contract.messages import Event
from tests.kit.fix_database import Database
from tests.kit.fix_ingest import rows, value

TEN = {"F1_415nm": 0, "F2_445nm": 1, "F3_480nm": 2, "F4_515nm": 3, "F5_555nm": 4, "F6_590nm": 5} | {
    "F7_630nm": 6,
    "F8_680nm": 7,
    "Clear": 8,
    "NIR": 9,
}
INSERT = """INSERT INTO sqal_sensor_samples_json (time, sample_id, device_id, vl53l8ch_distance_matrix,
    vl53l8ch_reflectance_matrix, vl53l8ch_amplitude_matrix, vl53l8ch_volume_mm3, as7341_channels,
    as7341_freshness_index, fusion_final_score, fusion_final_grade, fusion_is_compliant)
    VALUES (%s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s)"""
HOUR = datetime(2026, 3, 2, 8, tzinfo=UTC)


def insert(
    dsn: str, at: datetime, name: str, *, device: str = "ESP32_LL_01", score: float = 0.8, grade: str = "A"
) -> None:
    matrix = json.dumps([[100.4] * 7 + [None]] * 8)
    with psycopg.connect(dsn) as connection:
        values = (
            at,
            name,
            device,
            matrix,
            matrix,
            matrix,
            50000,
            json.dumps(TEN),
            0.9,
            score,
            grade,
            grade != "REJECT",
        )
        connection.execute(INSERT, values)


def test_the_customers_insert_runs_with_jsonb(store: Database) -> None:
    insert(store.dsn, HOUR, "a")
    row = rows(
        store.dsn,
        """SELECT vl53l8ch_distance_matrix, as7341_channels, site_code, line, fusion_final_score
        FROM get_latest_sqal_sample('ESP32_LL_01')""",
    )
    assert row == [([[100] * 7 + [None]] * 8, TEN, "LL", "line1", Decimal("0.8000"))]
    assert value(store.dsn, "SELECT vl53l8ch_distance_matrix[1][1] FROM sqal_sensor_samples") == 100
    assert value(store.dsn, "SELECT count(*) FROM get_latest_sqal_sample()") == 1


def test_the_customers_device_insert_runs_without_column_names(store: Database) -> None:
    with psycopg.connect(store.dsn) as connection:
        connection.execute(
            """INSERT INTO sqal_devices VALUES ('ESP32_LL_02', 'Capteur', 'v1.2.3', 'LL', 'active', 'standard', NOW(),
            NULL)"""
        )
    assert value(store.dsn, "SELECT line FROM sqal_devices WHERE device_id = 'ESP32_LL_02'") == "line1"


def test_the_customers_correlation_runs(store: Database) -> None:
    query = """SELECT l.code_lot, l.itm_moyen, AVG(s.fusion_final_score) AS avg_quality_score, COUNT(*) AS nb_samples
        FROM lots_gavage l LEFT JOIN sqal_sensor_samples s ON s.lot_id = l.id WHERE l.site_code = 'LL'
        GROUP BY l.id, l.code_lot, l.itm_moyen HAVING COUNT(*) > 10 ORDER BY l.itm_moyen DESC"""
    assert rows(store.dsn, query) == []


def test_statistics_are_there_at_once_and_right(store: Database) -> None:
    for n, (score, grade) in enumerate([(0.95, "A+"), (0.8, "A"), (0.3, "REJECT")]):
        insert(store.dsn, HOUR + timedelta(minutes=20 * n), f"a{n}", score=score, grade=grade)
    insert(store.dsn, HOUR + timedelta(hours=1), "b", score=0.5, grade="C")
    insert(store.dsn, HOUR, "c", device="ESP32_LS_01", score=0.7, grade="B")
    hourly = """SELECT bucket, device_id, sample_count, round(avg_quality_score, 4), count_a_plus, count_a, count_b,
        count_c, count_reject, avg_volume_mm3::int, round(avg_freshness_index, 2), round(compliance_rate_pct)
        FROM sqal_hourly_stats ORDER BY device_id, bucket"""
    assert rows(store.dsn, hourly) == [
        (HOUR, "ESP32_LL_01", 3, Decimal("0.6833"), 1, 1, 0, 0, 1, 50000, Decimal("0.90"), 67.0),
        (HOUR + timedelta(hours=1), "ESP32_LL_01", 1, Decimal("0.5000"), 0, 0, 0, 1, 0, 50000, Decimal("0.90"), 100.0),
        (HOUR, "ESP32_LS_01", 1, Decimal("0.7000"), 0, 0, 1, 0, 0, 50000, Decimal("0.90"), 100.0),
    ]
    sites = """SELECT bucket, site_code, total_samples, round(avg_quality_score, 4), compliance_rate_pct, count_reject
        FROM sqal_site_stats ORDER BY site_code"""
    day = HOUR.replace(hour=0)
    assert rows(store.dsn, sites) == [
        (day, "LL", 4, Decimal("0.6375"), 75.0, 1),
        (day, "LS", 1, Decimal("0.7000"), 100.0, 0),
    ]


@pytest.mark.parametrize(
    ("start_min", "end_min", "count"),
    [(0, 60, 3), (0, 40, 2), (20, 21, 1), (21, 40, 0), (20, 61, 3), (-600, 600, 4), (60, 61, 1), (40, 60, 1)],
)
def test_the_figures_of_a_period_are_exact(store: Database, start_min: int, end_min: int, count: int) -> None:
    """Samples at minutes 0, 20, 40 and 60; a period holds its start and not its end."""
    for minute in (0, 20, 40, 60):
        insert(store.dsn, HOUR + timedelta(minutes=minute), f"a{minute}")
    period = (HOUR + timedelta(minutes=start_min), HOUR + timedelta(minutes=end_min))
    found = rows(store.dsn, "SELECT total_samples, count_a FROM get_sqal_stats_period(%s, %s, 'LL')", *period)
    assert found == [(count, count)]
    assert value(store.dsn, "SELECT total_samples FROM get_sqal_stats_period(%s, %s, 'MT')", *period) == 0


def field_type(path: str, kind: type) -> Any:
    """The msgspec type of a dotted path; of a union with None, the part that is not None."""
    node: Any = inspect.type_info(kind)
    for step in path.split("."):
        node = _without_none(node)
        (found,) = [each for each in node.fields if each.name == step]
        node = found.type
    return _without_none(node)


def _without_none(node: Any) -> Any:
    if isinstance(node, inspect.UnionType):
        (kept,) = [each for each in node.types if not isinstance(each, inspect.NoneType)]
        return kept
    return node


def column(dsn: str, table: str, name: str) -> tuple[Any, ...]:
    query = """SELECT data_type, udt_name, character_maximum_length, numeric_precision, numeric_scale
        FROM information_schema.columns WHERE table_name = %s AND column_name = %s"""
    (found,) = rows(dsn, query, table, name)
    return found


INTEGERS = {"int2": 2**15 - 1, "int4": 2**31 - 1, "int8": 2**63 - 1}


def assert_fits(node: Any, found: tuple[Any, ...], where: str) -> None:
    """Every value that the type admits can be stored in the column."""
    data_type, udt, length, precision, scale = found
    match node:
        case inspect.LiteralType():
            assert max(len(str(each)) for each in node.values) <= length, where
        case inspect.StrType() if node.max_length is not None:
            assert node.max_length <= (length or 2**30), where
        case inspect.StrType():
            widest = {"{0,99}": 100, "{1,2}": 2}  # the only patterns of the contract, by how they end
            (bound,) = [each for end, each in widest.items() if end in (node.pattern or "")]
            assert bound <= length, where
        case inspect.IntType():
            assert node.ge is not None, where
            assert (node.le if node.le is not None else SCHEMA) <= INTEGERS[udt], where
        case inspect.FloatType() if data_type == "numeric":
            assert node.ge >= 0, where
            assert node.le <= 10 ** (precision - scale) - 10**-scale, where
        case inspect.FloatType():
            assert udt == "float8", where
        case inspect.ListType() if udt == "_text":
            pass
        case inspect.ListType():
            cell = _without_none(node.item_type)
            cell = _without_none(cell.item_type) if isinstance(cell, inspect.ListType) else cell
            assert cell.le <= INTEGERS[udt.removeprefix("_")], where
        case inspect.StructType() if udt == "_int4":
            counts = [each.type for each in node.fields if isinstance(each.type, inspect.IntType)]
            assert len(counts) == 10, where
            assert all(each.le <= INTEGERS["int4"] for each in counts), where
        case _:
            kinds = {
                inspect.DateTimeType: "timestamptz",
                inspect.UUIDType: "uuid",
                inspect.BoolType: "bool",
                inspect.DictType: "jsonb",
                inspect.ListType: "jsonb",
            }
            assert udt == kinds[type(node)], where


PATHS = [each for each in COLUMNS if each.path is not None]


@pytest.mark.parametrize("each", PATHS, ids=[each.name for each in PATHS])
def test_every_bound_of_a_sample_is_at_most_its_columns(store: Database, each: Any) -> None:
    if each.type == "jsonb":
        assert column(store.dsn, "sqal_sensor_samples", each.name)[1] == "jsonb"
        return
    assert_fits(field_type(each.path, Sample), column(store.dsn, "sqal_sensor_samples", each.name), each.path)


EVENT_COLUMNS = {"timestamp": "time"} | {
    name: name
    for name in ("device_id", "boot_id", "seq", "kind", "severity", "site_code", "line", "piece_id", "lot_id", "hist")
}


@pytest.mark.parametrize("path", EVENT_COLUMNS)
def test_every_bound_of_an_event_is_at_most_its_columns(store: Database, path: str) -> None:
    found = column(store.dsn, "sqal_events", EVENT_COLUMNS[path])
    assert_fits(field_type(path, Event), found, path)


def test_every_field_of_a_sample_has_a_column() -> None:
    """Method: leaves of the contract against the table that the ingester encodes by; nothing falls off unseen."""
    known = {each.path for each in COLUMNS if each.path}
    known |= {f"vl53l8ch.analysis.{name}" for name in TOF_DETAILS}
    known |= {f"as7341.analysis.{name}" for name in SPECTRAL_DETAILS}

    def leaves(node: Any, prefix: str) -> set[str]:
        found: set[str] = set()
        for each in node.fields:
            path = f"{prefix}{each.name}"
            kind = _without_none(each.type)
            deeper = isinstance(kind, inspect.StructType) and path not in known
            found |= leaves(kind, f"{path}.") if deeper else {path}
        return found

    filled = {"site_code", "line"}  # from the registry
    within = {"as7341.raw.clear_halves"}  # of as7341.raw, whose counts are one column
    assert leaves(inspect.type_info(Sample), "") - filled == known - within
