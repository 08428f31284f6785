"""The simulated world: geometry against its own truth, the deck, the belt, and what the light does."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from drivers.sim.conveyor import Continuous, Indexed
from drivers.sim.light import STEP_NM, WAVELENGTHS_NM
from drivers.sim.pigments import Pigments, reflectance
from drivers.sim.products import CLASSES, DECK, DENSITY_G_MM3, MAKINGS, made_as, make_piece
from drivers.sim.scene import BELT_ONLY, BLACK_CAP, GREY_TILE, LINE, WHITE_TILE, Scene, Stage

PALE = Pigments(0.003, 0.05, 0.8, 0.5, 10.0, 0.52, 0.32, 23.0, 1.2)


def test_belt_is_flat_at_the_stand_off() -> None:
    scene = Scene(1, stand_off_mm=310.0)
    scene.stage = BELT_ONLY
    view = scene.tof(12.3)
    np.testing.assert_allclose(view.distance_mm, 310.0)
    assert view.incidence_cos[0, 0] == view.incidence_cos.min()
    assert view.incidence_cos[3:5, 3:5].min() > 0.99


def test_tile_is_flat_and_thick() -> None:
    scene = Scene(1)
    scene.stage = Stage(tile=0.5, tile_mm=12.0)
    view = scene.tof(0.0)
    np.testing.assert_allclose(view.distance_mm, 238.0)
    np.testing.assert_allclose(view.reflectance, 0.5)


@settings(max_examples=25, deadline=None)
@given(seed=st.integers(0, 2**32 - 1), number=st.integers(-50, 1000))
def test_height_map_holds_the_volume_and_stays_in_the_inner_field(seed: int, number: int) -> None:
    """The map's integral on another grid is the volume; no piece reaches under the outermost zones at the belt."""
    piece = make_piece(seed, number)
    coarse = 9.0 * float(piece.heights_mm[1::3, 1::3].sum())
    assert coarse == pytest.approx(piece.volume_mm3, rel=0.01)
    low, high = MAKINGS[piece.made_as].mass_g
    assert low <= piece.volume_mm3 * DENSITY_G_MM3 <= high
    assert 35.0 <= piece.height_mm <= 80.0
    rows, columns = np.nonzero(piece.heights_mm > 3.0)
    reach_mm = max(abs(rows - 110).max(), abs(columns - 110).max())
    assert reach_mm < 250.0 * np.tan(np.radians(22.5))
    assert 0.0 < piece.reflectance.min() < piece.reflectance.max() < 1.0


def test_volume_of_what_the_rays_see_is_the_piece() -> None:
    """Integrate the true zone distances over the solid angle of each zone: the piece, within what 64 zones can tell."""
    edges = np.tan(np.radians(np.linspace(-22.5, 22.5, 9)))
    solid = np.outer(np.diff(edges), np.diff(edges))
    for number in range(8):
        scene = Scene(3)
        time_s = 4.0 * number + 1.0
        z_mm = scene.tof(time_s).distance_mm
        truth = scene.truth(time_s)
        assert truth is not None
        assert truth.still
        seen_mm3 = float((solid * (250.0**3 - z_mm**3) / 3.0).sum())
        assert seen_mm3 == pytest.approx(truth.piece.volume_mm3, rel=0.08)


def test_top_of_a_piece_is_at_its_true_distance() -> None:
    scene = Scene(5)
    piece = scene.piece(0)
    nearest_mm = float(scene.tof(0.0).distance_mm.min())
    assert 250.0 - piece.height_mm <= nearest_mm <= 250.0 - piece.height_mm + 8.0


def test_black_cap_returns_nothing_to_either_chip() -> None:
    scene = Scene(1)
    scene.stage = BLACK_CAP
    view = scene.tof(0.0)
    assert not view.reflectance.any()
    np.testing.assert_allclose(view.distance_mm, 250.0)
    assert not scene.spectrum(0.0, 20).any()


def test_same_seed_same_world_and_another_seed_another() -> None:
    times = (0.0, 3.4, 7.9, 100.0)
    first, again, other = Scene(7), Scene(7), Scene(8)
    for time_s in times:
        assert np.array_equal(first.tof(time_s).distance_mm, again.tof(time_s).distance_mm)
        assert np.array_equal(first.spectrum(time_s, 20), again.spectrum(time_s, 20))
    for time_s in reversed(times):  # order of looking does not matter
        assert np.array_equal(first.tof(time_s).distance_mm, Scene(7).tof(time_s).distance_mm)
    assert not np.array_equal(first.tof(0.0).distance_mm, other.tof(0.0).distance_mm)


@given(seed=st.integers(0, 2**32 - 1), deal=st.integers(0, 1000))
def test_every_deal_holds_every_class(seed: int, deal: int) -> None:
    dealt = [made_as(seed, len(DECK) * deal + card) for card in range(len(DECK))]
    assert sorted(dealt) == sorted(DECK)
    assert set(dealt) == set(CLASSES)


