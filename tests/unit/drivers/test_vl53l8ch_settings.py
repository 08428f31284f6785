"""Settings of the ranging chip: what is impossible is refused before anything is sent, with the nearest that works."""

from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from drivers.care import BusSpeed, care_for_tof
from drivers.errors import SettingError
from drivers.vl53l8ch_cnh import MEMORY_BYTES_MAX, CnhSettings
from drivers.vl53l8ch_frame import FrameDecoder, zone_of_cell
from drivers.vl53l8ch_settings import (
    EVERYTHING,
    Measurement,
    Output,
    RangingMode,
    Threshold,
    TofSettings,
    Window,
)
from tests.unit.drivers.planes import Rig

AUTONOMOUS = RangingMode.AUTONOMOUS


@pytest.mark.parametrize(
    ("changes", "field", "nearest"),
    [
        ({"frequency_hz": 16}, "frequency_hz", 15),
        ({"frequency_hz": 0}, "frequency_hz", 1),
        ({"zones": 4, "frequency_hz": 61}, "frequency_hz", 60),
        ({"zones": 5}, "zones", 4),
        ({"mounting_deg": 100}, "mounting_deg", 90),
        ({"sharpener_pct": 100}, "sharpener_pct", 99),
        ({"targets": 5}, "targets", 4),
        ({"vhv_repeat_frames": -1}, "vhv_repeat_frames", 0),
        ({"crosstalk_margin_kcps": float("nan")}, "crosstalk_margin_kcps", 10_000),
        ({"integration_ms": 1}, "integration_ms", 2),
        ({"mode": AUTONOMOUS, "integration_ms": 20}, "integration_ms", 16),
        ({"mode": AUTONOMOUS, "integration_ms": 1000, "frequency_hz": 1}, "integration_ms", 249),
        ({"sync_pin": True}, "sync_pin", False),
        ({"autostop": True}, "autostop", False),
    ],
)
def test_the_impossible_is_refused_with_the_nearest_that_works(
    changes: dict[str, Any], field: str, nearest: object
) -> None:
    with pytest.raises(SettingError) as caught:
        TofSettings(**changes)
    assert (caught.value.field, caught.value.nearest) == (field, nearest)
    assert field in str(caught.value)
    TofSettings(**{**changes, field: nearest})  # and it does work


def test_refusals_read_as_sentences() -> None:
    with pytest.raises(ValueError, match=r"frequency_hz is 20, must be 1 to 15 at 8 x 8 zones; the nearest .* is 15"):
        TofSettings(frequency_hz=20)
    outputs: Any = frozenset({"depth"})
    with pytest.raises(SettingError, match="outputs is depth, must be of ambient, reflectance, sigma, signal, spads"):
        TofSettings(outputs=outputs)


@pytest.mark.parametrize(
    ("threshold", "field"),
    [
        (Threshold(8, 0, Measurement.DISTANCE_MM, Window.INSIDE, 100, 200), "thresholds.row"),
        (Threshold(0, -1, Measurement.DISTANCE_MM, Window.INSIDE, 100, 200), "thresholds.column"),
        (Threshold(0, 0, Measurement.SIGNAL_KCPS, Window.INSIDE, 1e9, 200), "thresholds.low"),
        (Threshold(0, 0, Measurement.DISTANCE_MM, Window.INSIDE, 1, 2, both=True), "thresholds.both"),
    ],
)
def test_impossible_thresholds(threshold: Threshold, field: str) -> None:
    with pytest.raises(SettingError) as caught:
        TofSettings(thresholds=(threshold,))
    assert caught.value.field == field


def test_more_thresholds_than_the_chip_holds() -> None:
    one = Threshold(0, 0, Measurement.DISTANCE_MM, Window.INSIDE, 100, 200)
    with pytest.raises(SettingError, match="thresholds is 65 long, must be at most 64"):
        TofSettings(thresholds=(one,) * 65)


