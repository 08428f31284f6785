"""Flipped bits on the wire: every one that could be known is found, and it is known how many cannot be."""

from collections import Counter

import pytest

from bench.sensors_flips import equal, field_of, knowable, study
from drivers.errors import FrameCorruptError
from drivers.frames import TofFrame
from drivers.vl53l8ch_frame import FrameDecoder
from drivers.vl53l8ch_judge import Judge, Reading, TofCounters
from drivers.vl53l8ch_settings import EVERYTHING, TofSettings
from tests.unit.drivers.planes import Rig
from tests.unit.drivers.test_vl53l8ch_cross import mixed_view


def frame_and_next(settings: TofSettings) -> tuple[bytes, bytes]:
    """The bytes of two frames in a row."""
    rig = Rig(settings=settings)
    rig.scene.view = mixed_view()
    rig.driver.start()
    read: list[bytes] = []
    for _ in range(3):
        rig.driver.read()
        read.append(rig.bus.transfer(0x29, b"\0\0", settings.frame_bytes))
    return read[1], read[2]


@pytest.mark.parametrize("settings", [TofSettings(outputs=EVERYTHING), TofSettings(outputs=frozenset())])
def test_every_single_bit_of_a_frame(settings: TofSettings) -> None:
    """Goal: no flip that could be known passes. Method: flip each bit of one frame in turn, after an intact one."""
    before, frame = frame_and_next(settings)
    decoder = FrameDecoder(settings)
    first = decoder.decode(before, 0)
    truth = decoder.decode(frame, 66_000_000)
    fates: Counter[str] = Counter()
    for bit in range(8 * len(frame)):
        received = bytearray(frame)
        received[bit // 8] ^= 1 << bit % 8
        seen = taken(decoder, (first, before), bytes(received))
        if seen is None:
            fates["refused"] += 1
        elif equal(seen, truth):
            fates["harmless"] += 1
        else:
            fates["unknowable"] += 1
            assert not knowable(frame, bytes(received), first.temperature_c), field_of(frame, bytes(received))
    share = fates["unknowable"] / fates.total()
    print(settings.frame_bytes, dict(fates), f"{share:.1%} cannot be known")
    assert fates["refused"] / fates.total() > 0.15
    assert share < (0.70 if settings.outputs else 0.45)


def taken(decoder: FrameDecoder, before: tuple[TofFrame, bytes], received: bytes) -> TofFrame | None:
    """The frame, if it is believed after the intact one."""
    judge = Judge(decoder, TofCounters())
    judge.accept(Reading(*before, 0))
    try:
        seen = decoder.decode(received, 66_000_000)
        judge.accept(Reading(seen, received, 60_000_000))
    except FrameCorruptError:
        return None
    return seen


def test_minutes_of_a_line_with_flipped_bits() -> None:
    outcome = study(240.0, TofSettings())
    assert outcome.hit > 40
    assert outcome.missed == []
    assert outcome.refused.total() > 5
    assert outcome.frames > 0.95 * 240 * 15


def test_reading_twice_finds_every_flip() -> None:
    outcome = study(240.0, TofSettings(double_read=True))
    assert outcome.hit > 90
    assert outcome.unknowable.total() == 0
    assert outcome.worst_mm == 0.0
    assert outcome.frames > 0.98 * 240 * 15
