"""`sqal edge`: the agent of one device, and a look at its sensors."""

import asyncio
import json
import os
import sqlite3
import sys
import time
from collections.abc import Callable
from dataclasses import asdict
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any, NoReturn, TypeVar

import click
import structlog

from drivers.bus import BusError
from drivers.errors import DriverError
from edge.logs import configure_logs
from edge.settings import Settings, SettingsError, load
from edge.spool_errors import SpoolError

if TYPE_CHECKING:
    from edge.calibration import Calibrations
    from edge.guided import Procedure
    from edge.probing import Report
    from edge.world import World

Function = TypeVar("Function", bound=Callable[..., Any])
COULD_NOT = 1
MISUSED = 2


@click.group()
def edge() -> None:
    """The agent beside the line, and its sensors."""


def _common(function: Function) -> Function:
    """Options that every command which touches sensors has."""
    for option in reversed(
        (
            click.option("--config", type=click.Path(exists=True, dir_okay=False, path_type=Path), help="A TOML file."),
            click.option(
                "--bus", type=click.Choice(["sim", "linux", "replay"]), help="Simulated, /dev/i2c-N, recorded."
            ),
            click.option("--i2c-bus", type=int, help="N of /dev/i2c-N.  [default: 1]"),
            click.option("--i2c-bus-tof", type=int, help="N for the VL53L8CH, where it has a bus of its own (1 MHz)."),
            click.option("--i2c-bus-spectral", type=int, help="N for the AS7341, likewise (400 kHz)."),
            click.option(
                "--capture", type=click.Path(exists=True, dir_okay=False, path_type=Path), help="What a replay plays."
            ),
            click.option("--faults", help="What goes wrong on the simulated bus, such as brown-out, or theatre."),
            click.option("--seed", type=int, help="Of the simulated world.  [default: 0]"),
            click.option("--speed", type=float, help="Simulated seconds a second.  [default: 1]"),
            click.option("--device", help="Id of this device, such as ESP32_LL_01."),
            click.option(
                "--state-dir", type=click.Path(file_okay=False, path_type=Path), help="Spool and calibration."
            ),
        )
    ):
        function = option(function)
    return function


@edge.command()
@_common
@click.option("--site", help="Code of the site, such as LL.")
@click.option("--line", help="Production line.  [default: line1]")
@click.option("--broker", help="host:port of the MQTT broker.  [default: 127.0.0.1:1883]")
@click.option("--rate-hz", type=float, help="Measurements a (simulated) second.  [default: 1]")
@click.option(
    "--mode", type=click.Choice(["timed", "free", "belt"]), help="What a sample is made by.  [default: timed]"
)
@click.option("--belt-mm-s", type=float, help="Speed of the belt in mode belt without an encoder.  [default: 200]")
@click.option("--stock-lean", type=float, help="-1 to 1: simulated pieces better or worse than usual.  [default: 0]")
@click.option("--lot", "lot_id", type=int, help="Lot that samples belong to until the twin says otherwise.")
@click.option("--stage/--no-stage", default=None, help="Let commands play faults on the simulated bus.  [default: no]")
@click.option("--trust-clock/--ask-kernel", default=None, help="Believe the wall clock, or the kernel about it.")
def run(config: Path | None, broker: str | None, **options: Any) -> None:
    """Measure, grade, keep, send: the agent of one device, until SIGTERM or Ctrl-C.

    Every option is also a key of the TOML file and, as SQAL_EDGE_…, of the environment.
    """
    settings = _settings(config, options | _host_and_port(broker))
    limit = configure_logs(time.monotonic)
    from edge.agent import run_agent  # noqa: PLC0415  # numpy and drivers load only when they are needed
    from edge.calibration import CalibrationError  # noqa: PLC0415

    try:
        asyncio.run(run_agent(settings))
    except (SettingsError, CalibrationError) as error:
        _give_up(str(error), MISUSED)
    except (SpoolError, DriverError) as error:
        _give_up(str(error), COULD_NOT)
    except (OSError, sqlite3.Error) as error:
        _give_up(f"the state directory {settings.state_dir}: {error}", COULD_NOT)
    finally:
        left = limit.left()
        if left:
            structlog.get_logger("logs").info("logs.suppressed", **left)


@edge.command()
@_common
@click.option("--json", "as_json", is_flag=True, help="One JSON object instead of words.")
def probe(config: Path | None, as_json: bool, **options: Any) -> None:
    """Say what is on the bus. Exit status 0 only when both sensors are there and healthy."""
    from edge.probing import probe_world  # noqa: PLC0415  # as above

    _examine(_bench_settings(config, options), probe_world, as_json)


@edge.command()
@_common
@click.option("--json", "as_json", is_flag=True, help="One JSON object instead of words.")
def selftest(config: Path | None, as_json: bool, **options: Any) -> None:
    """Test both sensors from their identity to their light. Exit status 0 only when all of it is well."""
    from edge.probing import self_test_world  # noqa: PLC0415  # as above

    _examine(_bench_settings(config, options), self_test_world, as_json)


