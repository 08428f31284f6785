"""What the photodiodes of a simulated AS7341 make of a spectrum, and how its multiplexer wires them to the converters.

Every diode's response is a Gaussian (Clear: a broad one) whose size is set so that the reference light of the data
sheet (DS000718: warm-white LED, 2700 K, 107.67 uW/cm2) gives the data sheet's typical counts. Out-of-band leakage is
not modelled; the small typical count of F1 makes its Gaussian more sensitive in the violet than the real filter is.
"""

from typing import Final

import numpy as np
from numpy.typing import NDArray

from drivers.sim.light import STEP_NM, Spectrum, bell, warm_white

ADCS: Final = 6
SMUX_BYTES: Final = 20

# Name: centre nm, width nm (FWHM), counts at gain 64 in 27.8 ms under the reference light.
_CHANNELS: Final = {
    "F1": (415.0, 26.0, 55.0),
    "F2": (445.0, 30.0, 110.0),
    "F3": (480.0, 36.0, 210.0),
    "F4": (515.0, 39.0, 390.0),
    "F5": (555.0, 39.0, 590.0),
    "F6": (590.0, 40.0, 840.0),
    "F7": (630.0, 50.0, 1350.0),
    "F8": (680.0, 52.0, 1070.0),
    "Clear": (560.0, 320.0, 1750.0),
    "NIR": (910.0, 120.0, 112.0),
}
_REFERENCE_UW_CM2: Final = 107.67
_REFERENCE_GAIN_MS: Final = 64.0 * 27.8

# The nibbles of the multiplexer's table, low one first: which diode each connects (ams application note "AS7341 SMUX
# configuration"). A channel has a left and a right diode, except NIR. The two external inputs carry nothing here, the
# dark diode sees nothing; the flicker diode looks through a clear filter.
_NIBBLES: Final = {
    0x01: "F3", 0x02: "F1", 0x07: "F8", 0x08: "F6", 0x0A: "F2", 0x0B: "F4", 0x0D: "F5", 0x0E: "F7", 0x11: "Clear",
    0x13: "F5", 0x14: "F7", 0x19: "F2", 0x1A: "F4", 0x1C: "F8", 0x1D: "F6", 0x1F: "F3", 0x20: "F1", 0x23: "Clear",
    0x26: "NIR", 0x27: "Clear",
}  # fmt: skip

_FLICKER_NIBBLE: Final = 0x27

GAINS: Final = (0.512, 1.02, 2.05, 4.16, 8.0, 16.0, 32.0, 64.0, 128.0, 253.0, 496.0)  # real, typical, by code


def reference_light() -> Spectrum:
    """The data sheet's light, in uW/cm2 per nm."""
    return _REFERENCE_UW_CM2 * warm_white()


def _diodes() -> NDArray[np.float64]:
    """Response of one diode at each nibble: (40, wavelengths), counts per gain and ms for an irradiance per nm."""
    rows = np.zeros((2 * SMUX_BYTES, reference_light().size))
    for nibble, name in _NIBBLES.items():
        centre_nm, fwhm_nm, counts = _CHANNELS[name]
        shape = bell(centre_nm, fwhm_nm) * STEP_NM
        diodes = 1 if name == "NIR" else 2
        rows[nibble] = shape * (counts / _REFERENCE_GAIN_MS / float(shape @ reference_light()) / diodes)
    return rows


_DIODES: Final = _diodes()


def wiring(table: bytes) -> NDArray[np.float64]:
    """Response of the six converters under a multiplexer table of 20 bytes: (6, wavelengths).

    A converter adds up all diodes that are connected to it; one without any sees the dark.
    """
    nibbles = np.frombuffer(table, dtype=np.uint8)
    targets = np.stack((nibbles & 0x0F, nibbles >> 4), axis=1).ravel()
    connected = targets == np.arange(1, ADCS + 1)[:, np.newaxis]
    return connected.astype(np.float64) @ _DIODES


def flicker_response(table: bytes) -> NDArray[np.float64]:
    """Response of the sixth converter, to which the flicker engine listens, to the flicker diode alone."""
    connected = table[_FLICKER_NIBBLE // 2] >> 4 == ADCS
    return _DIODES[_FLICKER_NIBBLE] if connected else np.zeros_like(_DIODES[_FLICKER_NIBBLE])
