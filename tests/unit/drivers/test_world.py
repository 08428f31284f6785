"""What the world adds to a plain deck of livers: shapes, several pieces, marks, a running belt, living light."""

import time

import numpy as np
import pytest

from drivers.as7341 import As7341
from drivers.bus import VirtualClock
from drivers.sim.as7341 import SimAs7341
from drivers.sim.bus import SimBus
from drivers.sim.conveyor import Continuous, Encoder, Indexed
from drivers.sim.light import WAVELENGTHS_NM
from drivers.sim.lighting import Lighting
from drivers.sim.marks import Mark, MarkKind
from drivers.sim.pigments import reflectance
from drivers.sim.products import DENSITY_G_MM3, make_piece
from drivers.sim.rays import Placed
from drivers.sim.scene import BELT_ONLY, WHITE_TILE, Scene
from drivers.sim.shapes import REPORTING, SHAPES, TUNING
from drivers.sim.stock import Stock

EDGES = np.tan(np.radians(np.linspace(-22.5, 22.5, 9)))
SOLID = np.outer(np.diff(EDGES), np.diff(EDGES))


def at(spectrum: np.ndarray, wavelength_nm: float) -> float:
    return float(np.interp(wavelength_nm, WAVELENGTHS_NM, spectrum))


class One:
    """A stock of one piece, the same everywhere."""

    def __init__(self, *marks: Mark) -> None:
        self.piece = make_piece(2, 0, marks=marks)

    def at(self, place: int) -> tuple[Placed, ...]:
        del place
        return (Placed(self.piece, 0.0, 0.0),)


@pytest.mark.parametrize("shape", SHAPES)
def test_every_shape_holds_its_volume_and_is_seen_so(shape: str) -> None:
    for number in range(6):
        piece = make_piece(3, number, shape=shape)
        assert float(piece.heights_mm.sum(dtype=np.float64)) == pytest.approx(piece.volume_mm3, rel=1e-4)
        assert 20.0 < piece.height_mm < 90.0
        rows, columns = np.nonzero(piece.heights_mm > 3.0)
        assert max(abs(rows - 110).max(), abs(columns - 110).max()) < 108
        scene = Scene(3, stock=Stock(3, shapes=(shape,)))
        z_mm = scene.tof(4.0 * number + 1.0).distance_mm
        truth = scene.truth(4.0 * number + 1.0)
        assert truth is not None
        assert truth.piece.shape == shape
        seen_mm3 = float((SOLID * (250.0**3 - z_mm**3) / 3.0).sum())
        hidden = 0.45 if shape == "slab" else 0.12  # its walls hide belt: what is under them looks full
        assert -0.12 < seen_mm3 / truth.piece.volume_mm3 - 1.0 < hidden


def test_tuning_and_reporting_share_no_shape() -> None:
    assert not set(TUNING) & set(REPORTING)
    assert {*TUNING, *REPORTING} == set(SHAPES)


def test_places_hold_none_one_or_several() -> None:
    scene = Scene(5, stock=Stock(5, shapes=("bent", "ellipsoid"), per_place=(0, 1, 2), marked=True))
    found = {place: len(scene.truths(4.0 * place + 1.0)) for place in range(30)}
    assert set(found.values()) == {0, 1, 2}
    for place, count in found.items():
        truths = scene.truths(4.0 * place + 1.0)
        view = scene.tof(4.0 * place + 1.0)
        total_mm3 = sum(truth.piece.volume_mm3 for truth in truths)
        seen_mm3 = float((SOLID * (250.0**3 - view.distance_mm**3) / 3.0).sum())
        assert seen_mm3 == pytest.approx(total_mm3, rel=0.15, abs=1.0)
        if count == 2:
            assert truths[0].piece.index != truths[1].piece.index
            assert truths[1].offset_mm - truths[0].offset_mm == pytest.approx(100.0)
            assert view.distance_mm[:, 3:5].mean() > view.distance_mm[:, 1:3].min()
        if count == 0:
            np.testing.assert_allclose(view.distance_mm, 250.0)
            assert scene.truth(4.0 * place + 1.0) is None


def test_empty_and_unknown_stock_is_refused() -> None:
    with pytest.raises(ValueError, match="shapes is"):
        Stock(1, shapes=("cube",))
    with pytest.raises(ValueError, match="per_place is"):
        Stock(1, per_place=(3,))
    with pytest.raises(ValueError, match="seed is -1"):
        Stock(-1)