@edge.command()
@_common
@click.option("--of", "session", type=click.Choice(["probe", "selftest", "measure"]), default="measure")
@click.option("--seconds", type=click.FloatRange(0.5, 3600.0), default=3.0, show_default=True, help="Of `measure`.")
@click.option("--scene", default="", help="What lies before the sensors, in words; goes into the header.")
@click.option("--out", type=click.Path(dir_okay=False, path_type=Path), required=True, help="The file to make.")
def capture(config: Path | None, session: str, seconds: float, scene: str, out: Path, **options: Any) -> None:
    """Record all bus traffic of a session, with its timing, to a file that --bus replay plays (docs/captures.md)."""
    settings = _bench_settings(config, options)
    from edge.capturing import record  # noqa: PLC0415  # as above

    try:
        written = record(settings, out, session=session, seconds=seconds, scene=scene, now=datetime.now(UTC))
    except (DriverError, BusError) as error:
        _give_up(str(error), COULD_NOT)
    except SettingsError as error:
        _give_up(str(error), MISUSED)
    except OSError as error:
        _give_up(f"{out} cannot be written: {error.strerror}", COULD_NOT)
    click.echo(f"{out}: {written} transfers, {out.stat().st_size} bytes")


def _bench_settings(config: Path | None, options: dict[str, Any]) -> Settings:
    """Of a command that sends nothing: who this device is does not matter."""
    defaults = {"device": "probe", "site": "XX", "state_dir": Path(os.devnull)}
    return _settings(config, defaults | {key: value for key, value in options.items() if value is not None})


def _examine(settings: Settings, examine: "Callable[[World, Calibrations | None], Report]", as_json: bool) -> NoReturn:
    """Open the sensors, examine them, say what was found and end."""
    from edge.calibration import CalibrationError  # noqa: PLC0415  # as above
    from edge.calibration import load as load_calibrations  # noqa: PLC0415
    from edge.world import open_world  # noqa: PLC0415  # as above

    try:
        kept = load_calibrations(settings.state_dir) if settings.state_dir.is_dir() else None
        report = examine(open_world(settings, faults_at_once=True), kept)
    except SettingsError as error:
        _give_up(str(error), MISUSED)
    except (DriverError, CalibrationError) as error:
        _give_up(str(error), COULD_NOT)
    if as_json:
        findings = [asdict(each) for each in report.findings]
        click.echo(json.dumps({"bus": settings.bus, "healthy": report.healthy, "findings": findings}))
    else:
        for line in report.lines():
            click.echo(line)
        click.echo("both sensors are healthy" if report.healthy else "not ready: see what is marked BAD")
    sys.exit(0 if report.healthy else COULD_NOT)


@edge.command()
@click.argument("what", type=click.Choice(["all", "belt", "dark", "white"]), default="all")
@_common
@click.option("--white-reflectance", type=click.FloatRange(0.1, 1.0), default=0.98, show_default=True)
def calibrate(what: "Procedure", config: Path | None, white_reflectance: float, **options: Any) -> None:
    """Measure belt, dark and white through the sensors, or one of them anew, while the agent does not run.

    A gauge body is passed under the running agent: its command `calibrate` with what=gauge.
    """
    settings = _settings(config, {"site": "XX"} | {key: value for key, value in options.items() if value is not None})
    from edge import calibration  # noqa: PLC0415  # as above
    from edge.guided import WORDS, Guide  # noqa: PLC0415
    from edge.world import open_world  # noqa: PLC0415

    settings.state_dir.mkdir(parents=True, exist_ok=True)
    world = None
    try:
        world = open_world(settings)
        world.tof.start()
        world.spectral.start()
        if world.show is None:
            click.echo(WORDS[what])
        guide = Guide(
            world.tof,
            world.spectral,
            show=world.show or _ask_for,
            white_reflectance=white_reflectance if world.show is None else world.white_reflectance,
            device_id=settings.device,
            now=datetime.now(UTC),
            before=calibration.load(settings.state_dir),
        )
        found, records = guide.run(what)
        calibration.save(settings.state_dir, found)
        calibration.leave_report(settings.state_dir, records)
    except (DriverError, BusError, calibration.CalibrationError) as error:
        _give_up(str(error), COULD_NOT)
    finally:
        if world is not None:
            world.close()
    click.echo(f"calibrated: {found.tof.id}, {found.spectral.id}")


@edge.command()
@click.option("--device", required=True, help="Id of this device, such as PI_LL_01.")
@click.option("--site", required=True, help="Code of the site, such as LL.")
@click.option("--broker-host", required=True, help="Name of the MQTT broker, as in its certificate.")
@click.option("--root", type=click.Path(file_okay=False, path_type=Path), default="/", help="Where / is.  [default: /]")
def install(device: str, site: str, broker_host: str, root: Path) -> None:
    """Write the systemd unit and a configuration to fill in; an existing configuration is left as it is."""
    from edge.installing import install as write  # noqa: PLC0415  # as above

    try:
        command = str(Path(sys.argv[0]).resolve())
        written = write(root, device=device, site=site, broker_host=broker_host, command=command)
    except OSError as error:
        _give_up(f"{error.filename}: {error.strerror}", COULD_NOT)
    for each in written:
        click.echo(f"{each.path}: {'written' if each.written else 'kept as it is'}")
    click.echo("next: useradd --system sqal, then systemctl enable --now sqal-edge")


def _ask_for(target: str) -> None:
    click.pause(f"Put the {target} under the sensors, then press a key ")


def _settings(config: Path | None, options: dict[str, Any]) -> Settings:
    try:
        return load(config, os.environ, options)
    except SettingsError as error:
        _give_up(str(error), MISUSED)


def _host_and_port(broker: str | None) -> dict[str, Any]:
    if broker is None:
        return {}
    host, colon, port = broker.rpartition(":")
    if not colon or not host or not port.isdecimal():
        _give_up(f"setting broker: {broker!r} is not host:port", MISUSED)
    return {"broker_host": host, "broker_port": int(port)}


def _give_up(sentence: str, status: int) -> NoReturn:
    click.echo(f"sqal edge: {sentence}", err=True)
    sys.exit(status)
