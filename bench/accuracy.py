"""How close the figures of `quality` are to the truth, on generated products that nothing was set on.

Constants of the analysis were set on domes, caps (bench/bodies.py, TUNING) and independent pigments (bench/spectra.py,
tuning). What is reported here comes from other shapes (lobed, loaf, egg, the simulator's livers), other chips (filter
centres off by up to 5 nm) and correlated pigments, with seeds of its own. Simulation shares the reflectance law and the
pigment tables with the analysis: it shows that the arithmetic is right, not that livers obey the law.
"""

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from bench.accuracy_colour import CHIPS, Colour, colours_of, judge, true_spectral
from bench.bodies import REPORTING, Body, Views, look, make_body, pass_by
from bench.figures import Figure, median, percentile
from bench.spectra import make_chip, reporting
from quality import (
    DEFAULT_RECIPE,
    FusionResult,
    TofAnalysis,
    TofCalibration,
    analyse_tof,
    calibrate_belt,
    fuse,
)
from quality.anomalies import judge_map
from quality.geometry import score_tof
from quality.grades import grade_of, rounded_score
from quality.heightmap import CELL_MM, HeightMap, outline_of
from quality.piece import piece_of
from quality.scan import ScanAnalysis, analyse_scan, gauge_factor
from quality.surface import Surface

Array = NDArray[np.float64]
Calibration = tuple[TofCalibration, TofCalibration]  # for passes, for single frames

SEED = 20260
ZONE_MM = 21  # over which the true surface is averaged, as a zone does
Z95 = 1.96


@dataclass(frozen=True, slots=True)
class Shape:
    """One body with passes and single frames: at places a few millimetres apart, and repeated at one place."""

    body: Body
    scans: list[ScanAnalysis]
    frames: list[TofAnalysis]
    scans_again: list[ScanAnalysis]
    frames_again: list[TofAnalysis]


def run(quick: bool) -> list[Figure]:
    """All figures of the issue's table; quick: a tenth of the products."""
    rng = np.random.default_rng(SEED)
    calibration = gauged(rng)
    shapes = [shape_of(family, calibration, rng) for family in REPORTING for _ in range(6 if quick else 50)]
    colours = colours_of(rng, 240 if quick else 2400)
    return [
        *_volume(shapes),
        *_detection(calibration, rng, 2_000 if quick else 100_000),
        *_pigments(colours),
        *_grades(shapes, colours),
        *_coverage(shapes, colours),
        _cpu(calibration, rng),
    ]


def gauged(rng: np.random.Generator) -> Calibration:
    """Belt and gauge calibration for passes and for single frames, from one body of the product's own kind."""
    empty = np.stack([look(None, np.zeros(1), 0.0, rng).distance_mm[0] for _ in range(30)])
    plain = calibrate_belt(empty, calibration_id="bench", volume_factor_u=0.0)
    gauge = make_body("liver", rng)
    passes = np.array([scan_of(gauge, plain, rng).volume_mm3 for _ in range(10)])
    frames = np.array([each.volume_mm3 for each in frames_of(gauge, plain, rng, 30)])
    found: list[TofCalibration] = []
    for volumes in (passes, frames):
        factor, factor_u = gauge_factor(volumes, true_mm3=gauge.volume_mm3, true_mm3_u=1e-3 * gauge.volume_mm3)
        found.append(replace(plain, volume_factor=factor, volume_factor_u=factor_u))
    return found[0], found[1]


def shape_of(family: str, calibration: Calibration, rng: np.random.Generator) -> Shape:
    """A body of a family, seen four times passing and four times at rest."""
    body = make_body(family, rng, rough=family != "liver")
    scans = [scan_of(body, calibration[0], rng) for _ in range(4)]
    beside = float(rng.uniform(-6.0, 6.0))
    again = [scan_of(body, calibration[0], rng, y_mm=beside) for _ in range(4)]
    frames = frames_of(body, calibration[1], rng, 4)
    return Shape(body, scans, frames, again, frames_of(body, calibration[1], rng, 4, still=True))


