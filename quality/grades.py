"""Grades: what a score between 0 and 1 is called, and how sure the name is.

The limits belong to a recipe. A score is rounded to four decimals before it is compared, because four decimals are
what is stored and sent: whoever grades the stored number again gets the same grade.
"""

from dataclasses import dataclass
from math import erf, sqrt
from typing import Literal

from quality.errors import require

Grade = Literal["A+", "A", "B", "C", "REJECT"]
GRADES: tuple[Grade, ...] = ("A+", "A", "B", "C", "REJECT")
SCORE_DECIMALS = 4


@dataclass(frozen=True, slots=True)
class GradeLimits:
    """Lowest score, 0 to 1, that still earns each grade; below `c` is REJECT."""

    a_plus: float = 0.90
    a: float = 0.75
    b: float = 0.60
    c: float = 0.45

    def __post_init__(self) -> None:
        require(
            0.0 < self.c < self.b < self.a < self.a_plus <= 1.0, "grade_limits", "must fall from A+ to C within 0..1"
        )

    def descending(self) -> tuple[float, float, float, float]:
        """Return the four limits from A+ to C."""
        return (self.a_plus, self.a, self.b, self.c)


def rounded_score(score: float) -> float:
    """Return a score as it is stored, sent and graded: four decimals."""
    return round(float(score), SCORE_DECIMALS)


def grade_of(score: float, limits: GradeLimits) -> Grade:
    """Name a score, 0 to 1; a score exactly on a limit earns the better grade.

    Raises QualityError for a score that is not a number between 0 and 1.
    """
    require(0.0 <= score <= 1.0, "score", f"must be within 0..1, is {score}")
    stored = rounded_score(score)
    for grade, limit in zip(GRADES, limits.descending(), strict=False):
        if stored >= limit:
            return grade
    return "REJECT"


def grade_interval(grade: Grade, limits: GradeLimits) -> tuple[float, float]:
    """Return the lowest score of a grade and the lowest of the next better one (1.0 above A+)."""
    edges = (1.0, *limits.descending(), 0.0)
    index = GRADES.index(grade)
    return edges[index + 1], edges[index]


def _normal_cdf(x: float) -> float:
    return 0.5 * (1.0 + erf(x / sqrt(2.0)))


def probability_above(score: float, score_u: float, limit: float) -> float:
    """Return the probability that the true score is at or above a limit, for a normal error of size score_u."""
    if score_u <= 0.0:
        return 1.0 if score >= limit else 0.0
    return _normal_cdf((score - limit) / score_u)


def grade_probability(score: float, score_u: float, grade: Grade, limits: GradeLimits) -> float:
    """Return the probability, 0 to 1, that the true score belongs to this grade (JCGM 106, section 7)."""
    low, high = grade_interval(grade, limits)
    above_low = 1.0 if grade == "REJECT" else probability_above(score, score_u, low)
    above_high = 0.0 if grade == "A+" else probability_above(score, score_u, high)
    return max(0.0, above_low - above_high)
