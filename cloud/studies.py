"""Calibrations and challenge tests as ingest understands them: reports in events, checked against the science. Pure.

A report that cannot be computed with is refused like any message that is not one: the device hears where it is wrong.
"""

from collections.abc import Mapping
from datetime import datetime
from typing import Any

import msgspec

from contract.bounds import Severity
from contract.errors import ContractError
from contract.messages import Event
from contract.studies import CalibrationRecord, CalibrationReport, ChallengeRecord
from quality.calibration import SpectralCalibration, TofCalibration
from quality.texts import Language

Report = CalibrationReport | ChallengeRecord
Calibration = TofCalibration | SpectralCalibration
REPORTS: dict[str, type[CalibrationReport] | type[ChallengeRecord]] = {
    "calibration": CalibrationReport,
    "challenge": ChallengeRecord,
}
CALIBRATIONS: dict[str, type[TofCalibration] | type[SpectralCalibration]] = {
    "tof": TofCalibration,
    "spectral": SpectralCalibration,
}

# Conditions that last until the opposite is shown, not until some samples are good: the alert, gravity, words.
STUDY_ALERTS: dict[str, tuple[Severity, str, str]] = {
    "calibration_drift": (
        "warning",
        "Étalonnage {sensor} : {figure} a dérivé de {before} à {after} (limite {limit})",
        "Calibration {sensor}: {figure} drifted from {before} to {after} (limit {limit})",
    ),
    "calibration_expired": (
        "warning",
        "Étalonnage {sensor} expiré depuis le {since}",
        "Calibration {sensor} expired on {since}",
    ),
    "challenge_failed": (
        "critical",
        "Essai de référence {reference} échoué : {reason}",
        "Challenge test {reference} failed: {reason}",
    ),
    "challenge_overdue": (
        "warning",
        "Essai de référence {reference} en retard depuis le {since}",
        "Challenge test {reference} overdue since {since}",
    ),
}


def read_report(event: Event) -> Report | None:
    """What an event reports; None for kinds that report nothing. Raises ContractError with the path in the message."""
    kind = REPORTS.get(event.kind)
    if kind is None:
        return None
    try:
        report = msgspec.convert(event.data, kind)
    except msgspec.ValidationError as error:
        reason, _, path = str(error).partition(" - at `$")
        raise ContractError("$.data" + path.rstrip("`"), reason) from None
    if isinstance(report, CalibrationReport):
        for number, record in enumerate(report.calibrations):
            _check(record, f"$.data.calibrations[{number}].values")
    return report


def calibration_of(sensor: str, values: Mapping[str, Any]) -> Calibration:
    """The calibration that stored values describe. Raises msgspec.ValidationError."""
    return msgspec.convert(dict(values), CALIBRATIONS[sensor])


def _check(record: CalibrationRecord, path: str) -> None:
    try:
        calibration_of(record.sensor, record.values)
    except msgspec.ValidationError as error:
        reason, _, inner = str(error).partition(" - at `$")
        raise ContractError(path + inner.rstrip("`"), reason) from None


Broken = dict[str, dict[str, float | str]]


def verdict_of(report: Report) -> tuple[Broken, frozenset[str]]:
    """The alerts that a report calls for, with their parameters, and the alerts that it ends."""
    return _of_calibration(report) if isinstance(report, CalibrationReport) else _of_challenge(report)


def _of_calibration(report: CalibrationReport) -> tuple[Broken, frozenset[str]]:
    for record in report.calibrations:
        for drift in record.drift:
            if drift.is_beyond:
                values: dict[str, float | str] = {"figure": drift.figure, "limit": drift.limit}
                values |= {"before": drift.before, "after": drift.after}
                return {"calibration_drift": {"sensor": record.sensor, **values}}, frozenset()
    return {}, frozenset({"calibration_drift"} if report.calibrations else set[str]())


def _of_challenge(report: ChallengeRecord) -> tuple[Broken, frozenset[str]]:
    if report.passed:
        return {}, frozenset({"challenge_failed"})
    failed = [line.figure for line in report.lines if not line.passed]
    reason = report.refused or ", ".join(failed) or "no figure was judged"
    return {"challenge_failed": {"reference": report.reference, "reason": reason}}, frozenset()


def words(alert_type: str, parameters: Mapping[str, float | str], language: Language) -> str:
    """The alert in the site's language, at most as long as its column in the contract."""
    _, french, english = STUDY_ALERTS[alert_type]
    shown = {name: f"{value:.6g}" if isinstance(value, float) else value for name, value in parameters.items()}
    return (french if language == "fr" else english).format(**shown)[:500]


def day(moment: datetime) -> str:
    """A date as an alert says it."""
    return f"{moment:%Y-%m-%d}"
