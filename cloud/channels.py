"""How one alert reaches one channel: e-mail by SMTP, a signed webhook, an MQTT topic. One attempt; no database.

A webhook is a POST of the alarm as JSON with the headers `X-SQAL-Notification` (its number: the same for every attempt,
so a receiver can tell a repetition), `X-SQAL-Timestamp` (seconds since 1970) and `X-SQAL-Signature`, `v1=` and the
HMAC-SHA256 of "number.timestamp.body" under the channel's key. The key is derived from one secret file and the
channel's name, so no secret lies in the database.

What an administrator may point a webhook at is narrow on purpose, for the server stands where others cannot reach:
https only, no redirects, no proxy of the environment, and an address of the public internet, looked up once and then
spoken to by that very address. Hosts named in `notify.webhook_hosts` are exempt.

Errors:

    Exception
    └── ChannelError   one sentence: why this attempt failed, or why the channel cannot be
"""

import asyncio
import hashlib
import hmac
import ipaddress
import re
import smtplib
import socket
import ssl
import threading
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime
from email.headerregistry import Address
from email.message import EmailMessage
from email.utils import format_datetime
from pathlib import Path
from typing import Literal, TypeVar, cast
from urllib.parse import SplitResult, urlsplit

import httpx

from cloud.settings import NotifySettings
from contract import decode
from contract.messages import Alarm
from messaging import Client, MessagingError, Properties

ChannelKind = Literal["email", "webhook", "mqtt"]
RECIPIENTS_MAX = 20
TARGET_MAX = 500
ADDRESS = re.compile(r"[^@\s,<>\"]+@[^@\s,<>\"]+")
Result = TypeVar("Result")
JSON = Properties(content_type="application/json")


class ChannelError(Exception):
    """An attempt failed, or a channel cannot be as asked; one sentence."""


@dataclass(frozen=True, slots=True)
class Note:
    """One message to one channel; `number` is its own for every attempt."""

    number: int
    channel: str
    kind: ChannelKind
    target: str
    payload: bytes


def check_target(kind: str, target: str) -> None:
    """Refuse a target that no attempt could reach. Raises ChannelError."""
    if len(target) > TARGET_MAX or "\0" in target or not target.isprintable():
        raise ChannelError(f"the target must be at most {TARGET_MAX} printable characters")
    match kind:
        case "email":
            _addresses(target)
        case "webhook":
            _url(target)
        case "mqtt":
            if not target or target.startswith(("$", "sqal/", "/")) or "+" in target or "#" in target:
                raise ChannelError(f"{target!r} is no topic for alerts: no wildcard, not under sqal/ or $")
        case _:
            raise ChannelError(f"{kind!r} is none of email, webhook, mqtt")


def webhook_key(settings: NotifySettings, channel: str) -> bytes:
    """The key that signs what goes to a channel. Raises ChannelError without a secret."""
    if settings.secret_file is None:
        raise ChannelError("notify.secret_file is not set: a webhook would not be signed")
    try:
        secret = Path(settings.secret_file).read_bytes().strip()
    except OSError as error:
        raise ChannelError(f"notify.secret_file cannot be read: {error.strerror}") from error
    if len(secret) < 16:
        raise ChannelError("notify.secret_file holds less than 16 bytes")
    return hmac.digest(secret, b"sqal-webhook:" + channel.encode(), hashlib.sha256).hex().encode()


class Sender:
    """Sends notes; `client` is the ingester's own connection to the broker."""

    def __init__(self, settings: NotifySettings, client: Client) -> None:
        self._settings = settings
        self._client = client

    async def send(self, note: Note, now: datetime) -> None:
        """One attempt. Raises ChannelError; what is raised may have arrived all the same."""
        try:
            async with asyncio.timeout(self._settings.timeout_s):
                match note.kind:
                    case "email":
                        await in_thread(lambda: send_mail(self._settings, note, now))
                    case "webhook":
                        await post(self._settings, note, now)
                    case "mqtt":
                        await self._client.publish(note.target, note.payload, properties=JSON)
        except TimeoutError as error:
            raise ChannelError(f"no answer within {self._settings.timeout_s:g} s") from error
        except MessagingError as error:
            raise ChannelError(f"the broker: {error}") from error


async def in_thread(call: Callable[[], Result]) -> Result:
    """Do what blocks in a thread that nobody waits for at the end: a mail server that hangs must not hold up a stop."""
    loop = asyncio.get_running_loop()
    future: asyncio.Future[Result] = loop.create_future()

    def settle(result: Result | None, error: OSError | ChannelError | None) -> None:
        if future.done():
            return
        if error is None:
            future.set_result(cast("Result", result))
        else:
            future.set_exception(error)

    def work() -> None:
        try:
            outcome: tuple[Result | None, OSError | ChannelError | None] = (call(), None)
        except (OSError, ChannelError) as error:
            outcome = (None, error)
        with suppress(RuntimeError):  # the loop has ended meanwhile
            loop.call_soon_threadsafe(settle, *outcome)

    threading.Thread(target=work, name="channel", daemon=True).start()
    return await future


