"""Goal: an alert reaches e-mail, webhook and MQTT, once a raise; what fails is repeated, then given up loudly.

Method: real ingester, broker, database, mail server and web server.
"""

import asyncio
import hashlib
import hmac
import ssl
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import msgspec
import pytest

from cloud.channels import ChannelError, Note, check_target, post, send_mail, webhook_key
from cloud.settings import NotifySettings, Settings
from cloud.store.channels import Channels, trial_payload
from cloud.store.queries import Queries
from contract import decode
from contract.messages import Alarm
from messaging import Client, Subscription
from sqal.pki import Pki
from tests.kit.fix_broker import OwnBroker
from tests.kit.fix_database import Database
from tests.kit.fix_ingest import SQL, RunningIngest, TestDevice, ingest_settings, rows
from tests.kit.fix_messaging import DEADLINE_S
from tests.kit.fix_receivers import Hook, MailServer
from tests.kit.samples import as_bytes, sample

NOW = datetime(2026, 3, 2, 8, 0, tzinfo=UTC)
BAD: dict[str, Any] = {"final_score": 0.3, "final_grade": "REJECT", "is_compliant": False}


@dataclass
class Bench:
    """An ingester that notifies, a device, and the channels of its database."""

    dsn: str
    port: int
    settings: Settings
    device: TestDevice
    channels: Channels

    async def reject(self, seq: int = 1) -> None:
        at = datetime.now(UTC) + timedelta(milliseconds=seq)
        await self.device.send(as_bytes(sample(seq, score=0.3, at=at, fusion=BAD)))

    async def until(self, query: str, wanted: list[tuple[Any, ...]]) -> None:
        async with asyncio.timeout(DEADLINE_S):
            while await asyncio.to_thread(rows, self.dsn, query) != wanted:  # noqa: ASYNC110  # a database
                await asyncio.sleep(0.05)


@pytest.fixture
async def bench(  # noqa: PLR0917  # each is a resource
    store: Database,
    mosquitto: OwnBroker,
    mail_server: MailServer,
    hook: Hook,
    new_ingest: Callable[..., Awaitable[RunningIngest]],
    new_device: Callable[..., Awaitable[TestDevice]],
    tmp_path: Path,
) -> Bench:
    secret = tmp_path / "secret"
    secret.write_text("0123456789abcdef0123456789abcdef\n")
    notify = NotifySettings(
        smtp_host="127.0.0.1",
        smtp_port=mail_server.port,
        smtp_tls="none",
        sender="sqal@usine.example",
        secret_file=str(secret),
        webhook_hosts=["localhost"],
        attempts_max=3,
        retry_s=0.05,
    )
    settings = msgspec.structs.replace(ingest_settings(store.dsn, mosquitto.port), notify=notify)
    await new_ingest(settings)
    device = await new_device(mosquitto.port)
    return Bench(store.dsn, mosquitto.port, settings, device, Channels(store.dsn, Queries(SQL / "queries")))


def put(bench: Bench, name: str, kind: str, target: str, **more: Any) -> None:
    values = {"min_severity": "warning", "sites": None, "is_active": True} | more
    bench.channels.put(name, kind=kind, target=target, **values)


LOG = "SELECT name, state, attempts FROM sqal_notifications JOIN sqal_channels USING (channel_id) ORDER BY name"


async def test_one_raise_reaches_every_channel_that_wants_it_once(
    bench: Bench, mail_server: MailServer, hook: Hook, new_client: Callable[..., Awaitable[Client]]
) -> None:
    put(bench, "hook", "webhook", f"http://localhost:{hook.port}/alerts?to=line")
    put(bench, "mail", "email", "chef@usine.example, nuit@usine.example")
    put(bench, "mqtt", "mqtt", "usine/alertes")
    put(bench, "off", "mqtt", "usine/off", is_active=False)
    put(bench, "other", "mqtt", "usine/ls", sites=["LS"])
    panel = await new_client(bench.port, "panel", subscriptions=[Subscription("usine/#")])
    await bench.reject()
    await bench.until(LOG, [("hook", "sent", 1), ("mail", "sent", 1), ("mqtt", "sent", 1)])
    (mail,) = mail_server.mails
    assert "LL" in mail["Subject"]
    assert "Produit rejet" in str(mail.get_payload(decode=True), "utf-8")
    assert mail["To"] == "chef@usine.example, nuit@usine.example"
    ((first, headers, body),) = hook.requests
    assert first == "POST /alerts?to=line HTTP/1.1"
    assert headers["host"] == f"localhost:{hook.port}"
    signed = f"{headers['x-sqal-notification']}.{headers['x-sqal-timestamp']}.".encode() + body
    key = webhook_key(bench.settings.notify, "hook")
    assert headers["x-sqal-signature"] == "v1=" + hmac.new(key, signed, hashlib.sha256).hexdigest()
    (delivery,) = await panel.next_batch(1)
    panel.ack(delivery)
    assert delivery.topic == "usine/alertes"
    assert decode(Alarm, delivery.payload) == decode(Alarm, body)
    for seq in range(2, 6):  # the same alert goes on: nobody is called again
        await bench.reject(seq)
    await bench.device.until(lambda each: len(each.stored) == 5)
    await bench.until("SELECT count(*) FROM sqal_notifications", [(3,)])


