"""Registers, mailbox and parameter memory of the VL53L8CH: how bytes get to the chip and back, and their names.

`Link` is the only thing that knows pages and word order. What a newcomer gets wrong: every 32-bit word is big-endian on
the wire, so that bytes and 16-bit values of a block come permuted until each word has been reversed; payloads given to
and returned by `Link` are in host order.
"""

from collections.abc import Mapping

import numpy as np

from drivers.bus import Bus
from drivers.errors import SensorFaultError

PAGE = 0x7FFF
PAGE_HOST, PAGE_BOOT, PAGE_UI = 0x00, 0x01, 0x02
GO2_STATUS0, GO2_STATUS1, POWER, BOOT_CONTROL, I2C_ADDRESS = 0x06, 0x07, 0x09, 0x0F, 0x04
RESULTS, STATUS, REPLY, COMMAND, MAILBOX_END = 0x0000, 0x2C00, 0x2C04, 0x2FFC, 0x3000

DONE = 0x03
MCU_FAILED = 0x7F
TERMINATOR = b"\x00\x00\x00\x0f"
POLL_S = 0.001  # the manufacturer waits 10 ms after every poll; answers are there at the first in practice
POLLS_MAX = 2000
WRITE_CHUNK_BYTES = 4096  # half of what Linux carries in one message: the download stays interruptible

# Parameter indices, with the bytes of each block (UM3109 and ST's published driver).
FRAME_INFO, FRAME_INFO_BYTES = 0x5440, 12
ZONE_GRID, ZONE_GRID_BYTES = 0x5450, 8
FREQUENCY, FREQUENCY_BYTES = 0x5458, 4
INTEGRATION, INTEGRATION_BYTES = 0x545C, 20
CROSSTALK_CALIBRATION, CROSSTALK_CALIBRATION_BYTES = 0x5470, 8
FIRMWARE_TARGETS, FIRMWARE_TARGETS_BYTES = 0x5478, 16
THRESHOLD_SWITCH, THRESHOLD_SWITCH_BYTES = 0x5488, 20
RANGING_MODE, RANGING_MODE_BYTES = 0xAD30, 8
SPAD_GROUPING, SPAD_GROUPING_BYTES = 0xAD38, 16
VHV, VHV_BYTES = 0xAD60, 16
CROSSTALK_MARGIN, CROSSTALK_MARGIN_BYTES = 0xAD94, 16
TARGET_ORDER, TARGET_ORDER_BYTES = 0xAE64, 4
SHARPENER, SHARPENER_BYTES = 0xAED8, 16
SYNC, SYNC_BYTES = 0xB5F0, 4
THRESHOLDS_GLOBAL, THRESHOLDS_GLOBAL_BYTES = 0xB6E0, 8
THRESHOLDS = 0xB6E8
THRESHOLD_STATUSES = 0xB9F0
CNH_CONFIGURATION = 0xBFAC
SINGLE_RANGE = 0xD964
OUTPUT_CONFIGURATION, OUTPUT_ENABLES, OUTPUT_LIST = 0xD968, 0xD970, 0xD980
PIPE, PIPE_BYTES = 0xDB80, 4
MODULE_FLAGS, MODULE_FLAGS_BYTES = 0xE0C4, 8


def swap_words(data: bytes) -> bytes:
    """Reverse the bytes of every 32-bit word: wire order to host order and back."""
    return np.frombuffer(data, ">u4").astype("<u4").tobytes()


class Link:
    """One chip at `address` of a bus. Every method may raise a BusError as it came."""

    def __init__(self, bus: Bus, address: int) -> None:
        self.bus = bus
        self.address = address

    def read(self, register: int, size: int) -> bytes:
        """A block, in one transaction."""
        return self.bus.transfer(self.address, register.to_bytes(2, "big"), size)

    def write(self, register: int, data: bytes) -> None:
        """A block, in pieces that the bus carries, each with its own address."""
        for start in range(0, len(data), WRITE_CHUNK_BYTES):
            piece = data[start : start + WRITE_CHUNK_BYTES]
            self.bus.transfer(self.address, (register + start).to_bytes(2, "big") + piece)

    def put(self, register: int, value: int) -> None:
        """One byte."""
        self.bus.transfer(self.address, register.to_bytes(2, "big") + bytes([value]))

    def get(self, register: int) -> int:
        """One byte."""
        return self.read(register, 1)[0]

    def sleep(self, seconds: float) -> None:
        """On the bus clock."""
        self.bus.clock.sleep(seconds)

    def poll(self, register: int, mask: int, expected: int, what: str) -> None:
        """Wait until the byte there, masked, is `expected`; raises SensorFaultError with `what` after some seconds."""
        for _ in range(POLLS_MAX):
            if self.get(register) & mask == expected:
                return
            self.sleep(POLL_S)
        raise SensorFaultError(f"the chip does not answer in time: {what}")

    def command(self, register: int, data: bytes, what: str, byte: int = 1, expected: int = DONE) -> None:
        """Put `data` (wire order, its command word last) into the mailbox and wait until it has been carried out."""
        self.write(register, data)
        for _ in range(POLLS_MAX):
            status = self.read(STATUS, 4)
            if status[2] >= MCU_FAILED:
                raise SensorFaultError(f"the chip's processor failed at: {what}", status[2])
            if status[byte] == expected:
                return
            self.sleep(POLL_S)
        raise SensorFaultError(f"the chip does not answer in time: {what}")

    def send(self, list_and_command: bytes, what: str) -> None:
        """A whole mailbox message, so placed that its last byte triggers it."""
        self.command(MAILBOX_END - len(list_and_command), list_and_command, what)

    def parameter(self, index: int, size: int) -> bytes:
        """`size` bytes of the parameter memory."""
        head = (index << 16 | size << 4).to_bytes(4, "big")
        self.send(head + TERMINATOR + b"\x00\x02\x00\x08", f"reading parameter 0x{index:04X}")
        return swap_words(self.read(REPLY, size + 12))[4 : 4 + size]

    def set_parameter(self, index: int, data: bytes) -> None:
        """Write `data`, a multiple of four bytes, to the parameter memory."""
        head = (index << 16 | len(data) << 4).to_bytes(4, "big")
        tail = TERMINATOR + b"\x05\x01" + (len(data) + 8).to_bytes(2, "big")
        self.send(head + swap_words(bytes(data)) + tail, f"writing parameter 0x{index:04X}")

    def patch_parameter(self, index: int, size: int, changes: Mapping[int, bytes]) -> None:
        """Replace some bytes of a block and leave the others as they are."""
        before = self.parameter(index, size)
        block = bytearray(before)
        for offset, data in changes.items():
            block[offset : offset + len(data)] = data
        after = bytes(block)
        if after != before:
            self.set_parameter(index, after)
