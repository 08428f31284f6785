"""A second opinion: charts, rules, capability and gage studies against the library capstat-core, on random data.

It shares no code with ours. Where the two mean different things by one word, the test says which: capstat takes sigma
of individuals from the mean moving range as we do, and pools an interaction above the same probability.
"""

import capstat_core as oracle
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from quality.gage import gage_rr
from quality.spc import D2_OF_TWO, D4_OF_TWO, capability, ewma_chart, individuals_chart, moving_range_chart

SEEDS = st.integers(0, 2**32 - 1)


def series(seed: int, count: int = 60) -> list[float]:
    """A process that now and then shifts, so that rules have something to find."""
    rng = np.random.default_rng(seed)
    values = rng.normal(50.0, 2.0, count)
    values[count // 2 :] += rng.choice([0.0, 1.5, 3.0])
    return values.tolist()


def test_the_constants_of_two_are_those_of_the_tables() -> None:
    assert pytest.approx(oracle.d2(2), rel=1e-12) == D2_OF_TWO
    assert pytest.approx(oracle.D4(2), rel=1e-7) == D4_OF_TWO


@given(seed=SEEDS)
@settings(max_examples=25, deadline=None)
def test_individuals_and_ranges_have_the_same_limits_and_western_electric_signals(seed: int) -> None:
    values = series(seed)
    theirs = oracle.i_mr_chart(values)
    ours, ranges = individuals_chart(values), moving_range_chart(values)
    limits = theirs.location.limits
    assert (ours.centre, ours.lower, ours.upper) == pytest.approx(
        (limits.center, np.min(limits.lower), np.max(limits.upper))
    )
    assert ranges.upper == pytest.approx(np.max(theirs.dispersion.limits.upper))
    found = {(each.point, each.rule) for each in oracle.western_electric_rules(theirs.location)}
    assert {(each.index, each.rule) for each in ours.signals} == found


@given(seed=SEEDS, weight=st.floats(0.05, 0.9))
@settings(max_examples=25, deadline=None)
def test_ewma_points_and_last_limits_agree(seed: int, weight: float) -> None:
    values = series(seed)
    theirs = oracle.ewma_chart(values, target=50.0, sigma=2.0, lmbda=weight)
    ours = ewma_chart(values, weight=weight, target=50.0, sigma=2.0)
    assert ours.points == pytest.approx(tuple(theirs.points))
    assert (ours.lower, ours.upper) == pytest.approx((theirs.lower[-1], theirs.upper[-1]))


@given(seed=SEEDS)
@settings(max_examples=25, deadline=None)
def test_capability_figures_agree(seed: int) -> None:
    values = series(seed)
    theirs = oracle.capability(values, lsl=40.0, usl=62.0)
    ours = capability(values, lower=40.0, upper=62.0)

    def value(figure: object) -> float:
        return float(getattr(figure, "value", figure))

    assert (ours.cp, ours.cpk) == pytest.approx((value(theirs.cp), value(theirs.cpk)))
    assert (ours.pp, ours.ppk) == pytest.approx((value(theirs.pp), value(theirs.ppk)))


@given(seed=SEEDS, crossed=st.floats(0.0, 0.5))
@settings(max_examples=25, deadline=None)
def test_gage_studies_have_the_same_components(seed: int, crossed: float) -> None:
    rng = np.random.default_rng(seed)
    parts, appraisers = rng.normal(0.0, 1.0, (8, 1, 1)), rng.normal(0.0, 0.2, (1, 3, 1))
    data = parts + appraisers + crossed * rng.normal(0.0, 1.0, (8, 3, 1)) + rng.normal(0.0, 0.3, (8, 3, 3))
    theirs, ours = oracle.gage_rr(data), gage_rr(data)
    assert ours.pooled != theirs.interaction_included
    assert ours.repeatability**2 == pytest.approx(theirs.var_repeatability)
    assert ours.part**2 == pytest.approx(theirs.var_part)
    assert ours.interaction**2 == pytest.approx(theirs.var_interaction, abs=1e-12)
    assert ours.reproducibility**2 - ours.interaction**2 == pytest.approx(theirs.var_operator, abs=1e-12)
    if not ours.pooled:
        assert ours.interaction_p == pytest.approx(theirs.interaction_pvalue, abs=1e-6)
