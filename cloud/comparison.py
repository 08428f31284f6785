"""Two analyses of the same samples side by side, summed up while they pass: nothing grows with their number. Pure."""

from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from math import sqrt
from typing import Any

import msgspec

from cloud.reanalysis import FIELDS, Recomputed, Skipped, stored_form
from quality.fusion import Ungraded
from quality.grades import GRADES

Row = Mapping[str, Any]

UNGRADED = "UNGRADED"
EXAMPLES_MAX = 20
BINS = 20  # of indices and scores, 0 to 1
SHIFTED = (
    "fusion_final_score", "vl53l8ch_volume_mm3", "vl53l8ch_surface_uniformity", "vl53l8ch_quality_score",
    "as7341_freshness_index", "as7341_fat_quality_index", "as7341_oxidation_index", "as7341_quality_score",
)  # fmt: skip
LINE_COLUMNS = (
    "time", "sample_id", "device_id", "piece_id", "recipe_before", "outcome", "grade_before", "grade_after",
    "score_before", "score_after", "score_shift", "is_compliant_before", "is_compliant_after", "volume_mm3_before",
    "volume_mm3_after", "freshness_before", "freshness_after", "oxidation_before", "oxidation_after", "assumed",
    "differs_in",
)  # fmt: skip


class Shift(msgspec.Struct, frozen=True):
    """How a figure moved: means, mean and standard deviation of the change, and how often each twentieth of 0 to 1
    was met before and after (none for volumes)."""

    figure: str
    n: int
    mean_before: float
    mean_after: float
    mean_shift: float
    sd_shift: float
    min_shift: float
    max_shift: float
    histogram_before: list[int] | None
    histogram_after: list[int] | None


class FieldDifference(msgspec.Struct, frozen=True):
    """A stored figure that did not come back: in how many samples, and by how much at most (null for a word)."""

    field: str
    samples: int
    max_abs: float | None


class Exactness(msgspec.Struct, frozen=True):
    """Whether a second analysis gives the stored values back, bit for bit as stored.

    identical: samples without any difference. differences: by field. among_complete: samples with a difference although
    nothing had to be assumed. examples: some of them.
    """

    compared: int
    identical: int
    among_complete: int
    differences: list[FieldDifference]
    examples: list[str]


class ComparisonReport(msgspec.Struct, frozen=True, kw_only=True):
    """What another recipe would have made of a period. The stored samples are as they were.

    recipe: its label, or `original` where each sample was analysed with its own. confusion: by grade before and after.
    """

    recipe: str
    start: str
    end: str
    device_id: str | None
    samples: int
    recomputed: int
    skipped: dict[str, int]
    ungraded: dict[str, int]
    assumed: dict[str, int]
    grades_changed: int
    better: int
    worse: int
    became_compliant: int
    became_non_compliant: int
    confusion: dict[str, dict[str, int]]
    shifts: list[Shift]
    exactness: Exactness
    is_truncated: bool
    seconds: float
    samples_per_s: float


@dataclass(slots=True)
class _Running:
    """Sums of one figure, before and after."""

    n: int = 0
    before: float = 0.0
    after: float = 0.0
    mean: float = 0.0
    squares: float = 0.0
    least: float = 0.0
    most: float = 0.0
    bins_before: list[int] = field(default_factory=lambda: [0] * BINS)
    bins_after: list[int] = field(default_factory=lambda: [0] * BINS)

    def add(self, before: float, after: float) -> None:
        """One more pair; mean and spread of the change by Welford's recurrence."""
        self.n += 1
        self.before += before
        self.after += after
        shift = after - before
        delta = shift - self.mean
        self.mean += delta / self.n
        self.squares += delta * (shift - self.mean)
        self.least = shift if self.n == 1 else min(self.least, shift)
        self.most = shift if self.n == 1 else max(self.most, shift)
        for value, bins in ((before, self.bins_before), (after, self.bins_after)):
            if 0.0 <= value <= 1.0:
                bins[min(BINS - 1, int(value * BINS))] += 1

    def report(self, figure: str) -> Shift:
        """As it stands."""
        n = self.n
        is_index = figure != "vl53l8ch_volume_mm3"
        return Shift(
            figure,
            n,
            round(self.before / n, 6),
            round(self.after / n, 6),
            round(self.mean, 6),
            round(sqrt(self.squares / (n - 1)), 6) if n > 1 else 0.0,
            round(self.least, 6),
            round(self.most, 6),
            self.bins_before if is_index else None,
            self.bins_after if is_index else None,
        )


