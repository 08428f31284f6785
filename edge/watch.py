"""What frames that are well-formed say about the installation: glare, a dead lamp, dirt on the window.

No driver can know these: the chip does as it was told. The belt around a product is the reference for the window,
because it is in every picture and was measured when the belt was calibrated; a wet or worn belt looks the same as a
dirty window, and the sentence says so. What a newcomer gets wrong: dirt that dims changes how light a product seems and
not its shape, so the picture stays convincing while the grade is wrong; and dirt that throws the laser's light back
bends the picture, so that nothing lies where the belt was. Then the picture's rim stands for the belt.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from drivers.as7341 import CHIP as AS7341
from drivers.frames import TofFrame
from drivers.vl53l8ch import CHIP as VL53L8CH
from edge.sampler import Trouble
from quality.geometry import TofAnalysis
from quality.spectrum import SpectralAnalysis

LOOKS = 2  # in a row: reported within three periods
GLANCES = 15  # in a row of a running belt, at 15 a second: a product that covers the rim has passed by then
BELT_ZONES_MIN = 8
BELT_MM = 5.0  # a zone so near to the belt's plane shows the belt
RETURN_FLAGGED = 0.80  # of the belt's light at calibration: below, samples carry the flag …
RETURN_REFUSED = 0.50  # … and below this nothing is graded
RETURN_CLEAN = 0.85  # what was told of ends here: a window at the limit must not be told of again and again
DIRTY = "window_dirty"
GLARE_ADVICE = "close the shroud, and look for sunlight, a welder or a new lamp nearby"
DIRT_ADVICE = "clean the windows and the belt, then calibrate if it stays"
DARK_ADVICE = "look whether the lamp is lit; then its cable, then the window"


@dataclass(slots=True)
class _Watched:
    """One thing that may be wrong. looks: in a row with it."""

    chip: str
    kind: str
    advice: str
    looks: int = 0
    told: bool = False

    def look(self, reason: str | None, taken_ns: int, most: int = LOOKS) -> Trouble | None:
        """Take note; what must be told, if anything. reason: what is wrong, None for nothing; told at look `most`."""
        if reason is None:
            ended, looks, self.told, self.looks = self.told, self.looks, False, 0
            return Trouble(self.chip, False, f"{self.kind} is over", looks, taken_ns) if ended else None
        self.looks += 1
        if self.told or self.looks < most:
            return None
        self.told = True
        return Trouble(self.chip, False, reason, self.looks, taken_ns, self.kind, self.advice, hampered=True)


class Watch:
    """One device's. belt_signal_kcps: (8, 8), as calibrated on the empty belt; None where nobody measured it."""

    def __init__(self, belt_signal_kcps: NDArray[np.float64] | None) -> None:
        self.belt_return: float | None = None  # of the light that the belt returned at calibration, where it is seen
        self._belt = belt_signal_kcps
        self._glare = _Watched(AS7341, "glare", GLARE_ADVICE)
        self._dark = _Watched(AS7341, "no light", DARK_ADVICE)
        self._window = _Watched(VL53L8CH, "dirty window", DIRT_ADVICE)

    @property
    def flagged(self) -> bool:
        """Whether samples must carry the flag DIRTY."""
        return self.belt_return is not None and self.belt_return < RETURN_FLAGGED

    @property
    def refused(self) -> bool:
        """Whether nothing may be graded through this window."""
        return self.belt_return is not None and self.belt_return < RETURN_REFUSED

    @property
    def words(self) -> str:
        """How much light comes back from the belt; "" before it was seen."""
        share = self.belt_return
        return "" if share is None else f"the belt returns {100 * share:.0f} % of the light it returned at calibration"

    def look(self, taken_ns: int, frame: TofFrame, tof: TofAnalysis, light: SpectralAnalysis | None) -> list[Trouble]:
        """What must be told now."""
        self._measure(frame, tof)
        found = [self._window_look(taken_ns, LOOKS)]
        if light is not None:
            glare = "light from outside saturates the AS7341" if "saturated" in light.flags else None
            dark = "the AS7341 sees next to no light" if {"low_light", "channel_dark"} & set(light.flags) else None
            found += [self._glare.look(glare, taken_ns), self._dark.look(dark, taken_ns)]
        return [trouble for trouble in found if trouble is not None]

    def glance(self, taken_ns: int, frame: TofFrame) -> Trouble | None:
        """What must be told of a picture of a running belt, of which nothing is known but its rim."""
        share = rim_return(frame, self._belt)
        if share is None:
            return None
        self.belt_return = share
        return self._window_look(taken_ns, GLANCES)

    def _window_look(self, taken_ns: int, most: int) -> Trouble | None:
        if self.belt_return is None:
            return None
        still = self._window.told and self.belt_return < RETURN_CLEAN
        return self._window.look(self.words if self.flagged or still else None, taken_ns, most)

    def _measure(self, frame: TofFrame, tof: TofAnalysis) -> None:
        if self._belt is None or self._belt.shape != frame.signal_kcps.shape:
            return
        belt = ~tof.product & (np.abs(tof.height_mm) <= BELT_MM) & np.isfinite(frame.distance_mm) & (self._belt > 0)
        if int(belt.sum()) >= BELT_ZONES_MIN:
            self.belt_return = float(np.median(frame.signal_kcps[belt] / self._belt[belt]))
            return
        share = rim_return(frame, self._belt)
        if share is not None and share < RETURN_FLAGGED:  # nearer than the belt, and yet darker: no product is that
            self.belt_return = share


def rim_return(frame: TofFrame, belt_kcps: NDArray[np.float64] | None) -> float | None:
    """What the rim of a picture returns, as a share of `belt_kcps`; None where that can't be said.

    Heights are not asked: the light that a dirty window throws back bends them.
    """
    if belt_kcps is None or belt_kcps.shape != frame.signal_kcps.shape:
        return None
    rim = (belt_kcps > 0) & np.isfinite(frame.signal_kcps)
    rim[1:-1, 1:-1] = False
    return float(np.median(frame.signal_kcps[rim] / belt_kcps[rim])) if rim.any() else None
