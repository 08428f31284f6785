"""The life cycle of alerts (ISA-18.2): pure transitions on one device's open alerts; the store keeps them.

At most one alert is open per device, rule and lot. It counts its occurrences; it returns after a few samples in a row
without the violation (hysteresis delays only the return, never the alarm), or when the next lot begins:

    (none) ──violation──► unacknowledged ──acknowledge──► acknowledged
                           ▲          │ good samples           │ good samples
                           │violation ▼                        ▼
                          returned_unacknowledged ──acknowledge──► cleared

A shelved alert counts on in silence; when its time is over the next sample moves it to where it belongs. When one piece
is both rejected and of critical quality, the rejection speaks for both: `is_notified` is false for the other.
"""

import uuid
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime

from contract.bounds import Severity
from contract.messages import Alarm, AlarmState

# A condition of the device, not of its pieces: no number of good samples ends it, only what ends the condition itself.
STANDING = frozenset({"calibration_drift", "calibration_expired", "challenge_failed", "challenge_overdue"})
GOOD_TO_RETURN = 3  # samples in a row; fewer would ring again and again for a score that hovers around its limit
RECORD_ONLY_AGE_S = 120.0  # older than this it goes into the history and rings no bell

Parameters = Mapping[str, float | str]


@dataclass(frozen=True, slots=True)
class Occurrence:
    """One rule broken by one sample or event."""

    alert_type: str
    severity: Severity
    message: str
    parameters: Parameters


@dataclass(frozen=True, slots=True)
class Observation:
    """What one sample or event of a device says about its alerts."""

    device_id: str
    site_code: str
    line: str
    at: datetime
    lot_id: int | None
    sample_id: str | None
    occurrences: Sequence[Occurrence]
    keeps_the_rest: bool = True  # whether rules that are not in `occurrences` are thereby kept
    ended: frozenset[str] = frozenset()  # conditions that are over, by the type of their alert


@dataclass(frozen=True, slots=True)
class OpenAlert:
    """One alert's life cycle. `alert_id` is the row of its last occurrence in the history."""

    alarm_id: uuid.UUID
    device_id: str
    alert_type: str
    lot_id: int | None
    site_code: str
    line: str | None
    severity: Severity
    state: AlarmState
    occurrences: int
    good_streak: int
    is_notified: bool
    first_at: datetime
    last_at: datetime
    sample_id: str | None
    alert_id: int | None
    message: str
    params: Parameters = field(default_factory=dict[str, "float | str"])
    shelved_until: datetime | None = None


def observe(
    open_alerts: Sequence[OpenAlert],
    observation: Observation,
    *,
    alert_ids: Sequence[int],
    new_id: Callable[[], uuid.UUID],
) -> list[OpenAlert]:
    """Return the alerts that this observation opens or moves on, cleared ones among them.

    `open_alerts` are those of the device that are not cleared; `alert_ids` the history rows of the occurrences, one
    each. What is returned takes the place of its namesake for the next observation.
    """
    assert len(alert_ids) == len(observation.occurrences)
    by_key = {(alert.alert_type, alert.lot_id): alert for alert in open_alerts}
    broken = {occurrence.alert_type for occurrence in observation.occurrences}
    moved: list[OpenAlert] = []
    for occurrence, alert_id in zip(observation.occurrences, alert_ids, strict=True):
        known = by_key.pop((occurrence.alert_type, observation.lot_id), None)
        speaks = not (occurrence.alert_type == "quality_critical" and "grade_reject" in broken)
        if known is None:
            moved.append(_opened(observation, occurrence, alert_id, new_id(), is_notified=speaks))
        else:
            moved.append(_again(known, observation, occurrence, alert_id, is_notified=speaks or known.is_notified))
    for alert in by_key.values():
        if alert.alert_type in observation.ended:
            moved.append(_better(replace(alert, good_streak=GOOD_TO_RETURN), observation))
        elif observation.keeps_the_rest and alert.alert_type not in STANDING:
            moved.append(_better(alert, observation))
    return moved


def acknowledge(alert: OpenAlert) -> OpenAlert:
    """Return the alert as a person's acknowledgement leaves it; one that is acknowledged or cleared stays as it is."""
    if alert.state == "unacknowledged":
        return replace(alert, state="acknowledged")
    if alert.state == "returned_unacknowledged":
        return replace(alert, state="cleared")
    return alert


def alarm_of(alert: OpenAlert) -> Alarm:
    """Return the message that tells everybody where the alert stands."""
    return Alarm(
        id=str(alert.alarm_id),
        state=alert.state,
        alert_type=alert.alert_type,
        severity=alert.severity,
        message=alert.message,
        first_at=alert.first_at,
        last_at=alert.last_at,
        count=alert.occurrences,
        site_code=alert.site_code,
        device_id=alert.device_id,
        line=alert.line,
        lot_id=alert.lot_id,
        sample_id=alert.sample_id,
        alert_id=alert.alert_id,
        params=dict(alert.params),
    )


def _opened(
    seen: Observation, occurrence: Occurrence, alert_id: int, alarm_id: uuid.UUID, *, is_notified: bool
) -> OpenAlert:
    return OpenAlert(
        alarm_id=alarm_id,
        device_id=seen.device_id,
        alert_type=occurrence.alert_type,
        lot_id=seen.lot_id,
        site_code=seen.site_code,
        line=seen.line,
        severity=occurrence.severity,
        state="unacknowledged",
        occurrences=1,
        good_streak=0,
        is_notified=is_notified,
        first_at=seen.at,
        last_at=seen.at,
        sample_id=seen.sample_id,
        alert_id=alert_id,
        message=occurrence.message,
        params=dict(occurrence.parameters),
    )


def _again(
    alert: OpenAlert, seen: Observation, occurrence: Occurrence, alert_id: int, *, is_notified: bool
) -> OpenAlert:
    """The violation is there once more: count it; what had returned rings again, what is shelved stays silent."""
    state = alert.state
    if state == "returned_unacknowledged" or (state == "shelved" and _is_over(alert, seen.at)):
        state = "unacknowledged"
    return replace(
        alert,
        state=state,
        severity=occurrence.severity,
        occurrences=alert.occurrences + 1,
        good_streak=0,
        is_notified=is_notified,
        last_at=max(alert.last_at, seen.at),
        sample_id=seen.sample_id,
        alert_id=alert_id,
        message=occurrence.message,
        params=dict(occurrence.parameters),
        shelved_until=alert.shelved_until if state == "shelved" else None,
    )


def _better(alert: OpenAlert, seen: Observation) -> OpenAlert:
    """A sample without the violation: one step towards the return; the end of the lot is the whole way."""
    streak = GOOD_TO_RETURN if seen.lot_id != alert.lot_id else alert.good_streak + 1
    state = alert.state
    if streak >= GOOD_TO_RETURN:
        if state == "unacknowledged":
            state = "returned_unacknowledged"
        elif state == "acknowledged" or (state == "shelved" and _is_over(alert, seen.at)):
            state = "cleared"
    return replace(alert, state=state, good_streak=min(streak, GOOD_TO_RETURN))


def _is_over(alert: OpenAlert, now: datetime) -> bool:
    return alert.shelved_until is not None and alert.shelved_until <= now
