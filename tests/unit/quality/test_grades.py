"""Grades exactly at their limits, and how sure they are."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from quality import GRADES, GradeLimits, QualityError, grade_of
from quality.grades import grade_interval, grade_probability

LIMITS = GradeLimits()


@pytest.mark.parametrize(
    ("score", "grade"),
    [
        (1.0, "A+"), (0.90, "A+"), (0.89995, "A+"), (0.8999, "A"), (0.75, "A"), (0.7499, "B"), (0.60, "B"),
        (0.5999, "C"), (0.45, "C"), (0.44994, "REJECT"), (0.4499, "REJECT"), (0.0, "REJECT"),
    ],
)  # fmt: skip
def test_a_score_on_a_limit_earns_the_better_grade_after_rounding(score: float, grade: str) -> None:
    assert grade_of(score, LIMITS) == grade


@given(low=st.floats(0.0, 1.0), high=st.floats(0.0, 1.0))
def test_a_better_score_is_never_graded_worse(low: float, high: float) -> None:
    low, high = sorted((low, high))
    assert GRADES.index(grade_of(high, LIMITS)) <= GRADES.index(grade_of(low, LIMITS))


@given(score=st.floats(0.0, 1.0), score_u=st.floats(0.0, 0.5))
def test_probabilities_of_all_grades_sum_to_one(score: float, score_u: float) -> None:
    total = sum(grade_probability(score, score_u, grade, LIMITS) for grade in GRADES)
    assert total == pytest.approx(1.0)


def test_on_a_limit_both_grades_are_equally_likely() -> None:
    assert grade_probability(0.75, 0.01, "A", LIMITS) == pytest.approx(0.5)
    assert grade_probability(0.75, 0.0, "A", LIMITS) == 1.0


def test_intervals_meet() -> None:
    assert [grade_interval(grade, LIMITS) for grade in GRADES] == [
        (0.90, 1.0), (0.75, 0.90), (0.60, 0.75), (0.45, 0.60), (0.0, 0.45),
    ]  # fmt: skip


@pytest.mark.parametrize("score", [-0.1, 1.1, float("nan")])
def test_a_score_that_is_none_is_refused(score: float) -> None:
    with pytest.raises(QualityError, match="score"):
        grade_of(score, LIMITS)


def test_limits_must_fall() -> None:
    with pytest.raises(QualityError, match="grade_limits"):
        GradeLimits(a=0.95)
