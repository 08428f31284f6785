"""A challenge passes, fails or is refused; what is doubtful never passes."""

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from quality.challenge import Expected, Reference, judge_challenge, overdue
from quality.errors import QualityError

NOW = datetime(2026, 3, 1, 8, 0, tzinfo=UTC)
PIECE = Reference(
    id="REF-7",
    figures={"volume_mm3": Expected(500_000.0, 10_000.0), "lightness": Expected(62.0, 1.5)},
    every=timedelta(hours=8),
    valid_until=NOW + timedelta(days=100),
)


@given(offset=st.floats(-30_000.0, 30_000.0))
def test_only_what_is_within_tolerance_passes(offset: float) -> None:
    volumes = [500_000.0 + offset + step for step in (-900.0, 0.0, 900.0)]
    record = judge_challenge(PIECE, {"volume_mm3": volumes, "lightness": [62.1, 62.0, 61.9]}, now=NOW)
    volume, lightness = record.lines
    assert lightness.passed
    assert volume.deviation == pytest.approx(offset, abs=1e-6)
    assert volume.passed == (abs(volume.deviation) <= 10_000.0)
    assert record.passed == volume.passed


@pytest.mark.parametrize(
    ("volumes", "field"),
    [([5e5, 5e5], "volume_mm3"), ([4.6e5, 5e5, 5.4e5], "volume_mm3"), ([5e5, 5e5, float("nan")], "volume_mm3")],
)
def test_what_decides_nothing_is_refused(volumes: list[float], field: str) -> None:
    with pytest.raises(QualityError, match=field):
        judge_challenge(PIECE, {"volume_mm3": volumes, "lightness": [62.0] * 3}, now=NOW)


def test_an_expired_piece_and_a_missing_figure_are_refused() -> None:
    good = {"volume_mm3": [5e5] * 3, "lightness": [62.0] * 3}
    with pytest.raises(QualityError, match="reference"):
        judge_challenge(PIECE, good, now=NOW + timedelta(days=101))
    with pytest.raises(QualityError, match="lightness"):
        judge_challenge(PIECE, {"volume_mm3": [5e5] * 3}, now=NOW)


def test_a_challenge_becomes_overdue() -> None:
    assert overdue(PIECE, None, now=NOW) == timedelta(0)
    assert overdue(PIECE, NOW - timedelta(hours=7), now=NOW) is None
    assert overdue(PIECE, NOW - timedelta(hours=9), now=NOW) == timedelta(hours=1)
