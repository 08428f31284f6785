"""The questions of `bench queries` on the samples that a plant of three devices keeps: 23 million, about 17 GB.

It fills for a quarter of an hour or more, so `make bench` leaves it out; `make bench-large` runs it.
"""

from bench.figures import Figure
from bench.queries import LARGE_SAMPLES, QUICK_SAMPLES, ROUNDS, measure


def run(quick: bool) -> list[Figure]:
    """Fill, ask, return the figures."""
    return measure(QUICK_SAMPLES if quick else LARGE_SAMPLES, 1 if quick else ROUNDS)
