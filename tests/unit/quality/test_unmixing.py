"""The pigment fit against its own model: exact spectra come back, nothing is negative, doubts are carried."""

from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from quality.unmixing import HAEM, MET, YELLOW, Fit, _model, fit_pigments

PIGMENTS = st.tuples(st.floats(0.01, 0.3), st.floats(0.0, 0.3), st.floats(0.0, 0.04))


def fit(log_r: np.ndarray, *, u: float = 1e-3, level_u: float = 0.02) -> Fit:
    return fit_pigments(log_r, np.full(7, u), level_u=level_u, scatter_per_cm=15.35, scatter_power=1.25)


def spectrum_of(pigments: tuple[float, float, float]) -> np.ndarray:
    return _model(np.array([*pigments, 0.7, 1.25, 0.0]), 15.35)[0]


@given(pigments=PIGMENTS)
@settings(max_examples=100)
def test_what_the_model_made_comes_back(pigments: tuple[float, float, float]) -> None:
    found = fit(spectrum_of(pigments))
    np.testing.assert_allclose(found.unknowns[:3], pigments, rtol=1e-3, atol=1e-5)
    assert found.residual < 0.05


@given(noise=st.lists(st.floats(-0.5, 0.5), min_size=7, max_size=7), pigments=PIGMENTS)
@settings(max_examples=100)
def test_no_pigment_is_ever_negative_and_nothing_diverges(
    noise: list[float], pigments: tuple[float, float, float]
) -> None:
    found = fit(spectrum_of(pigments) + np.array(noise))
    assert np.isfinite(found.unknowns).all()
    assert found.unknowns[:3].min() >= 0.0
    assert np.linalg.eigvalsh(found.covariance).min() > 0.0


def test_the_derivatives_are_those_of_the_model() -> None:
    at = np.array([0.08, 0.04, 0.015, 0.6, 1.2, 0.01])
    _, jacobian, _, _ = _model(at, 15.35)
    for place in range(6):
        step = np.zeros(6)
        step[place] = 1e-6
        numeric = (_model(at + step, 15.35)[0] - _model(at - step, 15.35)[0]) / 2e-6
        np.testing.assert_allclose(jacobian[place], numeric, rtol=1e-5, atol=1e-7)


@pytest.mark.parametrize("pigment", [HAEM, MET, YELLOW])
def test_more_of_a_pigment_is_found_as_more(pigment: int) -> None:
    found: list[float] = []
    for amount in np.linspace(0.005, 0.1, 8):
        mixture = [0.06, 0.03, 0.01]
        mixture[pigment] = float(amount)
        found.append(float(fit(spectrum_of((mixture[0], mixture[1], mixture[2]))).unknowns[pigment]))
    assert all(later > earlier for earlier, later in pairwise(found))


def test_a_less_certain_light_leaves_more_doubt() -> None:
    log_r = spectrum_of((0.08, 0.03, 0.012))
    sure, unsure = fit(log_r, level_u=0.005), fit(log_r, level_u=0.1)
    assert np.sqrt(unsure.covariance[HAEM, HAEM]) > 1.2 * np.sqrt(sure.covariance[HAEM, HAEM])
