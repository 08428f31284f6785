"""Non-negative least squares against a search through all sixteen sets of pigments."""

from itertools import combinations

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from quality.unmixing import _PIGMENTS, fit_pigments


def best_of_all_sets(absorption: np.ndarray) -> float:
    """Least residual over every set of pigments whose plain least-squares solution is not negative."""
    best = float(absorption @ absorption)
    for size in range(1, 5):
        for chosen in combinations(range(4), size):
            columns = _PIGMENTS[:, chosen]
            solution = np.linalg.lstsq(columns, absorption, rcond=None)[0]
            if solution.min() >= 0.0:
                left = absorption - columns @ solution
                best = min(best, float(left @ left))
    return best


@given(values=st.lists(st.floats(-0.5, 3.0), min_size=6, max_size=6))
@settings(max_examples=200)
def test_no_other_set_of_pigments_explains_more(values: list[float]) -> None:
    absorption = np.array(values)
    fit = fit_pigments(absorption, np.ones(6))
    found = fit.projector @ absorption
    left = absorption - _PIGMENTS @ found
    assert found.min() >= -1e-12
    assert float(left @ left) <= best_of_all_sets(absorption) * (1.0 + 1e-6) + 1e-9
