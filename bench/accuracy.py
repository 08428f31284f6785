"""How close the figures of `quality` are to the truth, on generated products that nothing was set on.

Constants of the analysis were set on the families bodies.TUNING and the pigments of spectra.tuning, with other seeds.
What is reported here comes from bodies.REPORTING, whose shapes were written after the last constant was set, and from
spectra.reporting, whose distribution had been looked at once before and only got a new seed; gauge bodies come from the
tuning families, a new set for every device. Simulation shares the reflectance law and the pigment tables with the
analysis: it shows that the arithmetic is right, not that livers obey the law.
"""

import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from bench.accuracy_colour import Colour, colours_of, judge, pigment_figures, spectral_coverage, true_spectral
from bench.bodies import REPORTING, TEMPORAL_SHARE, Body, Views, look, make_body, pass_by
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
from quality.gauge import BODY_FRAME_RELATIVE_U, gauge_factor, joint_factor
from quality.geometry import score_tof
from quality.grades import grade_of, rounded_score
from quality.heightmap import CELL_MM, HeightMap, outline_of
from quality.piece import piece_of
from quality.scan import ScanAnalysis, analyse_scan
from quality.surface import Surface

Array = NDArray[np.float64]
Calibration = tuple[TofCalibration, TofCalibration]  # for passes, for single frames

SEED = 5_560_127
DEVICES = 10  # each with a gauge set of its own: what one set is off by is common to everything it calibrates
GAUGES = ("liver", "dome", "loaf")
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
    devices = [gauged(rng) for _ in range(3 if quick else DEVICES)]
    each = 6 if quick else 30
    shapes = [shape_of(family, devices[i % len(devices)], rng) for family in REPORTING for i in range(each)]
    count = 240 if quick else 2400
    colours = colours_of(rng, count, chips=count)  # every piece under a chip of its own: coverage is over chips too
    return [
        *_volume(shapes),
        *_detection(devices[0], rng, 2_000 if quick else 100_000),
        *pigment_figures(colours_of(rng, count)),
        *_grades(shapes, colours),
        *_coverage(shapes, colours),
        *_cpu(devices[0], rng),
    ]


def gauged(rng: np.random.Generator) -> Calibration:
    """Belt and gauge calibration for passes and for single frames, from a set of three bodies of different make."""
    empty = np.stack([look(None, np.zeros(1), 0.0, rng).distance_mm[0] for _ in range(30)])
    plain = calibrate_belt(empty, calibration_id="bench", volume_factor_u=0.0)
    by_pass: list[tuple[float, float]] = []
    by_frame: list[tuple[float, float]] = []
    for family in GAUGES:
        body = make_body(family, rng)
        true_u = 1e-3 * body.volume_mm3
        passes = np.array([scan_of(body, plain, rng).volume_mm3 for _ in range(6)])
        by_pass.append(gauge_factor(passes, true_mm3=body.volume_mm3, true_mm3_u=true_u))
        looks = np.array([each.volume_mm3 for each in frames_of(body, plain, rng, 15)])
        frames = looks.reshape(5, 3).mean(axis=1)  # each reading of a body is the mean over three places
        by_frame.append(
            gauge_factor(frames, true_mm3=body.volume_mm3, true_mm3_u=true_u, body_relative_u=BODY_FRAME_RELATIVE_U)
        )
    found: list[TofCalibration] = []
    for factors in (by_pass, by_frame):
        factor, factor_u = joint_factor(factors)
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
        _figure("volume, single frame, bias", frame_bias, "%", 3.0, "same gauge sets"),
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