async def test_a_refused_message_is_tried_again_and_then_given_up_loudly(bench: Bench, hook: Hook) -> None:
    """The receiver sees the same number each time; the other channel hears that this one is dead."""
    hook.status = "503 Service Unavailable"
    put(bench, "hook", "webhook", f"http://localhost:{hook.port}/")
    await bench.reject()
    await hook.until(lambda each: len(each.requests) == 3)
    numbers = {headers["x-sqal-notification"] for _, headers, _ in hook.requests}
    assert len(numbers) == 1
    query = "SELECT state, attempts, last_error FROM sqal_notifications"
    await bench.until(query, [("dead", 3, "localhost answers 503")])
    dead = """SELECT site_code, device_id, state, params ->> 'channel' FROM sqal_alert_state
        WHERE alert_type = 'notification_dead'"""
    await bench.until(dead, [("LL", None, "unacknowledged", "hook")])
    await bench.until("SELECT count(*) FROM sqal_notifications", [(1,)])  # not to the dead channel itself


async def test_a_test_message_says_why_it_failed_and_is_not_repeated(bench: Bench, mail_server: MailServer) -> None:
    put(bench, "mail", "email", "nobody@usine.example")
    number = bench.channels.test("mail", NOW)
    assert number is not None
    await bench.until("SELECT state, attempts FROM sqal_notifications", [("dead", 1)])
    found = bench.channels.wait(number, pause=lambda: None, turns=1)
    assert "550" in found["last_error"]
    put(bench, "mail", "email", "chef@usine.example")
    assert bench.channels.test("mail", NOW) is not None
    assert bench.channels.test("none", NOW) is None
    await bench.until("SELECT state FROM sqal_notifications ORDER BY notification_id DESC LIMIT 1", [("sent",)])
    assert mail_server.mails[-1]["Subject"].startswith("[SQAL ZZ] info")
    assert bench.channels.remove("mail")
    assert not bench.channels.remove("mail")


@pytest.mark.parametrize(
    ("target", "why"),
    [
        ("https://127.0.0.1/", "public internet"),
        ("https://[::1]/", "public internet"),
        ("https://169.254.169.254/latest/meta-data", "public internet"),
        ("https://10.0.0.1:8443/", "public internet"),
        ("http://example.com/", "not https"),
    ],
)
async def test_a_webhook_goes_nowhere_private(target: str, why: str, tmp_path: Path) -> None:
    secret = tmp_path / "secret"
    secret.write_text("0123456789abcdef")
    note = Note(1, "hook", "webhook", target, trial_payload(NOW))
    with pytest.raises(ChannelError, match=why):
        await post(NotifySettings(secret_file=str(secret)), note, NOW)


async def test_a_redirect_is_not_followed(hook: Hook, tmp_path: Path) -> None:
    secret = tmp_path / "secret"
    secret.write_text("0123456789abcdef")
    hook.status, hook.more = "302 Found", "Location: http://127.0.0.1:1/\r\n"
    note = Note(1, "hook", "webhook", f"http://localhost:{hook.port}/", trial_payload(NOW))
    with pytest.raises(ChannelError, match="answers 302"):
        await post(NotifySettings(secret_file=str(secret), webhook_hosts=["localhost"]), note, NOW)
    assert len(hook.requests) == 1


@pytest.mark.parametrize(
    ("kind", "target"),
    [
        ("email", "no address"),
        ("email", "a@b.example\nBcc: c@d.example"),
        ("email", ",".join(f"a{n}@b.example" for n in range(21))),
        ("webhook", "ftp://example.com/"),
        ("webhook", "https://user:secret@example.com/"),
        ("webhook", "https://example.com:99999/"),
        ("mqtt", "sqal/v1/LL/line1/ESP32_LL_01/sample"),
        ("mqtt", "$SYS/broker"),
        ("mqtt", "usine/+"),
        ("pigeon", "north"),
    ],
)
def test_a_target_that_cannot_be_is_refused_at_once(kind: str, target: str) -> None:
    with pytest.raises(ChannelError):
        check_target(kind, target)


def test_nothing_is_signed_without_a_secret(tmp_path: Path) -> None:
    with pytest.raises(ChannelError, match="not set"):
        webhook_key(NotifySettings(), "hook")
    short = tmp_path / "short"
    short.write_text("abc")
    with pytest.raises(ChannelError, match="less than 16"):
        webhook_key(NotifySettings(secret_file=str(short)), "hook")


def test_mail_goes_encrypted_and_with_a_login_or_not_at_all(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """STARTTLS with a certificate that is checked, then a login; each that is missing or wrong is its own error."""
    pki = Pki(tmp_path / "pki")
    pki.init(["localhost"])
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    context.load_cert_chain(pki.folder / "broker.crt", pki.folder / "broker.key")
    secret = tmp_path / "password"
    secret.write_text("geheim\n")
    server = MailServer(context, (b"sqal", b"geheim"))
    note = Note(7, "mail", "email", "chef@usine.example", trial_payload(NOW))
    settings = NotifySettings(
        smtp_host="localhost",
        smtp_port=server.port,
        smtp_username="sqal",
        smtp_password_file=str(secret),
        sender="sqal@usine.example",
    )
    replace = msgspec.structs.replace
    try:
        with pytest.raises(ChannelError, match="certificate verify failed"):  # nobody trusts that authority yet
            send_mail(settings, note, NOW)
        monkeypatch.setenv("SSL_CERT_FILE", str(pki.folder / "services.crt"))
        send_mail(settings, note, NOW)
        (mail,) = server.mails
        assert mail["Message-ID"] == "<sqal-7@usine.example>"
        for changes, why in (
            ({"smtp_tls": "none"}, "STARTTLS|AUTH"),
            ({"smtp_username": "other"}, "Authentication credentials invalid"),
            ({"smtp_username": None}, "Authentication required"),
            ({"smtp_password_file": None}, "no notify.smtp_password_file"),
            ({"smtp_host": "127.0.0.1"}, "certificate verify failed"),  # another name than the certificate's
        ):
            with pytest.raises(ChannelError, match=why):
                send_mail(replace(settings, **changes), note, NOW)
        assert len(server.mails) == 1
    finally:
        server.stop()
