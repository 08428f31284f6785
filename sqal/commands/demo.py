"""`sqal demo`: the whole line in one command."""

import json
import signal
import threading
import time
import urllib.error
import urllib.request
from pathlib import Path
from types import FrameType

import click

from sqal.demo.line import BROKER, Line, default_data
from sqal.demo.plan import Plan
from sqal.parts.child import PartError

FIRST_SAMPLE_TIMEOUT_S = 90.0
TEND_S = 0.25


@click.command()
@click.option("--sites", default=3, show_default=True, help="How many sites, each with one line and one device.")
@click.option("--speed", default=1.0, show_default=True, help="Simulated seconds a second.")
@click.option("--rate-hz", type=float, help="Timed samples a simulated second and device, in place of one a piece.")
@click.option(
    "--port", type=click.IntRange(1, 65535), default=8000, show_default=True, help="Where page and API are served."
)
@click.option("--data", type=click.Path(path_type=Path), default=None, help="Folder of its data.  [default: var/demo]")
@click.option("--faults", help="What goes wrong on the last device: theatre (one after the other) or one of its acts.")
def demo(*, sites: int, speed: float, rate_hz: float | None, port: int, data: Path | None, faults: str | None) -> None:
    """Run the whole line here: database, broker, ingest, server, and an agent a site on simulated sensors."""
    stopping = threading.Event()
    running = threading.Event()

    def stop(_signal: int, _frame: FrameType | None) -> None:
        again = stopping.is_set()
        stopping.set()
        if again or not running.is_set():  # a part that is still starting is waited for on this very thread
            raise KeyboardInterrupt

    signal.signal(signal.SIGINT, stop)
    signal.signal(signal.SIGTERM, stop)
    try:
        plan = Plan(
            data=(data or default_data()).resolve(),
            port=port,
            sites=sites,
            speed=speed,
            rate_hz=1.0 if rate_hz is None else rate_hz,
            mode="belt" if rate_hz is None else "timed",
            faults=faults,
        )
    except ValueError as error:
        raise click.UsageError(str(error)) from error
    line = Line(plan, say=lambda text: click.echo(f"· {text}"))
    began = time.monotonic()
    try:
        line.start()
        running.set()
        _welcome(line, stopping, began)
        while not stopping.wait(TEND_S):
            line.supervisor.tend()
    except KeyboardInterrupt:
        pass
    except PartError as error:
        raise click.ClickException(str(error)) from error
    finally:
        if stopping.is_set():
            click.echo("· stopping")
        line.stop()
    click.echo("· stopped; the data are kept in " + str(plan.data))


def _welcome(line: Line, stopping: threading.Event, began: float) -> None:
    """Wait for the first stored piece, then say where to look."""
    click.echo("· waiting for the first graded piece")
    deadline = time.monotonic() + FIRST_SAMPLE_TIMEOUT_S
    while not stopping.is_set() and not _fresh_sample(line.plan.url):
        if time.monotonic() > deadline:
            logs = line.plan.data / "logs"
            click.echo(f"· no piece was graded within {FIRST_SAMPLE_TIMEOUT_S:.0f} s; the logs in {logs} say why")
            break
        line.supervisor.tend()
        stopping.wait(TEND_S)
    if stopping.is_set():
        return
    seconds = time.monotonic() - began
    click.echo(
        f"""
  ┌────────────────────────────────────────────────────────────────────────┐
  │  SQAL runs: {line.plan.sites} sites, {line.plan.url:<24}  (ready after {seconds:4.1f} s)   │
  └────────────────────────────────────────────────────────────────────────┘
    page       {line.plan.url}
    API        {line.plan.url}/docs
    admin      {line.login_link()}   (logs in once)
    MQTT       127.0.0.1:{line.broker_port}   ({line.supervisor.child(BROKER).name})   topics sqal/v1/#
    database   {line.dsn}
    logs       {line.plan.data / "logs"}

    Stop with Ctrl-C.
"""
    )


def _fresh_sample(url: str) -> bool:
    """Whether a sample younger than a few seconds is stored."""
    try:
        with urllib.request.urlopen(f"{url}/api/sqal/health", timeout=2) as answer:  # noqa: S310  # our own loopback
            age = json.load(answer).get("last_sample_age_seconds")
    except (urllib.error.URLError, OSError, ValueError):
        return False
    return age is not None and age < 5
