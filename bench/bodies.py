"""Bodies of known volume and colour under a time-of-flight sensor, for figures of accuracy.

Made apart from the simulator of the line: own shapes, own tracing of rays, own noise. Two sets of families: on `TUNING`
constants may be set, on `REPORTING` they may not; the figures come from the second alone, with a seed of its own.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from drivers.sim.products import make_piece

Array = NDArray[np.float64]

TUNING = ("dome", "cap", "lobed", "loaf", "egg", "liver", "bean", "pear", "slipper", "twin")
REPORTING = ("comma", "saddle", "cushion", "trefoil")
HALF_MM = 110  # the map reaches this far
RAYS = 4  # per zone and axis
BELT_MM = 250.0
BELT_INFRARED = 0.45
SIGNAL = 2.06e8  # kcps per SPAD times mm2 of a white zone, fitted to readings of a real L8
TEMPORAL_SHARE = 0.5  # scatter of readings over the sigma that the chip reports, measured on the same
SPADS = 12.0

_AXIS = np.arange(-HALF_MM, HALF_MM + 1, dtype=np.float64)
_X, _Y = np.meshgrid(_AXIS, _AXIS)
_EDGES = np.radians(np.linspace(-22.5, 22.5, 8 * RAYS + 1))
_TANGENTS = np.tan((_EDGES[:-1] + _EDGES[1:]) / 2.0)
TAN_X, TAN_Y = (each.ravel() for each in np.meshgrid(_TANGENTS, _TANGENTS))
_UPRIGHT = 1.0 / np.sqrt(1.0 + TAN_X**2 + TAN_Y**2)


@dataclass(frozen=True)
class Body:
    """heights_mm: (221, 221) over a 1 mm grid, [y, x]. reflectance: at 940 nm, 0 to 1."""

    family: str
    heights_mm: Array
    reflectance: float

    @property
    def volume_mm3(self) -> float:
        """What the map holds."""
        return float(self.heights_mm.sum())


def make_body(family: str, rng: np.random.Generator, *, rough: bool = False) -> Body:
    """A body of 300 to 750 cm3, of a size and turn drawn from `rng`; with waves on it where `rough`."""
    reflectance = float(rng.uniform(0.6, 0.9))
    if family == "liver":
        return Body(family, make_piece(int(rng.integers(1 << 30)), 3).heights_mm.astype(np.float64), reflectance)
    turn = rng.uniform(-0.5, 0.5)
    x = _X * np.cos(turn) + _Y * np.sin(turn)
    y = _Y * np.cos(turn) - _X * np.sin(turn)
    a, b, c = rng.uniform(66.0, 84.0), rng.uniform(44.0, 60.0), rng.uniform(42.0, 60.0)
    heights = _SHAPES[family](x / a, y / b, rng) * c
    if rough:
        heights = heights + _waves(rng, heights.max()) * (heights > 0.1 * heights.max())
    wanted = rng.uniform(320e3, 720e3)
    return Body(family, heights * np.clip(wanted / heights.sum(), 0.6, 70.0 / float(heights.max())), reflectance)


def _waves(rng: np.random.Generator, top_mm: float) -> Array:
    """Unevenness of 30 to 60 mm length, none in a third of all bodies, up to 3 mm rms in the others."""
    rms = max(0.0, rng.uniform(-1.5, 3.0))
    waves = np.zeros_like(_X)
    for _ in range(6):
        angle, phase, length = rng.uniform(0.0, np.pi), rng.uniform(0.0, 2 * np.pi), rng.uniform(30.0, 60.0)
        waves += np.cos(2 * np.pi * (_X * np.cos(angle) + _Y * np.sin(angle)) / length + phase)
    return waves * (rms / np.sqrt(3.0)) * (top_mm > 0.0)


def _dome(x: Array, y: Array, rng: np.random.Generator) -> Array:
    _ = rng
    return np.sqrt(np.maximum(0.0, 1.0 - x * x - y * y))


def _cap(x: Array, y: Array, rng: np.random.Generator) -> Array:
    return np.maximum(0.0, 1.0 - x * x - y * y) ** rng.uniform(0.35, 0.8)


def _loaf(x: Array, y: Array, rng: np.random.Generator) -> Array:
    """Flat top, rounded corners: a body between an ellipsoid and a box."""
    power = rng.uniform(2.5, 3.5)
    return np.maximum(0.0, 1.0 - np.abs(x) ** power - np.abs(y) ** power) ** (1.0 / power)


def _egg(x: Array, y: Array, rng: np.random.Generator) -> Array:
    """Thick at one end, thin at the other."""
    taper = rng.uniform(0.15, 0.4)
    return np.sqrt(np.maximum(0.0, 1.0 - x * x - (y / (1.0 - taper * x)) ** 2)) * (1.0 - 0.5 * taper * x)


def _lobed(x: Array, y: Array, rng: np.random.Generator) -> Array:
    """A large and a small lobe with a furrow between."""
    large = np.sqrt(np.maximum(0.0, 1.0 - ((x + 0.3) / 0.7) ** 2 - y * y))
    small = rng.uniform(0.6, 0.9) * np.sqrt(np.maximum(0.0, 1.0 - ((x - 0.45) / 0.55) ** 2 - (y / 0.8) ** 2))
    return np.cbrt(large**3 + small**3)


def _bean(x: Array, y: Array, rng: np.random.Generator) -> Array:
    """Round in section along an axis bent like a kidney's."""
    bend = rng.uniform(0.15, 0.4)
    return np.sqrt(np.maximum(0.0, 1.0 - x * x - (y + bend * (x * x - 0.4)) ** 2))