def test_three_sites_show_an_oxidised_piece_within_a_minute() -> None:
    pieces = [make_piece(seed, number) for seed in (1, 2, 3) for number in range(15)]
    assert any(piece.pigments.oxidised > 0.7 for piece in pieces)
    assert {piece.made_as for piece in pieces} == set(CLASSES)


def test_belt_stops_goes_and_is_empty_in_between() -> None:
    scene = Scene(2, motion=Indexed(dwell_s=3.0, move_s=1.0))
    np.testing.assert_array_equal(scene.tof(0.1).distance_mm, scene.tof(2.9).distance_mm)
    empty = scene.tof(3.5)
    np.testing.assert_allclose(empty.distance_mm, 250.0)
    leaving = scene.tof(3.25).distance_mm  # the piece goes off to the right
    assert leaving[:, 4:].min() < 240.0
    np.testing.assert_allclose(leaving[:, 0], 250.0)
    first, moving, second = scene.truth(0.1), scene.truth(3.25), scene.truth(4.1)
    assert first is not None
    assert moving is not None
    assert second is not None
    assert (first.piece.number, second.piece.number) == (0, 1)
    assert not moving.still
    assert 0.0 < moving.offset_mm < 210.0
    assert scene.truth(3.5) is None or abs(scene.truth(3.5).offset_mm) == 210.0


def test_a_belt_that_never_stops() -> None:
    scene = Scene(2, motion=Continuous(speed_mm_s=210.0))
    assert np.array_equal(scene.tof(0.0).distance_mm, Scene(2).tof(0.0).distance_mm)
    truth = scene.truth(2.0)
    assert truth is not None
    assert (truth.piece.number, truth.offset_mm) == (1, pytest.approx(0.0))


def test_light_falls_with_distance_and_the_lamp_is_proportional() -> None:
    scene = Scene(1)
    scene.stage = WHITE_TILE
    dark, lit, twice = (scene.spectrum(0.0, led_ma) for led_ma in (0, 10, 20))
    np.testing.assert_allclose(twice - dark, 2 * (lit - dark))
    nearer = Scene(1)
    nearer.stage = Stage(tile=0.95, tile_mm=50.0)
    lamp_only = nearer.spectrum(0.0, 20) - nearer.spectrum(0.0, 0)
    np.testing.assert_allclose(lamp_only / (twice - dark), (250.0 / 200.0) ** 2)
    np.testing.assert_allclose(nearer.spectrum(0.0, 0), dark)  # hall light does not care about the distance
    scene.stage = GREY_TILE
    np.testing.assert_allclose(scene.spectrum(0.0, 20) / twice, 0.5 / 0.95)


def test_stage_may_change_at_any_time() -> None:
    scene = Scene(1)
    assert scene.truth(0.0) is not None
    scene.stage = BELT_ONLY
    assert scene.truth(0.0) is None
    np.testing.assert_allclose(scene.tof(0.0).distance_mm, 250.0)
    scene.stage = LINE
    assert scene.tof(0.0).distance_mm.min() < 220.0


def test_colours_follow_their_pigments() -> None:
    """Methaemoglobin darkens the red around 630 nm, carotene the blue, blood the green; scatter brightens all."""

    def at(wavelength_nm: float, **changed: float) -> float:
        values = {name: getattr(PALE, name) for name in PALE.__slots__} | changed
        return float(np.interp(wavelength_nm, WAVELENGTHS_NM, reflectance(Pigments(**values))))

    assert at(630, oxidised=0.8) < 0.9 * at(630)
    assert at(555, oxidised=0.8) > at(555)
    assert at(445, carotene_um=30.0) < 0.8 * at(445)
    assert at(630, carotene_um=30.0) == pytest.approx(at(630), rel=1e-3)
    assert at(555, blood=0.02) < 0.5 * at(555)
    assert all(at(nm, scatter_per_cm=30.0) > at(nm) for nm in (415, 555, 680, 910))


def test_spectra_are_irradiances_per_nm() -> None:
    scene = Scene(1)
    scene.stage = Stage(tile=1.0)
    power = float(scene.spectrum(0.0, 20).sum() * STEP_NM)
    assert 180.0 < power < 260.0


def test_impossible_scenes_are_refused() -> None:
    with pytest.raises(ValueError, match="seed is -1"):
        Scene(-1)
    with pytest.raises(ValueError, match="stand_off_mm is 20"):
        Scene(1, stand_off_mm=20.0)
    with pytest.raises(ValueError, match=r"tile is 1\.1"):
        Stage(tile=1.1)
    with pytest.raises(ValueError, match="tile_mm is 300"):
        Stage(tile=0.5, tile_mm=300.0)
    with pytest.raises(ValueError, match="must be above 0"):
        Indexed(dwell_s=0.0)
