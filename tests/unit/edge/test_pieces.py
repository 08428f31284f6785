"""One sample a piece, through the real drivers on simulated chips: figures, lots, light, and what goes wrong."""

import logging
from collections.abc import Iterator

import numpy as np
import pytest
import structlog

from contract.sample import Sample
from drivers.sim.conveyor import Continuous
from drivers.sim.timeline import PRESETS, Step, Timeline
from tests.unit.edge.rig import Device

SPEED, PITCH = 200.0, 220.0


@pytest.fixture(autouse=True)
def quiet() -> Iterator[None]:
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(logging.CRITICAL))
    yield
    structlog.reset_defaults()


def device(**options: str) -> Device:
    return Device(motion=Continuous(SPEED, PITCH), travel_by=options.get("travel_by", "encoder"))


def place_of(taken_ns: int) -> int:
    return round(taken_ns / 1e9 * SPEED / PITCH)


def graded(belt: Device) -> list[tuple[int, Sample]]:
    return [(place_of(at), message) for at, message in belt.spool.messages if isinstance(message, Sample)]


def test_every_piece_is_one_sample_with_its_own_figures() -> None:
    belt = device()
    belt.run_belt(30.0)
    found = graded(belt)
    places = [place for place, _ in found]
    assert places == list(range(places[0], places[0] + len(places)))
    assert len({sample.piece_id for _, sample in found}) == len(found)
    cut = [event.reason.code for event in belt.events() if event.kind == "ungraded" and event.reason is not None]
    assert set(cut) <= {"cut_at_start"}  # what lay there when it began: at 220 mm apart two may
    assert len(cut) <= 2
    errors = [sample.vl53l8ch.analysis.volume_mm3 / belt.world.piece(place).volume_mm3 - 1.0 for place, sample in found]
    assert abs(float(np.mean(errors))) < 0.015
    assert max(map(abs, errors)) < 0.05
    for _, sample in found:
        tof, light = sample.vl53l8ch.analysis, sample.as7341.analysis
        assert tof.mass_g == pytest.approx(tof.volume_mm3 * 0.947e-3)
        assert tof.length_mm is not None
        assert tof.travel == "encoder"
        assert (light.lightness or 0.0) > 20.0
        assert light.delta_e_u is not None
        assert sample.calibration is not None
        assert sample.recipe == "foie-gras@1"
        assert not {"nir_laser", "nir_polluted", "moved_between_halves"} & set(sample.quality_flags)
        assert light.ratio_red_nir is not None  # every part of the spectrum lay between two bursts of the laser
    rough = [sample for place, sample in found if belt.world.piece(place).made_as in ("C", "REJECT")]
    assert any(sample.vl53l8ch.analysis.anomalies for sample in rough)


def test_without_an_encoder_the_pictures_tell_the_speed() -> None:
    belt = device(travel_by="pictures")  # which begins with a speed that is 10 % too low
    belt.run_belt(25.0)
    errors = [s.vl53l8ch.analysis.volume_mm3 / belt.world.piece(place).volume_mm3 - 1.0 for place, s in graded(belt)]
    assert len(errors) > 15
    assert abs(float(np.mean(errors[5:]))) < 0.035  # the method reads 1 to 2 % too fast; a gauge body takes that out
    assert graded(belt)[-1][1].vl53l8ch.analysis.travel == "pictures"


def test_a_slow_belt_pauses_the_laser_while_the_spectrum_is_taken() -> None:
    belt = Device(motion=Continuous(40.0, PITCH))
    belt.run_belt(18.0)
    found = [message for message in (m for _, m in belt.spool.messages) if isinstance(message, Sample)]
    assert found
    for sample in found:
        assert "nir_laser" not in sample.quality_flags
        assert sample.as7341.analysis.ratio_red_nir is not None


def test_the_lot_changes_between_two_pieces_and_a_piece_belongs_to_the_one_that_held_when_it_came() -> None:
    belt = device()
    belt.assembler.lot_id = 7
    belt.run_belt(10.3)
    belt.assembler.lot_id = 8
    belt.run_belt(10.0)
    lots = [sample.lot_id for _, sample in graded(belt)]
    assert lots == sorted(lots, key=lambda lot: lot or 0)
    assert set(lots) == {7, 8}


def test_a_piece_in_view_when_the_mode_changes_is_told_and_not_split() -> None:
    belt = device()
    belt.run_belt(10.0)
    before = belt.assembler.counters.pieces
    belt.assembler.belt.begin()
    belt.run_belt(4.0)
    told = [event.reason.code for event in belt.events() if event.reason is not None]
    assert set(told) == {"cut_at_start"}
    places = [place for place, _ in graded(belt)]
    assert len(set(places)) == len(places)
    assert belt.assembler.counters.pieces - before in (3, 4)


@pytest.mark.parametrize(
    ("fault", "reason"), [("absent-spectral", "spectral_fault"), ("saturation", "spectral_saturated")]
)
def test_a_piece_that_light_tells_nothing_of_is_told_and_never_graded(fault: str, reason: str) -> None:
    belt = device()
    belt.run_belt(6.0)
    belt.play(Timeline((Step(0.0, 8.0, PRESETS[fault]),)))
    belt.run_belt(7.0)
    told = [event.reason.code for event in belt.events() if event.kind == "ungraded" and event.reason is not None]
    assert told.count(reason) >= 4
    assert len(graded(belt)) <= 2  # the one that had been seen, and one that was under way
    assert belt.told
    assert belt.told[0].at_s <= 3.5  # two pieces


def test_pieces_that_pass_while_the_ranging_chip_is_dead_are_told_by_its_fault() -> None:
    belt = device()
    belt.run_belt(6.0)
    belt.play(Timeline((Step(0.0, 5.0, PRESETS["absent-tof"]),)))
    belt.run_belt(12.0)
    assert belt.faults_told("VL53L8CH")
    assert belt.faults_told("VL53L8CH")[0].at_s <= 3.0
    assert graded(belt), "it comes back"
    for place, sample in graded(belt):
        true = belt.world.piece(place).volume_mm3
        assert sample.vl53l8ch.analysis.volume_mm3 == pytest.approx(true, rel=0.06)
