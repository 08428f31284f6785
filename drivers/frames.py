"""What the chips saw, in physical units: frozen frames, the only thing a driver hands upwards.

Matrices are 8 x 8 in scene orientation, row-major: row 0 is the far edge of the belt picture, column 0 its left. The
lens turns the image, so zone 0, bottom left on the sensor's array, looks at the top right of the scene (UM3109): rows
keep their order and columns run backwards.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

CHANNELS = (
    "F1_415nm",
    "F2_445nm",
    "F3_480nm",
    "F4_515nm",
    "F5_555nm",
    "F6_590nm",
    "F7_630nm",
    "F8_680nm",
    "Clear",
    "NIR",
)


@dataclass(frozen=True, slots=True)
class TofTargets:
    """All targets of every zone, in the target order that was asked for: (n, rows, columns) each, n of 1 to 4.

    Units as in TofFrame. count: targets per zone, 0 to n. Where a zone has fewer, status is 255 and distance NaN.
    """

    count: NDArray[np.uint8]
    distance_mm: NDArray[np.float64]
    sigma_mm: NDArray[np.float64]
    signal_kcps: NDArray[np.float64]
    reflectance_pct: NDArray[np.float64]
    status: NDArray[np.uint8]


@dataclass(frozen=True, slots=True)
class CnhFrame:
    """Histograms of the returning light ("compact normalised histogram") of groups of zones.

    histogram_kcps: (aggregates, bins), kcps per SPAD, may be negative as ambient light is subtracted. ambient_kcps:
    (aggregates,). bin_centres_mm: (bins,). reference_residual: of the chip's own reference pulse, dimensionless.
    """

    histogram_kcps: NDArray[np.float64]
    ambient_kcps: NDArray[np.float64]
    bin_centres_mm: NDArray[np.float64]
    reference_residual: float


@dataclass(frozen=True, slots=True)
class MotionFrame:
    """What the motion indicator says. groups: how many of the 16 groups of zones move.

    indicator: of the whole picture; intensity: (4, 4) groups in scene orientation. Both in the chip's own unit.
    """

    groups: int
    indicator: float
    intensity: NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class TofFrame:
    """One ranging frame of a VL53L8CH: matrices of 8 x 8 zones, 4 x 4 where so configured; the first target of each.

    captured_ns: bus clock when the frame was read. frame_id: the chip's own 32-bit counter.
    distance_mm: perpendicular distance, 0 to 4000, NaN where the zone has no valid target.
    sigma_mm: the chip's own standard deviation of the distance. signal_kcps, ambient_kcps: kcps per SPAD.
    reflectance_pct: 0 to 127.5. spads: number of SPADs enabled. status: target status 0 to 13, 255 for no target
    (UM3109 table 4). temperature_c: silicon temperature. An output that was not asked for is NaN throughout.
    targets: with more than one target a zone. cnh: histograms, motion: of groups of zones, where asked for.
    """

    captured_ns: int
    frame_id: int
    temperature_c: int
    distance_mm: NDArray[np.float64]
    sigma_mm: NDArray[np.float64]
    signal_kcps: NDArray[np.float64]
    ambient_kcps: NDArray[np.float64]
    reflectance_pct: NDArray[np.float64]
    spads: NDArray[np.float64]
    status: NDArray[np.uint8]
    targets: TofTargets | None = None
    cnh: CnhFrame | None = None
    motion: MotionFrame | None = None


@dataclass(frozen=True, slots=True)
class SpectralFrame:
    """One measurement of all ten channels of an AS7341: two halves of six ADCs, one after the other.

    counts: the ten raw counts in the order of CHANNELS (Clear and NIR: mean of the halves), 0 to full_scale.
    clear_halves, nir_halves: the two readings of each, first and second half. gain: the real factor, 0.5 to 512
    nominal. integration_ms: of one half. led_ma: current through the LED, 0 when it was off.
    saturated: a channel reached full scale (saturated_digital) or the analogue part overloaded (saturated_analogue, the
    counts may look plausible). halves_ns: bus clock in the middle of each half, windows_ns: of
    each integration in them.
    """

    captured_ns: int
    counts: NDArray[np.int64]
    clear_halves: tuple[int, int]
    nir_halves: tuple[int, int]
    gain: float
    integration_ms: float
    full_scale: int
    led_ma: int
    saturated: bool
    saturated_digital: bool = False
    saturated_analogue: bool = False
    halves_ns: tuple[int, int] = (0, 0)
    windows_ns: tuple[int, ...] = ()

    @property
    def basic_counts(self) -> NDArray[np.float64]:
        """Counts per unit of gain and ms of integration: what spectra of different settings may be compared by."""
        return self.counts / (self.gain * self.integration_ms)
