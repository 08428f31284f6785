"""Goal: every rule of broker/mosquitto.conf holds. Method: the shipped file on a real Mosquitto, clients who try."""

import asyncio
from collections.abc import Iterator
from pathlib import Path

import pytest

from cloud.acl import acl_text
from cloud.broker import tls_context
from cloud.settings import BrokerSettings
from contract.topics import LEDGER_CHECKPOINT
from sqal.commands.pki import put_out
from sqal.pki import Pki, PkiError
from tests.kit.fix_messaging import rng
from tests.kit.fix_pki import ALERTS, PLACES, Peer, SecureBroker

OWN = "sqal/v1/LL/line1/ESP32_LL_01"
FOREIGN = "sqal/v1/LS/line1/ESP32_LS_01"
NOT_AUTHORIZED = "Not authorized"


@pytest.fixture
def device(secure_broker: SecureBroker) -> Iterator[Peer]:
    peer = secure_broker.client("ESP32_LL_01")
    assert peer.connect() == "Success"
    yield peer
    peer.client.disconnect()


def test_a_device_speaks_in_its_own_subtree_only(device: Peer) -> None:
    for kind in ("sample", "event", "result", "state", "meta", "health", "cfg/reported", "res/1"):
        assert device.publish(f"{OWN}/{kind}") in ("Success", "No matching subscribers"), kind
    for topic in (f"{FOREIGN}/sample", f"{OWN}/receipt", f"{OWN}/cfg/desired", "sqal/v1/_host/main/state", "other"):
        assert device.publish(topic) == NOT_AUTHORIZED, topic


def test_a_device_hears_what_is_for_it_only(device: Peer, secure_broker: SecureBroker) -> None:
    for topic in ("#", "sqal/v1/#", f"{OWN}/receipt", f"{OWN}/cmd/#"):
        device.subscribe(topic)
    service = secure_broker.client("sqal-ingest", door="services")
    assert service.connect() == "Success"
    for topic in (f"{FOREIGN}/receipt", f"{FOREIGN}/sample", f"{OWN}/receipt"):
        service.publish(topic, topic.encode())
    device.until(lambda: device.received)
    assert {message.topic for message in device.received} == {f"{OWN}/receipt"}
    service.client.disconnect()


def test_a_reader_hears_verdicts_and_alarms_and_says_nothing(device: Peer, secure_broker: SecureBroker) -> None:
    reader = secure_broker.client("sqal-reader", client_id="node-red", door="services")
    assert reader.connect() == "Success"
    for topic in ("sqal/v1/#", "sqal/v1/LL/+/+/result"):
        reader.subscribe(topic)
    for kind in ("sample", "health", "result"):
        device.publish(f"{OWN}/{kind}", kind.encode())
    reader.until(lambda: reader.received)
    assert {message.topic for message in reader.received} == {f"{OWN}/result"}
    for topic in (f"{OWN}/result", f"{OWN}/cmd/1/identify", "sqal/v1/LL/_alarm/1"):
        assert reader.publish(topic) == NOT_AUTHORIZED, topic
    reader.client.disconnect()


def test_ingest_hears_and_says_what_it_needs_and_no_more(device: Peer, secure_broker: SecureBroker) -> None:
    """It hears facts, health, state and alarms; it answers, announces and tells channels; it commands nobody."""
    ingest = secure_broker.client("sqal-ingest", door="services")
    assert ingest.connect() == "Success"
    alarm, done = "sqal/v1/LL/_alarm/0190", ("Success", "No matching subscribers")
    ingest.subscribe("#")
    said = (alarm, "sqal/v1/_host/main/state", ALERTS, f"{OWN}/receipt", f"{OWN}/error", f"{OWN}/cfg/desired")
    for topic in said:
        assert ingest.publish(topic) in done, topic
    for topic in (f"{OWN}/cmd/1/identify", f"{OWN}/health", f"{OWN}/meta", "usine/autre", "$SYS/x"):
        assert ingest.publish(topic) == NOT_AUTHORIZED, topic
    heard = {f"{OWN}/{kind}" for kind in ("sample", "event", "raw", "health", "state")}
    for topic in (*heard, f"{OWN}/meta", f"{OWN}/result"):
        assert device.publish(topic) in done, topic
    heard |= {alarm, "sqal/v1/_host/main/state", f"{OWN}/receipt", f"{OWN}/error"}
    ingest.until(lambda: {message.topic for message in ingest.received} >= heard)
    assert {message.topic for message in ingest.received} == heard
    ingest.client.disconnect()


def test_a_foreign_client_id_takes_no_session(device: Peer, secure_broker: SecureBroker) -> None:
    thief = secure_broker.client("ESP32_LS_01", client_id="ESP32_LL_01")
    assert thief.connect() == "Success"  # as ESP32_LS_01: the broker goes by the certificate
    assert device.publish(f"{OWN}/sample") in ("Success", "No matching subscribers")
    assert device.ended == []
    assert thief.publish(f"{OWN}/sample") == NOT_AUTHORIZED
    thief.client.disconnect()


