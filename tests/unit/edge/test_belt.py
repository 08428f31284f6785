"""Pieces told apart on a running belt, against a world whose pieces are known one by one.

Goal: as many passages as pieces, each where its piece lies, whatever the distances between them; what touches or was
not seen coming says so. Method: pictures rendered from the scene, with a chip's noise, straight into the scanner.
"""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from drivers.sim.stock import Stock
from edge.belt import BeltScanner, Passage
from quality.passes import Stack, bridged, isolated, scan_pass
from quality.recipe import DEFAULT_RECIPE
from quality.scan import ScanAnalysis
from tests.unit.edge.belts import CALIBRATION, Line, Varied


def passages(line: Line, from_mm: float, to_mm: float, drop: frozenset[int] = frozenset()) -> list[Passage]:
    scanner = BeltScanner(CALIBRATION, DEFAULT_RECIPE)
    found: list[Passage] = []
    for number, picture in enumerate(line.pictures(from_mm, to_mm)):
        if number not in drop:
            found += scanner.look(picture.frame, picture.travel_mm, picture.frame.captured_ns)
    return found


def scan_of(passage: Passage) -> ScanAnalysis | None:
    frames = [look.frame for look in passage.looks]
    stack = Stack(
        distance_mm=np.stack([frame.distance_mm for frame in frames]),
        sigma_mm=np.stack([frame.sigma_mm for frame in frames]),
        reflectance_pct=np.stack([frame.reflectance_pct for frame in frames]),
        status=np.stack([frame.status for frame in frames]),
        travel_mm=np.array([look.travel_mm for look in passage.looks]),
    )
    whole = bridged(isolated(stack, passage.left_mm, passage.right_mm, CALIBRATION))
    if whole is None:
        return None
    return scan_pass(whole, CALIBRATION, DEFAULT_RECIPE)


def whole(found: list[Passage]) -> list[Passage]:
    return [each for each in found if not each.cut]


def test_two_hundred_pieces_of_varied_spacing_are_two_hundred_passages_each_of_the_volume_of_its_piece() -> None:
    line = Line(seed=5, speed=215.0, pitch=262.0, stock=Varied(5, spread_mm=38.0))
    places = range(1, 201)
    found = [each for each in passages(line, 0.0, 201 * 262.0) if each.middle_mm < 200.5 * 262.0]
    pieces = [each for each in found if each.middle_mm > 0.5 * 262.0]
    assert len(pieces) == len(places)
    assert not [each for each in pieces if each.cut]
    errors: list[float] = []
    for place, passage in zip(places, pieces, strict=True):
        assert passage.middle_mm == pytest.approx(line.middle_mm(place), abs=15.0)
        scan = scan_of(passage)
        assert scan is not None
        assert scan.usable, (place, scan.flags)
        errors.append(scan.volume_mm3 / line.volume_mm3(place) - 1.0)
    assert abs(float(np.mean(errors))) < 0.015
    assert float(np.max(np.abs(errors))) < 0.06


@settings(max_examples=8, deadline=None)
@given(
    seed=st.integers(0, 999),
    speed=st.sampled_from([110.0, 200.0]),
    pitch=st.floats(225.0, 420.0),
    spread=st.floats(0.0, 10.0),
    per_place=st.sampled_from([(1,), (0, 1), (1, 1, 0)]),
)
def test_pieces_counted_are_pieces_there(
    seed: int, speed: float, pitch: float, spread: float, per_place: tuple[int, ...]
) -> None:
    stock = Varied(seed, per_place=per_place, spread_mm=spread)
    line = Line(seed=seed, speed=speed, pitch=pitch, stock=stock)
    last = 9
    truth = [line.middle_mm(place) for place in range(1, last) if stock.at(place)]
    found = passages(line, 0.5 * pitch, (last - 0.5) * pitch + 250.0)
    middles = [each.middle_mm for each in whole(found) if 0.6 * pitch < each.middle_mm < (last - 0.5) * pitch]
    # The first one may have been in view at the beginning: then it is told as cut, and never as a whole piece.
    cut = [each.middle_mm for each in found if each.cut]
    assert len(middles) + sum(middle > 0.6 * pitch for middle in cut) == len(truth)
    for middle in middles:
        assert min(abs(middle - each) for each in truth) < 16.0


@pytest.mark.parametrize("gap_mm", [-8.0, 0.0, 10.0])
def test_two_pieces_that_touch_are_one_passage_that_is_told_as_several(gap_mm: float) -> None:
    line = Line(seed=5, speed=120.0, pitch=180.0, stock=Stock(5))
    front, back = (np.flatnonzero((line.scene.piece(place).heights_mm > 0.6).any(axis=0)) - 110.0 for place in (2, 1))
    touching = 180.0 + float(back.min()) - float(front.max()) - gap_mm  # the second comes from the left, behind
    moved = Line(seed=5, speed=120.0, pitch=180.0, stock=Varied(5, shifted=((2, touching),), only=(1, 2)))
    found = whole(passages(moved, 20.0, 600.0))
    assert len(found) == 1
    scan = scan_of(found[0])
    assert scan is not None
    assert "several_products" in scan.flags
    assert not scan.usable


def test_what_lies_there_when_it_begins_is_told_as_cut_and_never_as_a_piece() -> None:
    line = Line(seed=5, speed=200.0, pitch=300.0, stock=Stock(5))
    for begin_mm in (270.0, 300.0, 330.0):
        found = passages(line, begin_mm, 850.0)
        assert [each.cut for each in found if each.middle_mm < 450.0] == ["at_start"], begin_mm
        assert [each.cut for each in found if each.middle_mm > 450.0] == [""]


def test_a_belt_that_stops_and_a_picture_that_is_missed_change_nothing_much() -> None:
    line = Line(seed=5, speed=200.0, pitch=300.0, stock=Stock(5))
    (smooth,) = whole(passages(line, 160.0, 560.0))
    scanner = BeltScanner(CALIBRATION, DEFAULT_RECIPE)
    found: list[Passage] = []
    for number, picture in enumerate(line.pictures(160.0, 560.0)):
        for again in range(20 if number == 12 else 1):
            found += scanner.look(picture.frame, picture.travel_mm, picture.frame.captured_ns + again)
    assert len(found) == 1
    assert len(found[0].looks) == len(smooth.looks)
    (holed,) = (each for each in passages(line, 160.0, 560.0, drop=frozenset({12})) if not each.cut)
    one, other = scan_of(smooth), scan_of(holed)
    assert one is not None
    assert other is not None
    assert other.volume_mm3 == pytest.approx(one.volume_mm3, rel=0.02)
    (torn,) = (each for each in passages(line, 160.0, 560.0, drop=frozenset({11, 12, 13, 14})) if not each.cut)
    assert scan_of(torn) is None


def test_an_encoder_that_jumps_ends_what_was_there_and_begins_anew() -> None:
    line = Line(seed=5, speed=200.0, pitch=300.0, stock=Stock(5))
    scanner = BeltScanner(CALIBRATION, DEFAULT_RECIPE)
    found: list[Passage] = []
    for picture in line.pictures(160.0, 330.0):
        found += scanner.look(picture.frame, picture.travel_mm, 1)
    for picture in line.pictures(330.0, 860.0):
        found += scanner.look(picture.frame, picture.travel_mm - 5000.0, 2)
    cuts = [each.cut for each in found]
    assert cuts[-1] == ""
    assert "at_start" in cuts
