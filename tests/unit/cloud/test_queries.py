"""Goal: every statement has one name and a description; columns of code and SQL are the same."""

import re
from pathlib import Path

import pytest

from cloud.store.queries import Queries, parse
from cloud.store.samples import COLUMNS

FOLDER = Path(__file__).resolve().parents[3] / "sql" / "queries"


def test_all_our_queries_can_be_read() -> None:
    queries = Queries(FOLDER)
    assert "insert_samples" in queries.names()
    assert all(queries[name] for name in queries.names())


def test_a_statement_without_description_is_refused() -> None:
    with pytest.raises(ValueError, match=r"x.sql: the statement a is not described"):
        parse("-- name: a\nSELECT 1;\n", source="x.sql")


def test_an_empty_statement_is_refused() -> None:
    with pytest.raises(ValueError, match=r"x.sql: a holds no statement"):
        parse("-- name: a\n-- Nothing.\n", source="x.sql")


def test_a_name_used_twice_is_refused(tmp_path: Path) -> None:
    for name in ("one.sql", "two.sql"):
        (tmp_path / name).write_text("-- name: a\n-- One.\nSELECT 1;\n")
    with pytest.raises(ValueError, match=r"two.sql: the statement a exists twice"):
        Queries(tmp_path)


def test_the_stage_has_the_columns_of_the_code_in_their_order() -> None:
    queries = Queries(FOLDER)
    names = [column.name for column in COLUMNS]

    def listed(text: str) -> list[str]:
        found = re.search(r"\((.*?)\n\)", text, re.DOTALL)
        assert found is not None
        return [word.strip() for word in found[1].split(",")]

    assert listed(queries["copy_stage_samples"]) == names
    assert listed(queries["insert_samples"]) == names[1:]
    assert listed(queries["create_stage_samples"]) == [f"{column.name} {column.type}" for column in COLUMNS]
    compared = set(re.findall(r"stored\.(\w+)", queries["compare_samples"]))
    assert compared == set(names) - {"n", "lot_id", "quality_flags", "site_code", "line", "hist", "origin"}