@pytest.mark.parametrize(
    ("outputs", "zones", "targets", "size"),
    [
        (frozenset[Output](), 8, 1, 320),
        (frozenset({Output.SIGMA}), 8, 1, 452),
        (frozenset({Output.SIGMA, Output.SIGNAL, Output.REFLECTANCE}), 8, 1, 780),
        (EVERYTHING, 8, 1, 1444 - 144),  # the manufacturer's frame, without its motion block
        (EVERYTHING, 4, 1, 532 - 144),
        (EVERYTHING, 8, 4, 3364 - 144),
    ],
)
def test_a_frame_carries_what_was_asked_for_and_not_a_byte_more(
    outputs: frozenset[Output], zones: Any, targets: int, size: int
) -> None:
    settings = TofSettings(outputs=outputs, zones=zones, targets=targets)
    assert settings.frame_bytes == FrameDecoder(settings).size == size


@pytest.mark.parametrize(
    ("aggregates", "bins", "memory", "frame"),
    [((2, 2), 18, 408, 1856), ((4, 4), 18, 1548, 2996), ((4, 4), 24, 2028, 3476), ((8, 8), 18, 6108, 7556)],
)
def test_histogram_memory(aggregates: tuple[int, int], bins: int, memory: int, frame: int) -> None:
    cnh = CnhSettings.tiled(*aggregates, bins=bins)
    assert cnh.memory_bytes == memory
    assert TofSettings(outputs=EVERYTHING, cnh=cnh, frequency_hz=5).frame_bytes == frame - 144


@pytest.mark.parametrize(("rows", "columns", "bins"), [(8, 8, 18), (4, 8, 37), (4, 4, 75)])
def test_most_bins_that_fit(rows: int, columns: int, bins: int) -> None:
    CnhSettings.tiled(rows, columns, bins=bins)
    with pytest.raises(SettingError, match="aggregates that takes") as caught:
        CnhSettings.tiled(rows, columns, bins=bins + 1)
    assert caught.value.nearest == bins
    assert CnhSettings.tiled(rows, columns, bins=bins).memory_bytes <= MEMORY_BYTES_MAX


@pytest.mark.parametrize(
    ("make", "field"),
    [
        (lambda: CnhSettings.tiled(3, 4), "rows"),
        (lambda: CnhSettings.tiled(8, 8, zones=4), "rows"),
        (lambda: CnhSettings((0,) * 60), "aggregate_of"),
        (lambda: CnhSettings((0, 2) * 32), "aggregate_of"),
        (lambda: CnhSettings((-1,) * 64), "aggregate_of"),
        (lambda: CnhSettings.tiled(bins=0), "bins"),
        (lambda: CnhSettings.tiled(first_bin=-1), "first_bin"),
        (lambda: CnhSettings.tiled(sub_sample=300), "sub_sample"),
        (lambda: CnhSettings.tiled(bins=60, sub_sample=4), "bins"),
        (lambda: TofSettings(zones=4, cnh=CnhSettings.tiled()), "cnh.aggregate_of"),
    ],
)
def test_impossible_histograms(make: Any, field: str) -> None:
    with pytest.raises(SettingError) as caught:
        make()
    assert caught.value.field == field


def test_bins_have_places() -> None:
    cnh = CnhSettings.tiled(bins=18)
    assert cnh.bin_centres_mm[0] == pytest.approx(18.77, abs=0.01)
    assert cnh.captured_mm[0] == pytest.approx(206.4, abs=0.1)
    assert CnhSettings.tiled(bins=20, first_bin=10, sub_sample=2).bin_centres_mm[0] == pytest.approx(11 * 37.5348)


def test_a_frame_fits_into_one_message() -> None:
    with pytest.raises(SettingError, match="does not fit into one message of 8192"):
        TofSettings(outputs=EVERYTHING, targets=4, cnh=CnhSettings.tiled(8, 8))


@pytest.mark.parametrize(("bus_hz", "fits"), [(100_000, 9), (400_000, 15), (1_000_000, 15)])
def test_what_a_bus_carries(bus_hz: int, fits: int) -> None:
    fitted = TofSettings().fitted(bus_hz)
    assert fitted is not None
    assert fitted.frequency_hz == fits
    assert fitted.wire_s(bus_hz) * fits <= 0.9


