"""The surface of a piece on a grid of the belt, made from the frames of its pass, and its outline.

Along the belt a pass sees the piece every few millimetres, across it only where the eight rows of zones look; between
rows the map is interpolated. A zone averages over about 20 mm: the map shows what is as large as that, and smears the
rim over as much. The rim is therefore taken where the height is half of what it is a zone further in.
"""

from dataclasses import dataclass
from math import atan2, cos, sin

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]

CELL_MM = 5.0
REACH = 2  # cells, 10 mm: half a zone, as far as the rim is smeared inwards
RIM_PART = 0.5  # of the height there: that of a wall; a dome's rim lies a little lower
CELLS_MIN = 9  # 15 mm x 15 mm: less is no piece
MARGIN = 3  # cells of belt on either side of the piece, along the belt
SECOND_PART_MIN = 0.1  # of the largest: smaller parts are scraps, not a second piece

_ROWS = np.arange(8)[:, None, None]


@dataclass(frozen=True, slots=True)
class HeightMap:
    """height_mm, reflectance_pct: (along, across) grid. along_mm, across_mm: the cells' centres, belt coordinates.

    along_mm runs in the direction of growing x of a picture: what passes the sensor first has the largest value.
    """

    height_mm: Array
    reflectance_pct: Array
    along_mm: Array
    across_mm: Array


@dataclass(frozen=True, slots=True)
class Outline:
    """product: mask on the grid. length, width: extents along and across the principal axes. pieces: how many."""

    product: NDArray[np.bool_]
    area_mm2: float
    length_mm: float
    width_mm: float
    thickness_mm: float
    centre_mm: tuple[float, float]
    pieces: int


def map_heights(
    z: Array,
    *,
    height: Array,
    reflectance_pct: Array,
    travel_mm: Array,
    tangents: tuple[Array, Array],
    piece: NDArray[np.bool_],
) -> HeightMap:
    """Bring readings (8, columns, n) to the belt grid: along by bins with linear shares, across by interpolation.

    piece: readings on and around the piece; the map reaches MARGIN cells beyond them along the belt.
    """
    along = z * tangents[0] - travel_mm
    across = z * tangents[1]
    cell = max(CELL_MM, float((travel_mm[1:] - travel_mm[:-1]).max()))
    seen = along[piece]
    start = float(seen.min()) - (MARGIN + 1) * cell  # bin 0 and the last one take what lies beyond
    count = int((float(seen.max()) - start) / cell) + MARGIN + 3
    place = ((along - start) / cell).clip(0.0, count - 1.0)
    low = place.astype(np.intp)
    share = place - low
    index = low * 8 + _ROWS
    index = np.concatenate((index.ravel(), index.ravel() + 8))
    weight = np.concatenate(((1.0 - share).ravel(), share.ravel()))

    def binned(values: Array | None) -> Array:
        weighted = weight if values is None else weight * np.concatenate((values.ravel(), values.ravel()))
        sums = np.bincount(index, weighted, minlength=(count + 1) * 8).astype(np.float64, copy=False)
        return sums[8 : (count - 1) * 8].reshape(-1, 8)

    total = binned(None)
    total[total <= 0.05] = np.nan
    nodes, heights, colours = (binned(values) / total for values in (across, height, reflectance_pct))
    lines = np.flatnonzero(np.isfinite(total).all(axis=1))
    nodes, heights, colours = nodes[lines], heights[lines], colours[lines]
    first, last = int(np.ceil(float(across.min()) / CELL_MM)), int(np.floor(float(across.max()) / CELL_MM))
    grid: Array = np.arange(first, last + 1, dtype=np.float64) * CELL_MM
    maps = _across(nodes, grid, np.stack((heights, colours)))
    return HeightMap(maps[0], maps[1], start + cell * (lines.astype(np.float64) + 1.0), grid)


def _across(nodes: Array, grid: Array, values: Array) -> Array:
    """Bring rows of `values` (k, m, 8), known at rising `nodes` (m, 8), to the places `grid` (g,): (k, m, g).

    Cubic Hermite pieces with central differences as slopes: straight lines would cut every crest by what it curves
    within a zone. Beyond the outer rows the last value stands.
    """
    left = np.zeros((len(nodes), len(grid)), dtype=np.intp)
    for inner in range(1, 7):
        left += nodes[:, inner, None] <= grid
    pick = _rows_of(len(nodes)) + left
    gaps = np.maximum(nodes[:, 1:] - nodes[:, :-1], 1e-6)
    run = np.take(np.concatenate((gaps, gaps[:, :1]), axis=1).ravel(), pick)
    part = ((grid - np.take(nodes.ravel(), pick)) / run).clip(0.0, 1.0)
    rest = 1.0 - part
    both = part * rest * run
    slopes = np.zeros_like(values)
    slopes[:, :, 1:-1] = (values[:, :, 2:] - values[:, :, :-2]) / (gaps[:, 1:] + gaps[:, :-1])
    late = part * part * (3.0 - 2.0 * part)
    levels, rates = values.reshape(len(values), -1), slopes.reshape(len(values), -1)
    here = np.take(levels, pick, axis=1)
    return (
        here
        + late * (np.take(levels, pick + 1, axis=1) - here)
        + both * (rest * np.take(rates, pick, axis=1) - part * np.take(rates, pick + 1, axis=1))
    )


