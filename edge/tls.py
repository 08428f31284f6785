"""What the connection to the broker is secured with, from files that the settings name."""

import ssl

from edge.settings import Settings, SettingsError


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
    if settings.broker_cert_file is not None:
        try:
            context.load_cert_chain(settings.broker_cert_file, settings.broker_key_file)
        except OSError as error:
            raise SettingsError("broker_cert_file", f"{settings.broker_cert_file}: {error}") from None
    return context


def password(settings: Settings) -> str | None:
    """The broker password, from its file. Raises SettingsError."""
    if settings.broker_password_file is None:
        return None
    try:
        return settings.broker_password_file.read_text(encoding="utf-8").strip()
    except OSError as error:
        raise SettingsError("broker_password_file", f"cannot be read: {error.strerror}") from None