@pytest.mark.parametrize(
    ("kind", "wavelength_nm", "darker"),
    [
        (MarkKind.BLOOD_SPOT, 555.0, True),
        (MarkKind.BILE_STAIN, 445.0, True),
        (MarkKind.BRUISE, 590.0, True),
        (MarkKind.BLEACHED, 555.0, False),
        (MarkKind.GLOSS, 680.0, False),
    ],
)
def test_marks_have_their_colour_in_their_place(kind: MarkKind, wavelength_nm: float, darker: bool) -> None:
    """One piece with a mark in the middle, the same with it at its rim, and without: only the first looks different to
    a sensor that sees the middle.
    """

    plain, middle, rim = (
        Scene(2, stock=One(*marks)).spectrum(0.0, 20, 1.0)
        for marks in ((), (Mark(kind, 0.0, 0.0, 25.0, 0.9),), (Mark(kind, 60.0, 0.0, 8.0, 0.9),))
    )
    assert at(rim, wavelength_nm) == pytest.approx(at(plain, wavelength_nm))
    ratio = at(middle, wavelength_nm) / at(plain, wavelength_nm)
    assert ratio < 0.93 if darker else ratio > 1.05


def test_a_bleached_place_is_seen_by_the_ranging_chip_where_it_is() -> None:
    gloss = Mark(MarkKind.GLOSS, 30.0, 0.0, 12.0, 1.0)
    change = Scene(2, stock=One(gloss)).tof(0.0).reflectance / Scene(2).tof(0.0).reflectance
    row, column = np.unravel_index(int(change.argmax()), change.shape)
    assert (row in (3, 4), column in (5, 6)) == (True, True)
    assert change.max() > 1.1
    np.testing.assert_allclose(change[:, :4], 1.0)


def test_a_mark_of_no_strength_keeps_the_volume_of_blood() -> None:
    pigments = make_piece(2, 0).pigments
    for kind in (MarkKind.BILE_STAIN, MarkKind.BLEACHED, MarkKind.GLOSS):
        np.testing.assert_allclose(Mark(kind, 0.0, 0.0, 5.0, 0.0).colour(pigments), reflectance(pigments))


def test_hall_flickers_and_an_integration_of_whole_periods_does_not_see_it() -> None:
    scene = Scene(1, lighting=Lighting(flicker_depth=0.4))
    scene.stage = WHITE_TILE
    momentary = [scene.spectrum(t / 1000, 0).sum() for t in range(10)]
    assert max(momentary) / min(momentary) == pytest.approx(1.4 / 0.6, rel=0.05)
    even = [scene.spectrum(t / 1000, 0, 0.050).sum() for t in range(10)]
    assert max(even) / min(even) == pytest.approx(1.0, abs=1e-6)


def test_lamp_fades_with_heat_and_age_and_a_film_takes_the_blue() -> None:
    def lamp(time_s: float, **lighting: float) -> np.ndarray:
        scene = Scene(1, lighting=Lighting(**lighting))
        scene.stage = WHITE_TILE
        return scene.spectrum(time_s, 20, 1.0) - scene.spectrum(time_s, 0, 1.0)

    warm = lamp(3600.0, lamp_rise_c=20.0) / lamp(0.0, lamp_rise_c=20.0)
    assert at(warm, 600) == pytest.approx(1.0 - 0.003 * 20.0, abs=0.002)
    assert at(lamp(0.0, lamp_age_h=2000.0, lamp_loss=0.1) / lamp(0.0), 600) == pytest.approx(0.81, abs=1e-3)
    dirty = lamp(0.0, film=0.3) / lamp(0.0)
    assert at(dirty, 420) < at(dirty, 650) == pytest.approx(0.79)
    for wrong in ({"film": 1.5}, {"flicker_depth": -0.1}, {"hall_level": -1.0}, {"lamp_warm_up_s": 0.0}):
        with pytest.raises(ValueError, match=next(iter(wrong))):
            Lighting(**wrong)


class Ranging:
    """A laser that is on for the first 10 ms of every 66."""

    def laser_share(self, start_s: float, end_s: float) -> float:
        times = np.linspace(start_s, end_s, 200)
        return float(np.mean(times % 0.066 < 0.010))


