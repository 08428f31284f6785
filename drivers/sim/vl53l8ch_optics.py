"""What the ranging core of a VL53L8CH makes of a view: signal, ambient, sigma, distance and status of every target.

The formulas are an empirical fit to some 2,500 zone readings of one real chip (8 x 8, 15 Hz, 10 ms): right in kind and
in order of magnitude, not a promise for another chip. Arrays here are in scene orientation; a zone sees `samples`, rays
that each meet a surface, and merges them into targets where they are nearer to each other than it can tell apart.
"""

from dataclasses import dataclass
from typing import Protocol, runtime_checkable

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
SEPARATION_MM = 600.0  # two surfaces nearer to each other are one target (UM3109 section 4.10)
ZONE_WIDTH = 2 * np.tan(np.radians(22.5)) / 8  # width of a zone's footprint per distance: 45 degrees in eight
BROAD_PULSE_MM = 15.0  # depth within one zone from which the return counts as a merged pulse (status 9)
MIXED_PULSE_MM = 100.0  # … and from which it is inconsistent (status 13)
SPADS_SIGNAL_LOG10 = (0.0, 1.3, 3.3, 4.0)
SPADS_ENABLED = (16.0, 14.0, 11.0, 1.0)
CROSSTALK_IMMUNE_MM = 600.0  # from here on a pulse is clear of the window's (UM3109 section 4.9)
WINDOW_MM = 5.0  # where the light that the window throws back seems to come from

VALID, WRAP_UNCHECKED, MERGED, NEW_TARGET = 5, 6, 9, 10  # UM3109 table 4
SIGMA_TOO_HIGH, INCONSISTENT, MIXED = 3, 4, 13
NOT_UPDATED = 0
_SETTLED = np.zeros(256, np.bool_)  # statuses that a target has only if it was there before
_SETTLED[[VALID, MERGED]] = True
_EIGHT = 8


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


@runtime_checkable
class SampledTofView(TofView, Protocol):
    """A view that knows several rays of every zone, (8, 8, rays): edges, gaps and steps within a zone show."""

    @property
    def sample_distance_mm(self) -> Grid:
        """Perpendicular distance of each ray; NaN where it meets nothing."""
        ...

    @property
    def sample_reflectance(self) -> Grid:
        """Reflectance at 940 nm times the cosine of incidence."""
        ...


@runtime_checkable
class TranslucentTofView(TofView, Protocol):
    """A view that knows how far light enters what it shows."""

    @property
    def translucency(self) -> Grid:
        """(8, 8), 0 for a hard surface, 1 for the most translucent product."""
        ...


class TofScene(Protocol):
    """A world to look at."""

    def tof(self, time_s: float) -> TofView:
        """What is there at `time_s` of the bus clock."""
        ...


@dataclass(frozen=True, slots=True)
class ChipOptics:
    """What one specimen and its window do to the light. The default is a perfect chip behind nothing.

    offset_mm: added to every distance. range_gain: bias that grows with distance, as a share of it. drift_mm_per_c:
    of the offset with silicon temperature, the chip's own compensation included; uncompensated_mm_per_c: on top, from
    the last temperature compensation on (start, and every VHV repeat). window_kcps: light per SPAD that a window
    throws back, 0 for none. film_transmission: of dirt on the window, 0 to 1, passed twice; film_kcps: what it throws
    back. subsurface_mm: by how much the most translucent product seems further away.
    """

    offset_mm: float = 0.0
    range_gain: float = 0.0
    drift_mm_per_c: float = 0.0
    uncompensated_mm_per_c: float = 0.0
    window_kcps: float = 0.0
    film_transmission: float = 1.0
    film_kcps: float = 0.0
    subsurface_mm: float = 0.0

    @classmethod
    def specimen(cls, seed: int) -> "ChipOptics":
        """An ordinary chip: numbers of the sister part's data sheet (DS13754), drawn from `seed`."""
        rng = np.random.default_rng([seed, 0x29])
        return cls(
            offset_mm=float(rng.normal(0.0, 4.0)),
            range_gain=float(rng.normal(0.0, 0.005)),
            drift_mm_per_c=0.05,
            uncompensated_mm_per_c=float(rng.uniform(0.1, 0.3)),
            subsurface_mm=5.0,
        )

    def crosstalk_kcps(self, rows: int) -> Grid:
        """Light that comes straight back from window and film, (rows, rows): strongest beside the emitter."""
        return np.tile((self.window_kcps + self.film_kcps) * np.linspace(1.6, 0.4, rows), (rows, 1))


@dataclass(frozen=True, slots=True)
class Conditions:
    """How the chip is set while it looks. rows: zones a side. targets: reported per zone.

    crosstalk_kcps: (rows, rows), as it was calibrated. closest_first: order of targets.
    """

    rows: int
    integration_s: float
    targets: int
    closest_first: bool
    crosstalk_kcps: Grid
    optics: ChipOptics


