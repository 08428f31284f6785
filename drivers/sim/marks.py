"""What lies on a piece and not in it: blood spots, bile stains, bruises, bleached and glossy places."""

from dataclasses import dataclass, replace
from enum import StrEnum

import numpy as np
from numpy.typing import NDArray

from drivers.sim.light import Spectrum
from drivers.sim.pigments import Pigments, reflectance

GLOSS = 0.35  # of the light that a wet, flat place throws back as it is, whatever its colour
RIM = 0.5  # width of a mark's soft rim, over its radius


class MarkKind(StrEnum):
    """Kinds of marks."""

    BLOOD_SPOT = "blood spot"
    BILE_STAIN = "bile stain"
    BRUISE = "bruise"
    BLEACHED = "bleached"
    GLOSS = "gloss"


@dataclass(frozen=True, slots=True)
class Mark:
    """One mark. x_mm, y_mm: its middle from the middle of the piece. strength: 0 (not there) to 1."""

    kind: MarkKind
    x_mm: float
    y_mm: float
    radius_mm: float
    strength: float

    def cover(self, x_mm: NDArray[np.float64], y_mm: NDArray[np.float64]) -> NDArray[np.float64]:
        """How much of it is at each place: 1 within, 0 outside."""
        out = np.hypot(x_mm - self.x_mm, y_mm - self.y_mm) / self.radius_mm
        return np.clip((1.0 + RIM / 2 - out) / RIM, 0.0, 1.0)

    def colour(self, pigments: Pigments) -> Spectrum:
        """Diffuse reflectance of the marked place on tissue of `pigments`."""
        return np.clip(
            reflectance(self._stained(pigments)) + GLOSS * self.strength * (self.kind is MarkKind.GLOSS), 0, 1
        )

    def _stained(self, base: Pigments) -> Pigments:
        much = self.strength
        if self.kind is MarkKind.BLOOD_SPOT:
            return replace(base, blood=base.blood + 0.15 * much, oxygenated=0.7)
        if self.kind is MarkKind.BILE_STAIN:
            return replace(base, bilirubin_mg_dl=base.bilirubin_mg_dl + 40.0 * much)
        if self.kind is MarkKind.BRUISE:
            bruised = base.oxidised + (0.6 - base.oxidised) * 0.5 * much
            return replace(base, blood=base.blood + 0.06 * much, oxygenated=0.2, oxidised=bruised)
        if self.kind is MarkKind.BLEACHED:
            return replace(base, blood=base.blood * (1.0 - 0.8 * much), scatter_per_cm=base.scatter_per_cm * (1 + much))
        return base


def scatter_marks(rng: np.random.Generator, reach_mm: float, most: int = 3) -> tuple[Mark, ...]:
    """Up to `most` marks within `reach_mm` of the middle of a piece."""
    kinds = tuple(MarkKind)
    marks: list[Mark] = []
    for _ in range(int(rng.integers(0, most, endpoint=True))):
        away_mm, heading = reach_mm * np.sqrt(rng.uniform()), rng.uniform(0.0, 2 * np.pi)
        marks.append(
            Mark(
                kind=kinds[int(rng.integers(len(kinds)))],
                x_mm=float(away_mm * np.cos(heading)),
                y_mm=float(away_mm * np.sin(heading)),
                radius_mm=float(rng.uniform(3.0, 15.0)),
                strength=float(rng.uniform(0.3, 1.0)),
            )
        )
    return tuple(marks)
