"""The pieces on the belt: lobed livers of known volume, drawn from a deck so that every quality comes up early.

A piece is decided by its number and the seed alone. Its shape is a height map over a 1 mm grid in belt coordinates
relative to the centre of its place; the map is scaled so that its integral is the piece's volume exactly. The classes
say how a piece was made, not what grade it will get: grading is the business of whoever measures it.
"""

from dataclasses import dataclass, field
from functools import cached_property

import numpy as np

from drivers.sim.light import Spectrum
from drivers.sim.marks import Mark
from drivers.sim.pigments import Pigments, reflectance
from drivers.sim.shapes import SHAPES, Form, Map, Shape

DENSITY_G_MM3 = 0.947e-3  # foie gras at 20 C
GRID_MM = 1.0
HALF_WIDTH_MM = 110  # the map reaches this far from the centre, a little beyond the field of view at the belt
FOOTPRINT_MIN_MM = 0.5  # what is lower than this is no part of the piece
CLASSES = ("A+", "A", "B", "C", "REJECT")
DECK = ("A+", "A+", "A", "A", "A", "B", "B", "C", "C", "REJECT")  # ten pieces, shuffled anew each time

_AXIS_MM = np.arange(-HALF_WIDTH_MM, HALF_WIDTH_MM + 1, GRID_MM, dtype=np.float32)
_WAVES = 16  # of which the unevenness is made
_WAVE_MM = (26.0, 55.0)  # their lengths: what an 8 x 8 picture can just resolve


@dataclass(frozen=True, slots=True)
class Making:
    """How pieces of one class come out; pairs are the limits of a uniform draw.

    roughness_mm: standard deviation of the unevenness. dents, dent_mm: how many, how deep. blood, oxidised, yellow
    (carotene in umol/L), scatter_per_cm: see Pigments.
    """

    mass_g: tuple[float, float]
    roughness_mm: tuple[float, float]
    dents: tuple[int, int]
    dent_mm: tuple[float, float]
    blood: tuple[float, float]
    oxidised: tuple[float, float]
    yellow: tuple[float, float]
    scatter_per_cm: tuple[float, float]


MAKINGS = {
    "A+": Making((420, 540), (0.1, 0.4), (0, 0), (0, 0), (0.002, 0.004), (0.03, 0.10), (8, 13), (21, 25)),
    "A": Making((410, 560), (0.8, 1.3), (0, 1), (4, 6), (0.003, 0.007), (0.12, 0.22), (6, 16), (18, 22)),
    "B": Making((390, 560), (1.2, 1.8), (1, 2), (6, 9), (0.007, 0.011), (0.28, 0.42), (5, 22), (15, 18)),
    "C": Making((340, 420), (1.8, 2.4), (3, 4), (8, 10), (0.009, 0.014), (0.40, 0.55), (3, 26), (13, 17)),
    "REJECT": Making((290, 370), (2.8, 3.8), (4, 6), (11, 16), (0.018, 0.030), (0.78, 0.92), (1, 30), (10, 13)),
}


@dataclass(frozen=True)
class Piece:
    """One liver, or what lies in its place. made_as: its class. heights_mm: (221, 221), [y, x], float32.

    number: its place on the belt, from 0; index: which of the pieces at that place. shape: see drivers.sim.shapes.
    """

    number: int
    made_as: str
    volume_mm3: float
    pigments: Pigments
    heights_mm: Map = field(repr=False)
    shape: str = "lobed"
    marks: tuple[Mark, ...] = ()
    index: int = 0

    @property
    def mass_g(self) -> float:
        """Volume times density."""
        return self.volume_mm3 * DENSITY_G_MM3

    @property
    def height_mm(self) -> float:
        """The highest point over the belt."""
        return float(self.heights_mm.max())

    @cached_property
    def footprint_mm2(self) -> float:
        """Belt area under the piece."""
        return float(np.count_nonzero(self.heights_mm > FOOTPRINT_MIN_MM)) * GRID_MM**2

    @cached_property
    def slopes(self) -> tuple[Map, Map]:
        """Height gradient along y and along x."""
        return _gradient(self.heights_mm, 0), _gradient(self.heights_mm, 1)

    @cached_property
    def reflectance(self) -> Spectrum:
        """Diffuse reflectance over WAVELENGTHS_NM, where there is no mark."""
        return reflectance(self.pigments)

    @cached_property
    def mark_colours(self) -> tuple[Spectrum, ...]:
        """Reflectance of each mark."""
        return tuple(mark.colour(self.pigments) for mark in self.marks)

    @property
    def translucency(self) -> float:
        """How far light enters: 0 for a hard surface, 1 for the palest, fattest piece."""
        return min(1.0, self.pigments.fat / 0.58)


def made_as(seed: int, number: int) -> str:
    """Class of piece `number`: the deck is dealt card by card and shuffled when it is used up."""
    deal, card = divmod(number, len(DECK))
    order = np.random.default_rng([seed, 1, natural(deal)]).permutation(len(DECK))
    return DECK[int(order[card])]


