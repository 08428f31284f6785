"""Between the scene and the chips: what lies on the windows, what the lamp gives, what else shines in.

The scene stays the truth; this is what a neglected installation lets through of it. All of it may change at any time.
"""

from dataclasses import dataclass
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from drivers.sim.light import LightSource, Spectrum, hall
from drivers.sim.vl53l8ch_optics import SampledTofView, TofScene, TofView, TranslucentTofView

Grid = NDArray[np.float64]


class Sight(TofScene, LightSource, Protocol):
    """A world that both chips can look at."""


@dataclass(slots=True)
class Installation:
    """What lies between a scene and the chips, which look at this in its place.

    scene: the truth. transmission: of the windows for light that passes once, 0 to 1. lamp: share of its light that
    the lamp still gives, 0 for a dead one. glare_uw_cm2: light from outside on the spectral sensor, neutral white.
    """

    scene: Sight
    transmission: float = 1.0
    lamp: float = 1.0
    glare_uw_cm2: float = 0.0
    _clear: TofView | None = None
    _dimmed: TofView | None = None
    _dimmed_by: float = 1.0

    def tof(self, time_s: float) -> TofView:
        """What the ranging chip sees; the same object as long as nothing has changed."""
        view = self.scene.tof(time_s)
        if self.transmission == 1.0:
            return view
        if self._dimmed is None or view is not self._clear or self.transmission != self._dimmed_by:
            sampled = isinstance(view, SampledTofView)
            self._dimmed = _DimmedRays(view, self.transmission) if sampled else _Dimmed(view, self.transmission)
            self._clear, self._dimmed_by = view, self.transmission
        return self._dimmed

    def spectrum(self, time_s: float, led_ma: float) -> Spectrum:
        """What falls on the spectral sensor, in uW/cm2 per nm."""
        lit = self.scene.spectrum(time_s, led_ma * self.lamp)
        lamp_and_back = self.transmission**2
        return lit * lamp_and_back + self.glare_uw_cm2 * hall() * self.transmission


class _Dimmed:
    """A view through a window that absorbs; light of the chip passes it twice, that of the hall once."""

    def __init__(self, view: TofView, transmission: float) -> None:
        self.distance_mm: Grid = view.distance_mm
        self.reflectance: Grid = view.reflectance * transmission**2
        self.ambient_kcps: Grid = view.ambient_kcps * transmission
        self.incidence_cos: Grid = view.incidence_cos
        if isinstance(view, TranslucentTofView):
            self.translucency: Grid = view.translucency


class _DimmedRays(_Dimmed):
    """The same with several rays of every zone."""

    def __init__(self, view: SampledTofView, transmission: float) -> None:
        super().__init__(view, transmission)
        self.sample_distance_mm: Grid = view.sample_distance_mm
        self.sample_reflectance: Grid = view.sample_reflectance * transmission**2
