"""The science: geometry, reflectance, indices, fusion, grades, alert rules. Pure functions, no I/O.

Read in the order of the data: `geometry` and `spectrum` turn frames into figures with the help of a `calibration`,
`fusion` makes a grade of them by the numbers of a `recipe`, `alerts` says what calls for attention, and `texts` says
it in words. Every figure, its formula and what it is not: docs/science.md.
"""

from quality.alerts import Violation, violations
from quality.calibration import (
    SpectralCalibration,
    TofCalibration,
    calibrate_belt,
    calibrate_spectrum,
    nominal_tof_calibration,
)
from quality.errors import QualityError
from quality.fusion import FusionResult, Reason, Ungraded, fuse
from quality.geometry import TofAnalysis, analyse_tof
from quality.grades import GRADES, Grade, GradeLimits, grade_of
from quality.recipe import DEFAULT_RECIPE, AlertLimits, Recipe, SpectralRules, TofRules
from quality.spectrum import SpectralAnalysis, analyse_spectrum, learn_reference
from quality.texts import text

__all__ = [
    "DEFAULT_RECIPE",
    "GRADES",
    "AlertLimits",
    "FusionResult",
    "Grade",
    "GradeLimits",
    "QualityError",
    "Reason",
    "Recipe",
    "SpectralAnalysis",
    "SpectralCalibration",
    "SpectralRules",
    "TofAnalysis",
    "TofCalibration",
    "TofRules",
    "Ungraded",
    "Violation",
    "analyse_spectrum",
    "analyse_tof",
    "calibrate_belt",
    "calibrate_spectrum",
    "fuse",
    "grade_of",
    "learn_reference",
    "nominal_tof_calibration",
    "text",
    "violations",
]