def test_a_neighbours_laser_pollutes_the_near_infrared_and_nothing_else() -> None:
    """Goal: the reason to measure alternately can be seen. Method: the driver's own frames, with and without laser."""
    clock = VirtualClock()
    scene = Scene(1)
    scene.stage = WHITE_TILE
    bus = SimBus("nir", clock, 400_000)
    bus.attach(SimAs7341(clock, scene, seed=1))
    driver = As7341(bus)
    driver.start(led_ma=0)
    quiet = np.mean([driver.read().counts for _ in range(10)], axis=0)
    scene.laser = Ranging()
    noisy = np.mean([driver.read().counts for _ in range(10)], axis=0)
    assert noisy[9] > 1.1 * quiet[9] + 5
    np.testing.assert_allclose(noisy[:8], quiet[:8], rtol=0.05, atol=3.0)


def test_encoder_counts_what_the_belt_moves() -> None:
    belt = Continuous(speed_mm_s=150.0)
    encoder = Encoder(belt, pulses_per_mm=4.0)
    assert encoder.count(0.0) == 0
    assert encoder.count(2.0) == 1200
    assert encoder.speed_mm_s(5.0, over_s=0.1) == pytest.approx(150.0, rel=0.05)
    assert Encoder(belt, slip=0.01).count(100.0) == pytest.approx(0.99 * 100 * 150 * 5, abs=1)
    still = Encoder(Indexed())
    assert still.speed_mm_s(1.0) == 0.0
    assert Scene(1, motion=belt).encoder.count(2.0) == 1500
    with pytest.raises(ValueError, match="slip"):
        Encoder(belt, slip=1.0)
    with pytest.raises(ValueError, match="speed and pitch"):
        Continuous(speed_mm_s=0.0)


def test_halves_see_a_running_belt_at_their_own_times() -> None:
    """On a fast belt the two Clear readings of a frame differ as the world differs between the two halves' middles."""
    clock = VirtualClock()
    scene = Scene(2, motion=Continuous(speed_mm_s=400.0))
    bus = SimBus("fast", clock, 400_000)
    chip = SimAs7341(clock, scene, seed=1)
    bus.attach(chip)
    driver = As7341(bus)
    driver.start()
    moved = 0
    for _ in range(25):
        frame = driver.read()
        expected = [
            float(
                np.mean([scene.spectrum((at_ns / 1e9) + part, 20, 1.0)[20:60].sum() for part in (-0.0167, 0.0, 0.0167)])
            )
            for at_ns in frame.halves_ns
        ]
        seen, true = frame.clear_halves[1] / frame.clear_halves[0], expected[1] / expected[0]
        assert seen == pytest.approx(true, rel=0.25)
        moved += abs(seen - 1.0) > 0.1
    assert moved >= 5


def test_rays_of_a_zone_show_edges() -> None:
    scene = Scene(1)
    view = scene.tof(0.0)
    spread = view.sample_distance_mm.max(axis=2) - view.sample_distance_mm.min(axis=2)
    assert spread.max() > 15.0  # a rim
    assert (spread[0] == 0.0).all()  # the belt
    scene.stage = BELT_ONLY
    assert not scene.tof(0.0).translucency.any()
    plain = Scene(1, sampled=False).tof(0.0)
    assert not hasattr(plain, "sample_distance_mm")
    np.testing.assert_array_equal(plain.distance_mm, view.distance_mm)


def test_a_view_of_a_running_belt_is_cheap() -> None:
    """Half a millisecond is the aim, of this thread's own time; the best of many, since others use the machine too."""
    scene = Scene(3, motion=Continuous(), stock=Stock(3, shapes=REPORTING, per_place=(2,), marked=True))
    scene.tof(0.0)
    spent: list[float] = []
    for step in range(50):
        started = time.thread_time()
        scene.tof(0.01 * (step + 1))
        spent.append(time.thread_time() - started)
    assert min(spent) < 0.001


def test_small_pieces_weigh_their_share() -> None:
    whole, part = make_piece(1, 4), make_piece(1, 4, share=0.3)
    assert part.volume_mm3 == pytest.approx(0.3 * whole.volume_mm3)
    assert part.mass_g == pytest.approx(part.volume_mm3 * DENSITY_G_MM3)
    assert part.height_mm < whole.height_mm
