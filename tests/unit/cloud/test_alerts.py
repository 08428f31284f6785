"""Goal: the life cycle of an alert holds for any order of violations, good samples, lots and acknowledgements."""

import itertools
import uuid
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from cloud.alerts import (
    GOOD_TO_RETURN,
    Observation,
    Occurrence,
    OpenAlert,
    acknowledge,
    alarm_of,
    is_news,
    observe,
    rings,
    shelve,
    unshelve,
)

NOW = datetime(2026, 3, 2, 8, 0, tzinfo=UTC)
LOW = Occurrence("quality_low", "warning", "Score qualité faible", {"value": 0.5, "limit": 0.6})
REJECT = Occurrence("grade_reject", "critical", "Produit rejeté", {"value": 0.3})
CRITICAL = Occurrence("quality_critical", "critical", "Score critique", {"value": 0.3, "limit": 0.4})


def seen(*occurrences: Occurrence, lot: int | None = None, at: int = 0, **more: Any) -> Observation:
    return Observation(
        device_id="ESP32_LL_01",
        site_code="LL",
        line="line1",
        at=NOW + timedelta(seconds=at),
        lot_id=lot,
        sample_id=f"s{at}",
        occurrences=list(occurrences),
        **more,
    )


class Device:
    """Keeps the open alerts of one device as the store does."""

    def __init__(self) -> None:
        self.alerts: dict[uuid.UUID, OpenAlert] = {}
        self.ids = itertools.count(1)
        self.history = itertools.count(1)

    @property
    def open(self) -> list[OpenAlert]:
        return [alert for alert in self.alerts.values() if alert.state != "cleared"]

    def sees(self, observation: Observation) -> None:
        for alert in observe(self.open, observation, new_id=lambda: uuid.UUID(int=next(self.ids))):
            known = alert if alert.alert_id is not None else replace(alert, alert_id=next(self.history))
            self.alerts[alert.alarm_id] = known

    def states(self) -> dict[str, str]:
        return {alert.alert_type: alert.state for alert in self.alerts.values()}


def test_one_violation_rings_and_more_count_in_the_same_alert() -> None:
    device = Device()
    for at in range(3):
        device.sees(seen(LOW, at=at))
    (alert,) = device.open
    assert (alert.state, alert.occurrences, alert.alert_id, alert.sample_id) == ("unacknowledged", 3, 1, "s2")
    assert (alert.first_at, alert.last_at) == (NOW, NOW + timedelta(seconds=2))


def test_a_lighter_occurrence_does_not_play_a_graver_one_down() -> None:
    device = Device()
    lost = Occurrence("sensor_fault", "critical", "Défaut", {"reason": "silent"})
    worn = Occurrence("sensor_fault", "warning", "Usure", {"reason": "slow"})
    for at, each in enumerate((worn, lost, worn)):
        device.sees(seen(each, at=at, keeps_the_rest=False))
    (alert,) = device.open
    assert (alert.severity, alert.message, alert.occurrences) == ("critical", "Usure", 3)


def test_it_returns_only_after_several_good_samples_in_a_row() -> None:
    device = Device()
    device.sees(seen(LOW))
    for at in range(1, GOOD_TO_RETURN):
        device.sees(seen(at=at))
    assert device.states() == {"quality_low": "unacknowledged"}
    device.sees(seen(LOW, at=10))
    for at in range(11, 11 + GOOD_TO_RETURN):
        device.sees(seen(at=at))
    assert device.states() == {"quality_low": "returned_unacknowledged"}


def test_what_had_returned_rings_again() -> None:
    device = Device()
    device.sees(seen(LOW))
    for at in range(1, 1 + GOOD_TO_RETURN):
        device.sees(seen(at=at))
    device.sees(seen(LOW, at=9))
    (alert,) = device.open
    assert (alert.state, alert.occurrences) == ("unacknowledged", 2)


def test_acknowledged_then_good_is_cleared_and_the_next_violation_is_a_new_alert() -> None:
    device = Device()
    device.sees(seen(LOW))
    device.alerts = {key: acknowledge(alert) for key, alert in device.alerts.items()}
    for at in range(1, 1 + GOOD_TO_RETURN):
        device.sees(seen(at=at))
    assert device.open == []
    device.sees(seen(LOW, at=9))
    assert len(device.alerts) == 2
    assert len(device.open) == 1


def test_acknowledging_what_has_returned_clears_it() -> None:
    device = Device()
    device.sees(seen(LOW))
    for at in range(1, 1 + GOOD_TO_RETURN):
        device.sees(seen(at=at))
    (alert,) = device.open
    assert acknowledge(alert).state == "cleared"
    assert acknowledge(acknowledge(alert)).state == "cleared"


def test_the_end_of_a_lot_returns_its_alerts() -> None:
    device = Device()
    device.sees(seen(LOW, lot=1))
    device.sees(seen(LOW, lot=2, at=1))
    by_lot = {alert.lot_id: alert.state for alert in device.open}
    assert by_lot == {1: "returned_unacknowledged", 2: "unacknowledged"}


def test_a_rejected_piece_of_critical_quality_is_told_once() -> None:
    device = Device()
    device.sees(seen(CRITICAL, REJECT))
    told = {alert.alert_type: alert.is_notified for alert in device.open}
    assert told == {"quality_critical": False, "grade_reject": True}
    device.sees(seen(CRITICAL, at=1))
    assert all(alert.is_notified for alert in device.open)