@dataclass(frozen=True, slots=True)
class Rays:
    """Every ray of every zone, (rows, rows, rays): distance (NaN: none) and signal in kcps per SPAD of the zone."""

    distance_mm: Grid
    signal_kcps: Grid


@dataclass(frozen=True, slots=True)
class Exposure:
    """What a view does to the zones, noise apart: physical values, scene orientation.

    detected: targets per zone, (rows, rows). Per target, (targets, rows, rows), zeros where there is none: distance,
    sigma, signal, reflectance, status (as of a zone that had its first target in the frame before). ambient_kcps,
    spads: (rows, rows). crosstalk_kcps: what the calibration doesn't take away. rays: for histograms.
    """

    detected: NDArray[np.uint8]
    distance_mm: Grid
    sigma_mm: Grid
    signal_kcps: Grid
    reflectance_pct: Grid
    status: NDArray[np.uint8]
    ambient_kcps: Grid
    spads: Grid
    crosstalk_kcps: Grid
    rays: Rays

    def distance_reading_mm(self, rng: np.random.Generator, drift_mm: float) -> Grid:
        """The distances with the drift and the noise of one frame."""
        noise = rng.standard_normal(self.sigma_mm.shape)
        noise *= self.sigma_mm
        noise *= TEMPORAL_SHARE
        noise += self.distance_mm
        return noise + drift_mm if drift_mm else noise

    def status_after(self, seen_before: NDArray[np.bool_] | None) -> NDArray[np.uint8]:
        """The statuses, given the zones with a target in the frame before; None in the first frame."""
        if seen_before is not None and not ((self.detected > 0) & ~seen_before).any():
            return self.status
        fresh = WRAP_UNCHECKED if seen_before is None else np.where(seen_before, self.status, NEW_TARGET)
        return np.where(_SETTLED[self.status], fresh, self.status).astype(np.uint8)


