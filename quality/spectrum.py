"""From ten counts to reflectance, pigments and the spectral indices.

The indices are what light can tell: how oxidised the visible haem is, how pale and scattering the surface is, how
close its colour is to that of accepted pieces. They are not fat content, not rancidity, not shelf life.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from quality.calibration import CLEAR, NIR, SHOT_COUNTS, SpectralCalibration
from quality.chromophores import absorption_over_scattering
from quality.colour import MODEL_U, distance_of, lab_of, lab_of_reference
from quality.disturbance import REFLECTANCE_MIN, flicker_u_of, implausible, nir_is_polluted
from quality.errors import require
from quality.grades import Grade, grade_of, rounded_score
from quality.recipe import Recipe, SpectralRules
from quality.unmixing import FITTED, HAEM, MET, YELLOW, Fit, fit_pigments

Array = NDArray[np.float64]

ADC_NOISE = 5e-5  # standard deviation over full scale (DS000718)
QUANTISATION = 0.3  # counts
TILE_U = 0.007  # unevenness of a white tile over the spectrum, of its own certificate
CHANNEL_U = 0.016  # of F1 and NIR by their filters' centres, which no white tile tells; the fit knows the others
LEVEL_U = 0.02  # brightness common to all channels: distance and tilt of the surface
GAIN_RATIO_U = 0.05  # gain steps are good to 10 % (DS000718): white and sample at different gains
SETTINGS_TOLERANCE = 1e-3
UNKNOWN_U = 0.29  # rectangular over 0..1
LOG_STEP = 1e-4  # of ln R, for the numerical derivatives
RESIDUAL_MAX = 3.0  # standard uncertainties, rms over seven channels: these pigments do not make this spectrum
HAEM_MIN_MM = 2e-3  # below, nobody can say how much of it is oxidised
YELLOW_RELATIVE_U = 0.05  # carotene and bilirubin in unknown shares count as one pigment; their bands differ
COVERAGE_FACTOR = 1.96  # of a 95 % interval
ROUNDING_U = 3e-5  # of four decimals
SCATTER, LIGHTNESS, FAT, SCORE = 3, 4, 6, 8  # places in _FIGURES
LINES = np.array([*range(8), NIR])  # the nine filtered channels among the ten
# Row 0 is the measurement; rows 1 to 9 move one channel, row 10 all channels: their differences are derivatives.
STEPS = np.vstack([np.zeros(9), LOG_STEP * np.eye(9), np.full(9, LOG_STEP)])


@dataclass(frozen=True, slots=True)
class SpectralAnalysis:
    """What the light says. Indices and scores 0 to 1; `_u` is a standard uncertainty.

    reflectance: ten channels, against the white standard. haem_mm, yellow_mm: pigment per scattering, as mM at the
    scattering the recipe assumes. methaem_fraction: of all haem. lightness, a_star, b_star: CIELAB estimate, D65,
    10 degrees; delta_e: CIE 1976 difference from the colour of the recipe's reference. usable: whether the
    spectrum may be graded. flags: saturated, low_light, channel_dark, brighter_than_white, moved_between_halves,
    settings_differ, unexplained (the pigments do not make this spectrum), haem_unseen, flicker, nir_polluted (NIR and
    its ratios are then None), spectral_calibration_expired.
    """

    usable: bool
    freshness_index: float
    freshness_index_u: float
    fat_quality_index: float
    fat_quality_index_u: float
    oxidation_index: float
    oxidation_index_u: float
    quality_score: float
    quality_score_u: float
    grade: Grade
    reflectance: tuple[float, ...]
    haem_mm: float
    haem_mm_u: float
    methaem_fraction: float
    yellow_mm: float
    yellow_mm_u: float
    scatter_ratio_log10: float
    lightness: float
    lightness_u: float
    a_star: float
    a_star_u: float
    b_star: float
    b_star_u: float
    delta_e: float
    delta_e_u: float
    ratio_red_nir: float | None
    ratio_clear_nir: float | None
    flags: tuple[str, ...]


def analyse_spectrum(
    counts: NDArray[np.int64],
    *,
    clear_halves: tuple[int, int],
    gain: float,
    integration_ms: float,
    full_scale: int,
    saturated: bool,
    calibration: SpectralCalibration,
    recipe: Recipe,
    brightness_per_mm2: float | None = None,
    nir_halves: tuple[int, int] | None = None,
    flicker_hz: int | None = None,
    ranging: bool = False,
) -> SpectralAnalysis:
    """Analyse one spectrum of ten raw counts (F1 to F8, Clear, NIR).

    brightness_per_mm2: cos(incidence) / distance^2 of the lit surface, from the ToF analysis; with the calibration's
    white distance it takes out that a nearer or flatter surface is brighter.
    nir_halves: the two readings of NIR: a laser nearby that fires in one half only gives itself away. flicker_hz: of
    the hall's light, 100 or 120, where the chip detected it. ranging: whether the ToF sensor's laser fired meanwhile.
    Raises QualityError for counts of another shape. Otherwise the answer is an analysis with flags.
    """
    require(counts.shape == (10,), "counts", f"must be (10,), is {counts.shape}")
    require(gain > 0.0 and integration_ms > 0.0, "gain", "and integration_ms must be positive")
    rules, flags = recipe.spectral, ["spectral_calibration_expired"] if calibration.expired else list[str]()
    signal = counts - calibration.dark
    if saturated or int(counts.max()) >= full_scale:
        flags.append("saturated")
    if signal[CLEAR] < rules.counts_min or min(clear_halves) <= calibration.dark_counts[CLEAR]:
        return _unusable((*flags, "low_light"))
    settings, gain_u = _settings_ratio(gain, integration_ms, calibration, flags)
    balance, moved = _half_balance(clear_halves, calibration)
    if moved > rules.moved_relative:
        flags.append("moved_between_halves")
    level = settings * _surface_level(brightness_per_mm2, calibration)
    ratio = level * balance * signal * calibration.per_count
    flags += implausible(signal, ratio)
    if ranging or nir_is_polluted(nir_halves, clear_halves, calibration, float(ratio[NIR])):
        flags.append("nir_polluted")
    flicker_u = flicker_u_of(flicker_hz, integration_ms)
    if flicker_u > 0.0:
        flags.append("flicker")
    return _judge(
        ratio,
        _relative_u(counts, signal, calibration, full_scale),
        common_u=float(np.hypot(np.hypot(LEVEL_U, gain_u), calibration.white_reflectance_u)) + moved + flicker_u,
        calibration=calibration,
        recipe=recipe,
        flags=flags,
    )


def _settings_ratio(
    gain: float, integration_ms: float, calibration: SpectralCalibration, flags: list[str]
) -> tuple[float, float]:
    """Return sensitivity of the white's settings over the sample's, and its relative standard uncertainty."""
    ratio = calibration.gain * calibration.integration_ms / (gain * integration_ms)
    gain_differs = abs(gain / calibration.gain - 1.0) > SETTINGS_TOLERANCE
    if gain_differs or abs(ratio - 1.0) > SETTINGS_TOLERANCE:
        flags.append("settings_differ")
    return ratio, GAIN_RATIO_U if gain_differs else 0.0


def _half_balance(clear_halves: tuple[int, int], calibration: SpectralCalibration) -> tuple[Array, float]:
    """Return factors for the ten channels that give both halves equal light, and how unequal they were.

    Clear and NIR are means of both halves and stay as they are."""
    dark = calibration.dark_counts[CLEAR]
    first, second = clear_halves[0] - dark, clear_halves[1] - dark
    mean = (first + second) / 2.0
    white_first, white_second = calibration.white_halves
    factor_first, factor_second = white_first * mean / first, white_second * mean / second
    factors = np.array([factor_first] * 4 + [factor_second] * 4 + [1.0, 1.0])
    return factors, abs(factor_first - factor_second)


def _surface_level(brightness_per_mm2: float | None, calibration: SpectralCalibration) -> float:
    """Return brightness of a surface at the white standard's place over that of the product's."""
    if brightness_per_mm2 is None or brightness_per_mm2 <= 0.0 or calibration.white_distance_mm is None:
        return 1.0
    return 1.0 / (brightness_per_mm2 * calibration.white_distance_mm**2)


def _relative_u(counts: NDArray[np.int64], signal: Array, calibration: SpectralCalibration, full_scale: int) -> Array:
    """Return the relative standard uncertainty of the ten reflectances, channel by channel independent."""
    variance = SHOT_COUNTS * np.maximum(counts, 0.0) + (ADC_NOISE * full_scale) ** 2 + QUANTISATION**2
    sample = variance / np.maximum(signal, 1.0) ** 2
    return np.sqrt(sample + calibration.white_relative_var + TILE_U**2)


def _judge(
    ratio: Array,
    relative_u: Array,
    *,
    common_u: float,
    calibration: SpectralCalibration,
    recipe: Recipe,
    flags: list[str],
) -> SpectralAnalysis:
    rules = recipe.spectral
    log_r = np.log(np.maximum(ratio[LINES], REFLECTANCE_MIN))
    noise_u = relative_u[LINES]
    fit = fit_pigments(
        log_r[FITTED],
        noise_u[FITTED],  # the fit knows itself what the filters' centres do
        level_u=common_u,
        scatter_per_cm=rules.scatter_reference_per_cm,
        scatter_power=rules.scatter_power,
    )
    line_u = noise_u.copy()
    line_u[FITTED] = np.hypot(noise_u[FITTED], fit.filter_u)
    line_u[0], line_u[8] = np.hypot(noise_u[0], CHANNEL_U), np.hypot(noise_u[8], CHANNEL_U)
    if fit.residual > RESIDUAL_MAX:
        flags.append("unexplained")
    usable_lines = calibration.lit[:8] & (ratio[:8] > REFLECTANCE_MIN)
    pigments = fit.unknowns[:3] + STEPS[:, FITTED] @ fit.gain[:3].T
    figures = _figures(log_r + STEPS, pigments, line_u, usable_lines, rules)
    slopes = (figures[1:] - figures[0]) / LOG_STEP
    inputs_u = np.append(line_u, common_u)
    _cut_at_limits(figures[0], slopes, inputs_u, rules)
    figures_u = np.sqrt(((slopes * inputs_u[:, None]) ** 2).sum(axis=0))
    _replace_pigment_u(figures[0], figures_u, fit, rules)
    value = dict(zip(_FIGURES, figures[0].tolist(), strict=True))
    u = dict(zip(_FIGURES, figures_u.tolist(), strict=True))
    if value["haem"] < HAEM_MIN_MM:
        flags.append("haem_unseen")
        u["oxidation"] = UNKNOWN_U
        u["score"] = float(np.hypot(u["score"], rules.oxidation_weight * UNKNOWN_U))
    nir_seen = calibration.lit[NIR] and ratio[NIR] > REFLECTANCE_MIN and "nir_polluted" not in flags
    nir = float(ratio[NIR]) if nir_seen else None
    return _assemble(value, u, ratio=ratio, nir=nir, grade=grade_of(value["score"], recipe.grade_limits), flags=flags)


def _replace_pigment_u(figures: Array, figures_u: Array, fit: Fit, rules: SpectralRules) -> None:
    """Give what rests on pigments the uncertainty of the fit, which knows more doubts than the channels' noise.

    figures, figures_u: (12,), in the order of _FIGURES; figures_u is changed.
    """
    covariance = fit.covariance
    haem_var = covariance[HAEM, HAEM] + covariance[MET, MET] + 2.0 * covariance[HAEM, MET]
    figures_u[0] = np.sqrt(haem_var)
    figures_u[[4, 9, 10]] = np.hypot(figures_u[[4, 9, 10]], MODEL_U)
    figures_u[11] = np.hypot(figures_u[11], float(MODEL_U.max()))
    figures_u[2] = np.hypot(np.sqrt(covariance[YELLOW, YELLOW]), YELLOW_RELATIVE_U * figures[2])
    haem, methaem = max(float(figures[0]), 1e-6), float(figures[1])
    by = np.array([-methaem, 1.0 - methaem]) / haem  # of the fraction by haem that can carry oxygen and by methaem
    fraction_var = float(by @ covariance[:2, :2] @ by)
    oxidation_var = fraction_var / rules.methaem_fraction_full**2
    more = max(0.0, oxidation_var - float(figures_u[5]) ** 2)
    figures_u[1], figures_u[5] = np.sqrt(fraction_var), np.sqrt(oxidation_var)
    figures_u[8] = np.sqrt(figures_u[8] ** 2 + rules.oxidation_weight**2 * more)


def _cut_at_limits(figures: Array, slopes: Array, inputs_u: Array, rules: SpectralRules) -> None:
    """Give fat quality and score slopes that hold where one of fat quality's two parts has reached 0 or 1.

    There the index stands still and its own slope says nothing. A part that lies beyond its end by d moves the index
    only with what of its interval of 1.96 u reaches back over the end: its slope is shortened to 1 - d / (1.96 u).
    figures: (12,); slopes: (10, 12), changed; inputs_u: (10,).
    """
    was = slopes[:, FAT].copy()
    slopes[:, FAT] = 0.0
    for place, limits in ((LIGHTNESS, rules.lightness_range), (SCATTER, rules.scatter_range)):
        by = slopes[:, place] / (limits[1] - limits[0])
        part = (float(figures[place]) - limits[0]) / (limits[1] - limits[0])
        beyond = max(-part, part - 1.0, 0.0)
        u = float(np.sqrt((by * inputs_u) @ (by * inputs_u)))
        slopes[:, FAT] += 0.5 * max(0.0, 1.0 - beyond / max(COVERAGE_FACTOR * u, 1e-9)) * by
    slopes[:, SCORE] += rules.fat_quality_weight * (slopes[:, FAT] - was)


def _assemble(
    value: dict[str, float], u: dict[str, float], *, ratio: Array, nir: float | None, grade: Grade, flags: list[str]
) -> SpectralAnalysis:
    return SpectralAnalysis(
        usable=not {"saturated", "channel_dark", "brighter_than_white"} & set(flags),
        freshness_index=rounded_score(value["freshness"]),
        freshness_index_u=min(0.5, u["freshness"]),
        fat_quality_index=rounded_score(value["fat_quality"]),
        fat_quality_index_u=min(0.5, max(ROUNDING_U, u["fat_quality"])),
        oxidation_index=rounded_score(value["oxidation"]),
        oxidation_index_u=min(0.5, u["oxidation"]),
        quality_score=rounded_score(value["score"]),
        quality_score_u=min(0.5, u["score"]),
        grade=grade,
        reflectance=tuple(ratio.tolist()),
        haem_mm=value["haem"],
        haem_mm_u=u["haem"],
        methaem_fraction=value["methaem"],
        yellow_mm=value["yellow"],
        yellow_mm_u=u["yellow"],
        scatter_ratio_log10=value["scatter"],
        lightness=value["lightness"],
        lightness_u=u["lightness"],
        a_star=value["a_star"],
        a_star_u=u["a_star"],
        b_star=value["b_star"],
        b_star_u=u["b_star"],
        delta_e=value["delta_e"],
        delta_e_u=u["delta_e"],
        ratio_red_nir=None if nir is None else float(ratio[7]) / nir,
        ratio_clear_nir=None if nir is None else float(ratio[CLEAR]) / nir,
        flags=tuple(flags),
    )


_FIGURES: tuple[str, ...] = (
    "haem",
    "methaem",
    "yellow",
    "scatter",
    "lightness",
    "oxidation",
    "fat_quality",
    "freshness",
    "score",
    "a_star",
    "b_star",
    "delta_e",
)


def _figures(
    log_r: Array, pigments: Array, line_u: Array, usable_lines: NDArray[np.bool_], rules: SpectralRules
) -> Array:
    """Return all figures for each row of ln R (n, 9) and pigments (n, 3), as (n, 12) in the order of _FIGURES."""
    haem = pigments[:, HAEM] + pigments[:, MET]
    methaem = np.clip(pigments[:, MET] / np.maximum(haem, 1e-6), 0.0, 1.0)
    scatter = -np.log10(np.maximum(absorption_over_scattering(log_r[:, 7]), 1e-4))
    lab = lab_of(log_r[:, :8])
    lightness = lab[:, 0]
    delta_e = distance_of(lab, lab_of_reference(rules.reference_reflectance))
    oxidation = np.clip(methaem / rules.methaem_fraction_full, 0.0, 1.0)
    fat_quality = 0.5 * _within(lightness, rules.lightness_range) + 0.5 * _within(scatter, rules.scatter_range)
    freshness = _closeness(log_r[:, :8], line_u[:8], usable_lines, rules)
    score = (
        rules.freshness_weight * freshness
        + rules.fat_quality_weight * fat_quality
        + rules.oxidation_weight * (1.0 - oxidation)
    )
    columns = (haem, methaem, pigments[:, YELLOW], scatter, lightness, oxidation, fat_quality, freshness, score,
               lab[:, 1], lab[:, 2], delta_e)  # fmt: skip
    return np.stack(columns, axis=1)


def _within(values: Array, limits: tuple[float, float]) -> Array:
    return np.clip((values - limits[0]) / (limits[1] - limits[0]), 0.0, 1.0)


def _closeness(log_r: Array, line_u: Array, usable_lines: NDArray[np.bool_], rules: SpectralRules) -> Array:
    """Return 0 to 1: 1 at the reference colour, one half at the recipe's half distance. Noisy channels count less."""
    if not usable_lines.any():
        return np.zeros(len(log_r))
    reference = np.log10(np.array(rules.reference_reflectance))
    deviation = (log_r / np.log(10.0) - reference) / rules.absorbance_tolerance
    noise = line_u / np.log(10.0) / rules.absorbance_tolerance
    weight = np.where(usable_lines, 1.0 / (1.0 + noise * noise), 0.0)
    distance2 = (weight * deviation * deviation).sum(axis=1) / weight.sum()
    return np.exp2(-distance2 / rules.freshness_half_distance**2)


