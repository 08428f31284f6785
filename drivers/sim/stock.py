"""What comes along a line: which shapes, how many at a place, with marks or without. A pure function of the seed."""

from dataclasses import dataclass

import numpy as np

from drivers.sim.marks import scatter_marks
from drivers.sim.products import Piece, make_piece, natural
from drivers.sim.rays import Placed
from drivers.sim.shapes import SHAPES

APART_MM = 100.0  # centres of two pieces that lie at one place
SMALLER = 0.30  # volume of each of several over that of one alone
PER_PLACE_MAX = 2
MARK_REACH_MM = 30.0


@dataclass(frozen=True, slots=True)
class Stock:
    """Places of a line. shapes: dealt in turn at random; per_place: how many pieces a place may have, drawn from these.

    Tune on drivers.sim.shapes.TUNING, report on REPORTING: figures of shapes that an analysis was written around say
    little about those that it was not. lean: -1 to 1, how the lot was fattened: that share of pieces is one class
    better (above 0: larger, paler, smoother) or worse than the deck says.
    """

    seed: int
    shapes: tuple[str, ...] = ("lobed",)
    per_place: tuple[int, ...] = (1,)
    marked: bool = False
    lean: float = 0.0

    def __post_init__(self) -> None:
        if self.seed < 0:
            raise ValueError(f"seed is {self.seed}, must not be negative")
        unknown = [shape for shape in self.shapes if shape not in SHAPES]
        if unknown or not self.shapes:
            raise ValueError(f"shapes is {self.shapes}, must be some of {', '.join(SHAPES)}")
        if not -1.0 <= self.lean <= 1.0:
            raise ValueError(f"lean is {self.lean:g}, must be -1 to 1")
        if not self.per_place or any(not 0 <= count <= PER_PLACE_MAX for count in self.per_place):
            raise ValueError(f"per_place is {self.per_place}, each must be 0 to {PER_PLACE_MAX}")

    def at(self, place: int) -> tuple[Placed, ...]:
        """The pieces at a place, relative to its middle."""
        rng = np.random.default_rng([self.seed, 3, natural(place)])
        count = self.per_place[int(rng.integers(len(self.per_place)))]
        pieces = [self._piece(place, index, rng, 1.0 if count == 1 else SMALLER) for index in range(count)]
        along_mm = APART_MM * (np.arange(count) - (count - 1) / 2.0)
        return tuple(Placed(piece, float(x_mm), 0.0) for piece, x_mm in zip(pieces, along_mm, strict=True))

    def _piece(self, place: int, index: int, rng: np.random.Generator, share: float) -> Piece:
        shape = self.shapes[int(rng.integers(len(self.shapes)))]
        marks = scatter_marks(rng, MARK_REACH_MM * share ** (1 / 3)) if self.marked else ()
        return make_piece(self.seed, place, lean=self.lean, index=index, shape=shape, share=share, marks=marks)