def expose(view: TofView, conditions: Conditions) -> Exposure:
    """Let the light of a view fall on all zones."""
    optics, rows = conditions.optics, conditions.rows
    rays = _rays(view, conditions)
    ambient = _pooled(view.ambient_kcps, rows) * optics.film_transmission
    true_mm, signal, depth_mm = _surfaces(rays, conditions)
    if rays.distance_mm.shape[2] == 1:
        depth_mm[0] = _slope_depth_mm(view.incidence_cos, true_mm[0])
    residual = np.maximum(optics.crosstalk_kcps(rows) - conditions.crosstalk_kcps, 0.0)
    apparent_mm = _apparent_mm(view, true_mm, signal, residual, optics)
    merged = residual * np.clip(1.0 - true_mm / CROSSTALK_IMMUNE_MM, 0.0, 1.0)
    signal = np.maximum(signal + merged, 1e-3)
    spads = _spads(signal[0]) * (_EIGHT // rows) ** 2
    sigma_mm = _sigma_mm(signal, ambient, spads, conditions.integration_s)
    there: NDArray[np.bool_] = (true_mm > 0) & (true_mm <= RANGE_MAX_MM) & (sigma_mm <= SIGMA_LOST_MM)
    reflectance_pct = signal * np.maximum(apparent_mm, 1.0) ** 2 * (100.0 / SIGNAL_CONSTANT)
    return Exposure(
        detected=there.sum(axis=0).astype(np.uint8),
        distance_mm=np.where(there, apparent_mm, 0.0),
        sigma_mm=np.where(there, sigma_mm, 0.0),
        signal_kcps=np.where(there, signal, 0.0),
        reflectance_pct=np.where(there, reflectance_pct, 0.0),
        status=np.where(there, _status(apparent_mm, depth_mm, sigma_mm), NOT_UPDATED).astype(np.uint8),
        ambient_kcps=ambient,
        spads=spads,
        crosstalk_kcps=residual,
        rays=rays,
    )


def _rays(view: TofView, conditions: Conditions) -> Rays:
    """All rays of each zone; at 4 x 4 a zone has those of the four that it covers."""
    if isinstance(view, SampledTofView):
        distance, strength = view.sample_distance_mm, view.sample_reflectance
    else:
        distance = view.distance_mm[:, :, None]
        strength = (view.reflectance * view.incidence_cos)[:, :, None]
    if conditions.rows != _EIGHT:
        distance, strength = _grouped(distance, conditions.rows), _grouped(strength, conditions.rows)
    passed = conditions.optics.film_transmission**2 / distance.shape[2]
    with np.errstate(invalid="ignore"):
        signal = SIGNAL_CONSTANT * passed * strength / np.maximum(distance, 1.0) ** 2
    return Rays(distance, np.where(distance > 0, np.nan_to_num(signal), 0.0))


def _grouped(values: Grid, rows: int) -> Grid:
    """(8, 8, rays) -> (rows, rows, more rays)."""
    step, count = _EIGHT // rows, values.shape[2]
    return values.reshape(rows, step, rows, step, count).swapaxes(1, 2).reshape(rows, rows, step * step * count)


def _pooled(values: Grid, rows: int) -> Grid:
    return values if rows == _EIGHT else _grouped(values[:, :, None], rows).mean(axis=2)


def _surfaces(rays: Rays, conditions: Conditions) -> tuple[Grid, Grid, Grid]:
    """Distance, signal and depth of each target, (targets, rows, rows) in the target order; 0 where there is none."""
    shape = (conditions.targets, *rays.distance_mm.shape[:2])
    found = np.zeros(shape), np.zeros(shape), np.zeros(shape)
    distance, signal = np.nan_to_num(rays.distance_mm), rays.signal_kcps
    lit = signal > 0
    if distance.shape[2] == 1:
        found[0][0], found[1][0] = np.where(lit, distance, 0.0)[:, :, 0], signal[:, :, 0]
        return found
    near = np.where(lit, distance, np.inf).min(axis=2)
    far = np.where(lit, distance, 0.0).max(axis=2)
    total = np.maximum(signal.sum(axis=2), 1e-12)
    found[0][0] = np.where(far > 0, (distance * signal).sum(axis=2) / total, 0.0)
    found[1][0], found[2][0] = np.where(far > 0, total, 0.0), np.maximum(far - near, 0.0)
    for row, column in zip(*np.nonzero(far - near > SEPARATION_MM), strict=True):
        split = _split(distance[row, column], signal[row, column], conditions)
        for plane, values in zip(found, split, strict=True):
            plane[:, row, column] = values
    return found


def _split(distance: Grid, signal: Grid, conditions: Conditions) -> tuple[Grid, Grid, Grid]:
    """The targets of one zone whose rays end far from each other."""
    order = np.argsort(distance[signal > 0])
    distance, signal = distance[signal > 0][order], signal[signal > 0][order]
    cuts = np.flatnonzero(np.diff(distance) > SEPARATION_MM) + 1
    groups = list(zip(np.split(distance, cuts), np.split(signal, cuts), strict=True))
    if not conditions.closest_first:
        groups.sort(key=lambda group: -float(group[1].sum()))
    targets = np.zeros((3, conditions.targets))
    for number, (each_mm, each_kcps) in enumerate(groups[: conditions.targets]):
        middle_mm = float((each_mm * each_kcps).sum() / each_kcps.sum())
        targets[:, number] = middle_mm, float(each_kcps.sum()), float(each_mm[-1] - each_mm[0])
    return targets[0], targets[1], targets[2]


def _slope_depth_mm(incidence_cos: Grid, distance_mm: Grid) -> Grid:
    cos = np.clip(np.where(np.isnan(incidence_cos), 1.0, incidence_cos), 0.01, 1.0)
    return distance_mm * ZONE_WIDTH * np.sqrt(1.0 - cos * cos) / cos


def _apparent_mm(view: TofView, true_mm: Grid, signal: Grid, residual: Grid, optics: ChipOptics) -> Grid:
    """Where targets seem to be: pulled to the window by its light, pushed away by what enters the product."""
    apparent = true_mm * (1.0 + optics.range_gain) + optics.offset_mm
    if optics.subsurface_mm and isinstance(view, TranslucentTofView):
        apparent = apparent + optics.subsurface_mm * _pooled(view.translucency, true_mm.shape[1])
    if residual.any():
        pull = residual * np.clip(1.0 - true_mm / CROSSTALK_IMMUNE_MM, 0.0, 1.0)
        apparent = (apparent * signal + WINDOW_MM * pull) / np.maximum(signal + pull, 1e-6)
    return apparent


def _spads(signal: Grid) -> Grid:
    enabled = np.interp(np.log10(signal).ravel(), SPADS_SIGNAL_LOG10, SPADS_ENABLED)
    return np.rint(enabled).reshape(signal.shape)


def _sigma_mm(signal: Grid, ambient: Grid, spads: Grid, integration_s: float) -> Grid:
    photon_noise = (signal + AMBIENT_WEIGHT * ambient) / (signal * signal * spads)
    return np.sqrt(SIGMA_FLOOR_MM**2 + SIGMA_SCALE_MM**2 * (FIT_INTEGRATION_S / integration_s) * photon_noise)


def _status(distance_mm: Grid, depth_mm: Grid, sigma_mm: Grid) -> NDArray[np.intp]:
    status = np.where(depth_mm > BROAD_PULSE_MM, MERGED, VALID)
    status = np.where(depth_mm > MIXED_PULSE_MM, MIXED, status)
    status = np.where(sigma_mm > SIGMA_REJECT_MM, SIGMA_TOO_HIGH, status)
    return np.where(distance_mm < NEAR_MM, INCONSISTENT, status)
