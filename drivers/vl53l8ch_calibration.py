"""Calibration data of one VL53L8CH: what its factory wrote, what the window before it adds, and both at 4 x 4 zones.

The chip gives its factory data out in the form of 8 x 8 zones and takes it back in the form of the resolution that it
shall range at; the host does the averaging, after every change of resolution (UM3109 section 4.3).
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from drivers.errors import FrameCorruptError, SensorFaultError, SettingError
from drivers.vl53l8ch_firmware import Firmware, crosstalk_tables
from drivers.vl53l8ch_registers import (
    CROSSTALK_CALIBRATION,
    CROSSTALK_CALIBRATION_BYTES,
    OUTPUT_CONFIGURATION,
    OUTPUT_ENABLES,
    OUTPUT_LIST,
    REPLY,
    RESULTS,
    Link,
    swap_words,
)

NVM_BYTES, CALIBRATION_BYTES, CROSSTALK_BYTES = 492, 488, 776
SIGNAL_GRID, RANGE_GRID, CROSSTALK_GRID = 0x3C, 0x140, 0x34
REFLECTANCE_PCT, DISTANCE_MM, SAMPLES = (1, 99), (600, 3000), (1, 16)  # UM3109 section 4.9
CALIBRATION_POLLS_MAX, CALIBRATION_POLL_S = 400, 0.05  # 20 s; the longest calibration takes 8.5 s
CROSSTALK_SCALE = 2048.0  # of the grid, taken as that of all rates: kcps per SPAD
NO_RESULT, ERROR_FLAG = 0xFF, 0x80
_CALIBRATION_END = bytes.fromhex("0000000f030101e4")
_CROSSTALK_END = bytes.fromhex("0000000f00010304")
# What describes the grid in either block, wire order: for 4 x 4 zones (8 x 8 is what the data comes with).
_CALIBRATION_GRID_4X4 = (0x10, bytes.fromhex("0f04040008101007"))
_CROSSTALK_GRID_4X4 = (0x08, bytes.fromhex("0f04041708101007"))
_CROSSTALK_SPADS_4X4 = (0x20, bytes.fromhex("0078000800000008"))
_CROSSTALK_PROFILE_4X4 = ((0x134, bytes.fromhex("a0fc0100")), (0x078, bytes(4)))


@dataclass(frozen=True, slots=True)
class Calibration:
    """factory: 488 bytes as read from the chip. crosstalk: 776 bytes, of the window; both wire order, 8 x 8 zones."""

    factory: bytes
    crosstalk: bytes

    def upload(self, link: Link, zones: int) -> None:
        """Send both in the form for `zones` (4 or 8) a side."""
        link.send(_factory_message(self.factory, zones), "uploading its range calibration")
        link.send(_crosstalk_message(self.crosstalk, zones), "uploading its crosstalk calibration")

    def crosstalk_kcps(self) -> NDArray[np.float64]:
        """Crosstalk per zone in chip order, (64,), kcps per SPAD."""
        return np.frombuffer(swap_words(self.crosstalk), "<u4", 64, CROSSTALK_GRID) / CROSSTALK_SCALE

    def range_offsets_mm(self) -> NDArray[np.float64]:
        """The factory's range offsets in chip order, (64,); in quarters of a millimetre presumably."""
        return np.frombuffer(swap_words(self.factory), "<i2", 64, RANGE_GRID) / 4.0

    def signal_grid(self) -> NDArray[np.float64]:
        """The factory's signal grid in chip order, (64,), in the chip's own unit."""
        return np.frombuffer(swap_words(self.factory), "<u4", 64, SIGNAL_GRID).astype(np.float64)


def check_crosstalk(crosstalk: bytes) -> None:
    """Raise SettingError when this can't be a crosstalk calibration."""
    if len(crosstalk) != CROSSTALK_BYTES:
        raise SettingError("crosstalk", f"{len(crosstalk)} bytes long", f"must be {CROSSTALK_BYTES}")
    if crosstalk[-8:] != _CROSSTALK_END or crosstalk[:2] != b"\x9f\xd8":
        raise SettingError("crosstalk", "something else", "must be what a calibration of this driver returned")


def _factory_message(factory: bytes, zones: int) -> bytes:
    data = bytearray(factory)
    if zones == 4:
        _patch(data, _CALIBRATION_GRID_4X4)
        host = bytearray(swap_words(bytes(data)))
        _average(host, SIGNAL_GRID, "<u4")
        _average(host, RANGE_GRID, "<i2")
        data = bytearray(swap_words(bytes(host)))
    return bytes(data[8:]) + _CALIBRATION_END


def _crosstalk_message(crosstalk: bytes, zones: int) -> bytes:
    if zones != 4:
        return crosstalk
    data = bytearray(crosstalk)
    _patch(data, _CROSSTALK_GRID_4X4)
    _patch(data, _CROSSTALK_SPADS_4X4)
    host = bytearray(swap_words(bytes(data)))
    _average(host, CROSSTALK_GRID, "<u4")
    data = bytearray(swap_words(bytes(host)))
    for change in _CROSSTALK_PROFILE_4X4:
        _patch(data, change)
    return bytes(data)