def _pear(x: Array, y: Array, rng: np.random.Generator) -> Array:
    """A body of revolution, cut in half, whose width swings once along its length."""
    swing = rng.uniform(0.2, 0.45)
    width = np.sqrt(np.maximum(0.0, 1.0 - x * x)) * (1.0 - swing * x - 0.25 * swing * (1.0 - x * x))
    return np.sqrt(np.maximum(0.0, width**2 - y * y))


def _slipper(x: Array, y: Array, rng: np.random.Generator) -> Array:
    """Steep at one end, running out flat at the other, with a rounded back."""
    power = rng.uniform(1.2, 1.8)
    back = np.clip(1.0 - ((x + 0.25) / np.where(x > -0.25, 1.25, 0.75)) ** 2, 0.0, 1.0) ** (power / 2.0)
    across = np.maximum(0.0, 1.0 - (y / np.sqrt(np.clip(1.0 - x * x, 1e-6, 1.0))) ** 2) ** rng.uniform(0.4, 0.6)
    return back * across * (np.abs(x) < 1.0)


def _twin(x: Array, y: Array, rng: np.random.Generator) -> Array:
    """Two lobes side by side across the long axis, shifted against each other, the gap between them partly filled."""
    shift, filled = rng.uniform(0.05, 0.25), rng.uniform(0.5, 0.8)
    lobes = [
        np.sqrt(np.maximum(0.0, 1.0 - (x - side * shift) ** 2 / 0.8 - ((y - side * 0.42) / 0.58) ** 2))
        for side in (1.0, -1.0)
    ]
    saddle = filled * np.sqrt(np.maximum(0.0, 1.0 - x * x / 0.7 - (y / 0.6) ** 2))
    return np.maximum(np.maximum(lobes[0], lobes[1]), saddle)


def _comma(x: Array, y: Array, rng: np.random.Generator) -> Array:
    """Thick head and a tail that turns aside and thins out."""
    turn = rng.uniform(0.2, 0.5)
    spine = y - turn * np.clip(x, 0.0, None) ** 2
    width = np.where(x < 0.0, np.sqrt(np.maximum(0.0, 1.0 - x * x)), np.clip(1.0 - x, 0.0, 1.0) ** 0.6)
    return np.sqrt(np.maximum(0.0, width**2 - spine**2)) * np.where(x > 0.0, 1.0 - 0.3 * np.abs(x), 1.0)


def _saddle(x: Array, y: Array, rng: np.random.Generator) -> Array:
    """Higher at both ends than in the middle."""
    sag = rng.uniform(0.1, 0.3)
    return np.sqrt(np.maximum(0.0, 1.0 - x * x - y * y)) * (1.0 - sag * np.exp(-((x / 0.45) ** 2)))


def _cushion(x: Array, y: Array, rng: np.random.Generator) -> Array:
    """Rectangular with round corners, domed on top, its rim at a tenth to a third of its height."""
    inside = np.maximum(0.0, 1.0 - np.abs(x) ** 4 - np.abs(y) ** 4)
    rim = rng.uniform(0.1, 0.3)
    return (inside > 0.0) * (rim * inside**0.25 + (1.0 - rim) * inside**0.7)


def _trefoil(x: Array, y: Array, rng: np.random.Generator) -> Array:
    """Three lobes around the middle, of different size."""
    start = rng.uniform(0.0, 2.0 * np.pi)
    height = np.zeros_like(x)
    for lobe, size in enumerate((0.72, 0.64, 0.58)):
        angle = start + 2.0 * np.pi * lobe / 3.0
        beside = (x - 0.34 * np.cos(angle)) ** 2 + (y - 0.34 * np.sin(angle)) ** 2
        height += np.maximum(0.0, size**2 - beside) ** 1.5
    return np.cbrt(height) / 0.72


