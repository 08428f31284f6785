"""One analysis of a piece from its pass and from the frame in which it lay under the light.

The pass knows volume, extent and surface better than any frame; only a frame knows how far the lit surface was from
the lamp while the spectrum was taken. Whoever fuses needs both as one `TofAnalysis`.
"""

from dataclasses import replace

from quality.geometry import TofAnalysis, score_tof
from quality.grades import grade_of
from quality.recipe import Recipe
from quality.scan import ScanAnalysis
from quality.surface import Surface

SCAN_FLAGS = (
    "out_of_view",
    "several_products",
    "belt_shifted",
    "zones_filled",
    "surface_unjudged",
    "tof_calibration_expired",
)
CUT = "out_of_view"  # a pass that is not whole has not seen the whole piece


def piece_of(scan: ScanAnalysis, middle: TofAnalysis, recipe: Recipe) -> TofAnalysis:
    """Return the frame's analysis with everything that the pass knows better put in its place.

    middle: the frame in which the spectrum was taken; its `off_centre` stands, its other doubts are the pass's.
    """
    if not scan.product_present:
        return replace(middle, product_present=False, flags=("no_product", *scan.flags))
    surface = Surface(
        scan.roughness_mm,
        scan.surface_uniformity,
        scan.surface_uniformity_u,
        judged="surface_unjudged" not in scan.flags,
    )
    verdict = score_tof(surface, scan.volume_mm3, scan.volume_mm3_u, validity=middle.validity, recipe=recipe)
    flags = [flag for flag in SCAN_FLAGS if flag in scan.flags]
    if "cut_at_ends" in scan.flags and CUT not in flags:
        flags.append(CUT)
    if "off_centre" in middle.flags:
        flags.append("off_centre")
    return replace(
        middle,
        product_present=True,
        out_of_view=CUT in flags,
        volume_mm3=scan.volume_mm3,
        volume_mm3_u=scan.volume_mm3_u,
        mass_g=scan.mass_g,
        mass_g_u=scan.mass_g_u,
        footprint_mm2=scan.footprint_mm2,
        height_max_mm=scan.thickness_mm,
        roughness_mm=scan.roughness_mm,
        surface_uniformity=scan.surface_uniformity,
        surface_uniformity_u=scan.surface_uniformity_u,
        volume_score=verdict.volume_score,
        quality_score=verdict.score,
        quality_score_u=verdict.score_u,
        grade=grade_of(verdict.score, recipe.grade_limits),
        belt_shift_mm=scan.belt_shift_mm,
        flags=tuple(flags),
    )
