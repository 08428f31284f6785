"""One stored sample, analysed again: with its own calibrations and any recipe, from what was measured. Pure.

The functions are the edge's own. Where the stored sample lacks something that the first analysis had, the second says
so: a chip's sigma or halves of Clear that an old sender did not send are assumed, and a piece that was measured over a
whole pass keeps its geometry, because only one frame of the pass is stored.
"""

import dataclasses
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from decimal import ROUND_HALF_UP, Decimal
from typing import Any

import numpy as np
from numpy.typing import NDArray

from quality.calibration import SpectralCalibration, TofCalibration
from quality.fusion import FusionResult, Ungraded, fuse
from quality.geometry import TofAnalysis, analyse_tof
from quality.recipe import Recipe
from quality.spectrum import SpectralAnalysis, analyse_spectrum

Array = NDArray[np.float64]
Row = Mapping[str, Any]

SIGMA_PER_MM = 128.0
SIGMA_ASSUMED_MM = 3.0  # of a valid zone at the distances of a line; only where the sender gave none
VALID, NO_TARGET = 5, 255  # UM3109 table 4
COUNTS_MAX = 65_535  # of the chip's 16-bit converters
STEP_MS = 0.00278  # DS000504: one integration step, 2.78 us
CLEAR = 8
NIR_LIT = frozenset({"nir_polluted", "nir_laser"})  # flags of a spectrum whose NIR was not used


@dataclass(frozen=True, slots=True)
class Skipped:
    """A sample that cannot be analysed again, and why, as a code."""

    reason: str


@dataclass(frozen=True, slots=True)
class Recomputed:
    """What the second analysis found. assumed: what it had to assume or keep, as codes. verdict: grade, or why none."""

    tof: TofAnalysis
    light: SpectralAnalysis
    verdict: FusionResult | Ungraded
    assumed: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Field:
    """A stored figure and where the second analysis has it. decimals: of its column, None for a double or a text."""

    column: str
    of: Callable[[Recomputed], Any]
    decimals: int | None = None


def _tof(name: str) -> Callable[[Recomputed], Any]:
    return lambda found: getattr(found.tof, name)


def _light(name: str) -> Callable[[Recomputed], Any]:
    return lambda found: getattr(found.light, name)


def _verdict(name: str) -> Callable[[Recomputed], Any]:
    return lambda found: getattr(found.verdict, name, None)


FIELDS: tuple[Field, ...] = (
    Field("vl53l8ch_volume_mm3", _tof("volume_mm3"), 2),
    Field("vl53l8ch_volume_mm3_u", _tof("volume_mm3_u")),
    Field("vl53l8ch_surface_uniformity", _tof("surface_uniformity"), 4),
    Field("vl53l8ch_surface_uniformity_u", _tof("surface_uniformity_u")),
    Field("vl53l8ch_quality_score", _tof("quality_score"), 4),
    Field("vl53l8ch_quality_score_u", _tof("quality_score_u")),
    Field("vl53l8ch_grade", _tof("grade")),
    Field("vl53l8ch_mass_g", _tof("mass_g")),
    Field("vl53l8ch_mass_g_u", _tof("mass_g_u")),
    Field("vl53l8ch_avg_distance_mm", _tof("avg_distance_mm")),
    Field("vl53l8ch_std_distance_mm", _tof("std_distance_mm")),
    Field("vl53l8ch_avg_reflectance", _tof("avg_reflectance")),
    Field("as7341_freshness_index", _light("freshness_index"), 4),
    Field("as7341_freshness_index_u", _light("freshness_index_u")),
    Field("as7341_fat_quality_index", _light("fat_quality_index"), 4),
    Field("as7341_fat_quality_index_u", _light("fat_quality_index_u")),
    Field("as7341_oxidation_index", _light("oxidation_index"), 4),
    Field("as7341_oxidation_index_u", _light("oxidation_index_u")),
    Field("as7341_quality_score", _light("quality_score"), 4),
    Field("as7341_quality_score_u", _light("quality_score_u")),
    Field("as7341_ratio_red_nir", _light("ratio_red_nir")),
    Field("as7341_ratio_clear_nir", _light("ratio_clear_nir")),
    Field("fusion_final_score", _verdict("final_score"), 4),
    Field("fusion_final_score_u", _verdict("final_score_u")),
    Field("fusion_final_grade", _verdict("final_grade")),
    Field("fusion_is_compliant", _verdict("is_compliant")),
    Field("fusion_grade_probability", _verdict("grade_probability")),
    Field("fusion_confidence_level", _verdict("confidence_level")),
)