def test_a_bus_that_carries_nothing_of_it() -> None:
    heavy = TofSettings(cnh=CnhSettings.tiled(8, 8), frequency_hz=1)
    assert heavy.fitted(50_000) is None
    with pytest.raises(SettingError) as caught:
        heavy.check_bus(50_000, "i2c-1")
    assert caught.value.nearest is None


def test_a_slow_bus_is_refused_once_it_has_been_timed_and_the_nearest_works() -> None:
    rig = Rig(bus_hz=100_000)
    with pytest.raises(SettingError, match=r"frequency_hz is 15, but sim carries 100 kHz.* nearest .* is 9") as caught:
        rig.driver.start()
    assert not rig.driver.ranging
    before = rig.bus.wire_bytes
    rig.driver.start(caught.value.nearest)
    assert rig.bus.wire_bytes - before < 10_000  # it was booted already
    assert [rig.driver.read().frame_id for _ in range(5)] == [0, 1, 2, 3, 4]


def test_double_reading_costs_twice() -> None:
    once = TofSettings()
    assert replace(once, double_read=True).wire_s(1e6) == pytest.approx(2 * once.wire_s(1e6), rel=0.02)


def test_reading_twice_is_refused_where_the_bus_carries_it_once() -> None:
    twice = TofSettings(double_read=True)
    assert twice.fitted(400_000) is twice
    assert twice.fitted(250_000) == replace(twice, double_read=False)
    assert twice.fitted(100_000) == replace(twice, double_read=False, frequency_hz=9)
    with pytest.raises(SettingError, match="reading 1040 bytes twice takes") as caught:
        twice.check_bus(250_000, "i2c-1")
    assert (caught.value.field, caught.value.nearest) == ("double_read", False)


@pytest.mark.parametrize(
    ("bus_hz", "double_read", "frequency_hz", "words"),
    [
        (1_000_000, True, 15, None),
        (250_000, False, 15, "sim runs at 250 kHz: frames are read once, twice is wanted (double_read)"),
        (100_000, False, 9, "sim runs at 100 kHz: 9 Hz at most, 15 Hz wanted"),
    ],
)
def test_the_ladder_reads_once_where_the_bus_cannot_carry_twice_and_says_so(
    bus_hz: int, double_read: bool, frequency_hz: int, words: str | None
) -> None:
    """Method: the chip is started as a line does it; the words are there before the download has ended."""
    rig = Rig(settings=TofSettings(double_read=True), bus_hz=bus_hz)
    early: list[int] = []
    speed = BusSpeed(on_slow=lambda: early.append(rig.bus.wire_bytes))
    care = care_for_tof(rig.driver, rig.bus, speed)
    care.start()
    before, polled = rig.bus.wire_bytes, rig.driver.counters.polls
    care.read()
    polls = (rig.driver.counters.polls - polled) * 8  # bytes, addresses included
    frames = (rig.bus.wire_bytes - before - polls) // rig.driver.settings.frame_bytes
    assert (rig.driver.settings.double_read, rig.driver.settings.frequency_hz) == (double_read, frequency_hz)
    assert frames == (2 if double_read else 1)
    assert (speed.words or "").startswith(words or "")
    assert (speed.words is None) is (words is None)
    assert len(early) == (words is not None)
    assert all(at < 10_000 for at in early)


@pytest.mark.parametrize("mounting_deg", [0, 90, 180, 270])
@pytest.mark.parametrize("zones", [4, 8])
def test_every_mounting_shows_every_zone_once(zones: int, mounting_deg: int) -> None:
    assert sorted(zone_of_cell(zones, mounting_deg).ravel()) == list(range(zones * zones))


def test_mounting_turns_the_picture_back() -> None:
    """Goal: a sensor turned by 90 degrees gives the same picture. Method: its own top is the scene's right."""
    upright, turned = zone_of_cell(8), zone_of_cell(8, 90)
    assert np.array_equal(turned[:, 7], upright[0])


@given(st.sampled_from([4, 8]), st.integers(1, 4), st.frozensets(st.sampled_from(list(Output))))
def test_sizes_add_up(zones: Any, targets: int, outputs: frozenset[Output]) -> None:
    settings = TofSettings(zones=zones, targets=targets, outputs=outputs)
    assert FrameDecoder(settings).size == settings.frame_bytes
