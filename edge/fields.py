"""What the analysis found, in the words of the contract."""

from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from contract.bounds import DISTANCE_MM_MAX, KCPS_MAX, REFLECTANCE_MAX, SIGMA_MAX, VOLUME_MM3_MAX
from contract.sample import Anomaly, Fusion, SpectralAnalysis, TofAnalysis, TofRaw
from drivers.frames import SpectralFrame, TofFrame
from quality import fusion, geometry, spectrum
from quality.calibration import TofCalibration
from quality.scan import ScanAnalysis

SIGMA_PER_MM = 128.0

Matrix = list[list[int | None]]


def tof_raw(frame: TofFrame) -> TofRaw:
    """A ranging frame in the integers of the contract; null where there was no valid target."""
    return TofRaw(
        distance_matrix=integers(frame.distance_mm, DISTANCE_MM_MAX),
        reflectance_matrix=integers(2.0 * frame.reflectance_pct, REFLECTANCE_MAX),
        amplitude_matrix=integers(frame.signal_kcps, KCPS_MAX),
        status_matrix=frame.status.tolist(),
        ambient_matrix=integers(frame.ambient_kcps, KCPS_MAX),
        sigma_matrix=integers(SIGMA_PER_MM * frame.sigma_mm, SIGMA_MAX),
    )


def as_sent(frame: TofFrame) -> TofFrame:
    """The frame with what is analysed rounded to the integers that are sent, so that anybody can repeat the analysis.

    Whole millimetres add 0.29 mm (one standard deviation) to zones whose own noise is one to three.
    """
    return replace(
        frame,
        distance_mm=np.clip(np.rint(frame.distance_mm), 0.0, DISTANCE_MM_MAX),
        reflectance_pct=np.clip(np.rint(2.0 * frame.reflectance_pct), 0.0, REFLECTANCE_MAX) / 2.0,
        sigma_mm=np.clip(np.rint(SIGMA_PER_MM * frame.sigma_mm), 0.0, SIGMA_MAX) / SIGMA_PER_MM,
    )


def integers(values: NDArray[np.float64], most: int) -> Matrix:
    """`values` rounded and held within 0 to `most`, as rows; null for NaN."""
    seen = np.isfinite(values)
    rounded = np.clip(np.rint(np.where(seen, values, 0.0)), 0, most).astype(np.int64)
    rows: Matrix = rounded.tolist()
    for row, column in np.argwhere(~seen):
        rows[row][column] = None
    return rows


def tof_analysis(
    tof: geometry.TofAnalysis, calibration: TofCalibration, scan: ScanAnalysis | None, travel: str | None
) -> TofAnalysis:
    """The analysis of a picture, or of a piece made with `scan`; travel: how the belt's was known."""
    return TofAnalysis(
        volume_mm3=min(tof.volume_mm3, VOLUME_MM3_MAX),
        volume_mm3_u=tof.volume_mm3_u,
        surface_uniformity=tof.surface_uniformity,
        surface_uniformity_u=tof.surface_uniformity_u,
        quality_score=tof.quality_score,
        quality_score_u=tof.quality_score_u,
        grade=tof.grade,
        avg_distance_mm=tof.avg_distance_mm,
        std_distance_mm=tof.std_distance_mm,
        avg_reflectance=tof.avg_reflectance,
        mass_g=tof.mass_g,
        mass_g_u=tof.mass_g_u,
        belt_distance_mm=calibration.belt_plane[0] - tof.belt_shift_mm,
        footprint_mm2=tof.footprint_mm2,
        length_mm=None if scan is None else scan.length_mm,
        width_mm=None if scan is None else scan.width_mm,
        thickness_mm=tof.height_max_mm,
        roughness_mm=tof.roughness_mm,
        frames=None if scan is None else scan.frames,
        travel="encoder" if travel == "encoder" else "pictures" if travel else None,
        anomalies=[] if scan is None else anomalies_of(scan),
    )


def anomalies_of(scan: ScanAnalysis) -> list[Anomaly]:
    """The spots on a piece, the gravest first."""
    return [
        Anomaly(
            kind=each.kind,
            along_mm=round(each.along_mm, 1),
            across_mm=round(each.across_mm, 1),
            area_mm2=each.area_mm2,
            peak=round(each.peak, 3),
            severity=round(each.severity, 3),
        )
        for each in scan.anomalies
    ]


def spectral_analysis(light: spectrum.SpectralAnalysis, frame: SpectralFrame, *, laser: bool) -> SpectralAnalysis:
    """The analysis of a spectrum. laser: it lay in the light of the ranging chip, so that its NIR means nothing."""
    return SpectralAnalysis(
        freshness_index=light.freshness_index,
        freshness_index_u=light.freshness_index_u,
        fat_quality_index=light.fat_quality_index,
        fat_quality_index_u=light.fat_quality_index_u,
        oxidation_index=light.oxidation_index,
        oxidation_index_u=light.oxidation_index_u,
        quality_score=light.quality_score,
        quality_score_u=light.quality_score_u,
        ratio_red_nir=None if laser else light.ratio_red_nir,
        ratio_clear_nir=None if laser else light.ratio_clear_nir,
        gain=frame.gain,
        integration_ms=frame.integration_ms,
        led_ma=float(frame.led_ma),
        lightness=light.lightness,
        lightness_u=light.lightness_u,
        a_star=light.a_star,
        a_star_u=light.a_star_u,
        b_star=light.b_star,
        b_star_u=light.b_star_u,
        delta_e=light.delta_e,
        delta_e_u=light.delta_e_u,
        haem_mm=light.haem_mm,
        haem_mm_u=light.haem_mm_u,
        methaem_fraction=min(1.0, max(0.0, light.methaem_fraction)),
        yellow_mm=light.yellow_mm,
        yellow_mm_u=light.yellow_mm_u,
        reflectance=[round(max(0.0, value), 4) for value in light.reflectance[:8]] or None,
    )


def fusion_of(verdict: fusion.FusionResult) -> Fusion:
    """The verdict in the contract's words."""
    return Fusion(
        final_score=verdict.final_score,
        final_score_u=verdict.final_score_u,
        final_grade=verdict.final_grade,
        is_compliant=verdict.is_compliant,
        weight_tof=verdict.weight_tof,
        weight_spectral=verdict.weight_spectral,
        confidence_level=verdict.confidence_level,
        grade_probability=verdict.grade_probability,
    )
