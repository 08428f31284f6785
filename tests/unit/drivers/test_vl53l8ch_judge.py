"""Doubt and belief: what cannot follow is refused once, and believed when it repeats itself."""

from dataclasses import replace

import numpy as np
import pytest

from drivers.errors import FrameCorruptError
from drivers.vl53l8ch_frame import FrameDecoder
from drivers.vl53l8ch_judge import Judge, Reading, TofCounters
from drivers.vl53l8ch_settings import EVERYTHING, TofSettings
from tests.unit.drivers.planes import STAIRS, PlaneView, Rig, grid

PERIOD_NS = 66_666_667


class Bench:
    """A judge, and readings to put before it."""

    def __init__(self) -> None:
        self.settings = TofSettings(outputs=EVERYTHING)
        self.rig = Rig(settings=self.settings)
        self.rig.driver.start()
        self.decoder = FrameDecoder(self.settings)
        self.judge = Judge(self.decoder, TofCounters())

    def next(self, **changes: object) -> Reading:
        """The next frame of the chip, with fields changed."""
        asked_ns = self.rig.clock.monotonic_ns()
        self.rig.driver.read()
        raw = self.rig.bus.transfer(0x29, b"\0\0", self.settings.frame_bytes)
        frame = self.decoder.decode(raw, self.rig.clock.monotonic_ns())
        return Reading(replace(frame, **changes), raw, asked_ns)


@pytest.fixture
def bench() -> Bench:
    return Bench()


def test_a_jump_of_temperature_is_doubted_and_then_believed(bench: Bench) -> None:
    bench.judge.accept(bench.next())
    with pytest.raises(FrameCorruptError, match="temperature is 60, must be within 4 C of 25"):
        bench.judge.accept(bench.next(temperature_c=60))
    bench.judge.accept(bench.next(temperature_c=60))
    bench.judge.accept(bench.next(temperature_c=61))


def test_a_single_odd_temperature_leaves_no_trace(bench: Bench) -> None:
    bench.judge.accept(bench.next())
    with pytest.raises(FrameCorruptError):
        bench.judge.accept(bench.next(temperature_c=60))
    bench.judge.accept(bench.next())


def test_a_zone_that_contradicts_itself_is_doubted_and_then_believed(bench: Bench) -> None:
    """Goal: a chip that breaks the law of reflectance costs one frame. Method: one zone does so from now on."""
    odd = grid(50.0)
    odd[3, 4] = 5.0
    bench.judge.accept(bench.next())
    with pytest.raises(FrameCorruptError, match="zone is row 3 column 4"):
        bench.judge.accept(bench.next(reflectance_pct=odd))
    for _ in range(3):
        bench.judge.accept(bench.next(reflectance_pct=odd))
    odd = odd.copy()
    odd[0, 0] = 120.0  # another one
    with pytest.raises(FrameCorruptError, match="zone is row 0 column 0"):
        bench.judge.accept(bench.next(reflectance_pct=odd))


def test_even_the_first_frame_is_doubted(bench: Bench) -> None:
    with pytest.raises(FrameCorruptError, match="zone"):
        bench.judge.accept(bench.next(sigma_mm=np.zeros((8, 8))))
    bench.judge.accept(bench.next())


def test_bright_targets_saturate_their_reflectance_and_contradict_nothing() -> None:
    bench = Bench()
    bench.rig.scene.view = PlaneView(STAIRS, reflectance=grid(2.5))  # a retroreflector
    bench.next()
    reading = bench.next()
    assert reading.frame.reflectance_pct == pytest.approx(grid(127.5))
    assert bench.decoder.contradictions(reading.frame, reading.raw) is None


def test_missed_frames_are_counted_from_the_last_believed_one(bench: Bench) -> None:
    counters = TofCounters()
    judge = Judge(bench.decoder, counters)
    judge.accept(bench.next())
    bench.rig.clock.sleep(10 * PERIOD_NS / 1e9)
    judge.accept(bench.next())
    assert counters.missed in (9, 10)


def test_the_same_frame_again_is_a_duplicate(bench: Bench) -> None:
    reading = bench.next()
    bench.judge.accept(reading)
    assert bench.judge.is_duplicate(reading.frame)
    assert not bench.judge.is_duplicate(bench.next().frame)
