"""The server's settings: one frozen value, read once from a TOML file and the environment.

The environment wins: `SQAL_BROKER_PORT=1884` sets `port` of the table `[broker]`, lists are separated by commas, and
`DATABASE_URL` is honoured where nobody sets `SQAL_DATABASE_URL`. A key that does not exist is an error that names it,
in the file and in the environment alike; `SQAL_EDGE_…` belongs to the devices and is passed over.

Errors:

    Exception
    └── SettingsError   one sentence: which key, and what is wrong with it
"""

import re
import tomllib
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any, Literal, get_args, get_origin

import msgspec
from msgspec import Meta, Struct, field

PREFIX = "SQAL_"
FOREIGN = ("SQAL_EDGE_",)

Port = Annotated[int, Meta(ge=1, le=65_535)]
Positive = Annotated[float, Meta(gt=0)]
AtLeastOne = Annotated[int, Meta(ge=1)]
Identifier = Annotated[str, Meta(pattern=r"^[a-z_][a-z0-9_]{0,62}$")]
Segment = Annotated[str, Meta(pattern=r"^[A-Za-z0-9][A-Za-z0-9_-]{0,79}$")]


class SettingsError(Exception):
    """The settings cannot be used; the text is one sentence that names the key."""


class Section(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Base of all tables of the settings: frozen, unknown keys refused."""


class DatabaseSettings(Section, frozen=True):
    """`[database]`: where PostgreSQL is. itm_column: the column of `lots_gavage` that holds the ITM."""

    url: str = "postgresql://postgres@127.0.0.1:5432/postgres"
    pool_min: AtLeastOne = 2
    pool_max: AtLeastOne = 10
    itm_column: Identifier = "itm_moyen"
    timescale: Literal["auto", "on", "off"] = "auto"


class BrokerSettings(Section, frozen=True):
    """`[broker]`: where the MQTT broker is. Secrets are read from files; TLS is used when ca_file is given."""

    host: str = "127.0.0.1"
    port: Port = 1883
    keep_alive_s: Annotated[int, Meta(ge=2, le=3600)] = 30
    username: str | None = None
    password_file: str | None = None
    ca_file: str | None = None
    cert_file: str | None = None
    key_file: str | None = None


class IngestSettings(Section, frozen=True):
    """`[ingest]`: how messages become rows.

    A batch is committed when it has batch_rows_max messages or its oldest is batch_age_s old. At most held_messages_max
    and held_bytes_max bytes of payload are held in memory; past that the socket is not read. A device that sends more
    than device_rate_max_hz for longer than a few seconds is told `rate_limited`. sites: those of this shard, `["*"]`
    for all. metrics_port: of 127.0.0.1, where Prometheus reads; 0 for none.
    """

    shard: Segment = "main"
    sites: list[str] = field(default_factory=lambda: ["*"])
    batch_rows_max: Annotated[int, Meta(ge=1, le=10_000)] = 1_000
    batch_age_s: Annotated[float, Meta(gt=0, le=10)] = 0.05
    held_messages_max: Annotated[int, Meta(ge=1, le=100_000)] = 4_000
    held_bytes_max: Annotated[int, Meta(ge=65_536)] = 32 * 1024 * 1024
    device_rate_max_hz: Annotated[float, Meta(ge=1)] = 2_000.0
    future_s_max: Positive = 86_400.0
    dead_letter_days: Positive = 30.0
    dead_letter_bytes_max: AtLeastOne = 1 << 30
    language: Literal["fr", "en"] = "fr"
    metrics_port: Annotated[int, Meta(ge=0, le=65_535)] = 0


class AlertSettings(Section, frozen=True):
    """`[alerts]`: when the watch raises an alert of its own.

    A device is silent after silent_periods of its `health` without one. Its clock is not to be trusted beyond
    clock_error_ms. lag_s: how late the quickest live sample of a site may be stored.
    """

    silent_periods: Annotated[float, Meta(ge=1)] = 3.0
    clock_error_ms: Positive = 1_000.0
    lag_s: Positive = 10.0


class NotifySettings(Section, frozen=True):
    """`[notify]`: how alerts reach people beside MQTT and live views; the channels are in the database.

    smtp_host: absent, e-mail channels fail with that reason. smtp_tls: `starttls`, `tls` or `none` (a relay on this
    machine). secret_file: holds the secret from which each webhook's key is derived. webhook_hosts: names that may be
    addresses of a private network, and may be spoken to without TLS. attempts_max: then a message is given up.
    """

    smtp_host: str | None = None
    smtp_port: Port = 587
    smtp_tls: Literal["starttls", "tls", "none"] = "starttls"
    smtp_username: str | None = None
    smtp_password_file: str | None = None
    sender: str = "sqal@localhost"
    secret_file: str | None = None
    webhook_hosts: list[str] = field(default_factory=list[str])
    timeout_s: Annotated[float, Meta(gt=0, le=60)] = 10.0
    attempts_max: Annotated[int, Meta(ge=1, le=50)] = 8
    retry_s: Positive = 5.0


class ApiSettings(Section, frozen=True):
    """`[api]`: where REST, WebSocket and dashboard are served.

    hosts: names by which browsers may call this server, besides localhost. demo: callers of this machine need no login.
    rate_max_hz: how many requests a second one address may send on average, 5 s of them at once; 0 for any number.
    """

    host: str = "127.0.0.1"
    port: Port = 8000
    hosts: list[str] = field(default_factory=list[str])
    demo: bool = False
    rate_max_hz: Annotated[float, Meta(ge=0)] = 200.0
    origins: list[str] = field(
        default_factory=lambda: ["http://localhost:3000", "http://localhost:3001", "http://localhost:5173"]
    )


class LedgerSettings(Section, frozen=True):
    """`[ledger]`: whose ledger it is, who signs it, how often.

    origin: name of the ledger in its checkpoints and keys; never changes. checkpoint_s: the longest that an entry waits
    for a checkpoint. batch: one entry for each piece, or one for each lot and checkpoint. public_url: where strangers
    reach the page that a certificate's code points to. retention_days: how long samples are kept; younger ones that are
    missing were deleted.
    """

    origin: Annotated[str, Meta(pattern=r"^[A-Za-z0-9][A-Za-z0-9._/-]{0,99}$")] = "sqal.local/ledger"
    key_file: str = "var/ledger/key"
    checkpoint_file: str = "var/ledger/checkpoint"
    checkpoint_s: Annotated[float, Meta(gt=0, le=60)] = 10.0
    batch: Literal["piece", "lot"] = "piece"
    public_url: str = "http://localhost:8000"
    retention_days: Positive = 90.0


class Settings(Section, frozen=True):
    """All of it."""

    database: DatabaseSettings = field(default_factory=DatabaseSettings)
    broker: BrokerSettings = field(default_factory=BrokerSettings)
    ingest: IngestSettings = field(default_factory=IngestSettings)
    api: ApiSettings = field(default_factory=ApiSettings)
    ledger: LedgerSettings = field(default_factory=LedgerSettings)
    alerts: AlertSettings = field(default_factory=AlertSettings)
    notify: NotifySettings = field(default_factory=NotifySettings)


def load_settings(file: Path | None, environment: Mapping[str, str]) -> Settings:
    """Read `file` (none: defaults) and lay `environment` over it. Raises SettingsError naming the key."""
    values = _read(file) if file is not None else {}
    if "DATABASE_URL" in environment:
        _table(values, "database")["url"] = environment["DATABASE_URL"]
    for name, text in sorted(environment.items()):
        if name.startswith(PREFIX) and not name.startswith(FOREIGN):
            section, key, is_list = _target(name)
            _table(values, section)[key] = [part for part in text.split(",") if part] if is_list else text
    try:
        return msgspec.convert(values, Settings, strict=False)
    except msgspec.ValidationError as error:
        raise SettingsError(_sentence(str(error))) from None


def _read(file: Path) -> dict[str, Any]:
    try:
        return tomllib.loads(file.read_text(encoding="utf-8"))
    except OSError as error:
        raise SettingsError(f"the settings file {file} cannot be read: {error.strerror}") from error
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise SettingsError(f"the settings file {file} is no TOML: {error}") from error


def _table(values: dict[str, Any], section: str) -> dict[str, Any]:
    table = values.setdefault(section, {})
    if not isinstance(table, dict):
        raise SettingsError(f"{section} must be a table, [{section}]")
    return table  # pyright: ignore[reportUnknownVariableType]  # of TOML; msgspec checks what is in it


def _target(name: str) -> tuple[str, str, bool]:
    """Return section, key, and whether it holds a list, of an environment variable. Raises SettingsError."""
    for section in msgspec.structs.fields(Settings):
        prefix = f"{PREFIX}{section.name.upper()}_"
        for key in msgspec.structs.fields(section.type) if name.startswith(prefix) else ():
            if name == prefix + key.name.upper():
                return section.name, key.name, get_origin(key.type) is list or list in get_args(key.type)
    raise SettingsError(f"the environment variable {name} sets nothing: there is no such key")


def _sentence(text: str) -> str:
    """Turn msgspec's `Object contains unknown field `x` - at `$.broker`` into `broker.x: …`."""
    reason, _, path = text.partition(" - at `$")
    section = path.rstrip("`").lstrip(".")
    unknown = re.search(r"unknown field `(.+)`", reason)
    if unknown:
        return f"{'.'.join(part for part in (section, unknown[1]) if part)}: there is no such key"
    return f"{section or 'settings'}: {reason}"