def send_mail(settings: NotifySettings, note: Note, now: datetime) -> None:
    """Hand one message to the SMTP server; blocks. Raises ChannelError."""
    if settings.smtp_host is None:
        raise ChannelError("notify.smtp_host is not set")
    message = mail_of(settings, note, now)
    context = ssl.create_default_context()
    try:
        if settings.smtp_tls == "tls":
            server = smtplib.SMTP_SSL(
                settings.smtp_host, settings.smtp_port, timeout=settings.timeout_s, context=context
            )
        else:
            server = smtplib.SMTP(settings.smtp_host, settings.smtp_port, timeout=settings.timeout_s)
        with server:
            if settings.smtp_tls == "starttls":
                server.starttls(context=context)
            if settings.smtp_username is not None:
                server.login(settings.smtp_username, _smtp_password(settings))
            refused = server.send_message(message)
    except (OSError, smtplib.SMTPException) as error:
        raise ChannelError(f"the mail server: {error}") from error
    if refused:
        raise ChannelError(f"the mail server refuses {', '.join(sorted(refused))}")


def mail_of(settings: NotifySettings, note: Note, now: datetime) -> EmailMessage:
    """The message as people read it; its Message-ID is the same for every attempt."""
    alarm = decode(Alarm, note.payload)
    message = EmailMessage()
    message["Subject"] = f"[SQAL {alarm.site_code}] {alarm.severity}: {alarm.message}"[:200]
    message["From"] = settings.sender
    message["To"] = _addresses(note.target)
    message["Date"] = format_datetime(now)
    message["Message-ID"] = f"<sqal-{note.number}@{settings.sender.rpartition('@')[2] or 'localhost'}>"
    message["Auto-Submitted"] = "auto-generated"
    facts = {
        "Site": alarm.site_code,
        "Device": alarm.device_id or "-",
        "Alert": f"{alarm.alert_type} ({alarm.severity})",
        "First": alarm.first_at.isoformat(timespec="seconds"),
        "Last": alarm.last_at.isoformat(timespec="seconds"),
        "Count": str(alarm.count),
        "Lot": "-" if alarm.lot_id is None else str(alarm.lot_id),
        "Id": alarm.id,
    }
    message.set_content(alarm.message + "\n\n" + "".join(f"{name + ':':<8} {text}\n" for name, text in facts.items()))
    return message


async def post(settings: NotifySettings, note: Note, now: datetime) -> None:
    """Post one message to its webhook. Raises ChannelError for anything but a 2xx."""
    url = _url(note.target)
    is_exempt = url.hostname in settings.webhook_hosts
    if url.scheme != "https" and not is_exempt:
        raise ChannelError(f"{note.target} is not https; notify.webhook_hosts may exempt {url.hostname}")
    key = webhook_key(settings, note.channel)
    address = await _address(
        url.hostname or "", url.port or (443 if url.scheme == "https" else 80), is_exempt=is_exempt
    )
    stamp = str(int(now.timestamp()))
    signed = b".".join((str(note.number).encode(), stamp.encode(), note.payload))
    headers = {
        "Host": url.netloc.rpartition("@")[2],
        "Content-Type": "application/json",
        "User-Agent": "sqal",
        "X-SQAL-Notification": str(note.number),
        "X-SQAL-Timestamp": stamp,
        "X-SQAL-Signature": "v1=" + hmac.new(key, signed, hashlib.sha256).hexdigest(),
    }
    try:
        async with (
            httpx.AsyncClient(trust_env=False, follow_redirects=False, timeout=settings.timeout_s) as client,
            client.stream(
                "POST",
                httpx.URL(note.target).copy_with(host=address),
                content=note.payload,
                headers=headers,
                extensions={"sni_hostname": url.hostname},
            ) as answer,
        ):
            if not answer.is_success:
                raise ChannelError(f"{url.hostname} answers {answer.status_code}")
    except httpx.HTTPError as error:
        raise ChannelError(f"{url.hostname}: {error or type(error).__name__}") from error


async def _address(host: str, port: int, *, is_exempt: bool) -> str:
    """The address to speak to. Raises ChannelError for one that is not of the public internet."""
    try:
        found = await in_thread(lambda: socket.getaddrinfo(host, port, type=socket.SOCK_STREAM))
    except OSError as error:
        raise ChannelError(f"{host} is not known: {error.strerror or error}") from error
    addresses = [str(entry[4][0]) for entry in found]
    for each in addresses:
        if not is_exempt and not ipaddress.ip_address(each.partition("%")[0]).is_global:
            raise ChannelError(
                f"{host} is {each}, which is no address of the public internet: see notify.webhook_hosts"
            )
    return addresses[0]


def _url(target: str) -> SplitResult:
    try:
        url = urlsplit(target)
        _ = url.port
    except ValueError as error:
        raise ChannelError(f"{target!r} is no URL: {error}") from error
    if url.scheme not in ("https", "http") or not url.hostname or url.username or url.fragment:
        raise ChannelError(f"{target!r} is no URL of a webhook: https://host/path, without user or fragment")
    return url


def _addresses(target: str) -> list[Address]:
    found = [part.strip() for part in target.split(",") if part.strip()]
    if not 1 <= len(found) <= RECIPIENTS_MAX:
        raise ChannelError(f"{len(found)} addresses: between 1 and {RECIPIENTS_MAX}, separated by commas")
    for each in found:
        if not ADDRESS.fullmatch(each):
            raise ChannelError(f"{each!r} is no e-mail address")
    return [Address(addr_spec=each) for each in found]


def _smtp_password(settings: NotifySettings) -> str:
    if settings.smtp_password_file is None:
        raise ChannelError("notify.smtp_username is set, but no notify.smtp_password_file")
    try:
        return Path(settings.smtp_password_file).read_text(encoding="utf-8").strip()
    except OSError as error:
        raise ChannelError(f"notify.smtp_password_file cannot be read: {error.strerror}") from error
