"""Shapes of pieces: height maps of height about 1 over a square grid, for a given length.

Two families: TUNING is what an analysis may be tried on, REPORTING what its figures are quoted for.
"""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Map = NDArray[np.float32]


@dataclass(frozen=True, slots=True)
class Form:
    """turn: radians. small_level: height of the small lobe over the large one's. small_offset: sideways, per length."""

    turn: float
    shift_mm: tuple[float, float]
    small_level: float
    small_offset: float


def _local(axis_mm: Map, form: Form, length_mm: float) -> tuple[Map, Map]:
    """Coordinates along and across the piece, in lengths."""
    x, y = np.meshgrid(axis_mm - np.float32(form.shift_mm[0]), axis_mm - np.float32(form.shift_mm[1]))
    cosine, sine = np.float32(np.cos(form.turn) / length_mm), np.float32(np.sin(form.turn) / length_mm)
    along: Map = (x * cosine + y * sine).astype(np.float32, copy=False)
    across: Map = (y * cosine - x * sine).astype(np.float32, copy=False)
    return along, across


def lobed(axis_mm: Map, form: Form, length_mm: float) -> Map:
    """Two flattened caps that overlap, with a shallow furrow between them; highest point about 1."""
    along, across = _local(axis_mm, form, length_mm)
    large = _cap(along + np.float32(0.16), across, 0.34, 0.31)
    small = _cap(along - np.float32(0.20), across - np.float32(form.small_offset), 0.29, 0.26)
    small *= np.float32(form.small_level)
    large, small = large * large, small * small
    return np.cbrt(np.sqrt(large * large * large + small * small * small))


def _cap(x: Map, y: Map, half_x: float, half_y: float) -> Map:
    """A cap of height 1 that is flatter on top and steeper at its rim than an ellipsoid."""
    inside = np.float32(1.0) - (x * x * np.float32(1 / half_x**2) + y * y * np.float32(1 / half_y**2))
    return np.maximum(inside, np.float32(0.0)) ** np.float32(0.4)


def bent(axis_mm: Map, form: Form, length_mm: float) -> Map:
    """One long lobe, bent like a kidney, thick at one end and thin at the other."""
    along, across = _local(axis_mm, form, length_mm)
    bow = np.float32(0.9 + 4.0 * form.small_offset)
    inside = np.float32(1.0) - (along * along * np.float32(4.2) + (across - bow * (along * along - 0.08)) ** 2 * 14.0)
    taper = np.float32(1.0) - np.float32(1.2 - form.small_level) * (along + np.float32(0.5))
    return (np.sqrt(np.maximum(inside, np.float32(0.0))) * np.clip(taper, 0.2, 1.0)).astype(np.float32)


def ellipsoid(axis_mm: Map, form: Form, length_mm: float) -> Map:
    """The upper half of an ellipsoid, 1 : 0.7."""
    along, across = _local(axis_mm, form, length_mm)
    inside = np.float32(1.0) - np.float32(4.0) * (along * along + across * across * np.float32(1 / 0.49))
    return np.sqrt(np.maximum(inside, np.float32(0.0)))


def slab(axis_mm: Map, form: Form, length_mm: float) -> Map:
    """A cut block, 1 : 0.65, level on top, its sides falling within a few millimetres."""
    along, across = _local(axis_mm, form, length_mm)
    edge = np.minimum(np.float32(0.5) - np.abs(along), np.float32(0.325) - np.abs(across))
    return np.clip(edge * np.float32(length_mm / 4.0), 0.0, 1.0).astype(np.float32)


Shape = Callable[[Map, Form, float], Map]
SHAPES: dict[str, Shape] = {"lobed": lobed, "bent": bent, "ellipsoid": ellipsoid, "slab": slab}
TUNING = ("lobed",)
REPORTING = ("bent", "ellipsoid", "slab")
