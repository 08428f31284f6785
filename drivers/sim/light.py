"""Light as spectra on one wavelength grid: the lamp over the belt, the hall, and what comes back from a surface.

All spectra are arrays over WAVELENGTHS_NM. Irradiance is in uW/cm2 per nm, so that an integral is
`spectrum.sum() * STEP_NM`. The lamp is a ring of warm-white LEDs with a few violet, blue and near-infrared ones
between them: warm white alone leaves the channels below 470 nm and the one at 910 nm of a spectral sensor almost dark.
"""

from typing import Protocol

import numpy as np
from numpy.typing import NDArray

Spectrum = NDArray[np.float64]

STEP_NM = 5.0
WAVELENGTHS_NM: Spectrum = np.arange(380.0, 1000.0 + STEP_NM, STEP_NM)

STAND_OFF_MM = 250.0
TILE_REFLECTANCE = 0.95

# Ring light at 20 mA on a perfect white surface 250 mm away, as seen by the sensor. The level belongs to some two
# dozen LEDs with lenses; a single LED beside the chip gives about a hundredth of it.
LAMP_UW_CM2_PER_MA = 11.5
HALL_UW_CM2 = 4.0  # what a shroud lets through of the hall's lighting, reflected by a perfect white surface
VIOLET_SHARE = 0.03
BLUE_SHARE = 0.04
INFRARED_SHARE = 0.04


class LightSource(Protocol):
    """What a spectral sensor looks at."""

    def spectrum(self, time_s: float, led_ma: float, window_s: float = 0.0) -> Spectrum:
        """Irradiance on the sensor in uW/cm2 per nm, with `led_ma` through the sensor's lamp driver.

        At `time_s`; fast changes (flicker, a pulsed laser) are averaged over `window_s` around it.
        """
        ...


def bell(centre_nm: float, fwhm_nm: float) -> Spectrum:
    """Gaussian of height 1."""
    return np.exp(-4.0 * np.log(2.0) * ((WAVELENGTHS_NM - centre_nm) / fwhm_nm) ** 2)


def _unit(spectrum: Spectrum) -> Spectrum:
    """The same shape with an integral of 1."""
    return spectrum / (spectrum.sum() * STEP_NM)


def warm_white() -> Spectrum:
    """2700 K LED: a blue pump, a broad phosphor and a faint pedestal; integral 1."""
    return _unit(0.40 * bell(452.0, 22.0) + bell(605.0, 135.0) + 0.01)


def lamp() -> Spectrum:
    """The ring light: warm white with violet, blue and near-infrared LEDs; integral 1."""
    white = 1.0 - VIOLET_SHARE - BLUE_SHARE - INFRARED_SHARE
    violet = _unit(bell(414.0, 16.0))
    blue = _unit(bell(443.0, 20.0))
    infrared = _unit(bell(910.0, 45.0))
    return white * warm_white() + VIOLET_SHARE * violet + BLUE_SHARE * blue + INFRARED_SHARE * infrared


def hall() -> Spectrum:
    """Neutral-white lighting of the hall; integral 1."""
    return _unit(0.75 * bell(450.0, 24.0) + bell(570.0, 130.0) + 0.005)