def leaning(seed: int, number: int, lean: float) -> str:
    """Class of piece `number` of a lot that leans: with the probability |lean| one better (above 0) or worse."""
    place = CLASSES.index(made_as(seed, number))
    moves = np.random.default_rng([seed, 4, natural(number)]).random() < abs(lean)
    step = 0 if not moves else -1 if lean > 0 else 1
    return CLASSES[min(max(place + step, 0), len(CLASSES) - 1)]


def make_piece(
    seed: int,
    number: int,
    *,
    lean: float = 0.0,
    index: int = 0,
    shape: str = "lobed",
    share: float = 1.0,
    marks: tuple[Mark, ...] = (),
) -> Piece:
    """Piece `number` (any integer) of the line with this seed: the same every time.

    lean: of its lot, see `leaning`. index: of several at one place; share: its volume over that of a whole piece.
    """
    kind = leaning(seed, number, lean)
    making = MAKINGS[kind]
    rng = np.random.default_rng([seed, 2, natural(number), *([index] if index else [])])
    volume_mm3 = float(rng.uniform(*making.mass_g)) / DENSITY_G_MM3 * share
    pigments = Pigments(
        blood=float(rng.uniform(*making.blood)),
        oxidised=float(rng.uniform(*making.oxidised)),
        oxygenated=float(rng.uniform(0.6, 0.9)),
        bilirubin_mg_dl=float(rng.uniform(0.2, 1.0)),
        carotene_um=float(rng.uniform(*making.yellow)),
        fat=float(rng.uniform(0.48, 0.58)),
        water=float(rng.uniform(0.28, 0.36)),
        scatter_per_cm=float(rng.uniform(*making.scatter_per_cm)),
        scatter_power=float(rng.uniform(1.1, 1.3)),
    )
    heights_mm = _heights(rng, making, volume_mm3, SHAPES[shape])
    return Piece(number, kind, volume_mm3, pigments, heights_mm, shape, marks, index)


def _gradient(heights_mm: Map, axis: int) -> Map:
    return np.asarray(np.gradient(heights_mm, GRID_MM, axis=axis), dtype=np.float32)


def natural(number: int) -> int:
    """A seed must not be negative, pieces that passed before time 0 are."""
    return 2 * number if number >= 0 else -2 * number - 1


def _heights(rng: np.random.Generator, making: Making, volume_mm3: float, shape: Shape) -> Map:
    top_mm = 60.0 * (volume_mm3 / 6e5) ** (1 / 3) * rng.uniform(0.94, 1.06)
    form = Form(
        turn=np.radians(rng.uniform(-6.0, 6.0)),
        shift_mm=(float(rng.uniform(-2.5, 2.5)), float(rng.uniform(-2.5, 2.5))),
        small_level=float(rng.uniform(0.80, 0.92)),
        small_offset=float(rng.uniform(-0.06, 0.06)),
    )
    # A coarse trial at length 100 mm gives the shape factor; volume grows with the square of the length.
    trial_mm3 = float(shape(_AXIS_MM[::4], form, 100.0).sum()) * top_mm * (4 * GRID_MM) ** 2
    length_mm = 100.0 * float(np.sqrt(volume_mm3 / trial_mm3))
    smooth = np.float32(top_mm) * shape(_AXIS_MM, form, length_mm)
    uneven = smooth + _unevenness(rng, making, length_mm) * np.minimum(smooth / np.float32(15.0), np.float32(1.0))
    heights = np.where(smooth > FOOTPRINT_MIN_MM, np.maximum(uneven, np.float32(FOOTPRINT_MIN_MM)), np.float32(0.0))
    return heights * np.float32(volume_mm3 / (float(heights.sum(dtype=np.float64)) * GRID_MM**2))


def _unevenness(rng: np.random.Generator, making: Making, length_mm: float) -> Map:
    """Bumps of some centimetres, and dents, in mm. Waves and dents are products of a row and a column."""
    waves_mm = rng.uniform(*_WAVE_MM, _WAVES)
    heading, phase = rng.uniform(0.0, 2 * np.pi, _WAVES), rng.uniform(0.0, 2 * np.pi, _WAVES)
    along_x = np.outer(_AXIS_MM, 2 * np.pi * np.cos(heading) / waves_mm) + phase
    along_y = np.outer(_AXIS_MM, 2 * np.pi * np.sin(heading) / waves_mm)
    amplitude = rng.uniform(*making.roughness_mm) * np.sqrt(2.0 / _WAVES)
    rows = np.hstack((np.cos(along_y), -np.sin(along_y))) * amplitude
    columns = np.hstack((np.cos(along_x), np.sin(along_x))).T
    # Not `rows @ columns`: for a product of this size BLAS wakes threads that burn more time than it takes.
    uneven = np.einsum("yk,kx->yx", rows.astype(np.float32), np.ascontiguousarray(columns, dtype=np.float32))
    for _ in range(int(rng.integers(making.dents[0], making.dents[1], endpoint=True))):
        depth_mm, width_mm = rng.uniform(*making.dent_mm), rng.uniform(10.0, 16.0)
        row, column = (
            np.exp(-((_AXIS_MM - np.float32(part * length_mm)) ** 2) / np.float32(2 * width_mm**2))
            for part in (rng.uniform(-0.16, 0.16), rng.uniform(-0.34, 0.34))
        )
        uneven -= np.float32(depth_mm) * np.outer(row, column)
    return uneven