def test_a_shelved_alert_counts_in_silence_until_its_time_is_over() -> None:
    device = Device()
    device.sees(seen(LOW))
    (alert,) = device.open
    device.alerts[alert.alarm_id] = replace(alert, state="shelved", shelved_until=NOW + timedelta(seconds=60))
    device.sees(seen(LOW, at=30))
    assert device.states() == {"quality_low": "shelved"}
    device.sees(seen(LOW, at=61))
    (alert,) = device.open
    assert (alert.state, alert.occurrences, alert.shelved_until) == ("unacknowledged", 3, None)


def test_a_shelved_alert_that_is_good_when_its_time_is_over_is_cleared() -> None:
    device = Device()
    device.sees(seen(LOW))
    (alert,) = device.open
    device.alerts[alert.alarm_id] = replace(alert, state="shelved", shelved_until=NOW + timedelta(seconds=60))
    for at in (10, 20, 30, 61):
        device.sees(seen(at=at))
    assert device.open == []


def test_an_event_says_nothing_about_other_rules() -> None:
    device = Device()
    device.sees(seen(LOW))
    fault = Occurrence("sensor_fault", "critical", "Défaut", {"reason": "nak"})
    for at in range(1, 6):
        device.sees(seen(fault, at=at, keeps_the_rest=False))
    assert device.states() == {"quality_low": "unacknowledged", "sensor_fault": "unacknowledged"}


def test_the_alarm_says_what_the_alert_is() -> None:
    device = Device()
    device.sees(seen(LOW, lot=7))
    alarm = alarm_of(device.open[0])
    assert (alarm.state, alarm.count, alarm.lot_id, alarm.alert_id) == ("unacknowledged", 1, 7, 1)
    assert alarm.params == {"value": 0.5, "limit": 0.6}


def test_what_flaps_is_one_alert_that_is_told_a_few_times_and_rings_once() -> None:
    """1,000 samples, every other one bad, is one life cycle; its messages grow with the logarithm of its count."""
    device = Device()
    told = rung = 0
    for at in range(1_000):
        before = dict(device.alerts)
        device.sees(seen(*([LOW] if at % 2 else []), at=at))
        for key, alert in device.alerts.items():
            told += is_news(before.get(key), alert) and before.get(key) != alert
            rung += rings(before.get(key), alert) and before.get(key) != alert
    (alert,) = device.alerts.values()
    assert (alert.occurrences, alert.state) == (500, "unacknowledged")
    assert told == 9  # at 1, 2, 4 … 256
    assert rung == 1


def test_even_a_violation_that_returns_each_time_is_one_alert_until_somebody_looks() -> None:
    device = Device()
    rung = 0
    for at in range(1_000):
        before = dict(device.alerts)
        device.sees(seen(*([] if at % 5 else [LOW]), at=at))
        rung += sum(rings(before.get(key), each) and before.get(key) != each for key, each in device.alerts.items())
    (alert,) = device.alerts.values()
    assert (alert.occurrences, alert.state, rung) == (200, "returned_unacknowledged", 1)


def test_an_alert_that_leaves_its_shelf_rings_unless_it_was_acknowledged() -> None:
    device = Device()
    device.sees(seen(LOW))
    (alert,) = device.open
    shelved = shelve(alert, NOW + timedelta(hours=1))
    assert (shelved.state, rings(alert, shelved)) == ("shelved", False)
    assert rings(shelved, unshelve(shelved))
    seen_by_a_person = acknowledge(shelved)
    assert seen_by_a_person.state == "shelved"
    assert unshelve(seen_by_a_person).state == "acknowledged"
    assert unshelve(replace(shelved, good_streak=GOOD_TO_RETURN)).state == "cleared"
    assert unshelve(alert) == alert


def test_samples_say_nothing_about_a_silent_device_and_the_watch_nothing_about_pieces() -> None:
    device = Device()
    silent = Occurrence("device_silent", "critical", "Appareil muet", {"value": 40})
    only = frozenset({"device_silent"})
    device.sees(seen(LOW))
    device.sees(seen(silent, at=1, judged=only, returns_at_once=True))
    for at in range(2, 8):
        device.sees(seen(at=at))
    assert device.states() == {"quality_low": "returned_unacknowledged", "device_silent": "unacknowledged"}
    device.sees(seen(at=9, judged=only, returns_at_once=True))
    assert device.states()["device_silent"] == "returned_unacknowledged"


STEPS = st.lists(
    st.tuples(
        st.sets(st.sampled_from([LOW.alert_type, REJECT.alert_type, CRITICAL.alert_type])),
        st.sampled_from([None, 1, 2]),
        st.booleans(),
    ),
    max_size=40,
)
BY_TYPE = {each.alert_type: each for each in (LOW, REJECT, CRITICAL)}


@given(STEPS)
def test_at_most_one_is_open_per_rule_and_lot_and_every_occurrence_is_counted(
    steps: list[tuple[set[str], int | None, bool]],
) -> None:
    device = Device()
    total = 0
    for at, (types, lot, acknowledges) in enumerate(steps):
        device.sees(seen(*(BY_TYPE[name] for name in sorted(types)), lot=lot, at=at))
        total += len(types)
        if acknowledges:
            device.alerts = {key: acknowledge(alert) for key, alert in device.alerts.items()}
        keys = [(alert.alert_type, alert.lot_id) for alert in device.open]
        assert len(keys) == len(set(keys))
        active = {alert.alert_type for alert in device.open if alert.state in ("unacknowledged", "acknowledged")}
        assert types <= active
    assert sum(alert.occurrences for alert in device.alerts.values()) == total
