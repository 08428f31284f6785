"""Statistical process control: is the line the same as yesterday, and is that good enough?

Individuals and moving-range chart, EWMA chart, the four Western Electric rules, and capability with confidence limits.
Control limits come from the process itself and never from the specification; capability compares the two and is only
worth something while the chart shows control: `Capability.stable` says so.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from math import erf, exp, inf, lgamma, log, sqrt

import numpy as np
from numpy.typing import NDArray

from quality.errors import require

Array = NDArray[np.float64]

D2_OF_TWO = 1.1283791670955126  # 2 / sqrt(pi): mean range of two normal values over their standard deviation
D4_OF_TWO = 3.2665320  # 1 + 3 d3 / d2 for ranges of two (ISO 7870-2)
POINTS_MIN = 8


@dataclass(frozen=True, slots=True)
class Signal:
    """A rule of the Western Electric handbook that point `index` completes. rule: 1 to 4.

    1: one point beyond 3 sigma. 2: two of three beyond 2 sigma on one side. 3: four of five beyond 1 sigma on one side.
    4: eight in a row on one side.
    """

    index: int
    rule: int


@dataclass(frozen=True, slots=True)
class Chart:
    """A control chart: the points drawn, centre, limits (the last ones, where they move), and what they signal."""

    points: tuple[float, ...]
    centre: float
    lower: float
    upper: float
    sigma: float
    signals: tuple[Signal, ...]


@dataclass(frozen=True, slots=True)
class Capability:
    """Cp and Cpk from short-term sigma (moving range), Pp and Ppk from overall; with limits at the given confidence.

    None where a specification is one-sided and the figure does not exist. stable: the individuals chart has no signal.
    """

    cp: float | None
    cp_low: float | None
    cp_high: float | None
    cpk: float
    cpk_low: float
    cpk_high: float
    pp: float | None
    ppk: float
    n: int
    stable: bool


def individuals_chart(values: Sequence[float], *, frozen: tuple[float, float] | None = None) -> Chart:
    """Individuals chart; frozen: (centre, sigma) from an earlier study. Raises QualityError under 8 finite values."""
    x = _checked(values)
    if frozen is None:
        centre, sigma = float(x.mean()), moving_range_sigma(x)
    else:
        centre, sigma = frozen
        require(sigma > 0.0, "frozen", "sigma must be positive")
    return Chart(tuple(x.tolist()), centre, centre - 3.0 * sigma, centre + 3.0 * sigma, sigma,
                 western_electric(x, centre, sigma))  # fmt: skip


def moving_range_chart(values: Sequence[float]) -> Chart:
    """Moving ranges of two; only rule 1 is meant for them."""
    ranges = np.abs(np.diff(_checked(values)))
    mean = float(ranges.mean())
    upper = D4_OF_TWO * mean
    signals = tuple(Signal(int(index), 1) for index in np.flatnonzero(ranges > upper))
    return Chart(tuple(ranges.tolist()), mean, 0.0, upper, mean / D2_OF_TWO, signals)


def moving_range_sigma(x: Array) -> float:
    """Short-term standard deviation: mean moving range over d2."""
    return float(np.abs(np.diff(x)).mean()) / D2_OF_TWO


def ewma_chart(
    values: Sequence[float], *, weight: float = 0.2, width: float = 3.0, target: float | None = None,
    sigma: float | None = None,
) -> Chart:  # fmt: skip
    """Exponentially weighted moving average, with the exact limits of each point (wider later).

    weight: of the newest value, above 0 to 1. Drifts of one sigma show in some ten points. Raises QualityError.
    """
    require(0.0 < weight <= 1.0, "weight", "must be above 0 and at most 1")
    x = _checked(values)
    centre = float(x.mean()) if target is None else target
    spread = moving_range_sigma(x) if sigma is None else sigma
    points: list[float] = []
    signals: list[Signal] = []
    average, half = centre, 0.0
    for index, value in enumerate(x.tolist()):
        average += weight * (value - average)
        half = width * spread * sqrt(weight / (2.0 - weight) * (1.0 - (1.0 - weight) ** (2 * (index + 1))))
        points.append(average)
        if abs(average - centre) > half:
            signals.append(Signal(index, 1))
    return Chart(tuple(points), centre, centre - half, centre + half, spread, tuple(signals))


def western_electric(x: Array, centre: float, sigma: float) -> tuple[Signal, ...]:
    """Return the signals of the four rules in the order of the points."""
    if sigma <= 0.0:
        return ()
    z = (np.asarray(x) - centre) / sigma
    found = [Signal(int(index), 1) for index in np.flatnonzero(np.abs(z) > 3.0)]
    for rule, needed, window, beyond in ((2, 2, 3, 2.0), (3, 4, 5, 1.0), (4, 8, 8, 0.0)):
        for side in (z, -z):
            over = side > beyond
            if len(over) < window:
                continue
            counts = np.convolve(over, np.ones(window), mode="valid")
            ends = np.flatnonzero((counts >= needed) & over[window - 1 :]) + window - 1
            found += [Signal(int(index), rule) for index in ends]
    return tuple(sorted(found, key=lambda signal: (signal.index, signal.rule)))


def capability(
    values: Sequence[float], *, lower: float | None, upper: float | None, confidence: float = 0.95
) -> Capability:
    """Compare a process with its specification. Raises QualityError without any limit, or where nothing varies.

    Limits of Cp from the chi-square distribution of the variance, of Cpk after Bissell (1990), both for n - 1 degrees
    of freedom of the overall deviation; the moving range has about 0.6 of them, which is what is used for Cp and Cpk.
    """
    x = _checked(values)
    require(lower is not None or upper is not None, "lower", "or upper must be given")
    low, high = -inf if lower is None else lower, inf if upper is None else upper
    require(low < high, "upper", "must exceed lower")
    require(0.5 <= confidence < 1.0, "confidence", "must be within 0.5..1")
    n, mean = len(x), float(x.mean())
    short, overall = moving_range_sigma(x), float(x.std(ddof=1))
    require(short > 0.0, "values", "must vary")
    freedom = 0.62 * (n - 1)  # of a mean moving range of two (ISO 22514-2, annex)
    cp = (high - low) / (6.0 * short) if low > -inf and high < inf else None
    cpk = min(high - mean, mean - low) / (3.0 * short)
    tail = (1.0 - confidence) / 2.0
    half = normal_quantile(1.0 - tail) * sqrt(1.0 / (9.0 * n) + cpk**2 / (2.0 * freedom))
    factors = (sqrt(chi2_quantile(tail, freedom) / freedom), sqrt(chi2_quantile(1.0 - tail, freedom) / freedom))
    return Capability(
        cp=cp,
        cp_low=None if cp is None else cp * factors[0],
        cp_high=None if cp is None else cp * factors[1],
        cpk=cpk,
        cpk_low=cpk - half,
        cpk_high=cpk + half,
        pp=(high - low) / (6.0 * overall) if cp is not None else None,
        ppk=min(high - mean, mean - low) / (3.0 * overall),
        n=n,
        stable=not individuals_chart(values).signals,
    )


def normal_quantile(p: float) -> float:
    """Return the value that a standard normal variable exceeds with probability 1 - p, 0 < p < 1."""
    return _root(lambda x: 0.5 * (1.0 + erf(x / sqrt(2.0))) - p, -10.0, 10.0)


def chi2_quantile(p: float, freedom: float) -> float:
    """Return the p-quantile of the chi-square distribution, 0 < p < 1, freedom > 0, not necessarily whole."""
    return _root(lambda x: _gamma_p(freedom / 2.0, x / 2.0) - p, 0.0, freedom + 20.0 * sqrt(2.0 * freedom) + 40.0)


def f_tail(value: float, first: float, second: float) -> float:
    """Return the probability that an F variable with (first, second) degrees of freedom exceeds `value`."""
    if value <= 0.0:
        return 1.0
    x = second / (second + first * value)
    return _beta_i(second / 2.0, first / 2.0, x)


def _root(function: Callable[[float], float], low: float, high: float) -> float:
    for _ in range(200):
        middle = 0.5 * (low + high)
        if function(middle) < 0.0:
            low = middle
        else:
            high = middle
    return 0.5 * (low + high)


def _gamma_p(a: float, x: float) -> float:
    """Regularised lower incomplete gamma function, by its series (converges for every x, in O(x) terms)."""
    if x <= 0.0:
        return 0.0
    term = total = 1.0 / a
    k = a
    while term > 1e-16 * total:
        k += 1.0
        term *= x / k
        total += term
    return min(1.0, total * exp(a * log(x) - x - lgamma(a)))


def _beta_i(a: float, b: float, x: float) -> float:
    """Regularised incomplete beta function: the integral by Gauss-Legendre after a substitution that tames the ends."""
    if x <= 0.0:
        return 0.0
    if x >= 1.0:
        return 1.0
    if x > (a + 1.0) / (a + b + 2.0):
        return 1.0 - _beta_i(b, a, 1.0 - x)
    nodes, weights = np.polynomial.legendre.leggauss(80)
    # t = x s^k with k = 1 / a for a < 1 would be exact at 0; k = 4 is smooth enough for a >= 0.5.
    s = 0.5 * (nodes + 1.0)
    t = x * s**4
    density = t ** (a - 1.0) * (1.0 - t) ** (b - 1.0) * 4.0 * x * s**3
    front = exp(lgamma(a + b) - lgamma(a) - lgamma(b))
    return float(min(1.0, front * 0.5 * float(weights @ density)))


def _checked(values: Sequence[float]) -> Array:
    x = np.asarray(values, dtype=np.float64)
    require(x.ndim == 1 and len(x) >= POINTS_MIN, "values", f"must hold at least {POINTS_MIN} numbers, holds {x.size}")
    require(bool(np.isfinite(x).all()), "values", "must be finite")
    return x