def reanalyse(row: Row, tof: TofCalibration, spectral: SpectralCalibration, recipe: Recipe) -> Recomputed | Skipped:
    """Analyse a stored sample again. Raises QualityError for values that no analysis takes."""
    gain, integration_ms = row["as7341_gain"], row["as7341_integration_ms"]
    if not gain or not integration_ms:
        return Skipped("settings_unknown")
    assumed: list[str] = []
    height = analyse_tof(
        _matrix(row["vl53l8ch_distance_matrix"]),
        sigma_mm=_sigma(row, assumed),
        reflectance_pct=_matrix(row["vl53l8ch_reflectance_matrix"]) / 2.0,
        status=_status(row, assumed),
        calibration=tof,
        recipe=recipe,
    )
    light = analyse_spectrum(
        np.array(row["as7341_channels"], dtype=np.int64),
        clear_halves=_halves(row, spectral, assumed),
        gain=gain,
        integration_ms=integration_ms,
        full_scale=min(COUNTS_MAX, round(integration_ms / STEP_MS)),
        saturated=False,  # what was saturated got no grade, so it is no sample
        calibration=spectral,
        recipe=recipe,
        brightness_per_mm2=height.brightness_per_mm2 if height.product_present else None,
        ranging=bool(NIR_LIT & set(row.get("quality_flags") or ())),
    )
    if _frames(row) > 1:
        height = _kept(height, row)
        assumed.append("geometry_kept")
    return Recomputed(height, light, fuse(height, light, recipe), tuple(assumed))


def stored_form(value: Any, decimals: int | None) -> Any:
    """`value` as its column holds it: a figure of type numeric is rounded half up, as the database rounds."""
    if decimals is None or value is None:
        return value
    # The database turns a double into 15 significant digits before it rounds.
    return float(Decimal(f"{value:.15g}").quantize(Decimal(1).scaleb(-decimals), ROUND_HALF_UP))


def _kept(height: TofAnalysis, row: Row) -> TofAnalysis:
    """`height` with the stored geometry in place of that of the one frame. Its flags are those of a whole piece."""
    stored = {
        "volume_mm3": row["vl53l8ch_volume_mm3"],
        "volume_mm3_u": row["vl53l8ch_volume_mm3_u"],
        "surface_uniformity": row["vl53l8ch_surface_uniformity"],
        "surface_uniformity_u": row["vl53l8ch_surface_uniformity_u"],
        "quality_score": row["vl53l8ch_quality_score"],
        "quality_score_u": row["vl53l8ch_quality_score_u"],
        "grade": row["vl53l8ch_grade"],
        "mass_g": row["vl53l8ch_mass_g"],
        "mass_g_u": row["vl53l8ch_mass_g_u"],
    }
    known = {name: value for name, value in stored.items() if value is not None}
    return dataclasses.replace(height, product_present=True, out_of_view=False, flags=(), **known)


def _frames(row: Row) -> int:
    """Height pictures that the stored geometry rests on."""
    details: Mapping[str, Mapping[str, Any]] = row["details"] or {}
    return details.get("tof", {}).get("frames", 1)


def _matrix(rows: Any) -> Array:
    return np.array(rows, dtype=np.float64)  # None becomes NaN


def _sigma(row: Row, assumed: list[str]) -> Array:
    stored = row["vl53l8ch_sigma_matrix"]
    if stored is not None:
        return _matrix(stored) / SIGMA_PER_MM
    assumed.append("sigma_assumed")
    return np.full((8, 8), SIGMA_ASSUMED_MM)


def _status(row: Row, assumed: list[str]) -> NDArray[np.uint8]:
    stored = row["vl53l8ch_status_matrix"]
    if stored is not None:
        return np.array([[NO_TARGET if cell is None else cell for cell in line] for line in stored], dtype=np.uint8)
    assumed.append("status_assumed")
    return np.where(np.isfinite(_matrix(row["vl53l8ch_distance_matrix"])), VALID, NO_TARGET).astype(np.uint8)


def _halves(row: Row, calibration: SpectralCalibration, assumed: list[str]) -> tuple[int, int]:
    stored = row["as7341_clear_halves"]
    if stored is not None:
        return stored[0], stored[1]
    assumed.append("halves_assumed")
    first, second = calibration.white_halves  # as if nothing had moved between them
    clear = row["as7341_channels"][CLEAR]
    return round(clear * first), round(clear * second)
