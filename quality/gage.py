"""Gage R&R: how much of what differs between measurements is the measurement, by analysis of variance.

Crossed study: every part measured equally often by every appraiser (a person who places the piece, or a device). An
interaction that is not significant is pooled with repeatability, as AIAG's MSA manual does. Negative estimates of a
variance are reported as 0: they mean "too small to see".
"""

from dataclasses import dataclass
from math import sqrt

import numpy as np
from numpy.typing import NDArray

from quality.errors import require
from quality.spc import f_tail

Array = NDArray[np.float64]

POOL_ABOVE = 0.25  # probability of an interaction as large by chance, from which on it is pooled
NDC_FACTOR = 1.41  # AIAG MSA, 4th edition, chapter III
GOOD, ACCEPTABLE = 0.10, 0.30  # of the total variation: the manual's limits


@dataclass(frozen=True, slots=True)
class GageStudy:
    """Standard deviations, in the unit of the data, and their shares of the total (0 to 1; they add in quadrature).

    ndc: number of distinct categories. interaction_p: probability of such an interaction by chance. verdict: good,
    marginal or unacceptable by the share of R&R. p_t: 6 R&R over the tolerance, None without one.
    """

    repeatability: float
    reproducibility: float
    interaction: float
    rr: float
    part: float
    total: float
    rr_share: float
    ndc: int
    interaction_p: float
    pooled: bool
    p_t: float | None
    verdict: str


def gage_rr(readings: Array, *, tolerance: float | None = None) -> GageStudy:
    """Analyse readings (parts, appraisers, trials). Raises QualityError for fewer than 2 of each or missing values."""
    data = np.asarray(readings, dtype=np.float64)
    require(
        data.ndim == 3 and min(data.shape) >= 2, "readings", f"must be (parts, appraisers, trials), is {data.shape}"
    )
    require(bool(np.isfinite(data).all()), "readings", "must be finite: a crossed study has no holes")
    require(tolerance is None or tolerance > 0.0, "tolerance", "must be positive")
    parts, appraisers, trials = data.shape
    mean = float(data.mean())
    by_part, by_appraiser, by_cell = data.mean(axis=(1, 2)), data.mean(axis=(0, 2)), data.mean(axis=2)
    ss_part = appraisers * trials * float(((by_part - mean) ** 2).sum())
    ss_appraiser = parts * trials * float(((by_appraiser - mean) ** 2).sum())
    ss_both = trials * float(((by_cell - by_part[:, None] - by_appraiser + mean) ** 2).sum())
    ss_within = float(((data - by_cell[:, :, None]) ** 2).sum())
    df_both, df_within = (parts - 1) * (appraisers - 1), parts * appraisers * (trials - 1)
    require(
        ss_within > 1e-12 * (ss_part + ss_appraiser + ss_within),
        "readings",
        "repeat exactly: the resolution hides the repeatability",
    )
    ms_both, ms_within = ss_both / df_both, ss_within / df_within
    chance = f_tail(ms_both / ms_within, df_both, df_within)
    pooled = chance > POOL_ABOVE
    if pooled:
        ms_within = ms_both = (ss_both + ss_within) / (df_both + df_within)
    var_both = max(0.0, (ms_both - ms_within) / trials)
    var_appraiser = max(0.0, (ss_appraiser / (appraisers - 1) - ms_both) / (parts * trials))
    var_part = max(0.0, (ss_part / (parts - 1) - ms_both) / (appraisers * trials))
    var_rr = ms_within + var_both + var_appraiser
    rr, total = sqrt(var_rr), sqrt(var_rr + var_part)
    share = rr / total
    return GageStudy(
        repeatability=sqrt(ms_within),
        reproducibility=sqrt(var_appraiser + var_both),
        interaction=sqrt(var_both),
        rr=rr,
        part=sqrt(var_part),
        total=total,
        rr_share=share,
        ndc=int(NDC_FACTOR * sqrt(var_part) / rr),
        interaction_p=chance,
        pooled=pooled,
        p_t=None if tolerance is None else 6.0 * rr / tolerance,
        verdict="good" if share < GOOD else "marginal" if share <= ACCEPTABLE else "unacceptable",
    )