def _patch(data: bytearray, change: tuple[int, bytes]) -> None:
    offset, replacement = change
    data[offset : offset + len(replacement)] = replacement


def _average(host: bytearray, offset: int, dtype: str) -> None:
    """Means of 2 x 2 zones into the first 16 places of a grid, zeros into the others."""
    grid = np.frombuffer(host, dtype, 64, offset)
    sums = grid.astype(np.int64).reshape(4, 2, 4, 2).sum(axis=(1, 3))
    grid[:16] = sums.ravel() // 4
    grid[16:] = 0


@dataclass(frozen=True, slots=True)
class CrosstalkTarget:
    """What hangs before the sensor while it is calibrated, filling its whole view (UM3109 section 4.9).

    distance_mm: 600 to 3000. reflectance_pct: 1 to 99, dark is best. samples: 1 to 16; 1, 2.5, 8.5 s for 1, 4, 16.
    """

    distance_mm: int = 600
    reflectance_pct: int = 3
    samples: int = 4

    def __post_init__(self) -> None:
        for field, value, (low, high) in (
            ("distance_mm", self.distance_mm, DISTANCE_MM),
            ("reflectance_pct", self.reflectance_pct, REFLECTANCE_PCT),
            ("samples", self.samples, SAMPLES),
        ):
            if not low <= value <= high:
                raise SettingError(field, value, f"must be {low} to {high}", min(max(value, low), high))


class NoCrosstalkError(SensorFaultError):
    """There is too little crosstalk to calibrate: no window, or a very clean one. The default stays in place."""


def calibrate_crosstalk(link: Link, target: CrosstalkTarget, firmware: Firmware, factory: bytes) -> Calibration:
    """Let a chip that isn't ranging measure its window; it needs its settings again afterwards.

    Raises NoCrosstalkError or SensorFaultError; the first configuration is in place again in any case.
    """
    tables = crosstalk_tables()
    Calibration(factory, firmware.crosstalk).upload(link, zones=8)
    link.send(tables.calibrate, "preparing the crosstalk calibration")
    conditions = (target.distance_mm * 4).to_bytes(2, "little") + (target.reflectance_pct * 16).to_bytes(2, "little")
    changes = {0: conditions + bytes([target.samples])}
    link.patch_parameter(CROSSTALK_CALIBRATION, CROSSTALK_CALIBRATION_BYTES, changes)
    _output_list(link, tables.output_list)
    link.send(b"\x00\x03\x00\x00", "starting the crosstalk calibration")
    try:
        _await_result(link)
        link.send(tables.read_back, "reading the crosstalk calibration")
        answer = link.read(REPLY, CROSSTALK_BYTES + 4)
    finally:
        link.send(firmware.configuration, "restoring the first configuration")
    crosstalk = answer[8:CROSSTALK_BYTES] + _CROSSTALK_END
    if crosstalk[:2] != b"\x9f\xd8":
        expected = "a block of crosstalk data"
        raise FrameCorruptError("crosstalk answer", expected=expected, received=crosstalk[:4].hex(), raw=answer)
    return Calibration(factory, crosstalk)


def _output_list(link: Link, headers: tuple[int, ...]) -> None:
    words = [_scaled(word) for word in headers]
    size = 24 + sum(4 + _payload_bytes(word) for word in words)
    link.set_parameter(OUTPUT_LIST, b"".join(word.to_bytes(4, "little") for word in words))
    link.set_parameter(OUTPUT_CONFIGURATION, size.to_bytes(4, "little") + (len(words) + 1).to_bytes(4, "little"))
    enables = ((1 << len(words)) - 1).to_bytes(12, "little") + (0xC0000000).to_bytes(4, "little")
    link.set_parameter(OUTPUT_ENABLES, enables)


def _scaled(word: int) -> int:
    """Arrays of the calibration list are given for 64 zones whatever their own length (ST's crosstalk plugin)."""
    return word if not 0 < word & 0xF < 0xD else (word & 0xFFFF000F) | 64 << 4


def _payload_bytes(word: int) -> int:
    kind, size = word & 0xF, word >> 4 & 0xFFF
    return kind * size if 1 < kind < 0xD else size


def _await_result(link: Link) -> None:
    for _ in range(CALIBRATION_POLLS_MAX):
        status = link.read(RESULTS, 4)
        if status[0] != NO_RESULT:
            if status[2] >= 0x7F and status[3] & ERROR_FLAG:
                raise NoCrosstalkError("too little crosstalk to calibrate: no window, or a very clean one", status[2])
            return
        link.sleep(CALIBRATION_POLL_S)
    raise SensorFaultError("the crosstalk calibration does not end")
