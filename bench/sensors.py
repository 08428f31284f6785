"""Figures of the sensors and of their simulation: one module per chip, named here."""

import importlib

from bench.figures import Figure

PARTS = ("bench.sensors_tof",)  # each has run(quick) -> list[Figure]


def run(quick: bool) -> list[Figure]:
    """All chips, one after the other."""
    return [figure for part in PARTS for figure in importlib.import_module(part).run(quick)]
