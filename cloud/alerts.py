"""The life cycle of alerts (ISA-18.2): pure transitions on one device's open alerts; the store keeps them.

At most one alert is open per device, rule and lot. It counts its occurrences; it returns after a few samples in a row
without the violation (hysteresis delays only the return, never the alarm), or when the next lot begins:

    (none) ──violation──► unacknowledged ──acknowledge──► acknowledged
                           ▲          │ good samples           │ good samples
                           │violation ▼                        ▼
                          returned_unacknowledged ──acknowledge──► cleared

A life cycle is one row of the history, however often the violation comes and goes before somebody acknowledges it:
what flaps is one alert that counts. A shelved alert counts on in silence; when its time is over it moves to where it
belongs.
When one piece is both rejected and of critical quality, the rejection speaks for both: `is_notified` is false for the
other. Alerts of the watch (`WATCHED`) are about devices and services: samples say nothing about them.
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
WATCHED = frozenset({"device_silent", "clock", "ingest_lag", "notification_dead"})
SEVERITIES: tuple[Severity, ...] = ("info", "warning", "critical")

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
    """What one sample, event or look of the watch says about the alerts of a device, or of a site without one.

    keeps_the_rest: whether rules that are not in `occurrences` are thereby kept; judged: only these of them, None for
    all but conditions that stand by themselves. ended: conditions that are over, by the type of their alert.
    returns_at_once: nothing flaps here, one good look is enough.
    """

    device_id: str | None
    site_code: str
    line: str
    at: datetime
    lot_id: int | None
    sample_id: str | None
    occurrences: Sequence[Occurrence]
    keeps_the_rest: bool = True
    judged: frozenset[str] | None = None
    ended: frozenset[str] = frozenset()
    returns_at_once: bool = False

    def judges(self, alert_type: str) -> bool:
        """Whether the absence of a violation of this rule is news."""
        if alert_type in self.ended:
            return True
        if not self.keeps_the_rest:
            return False
        return alert_type not in WATCHED | STANDING if self.judged is None else alert_type in self.judged


@dataclass(frozen=True, slots=True)
class OpenAlert:
    """One alert's life cycle. `alert_id` is its row in the history, None until it has one."""

    alarm_id: uuid.UUID
    device_id: str | None
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
    is_acknowledged: bool = False


def observe(
    open_alerts: Sequence[OpenAlert], observation: Observation, *, new_id: Callable[[], uuid.UUID]
) -> list[OpenAlert]:
    """Return the alerts that this observation opens or moves on, cleared ones among them.

    `open_alerts` are those of the device, or of the site without one, that are not cleared. What is returned takes the
    place of its namesake for the next observation.
    """
    by_key = {(alert.alert_type, alert.lot_id): alert for alert in open_alerts}
    broken = {occurrence.alert_type for occurrence in observation.occurrences}
    moved: list[OpenAlert] = []
    for occurrence in observation.occurrences:
        known = by_key.pop((occurrence.alert_type, observation.lot_id), None)
        speaks = not (occurrence.alert_type == "quality_critical" and "grade_reject" in broken)
        if known is None:
            moved.append(_opened(observation, occurrence, new_id(), is_notified=speaks))
        else:
            moved.append(_again(known, observation, occurrence, is_notified=speaks or known.is_notified))
    moved.extend(_better(alert, observation) for alert in by_key.values() if observation.judges(alert.alert_type))
    return moved


def acknowledge(alert: OpenAlert) -> OpenAlert:
    """Return the alert as a person's acknowledgement leaves it; one that is acknowledged or cleared stays as it is.

    A shelved one stays shelved, and is acknowledged when its time is over.
    """
    match alert.state:
        case "unacknowledged":
            return replace(alert, state="acknowledged", is_acknowledged=True)
        case "returned_unacknowledged":
            return replace(alert, state="cleared", is_acknowledged=True)
        case "shelved":
            return replace(alert, is_acknowledged=True)
        case _:
            return alert


def shelve(alert: OpenAlert, until: datetime) -> OpenAlert:
    """Return the alert silenced until a time; one that is cleared stays as it is."""
    return alert if alert.state == "cleared" else replace(alert, state="shelved", shelved_until=until)


def unshelve(alert: OpenAlert) -> OpenAlert:
    """Return the alert as it stands without its shelf: where the violation is gone, it is cleared."""
    if alert.state != "shelved":
        return alert
    if alert.good_streak >= GOOD_TO_RETURN:
        return replace(alert, state="cleared", shelved_until=None)
    return replace(alert, state="acknowledged" if alert.is_acknowledged else "unacknowledged", shelved_until=None)


def is_news(before: OpenAlert | None, after: OpenAlert) -> bool:
    """Tell whether a change is worth a message: another state, or a count that has doubled; not each occurrence."""
    if not after.is_notified:
        return False
    if before is None or not before.is_notified:
        return True
    is_doubled = after.occurrences.bit_length() > before.occurrences.bit_length()
    return is_doubled or (before.state, before.severity, before.shelved_until) != (
        after.state,
        after.severity,
        after.shelved_until,
    )


def rings(before: OpenAlert | None, after: OpenAlert) -> bool:
    """Tell whether people have to be told: a new alert, one off its shelf or graver; not one that came and went."""
    if after.state != "unacknowledged" or not after.is_notified:
        return False
    if before is None or not before.is_notified or before.state == "shelved":
        return True
    return SEVERITIES.index(after.severity) > SEVERITIES.index(before.severity)


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


def _opened(seen: Observation, occurrence: Occurrence, alarm_id: uuid.UUID, *, is_notified: bool) -> OpenAlert:
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
        alert_id=None,
        message=occurrence.message,
        params=dict(occurrence.parameters),
    )


def _again(alert: OpenAlert, seen: Observation, occurrence: Occurrence, *, is_notified: bool) -> OpenAlert:
    """The violation is there once more: count it; what had returned rings again, what is shelved stays silent.

    An alert is as grave as its gravest occurrence until it is cleared: a later, lighter one does not play it down.
    """
    alert = replace(alert, good_streak=0)
    if alert.state == "returned_unacknowledged":
        alert = replace(alert, state="unacknowledged")
    elif _is_over(alert, seen.at):
        alert = unshelve(alert)
    return replace(
        alert,
        severity=max(alert.severity, occurrence.severity, key=SEVERITIES.index),
        occurrences=alert.occurrences + 1,
        is_notified=is_notified,
        last_at=max(alert.last_at, seen.at),
        sample_id=seen.sample_id,
        message=occurrence.message,
        params=dict(occurrence.parameters),
    )


def _better(alert: OpenAlert, seen: Observation) -> OpenAlert:
    """A look without the violation: one step towards the return; the end of the lot is the whole way."""
    is_whole_way = seen.returns_at_once or alert.alert_type in seen.ended or seen.lot_id != alert.lot_id
    streak = GOOD_TO_RETURN if is_whole_way else min(alert.good_streak + 1, GOOD_TO_RETURN)
    alert = replace(alert, good_streak=streak)
    if _is_over(alert, seen.at):
        return unshelve(alert)
    if streak < GOOD_TO_RETURN:
        return alert
    match alert.state:
        case "unacknowledged":
            return replace(alert, state="returned_unacknowledged")
        case "acknowledged":
            return replace(alert, state="cleared")
        case _:
            return alert


def _is_over(alert: OpenAlert, now: datetime) -> bool:
    return alert.state == "shelved" and alert.shelved_until is not None and alert.shelved_until <= now
