"""CIELAB against what the CIE publishes: the white point, greys, and the sign of the axes."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from quality.colour import TABLE_WEIGHTS, distance_of, lab_of


def test_the_tables_give_the_published_white_point() -> None:
    x, y, z = TABLE_WEIGHTS.sum(axis=1)
    assert x / y == pytest.approx(0.9481, abs=0.005)  # CIE 15: D65, 10 degrees; ours by steps of 20 nm
    assert z / y == pytest.approx(1.0732, abs=0.012)


@given(level=st.floats(0.01, 1.0))
def test_greys_have_no_colour_and_the_published_lightness(level: float) -> None:
    lightness, a, b = lab_of(np.full(8, np.log(level)))
    expected = 116.0 * np.cbrt(level) - 16.0 if level > 216 / 24389 else level * 24389 / 27
    assert lightness == pytest.approx(expected, abs=0.05)
    assert abs(a) < 1e-6
    assert abs(b) < 1e-6


def test_less_blue_is_yellow_and_less_green_is_red() -> None:
    yellow = lab_of(np.log([0.2, 0.25, 0.3, 0.6, 0.6, 0.6, 0.6, 0.6]))
    red = lab_of(np.log([0.3, 0.3, 0.3, 0.2, 0.2, 0.4, 0.6, 0.6]))
    assert yellow[2] > 20.0
    assert red[1] > 20.0
    assert distance_of(yellow, yellow) == 0.0
