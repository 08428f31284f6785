"""Which looks at a moving belt show the same piece, and when to say that one could not be graded.

A product that passes through the edge of the picture is waited for; one that cannot be graded although it lies there is
told once. Looks belong to one piece until the belt was empty, something was out of view, or the height picture changed
by more than noise could.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from quality.geometry import TofAnalysis

PASSING = frozenset({"out_of_view", "off_centre", "several_products"})  # what a moving belt puts right by itself
PASSING_MAX_MS = 10_000  # unless it does not: then the piece lies there ungraded
PIECE_CHANGE_MM = 5.0  # rms over the product; frames of one resting piece differ by some 1 mm


@dataclass(frozen=True, slots=True)
class Seen:
    """What a look means. is_new: a piece that was not there before. tell: it can't be graded, and nobody was told."""

    is_new: bool = False
    tell: bool = False


class Pieces:
    """Follows the pieces of one device, look by look in the order of measurement. Times are ms on any one clock."""

    def __init__(self) -> None:
        self._height: NDArray[np.float64] | None = None  # of the piece in view, mm above the belt
        self._told = False
        self._passing_since_ms: int | None = None

    def look(self, at_ms: int, tof: TofAnalysis, refusal: str | None) -> Seen:
        """Take note of a look. refusal: why it has no grade, as `fusion.Ungraded` says, None where it has one."""
        if refusal == "no_product":
            self._height, self._passing_since_ms, self._told = None, None, False
            return Seen()
        if refusal in PASSING:
            return self._pass_by(at_ms)
        is_new = self._in_view(tof)
        return Seen(is_new, tell=self._tell() if refusal is not None else False)

    def _pass_by(self, at_ms: int) -> Seen:
        if self._passing_since_ms is None:
            self._passing_since_ms, self._told = at_ms, False
        if at_ms - self._passing_since_ms < PASSING_MAX_MS:
            self._height = None  # whatever comes to rest next is another piece
            return Seen()
        return Seen(tell=self._tell())

    def _tell(self) -> bool:
        told, self._told = self._told, True
        return not told

    def _in_view(self, tof: TofAnalysis) -> bool:
        self._passing_since_ms = None
        before, self._height = self._height, tof.height_mm
        if before is not None:
            area = tof.product
            change = tof.height_mm[area] - before[area]
            if area.any() and float(np.sqrt(np.mean(change**2))) <= PIECE_CHANGE_MM:
                return False
        self._told = False
        return True
