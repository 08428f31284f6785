"""The manufacturer's binaries for the VL53L8CH, as depz-sensor-sdk carries them, each recognised by its SHA-256.

Only files are read: the library's code is imported for nothing but the command tables of a crosstalk calibration, which
it holds as constants and a running line never needs.
"""

import hashlib
from dataclasses import dataclass
from functools import cache
from importlib.util import find_spec
from pathlib import Path

from drivers.errors import DriverError

CARRIER = "depz_sensor_sdk"
CHECKSUM = 0x0C0B6C9E  # what the chip shows of this image once it runs; the algorithm is not published
FIRMWARE_BYTES = 0x15000
_SHA256 = {
    "firmware.bin": "fc50ff57e426b6c43532042e08a6b4bb7dcc3dac36c9d79787c511ef074e9cda",
    "default_configuration.bin": "5c7b4ed4f1af635829c7306d98276d9ad5d72fdd81e8aa3d445759366d7cb0e7",
    "default_xtalk.bin": "5278d26d8a6591b78abbc6f67cd07a8014d2379d93fb19eb4c49837768ac3d1a",
    "get_nvm_cmd.bin": "dc5b7eb04c3938e5e718b8c8ce7cbac0e12b532d342891d1e9595fbeab302577",
}
_CALIBRATE_SHA256 = "5c59d9dd7738da21922917d2361876eacd763ce34ab150e35d7125566a250399"
_READ_BACK_SHA256 = "a993313eac1e742610199dbead74c4017da59fdc754224d99a91891595aeee11"


class FirmwareFilesError(DriverError):
    """The firmware of the chip is not installed, or is not the one that this driver was proven with."""


@dataclass(frozen=True, slots=True)
class Firmware:
    """image: what the chip runs. configuration, crosstalk: its first settings. read_nvm: asks for its calibration."""

    image: bytes
    configuration: bytes
    crosstalk: bytes
    read_nvm: bytes


@dataclass(frozen=True, slots=True)
class CrosstalkTables:
    """Mailbox messages of a crosstalk calibration, wire order. output_list: block headers that go with it."""

    calibrate: bytes
    read_back: bytes
    output_list: tuple[int, ...]


@cache
def firmware() -> Firmware:
    """The files, checked once. Raises FirmwareFilesError."""
    spec = find_spec(CARRIER)
    if spec is None or not spec.submodule_search_locations:
        raise FirmwareFilesError(f"the package {CARRIER} with the chip's firmware is not installed")
    folder = Path(spec.submodule_search_locations[0]) / "vl53l8" / "data" / "ch"
    names = ("firmware.bin", "default_configuration.bin", "default_xtalk.bin", "get_nvm_cmd.bin")
    return Firmware(*(_checked(folder / name) for name in names))


@cache
def crosstalk_tables() -> CrosstalkTables:
    """The tables of the release that the firmware is of. Raises FirmwareFilesError when they are of another."""
    from depz_sensor_sdk.vl53l8 import uld  # noqa: PLC0415 - most of a second of imports that only a calibration needs

    calibrate, read_back = bytes(uld.CALIBRATE_XTALK_BY_VARIANT["ch"]), bytes(uld.GET_XTALK_CMD)
    for what, data, expected in (
        ("crosstalk calibration", calibrate, _CALIBRATE_SHA256),
        ("crosstalk read-back", read_back, _READ_BACK_SHA256),
    ):
        if hashlib.sha256(data).hexdigest() != expected:
            raise FirmwareFilesError(f"the {what} table of {CARRIER} is not the one of this firmware")
    return CrosstalkTables(calibrate, read_back, tuple(uld.XTALK_CAL_OUTPUT))


def _checked(path: Path) -> bytes:
    try:
        data = path.read_bytes()
    except OSError as error:
        raise FirmwareFilesError(f"{path.name} of {CARRIER} cannot be read: {error.strerror}") from error
    if hashlib.sha256(data).hexdigest() != _SHA256[path.name]:
        raise FirmwareFilesError(f"{path.name} of {CARRIER} is not the one that this driver was proven with")
    return data
