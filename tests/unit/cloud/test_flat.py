"""The flat form of the customer's ESP32 simulator, and that either form is read as the contract's sample."""

import copy
import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cloud.flat import PAYLOAD_BYTES_MAX, is_flat, read_sample
from contract.bounds import MESSAGE_BYTES_MAX
from contract.codec import decode, encode
from contract.errors import ContractError
from contract.sample import Sample
from tests.kit.samples import as_bytes, flat_sample, sample


def changed(path: str, to: Any) -> dict[str, Any]:
    """The flat sample with the value at a dotted path replaced; `...` removes it."""
    message = copy.deepcopy(flat_sample())
    *parents, last = path.split(".")
    inner: Any = message
    for name in parents:
        inner = inner[name]
    if to is ...:
        del inner[last]
    else:
        inner[last] = to
    return message


def test_the_flat_form_becomes_a_sample() -> None:
    payload = as_bytes(flat_sample())
    assert len(payload) > MESSAGE_BYTES_MAX
    read = read_sample(payload)
    assert read.vl53l8ch.raw.distance_matrix[0] == [17, 18, 18, 18, 18, 18, 18, 18]
    assert read.vl53l8ch.raw.reflectance_matrix[7][7] == 38
    assert read.vl53l8ch.raw.amplitude_matrix[0][0] == 0
    assert read.vl53l8ch.raw.ambient_matrix[0][0] == 224
    assert read.vl53l8ch.raw.status_matrix[0][0] == 5
    assert read.vl53l8ch.analysis.volume_mm3 == 312_000.77
    assert (read.as7341.raw.F1_415nm, read.as7341.raw.F3_480nm, read.as7341.raw.NIR) == (412, 1800, 3000)
    assert read.as7341.analysis.oxidation_index == 0.1
    assert (read.fusion.final_score, read.fusion.final_grade, read.fusion.is_compliant) == (0.868, "A", True)
    kept = (read.location, read.lot_abattage, read.eleveur, read.provenance, read.meta, read.firmware_version)
    assert kept == ("Landes", "AB-1", "Dupont", "Sud-Ouest", {"batch": 7}, "3.1.0")
    assert read.timestamp.isoformat() == "2026-11-22T21:54:11.123456+00:00"
    assert len(encode(read)) < 4096


@pytest.mark.parametrize(
    ("said", "grade", "compliant"),
    [
        ("A+", "A+", True),
        ("A+ - EXCEPTIONNEL", "A+", True),
        ("A - EXCELLENT", "A", True),
        ("B - BON", "B", True),
        ("Grade C (acceptable)", "C", True),
        ("C - ACCEPTABLE", "C", True),
        ("REJECT", "REJECT", False),
        ("REJET - qualité insuffisante", "REJECT", False),
        ("REJECT - A revoir", "REJECT", False),
        ("à rejeter", "REJECT", False),
    ],
)
def test_grades_are_read_by_what_they_contain(said: str, grade: str, compliant: bool) -> None:
    read = read_sample(as_bytes(changed("fusion.final_grade", said)))
    assert (read.fusion.final_grade, read.fusion.is_compliant) == (grade, compliant)
    assert read_sample(as_bytes(changed("vl53l8ch.grade", said))).vl53l8ch.analysis.grade == grade


def test_a_verdict_on_compliance_is_kept() -> None:
    assert read_sample(as_bytes(changed("fusion.is_compliant", to=False))).fusion.is_compliant is False