def _detection(calibration: Calibration, rng: np.random.Generator, count: int) -> list[Figure]:
    false = sum(_frame(views, 0, calibration[1]).product_present for views in empty_belts(rng, count))
    missed = 0
    plates = max(20, count // 100)
    axis = np.arange(-110, 111)
    for _ in range(plates):
        half_x, half_y = rng.uniform(35.0, 80.0), rng.uniform(35.0, 60.0)
        inside = (np.abs(axis)[None, :] < half_x) & (np.abs(axis)[:, None] < half_y)
        plate = Body("plate", np.where(inside, 5.0, 0.0), float(rng.uniform(0.3, 0.9)))
        missed += not frames_of(plate, calibration[1], rng, 1)[0].product_present
    empty_note = "frames; belt up to 2 mm beside its calibration, up to 3 zones blind"
    return [
        _figure("empty belt reported as product", float(false), f"of {count}", 0.0, empty_note),
        _figure("5 mm plates missed", float(missed), f"of {plates}", 0.0, "70 mm and larger"),
    ]


def empty_belts(rng: np.random.Generator, count: int) -> Iterator[Views]:
    """Single frames of the empty belt: noisy, the belt shifted, some zones without a target."""
    still = look(None, np.zeros(1), 0.0, None)
    for _ in range(count):
        noise = TEMPORAL_SHARE * still.sigma_mm * rng.standard_normal((1, 8, 8))
        z = np.round((still.distance_mm + noise + rng.uniform(-2.0, 2.0)) * 4.0) / 4.0
        z.ravel()[rng.integers(0, 64, int(rng.integers(0, 4)))] = np.nan
        yield Views(z, still.sigma_mm, still.reflectance_pct, still.status)


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
        spectral = true_spectral(colour, recipe).quality_score
        rows.append((verdict, recipe.weight_tof * tof + recipe.weight_spectral * spectral))
    return rows


def _grades(shapes: Sequence[Shape], colours: Sequence[Colour]) -> list[Figure]:
    rows = final_scores(shapes, colours)
    limits = DEFAULT_RECIPE.grade_limits
    sure = [row for row in rows if _beyond_guard_band(row[0], limits.descending())]
    right = sum(verdict.final_grade == grade_of(rounded_score(truth), limits) for verdict, truth in sure)
    inside = [abs(verdict.final_score - truth) <= Z95 * verdict.final_score_u for verdict, truth in rows]
    share = right / max(1, len(sure))
    note = f"{len(sure)} of {len(rows)} pieces; guard band of 2 standard uncertainties on either side of each limit"
    return [
        Figure("grade equals the true grade, outside the guard band", 100 * share, "%", ">= 99", share >= 0.99, note),
        _coverage_figure("final score", inside),
    ]


def _beyond_guard_band(verdict: FusionResult, limits: Sequence[float]) -> bool:
    """Whether the score is further from every limit than its expanded uncertainty (k = 2), as ILAC-G8 sets the band."""
    return min(abs(verdict.final_score - limit) for limit in limits) > 2.0 * verdict.final_score_u


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
    return [
        _coverage_figure("volume, belt scan", volumes),
        _coverage_figure("volume, single frame", singles),
        _coverage_figure("surface uniformity, belt scan", uniformities),
        *[_coverage_figure(name, inside) for name, inside in spectral_coverage(colours)],
    ]


def _coverage_figure(name: str, inside: Sequence[bool]) -> Figure:
    share = 100.0 * sum(inside) / max(1, len(inside))
    return Figure(
        f"coverage of 95 % intervals, {name}", share, "%", "93 to 97", 93.0 <= share <= 97.0, f"of {len(inside)}"
    )


def _figure(name: str, value: float, unit: str, target: float, note: str) -> Figure:
    return Figure(name, value, unit, f"<= {target:g}", abs(value) <= target, note)


def _cpu(calibration: Calibration, rng: np.random.Generator) -> list[Figure]:
    views, travel = pass_by(make_body(REPORTING[0], rng), rng)
    product, chip = reporting(rng), make_chip(rng, shift_nm=5.0)
    still = look(make_body(REPORTING[0], rng), np.zeros(1), 0.0, rng)

    def passed() -> None:
        piece = piece_of(_scan(views, travel, calibration[0]), _frame(still, 0, calibration[1]), DEFAULT_RECIPE)
        fuse(piece, judge(product, chip, None), DEFAULT_RECIPE)

    def looked() -> None:
        fuse(_frame(still, 0, calibration[1]), judge(product, chip, None), DEFAULT_RECIPE)

    note = f"pass of {len(travel)} frames, its middle frame and its spectrum; median of 400"
    return [
        _figure("CPU of all of quality, piece from its pass", _milliseconds(passed), "ms", 1.0, note),
        _figure("CPU of all of quality, sample of one frame", _milliseconds(looked), "ms", 1.0, "median of 400"),
    ]


def _milliseconds(work: Callable[[], None]) -> float:
    spent: list[float] = []
    for _ in range(400):
        began = time.process_time()
        work()
        spent.append(1e3 * (time.process_time() - began))
    return median(spent)
