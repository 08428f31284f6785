"""Samples of real pieces for tests: bodies of known shape, judged by the very functions of the line, as a device sends
them: what is analysed is what is sent, whole millimetres and counts."""

from datetime import datetime
from typing import Any

import msgspec
import numpy as np

from cloud.reanalysis import STEP_MS
from quality.calibration import SpectralCalibration, TofCalibration, nominal_tof_calibration
from quality.fusion import FusionResult, fuse
from quality.geometry import analyse_tof
from quality.recipe import DEFAULT_RECIPE, Recipe
from quality.spectrum import analyse_spectrum
from tests.kit.samples import event, sample
from tests.unit.quality import scenes

TOF = nominal_tof_calibration(scenes.BELT_MM, "LL-tof-1")
SPECTRAL = SpectralCalibration(
    id="LL-light-1",
    dark_counts=tuple(scenes.DARK.tolist()),
    white_counts=tuple(scenes.WHITE.tolist()),
    white_clear_halves=(float(scenes.WHITE[8]), float(scenes.WHITE[8])),
    gain=scenes.GAIN,
    integration_ms=scenes.INTEGRATION_MS,
    white_reflectance=1.0,
)
CHANNELS = (
    "F1_415nm",
    "F2_445nm",
    "F3_480nm",
    "F4_515nm",
    "F5_555nm",
    "F6_590nm",
    "F7_630nm",
    "F8_680nm",
    "Clear",
    "NIR",
)
TOF_FIGURES = (
    "volume_mm3", "volume_mm3_u", "surface_uniformity", "surface_uniformity_u", "quality_score", "quality_score_u",
    "grade", "avg_distance_mm", "std_distance_mm", "avg_reflectance", "mass_g", "mass_g_u",
)  # fmt: skip
LIGHT_FIGURES = (
    "freshness_index", "freshness_index_u", "fat_quality_index", "fat_quality_index_u", "oxidation_index",
    "oxidation_index_u", "quality_score", "quality_score_u", "ratio_red_nir", "ratio_clear_nir", "lightness", "delta_e",
)  # fmt: skip
FUSION_FIGURES = (
    "final_score", "final_score_u", "final_grade", "is_compliant", "weight_tof", "weight_spectral", "confidence_level",
    "grade_probability",
)  # fmt: skip


def calibrated(at: datetime, seq: int = 1) -> dict[str, Any]:
    """The event that tells of both calibrations."""
    records = [
        {
            "calibration_id": each.id,
            "sensor": sensor,
            "procedure": procedure,
            "measured_at": at.isoformat(),
            "values": msgspec.to_builtins(each),
        }
        for each, sensor, procedure in ((TOF, "tof", "belt"), (SPECTRAL, "spectral", "dark_white"))
    ]
    return event(seq, "calibration", timestamp=at.isoformat(), data={"calibrations": records})


def piece(seq: int, at: datetime, *, recipe: Recipe = DEFAULT_RECIPE, tof: TofCalibration = TOF) -> dict[str, Any]:
    """The `seq`-th message of a device: a piece whose size and pigments follow from `seq`."""
    rng = np.random.default_rng(seq)
    body = scenes.Dome(a=60.0 + rng.uniform(0, 14), b=50.0 + rng.uniform(0, 10), c=44.0 + rng.uniform(0, 12))
    seen = scenes.zone_means(body.distance(scenes.BELT_MM))
    distance = np.rint(scenes.noisy(seen, rng))
    sigma = np.rint(scenes.sigma_of(seen) * 128.0)
    height = analyse_tof(
        distance,
        sigma_mm=sigma / 128.0,
        reflectance_pct=np.full((8, 8), 50.5),
        status=np.full((8, 8), 5, dtype=np.uint8),
        calibration=tof,
        recipe=recipe,
    )
    nine = scenes.reflectance(haem_mm=rng.uniform(0.02, 0.12), met=rng.uniform(0.05, 0.8), scatter=rng.uniform(14, 24))
    counts, halves = scenes.counts_of(nine, rng=rng)
    light = analyse_spectrum(
        counts,
        clear_halves=halves,
        gain=SPECTRAL.gain,
        integration_ms=SPECTRAL.integration_ms,
        full_scale=round(SPECTRAL.integration_ms / STEP_MS),
        saturated=False,
        calibration=SPECTRAL,
        recipe=recipe,
        brightness_per_mm2=height.brightness_per_mm2,
    )
    verdict = fuse(height, light, recipe)
    assert isinstance(verdict, FusionResult), verdict
    cells = {
        "distance_matrix": distance,
        "reflectance_matrix": np.full((8, 8), 101),
        "amplitude_matrix": np.zeros((8, 8)),
    }
    cells |= {"status_matrix": np.full((8, 8), 5), "sigma_matrix": sigma}
    settings = {"gain": SPECTRAL.gain, "integration_ms": SPECTRAL.integration_ms}
    return sample(
        seq,
        at=at,
        recipe=recipe.label,
        calibration={"tof": tof.id, "spectral": SPECTRAL.id},
        piece_id=f"p{seq}",
        vl53l8ch={
            "raw": {name: matrix.astype(int).tolist() for name, matrix in cells.items()},
            "analysis": {name: getattr(height, name) for name in TOF_FIGURES} | {"roughness_mm": height.roughness_mm},
        },
        as7341={
            "raw": {**dict(zip(CHANNELS, counts.tolist(), strict=True)), "clear_halves": list(halves)},
            "analysis": {name: getattr(light, name) for name in LIGHT_FIGURES} | settings,
        },
        fusion={name: getattr(verdict, name) for name in FUSION_FIGURES},
    )