_SHAPES = {
    "dome": _dome, "cap": _cap, "loaf": _loaf, "egg": _egg, "lobed": _lobed, "bean": _bean, "pear": _pear,
    "slipper": _slipper, "twin": _twin, "comma": _comma, "saddle": _saddle, "cushion": _cushion, "trefoil": _trefoil,
}  # fmt: skip


@dataclass(frozen=True)
class Views:
    """What the zones of n frames report, (n, 8, 8), noise included."""

    distance_mm: Array
    sigma_mm: Array
    reflectance_pct: Array
    status: NDArray[np.uint8]


def look(body: Body | None, x_mm: Array, y_mm: float, rng: np.random.Generator | None) -> Views:
    """Frames with the body's centre at each (x_mm, y_mm); None for the empty belt. Without rng, without noise."""
    shape = (len(x_mm), TAN_X.size)
    distance = np.full(shape, BELT_MM)
    cosine = np.broadcast_to(_UPRIGHT, shape).copy()
    colour = np.full(shape, BELT_INFRARED)
    if body is not None:
        hit, met, facing = _trace(body.heights_mm, x_mm, y_mm)
        distance = np.where(met, hit, distance)
        cosine = np.where(met, facing, cosine)
        colour = np.where(met, body.reflectance, colour)
    signal = colour * cosine / distance**2
    mean_signal = _zones(signal)
    z = _zones(distance * signal) / mean_signal
    kcps = SIGNAL * mean_signal
    sigma = np.sqrt(0.98**2 + 142.0**2 / (kcps * SPADS))
    if rng is not None:
        z = z + TEMPORAL_SHARE * sigma * rng.standard_normal(z.shape)
        z = np.round(z * 4.0) / 4.0
    return Views(z, sigma, 100.0 * mean_signal * z * z, np.full(z.shape, 5, dtype=np.uint8))


def _zones(values: Array) -> Array:
    return values.reshape(-1, 8, RAYS, 8, RAYS).mean(axis=(2, 4))


def _trace(heights: Array, x_mm: Array, y_mm: float) -> tuple[Array, NDArray[np.bool_], Array]:
    """First meeting of each ray with the surface, by steps from above and a line between the last two."""
    levels = np.linspace(float(heights.max()) + 0.1, 0.0, int(heights.max() / 3.0) + 2)
    shape = (len(x_mm), TAN_X.size)
    hit, met = np.full(shape, BELT_MM), np.zeros(shape, dtype=bool)
    over = np.full(shape, -1e3)
    above = levels[0]
    for level in levels:
        z = BELT_MM - level
        gap = _at(heights, z * TAN_Y - y_mm, z * TAN_X - x_mm[:, None]) - level
        enters = ~met & (gap >= 0.0) & ((level > 0.0) | (gap > 0.0))
        part = -over / np.maximum(gap - over, 1e-9)
        hit = np.where(enters, BELT_MM - (above + np.clip(part, 0.0, 1.0) * (level - above)), hit)
        met |= enters
        over, above = gap, level
    slope_y, slope_x = np.gradient(heights)
    y, x = hit * TAN_Y - y_mm, hit * TAN_X - x_mm[:, None]
    gy, gx = _at(slope_y, y, x), _at(slope_x, y, x)
    facing = (1.0 + gx * TAN_X + gy * TAN_Y) * _UPRIGHT / np.sqrt(1.0 + gx**2 + gy**2)
    return hit, met, np.clip(facing, 0.05, 1.0)


def _at(surface: Array, y: Array, x: Array) -> Array:
    row = np.clip((y + (HALF_MM + 0.5)).astype(np.intp), 0, 2 * HALF_MM)
    column = np.clip((x + (HALF_MM + 0.5)).astype(np.intp), 0, 2 * HALF_MM)
    return surface[row, column]


def pass_by(
    body: Body | None, rng: np.random.Generator, *, step_mm: float = 100.0 / 15.0, y_mm: float | None = None
) -> tuple[Views, Array]:
    """A whole pass: frames every `step_mm` of travel at a random phase. y_mm: beside the middle; random when None."""
    beside = float(rng.uniform(-6.0, 6.0)) if y_mm is None else y_mm
    travel = np.arange(0.0, 2 * (HALF_MM + 105.0), step_mm) + rng.uniform(0.0, step_mm)
    x = travel - (HALF_MM + 105.0)
    return look(body, x, beside, rng), travel
