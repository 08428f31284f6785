"""The surface of a piece on a grid of the belt, made from the frames of its pass, and its outline.

Along the belt a pass sees the piece every few millimetres, across it only where the eight rows of zones look; between
rows the map is interpolated. A zone averages over about 20 mm: the map shows what is as large as that, and smears the
rim over as much. The rim is therefore taken where the height is half of what it is a zone further in.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]

CELL_MM = 5.0
REACH = 2  # cells, 10 mm: half a zone, as far as the rim is smeared inwards
RIM_PART = 0.5  # of the height there: that of a wall; a dome's rim lies a little lower
CELLS_MIN = 9  # 15 mm x 15 mm: less is no piece
SECOND_PART_MIN = 0.1  # of the largest: smaller parts are scraps, not a second piece


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
    z: Array, *, height: Array, reflectance_pct: Array, travel_mm: Array, tangents: tuple[Array, Array]
) -> HeightMap:
    """Bring readings (n, 8, columns) to the belt grid: along by bins with linear shares, across by interpolation."""
    along = z * tangents[0] - travel_mm[:, None, None]
    across = z * tangents[1]
    cell = max(CELL_MM, float(np.diff(travel_mm).max()))
    start = float(along.min())
    place = (along - start) / cell
    count = int(place.max()) + 2
    low = place.astype(np.intp)
    share = place - low
    rows = np.broadcast_to(np.arange(8)[None, :, None], z.shape)
    index = np.concatenate([(low * 8 + rows).ravel(), ((low + 1) * 8 + rows).ravel()])
    weight = np.concatenate([(1.0 - share).ravel(), share.ravel()])

    def binned(values: Array) -> Array:
        flat = np.tile(values.ravel(), 2)
        return np.bincount(index, weight * flat, minlength=count * 8)[: count * 8].reshape(count, 8)

    total = binned(np.ones_like(z))
    total = np.where(total > 0.05, total, np.nan)
    nodes, heights, colours = (binned(values) / total for values in (across, height, reflectance_pct))
    seen = np.isfinite(nodes).all(axis=1)
    grid = np.arange(np.ceil(float(across.min()) / CELL_MM), np.floor(float(across.max()) / CELL_MM) + 1) * CELL_MM
    maps = _across(nodes[seen], grid, heights[seen], colours[seen])
    return HeightMap(maps[0], maps[1], start + cell * np.flatnonzero(seen), grid)


def _across(nodes: Array, grid: Array, *values: Array) -> list[Array]:
    """Bring rows of `values` (m, 8), known at rising `nodes` (m, 8), to the places `grid` (g,): (m, g).

    Cubic Hermite pieces with central differences as slopes: straight lines would cut every crest by what it curves
    within a zone. Beyond the outer rows the last value stands.
    """
    left = np.clip((nodes[:, :, None] <= grid).sum(axis=1) - 1, 0, 6)
    pick = np.arange(len(nodes))[:, None] * 8 + left
    begin, end = nodes.ravel()[pick], nodes.ravel()[pick + 1]
    run = np.maximum(end - begin, 1e-6)
    part = np.clip((grid - begin) / run, 0.0, 1.0)
    rest = 1.0 - part
    shares = (rest * rest * (1.0 + 2.0 * part), part * part * (1.0 + 2.0 * rest), part * rest * rest * run,
              -part * part * rest * run)  # fmt: skip
    found: list[Array] = []
    for each in values:
        slopes = np.zeros_like(each)
        slopes[:, 1:-1] = (each[:, 2:] - each[:, :-2]) / np.maximum(nodes[:, 2:] - nodes[:, :-2], 1e-6)
        level, slope = each.ravel(), slopes.ravel()
        found.append(
            shares[0] * level[pick]
            + shares[1] * level[pick + 1]
            + shares[2] * slope[pick]
            + shares[3] * slope[pick + 1]
        )
    return found


def outline_of(heights: HeightMap, *, height_min_mm: float) -> Outline:
    """Tell product from belt on the grid and measure what is product: the largest connected part."""
    surface = heights.height_mm
    product = (surface > height_min_mm) & (surface > RIM_PART * _highest_near(surface))
    parts = [part for part in components(product) if int(part.sum()) >= CELLS_MIN]
    if not parts:
        return Outline(np.zeros_like(product), 0.0, 0.0, 0.0, 0.0, (0.0, 0.0), 0)
    largest = max(parts, key=lambda part: float(surface[part].sum()))
    along, across = np.meshgrid(heights.along_mm, heights.across_mm, indexing="ij")
    cell_mm = float(np.median(np.diff(heights.along_mm)))
    u, v = along[largest], across[largest]
    centre = (float(u.mean()), float(v.mean()))
    length, width = _extents(u - centre[0], v - centre[1])
    return Outline(
        product=largest,
        area_mm2=float(largest.sum()) * cell_mm * CELL_MM,
        length_mm=length + cell_mm,
        width_mm=width + CELL_MM,
        thickness_mm=float(surface[largest].max()),
        centre_mm=centre,
        pieces=sum(float(surface[part].sum()) >= SECOND_PART_MIN * float(surface[largest].sum()) for part in parts),
    )


def _extents(u: Array, v: Array) -> tuple[float, float]:
    turn = 0.5 * float(np.arctan2(2.0 * float(u @ v), float(u @ u) - float(v @ v)))
    return float(np.ptp(u * np.cos(turn) + v * np.sin(turn))), float(np.ptp(v * np.cos(turn) - u * np.sin(turn)))


def _highest_near(surface: Array) -> Array:
    """The greatest value within REACH cells along either axis."""
    highest = surface
    for axis in (0, 1):
        widths = [(REACH, REACH) if each == axis else (0, 0) for each in (0, 1)]
        padded = np.pad(highest, widths, constant_values=-np.inf)
        highest = np.lib.stride_tricks.sliding_window_view(padded, 2 * REACH + 1, axis=axis).max(axis=-1)
    return highest


def components(mask: NDArray[np.bool_]) -> list[NDArray[np.bool_]]:
    """Parts that hang together by edges; found by runs along each line, joined where they touch."""
    parents: list[int] = []

    def root(label: int) -> int:
        while parents[label] != label:
            label = parents[label]
        return label

    labels = np.full(mask.shape, -1, dtype=np.intp)
    padded = np.zeros((mask.shape[0], mask.shape[1] + 2), dtype=np.int8)
    padded[:, 1:-1] = mask
    edges = padded[:, 1:] - padded[:, :-1]
    lines, begins = np.nonzero(edges == 1)
    _, ends = np.nonzero(edges == -1)
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
    if not roots.size:
        return []
    settled = np.where(mask, roots[labels], -1)
    return [settled == each for each in np.unique(roots)]
