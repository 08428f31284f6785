"""The two connections of an ingester to the broker, as the settings describe them."""

import random
import ssl
import uuid
from collections.abc import Callable
from pathlib import Path

from cloud.publish import host_state
from cloud.settings import BrokerSettings, Settings, SettingsError
from contract import encode
from contract.topics import host_topic, subscription
from messaging import Client, StateChange, Subscription, Will

OnState = Callable[[StateChange], None]


def inbound_client(settings: Settings, *, rng: random.Random, on_state: OnState) -> Client:
    """Return the client that receives: a fixed id and a session that outlives us, so that nothing is missed."""
    broker, ingest = settings.broker, settings.ingest
    return Client(
        host=broker.host,
        port=broker.port,
        client_id=f"sqal-ingest-{ingest.shard}",
        rng=rng,
        keepalive_s=broker.keep_alive_s,
        high_water=ingest.held_messages_max,
        high_water_bytes=ingest.held_bytes_max,
        tls=tls_context(broker),
        username=broker.username,
        password=password(broker),
        stop_on_takeover=True,
        on_state=on_state,
    )


def subscriptions(settings: Settings) -> list[Subscription]:
    """Return what the inbound client asks for: samples and events of the shard's sites."""
    sites = ["+"] if "*" in settings.ingest.sites else settings.ingest.sites
    return [Subscription(subscription(kind, site=site)) for site in sites for kind in ("sample", "event")]


def outbound_client(settings: Settings, *, rng: random.Random, session: uuid.UUID, on_state: OnState) -> Client:
    """Return the client that publishes; its will says that nobody stores any more."""
    broker, ingest = settings.broker, settings.ingest
    will = host_state(ingest.shard, session, ingest.sites, online=False, now=None)
    return Client(
        host=broker.host,
        port=broker.port,
        client_id=f"sqal-ingest-{ingest.shard}-out",
        rng=rng,
        clean_start=True,
        session_expiry_s=0,
        keepalive_s=broker.keep_alive_s,
        will=Will(host_topic(ingest.shard), encode(will)),
        tls=tls_context(broker),
        username=broker.username,
        password=password(broker),
        on_state=on_state,
    )


def password(broker: BrokerSettings) -> str | None:
    """Return the password from its file. Raises SettingsError."""
    if broker.password_file is None:
        return None
    try:
        return Path(broker.password_file).read_text(encoding="utf-8").strip()
    except OSError as error:
        raise SettingsError(f"broker.password_file: cannot be read: {error.strerror}") from error


def tls_context(broker: BrokerSettings) -> ssl.SSLContext | None:
    """Return how to verify the broker and show who we are; None without `ca_file`. Raises SettingsError."""
    if broker.ca_file is None:
        return None
    try:
        context = ssl.create_default_context(cafile=broker.ca_file)
        if broker.cert_file is not None:
            context.load_cert_chain(broker.cert_file, broker.key_file)
    except OSError as error:
        raise SettingsError(f"broker.ca_file, cert_file or key_file: {error}") from error
    return context
