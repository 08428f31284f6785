"""Every message of the contract: stored examples, round trip, rejection with a path.

Method: examples and types drive the tests, so a new message is covered by being in MESSAGES and having a golden file.
"""

import json
import re
import subprocess
import sys
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import msgspec
import msgspec.inspect as mi
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from contract import ContractError, NewerSchemaError, Sample, decode, encode, peek, sample_id_for
from contract.messages import MESSAGES, Result
from contract.reference import page
from tests.unit.contract.strategies import values

GOLDEN = Path(__file__).parents[3] / "contract" / "golden"
NAMES = sorted(path.name.removesuffix(".v1.json") for path in GOLDEN.glob("*.v1.json"))


def golden(name: str) -> dict[str, Any]:
    return json.loads((GOLDEN / f"{name}.v1.json").read_text())


def kind_of(name: str) -> type[Any]:
    return MESSAGES.get(name) or MESSAGES[name.partition("-")[0]]


def test_every_message_has_a_golden_file():
    assert {kind_of(name) for name in NAMES} == set(MESSAGES.values())


@pytest.mark.parametrize("name", NAMES)
def test_golden_file_decodes_and_survives_a_round_trip(name: str):
    message = decode(kind_of(name), json.dumps(golden(name)).encode())
    assert decode(kind_of(name), encode(message)) == message
    again = json.loads(encode(message))
    for key, value in golden(name).items():
        if key not in {"schema", "timestamp"}:  # defaults are left out, a naive time gains its Z
            assert again[key] == value


def test_the_customers_example_is_a_sample_as_it_stands():
    sample = decode(Sample, json.dumps(golden("sample-mission")).encode())
    assert sample.timestamp == datetime(2025, 12, 15, 10, 0, 0, 123456, UTC)
    assert sample.fusion.final_grade == "A"
    assert sample.schema == 1
    assert sample.boot_id is None


def test_a_full_result_fits_a_small_panel():
    assert len(encode(decode(Result, json.dumps(golden("result")).encode()))) <= 512


@pytest.mark.parametrize("name", sorted(MESSAGES))
@settings(max_examples=40)
@given(data=st.data())
def test_whatever_the_types_allow_round_trips(name: str, data: st.DataObject):
    kind = MESSAGES[name]
    drawn = data.draw(values(mi.type_info(kind)))
    drawn.pop("schema", None)
    try:
        message = decode(kind, json.dumps(drawn).encode())
    except ContractError as error:
        assume(not is_cross_field(error))
        raise
    assert decode(kind, encode(message)) == message


def is_cross_field(error: ContractError) -> bool:
    """Rules that tie two fields together are not in the types, so a draw may break them."""
    return any(
        words in error.reason
        for words in ("come together", "8 x 8 or empty", "lies before", "of kind gap", "bytes, at most")
    )


WRONG: list[Any] = [None, "text", -1, 1e9, [], {}, True, 3.5, "x" * 2000]


@settings(max_examples=150)
@given(data=st.data())
def test_a_wrong_value_anywhere_is_rejected_with_its_path_or_was_legal(data: st.DataObject):
    """Goal: no exception but ContractError, and its path leads to what was changed."""
    document = golden("sample")
    where: list[str | int] = []
    node: Any = document
    while isinstance(node, dict | list) and node:
        keys = sorted(node) if isinstance(node, dict) else list(range(len(node)))
        key = data.draw(st.sampled_from(keys))
        where.append(key)
        node = node[key]
    parent: Any = document
    for key in where[:-1]:
        parent = parent[key]
    parent[where[-1]] = data.draw(st.sampled_from(WRONG))
    try:
        decode(Sample, json.dumps(document).encode())
    except NewerSchemaError:
        assert where == ["schema"]
    except ContractError as error:
        named = error.path
    else:
        return
    assert path_matches(named, where), (named, where)


def path_matches(path: str, where: list[str | int]) -> bool:
    spelled = "$" + "".join(f"[{key}]" if isinstance(key, int) else f".{key}" for key in where)
    loose = re.sub(r"\[\.\.\.\]", r"[^.]*", re.escape(path).replace(r"\[\.\.\.\]", "[...]"))
    return bool(re.match(loose, spelled)) or path in spelled


@settings(max_examples=300)
@given(st.binary(max_size=200) | st.text(max_size=200).map(lambda text: text.encode("utf-8", "surrogatepass")))
def test_noise_raises_nothing_but_contract_error(noise: bytes):
    for kind in (Sample, Result):
        with pytest.raises(ContractError):
            decode(kind, noise)
    peek(noise)


@settings(max_examples=200)
@given(position=st.integers(0, 10**6), byte=st.integers(0, 255))
def test_one_changed_byte_decodes_or_raises_contract_error(position: int, byte: int):
    good = bytearray(json.dumps(golden("sample")).encode())
    good[position % len(good)] = byte
    try:
        decode(Sample, bytes(good))
    except ContractError:
        peek(bytes(good))


