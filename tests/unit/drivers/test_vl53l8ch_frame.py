"""Decoding of frames: orientation, and garbage."""

from contextlib import suppress

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays

from drivers.errors import FrameCorruptError
from drivers.sim.vl53l8ch_frame import to_zones
from drivers.vl53l8ch_frame import FrameDecoder, to_scene
from drivers.vl53l8ch_settings import EVERYTHING, TofSettings

DECODER = FrameDecoder(TofSettings(outputs=EVERYTHING))
FRAME_BYTES = DECODER.size


def test_zone_0_looks_at_the_top_right_of_the_scene() -> None:
    """UM3109 section 2.2: zone 0 at the bottom left of the array, rows of zones one after the other."""
    zones = np.arange(64)
    scene = to_scene(zones)
    assert scene[0, 7] == 0
    assert scene[0, 0] == 7
    assert scene[7, 7] == 56
    assert scene[7, 0] == 63


@given(arrays.arrays(np.int16, (8, 8)))
def test_chip_and_driver_agree_on_the_orientation(scene: np.ndarray) -> None:
    assert np.array_equal(to_scene(to_zones(scene)), scene)


@pytest.mark.parametrize("size", [0, 4, FRAME_BYTES - 4, FRAME_BYTES + 4])
def test_other_sizes_are_refused(size: int) -> None:
    with pytest.raises(FrameCorruptError, match=f"frame size is {size}, must be 1300"):
        DECODER.decode(bytes(size), 0)


@given(st.binary(min_size=FRAME_BYTES, max_size=FRAME_BYTES))
def test_garbage_is_refused(raw: bytes) -> None:
    with pytest.raises(FrameCorruptError) as caught:
        DECODER.decode(raw, 0)
    assert caught.value.raw == raw


@given(st.binary(max_size=2000))
def test_nothing_but_frame_corrupt_comes_out(raw: bytes) -> None:
    with suppress(FrameCorruptError):
        DECODER.decode(raw, 0)
