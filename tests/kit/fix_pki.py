"""The production broker file on a real Mosquitto, with an authority and an access list of its own."""

import gc
import signal
import ssl
import subprocess
import time
import warnings
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest
from paho.mqtt.client import Client, MQTTMessage
from paho.mqtt.enums import CallbackAPIVersion, MQTTProtocolVersion

from cloud.acl import acl_text
from cloud.store.samples import Place
from sqal.parts.broker import find_mosquitto
from sqal.pki import Issued, Pki
from sqal.resources import resource_path
from tests.kit.ports import free_port

PLACES = [Place("ESP32_LL_01", "LL", "line1"), Place("ESP32_LS_01", "LS", "line1")]
ALERTS = "usine/alertes"  # a channel that hears of alerts
SERVICES = ("sqal-ingest", "sqal-serve", "sqal-ledger", "sqal-reader", "sqal-witness")


@dataclass
class SecureBroker:
    """Mosquitto as in production, on free ports."""

    folder: Path
    pki: Pki
    ports: dict[str, int]
    process: subprocess.Popen[bytes]

    def reload(self) -> None:
        self.process.send_signal(signal.SIGHUP)

    def certificate(self, name: str) -> Issued:
        return Issued(self.pki.folder / f"{name}.crt", self.pki.folder / f"{name}.key")

    def client(self, name: str | None, *, client_id: str = "", door: str = "devices", ca: Path | None = None) -> "Peer":
        """A client with the certificate of `name`, not connected yet."""
        root = ca or self.pki.folder / "services.crt"
        return Peer(self.ports[door], client_id or name or "x", self.certificate(name) if name else None, root)


class Peer:
    """A client that says how its attempts ended."""

    def __init__(self, port: int, client_id: str, own: Issued | None, root: Path) -> None:
        self.port = port
        self.client = Client(CallbackAPIVersion.VERSION2, client_id=client_id, protocol=MQTTProtocolVersion.MQTTv5)
        context = ssl.create_default_context(cafile=root)
        if own is not None:
            context.load_cert_chain(own.certificate, own.key)
        self.client.tls_set_context(context)
        self.received: list[MQTTMessage] = []
        self.ended: list[str] = []
        self.puback: dict[int, str] = {}
        self.suback: dict[int, str] = {}
        self.client.on_message = lambda _c, _u, message: self.received.append(message)
        self.client.on_disconnect = lambda _c, _u, _f, reason, _p: self.ended.append(str(reason))
        self.client.on_publish = lambda _c, _u, mid, reason, _p: self.puback.__setitem__(mid, str(reason))
        self.client.on_subscribe = lambda _c, _u, mid, codes, _p: self.suback.__setitem__(mid, str(codes[0]))

    def connect(self) -> str:
        """`Success`, the broker's reason, or `refused` where there was not even an answer."""
        seen: list[str] = []
        self.client.on_connect = lambda _c, _u, _f, reason, _p: seen.append(str(reason))
        with warnings.catch_warnings():  # paho leaves the socket of a failed handshake to the collector
            warnings.simplefilter("ignore", ResourceWarning)
            try:
                self.client.connect("127.0.0.1", self.port)
                self.until(lambda: seen or self.ended)
            except (OSError, ValueError):
                seen.clear()
            gc.collect()
        return seen[0] if seen else "refused"

    def until(self, condition: object, wait_s: float = 20) -> None:
        """Work the connection until `condition()` holds."""
        assert callable(condition)
        deadline = time.monotonic() + wait_s
        while not condition():
            assert time.monotonic() < deadline, "nothing happened"
            self.client.loop(0.05)

    def publish(self, topic: str, payload: bytes = b"{}") -> str:
        mid = self.client.publish(topic, payload, qos=1).mid
        self.until(lambda: mid in self.puback or self.ended)
        return self.puback.get(mid, "disconnected")

    def subscribe(self, topic: str) -> str:
        _, mid = self.client.subscribe(topic, qos=1)
        assert mid is not None
        self.until(lambda: mid in self.suback or self.ended)
        return self.suback.get(mid, "disconnected")


@pytest.fixture
def secure_broker(tmp_path: Path) -> Iterator[SecureBroker]:
    """The shipped mosquitto.conf, its paths moved below a folder of the test."""
    pki = Pki(tmp_path / "pki")
    pki.init(["localhost", "127.0.0.1"])
    for place in PLACES:
        pki.issue(place.device_id, "devices")
    pki.issue("revoked", "devices")
    pki.revoke("revoked")
    for service in SERVICES:
        pki.issue(service, "services")
    (tmp_path / "broker").mkdir()
    (tmp_path / "broker" / "acl").write_text(acl_text(PLACES, [ALERTS]))
    ports = {"devices": free_port(), "services": free_port()}
    text = resource_path("broker/mosquitto.conf").read_text()
    for there, here in (
        ("/etc/sqal/broker/conf.d", str(resource_path("broker/conf.d"))),
        ("/etc/sqal", str(tmp_path)),
        ("/var/lib/mosquitto/", f"{tmp_path}/"),
        ("user mosquitto", "user root"),
        ("log_dest syslog", "log_dest stderr"),
        ("listener 8883", f"listener {ports['devices']} 127.0.0.1"),
        ("listener 8884", f"listener {ports['services']}"),
        ("max_connections 10000", "max_connections 3"),
    ):
        assert there in text, there
        text = text.replace(there, here)
    (tmp_path / "mosquitto.conf").write_text(text)
    command = [str(find_mosquitto()), "-c", str(tmp_path / "mosquitto.conf")]
    process = subprocess.Popen(command, stderr=subprocess.PIPE)
    assert process.stderr is not None
    while b"running" not in (line := process.stderr.readline()):
        assert line, "Mosquitto ended"
    yield SecureBroker(tmp_path, pki, ports, process)
    process.kill()
    process.communicate()
