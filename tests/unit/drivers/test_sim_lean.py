"""A lot that was fattened better has better, heavier livers; one as usual is as it always was."""

from statistics import fmean

import pytest

from drivers.sim.products import CLASSES, leaning, made_as
from drivers.sim.stock import Stock

PLACES = 400


def test_a_lean_moves_its_share_of_pieces_by_one_class() -> None:
    usual = [CLASSES.index(made_as(5, n)) for n in range(PLACES)]
    for lean in (-1.0, -0.4, 0.0, 0.4, 1.0):
        moved = [CLASSES.index(leaning(5, n, lean)) for n in range(PLACES)]
        steps = [now - then for then, now in zip(usual, moved, strict=True)]
        assert {abs(step) for step in steps} <= {0, 1}
        assert all(step * lean <= 0 for step in steps)
        can = [step for then, step in zip(usual, steps, strict=True) if 0 < then < len(CLASSES) - 1]
        assert fmean(map(abs, can)) == pytest.approx(abs(lean), abs=0.07)


def test_livers_of_a_lot_that_leans_to_the_good_are_heavier() -> None:
    masses = [fmean(Stock(5, lean=lean).at(n)[0].piece.mass_g for n in range(60)) for lean in (-0.9, 0.0, 0.9)]
    assert masses == sorted(masses)
    assert masses[2] - masses[0] > 40


def test_a_lean_has_bounds() -> None:
    with pytest.raises(ValueError, match="lean is 2"):
        Stock(1, lean=2.0)
