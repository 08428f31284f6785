"""`sqal channel`: who is told of alerts by e-mail, webhook or MQTT, and whether that works."""

import os
import time
from datetime import UTC, datetime
from pathlib import Path

import click

from cloud.channels import ChannelError, check_target, webhook_key
from cloud.settings import Settings, SettingsError, load_settings
from cloud.store.channels import Channels
from cloud.store.queries import Queries
from sqal.commands.user import FILE, in_words, show
from sqal.resources import resource_path

TEST_S = 15
POLL_S = 0.5
SEVERITY = click.Choice(["info", "warning", "critical"])


@click.group()
@FILE
@click.pass_context
def channel(context: click.Context, file: Path | None) -> None:
    """Who is told of alerts by e-mail, webhook or MQTT."""
    try:
        settings = load_settings(file, os.environ)
    except SettingsError as error:
        raise click.ClickException(str(error)) from error
    context.obj = (settings, Channels(settings.database.url, Queries(resource_path("sql") / "queries")))


@channel.command("list")
@click.pass_obj
def list_channels(chosen: tuple[Settings, Channels]) -> None:
    """List the channels."""
    with in_words():
        show(
            chosen[1].all(),
            lambda row: (
                f"{row['name']:<20} {row['kind']:<8} from {row['min_severity']:<9}"
                f" {','.join(row['sites'] or ['every site']):<12} {row['target']}{'' if row['is_active'] else ' (off)'}"
            ),
        )


@channel.command("put")
@click.argument("name")
@click.argument("kind", type=click.Choice(["email", "webhook", "mqtt"]))
@click.argument("target")
@click.option("--from", "min_severity", type=SEVERITY, default="warning", show_default=True, help="Least severity.")
@click.option("--site", "sites", multiple=True, help="Only this site; may be given several times.")
@click.option("--off", is_flag=True, help="Keep it, but tell it nothing.")
@click.pass_obj
def put(
    chosen: tuple[Settings, Channels],
    name: str,
    kind: str,
    target: str,
    *,
    min_severity: str,
    sites: tuple[str, ...],
    off: bool,
) -> None:
    """Make or change a channel: addresses separated by commas, an https URL, or a topic."""
    try:
        check_target(kind, target)
    except ChannelError as error:
        raise click.ClickException(str(error)) from error
    with in_words():
        values = {"kind": kind, "target": target, "min_severity": min_severity}
        chosen[1].put(name, **values, sites=list(sites) or None, is_active=not off)
    click.echo(f"{name} hears of alerts from {min_severity} on; try it with `sqal channel test {name}`")
    if kind == "mqtt":
        click.echo("a broker with an access list learns the topic by `sqal pki acl`", err=True)


@channel.command("remove")
@click.argument("name")
@click.pass_obj
def remove(chosen: tuple[Settings, Channels], name: str) -> None:
    """Forget a channel and the log of what it was sent."""
    with in_words():
        known = chosen[1].remove(name)
    if not known:
        raise click.ClickException(f"there is no channel {name!r}")
    click.echo(f"{name} is forgotten")


@channel.command("key")
@click.argument("name")
@click.pass_obj
def key(chosen: tuple[Settings, Channels], name: str) -> None:
    """Print the key by which a webhook checks our signature."""
    try:
        click.echo(webhook_key(chosen[0].notify, name).decode())
    except ChannelError as error:
        raise click.ClickException(str(error)) from error


@channel.command("test")
@click.argument("name")
@click.pass_obj
def test(chosen: tuple[Settings, Channels], name: str) -> None:
    """Have the running ingester send a test message, and say what became of it."""
    with in_words():
        number = chosen[1].test(name, datetime.now(UTC))
        if number is None:
            raise click.ClickException(f"there is no channel {name!r}")
        found = chosen[1].wait(number, pause=lambda: time.sleep(POLL_S), turns=round(TEST_S / POLL_S))
    if found["state"] == "sent":
        click.echo(f"message {number} was sent")
        return
    if found["state"] == "dead":
        raise click.ClickException(f"message {number} was not sent: {found['last_error']}")
    raise click.ClickException(f"message {number} still waits after {TEST_S} s: is an ingester of its site active?")