def scan_of(
    body: Body | None, calibration: TofCalibration, rng: np.random.Generator, *, y_mm: float | None = None
) -> ScanAnalysis:
    """One pass."""
    views, travel = pass_by(body, rng, y_mm=y_mm)
    return _scan(views, travel, calibration)


def _scan(views: Views, travel: Array, calibration: TofCalibration) -> ScanAnalysis:
    return analyse_scan(
        views.distance_mm,
        sigma_mm=views.sigma_mm,
        reflectance_pct=views.reflectance_pct,
        status=views.status,
        travel_mm=travel,
        calibration=calibration,
        recipe=DEFAULT_RECIPE,
    )


def frames_of(
    body: Body | None, calibration: TofCalibration, rng: np.random.Generator, count: int, *, still: bool = False
) -> list[TofAnalysis]:
    """Single frames, each at another place within 8 mm of the middle; all at one place where `still`."""
    places = np.full(count, rng.uniform(-8.0, 8.0)) if still else rng.uniform(-8.0, 8.0, count)
    views = look(body, places, float(rng.uniform(-6.0, 6.0)), rng)
    return [_frame(views, index, calibration) for index in range(count)]


def _frame(views: Views, index: int, calibration: TofCalibration) -> TofAnalysis:
    return analyse_tof(
        views.distance_mm[index],
        sigma_mm=views.sigma_mm[index],
        reflectance_pct=views.reflectance_pct[index],
        status=views.status[index],
        calibration=calibration,
        recipe=DEFAULT_RECIPE,
    )


def _volume(shapes: Sequence[Shape]) -> list[Figure]:
    scans = np.array([[each.volume_mm3 / shape.body.volume_mm3 - 1.0 for each in shape.scans] for shape in shapes])
    frames = [_errors(shape.frames, shape.body) for shape in shapes]
    families = {
        family: float(np.mean([scans[i].mean() for i, shape in enumerate(shapes) if shape.body.family == family]))
        for family in REPORTING
    }
    note = "by family " + ", ".join(f"{name} {bias:+.1%}" for name, bias in families.items())
    again = [_errors(shape.scans_again, shape.body) for shape in shapes]
    frames_again = [_errors(shape.frames_again, shape.body) for shape in shapes]
    mass = [abs(float(error)) for row in scans for error in row]
    frame_bias = 100 * float(np.mean(np.concatenate(frames)))
    return [
        _figure("volume, belt scan, bias", 100 * float(scans.mean()), "%", 1.5, note),
        _figure("volume, belt scan, repeatability", _spread(again), "%", 0.6, "1 sigma, same place across the belt"),
        Figure("volume, belt scan, moved across the belt", _spread(list(scans)), "%", note="1 sigma, within 6 mm"),
        _figure("volume, single frame, bias", frame_bias, "%", 3.0, "same gauge body"),
        _figure("volume, single frame, repeatability", _spread(frames_again), "%", 2.0, "1 sigma, piece at rest"),
        Figure("volume, single frame, moved along the belt", _spread(frames), "%", note="1 sigma, within 8 mm"),
        _figure("mass of known density, 95th percentile of the error", 100 * percentile(mass, 0.95), "%", 3.0, "scans"),
    ]


def _errors(found: Sequence[ScanAnalysis] | Sequence[TofAnalysis], body: Body) -> Array:
    """Relative errors of the volumes that were wholly in view."""
    kept = [each for each in found if not {"out_of_view", "cut_at_ends"} & set(each.flags)]
    return np.array([each.volume_mm3 / body.volume_mm3 - 1.0 for each in kept])


def _spread(errors: Sequence[Array]) -> float:
    """Pooled standard deviation within bodies, %."""
    return 100 * float(np.sqrt(np.mean([each.var(ddof=1) for each in errors if len(each) >= 2])))


