"""Challenge test: does the device still measure a piece whose values are known?

A reference piece is shown several times; every figure must come out within its tolerance. The record says what was
asked, what came, and by how much each figure passed or failed: an auditor needs no other paper. A test in which the
measurement itself was doubtful (too few readings, scatter as wide as the tolerance) is neither passed nor failed but
refused, so that nobody repeats it until it passes.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from math import isfinite, sqrt

from quality.errors import require

READINGS_MIN = 3
SCATTER_MAX = 0.5  # standard deviation of the mean over the tolerance, from which on the test decides nothing


@dataclass(frozen=True, slots=True)
class Expected:
    """A figure of the reference piece: its value, and by how much the mean of the readings may differ."""

    value: float
    tolerance: float

    def __post_init__(self) -> None:
        require(isfinite(self.value), "value", "must be a number")
        require(isfinite(self.tolerance) and self.tolerance > 0.0, "tolerance", "must be positive")


@dataclass(frozen=True, slots=True)
class Reference:
    """A reference piece: id as engraved on it, its figures by name, how often it must be shown, until when it holds."""

    id: str
    figures: Mapping[str, Expected]
    every: timedelta
    valid_until: datetime

    def __post_init__(self) -> None:
        require(bool(self.id), "id", "must not be empty")
        require(bool(self.figures), "figures", "must name at least one figure")
        require(self.every > timedelta(0), "every", "must be positive")


@dataclass(frozen=True, slots=True)
class Line:
    """One figure of a challenge. deviation = found - expected; passed: within the tolerance."""

    figure: str
    expected: float
    tolerance: float
    found: float
    found_u: float
    deviation: float
    passed: bool


@dataclass(frozen=True, slots=True)
class Challenge:
    """The record. readings: how many each figure rests on."""

    reference: str
    taken_at: datetime
    readings: int
    passed: bool
    lines: tuple[Line, ...]


def judge_challenge(reference: Reference, readings: Mapping[str, Sequence[float]], *, now: datetime) -> Challenge:
    """Compare readings by figure with the reference. Raises QualityError for a test that decides nothing.

    That is: an expired reference piece, a figure without readings, fewer than 3, or scatter too wide for the tolerance.
    """
    require(
        now < reference.valid_until, "reference", f"{reference.id} was valid until {reference.valid_until:%Y-%m-%d}"
    )
    lines: list[Line] = []
    count = 0
    for figure, expected in reference.figures.items():
        values = list(readings.get(figure, ()))
        require(len(values) >= READINGS_MIN, figure, f"needs {READINGS_MIN} readings, has {len(values)}")
        require(all(isfinite(value) for value in values), figure, "must be finite")
        count = len(values)
        mean = sum(values) / count
        mean_u = sqrt(sum((value - mean) ** 2 for value in values) / (count - 1) / count)
        require(
            mean_u <= SCATTER_MAX * expected.tolerance,
            figure,
            f"scatters too much to decide: {mean_u:.3g} against a tolerance of {expected.tolerance:.3g}",
        )
        deviation = mean - expected.value
        passed = abs(deviation) <= expected.tolerance
        lines.append(Line(figure, expected.value, expected.tolerance, mean, mean_u, deviation, passed))
    return Challenge(reference.id, now, count, all(line.passed for line in lines), tuple(lines))


def overdue(reference: Reference, last_passed_at: datetime | None, *, now: datetime) -> timedelta | None:
    """Return by how much the next passed challenge is late, None while it is not. Never passed is late at once."""
    if last_passed_at is None:
        return timedelta(0)
    late = now - (last_passed_at + reference.every)
    return late if late > timedelta(0) else None
