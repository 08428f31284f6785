"""Every fault of the list against the whole device: cured by the ladder or reported within three periods, never data.

Method: one device in virtual time, real drivers, sampler and assembler; a fault for sixteen seconds of a running line.
Each case says how it must end. What is graded meanwhile must be what a healthy device makes of the same pieces.
"""

import logging
import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest
import structlog

from contract.sample import Sample
from drivers.life import Kind
from drivers.sim.timeline import PRESETS, Step, Timeline
from edge.sampler import Trouble
from quality.texts import SENSOR_CODES
from tests.unit.edge.rig import PERIOD_S, Device

FAULT_S, HEALTHY_S, LEAD_S = 16.0, 24.0, 8.0
REPORT_S = 3 * PERIOD_S
DOCS = Path(__file__).parents[3] / "docs" / "sensors.md"
TRUE_MM = 30.0  # a zone on the flank of a piece that is just being moved may differ by so much
SCORE = 0.12  # two looks at one piece at different moments of its rest differ by so much at most
TOF, SPECTRAL = "VL53L8CH", "AS7341"


@dataclass(frozen=True)
class Ending:
    """reported: the kinds by chip; empty where the ladder cures it unseen. dead: chips that deliver nothing meanwhile.

    blind: nothing may be graded. lost: looks that may fail where nothing is reported. bent: heights are wrong, too,
    meanwhile: a film throws the laser's light back.
    """

    reported: tuple[tuple[str, str], ...] = ()
    dead: tuple[str, ...] = ()
    blind: bool = False
    lost: int = 0
    bent: bool = False


def dead(kind: str, *chips: str) -> Ending:
    return Ending(tuple((chip, kind) for chip in chips), chips, blind=True)


ENDINGS = {
    "nak": Ending(),
    "nak-burst": Ending(((TOF, "absent"), (SPECTRAL, "absent"))),
    "stuck-bus": dead("stuck bus", TOF, SPECTRAL),
    "bit-flips": Ending(lost=1),
    "torn-reads": Ending(),
    "brown-out": Ending(lost=1),
    "brown-out-tof": Ending(lost=1),
    "brown-out-spectral": Ending(lost=1),
    "absent-tof": dead("absent", TOF),
    "absent-spectral": dead("absent", SPECTRAL),
    "absent": dead("absent", TOF, SPECTRAL),
    "swapped-tof": dead("wrong chip", TOF),
    "swapped-spectral": dead("wrong chip", SPECTRAL),
    "wrong-id-tof": dead("wrong chip", TOF),
    "wrong-id-spectral": dead("wrong chip", SPECTRAL),
    "slow-bus": Ending(((TOF, "slow bus"),), lost=2),
    "laser-fault": dead("laser", TOF),
    "mcu-error": Ending(lost=1),
    "mcu-dead": dead("chip", TOF),
    "stuck-stream": dead("stale", TOF),
    "avalid-never": dead("chip", SPECTRAL),
    "saturation": Ending(((SPECTRAL, "glare"),), blind=True),
    "dead-led": Ending(((SPECTRAL, "no light"),), blind=True),
    "dirty-window": Ending(((TOF, "dirty window"),), blind=True, bent=True),
}


TOLD_KINDS = {kind for ending in ENDINGS.values() for _, kind in ending.reported}


@pytest.fixture(autouse=True)
def quiet() -> Iterator[None]:
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(logging.CRITICAL))
    yield
    structlog.reset_defaults()


def piece_at(device: Device, taken_ns: int) -> int | None:
    truth = device.world.truth(taken_ns / 1e9)
    return truth.piece.number if truth is not None and truth.still else None


def scores(device: Device) -> dict[int, float]:
    """What a device says of every piece that it sees at rest: the median of its looks."""
    found: dict[int, list[float]] = {}
    for taken_ns, message in device.spool.messages:
        number = piece_at(device, taken_ns)
        if isinstance(message, Sample) and number is not None:
            found.setdefault(number, []).append(message.fusion.final_score)
    return {number: float(np.median(looks)) for number, looks in found.items()}


@pytest.fixture(scope="module")
def healthy() -> dict[int, float]:
    device = Device()
    device.run(LEAD_S + FAULT_S + HEALTHY_S + 20.0)
    assert not device.told
    return scores(device)


def test_the_list_is_whole() -> None:
    assert set(ENDINGS) == set(PRESETS)


def test_the_list_is_told_in_the_docs_with_what_was_measured() -> None:
    """Every fault has a row, and who is told of what in it is what the device says (`row_of` makes them)."""
    rows = dict(re.findall(r"^\| `([a-z-]+)` \|.*\| ([^|]+) \| \d+ of \d+ \|$", DOCS.read_text(), re.MULTILINE))
    assert set(rows) == set(PRESETS)
    for name, ending in ENDINGS.items():
        kinds = {kind for _, kind in ending.reported}
        assert kinds == {kind for kind in TOLD_KINDS if rows[name].startswith(f"{kind} after")}, name


def row_of(device: Device, name: str) -> str:
    """What a fault did, for the table: what was told and when, and looks lost meanwhile."""
    first = {str(each.trouble.kind): each.at_s for each in reversed(device.told) if each.trouble.kind}
    told = [f"{kind} after {at_s:.1f} s" for kind, at_s in first.items()]
    lost = sum(each.measurement.tof is None or each.measurement.spectral is None for each in device.seen)
    return f"| `{name}` | {', '.join(told) or 'nothing'} | {lost} of {len(device.seen)} |"