def _detection(
    calibration: Calibration, rng: np.random.Generator, count: int
) -> list[Figure]:
    still = look(None, np.zeros(1), 0.0, None)
    false = 0
    for _ in range(count):
        noise = 0.5 * still.sigma_mm[0] * rng.standard_normal((8, 8))
        views = Views(
            np.round((still.distance_mm + noise) * 4) / 4, still.sigma_mm, still.reflectance_pct, still.status
        )
        false += _frame(views, 0, calibration[1]).product_present
    missed = 0
    plates = max(20, count // 500)
    axis = np.arange(-110, 111)
    for _ in range(plates):
        half_x, half_y = rng.uniform(35.0, 80.0), rng.uniform(35.0, 60.0)
        inside = (np.abs(axis)[None, :] < half_x) & (np.abs(axis)[:, None] < half_y)
        plate = Body("plate", np.where(inside, 5.0, 0.0), float(rng.uniform(0.3, 0.9)))
        missed += not frames_of(plate, calibration[1], rng, 1)[0].product_present
    return [
        _figure("empty belt reported as product", float(false), f"of {count}", 0.0, "single frames"),
        _figure("5 mm plates missed", float(missed), f"of {plates}", 0.0, "70 mm and larger"),
    ]


def _pigments(colours: Sequence[Colour]) -> list[Figure]:
    rows: list[Figure] = []
    pairs: tuple[tuple[str, Callable[[Colour], tuple[float, float]], float], ...] = (
        ("haem", lambda each: (each.haem, each.found.haem_mm), 0.98),
        ("methaem fraction", lambda each: (each.met, each.found.methaem_fraction), 0.95),
        ("yellow", lambda each: (each.yellow, each.found.yellow_mm), 0.95),
    )
    for name, pair, target in pairs:
        pooled = rank_correlation([pair(each) for each in colours])
        single = [rank_correlation([pair(each) for each in colours if each.chip == chip]) for chip in range(CHIPS)]
        worst = min(single)
        rows.append(
            Figure(
                f"rank correlation, {name}",
                median(single),
                "",
                f">= {target}",
                median(single) >= target,
                f"median of {CHIPS} chips; worst {worst:.3f}; chips mixed {pooled:.3f}",
            )
        )
    return rows


def rank_correlation(pairs: Sequence[tuple[float, float]]) -> float:
    """Spearman's coefficient."""
    ranks = [np.argsort(np.argsort([pair[side] for pair in pairs])) for side in (0, 1)]
    return float(np.corrcoef(ranks[0], ranks[1])[0, 1])


def true_uniformity(body: Body) -> float:
    """The index by its definition, on the true surface averaged over the size of a zone."""
    surface = body.heights_mm
    kernel = np.ones(ZONE_MM) / ZONE_MM
    for axis in (0, 1):
        surface = np.apply_along_axis(lambda row: np.convolve(row, kernel, mode="same"), axis, surface)
    cells = surface.T[5:216:5, 5:216:5]
    places = np.arange(-105.0, 106.0, CELL_MM)
    heights = HeightMap(cells, np.full_like(cells, 80.0), places, places)
    return judge_map(heights, outline_of(heights, height_min_mm=3.0), noise_mm=0.0, rules=DEFAULT_RECIPE.tof).uniformity


def final_scores(shapes: Sequence[Shape], colours: Sequence[Colour]) -> list[tuple[FusionResult, float]]:
    """Verdicts of scanned pieces, each with a colour, and their true scores."""
    rows: list[tuple[FusionResult, float]] = []
    recipe = DEFAULT_RECIPE
    truths = [true_uniformity(shape.body) for shape in shapes]
    for index, colour in enumerate(colours[: 4 * len(shapes)]):
        shape = shapes[index % len(shapes)]
        scan = shape.scans[index // len(shapes)]
        middle = replace(shape.frames[0], flags=(), validity=1.0)
        verdict = fuse(piece_of(scan, middle, recipe), colour.found, recipe)
        if not isinstance(verdict, FusionResult):
            continue
        surface = Surface(0.0, truths[index % len(shapes)], 0.0, judged=True)
        tof = score_tof(surface, shape.body.volume_mm3, 0.0, validity=1.0, recipe=recipe).score
        spectral = true_spectral(colour, recipe)[2]
        rows.append((verdict, recipe.weight_tof * tof + recipe.weight_spectral * spectral))
    return rows


def _grades(shapes: Sequence[Shape], colours: Sequence[Colour]) -> list[Figure]:
    rows = final_scores(shapes, colours)
    limits = DEFAULT_RECIPE.grade_limits
    sure = [(verdict, truth) for verdict, truth in rows if verdict.grade_probability >= 0.95]
    right = sum(verdict.final_grade == grade_of(rounded_score(truth), limits) for verdict, truth in sure)
    inside = [abs(verdict.final_score - truth) <= Z95 * verdict.final_score_u for verdict, truth in rows]
    share = right / max(1, len(sure))
    note = f"{len(sure)} of {len(rows)} pieces with a grade probability of 0.95 or more"
    return [
        Figure("grade equals the true grade, outside the guard band", 100 * share, "%", ">= 99", share >= 0.99, note),
        _coverage_figure("final score", inside),
    ]


def _coverage(shapes: Sequence[Shape], colours: Sequence[Colour]) -> list[Figure]:
    volumes = [
        abs(scan.volume_mm3 - shape.body.volume_mm3) <= Z95 * scan.volume_mm3_u
        for shape in shapes
        for scan in shape.scans
    ]
    singles = [
        abs(frame.volume_mm3 - shape.body.volume_mm3) <= Z95 * frame.volume_mm3_u
        for shape in shapes
        for frame in shape.frames
        if not frame.out_of_view
    ]
    uniformities: list[bool] = []
    for shape in shapes:
        truth = true_uniformity(shape.body)
        uniformities += [
            abs(scan.surface_uniformity - truth) <= Z95 * scan.surface_uniformity_u for scan in shape.scans
        ]
    oxidations: list[bool] = []
    freshness: list[bool] = []
    for colour in colours:
        oxidation, fresh, _ = true_spectral(colour, DEFAULT_RECIPE)
        oxidations.append(abs(colour.found.oxidation_index - oxidation) <= Z95 * colour.found.oxidation_index_u)
        freshness.append(abs(colour.found.freshness_index - fresh) <= Z95 * colour.found.freshness_index_u)
    return [
        _coverage_figure("volume, belt scan", volumes),
        _coverage_figure("volume, single frame", singles),
        _coverage_figure("surface uniformity, belt scan", uniformities),
        _coverage_figure("oxidation index", oxidations),
        _coverage_figure("freshness index", freshness),
    ]


def _coverage_figure(name: str, inside: Sequence[bool]) -> Figure:
    share = 100.0 * sum(inside) / max(1, len(inside))
    return Figure(
        f"coverage of 95 % intervals, {name}", share, "%", "93 to 97", 93.0 <= share <= 97.0, f"{len(inside)}"
    )


def _figure(name: str, value: float, unit: str, target: float, note: str) -> Figure:
    return Figure(name, value, unit, f"<= {target:g}", abs(value) <= target, note)


def _cpu(calibration: Calibration, rng: np.random.Generator) -> Figure:
    views, travel = pass_by(make_body("lobed", rng), rng)
    product, chip = reporting(rng), make_chip(rng, shift_nm=5.0)
    still = look(make_body("lobed", rng), np.zeros(1), 0.0, rng)
    spent: list[float] = []
    for _ in range(100):
        began = time.process_time()
        scan = _scan(views, travel, calibration[0])
        middle = _frame(still, 0, calibration[1])
        fuse(piece_of(scan, middle, DEFAULT_RECIPE), judge(product, chip, None), DEFAULT_RECIPE)
        spent.append(1e3 * (time.process_time() - began))
    return _figure("CPU of all of quality for one scanned piece", median(spent), "ms", 1.0, f"{len(travel)} frames")
