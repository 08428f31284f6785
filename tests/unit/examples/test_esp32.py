"""The ESP32 example's part without I/O, held byte for byte to the contract's own encoder; the rest only compiles."""

import ast
import importlib.util
from pathlib import Path
from types import ModuleType

import pytest
from hypothesis import given
from hypothesis import strategies as st

from contract.messages import Raw
from contract.packed import U32_MAX, Kind, Light, RawPart, pack, raw_of, unpack
from contract.topics import device_topic

FOLDER = Path(__file__).parents[3] / "examples" / "esp32"


def load(name: str) -> ModuleType:
    spec = importlib.util.spec_from_file_location(name, FOLDER / f"{name}.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


esp = load("sqal_raw")
U32 = st.integers(0, U32_MAX)


def cells(most: int) -> st.SearchStrategy[list[int | None]]:
    return st.lists(st.one_of(st.none(), st.integers(0, most)), min_size=64, max_size=64)


HALF = st.lists(st.integers(0, 65_535), min_size=6, max_size=6)
LIGHT = st.tuples(HALF, HALF, st.integers(1, 1024).map(lambda n: n / 2), st.integers(1, 65_535).map(lambda n: n / 100))


MATRICES = st.tuples(cells(4000), cells(255), cells(4095))


@given(boot=U32, seq=st.integers(1, U32_MAX), uptime_ms=U32, matrices=MATRICES, light=LIGHT)
def test_its_bytes_are_the_contracts(
    boot: int,
    seq: int,
    uptime_ms: int,
    matrices: tuple[list[int | None], ...],
    light: tuple[list[int], list[int], float, float],
):
    part = RawPart(
        boot,
        seq,
        uptime_ms,
        *(tuple(each) for each in matrices),
        light=Light(tuple(light[0]), tuple(light[1]), light[2], light[3]),
    )
    values = (boot, seq, uptime_ms, *matrices, light)
    assert esp.pack_whole(*values) == pack(part, Kind.WHOLE)
    expected = [pack(part, kind) for kind in (Kind.DISTANCE, Kind.REFLECTANCE, Kind.AMPLITUDE, Kind.LIGHT)]
    assert esp.pack_parts(*values) == expected


@given(values=st.lists(st.floats(-1e6, 1e6), min_size=64, max_size=64))
def test_wild_values_are_held_within_what_the_cloud_takes(values: list[float]):
    light = ([70_000] * 6, [-5] * 6, 2_000.0, 10_000.0)
    message = esp.pack_whole(1, 1, 1, values, values, values, light)
    assert isinstance(raw_of(unpack(message), "ESP32_LL_02"), Raw)


def test_a_zone_without_a_valid_target_is_none_and_the_mirror_is_undone():
    status = [5] * 63 + [255]
    distance = esp.scene(esp.seen(list(range(64)), status))
    assert distance[:8] == [7, 6, 5, 4, 3, 2, 1, 0]
    assert distance[56] is None
    assert esp.scene([1] * 64, mirrored_columns=False) == [1] * 64


def test_misuse_is_an_error_and_not_a_wrong_message():
    with pytest.raises(ValueError, match="64 cells"):
        esp.matrix([1] * 63, 4000)
    with pytest.raises(ValueError, match="six counts"):
        esp.pack_light(([1] * 5, [1] * 6, 1, 1))
    with pytest.raises(ValueError, match="seq"):
        esp.pack_parts(1, 0, 1, [1] * 64, [1] * 64, [1] * 64, ([1] * 6, [1] * 6, 1, 1))


def test_the_backlog_is_bounded_and_counts_what_it_drops():
    backlog = esp.Backlog(3)
    assert backlog.oldest() is None
    for n in range(5):
        backlog.put(n)
    assert (len(backlog), backlog.dropped, backlog.oldest()) == (3, 2, 2)
    backlog.sent()
    assert backlog.oldest() == 3


def test_its_topic_is_the_contracts():
    assert esp.topic("LL", "line1", "ESP32_LL_02") == device_topic("LL", "line1", "ESP32_LL_02", "raw")


@pytest.mark.parametrize("name", ["main", "settings", "sqal_raw"])
def test_every_file_is_python_that_micropython_reads(name: str):
    """MicroPython knows neither match nor the walrus in older versions: parsed with the grammar of Python 3.7."""
    ast.parse((FOLDER / f"{name}.py").read_text(), feature_version=(3, 7))
