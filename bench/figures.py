"""One measured figure, its target, and how tables of them look."""

import json
import statistics
from collections.abc import Sequence
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Figure:
    """`value` in `unit`; `target` as words with a bound, or None where the issue asks for none yet.

    ok: whether the target is met, None without a target. note: how it was measured, in a few words.
    """

    name: str
    value: float
    unit: str
    target: str | None = None
    ok: bool | None = None
    note: str = ""


def as_json(figures: Sequence[Figure]) -> str:
    """One JSON object: figure name to value, unit, target, ok."""
    return json.dumps(
        {each.name: {"value": each.value, "unit": each.unit, "target": each.target, "ok": each.ok} for each in figures}
    )


def as_table(figures: Sequence[Figure]) -> str:
    """A Markdown table, readable as it stands."""
    rows = ["| Figure | Value | Target | Met | How |", "|---|---|---|---|---|"]
    for each in figures:
        met = {True: "yes", False: "**no**", None: ""}[each.ok]
        rows.append(f"| {each.name} | {each.value:.4g} {each.unit} | {each.target or ''} | {met} | {each.note} |")
    return "\n".join(rows)


def percentile(values: Sequence[float], share: float) -> float:
    """The value that `share` (0 to 1) of `values` do not exceed, by nearest rank. Raises ValueError when empty."""
    if not values:
        raise ValueError("no values to take a percentile of")
    ordered = sorted(values)
    return ordered[min(len(ordered) - 1, max(0, round(share * len(ordered) + 0.5) - 1))]


def median(values: Sequence[float]) -> float:
    """The middle of `values`."""
    return statistics.median(values)
