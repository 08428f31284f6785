"""The packed form of `raw`: promised sizes, round trips, and garbage that is only refused."""

import json
import struct

import pytest
from hypothesis import given
from hypothesis import strategies as st

from contract import ContractError, NewerSchemaError, decode, encode
from contract.messages import Raw
from contract.packed import (
    HEAD,
    MOST,
    NO_VALUE,
    PARTS,
    U32_MAX,
    Kind,
    Light,
    RawPart,
    boot_id_of,
    is_packed,
    merged,
    pack,
    raw_of,
    unpack,
)

U32 = st.integers(0, U32_MAX)
COUNTS = st.tuples(*[st.integers(0, 65_535)] * 6)


def matrices(name: str) -> st.SearchStrategy[tuple[int | None, ...]]:
    cell = st.one_of(st.none(), st.integers(0, MOST[name]))
    return st.lists(cell, min_size=64, max_size=64).map(tuple)


LIGHTS = st.builds(
    Light,
    COUNTS,
    COUNTS,
    gain=st.integers(1, 1024).map(lambda steps: steps / 2),
    integration_ms=st.integers(1, 65_535).map(lambda steps: round(steps * 0.01, 2)),
)
WHOLE = st.builds(
    RawPart,
    U32,
    st.integers(1, U32_MAX),
    U32,
    distance=matrices("distance"),
    reflectance=matrices("reflectance"),
    amplitude=matrices("amplitude"),
    light=LIGHTS,
)


def part(**changes: object) -> RawPart:
    cells: tuple[int | None, ...] = (100,) * 63 + (None,)
    light = Light((1, 2, 3, 4, 100, 50), (5, 6, 7, 8, 103, 53), gain=64.0, integration_ms=50.04)
    values: dict[str, object] = {"distance": cells, "reflectance": cells, "amplitude": cells, "light": light}
    return RawPart(7, 1, 1500, **(values | changes))  # pyright: ignore[reportArgumentType]


@pytest.mark.parametrize(
    ("kind", "size"),
    [
        (Kind.DISTANCE, 142),
        (Kind.REFLECTANCE, 142),
        (Kind.AMPLITUDE, 142),
        (Kind.TOF, 398),
        (Kind.LIGHT, 42),
        (Kind.WHOLE, 426),
    ],
)
def test_one_matrix_fits_a_packet_of_256_bytes_and_everything_one_of_512(kind: Kind, size: int):
    assert len(pack(part(), kind)) == size


@given(whole=WHOLE, kind=st.sampled_from(Kind))
def test_what_is_packed_is_unpacked(whole: RawPart, kind: Kind):
    found = unpack(pack(whole, kind))
    assert (found.boot, found.seq, found.uptime_ms) == (whole.boot, whole.seq, whole.uptime_ms)
    for name in PARTS[Kind.WHOLE]:
        assert getattr(found, name) == (getattr(whole, name) if name in PARTS[kind] else None)


@given(whole=WHOLE)
def test_parts_in_any_order_make_the_whole_and_the_whole_is_a_message(whole: RawPart):
    parts = [unpack(pack(whole, kind)) for kind in (Kind.LIGHT, Kind.AMPLITUDE, Kind.DISTANCE, Kind.REFLECTANCE)]
    together = parts[0]
    for each in parts[1:]:
        together = merged(together, each)
    assert together == whole
    message = raw_of(together, "ESP32_LL_01")
    assert decode(Raw, encode(message)) == message
    assert message.boot_id == boot_id_of("ESP32_LL_01", whole.boot)


@given(payload=st.binary(max_size=430))
def test_garbage_is_refused_and_nothing_else_is_raised(payload: bytes):
    try:
        found = unpack(payload)
    except ContractError:
        return
    assert pack(found, Kind(payload[1])) == payload


@given(whole=WHOLE, kind=st.sampled_from(Kind), at=st.integers(0, 425), bit=st.integers(0, 7))
def test_a_flipped_bit_is_refused_or_says_something_that_packs_the_same(whole: RawPart, kind: Kind, at: int, bit: int):
    payload = bytearray(pack(whole, kind))
    payload[at % len(payload)] ^= 1 << bit
    try:
        found = unpack(bytes(payload))
    except ContractError:
        return
    assert pack(found, Kind(payload[1])) == bytes(payload)


@pytest.mark.parametrize(
    ("payload", "path"),
    [
        (b"", "$"),
        (HEAD.pack(1, 9, 1, 1, 1), "$.kind"),
        (HEAD.pack(1, Kind.LIGHT, 1, 0, 1) + bytes(28), "$.seq"),
        (HEAD.pack(1, Kind.LIGHT, 1, 1, 1) + bytes(27), "$"),
        (HEAD.pack(1, Kind.LIGHT, 1, 1, 1) + bytes(28), "$.light.gain"),
        (HEAD.pack(1, Kind.LIGHT, 1, 1, 1) + bytes(24) + struct.pack("<HH", 2, 0), "$.light.integration"),
        (HEAD.pack(1, Kind.DISTANCE, 1, 1, 1) + struct.pack("<64H", *[4001] * 64), "$.distance[0][0]"),
        (HEAD.pack(1, Kind.REFLECTANCE, 1, 1, 1) + struct.pack("<64H", *[0] * 63, 256), "$.reflectance[7][7]"),
        (b"no JSON and not packed", "$"),
    ],
)
def test_what_is_wrong_is_named(payload: bytes, path: str):
    with pytest.raises(ContractError) as caught:
        unpack(payload)
    assert caught.value.path == path


def test_a_version_to_come_is_not_the_senders_fault():
    with pytest.raises(NewerSchemaError):
        unpack(HEAD.pack(2, 1, 1, 1, 1))


def test_the_same_number_with_other_values_is_a_contradiction():
    with pytest.raises(ContractError, match="twice"):
        merged(part(), part(distance=(None,) * 64))


def test_a_part_alone_is_no_message():
    with pytest.raises(ContractError) as caught:
        raw_of(part(light=None), "ESP32_LL_01")
    assert caught.value.path == "$.light"
    with pytest.raises(ContractError, match="required"):
        pack(part(light=None), Kind.WHOLE)
    with pytest.raises(ContractError, match="does not fit"):
        pack(part(distance=(70_000,) * 64), Kind.DISTANCE)


def test_the_first_byte_tells_the_forms_apart():
    assert is_packed(pack(part(), Kind.WHOLE))
    assert not is_packed(json.dumps({"schema": 1}).encode())
    assert not is_packed(b'\n {"a": 1}')


def test_no_value_is_no_target():
    assert unpack(HEAD.pack(1, 1, 1, 1, 1) + struct.pack("<64H", *[NO_VALUE] * 64)).distance == (None,) * 64