def test_every_kind_of_trouble_has_words_for_people() -> None:
    kinds = {kind for ending in ENDINGS.values() for _, kind in ending.reported} | {str(kind) for kind in Kind}
    assert {Trouble(TOF, True, "", 0, 0, kind).code for kind in kinds} == SENSOR_CODES


@pytest.mark.parametrize("name", PRESETS)
def test_a_fault_ends_as_stated(name: str, healthy: dict[int, float]) -> None:
    preset, ending = PRESETS[name], ENDINGS[name]
    device = Device()
    device.run(LEAD_S)
    device.play(Timeline((Step(0.0, preset.for_s or FAULT_S, preset),)))
    device.run(FAULT_S)
    assert_told(device, ending)
    assert_dead_means_dead(device, ending)
    if ending.blind:
        assert [seen for seen in device.samples(PERIOD_S + 0.5) if seen.fusion] == []
    row = row_of(device, name)
    device.run(HEALTHY_S)
    print(row)  # pytest -rP shows what docs/sensors.md says
    assert_whole_again(device)
    assert_true(device, healthy, bent_s=FAULT_S + PERIOD_S if ending.bent else 0.0)


def assert_told(device: Device, ending: Ending) -> None:
    told = {
        (each.trouble.chip, str(each.trouble.kind)): each.at_s for each in reversed(device.told) if each.trouble.kind
    }
    assert set(told) == set(ending.reported)
    assert all(at_s <= REPORT_S for at_s in told.values()), told
    assert all(each.trouble.advice and each.trouble.reason for each in device.told if each.trouble.kind)
    if not ending.reported:
        failed = sum(seen.measurement.tof is None or seen.measurement.spectral is None for seen in device.seen)
        assert failed <= ending.lost


def assert_dead_means_dead(device: Device, ending: Ending) -> None:
    for seen in device.seen[2:]:
        if TOF in ending.dead:
            assert seen.measurement.tof is None
        if SPECTRAL in ending.dead:
            assert seen.measurement.spectral is None


def assert_whole_again(device: Device) -> None:
    last = device.seen[-5:]
    assert all(seen.measurement.tof is not None and seen.measurement.spectral is not None for seen in last)
    chips = {each.trouble.chip for each in device.told if each.trouble.failed or each.trouble.hampered}
    for chip in chips:
        last_told = [each.trouble for each in device.told if each.trouble.chip == chip][-1]
        assert not last_told.failed, "recovery not told"
        assert not last_told.hampered, "recovery not told"


def assert_true(device: Device, healthy: dict[int, float], bent_s: float) -> None:
    """Whatever was handed on is what is really there, and graded as a healthy device grades it."""
    for seen in device.seen:
        frame = seen.measurement.tof
        at_rest = frame is not None and None not in (
            piece_at(device, frame.captured_ns - 150_000_000),
            piece_at(device, frame.captured_ns + 50_000_000),
        )
        if frame is not None and at_rest and seen.at_s >= bent_s:
            truth = device.world.tof(frame.captured_ns / 1e9 - 0.05).distance_mm
            wrong = np.abs(frame.distance_mm - truth)
            assert float(np.nanmax(wrong)) <= TRUE_MM
    for number, score in scores(device).items():
        if number in healthy:
            assert score == pytest.approx(healthy[number], abs=SCORE), f"piece {number}"


def test_a_hook_that_switches_the_supply_is_the_last_rung_and_helps_where_nothing_else_does() -> None:
    device = Device(power_hook=True)
    device.run(LEAD_S)
    device.tof.stuck = True

    def release() -> None:
        device.tof.stuck = False

    real, chip = device.tof.power_cycle, device.tof

    def power_cycle() -> None:
        real()
        release()

    chip.power_cycle = power_cycle  # type: ignore[method-assign]  # only its supply frees it
    device.play(Timeline((Step(1e9, None, PRESETS["nak"]),)))
    device.run(12.0)
    assert device.switched == 1
    counted = device.sampler.troubles()
    assert counted["tof_rung_soft_reset"] == counted["tof_rung_reload"] == counted["tof_rung_power_cycle"] == 1
    assert counted["tof_cured_by_power_cycle"] == 1
    assert device.seen[-1].measurement.tof is not None


def test_a_sensor_that_fails_for_a_moment_again_and_again_is_told_of_once() -> None:
    device = Device()
    device.run(LEAD_S)
    device.play(Timeline((Step(0.0, 0.3, PRESETS["brown-out-tof"]),), every_s=3.0))
    device.run(20.0)
    told = device.faults_told(TOF)
    assert len(told) == 1
    assert "of the last 20 measurements failed" in told[0].trouble.reason
    assert told[0].trouble.hampered


def test_a_bus_that_is_still_slow_is_told_of_again_after_another_trouble_was_told_as_over() -> None:
    device = Device()
    device.run(LEAD_S)
    device.play(Timeline((Step(0.0, None, PRESETS["slow-bus"]), Step(20.0, None, PRESETS["nak-burst"]))))
    device.run(40.0)
    told = [told.trouble.kind for told in device.told if told.trouble.chip == TOF]
    assert told[0] == "slow bus"
    assert "absent" in told
    assert told[-2:] == ["", "slow bus"]