@pytest.mark.parametrize(
    ("change", "path", "reason"),
    [
        ({"timestamp": "yesterday"}, "$.timestamp", "RFC3339"),
        ({"timestamp": "0001-01-01T00:00:00+14:00"}, "$", "years 1 to 9999"),
        ({"device_id": "ESP32 LL"}, "$.device_id", "regex"),
        ({"device_id": "ESP32\n"}, "$.device_id", "regex"),
        ({"device_id": "-a"}, "$.device_id", "regex"),
        ({"sample_id": ""}, "$.sample_id", "length >= 1"),
        ({"sample_id": "x" * 101}, "$.sample_id", "length <= 100"),
        ({"lot_id": 2**31}, "$.lot_id", "<= 2147483647"),
        ({"seq": 1}, "$", "come together"),
        ({"site_code": "LLL"}, "$.site_code", "regex"),
        ({"location": "a\x00b"}, "$", "U+0000"),
        ({"fusion": {"final_score": 1.01, "final_grade": "A", "is_compliant": True}}, "$.fusion.final_score", "<= 1.0"),
    ],
)
def test_bounds_are_kept_and_named(change: dict[str, Any], path: str, reason: str):
    document = golden("sample-mission") | change
    with pytest.raises(ContractError) as caught:
        decode(Sample, json.dumps(document).encode())
    assert caught.value.path == path
    assert reason in caught.value.reason


def test_a_matrix_of_seven_rows_is_rejected():
    document = golden("sample-mission")
    document["vl53l8ch"]["raw"]["distance_matrix"].pop()
    with pytest.raises(ContractError, match=r"distance_matrix.*length 8|distance_matrix.*>= 8"):
        decode(Sample, json.dumps(document).encode())


def test_status_matrix_may_be_empty_but_not_half():
    document = golden("sample-mission")
    document["vl53l8ch"]["raw"]["status_matrix"] = []
    decode(Sample, json.dumps(document).encode())
    document["vl53l8ch"]["raw"]["status_matrix"] = [[5] * 8] * 3
    with pytest.raises(ContractError, match="8 x 8 or empty"):
        decode(Sample, json.dumps(document).encode())


def test_a_backslash_before_u0000_is_text_and_not_a_nul():
    document = golden("sample-mission") | {"location": "C:\\u0000"}
    assert decode(Sample, json.dumps(document).encode()).location == "C:\\u0000"


def test_a_newer_schema_is_told_from_a_wrong_message():
    for document in (golden("sample") | {"schema": 2}, {"schema": 7, "device_id": "x"}):
        with pytest.raises(NewerSchemaError, match="newer than 1"):
            decode(Sample, json.dumps(document).encode())


def test_too_large_and_too_deep_are_sentences():
    with pytest.raises(ContractError, match="at most 65536"):
        decode(Sample, b" " * 70_000)
    deep = json.dumps(golden("sample-mission"))[:-1] + ',"meta":{"a":' + "[" * 30_000 + "]" * 30_000 + "}}"
    with pytest.raises(ContractError):
        decode(Sample, deep.encode())


def test_unknown_fields_are_ignored():
    document = golden("sample-mission") | {"type": "sensor_data", "wifi": {"rssi": -60}}
    assert decode(Sample, json.dumps(document).encode()) == decode(
        Sample, json.dumps(golden("sample-mission")).encode()
    )


def test_peek_finds_whom_to_tell():
    document = golden("sample") | {"fusion": None}
    found = peek(json.dumps(document).encode())
    assert (found.device_id, str(found.boot_id), found.seq) == (document["device_id"], document["boot_id"], 42)
    assert peek(b'{"device_id": 7, "boot_id": "no uuid", "seq": "x"}') == peek(b"[]")


def test_sample_id_is_a_function_of_device_boot_and_seq():
    boot = decode(Sample, json.dumps(golden("sample")).encode()).boot_id
    assert boot is not None
    assert sample_id_for("D", boot, 1) == sample_id_for("D", boot, 1)
    assert len({sample_id_for("D", boot, 1), sample_id_for("D", boot, 2), sample_id_for("E", boot, 1)}) == 3


def test_the_reference_page_is_up_to_date():
    assert (GOLDEN.parents[1] / "docs" / "contract.md").read_text() == page(), "run: make docs"


def test_messages_are_frozen():
    sample = decode(Sample, json.dumps(golden("sample")).encode())
    with pytest.raises(AttributeError):
        sample.device_id = "other"  # pyright: ignore[reportAttributeAccessIssue]


def test_importing_the_contract_brings_in_nothing_else_of_ours():
    code = "import sys, contract.messages; print([m for m in sys.modules if m.split('.')[0] in "
    code += "{'messaging','quality','drivers','edge','cloud','sqal','numpy','paho'}])"
    assert (
        subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout.strip() == "[]"
    )


def test_encode_is_json_with_utc_times():
    text = json.loads(encode(decode(Sample, json.dumps(golden("sample-mission")).encode())))
    assert text["timestamp"] == "2025-12-15T10:00:00.123456Z"
    assert msgspec.json.decode(encode(decode(Sample, json.dumps(golden("sample")).encode())))["seq"] == 42
