"""Goal: the quick reading of a sample gives what the contract's own gives, and leaves all doubt to that."""

import json
from datetime import UTC, datetime
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from cloud.quick import pack, read_sample
from cloud.store.samples import Place, matrices_of, sample_row
from contract import ContractError, NewerSchemaError, Sample, decode
from contract.bounds import DISTANCE_MM_MAX, KCPS_MAX, REFLECTANCE_MAX, SIGMA_MAX, STATUS_MAX
from tests.kit.samples import as_bytes, sample

NOW = datetime(2026, 11, 23, 8, tzinfo=UTC)
PLACE = Place("ESP32_LL_01", "LL", "line1")
BOUNDS = {
    "distance_matrix": DISTANCE_MM_MAX,
    "reflectance_matrix": REFLECTANCE_MAX,
    "amplitude_matrix": KCPS_MAX,
    "status_matrix": STATUS_MAX,
    "ambient_matrix": KCPS_MAX,
    "sigma_matrix": SIGMA_MAX,
}


def matrices(top: int) -> st.SearchStrategy[list[list[int | None]]]:
    cell = st.none() | st.integers(0, top)
    whole = st.lists(st.lists(st.integers(0, top), min_size=8, max_size=8), min_size=8, max_size=8)
    return whole | st.lists(st.lists(cell, min_size=8, max_size=8), min_size=8, max_size=8)


def with_matrices(**changed: Any) -> dict[str, Any]:
    message = sample(1, at=NOW)
    message["vl53l8ch"] = {**message["vl53l8ch"], "raw": {**message["vl53l8ch"]["raw"], **changed}}
    return message


@given(
    st.fixed_dictionaries({name: matrices(top) for name, top in BOUNDS.items()}),
    st.sets(st.sampled_from(["status_matrix", "ambient_matrix", "sigma_matrix"])),
    st.sampled_from([None, 1, "\t"]),
)
def test_both_readings_give_the_same_row(found: dict[str, Any], empty: set[str], indent: int | str | None) -> None:
    message = with_matrices(**found | {name: [] for name in empty})
    payload = json.dumps(message, indent=indent).encode()
    slow = decode(Sample, payload)
    quick, packed = read_sample(payload)
    assert type(quick) is not Sample  # it was the quick one
    assert packed == matrices_of(slow)
    assert sample_row(3, quick, PLACE, [], packed) == sample_row(3, slow, PLACE, [])


ROW = [1] * 8
BAD: list[Any] = [
    [ROW] * 7,
    [ROW] * 9,
    [[1] * 7, *[ROW] * 6, [1] * 9],
    [[*ROW[:7], -1], *[ROW] * 7],
    [[*ROW[:7], 1.5], *[ROW] * 7],
    [[*ROW[:7], "1"], *[ROW] * 7],
    [[*ROW[:7], 4_001], *[ROW] * 7],
    [[*ROW[:7], 2**63], *[ROW] * 7],
    [[*ROW[:7], 10**40], *[ROW] * 7],
    [[*ROW[:7], True], *[ROW] * 7],
    [[*ROW[:7], []], *[ROW] * 7],
    [],
    None,
    7,
    {"a": ROW},
    [[None] * 7, *[ROW] * 7],
]


@pytest.mark.parametrize("matrix", BAD)
def test_what_the_contract_refuses_is_refused_with_its_path(matrix: Any) -> None:
    payload = as_bytes(with_matrices(distance_matrix=matrix))
    with pytest.raises(ContractError) as slow:
        decode(Sample, payload)
    with pytest.raises(ContractError) as quick:
        read_sample(payload)
    assert (quick.value.path, quick.value.reason) == (slow.value.path, slow.value.reason)


@pytest.mark.parametrize("text", [b"[[1 2,1]]", b'"[[,]]"', b"[[null1]]", b"-", b"nullnull"])
def test_text_that_is_no_matrix_is_left_to_the_contract(text: bytes) -> None:
    good = msgspec.Raw(b"[" + b",".join([b"[1,1,1,1,1,1,1,1]"] * 8) + b"]")
    none = msgspec.Raw(b"[]")
    assert pack((good, good, good, none, none, none)) is not None
    assert pack((msgspec.Raw(text), good, good, none, none, none)) is None


def test_an_odd_but_valid_number_is_taken_by_the_slower_way() -> None:
    payload = as_bytes(with_matrices(reflectance_matrix=[[-0, *ROW[:7]], *[ROW] * 7])).replace(b"[0,", b"[-0,", 1)
    assert read_sample(payload)[1] == matrices_of(decode(Sample, payload))


def test_a_newer_schema_is_told_apart() -> None:
    with pytest.raises(NewerSchemaError):
        read_sample(as_bytes({**sample(1, at=NOW), "schema": 2}))
