"""`sqal cloud ingest`: from MQTT into the database."""

import asyncio
import gc
import os
import random
import signal
from pathlib import Path

import click

from cloud.ingest import IngestStoppedError, run_ingest
from cloud.settings import Settings, SettingsError, load_settings
from sqal.resources import resource_path

GARBAGE_THRESHOLD = 100_000  # objects made and not freed before the collector looks


@click.command()
@click.option("--settings", "file", type=click.Path(path_type=Path, dir_okay=False), help="TOML file of the server.")
def ingest(file: Path | None) -> None:
    """Store what the devices send: one active ingester per shard, further ones stand by."""
    try:
        settings = load_settings(file, os.environ)
        asyncio.run(_run(settings))
    except (SettingsError, IngestStoppedError) as error:
        raise click.ClickException(str(error)) from error


async def _run(settings: Settings) -> None:
    # A batch is some hundred thousand objects that live for a moment and form no cycles: by default the collector would
    # walk through all that lives a hundred times for each batch. What the imports made is never looked at again.
    gc.freeze()
    gc.set_threshold(GARBAGE_THRESHOLD, 10, 50)
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    for signal_number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(signal_number, stop.set)
    await run_ingest(settings, sql=resource_path("sql"), stop=stop, rng=random.Random())  # noqa: S311  # jitter
