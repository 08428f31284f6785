"""The light of a site beyond its spectra: flicker of the hall, heat and age of the lamp, dirt on the window, a laser.

Everything here is a factor on the spectra of drivers.sim.light, a pure function of time.
"""

from dataclasses import dataclass
from typing import Final, Protocol

import numpy as np

from drivers.sim.light import STEP_NM, WAVELENGTHS_NM, Spectrum, bell

LASER_NM: Final = 940.0
# What the neighbouring ranging chip's laser, while it is on, sends back to the spectral sensor from a perfect white
# surface: some milliwatts on the same patch, seen through the same snoot. An order of magnitude, not a measurement.
LASER_UW_CM2: Final = 2.0
HOURS_S: Final = 3600.0


class LaserSource(Protocol):
    """A ranging chip, as the spectral sensor beside it sees it."""

    def laser_share(self, start_s: float, end_s: float) -> float:
        """For which part of the time from `start_s` to `end_s` the laser is on, 0 to 1; at an instant 0 or 1."""
        ...


@dataclass(frozen=True, slots=True)
class Lighting:
    """How the light is. Default: a lamp that is warm and new, a clean window, a hall on 50 Hz mains.

    hall_level: of the hall, 1 behind a shroud; flicker_hz: twice the mains; flicker_depth: amplitude over mean, 0 to 1.
    lamp_age_h: hours at time 0; lamp_loss: what is lost in the first 1,000 of them. lamp_rise_c: how much warmer the
    lamp gets; lamp_warm_up_s: time constant of that; lamp_per_c: light lost per degree. film: dirt on the sensor's
    window, 0 clean to 1 opaque; yellow, as fat is.
    """

    hall_level: float = 1.0
    flicker_hz: float = 100.0
    flicker_depth: float = 0.2
    lamp_age_h: float = 0.0
    lamp_loss: float = 0.0
    lamp_rise_c: float = 0.0
    lamp_warm_up_s: float = 600.0
    lamp_per_c: float = 0.003
    film: float = 0.0

    def __post_init__(self) -> None:
        for name in ("flicker_depth", "lamp_loss", "film"):
            value: float = getattr(self, name)
            if not 0.0 <= value <= 1.0:
                raise ValueError(f"{name} is {value}, must be 0 to 1")
        for name in ("hall_level", "flicker_hz", "lamp_age_h", "lamp_per_c"):
            if getattr(self, name) < 0.0:
                raise ValueError(f"{name} is {getattr(self, name)}, must not be negative")
        if self.lamp_warm_up_s <= 0.0:
            raise ValueError(f"lamp_warm_up_s is {self.lamp_warm_up_s}, must be above 0")

    def hall_share(self, time_s: float, window_s: float) -> float:
        """The hall's light over its mean at level 1, averaged over `window_s` around `time_s`."""
        swing = np.cos(2.0 * np.pi * self.flicker_hz * time_s) * np.sinc(self.flicker_hz * window_s)
        return self.hall_level * (1.0 + self.flicker_depth * float(swing))

    def lamp_share(self, time_s: float) -> float:
        """The lamp's light over that of a new, cold one at the same current."""
        warmth_c = self.lamp_rise_c * -np.expm1(-max(0.0, time_s) / self.lamp_warm_up_s)
        age_h = self.lamp_age_h + time_s / HOURS_S
        left = (1.0 - self.lamp_loss) ** (age_h / 1000.0)
        return left * max(0.0, 1.0 - self.lamp_per_c * float(warmth_c))

    def transmission(self) -> Spectrum:
        """Of the window, for one passage; a film takes more of the blue."""
        blue = np.clip((600.0 - WAVELENGTHS_NM) / 200.0, 0.0, 1.0)
        return np.clip(1.0 - self.film * (0.7 + 0.3 * blue), 0.0, 1.0)


def laser() -> Spectrum:
    """The ranging chip's light; integral LASER_UW_CM2."""
    line = bell(LASER_NM, 2 * STEP_NM)
    return LASER_UW_CM2 * line / (line.sum() * STEP_NM)