class Comparison:
    """Takes each sample with its second analysis and gives back the line for the list of samples."""

    def __init__(self) -> None:
        self.samples = 0
        self.recomputed = 0
        self.skipped: Counter[str] = Counter()
        self.ungraded: Counter[str] = Counter()
        self.assumed: Counter[str] = Counter()
        self.confusion: Counter[tuple[str, str]] = Counter()
        self.compliance: Counter[tuple[bool, bool]] = Counter()
        self._shifts = {name: _Running() for name in SHIFTED}
        self._differs: Counter[str] = Counter()
        self._widest: dict[str, float] = {}
        self._identical = 0
        self._among_complete = 0
        self._examples: list[str] = []

    def add(self, row: Row, found: Recomputed | Skipped) -> list[Any]:
        """Count one sample; its line, in the order of LINE_COLUMNS."""
        self.samples += 1
        if isinstance(found, Skipped):
            self.skipped[found.reason] += 1
            return _line(row, found.reason)
        self.recomputed += 1
        self.assumed.update(found.assumed)
        after = {each.column: stored_form(each.of(found), each.decimals) for each in FIELDS}
        grade = after["fusion_final_grade"] or UNGRADED
        if isinstance(found.verdict, Ungraded):
            self.ungraded[found.verdict.reason] += 1
        self.confusion[row["fusion_final_grade"], grade] += 1
        self.compliance[bool(row["fusion_is_compliant"]), bool(after["fusion_is_compliant"])] += 1
        for name, running in self._shifts.items():
            if row[name] is not None and after[name] is not None:
                running.add(row[name], after[name])
        differs = self._compare(row, after, found)
        outcome = "ungraded" if grade == UNGRADED else "recomputed"
        return _line(row, outcome, after, assumed=found.assumed, differs=differs)

    def _compare(self, row: Row, after: Mapping[str, Any], found: Recomputed) -> list[str]:
        differs = [name for name, value in after.items() if value != row[name]]
        if not differs:
            self._identical += 1
            return differs
        self._differs.update(differs)
        for name in differs:
            before, value = row[name], after[name]
            if isinstance(before, float) and isinstance(value, float):
                self._widest[name] = max(self._widest.get(name, 0.0), abs(value - before))
        if not found.assumed:
            self._among_complete += 1
            if len(self._examples) < EXAMPLES_MAX:
                self._examples.append(row["sample_id"])
        return differs

    def report(
        self, *, recipe: str, start: str, end: str, device_id: str | None, is_truncated: bool, seconds: float
    ) -> ComparisonReport:
        """As it stands."""
        changed = {pair: count for pair, count in self.confusion.items() if pair[0] != pair[1]}
        order = {grade: place for place, grade in enumerate((*GRADES, UNGRADED))}
        better = sum(count for (old, new), count in changed.items() if order[new] < order[old])
        confusion = {
            old: {new: self.confusion[old, new] for new in order if self.confusion[old, new]}
            for old in order
            if any(self.confusion[old, new] for new in order)
        }
        return ComparisonReport(
            recipe=recipe,
            start=start,
            end=end,
            device_id=device_id,
            samples=self.samples,
            recomputed=self.recomputed,
            skipped=dict(self.skipped),
            ungraded=dict(self.ungraded),
            assumed=dict(self.assumed),
            grades_changed=sum(changed.values()),
            better=better,
            worse=sum(changed.values()) - better,
            became_compliant=self.compliance[False, True],
            became_non_compliant=self.compliance[True, False],
            confusion=confusion,
            shifts=[running.report(name) for name, running in self._shifts.items() if running.n],
            exactness=Exactness(
                compared=self.recomputed,
                identical=self._identical,
                among_complete=self._among_complete,
                differences=[
                    FieldDifference(name, count, self._widest.get(name)) for name, count in self._differs.most_common()
                ],
                examples=self._examples,
            ),
            is_truncated=is_truncated,
            seconds=round(seconds, 3),
            samples_per_s=round(self.samples / seconds, 1) if seconds > 0 else 0.0,
        )


def _line(
    row: Row,
    outcome: str,
    after: Mapping[str, Any] | None = None,
    *,
    assumed: tuple[str, ...] = (),
    differs: list[str] | None = None,
) -> list[Any]:
    new = after or {}
    score = new.get("fusion_final_score")
    shift = None if score is None else round(score - row["fusion_final_score"], 4)
    return [
        row["time"].isoformat(), row["sample_id"], row["device_id"], row["piece_id"], row["recipe"], outcome,
        row["fusion_final_grade"], new.get("fusion_final_grade"), row["fusion_final_score"], score, shift,
        row["fusion_is_compliant"], new.get("fusion_is_compliant"), row["vl53l8ch_volume_mm3"],
        new.get("vl53l8ch_volume_mm3"), row["as7341_freshness_index"], new.get("as7341_freshness_index"),
        row["as7341_oxidation_index"], new.get("as7341_oxidation_index"), " ".join(assumed), " ".join(differs or ()),
    ]  # fmt: skip


def as_text(report: ComparisonReport) -> str:
    """The report as a person reads it."""
    return "\n".join(_lines(report)) + "\n"


def _lines(report: ComparisonReport) -> Iterator[str]:
    where = report.device_id or "every device"
    yield f"{report.samples} samples of {where} from {report.start} to {report.end}, analysed with {report.recipe}"
    if report.is_truncated:
        yield "there are more: this is the first part of the period"
    yield f"{report.recomputed} recomputed at {report.samples_per_s:.0f} samples/s"
    for what, counts in (("skipped", report.skipped), ("now without grade", report.ungraded), ("note", report.assumed)):
        yield from (f"  {what}: {count} {reason}" for reason, count in sorted(counts.items()))
    yield ""
    yield f"grades changed: {report.grades_changed} ({report.better} better, {report.worse} worse)"
    yield f"became compliant: {report.became_compliant}; became non-compliant: {report.became_non_compliant}"
    names = (*GRADES, UNGRADED)
    yield "before \\ after " + "".join(f"{name:>10}" for name in names)
    for old, counts in report.confusion.items():
        yield f"{old:<15}" + "".join(f"{counts.get(name, 0):>10}" for name in names)
    yield ""
    yield f"{'figure':<30}{'before':>14}{'after':>14}{'shift':>12}{'sd':>12}"
    for shift in report.shifts:
        yield (
            f"{shift.figure:<30}{shift.mean_before:>14.4f}{shift.mean_after:>14.4f}"
            f"{shift.mean_shift:>12.4f}{shift.sd_shift:>12.4f}"
        )
    yield ""
    exact = report.exactness
    yield f"stored values that came back bit for bit: {exact.identical} of {exact.compared} samples"
    for each in exact.differences:
        widest = "" if each.max_abs is None else f", at most {each.max_abs:.6g} off"
        yield f"  {each.field}: differs in {each.samples} samples{widest}"