@pytest.mark.parametrize(
    ("path", "to", "at"),
    [
        ("fusion.final_grade", "unknown", "$.fusion.final_grade"),
        ("fusion.final_grade", "N/A", "$.fusion.final_grade"),
        ("vl53l8ch.grade", "", "$.vl53l8ch.grade"),
        ("fusion.final_score", 1.2, "$.fusion.final_score"),
        ("fusion", ..., "$.fusion"),
        ("as7341.channels.NIR", ..., "$.as7341.channels.NIR"),
        ("as7341.channels.NIR", -1, "$.as7341.channels.NIR"),
        ("as7341.channels", [1] * 10, "$.as7341.channels"),
        ("vl53l8ch.distance_matrix", [[1.0] * 8] * 7, "$.vl53l8ch.distance_matrix"),
        ("vl53l8ch.distance_matrix", [[4001.0] * 8] * 8, "$.vl53l8ch.distance_matrix[0][0]"),
        ("vl53l8ch.reflectance_matrix", [["x"] * 8] * 8, "$.vl53l8ch.reflectance_matrix[0][0]"),
        ("vl53l8ch.ambient_matrix", [[1.0] * 8] * 3, "$.vl53l8ch.ambient_matrix"),
        ("vl53l8ch.volume_mm3", None, "$.vl53l8ch.volume_mm3"),
        ("device_id", "../x", "$.device_id"),
        ("sample_id", "", "$.sample_id"),
        ("timestamp", "yesterday", "$.timestamp"),
        ("timestamp", ..., "$.timestamp"),
        ("timestamp", "0001-01-01T00:00:00+14:00", "$"),
        ("meta", "text", "$.meta"),
        ("meta", {"long": "x" * 70_000}, "$"),
        ("eleveur", "a\0b", "$"),
    ],
)
def test_what_is_wrong_is_named_as_the_sender_wrote_it(path: str, to: Any, at: str) -> None:
    with pytest.raises(ContractError) as refused:
        read_sample(as_bytes(changed(path, to)))
    assert refused.value.path == at
    assert refused.value.reason


def test_the_customers_own_form_is_read_too() -> None:
    payload = as_bytes(sample(3) | {"type": "sensor_data", "quality_js": ["x" * 100_000]})
    assert read_sample(payload) == decode(Sample, as_bytes(sample(3)))


@pytest.mark.parametrize("payload", [b"", b"{", b"[]", b"null", b"\xff", b'{"vl53l8ch":[]}', b"[" * 100_000])
def test_what_is_no_sample_is_refused(payload: bytes) -> None:
    assert not is_flat(payload)
    with pytest.raises(ContractError):
        read_sample(payload)


def test_more_than_a_mebibyte_is_refused() -> None:
    with pytest.raises(ContractError, match="at most 1048576"):
        read_sample(as_bytes(flat_sample(padding="x" * PAYLOAD_BYTES_MAX)))


def matrices(high: float) -> st.SearchStrategy[list[list[float | None]]]:
    cells = st.none() | st.floats(0, high, allow_nan=False) | st.integers(0, int(high))
    return st.lists(st.lists(cells, min_size=8, max_size=8), min_size=8, max_size=8)


@given(matrices(4000), matrices(255), matrices(4095))
def test_any_matrix_in_bounds_becomes_one_of_integers(distance: Any, reflectance: Any, amplitude: Any) -> None:
    message = flat_sample(vl53l8ch_raw=None)
    message["vl53l8ch"] |= {
        "distance_matrix": distance,
        "reflectance_matrix": reflectance,
        "amplitude_matrix": amplitude,
    }
    raw = read_sample(as_bytes(message)).vl53l8ch.raw
    pairs = ((distance, raw.distance_matrix), (reflectance, raw.reflectance_matrix), (amplitude, raw.amplitude_matrix))
    for sent, read in pairs:
        assert read == [[None if cell is None else round(cell) for cell in row] for row in sent]


NAMES = st.sampled_from(["vl53l8ch", "as7341", "fusion", "distance_matrix", "x"])


@given(
    st.recursive(
        st.none() | st.booleans() | st.integers() | st.text(),
        lambda inner: st.lists(inner) | st.dictionaries(NAMES, inner),
    )
)
def test_any_json_is_a_sample_or_a_contract_error(value: Any) -> None:
    with pytest.raises(ContractError):
        read_sample(json.dumps(value).encode())
