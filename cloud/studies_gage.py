"""Readings of a gage study as people have them, one a line, into the crossed table that the analysis takes. Pure."""

from collections.abc import Sequence
from typing import Annotated

import msgspec
import numpy as np
from numpy.typing import NDArray

from quality.errors import QualityError

READINGS_MAX = 2_000
Word = Annotated[str, msgspec.Meta(min_length=1, max_length=100)]


class GageReading(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """One reading of a part by an appraiser (a person who lays the piece, or a device): a value, or a sample's id."""

    part: Word
    appraiser: Word
    value: float | None = None
    sample_id: Word | None = None

    def __post_init__(self) -> None:
        if (self.value is None) == (self.sample_id is None):
            raise ValueError("value or sample_id, and not both")


def crossed(readings: Sequence[tuple[str, str, float]]) -> NDArray[np.float64]:
    """(parts, appraisers, trials) of (part, appraiser, value). Raises QualityError where the study is not crossed."""
    parts = list(dict.fromkeys(part for part, _, _ in readings))
    appraisers = list(dict.fromkeys(appraiser for _, appraiser, _ in readings))
    cells: dict[tuple[str, str], list[float]] = {}
    for part, appraiser, value in readings:
        cells.setdefault((part, appraiser), []).append(value)
    trials = {len(cells.get((part, appraiser), ())) for part in parts for appraiser in appraisers}
    if len(trials) != 1:
        need = max(trials, default=0)
        for part in parts:
            for appraiser in appraisers:
                found = len(cells.get((part, appraiser), ()))
                if found != need:
                    raise QualityError("readings", f"{part} by {appraiser}: {found} readings, others have {need}")
    return np.array([[cells[part, appraiser] for appraiser in appraisers] for part in parts], dtype=np.float64)
