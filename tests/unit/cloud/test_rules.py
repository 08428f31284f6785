"""What an event of a device says about its alerts: how grave it is, in whose words, and when it is over."""

from datetime import datetime
from typing import Any

import pytest

from cloud.alerts import Occurrence
from cloud.judge import EventFact
from cloud.rules import observation_of_event
from cloud.store.samples import Place
from contract import decode
from contract.messages import Event
from contract.topics import DeviceTopic
from quality.texts import Language
from tests.kit.samples import as_bytes, event
from tests.unit.cloud.test_alerts import LOW, NOW, Device, seen

ABSENT = {"code": "sensor_absent", "params": {"chip": "VL53L8CH"}}


def fact(kind: str, seq: int = 1, at: datetime = NOW, **changes: Any) -> EventFact:
    message = event(seq, kind, **(changes | {"timestamp": at.isoformat()}))
    address = DeviceTopic("LL", "line1", "ESP32_LL_01", "event", ())
    return EventFact(address, Place("ESP32_LL_01", "LL", "line1"), decode(Event, as_bytes(message)))


def fault(
    severity: str = "critical", reason: dict[str, Any] = ABSENT, chip: Any = "VL53L8CH", **more: Any
) -> EventFact:
    return fact("sensor_fault", severity=severity, reason=reason, data={"chip": chip, "reason": "NAK"}, **more)


def recovered(*failing: str, **more: Any) -> EventFact:
    return fact("sensor_recovered", data={"chip": "VL53L8CH", "failing": list(failing)}, **more)


def occurrence(told: EventFact, language: Language = "fr") -> Occurrence:
    observation = observation_of_event(told, language=language)
    assert observation is not None
    (found,) = observation.occurrences
    return found


def device_after(*events: EventFact) -> Device:
    device = Device()
    device.sees(seen(LOW))
    for each in events:
        observation = observation_of_event(each, language="fr")
        if observation is not None:
            device.sees(observation)
    return device


@pytest.mark.parametrize(("sent", "stored"), [("critical", "critical"), ("warning", "warning"), ("info", "critical")])
def test_a_fault_is_as_grave_as_the_device_says_and_critical_where_it_says_nothing(sent: str, stored: str) -> None:
    assert occurrence(fault(sent)).severity == stored


@pytest.mark.parametrize(
    ("language", "words"),
    [
        ("fr", "Défaut de capteur : VL53L8CH ne répond pas"),
        ("en", "Sensor fault: the VL53L8CH does not answer"),
    ],
)
def test_a_fault_is_told_in_the_language_of_the_site(language: Language, words: str) -> None:
    found = occurrence(fault(), language)
    assert found.message == words
    assert found.parameters == {"reason": "sensor_absent", "chip": "VL53L8CH"}


def test_words_of_other_senders_are_shown_as_they_are() -> None:
    assert occurrence(fault(reason={"code": "i2c {0} lost"})).message == "Défaut de capteur : i2c {0} lost"
    assert occurrence(fault(chip=7)).message == "Défaut de capteur : sensor_absent"
    assert occurrence(fact("ungraded", reason={"code": "?"}), "en").message == "Product not graded: ?"
    assert (
        occurrence(fact("ungraded", reason={"code": "off_centre"}), "en").message
        == "Not graded: product beside the light"
    )


def test_a_recovery_ends_the_alert_of_the_sensors_and_no_other() -> None:
    device = device_after(fault(), recovered())
    assert device.states() == {"quality_low": "unacknowledged", "sensor_fault": "returned_unacknowledged"}


def test_a_recovery_in_another_lot_ends_it_as_well() -> None:
    device = device_after(fault(lot_id=7), recovered(lot_id=8))
    assert device.states()["sensor_fault"] == "returned_unacknowledged"


def test_the_alert_stands_while_another_sensor_fails() -> None:
    device = device_after(fault(), fault(chip="AS7341"), recovered("AS7341"))
    assert device.states()["sensor_fault"] == "unacknowledged"
    assert device_after(fault(), recovered("AS7341"), recovered()).states()["sensor_fault"] != "unacknowledged"


def test_a_simulated_fault_and_other_news_are_no_alert() -> None:
    for kind in ("simulated_fault", "restart", "cfg_applied", "clock_step"):
        assert observation_of_event(fact(kind, severity="critical"), language="fr") is None
