"""The five rules: which figures of one sample call for an alert.

A rule looks at one sample only. Whether an alert is already open, shelved or acknowledged is the life cycle's
business, and the words are made from code and parameters in `quality.texts`.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

from quality.errors import require
from quality.grades import Grade
from quality.recipe import AlertLimits

AlertType = Literal["quality_critical", "quality_low", "grade_reject", "oxidation_high", "freshness_low"]
Severity = Literal["info", "warning", "critical"]


@dataclass(frozen=True, slots=True)
class Violation:
    """One rule that a sample breaks. parameters: value and limit, or the grade."""

    alert_type: AlertType
    severity: Severity
    parameters: Mapping[str, float | str]


def violations(
    *,
    final_score: float,
    final_grade: Grade,
    oxidation_index: float | None,
    freshness_index: float | None,
    limits: AlertLimits,
) -> tuple[Violation, ...]:
    """Apply the rules to one sample, the gravest first. A value exactly on its limit breaks nothing.

    Indices are 0 to 1; None where the sender has none. Raises QualityError for other numbers, NaN among them.
    """
    named = {"final_score": final_score, "oxidation_index": oxidation_index, "freshness_index": freshness_index}
    for name, value in named.items():
        require(value is None or 0.0 <= value <= 1.0, name, f"must be within 0..1, is {value}")
    found: list[Violation] = []
    if final_score < limits.score_critical:
        found.append(_beyond("quality_critical", "critical", final_score, limits.score_critical))
    if final_grade == "REJECT":
        found.append(Violation("grade_reject", "critical", {"grade": final_grade, "value": final_score}))
    if limits.score_critical <= final_score < limits.score_low:
        found.append(_beyond("quality_low", "warning", final_score, limits.score_low))
    if oxidation_index is not None and oxidation_index > limits.oxidation_high:
        found.append(_beyond("oxidation_high", "warning", oxidation_index, limits.oxidation_high))
    if freshness_index is not None and freshness_index < limits.freshness_low:
        found.append(_beyond("freshness_low", "warning", freshness_index, limits.freshness_low))
    return tuple(found)


def _beyond(alert_type: AlertType, severity: Severity, value: float, limit: float) -> Violation:
    return Violation(alert_type, severity, {"value": value, "limit": limit})
