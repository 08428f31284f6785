"""The `sqal` command: every process of the line starts here.

Subcommands are imported when they are called: a Raspberry Pi with only the `edge` extra has no database client, and
`sqal edge run` need not wait for a web framework to load.
"""

import importlib
from collections.abc import Mapping
from dataclasses import dataclass

import click


@dataclass(frozen=True, slots=True)
class Lazy:
    """Where a subcommand is, what it does in a line, and which extra installs what it needs."""

    module: str
    attribute: str
    summary: str
    extra: str


class LazyGroup(click.Group):
    """A group whose subcommands are imported only when one of them is called."""

    def __init__(self, name: str, summary: str, commands: Mapping[str, Lazy]) -> None:
        """Hold `commands` by name; nothing is imported."""
        super().__init__(name, help=summary, context_settings={"help_option_names": ["-h", "--help"]})
        self._lazy = commands

    def list_commands(self, ctx: click.Context) -> list[str]:
        """Names in the order they were given."""
        del ctx
        return list(self._lazy)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        """Import a subcommand. Raises ClickException that names the extra when a library is missing."""
        del ctx
        lazy = self._lazy.get(cmd_name)
        if lazy is None:
            return None
        try:
            command = getattr(importlib.import_module(lazy.module), lazy.attribute)
        except ModuleNotFoundError as error:
            if (error.name or "").split(".", 1)[0] in {
                "contract",
                "messaging",
                "quality",
                "drivers",
                "edge",
                "cloud",
                "sqal",
            }:
                raise
            raise click.ClickException(
                f"sqal {cmd_name} needs the package {error.name}: pip install 'sqal[{lazy.extra}]'"
            ) from error
        assert isinstance(command, click.Command)
        return command

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """List the subcommands without importing them."""
        del ctx
        with formatter.section("Commands"):
            formatter.write_dl([(name, lazy.summary) for name, lazy in self._lazy.items()])


CLOUD = LazyGroup(
    "cloud",
    "The server side.",
    {
        "ingest": Lazy("sqal.commands.ingest", "ingest", "Store what the devices send, raise alerts.", "cloud"),
        "raw": Lazy("sqal.commands.raw", "raw", "Make samples of what measuring-only devices send.", "cloud"),
        "calibrate": Lazy("sqal.commands.raw", "calibrate", "Calibrate a measuring-only device.", "cloud"),
        "serve": Lazy("sqal.commands.serve", "serve", "REST, WebSocket and the live page.", "cloud"),
        "model": Lazy("sqal.commands.model", "model", "The register of models.", "cloud"),
        "gage": Lazy("sqal.commands.gage", "gage", "How much of what differs is the measurement.", "cloud"),
        "reanalyse": Lazy("sqal.commands.reanalyse", "reanalyse", "What another recipe would have said.", "cloud"),
        "recipe": Lazy("sqal.commands.recipe", "recipe", "What pieces are judged by.", "cloud"),
    },
)

main = LazyGroup(
    "sqal",
    "SQAL grades foie gras on the line: sensors, edge agent, ingest, live relay, dashboard.",
    {
        "demo": Lazy("sqal.commands.demo", "demo", "The whole line on this machine, on simulated sensors.", "demo"),
        "edge": Lazy("sqal.commands.edge", "edge", "The agent beside the line, and its sensors.", "edge"),
        "spool": Lazy("sqal.commands.spool", "spool", "Look into a device's spool.", "edge"),
        "cloud": Lazy("sqal.cli", "CLOUD", "Ingest and server.", "cloud"),
        "channel": Lazy("sqal.commands.channel", "channel", "Who is told of alerts.", "cloud"),
        "user": Lazy("sqal.commands.user", "user", "Who may log in.", "cloud"),
        "token": Lazy("sqal.commands.token", "token", "What programs show to the API.", "cloud"),
        "doctor": Lazy("sqal.commands.doctor", "doctor", "Say in words what is wrong with a deployment.", "cloud"),
        "device": Lazy("sqal.commands.device", "device", "A new device, and what it needs.", "cloud"),
        "pki": Lazy("sqal.commands.pki", "pki", "Certificates and access list of the broker.", "cloud"),
        "ledger": Lazy("sqal.commands.ledger", "ledger", "The ledger: keys, writer, verifier.", "cloud"),
        "certificate": Lazy("sqal.commands.certificate", "certificate", "Verify certificates of lots.", "cloud"),
        "lots": Lazy("sqal.commands.lots", "lots", "Lots from a CSV file.", "cloud"),
        "db": Lazy("sqal.commands.db", "db", "The database's schema.", "cloud"),
    },
)
click.version_option(package_name="sqal")(main)
