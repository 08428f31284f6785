"""Goal: a broker starts wherever one can be had, holds the limits we wrote down, and explains what is wrong.

Method: real Mosquitto and real iotcore on free ports; the limits are read back from the files that ship.
"""

import importlib.util
from collections.abc import Callable
from pathlib import Path

import pytest
from paho.mqtt.client import Client
from paho.mqtt.enums import CallbackAPIVersion, MQTTProtocolVersion

from sqal.parts import PartError, broker
from sqal.parts.broker import start_broker
from sqal.resources import resource_path
from tests.kit.fix_broker import OwnBroker
from tests.kit.ports import free_port


def connack_properties(port: int) -> dict[str, object]:
    """Connect with MQTT 5 and return what the broker announces."""
    seen: dict[str, object] = {}
    client = Client(CallbackAPIVersion.VERSION2, client_id="probe", protocol=MQTTProtocolVersion.MQTTv5)

    def on_connect(_client: object, _userdata: object, _flags: object, reason: object, properties: object) -> None:
        seen.update(vars(properties), reason=str(reason))
        client.disconnect()

    client.on_connect = on_connect
    client.connect("127.0.0.1", port)
    client.loop_forever()
    return seen


def settings(path: Path) -> dict[str, str]:
    lines = (line.strip() for line in path.read_text().splitlines())
    return dict(line.split(maxsplit=1) for line in lines if line and not line.startswith("#"))


def test_the_limits_that_ship_are_the_limits_announced(mosquitto: OwnBroker) -> None:
    announced = connack_properties(mosquitto.port)
    assert announced["reason"] == "Success"
    assert announced["MaximumPacketSize"] == 262_144
    assert announced["ReceiveMaximum"] == 1_000


def test_every_limit_is_written_out_and_none_is_unlimited() -> None:
    limits = settings(resource_path("broker/conf.d/limits.conf"))
    assert limits["max_inflight_messages"] == "1000"
    assert limits["max_queued_messages"] == "1000000"
    assert limits["max_packet_size"] == "262144"
    assert limits["persistence"] == "true"
    assert limits["autosave_interval"] == "5"
    assert limits["persistent_client_expiration"] == "14d"
    assert {"max_queued_bytes", "memory_limit", "max_keepalive"} <= set(limits)
    assert not [name for name, value in limits.items() if name.startswith("max_") and value == "0"]


def test_production_lets_nobody_in_without_certificate() -> None:
    production = settings(resource_path("broker/mosquitto.conf"))
    assert production["allow_anonymous"] == "false"
    assert production["require_certificate"] == "true"
    assert production["use_identity_as_username"] == "true"
    assert "max_connections" in production


def test_a_backlog_survives_a_clean_restart(mosquitto: OwnBroker) -> None:
    mosquitto.restart()
    assert (mosquitto.directory / "mosquitto.db").is_file()
    assert connack_properties(mosquitto.port)["reason"] == "Success"


def test_a_killed_broker_starts_again_on_its_port(mosquitto: OwnBroker) -> None:
    mosquitto.kill()
    mosquitto.start()
    assert connack_properties(mosquitto.port)["reason"] == "Success"


def test_a_damaged_store_is_set_aside_and_reported(mosquitto: OwnBroker) -> None:
    mosquitto.stop()
    (mosquitto.directory / "mosquitto.db").write_bytes(b"\x00torn" * 100)
    mosquitto.start()
    assert mosquitto.running is not None
    damaged = mosquitto.running.damaged_store
    assert damaged is not None
    assert damaged.read_bytes().startswith(b"\x00torn")


@pytest.mark.parametrize("kind", ["mosquitto", "iotcore"])
def test_taken_port_is_one_sentence(kind: broker.Kind, mosquitto: OwnBroker, tmp_path: Path) -> None:
    with pytest.raises(PartError, match=f"port {mosquitto.port} is taken"):
        start_broker(port=mosquitto.port, directory=tmp_path / "second", kind=kind)


def test_wrong_extra_configuration_names_the_line(new_mosquitto: Callable[..., OwnBroker]) -> None:
    with pytest.raises(PartError, match=r"mosquitto ended with code \d+: .*run\.conf"):
        new_mosquitto("no_such_setting 1")


def test_iotcore_speaks_mqtt_5_and_takes_what_the_contract_allows(tmp_path: Path) -> None:
    running = start_broker(port=free_port(), directory=tmp_path, kind="iotcore")
    try:
        announced = connack_properties(running.port)
        assert announced["reason"] == "Success"
        assert int(str(announced.get("MaximumPacketSize", 1_048_576))) >= 262_144
    finally:
        running.stop()
    assert not running.child.running


def test_auto_takes_iotcore_where_mosquitto_is_missing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(broker, "find_mosquitto", lambda: None)
    running = start_broker(port=free_port(), directory=tmp_path)
    running.stop()
    assert running.kind == "iotcore"


def test_without_any_broker_the_sentence_says_what_to_type(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(broker, "find_mosquitto", lambda: None)
    monkeypatch.setattr(importlib.util, "find_spec", lambda _name: None)
    with pytest.raises(PartError, match="apt-get install mosquitto, or pip install"):
        start_broker(port=free_port(), directory=tmp_path)
    with pytest.raises(PartError, match="Mosquitto is not installed: apt-get install mosquitto"):
        start_broker(port=free_port(), directory=tmp_path, kind="mosquitto")
