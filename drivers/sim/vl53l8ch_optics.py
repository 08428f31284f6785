"""What the ranging core of a VL53L8CH makes of a view: signal, ambient, sigma, distance and status of every zone.

The formulas are an empirical fit to some 2,500 zone readings of one real chip (8 x 8, 15 Hz, 10 ms): right in kind and
in order of magnitude, not a promise for another chip. Arrays here are in scene orientation.
"""

from dataclasses import dataclass
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

Grid = NDArray[np.float64]

SIGNAL_CONSTANT = 2.06e8  # kcps per SPAD of a white, full zone, times the square of its distance in mm
SIGMA_FLOOR_MM = 0.98
SIGMA_SCALE_MM = 142.0
AMBIENT_WEIGHT = 3.9
TEMPORAL_SHARE = 0.5  # the reported sigma is about twice the standard deviation of repeated readings
FIT_INTEGRATION_S = 0.010
SIGMA_REJECT_MM = 30.0  # past this the firmware reports the target with status 3 …
SIGMA_LOST_MM = 60.0  # … and past this it doesn't report it
NEAR_MM = 15.0  # nearer than this the pulse merges with the chip's own reflection: consistency check fails
RANGE_MAX_MM = 4000.0
ZONE_WIDTH = 2 * np.tan(np.radians(22.5)) / 8  # width of a zone's footprint per distance: 45 degrees in eight
BROAD_PULSE_MM = 15.0  # depth within one zone from which the return counts as a merged pulse (status 9)
MIXED_PULSE_MM = 100.0  # … and from which it is inconsistent (status 13)
SPADS_SIGNAL_LOG10 = (0.0, 1.3, 3.3, 4.0)
SPADS_ENABLED = (16.0, 14.0, 11.0, 1.0)

VALID, WRAP_UNCHECKED, MERGED, NEW_TARGET = 5, 6, 9, 10  # UM3109 table 4
SIGMA_TOO_HIGH, INCONSISTENT, MIXED = 3, 4, 13
NOT_UPDATED = 0
_SETTLED = np.zeros(256, np.bool_)  # statuses that a target has only if it was there before
_SETTLED[[VALID, MERGED]] = True


class TofView(Protocol):
    """What lies before the 64 zones at one moment, scene orientation, (8, 8) each."""

    @property
    def distance_mm(self) -> Grid:
        """True perpendicular distance; NaN where nothing is in range."""
        ...

    @property
    def reflectance(self) -> Grid:
        """Of the surface at 940 nm, 0 to 1."""
        ...

    @property
    def ambient_kcps(self) -> Grid:
        """Ambient light in kcps per SPAD."""
        ...

    @property
    def incidence_cos(self) -> Grid:
        """Cosine of the angle between the ray and the surface normal, 0 to 1."""
        ...


class TofScene(Protocol):
    """A world to look at."""

    def tof(self, time_s: float) -> TofView:
        """What is there at `time_s` of the bus clock."""
        ...


@dataclass(frozen=True, slots=True)
class Exposure:
    """What a view does to the zones, noise apart: physical values, (8, 8) in scene orientation.

    detected is 0 or 1 targets a zone; values of zones without target are 0, except ambient_kcps and spads. status is
    that of a zone that had a target in the frame before.
    """

    detected: NDArray[np.bool_]
    distance_mm: Grid
    sigma_mm: Grid
    signal_kcps: Grid
    ambient_kcps: Grid
    reflectance_pct: Grid
    spads: Grid
    status: NDArray[np.uint8]

    def distance_reading_mm(self, rng: np.random.Generator) -> Grid:
        """The distances with the noise of one frame."""
        return self.distance_mm + TEMPORAL_SHARE * self.sigma_mm * rng.standard_normal(self.sigma_mm.shape)

    def status_after(self, seen_before: NDArray[np.bool_] | None) -> NDArray[np.uint8]:
        """The statuses, given the zones with a target in the frame before; None in the first frame."""
        if seen_before is not None and not (self.detected & ~seen_before).any():
            return self.status
        fresh = WRAP_UNCHECKED if seen_before is None else np.where(seen_before, self.status, NEW_TARGET)
        return np.where(_SETTLED[self.status], fresh, self.status).astype(np.uint8)


def expose(view: TofView, integration_s: float) -> Exposure:
    """Let the light of a view fall on all zones."""
    true_mm = _or(view.distance_mm, 0.0)
    safe_mm = np.maximum(true_mm, 1.0)
    signal, spads = _signal_and_spads(view, safe_mm)
    sigma_mm = _sigma_mm(signal, view.ambient_kcps, spads, integration_s)
    detected = (true_mm > 0) & (true_mm <= RANGE_MAX_MM) & (sigma_mm <= SIGMA_LOST_MM)
    return Exposure(
        detected=detected,
        distance_mm=np.where(detected, true_mm, 0.0),
        sigma_mm=np.where(detected, sigma_mm, 0.0),
        signal_kcps=np.where(detected, signal, 0.0),
        ambient_kcps=view.ambient_kcps,
        reflectance_pct=np.where(detected, signal * safe_mm * safe_mm * (100.0 / SIGNAL_CONSTANT), 0.0),
        spads=spads,
        status=_status(view, true_mm, sigma_mm, detected),
    )


def _or(values: Grid, substitute: float) -> Grid:
    return np.where(np.isnan(values), substitute, values)


def _signal_and_spads(view: TofView, distance_mm: Grid) -> tuple[Grid, Grid]:
    signal = SIGNAL_CONSTANT * _or(view.reflectance * view.incidence_cos, 0.0) / (distance_mm * distance_mm)
    signal = np.maximum(signal, 1e-3)
    return signal, np.rint(np.interp(np.log10(signal), SPADS_SIGNAL_LOG10, SPADS_ENABLED))


def _sigma_mm(signal: Grid, ambient: Grid, spads: Grid, integration_s: float) -> Grid:
    photon_noise = (signal + AMBIENT_WEIGHT * ambient) / (signal * signal * spads)
    return np.sqrt(SIGMA_FLOOR_MM**2 + SIGMA_SCALE_MM**2 * (FIT_INTEGRATION_S / integration_s) * photon_noise)


def _status(view: TofView, distance_mm: Grid, sigma_mm: Grid, detected: NDArray[np.bool_]) -> NDArray[np.uint8]:
    cos = np.clip(_or(view.incidence_cos, 1.0), 0.01, 1.0)
    depth_mm = distance_mm * ZONE_WIDTH * np.sqrt(1.0 - cos * cos) / cos
    status = np.where(depth_mm > BROAD_PULSE_MM, MERGED, VALID)
    status = np.where(depth_mm > MIXED_PULSE_MM, MIXED, status)
    status = np.where(sigma_mm > SIGMA_REJECT_MM, SIGMA_TOO_HIGH, status)
    status = np.where(distance_mm < NEAR_MM, INCONSISTENT, status)
    return np.where(detected, status, NOT_UPDATED).astype(np.uint8)
