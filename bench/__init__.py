"""Measured figures: `python -m bench NAME` prints a table, `--json` one JSON object; `make bench` runs them all.

A bench module has `run(quick: bool) -> list[Figure]`. Speeds are ratios of two things measured in the same run, because
the machine is shared and noisy; a target that is missed is printed as missed.
"""