def learn_reference(reflectances: Array) -> tuple[tuple[float, ...], float]:
    """Return reference reflectance (F1 to F8) and absorbance tolerance from spectra of accepted pieces.

    reflectances: (n >= 5, 8), 0 to 1. Medians of the absorbance; the tolerance is the mean robust spread, at least
    0.02 (5 % of the reflectance).
    """
    shape_ok = reflectances.ndim == 2 and reflectances.shape[1] == 8 and len(reflectances) >= 5
    require(shape_ok, "reflectances", f"must be (n >= 5, 8), is {reflectances.shape}")
    require(bool(np.isfinite(reflectances).all()), "reflectances", "must be finite")
    logs = np.log10(np.clip(reflectances, REFLECTANCE_MIN, 1.0))
    centre = np.median(logs, axis=0)
    spread = 1.4826 * np.median(np.abs(logs - centre), axis=0)
    return tuple((10.0**centre).tolist()), max(0.02, float(spread.mean()))


def _unusable(flags: tuple[str, ...]) -> SpectralAnalysis:
    """All figures 0 and REJECT: nothing may look good by default."""
    return SpectralAnalysis(
        usable=False, freshness_index=0.0, freshness_index_u=0.5, fat_quality_index=0.0, fat_quality_index_u=0.5,
        oxidation_index=0.0, oxidation_index_u=0.5, quality_score=0.0, quality_score_u=0.5, grade="REJECT",
        reflectance=(0.0,) * 10, haem_mm=0.0, haem_mm_u=0.0, methaem_fraction=0.0, yellow_mm=0.0, yellow_mm_u=0.0,
        scatter_ratio_log10=0.0, lightness=0.0, lightness_u=0.0,
        a_star=0.0, a_star_u=0.0, b_star=0.0, b_star_u=0.0, delta_e=0.0, delta_e_u=0.0,
        ratio_red_nir=None, ratio_clear_nir=None, flags=flags,
    )  # fmt: skip