def test_who_gets_no_connection(secure_broker: SecureBroker, tmp_path: Path) -> None:
    """No certificate, an expired one, a revoked one, another authority's, a device at the services' door."""
    assert secure_broker.client(None).connect() == "refused"
    assert secure_broker.client("revoked").connect() == "refused"
    secure_broker.pki.issue("expired", "devices", days=-0.5)
    assert secure_broker.client("expired").connect() == "refused"
    other = Pki(tmp_path / "other")
    other.init(["localhost"])
    stranger = other.issue("ESP32_LL_01", "devices")
    root = secure_broker.pki.folder / "services.crt"
    assert Peer(secure_broker.ports["devices"], "ESP32_LL_01", stranger, root).connect() == "refused"
    assert secure_broker.client("ESP32_LL_01", door="services").connect() == "refused"
    assert secure_broker.client("sqal-ingest", door="devices").connect() == "refused"
    assert secure_broker.client("ESP32_LL_01", ca=other.folder / "services.crt").connect() == "refused"  # false broker


def test_only_the_ledger_shows_checkpoints_and_a_witness_hears_nothing_else(
    device: Peer, secure_broker: SecureBroker
) -> None:
    """Goal: the ledger's process can do what it must in production, and no more; nor can who keeps checkpoints."""
    ledger = secure_broker.client("sqal-ledger", door="services")
    witness = secure_broker.client("sqal-witness", door="services")
    assert (ledger.connect(), witness.connect()) == ("Success", "Success")
    witness.subscribe("#")
    witness.subscribe(LEDGER_CHECKPOINT)
    assert ledger.publish(f"{OWN}/cfg/desired") == NOT_AUTHORIZED
    assert ledger.publish(f"{OWN}/sample") == NOT_AUTHORIZED
    assert witness.publish(LEDGER_CHECKPOINT) == NOT_AUTHORIZED
    assert device.publish(LEDGER_CHECKPOINT) == NOT_AUTHORIZED
    device.publish(f"{OWN}/sample", b"secret")
    assert ledger.publish(LEDGER_CHECKPOINT, b"note") == "Success"
    witness.until(lambda: witness.received)
    assert {message.topic for message in witness.received} == {LEDGER_CHECKPOINT}
    for peer in (ledger, witness):
        peer.client.disconnect()


def test_too_many_connections(secure_broker: SecureBroker) -> None:
    names = ["ESP32_LL_01", "ESP32_LS_01", "three", "four"]
    for name in names[2:]:
        secure_broker.pki.issue(name, "devices")
    peers = [secure_broker.client(name) for name in names]
    assert [peer.connect() for peer in peers] == ["Success", "Success", "Success", "refused"]
    for peer in peers:
        peer.client.disconnect()


def test_an_oversized_message_ends_the_connection(device: Peer) -> None:
    device.client._client_mode = 3  # paho itself would refuse: it knows the broker's limit
    assert device.publish(f"{OWN}/sample", b"x" * 300_000) in ("disconnected", "Packet too large")


async def test_a_revoked_device_is_cut_off_and_stays_out(secure_broker: SecureBroker) -> None:
    device = secure_broker.client("ESP32_LL_01")
    assert await asyncio.to_thread(device.connect) == "Success"
    secure_broker.pki.revoke("ESP32_LL_01")
    (secure_broker.folder / "broker" / "acl").write_text(acl_text(PLACES[1:]))
    secure_broker.reload()
    service = secure_broker.certificate("sqal-serve")
    broker = BrokerSettings(
        port=secure_broker.ports["services"],
        ca_file=str(secure_broker.pki.folder / "services.crt"),
        cert_file=str(service.certificate),
        key_file=str(service.key),
    )
    assert tls_context(broker) is not None
    await put_out("ESP32_LL_01", broker, rng())
    await asyncio.to_thread(device.until, lambda: device.ended)
    again = secure_broker.client("ESP32_LL_01")
    if await asyncio.to_thread(again.connect) == "Success":  # 2.0.11 reads the revocation list at its start only
        assert await asyncio.to_thread(again.publish, f"{OWN}/sample") == NOT_AUTHORIZED
        again.client.disconnect()


def test_the_authority_says_what_it_will_not_do(tmp_path: Path) -> None:
    pki = Pki(tmp_path / "pki")
    with pytest.raises(PkiError, match="sqal pki init"):
        pki.issue("a", "devices")
    pki.init(["localhost"])
    with pytest.raises(PkiError, match="already"):
        pki.init(["localhost"])
    pki.issue("a", "devices")
    with pytest.raises(PkiError, match="renew or revoke"):
        pki.issue("a", "devices")
    pki.renew("a")
    assert pki.revoke("a") == 2
    with pytest.raises(PkiError, match="no certificate"):
        pki.revoke("a")
    with pytest.raises(PkiError, match="no certificate"):
        pki.renew("a")
    for file in (tmp_path / "pki").iterdir():
        assert file.stat().st_mode & 0o077 == 0, file