def _rows_of(lines: int) -> NDArray[np.intp]:
    return np.arange(0, 8 * lines, 8)[:, None]


def outline_of(heights: HeightMap, *, height_min_mm: float) -> Outline:
    """Tell product from belt on the grid and measure what is product: the largest connected part."""
    surface = heights.height_mm
    product = (surface > height_min_mm) & (surface > RIM_PART * _highest_near(surface))
    parts = [part for part in components(product) if int(np.count_nonzero(part)) >= CELLS_MIN]
    if not parts:
        return Outline(np.zeros_like(product), 0.0, 0.0, 0.0, 0.0, (0.0, 0.0), 0)
    sums = [float(surface[part].sum()) for part in parts]
    volume = max(sums)
    largest = parts[sums.index(volume)]
    cell_mm = float(heights.along_mm[1] - heights.along_mm[0]) if len(heights.along_mm) > 1 else CELL_MM
    lines, columns = np.nonzero(largest)
    u, v = heights.along_mm[lines], heights.across_mm[columns]
    centre = (float(u.mean()), float(v.mean()))
    length, width = _extents(u - centre[0], v - centre[1])
    return Outline(
        product=largest,
        area_mm2=float(len(lines)) * cell_mm * CELL_MM,
        length_mm=length + cell_mm,
        width_mm=width + CELL_MM,
        thickness_mm=float(surface[lines, columns].max()),
        centre_mm=centre,
        pieces=sum(each >= SECOND_PART_MIN * volume for each in sums),
    )


def _extents(u: Array, v: Array) -> tuple[float, float]:
    turn = 0.5 * atan2(2.0 * float(u @ v), float(u @ u) - float(v @ v))
    along, across = u * cos(turn) + v * sin(turn), v * cos(turn) - u * sin(turn)
    return float(along.max() - along.min()), float(across.max() - across.min())


def _highest_near(surface: Array) -> Array:
    """The greatest value within REACH = 2 cells along either axis: a window of five, by maxima of pairs."""
    padded = np.full((surface.shape[0] + 2 * REACH, surface.shape[1] + 2 * REACH), -np.inf)
    padded[REACH:-REACH, REACH:-REACH] = surface
    pairs = np.maximum(padded[:-1], padded[1:])
    fives = np.maximum(np.maximum(pairs[:-3], pairs[2:-1]), padded[4:])
    pairs = np.maximum(fives[:, :-1], fives[:, 1:])
    return np.maximum(np.maximum(pairs[:, :-3], pairs[:, 2:-1]), fives[:, 4:])


def _is_one_piece(lines: NDArray[np.intp], begins: NDArray[np.intp], ends: NDArray[np.intp]) -> bool:
    """Whether each line in a row has one run and it touches the next line's: the common case, seen at once."""
    return bool(
        (lines[1:] - lines[:-1] == 1).all() and (begins[1:] < ends[:-1]).all() and (begins[:-1] < ends[1:]).all()
    )


def components(mask: NDArray[np.bool_]) -> list[NDArray[np.bool_]]:
    """Parts that hang together by edges; found by runs along each line, joined where they touch."""
    parents: list[int] = []

    def root(label: int) -> int:
        while parents[label] != label:
            label = parents[label]
        return label

    padded = np.zeros((mask.shape[0], mask.shape[1] + 2), dtype=np.int8)
    padded[:, 1:-1] = mask
    edges = padded[:, 1:] - padded[:, :-1]
    lines, begins = np.nonzero(edges == 1)
    _, ends = np.nonzero(edges == -1)
    if not len(lines) or _is_one_piece(lines, begins, ends):
        return [mask] if len(lines) else []
    labels = np.full(mask.shape, -1, dtype=np.intp)
    above: list[tuple[int, int, int]] = []
    here: list[tuple[int, int, int]] = []
    line_now = -1
    for line, begin, end in zip(lines.tolist(), begins.tolist(), ends.tolist(), strict=True):
        if line != line_now:
            above, here = (here if line == line_now + 1 else []), []
            line_now = line
        label = len(parents)
        parents.append(label)
        for other_begin, other_end, other in above:
            if other_begin < end and begin < other_end:
                parents[root(other)] = root(label)
        labels[line, begin:end] = label
        here.append((begin, end, label))
    roots = np.array([root(label) for label in range(len(parents))], dtype=np.intp)
    settled = np.where(mask, roots[labels], -1)
    return [settled == each for each in np.unique(roots)]
