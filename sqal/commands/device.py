"""`sqal device`: a new device in one command: registry, certificate, access list, and what it has to be told."""

import os
import signal
from pathlib import Path

import click
import psycopg

from cloud.settings import load_settings
from cloud.store.queries import Queries
from contract.topics import device_topic
from sqal.commands.pki import ACL, FOLDER, PID, SETTINGS, alert_topics, in_words, registry, write_acl
from sqal.pki import Issued, Pki, PkiError
from sqal.resources import resource_path

EDGE_SETTINGS = """\
# {device}: `sqal edge run --config` with this file
device = "{device}"
site = "{site}"
line = "{line}"
state_dir = "/var/lib/sqal"
broker_host = "{host}"
broker_port = {port}
broker_ca_file = "/etc/sqal/services.crt"
broker_cert_file = "/etc/sqal/{device}.crt"
broker_key_file = "/etc/sqal/{device}.key"
"""
ESP32 = """\
// {device}: for a sketch that speaks MQTT 3.1.1 or 5 over TLS (PubSubClient, esp-mqtt)
#define SQAL_HOST "{host}"
#define SQAL_PORT {port}
#define SQAL_CLIENT_ID "{device}"  // the name in its certificate: the broker takes no other
#define SQAL_TOPIC_SAMPLE "{sample}"
#define SQAL_TOPIC_RAW "{raw}"
static const char SQAL_CA[] = R"PEM(
{ca})PEM";
static const char SQAL_CERTIFICATE[] = R"PEM(
{certificate})PEM";
static const char SQAL_KEY[] = R"PEM(
{key})PEM";
"""


@click.group()
def device() -> None:
    """Devices of the line."""


@device.command("add")
@click.argument("name")
@click.option("--site", required=True, help="Code of its site, such as LL.")
@click.option("--line", default="line1", show_default=True)
@click.option("--label", help="What people call it.")
@click.option("--broker-name", "host", required=True, help="Name or address by which it reaches the broker.")
@click.option("--broker-port", "port", type=click.IntRange(1, 65535), default=8883, show_default=True)
@click.option("--esp32", is_flag=True, help="Print a header for a microcontroller instead of settings.")
@FOLDER
@SETTINGS
@ACL
@PID
def add(
    *,
    name: str,
    site: str,
    line: str,
    label: str | None,
    host: str,
    port: int,
    esp32: bool,
    folder: Path,
    file: Path | None,
    acl_file: Path | None,
    broker_pid: int | None,
) -> None:
    """Register NAME, issue its certificate, let the broker know it, and print what the device needs."""
    with in_words():
        database = load_settings(file, os.environ).database.url
        topics = {kind: device_topic(site, line, name, kind) for kind in ("sample", "raw")}  # a bad name ends here
        issued = register(database, Pki(folder), name=name, site=site, line=line, label=label)
        if acl_file is not None:
            write_acl(acl_file, registry(database), alert_topics(database))
        if broker_pid is not None:
            os.kill(broker_pid, signal.SIGHUP)
    about = {"device": name, "site": site, "line": line, "host": host, "port": port}
    if esp32:
        files = {
            "ca": (folder / "services.crt").read_text(),
            "certificate": issued.certificate.read_text(),
            "key": issued.key.read_text(),
        }
        click.echo(ESP32.format(**about, **topics, **files))
    else:
        click.echo(EDGE_SETTINGS.format(**about))
        click.echo("# and these files, the key for nobody else's eyes:")
        for path in (issued.certificate, issued.key, folder / "services.crt"):
            click.echo(f"#   {path}")
    if acl_file is None or broker_pid is None:
        click.echo("the broker was not told: give --acl and --broker-pid, or run `sqal pki acl`", err=True)


def register(dsn: str, pki: Pki, *, name: str, site: str, line: str, label: str | None) -> Issued:
    """The registry's row and the certificate, both or neither. Raises PkiError, psycopg.Error."""
    queries = Queries(resource_path("sql") / "queries")
    values = {"device_id": name, "device_name": label or name, "site_code": site, "line": line, "status": "active"}
    values |= {"firmware_version": None, "config_profile": None, "location": None}
    with psycopg.connect(dsn) as connection:
        if not connection.execute(queries["api_sites"], {"sites": [site]}).fetchone():
            raise PkiError(f"there is no site {site}: the registry's sites are made with the database")
        if connection.execute(queries["api_insert_device"], values).fetchone() is None:
            raise PkiError(f"there is a device {name} already")
        return pki.issue(name, "devices")  # what it refuses undoes the row
