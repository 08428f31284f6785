"""Charts and studies against published examples: NIST/SEMATECH e-Handbook 6.3.2, AIAG MSA 4th edition."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from quality.errors import QualityError
from quality.gage import gage_rr
from quality.spc import (
    Signal,
    capability,
    chi2_quantile,
    ewma_chart,
    f_tail,
    individuals_chart,
    moving_range_chart,
    moving_range_sigma,
    normal_quantile,
    western_electric,
)

FLOW = (49.6, 47.6, 49.9, 51.3, 47.8, 51.2, 52.6, 52.4, 53.6, 52.1)
NIST_EWMA = (52.0, 47.0, 53.0, 49.3, 50.1, 47.0, 51.0, 50.1, 51.2, 50.5, 49.6, 47.6, 49.9, 51.3, 47.8, 51.2, 52.6,
             52.4, 53.6, 52.1)  # fmt: skip
NIST_POINTS = (50.60, 49.52, 50.56, 50.18, 50.16, 49.21, 49.75, 49.85, 50.26, 50.33, 50.11, 49.36, 49.52, 50.05, 49.38,
               49.92, 50.73, 51.23, 51.94, 51.99)  # fmt: skip
MSA = np.array(
    [
        [[0.29, 0.41, 0.64], [0.08, 0.25, 0.07], [0.04, -0.11, -0.15]],
        [[-0.56, -0.68, -0.58], [-0.47, -1.22, -0.68], [-1.38, -1.13, -0.96]],
        [[1.34, 1.17, 1.27], [1.19, 0.94, 1.34], [0.88, 1.09, 0.67]],
        [[0.47, 0.50, 0.64], [0.01, 1.03, 0.20], [0.14, 0.20, 0.11]],
        [[-0.80, -0.92, -0.84], [-0.56, -1.20, -1.28], [-1.46, -1.07, -1.45]],
        [[0.02, -0.11, -0.21], [-0.20, 0.22, 0.06], [-0.29, -0.67, -0.49]],
        [[0.59, 0.75, 0.66], [0.47, 0.55, 0.83], [0.02, 0.01, 0.21]],
        [[-0.31, -0.20, -0.17], [-0.63, 0.08, -0.34], [-0.46, -0.56, -0.49]],
        [[2.26, 1.99, 2.01], [1.80, 2.12, 2.19], [1.77, 1.45, 1.87]],
        [[-1.36, -1.25, -1.31], [-1.68, -1.62, -1.50], [-1.49, -1.77, -2.16]],
    ]
)


def test_individuals_limits_of_the_flow_rate_example() -> None:
    chart = individuals_chart(FLOW)
    assert chart.centre == pytest.approx(50.81)
    assert chart.upper == pytest.approx(55.8041, abs=2e-3)
    assert chart.lower == pytest.approx(45.8159, abs=2e-3)
    assert moving_range_chart(FLOW).centre == pytest.approx(1.8778, abs=1e-4)


def test_ewma_of_the_published_example() -> None:
    chart = ewma_chart(NIST_EWMA, weight=0.3, target=50.0, sigma=2.0539)
    assert chart.points == pytest.approx(NIST_POINTS, abs=0.011)
    assert chart.upper == pytest.approx(52.5884, abs=2e-3)
    assert chart.lower == pytest.approx(47.4115, abs=2e-3)
    assert not chart.signals


def test_the_readings_are_those_of_the_manual() -> None:
    """Goal: no figure of the ninety was mistyped. Method: the sums of squares that the manual publishes (table A 4)."""
    mean, by_part, by_appraiser = MSA.mean(), MSA.mean(axis=(1, 2)), MSA.mean(axis=(0, 2))
    cells = MSA.mean(axis=2)
    parts, appraisers = 9.0 * ((by_part - mean) ** 2).sum(), 30.0 * ((by_appraiser - mean) ** 2).sum()
    between = 3.0 * ((cells - mean) ** 2).sum()
    assert appraisers == pytest.approx(3.1673, abs=5e-5)
    assert parts == pytest.approx(88.3619, abs=5e-5)
    assert between - parts - appraisers == pytest.approx(0.3590, abs=5e-5)
    assert ((MSA - cells[:, :, None]) ** 2).sum() == pytest.approx(2.7589, abs=5e-5)
    assert ((MSA - mean) ** 2).sum() == pytest.approx(94.6471, abs=5e-5)


def test_gage_study_of_the_manual() -> None:
    study = gage_rr(MSA)
    assert study.pooled
    assert study.repeatability == pytest.approx(0.199933, abs=2e-6)
    assert study.reproducibility == pytest.approx(0.226838, abs=2e-6)
    assert study.rr == pytest.approx(0.302373, abs=2e-6)
    assert study.part == pytest.approx(1.042327, abs=2e-6)
    assert study.rr_share == pytest.approx(0.279, abs=5e-4)
    assert study.part / study.total == pytest.approx(0.960, abs=5e-4)
    assert study.interaction_p == pytest.approx(stats.f.sf(0.434, 18, 60), abs=1e-3)
    assert study.ndc == 4
    assert study.verdict == "marginal"


@pytest.mark.parametrize(
    ("z", "signal"),
    [
        ([0.0] * 7 + [3.1], Signal(7, 1)),
        ([0.1] * 5 + [2.1, -0.5, 2.2], Signal(7, 2)),
        ([-0.1, 0.2, -0.3, 1.1, 1.2, 0.5, 1.3, 1.4], Signal(7, 3)),
        ([0.1, 0.2, 0.3, 0.2, 0.1, 0.2, 0.4, 0.2], Signal(7, 4)),
    ],
)
def test_each_western_electric_rule_fires_on_its_pattern(z: list[float], signal: Signal) -> None:
    for side in (1.0, -1.0):
        assert western_electric(side * np.array(z), 0.0, 1.0) == (signal,)
    assert western_electric(np.array([0.5, -0.5] * 10), 0.0, 1.0) == ()


def test_capability_of_the_published_example() -> None:
    """NIST/SEMATECH e-Handbook 6.1.6: limits 8 and 20, mean 16, standard deviation 2 give Cp 1.0 and Cpk 0.6667."""
    values = stats.norm.ppf((np.arange(100) + 0.5) / 100.0)
    np.random.default_rng(3).shuffle(values)
    values = 16.0 + 2.0 * (values - values.mean()) / values.std(ddof=1)
    study = capability(values.tolist(), lower=8.0, upper=20.0)
    assert study.pp == pytest.approx(1.0)
    assert study.ppk == pytest.approx(0.6667, abs=5e-5)
    short = moving_range_sigma(values)  # the example has one sigma; ours for Cp is that of the moving ranges
    assert study.cp == pytest.approx(12.0 / (6.0 * short))
    assert study.cpk == pytest.approx(4.0 / (3.0 * short))


def test_capability_by_hand_and_its_limits_cover() -> None:
    rng = np.random.default_rng(4)
    covered = 0
    for _ in range(300):
        study = capability(rng.normal(16.0, 2.0, 60).tolist(), lower=8.0, upper=20.0)
        assert study.cp_low is not None
        assert study.cp_high is not None
        covered += study.cpk_low <= 2.0 / 3.0 <= study.cpk_high
        covered += study.cp_low <= 1.0 <= study.cp_high
    assert 0.92 < covered / 600 < 0.98
    assert capability(FLOW, lower=None, upper=60.0).cp is None


def test_quantiles_are_those_of_the_tables() -> None:
    assert normal_quantile(0.975) == pytest.approx(1.959964, abs=1e-6)
    assert chi2_quantile(0.95, 10) == pytest.approx(18.307, abs=1e-3)
    assert chi2_quantile(0.025, 59) == pytest.approx(39.662, abs=2e-3)
    assert f_tail(4.1028, 2, 10) == pytest.approx(0.05, abs=1e-5)
    for value, first, second in ((1.0, 18, 60), (0.434, 18, 60), (2.5, 3.5, 7.25), (30.0, 1, 40)):
        assert f_tail(value, first, second) == pytest.approx(stats.f.sf(value, first, second), rel=1e-6)
    for p in (0.025, 0.5, 0.975):
        assert chi2_quantile(p, 36.58) == pytest.approx(stats.chi2.ppf(p, 36.58), rel=1e-8)
        assert normal_quantile(p) == pytest.approx(stats.norm.ppf(p), abs=1e-9)


@given(scale=st.floats(0.1, 100.0), shift=st.floats(-100.0, 100.0))
def test_signals_and_shares_do_not_depend_on_the_unit(scale: float, shift: float) -> None:
    moved = individuals_chart([scale * value + shift for value in NIST_EWMA])
    assert moved.signals == individuals_chart(NIST_EWMA).signals
    assert gage_rr(scale * MSA + shift).rr_share == pytest.approx(gage_rr(MSA).rr_share, rel=1e-6)


def test_what_cannot_be_charted_is_refused() -> None:
    for bad in ((1.0, 2.0), (1.0, float("nan"), *FLOW)):
        with pytest.raises(QualityError, match="values"):
            individuals_chart(bad)
    with pytest.raises(QualityError, match="lower"):
        capability(FLOW, lower=None, upper=None)
    with pytest.raises(QualityError, match="resolution"):
        gage_rr(np.repeat(MSA[:, :, :1], 3, axis=2))
