"""Dirt on the windows that was there before the agent was: told as dirt, and not only as pieces without a grade."""

import logging
from collections.abc import Iterator

import pytest
import structlog

from drivers.sim.conveyor import Continuous
from drivers.sim.timeline import Preset, Step, Timeline
from drivers.sim.troubles_light import DirtyWindow
from edge.watch import DIRTY
from tests.unit.edge.rig import PERIOD_S, Device

LINE_MM_S, PITCH_MM = 200.0, 220.0


@pytest.fixture(autouse=True)
def quiet() -> Iterator[None]:
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(logging.CRITICAL))
    yield
    structlog.reset_defaults()


def run(device: Device, seconds: float, *, belt: bool) -> None:
    if belt:
        device.run_belt(seconds)
    else:
        device.run(seconds)


def behind(dirt: DirtyWindow, for_s: float | None, *, belt: bool) -> Device:
    """A calibrated device that starts behind a window that is dirty already, and looks for a while."""
    device = Device(motion=Continuous(LINE_MM_S, PITCH_MM) if belt else None)
    device.play(Timeline((Step(0.0, for_s, Preset("dirt", "", dirt)),)))
    device.tof_driver.identify()  # any transfer: the player acts on one
    device.restart()
    device.began_s = device.clock.monotonic_ns() / 1e9
    run(device, 8.0, belt=belt)
    return device


@pytest.mark.parametrize("belt", [False, True])
@pytest.mark.parametrize("fault", [DirtyWindow(), DirtyWindow(transmission=0.85, film_kcps=60.0)])
def test_dirt_that_was_there_before_the_start_is_told_as_dirt(fault: DirtyWindow, belt: bool) -> None:
    device = behind(fault, None, belt=belt)
    told = [each for each in device.told if each.trouble.kind]
    assert [str(each.trouble.kind) for each in told] == ["dirty window"]
    assert told[0].at_s <= 3 * PERIOD_S + 1.5, "three periods, and the download of the firmware"
    assert "of the light it returned at calibration" in told[0].trouble.reason
    assert "clean the windows" in told[0].trouble.advice


def test_what_cannot_be_graded_through_dirt_says_so() -> None:
    device = behind(DirtyWindow(), None, belt=False)
    assert device.samples() == []
    reasons = {event.reason.code for event in device.events() if event.kind == "ungraded" and event.reason}
    assert reasons == {DIRTY}


@pytest.mark.parametrize("belt", [False, True])
def test_it_is_over_once_the_window_has_been_cleaned(belt: bool) -> None:
    device = behind(DirtyWindow(), 7.0, belt=belt)
    run(device, 8.0, belt=belt)
    kinds = [str(each.trouble.kind) for each in device.told]
    assert kinds == ["dirty window", ""]
    assert device.told[-1].trouble.reason == "dirty window is over"


@pytest.mark.parametrize(("belt", "seconds"), [(False, 100.0), (True, 30.0)])
def test_a_clean_window_is_never_called_dirty_whatever_passes(belt: bool, seconds: float) -> None:
    """Method: some twenty pieces of all shapes, from a start on."""
    device = Device(motion=Continuous(LINE_MM_S, PITCH_MM) if belt else None)
    device.restart()
    run(device, seconds, belt=belt)
    assert device.told == []
    assert len(device.samples()) > 20
