"""What the connection to the broker is secured with, from files that the settings name, and their renewal.

Whoever renews a certificate replaces two files, one after the other. Both are looked at once a second: when they are
new and belong together the connection is made anew with them; until then the old pair serves. Nothing is lost by it:
what is in flight lies in the spool.
"""

import asyncio
import ssl
from pathlib import Path

import structlog

from edge.settings import Settings, SettingsError
from messaging import Client

LOOK_EVERY_S = 1.0
log = structlog.get_logger("tls")


def client_context(settings: Settings) -> ssl.SSLContext | None:
    """A TLS context that checks the broker against the CA and shows the device's certificate; None without a CA file.

    Raises SettingsError naming the file that cannot be used.
    """
    if settings.broker_ca_file is None:
        if settings.broker_cert_file is not None:
            raise SettingsError("broker_cert_file", "needs broker_ca_file: a certificate is shown only over TLS")
        return None
    try:
        context = ssl.create_default_context(cafile=str(settings.broker_ca_file))
    except OSError as error:
        raise SettingsError("broker_ca_file", f"{settings.broker_ca_file}: {error}") from None
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    _load_own(context, settings)
    return context


def _load_own(context: ssl.SSLContext, settings: Settings) -> None:
    if settings.broker_cert_file is None:
        return
    try:
        context.load_cert_chain(settings.broker_cert_file, settings.broker_key_file)
    except OSError as error:
        raise SettingsError("broker_cert_file", f"{settings.broker_cert_file}: {error}") from None


async def follow_renewals(client: Client, context: ssl.SSLContext | None, settings: Settings) -> None:
    """Until cancelled: load what was renewed into `context` and have `client` connect with it."""
    if context is None:
        return
    seen = _state(settings)
    refused = None
    while True:
        await asyncio.sleep(LOOK_EVERY_S)
        now = _state(settings)
        if now == seen:
            continue
        try:
            # a pair that does not match is refused, and would leave its certificate in the context: tried aside first
            _load_own(ssl.create_default_context(cafile=str(settings.broker_ca_file)), settings)
            context.load_verify_locations(cafile=str(settings.broker_ca_file))
            _load_own(context, settings)
        except (OSError, SettingsError) as error:
            if refused != now:
                log.warning("tls.renewal_refused", reason=str(error))  # half replaced, or wrong: looked at again
            refused = now
            continue
        seen = now
        log.info("tls.renewed", file=str(settings.broker_cert_file))
        await client.disconnect("the certificate was renewed")
        client.reconnect()


def _state(settings: Settings) -> list[tuple[int, int, int]]:
    """What tells one version of the files from another; a file that is away is a version too."""
    return [_version(each) for each in (settings.broker_ca_file, settings.broker_cert_file, settings.broker_key_file)]


def _version(path: Path | None) -> tuple[int, int, int]:
    try:
        found = path.stat() if path is not None else None
    except OSError:
        found = None
    return (found.st_mtime_ns, found.st_size, found.st_ino) if found is not None else (0, 0, 0)


def password(settings: Settings) -> str | None:
    """The broker password, from its file. Raises SettingsError."""
    if settings.broker_password_file is None:
        return None
    try:
        return settings.broker_password_file.read_text(encoding="utf-8").strip()
    except OSError as error:
        raise SettingsError("broker_password_file", f"cannot be read: {error.strerror}") from None
