"""The science: geometry, reflectance, indices, fusion, grades, alert rules. Pure functions, no I/O.

Read in the order of the data: `geometry` and `spectrum` turn frames into figures with the help of a `calibration`,
`scan` does the same with a whole pass, `fusion` makes a grade of them by the numbers of a `recipe`, `alerts` says what
calls for attention, and `texts` says it in words. Beside them: `spc`, `gage` and `challenge` watch the process and the
device. Every figure, its formula and what it is not: docs/science.md.
"""

from quality.alerts import Violation, violations
from quality.anomalies import Anomaly
from quality.calibration import (
    SpectralCalibration,
    TofCalibration,
    calibrate_belt,
    calibrate_spectrum,
    expire,
    nominal_tof_calibration,
)
from quality.challenge import Challenge, Expected, Reference, judge_challenge
from quality.errors import QualityError
from quality.fusion import FusionResult, Reason, Ungraded, fuse
from quality.gage import GageStudy, gage_rr
from quality.gauge import gauge_factor, joint_factor
from quality.geometry import TofAnalysis, analyse_tof
from quality.grades import GRADES, Grade, GradeLimits, grade_of
from quality.piece import piece_of
from quality.recipe import DEFAULT_RECIPE, AlertLimits, Recipe, SpectralRules, TofRules
from quality.scan import ScanAnalysis, Speed, analyse_scan, estimate_speed
from quality.spc import Capability, Chart, capability, ewma_chart, individuals_chart
from quality.spectrum import SpectralAnalysis, analyse_spectrum, learn_reference
from quality.texts import text

__all__ = [
    "DEFAULT_RECIPE",
    "GRADES",
    "AlertLimits",
    "Anomaly",
    "Capability",
    "Challenge",
    "Chart",
    "Expected",
    "FusionResult",
    "GageStudy",
    "Grade",
    "GradeLimits",
    "QualityError",
    "Reason",
    "Recipe",
    "Reference",
    "ScanAnalysis",
    "SpectralAnalysis",
    "SpectralCalibration",
    "SpectralRules",
    "Speed",
    "TofAnalysis",
    "TofCalibration",
    "TofRules",
    "Ungraded",
    "Violation",
    "analyse_scan",
    "analyse_spectrum",
    "analyse_tof",
    "calibrate_belt",
    "calibrate_spectrum",
    "capability",
    "estimate_speed",
    "ewma_chart",
    "expire",
    "fuse",
    "gage_rr",
    "gauge_factor",
    "grade_of",
    "individuals_chart",
    "joint_factor",
    "judge_challenge",
    "learn_reference",
    "nominal_tof_calibration",
    "piece_of",
    "text",
    "violations",
]
