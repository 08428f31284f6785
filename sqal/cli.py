"""The `sqal` command: every process of the line starts here."""

import click


@click.group(context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(package_name="sqal")
def main() -> None:
    """SQAL grades foie gras on the line: sensors, edge agent, ingest, live relay, dashboard."""
