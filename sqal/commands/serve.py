"""`sqal cloud serve`: REST, WebSockets and the dashboard."""

import os
from pathlib import Path

import click
import msgspec

from cloud.app import ServeError, run_serve
from cloud.logs import configure_logs
from cloud.settings import SettingsError, load_settings
from cloud.store.queries import Queries
from sqal.resources import resource_path


@click.command()
@click.option("--settings", "file", type=click.Path(path_type=Path, dir_okay=False), help="TOML file of the server.")
@click.option("--host", help="Address to listen on; this machine's own only.")
@click.option("--port", type=click.IntRange(1, 65_535), help="Port to listen on, 8000 by default.")
def serve(file: Path | None, host: str | None, port: int | None) -> None:
    """Serve REST, WebSockets and the dashboard until Ctrl-C."""
    try:
        configure_logs()
        settings = load_settings(file, os.environ)
        asked = {key: value for key, value in (("host", host), ("port", port)) if value is not None}
        api = msgspec.structs.replace(settings.api, **asked)
        run_serve(msgspec.structs.replace(settings, api=api), Queries(resource_path("sql") / "queries"))
    except (SettingsError, ServeError) as error:
        raise click.ClickException(str(error)) from error
