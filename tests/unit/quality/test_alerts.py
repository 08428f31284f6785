"""The five rules, each just on and just beyond its limit."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from quality import AlertLimits, GradeLimits, QualityError, grade_of, text, violations

LIMITS = AlertLimits()


def types(score: float, grade: str = "A", oxidation: float | None = 0.1, freshness: float | None = 0.9) -> list[str]:
    found = violations(
        final_score=score, final_grade=grade, oxidation_index=oxidation, freshness_index=freshness, limits=LIMITS
    )
    return [f"{violation.alert_type}:{violation.severity}" for violation in found]


@pytest.mark.parametrize(
    ("arguments", "expected"),
    [
        ((0.3999,), ["quality_critical:critical"]),
        ((0.4,), ["quality_low:warning"]),
        ((0.5999,), ["quality_low:warning"]),
        ((0.6,), []),
        ((0.42, "REJECT"), ["grade_reject:critical", "quality_low:warning"]),
        ((0.2, "REJECT"), ["quality_critical:critical", "grade_reject:critical"]),
        ((0.9, "A+", 0.7), []),
        ((0.9, "A+", 0.7001), ["oxidation_high:warning"]),
        ((0.9, "A+", 0.1, 0.5), []),
        ((0.9, "A+", 0.1, 0.4999), ["freshness_low:warning"]),
        ((0.9, "A+", None, None), []),
    ],
)
def test_a_rule_is_broken_beyond_its_limit_and_not_on_it(arguments: tuple[object, ...], expected: list[str]) -> None:
    assert types(*arguments) == expected


@given(score=st.floats(0, 1), oxidation=st.floats(0, 1), freshness=st.floats(0, 1))
def test_every_violation_has_words_and_no_rule_fires_twice(score: float, oxidation: float, freshness: float) -> None:
    found = violations(
        final_score=score,
        final_grade=grade_of(score, GradeLimits()),
        oxidation_index=oxidation,
        freshness_index=freshness,
        limits=LIMITS,
    )
    assert len({violation.alert_type for violation in found}) == len(found)
    for violation in found:
        assert text(violation.alert_type, violation.parameters)


@pytest.mark.parametrize("value", [float("nan"), -0.1, 1.1])
def test_an_index_that_is_none_is_refused_by_name(value: float) -> None:
    with pytest.raises(QualityError, match="oxidation_index"):
        types(0.9, "A", value)
