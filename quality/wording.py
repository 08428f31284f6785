"""The results of the analysis in the words of the contract, for whoever makes a sample of them."""

from contract import sample as wire
from contract.bounds import VOLUME_MM3_MAX
from quality.fusion import FusionResult
from quality.geometry import TofAnalysis
from quality.spectrum import SpectralAnalysis


def tof_words(tof: TofAnalysis, belt_distance_mm: float) -> wire.TofAnalysis:
    """The analysis of a height picture. belt_distance_mm: of the belt as it was while this was seen."""
    return wire.TofAnalysis(
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
        belt_distance_mm=belt_distance_mm,
    )


def spectral_words(
    light: SpectralAnalysis, *, gain: float, integration_ms: float, led_ma: float | None
) -> wire.SpectralAnalysis:
    """The analysis of a spectrum and the settings it was taken with."""
    return wire.SpectralAnalysis(
        freshness_index=light.freshness_index,
        freshness_index_u=light.freshness_index_u,
        fat_quality_index=light.fat_quality_index,
        fat_quality_index_u=light.fat_quality_index_u,
        oxidation_index=light.oxidation_index,
        oxidation_index_u=light.oxidation_index_u,
        quality_score=light.quality_score,
        quality_score_u=light.quality_score_u,
        ratio_red_nir=light.ratio_red_nir,
        ratio_clear_nir=light.ratio_clear_nir,
        gain=gain,
        integration_ms=integration_ms,
        led_ma=led_ma,
    )


def fusion_words(verdict: FusionResult) -> wire.Fusion:
    """The verdict."""
    return wire.Fusion(
        final_score=verdict.final_score,
        final_score_u=verdict.final_score_u,
        final_grade=verdict.final_grade,
        is_compliant=verdict.is_compliant,
        weight_tof=verdict.weight_tof,
        weight_spectral=verdict.weight_spectral,
        confidence_level=verdict.confidence_level,
        grade_probability=verdict.grade_probability,
    )


def reason_words(verdict: FusionResult) -> list[wire.Reason]:
    """Why, the gravest first."""
    return [wire.Reason(code=each.code, params=dict(each.parameters)) for each in verdict.reasons]
