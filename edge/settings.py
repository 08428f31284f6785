"""The agent's settings: one frozen value, read once, from a TOML file and SQAL_EDGE_* in the environment.

The environment wins over the file, the command line over both. An unknown key is an error that names it, in the file
and in the environment: a misspelt setting must not become a default.
"""

import shlex
import tomllib
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any, Literal

import msgspec
from msgspec import Meta

from contract.bounds import DeviceId, Line, LotId, ShortText, SiteCode
from contract.messages import SamplingMode

PREFIX = "SQAL_EDGE_"


class SettingsError(Exception):
    """A setting is unknown, missing or out of bounds; `key` names it."""

    def __init__(self, key: str, reason: str) -> None:
        super().__init__(f"setting {key}: {reason}")
        self.key = key
        self.reason = reason


class Settings(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What an agent is told.

    device, site, line: who it is. bus: `sim`, `linux` or `replay`. i2c_bus: the number in /dev/i2c-N of both sensors;
    i2c_bus_tof, i2c_bus_spectral: of one of them where they have a bus each (1 MHz for the VL53L8CH, 400 kHz for the
    AS7341). power_command: switches the supply of both sensors off and on, where something can; run without a shell.
    capture: what a replay plays. faults: the name of what goes wrong (`sim` only). stage: commands may play faults
    (`sim` only, and the demo's alone). rate_hz: measurements a second of
    the bus's time. mode: `timed` at that rate, `free` as fast as the sensors can, `belt` once for each piece, with
    rate_hz for looks at an empty belt. encoder_file: the count of a wheel on the belt, encoder_pulses_per_mm of it;
    without one the belt is taken to run evenly at belt_mm_s, and every pass corrects that. speed: how much faster than
    life the bus's time runs (`sim` only). seed: of its world. stock_lean: how well
    its animals were fattened, -1 to 1 (`sim` only): that share of pieces is one class better, or worse, than usual.
    page_port: of the local page, 0 for none; page_host: where it listens, page_name: what browsers may call it by.
    trust_clock: believe the machine's wall clock without asking the kernel; by default only on the simulated bus.
    """

    device: DeviceId
    site: SiteCode
    line: Line = "line1"
    broker_host: str = "127.0.0.1"
    broker_port: Annotated[int, Meta(ge=1, le=65535)] = 1883
    broker_username: str | None = None
    broker_password_file: Path | None = None
    broker_ca_file: Path | None = None
    broker_cert_file: Path | None = None
    broker_key_file: Path | None = None
    state_dir: Path
    bus: Literal["sim", "linux", "replay"] = "linux"
    i2c_bus: Annotated[int, Meta(ge=0, le=255)] = 1
    i2c_bus_tof: Annotated[int, Meta(ge=0, le=255)] | None = None
    i2c_bus_spectral: Annotated[int, Meta(ge=0, le=255)] | None = None
    power_command: str | None = None
    capture: Path | None = None
    faults: str | None = None
    stage: bool = False
    rate_hz: Annotated[float, Meta(ge=0.1, le=15.0)] = 1.0
    mode: SamplingMode = "timed"
    belt_mm_s: Annotated[float, Meta(ge=5.0, le=220.0)] = 200.0
    encoder_file: Path | None = None
    encoder_pulses_per_mm: Annotated[float, Meta(gt=0.0)] = 5.0
    travel: Literal["encoder", "pictures"] = "encoder"
    speed: Annotated[float, Meta(gt=0.0, le=100.0)] = 1.0
    seed: Annotated[int, Meta(ge=0)] = 0
    stock_lean: Annotated[float, Meta(ge=-1.0, le=1.0)] = 0.0
    lot_id: LotId | None = None
    location: ShortText | None = None
    trust_clock: bool | None = None
    page_host: str = "127.0.0.1"
    page_port: Annotated[int, Meta(ge=0, le=65535)] = 0
    page_name: ShortText | None = None
    health_period_s: Annotated[float, Meta(ge=1.0, le=3600.0)] = 10.0
    spool_rows_max: Annotated[int, Meta(ge=100)] = 500_000
    spool_bytes_max: Annotated[int, Meta(ge=1 << 20)] = 1 << 30
    commit_interval_s: Annotated[float, Meta(ge=0.0, le=1.0)] = 0.5

    def __post_init__(self) -> None:
        if self.bus != "sim" and self.speed != 1.0:
            raise ValueError("speed is for the simulated bus: real sensors keep real time")
        if self.bus != "sim" and self.stock_lean != 0.0:
            raise ValueError("stock_lean is for the simulated bus: real livers are what they are")
        if self.bus != "sim" and self.faults is not None:
            raise ValueError("faults are for the simulated bus: real sensors bring their own")
        if self.bus != "sim" and self.stage:
            raise ValueError("stage is for the simulated bus: nobody breaks a real sensor by command")
        if self.power_command is not None:
            _check_command(self.power_command)
        if (self.bus == "replay") != (self.capture is not None):
            raise ValueError("bus replay and capture come together or not at all")
        if self.bus == "linux" and self.mode == "belt" and self.travel == "encoder" and self.encoder_file is None:
            raise ValueError("mode belt needs an encoder_file, or travel = 'pictures' with the belt's belt_mm_s")
        if (self.broker_cert_file is None) != (self.broker_key_file is None):
            raise ValueError("broker_cert_file and broker_key_file come together or not at all")


def load(path: Path | None, environment: Mapping[str, str], overrides: Mapping[str, Any]) -> Settings:
    """Settings of the file at `path`, of `environment` and of `overrides` that are not None. Raises SettingsError."""
    merged: dict[str, Any] = {}
    if path is not None:
        try:
            merged.update(tomllib.loads(path.read_text(encoding="utf-8")))
        except OSError as error:
            raise SettingsError(str(path), f"cannot be read: {error.strerror}") from None
        except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
            raise SettingsError(str(path), f"is not TOML: {error}") from None
    names = {name.lower(): name for name in environment if name.startswith(PREFIX)}
    merged.update({key.removeprefix(PREFIX.lower()): environment[name] for key, name in names.items()})
    merged.update({key: value for key, value in overrides.items() if value is not None})
    known = Settings.__struct_fields__
    for key in merged:
        if key not in known:
            raise SettingsError(key, f"there is no such setting; there are {', '.join(known)}")
    for key in ("device", "site", "state_dir"):
        if key not in merged:
            raise SettingsError(key, "is required")
    try:
        return msgspec.convert(merged, Settings, strict=False, dec_hook=_path)
    except msgspec.ValidationError as error:
        reason, _, where = str(error).partition(" - at `$.")
        raise SettingsError(where.rstrip("`") or "combination", reason) from None


def _check_command(command: str) -> None:
    try:
        words = shlex.split(command)
    except ValueError as error:
        raise ValueError(f"power_command cannot be taken apart: {error}") from None
    if not words:
        raise ValueError("power_command is empty")


def _path(kind: type, value: Any) -> Any:
    if kind is Path and isinstance(value, str | Path):
        return Path(value)
    raise TypeError(f"a setting of type {kind} cannot be read from the environment")
