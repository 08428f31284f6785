"""Boot of the VL53L8CH: reset, firmware download, checksum, calibration data, first configuration.

The order of writes is the manufacturer's and verified against register transcripts of real silicon; most registers
here have no published meaning. What is ours: no fixed waits where the chip tells that it is ready, and the bus is
timed while the firmware goes down, so that its real speed is known from the first pieces on: at 100 kHz the rest takes
seven seconds, and whoever can mend the bus need not wait for them.
"""

from collections.abc import Callable
from dataclasses import dataclass

from drivers.errors import FirmwareError, SensorFaultError
from drivers.vl53l8ch_calibration import CALIBRATION_BYTES, NVM_BYTES, Calibration
from drivers.vl53l8ch_firmware import CHECKSUM, Firmware
from drivers.vl53l8ch_registers import (
    COMMAND,
    GO2_STATUS0,
    GO2_STATUS1,
    MAILBOX_END,
    PAGE,
    PAGE_BOOT,
    PAGE_HOST,
    PAGE_UI,
    PIPE,
    REPLY,
    SINGLE_RANGE,
    WRITE_CHUNK_BYTES,
    Link,
)

WINDOWS = ((0x09, 0x00000, 0x08000), (0x0A, 0x08000, 0x10000), (0x0B, 0x10000, 0x15000))
TIMED_PIECES = 2  # until the speed is told: 0.7 s at 100 kHz, and one of them may meet a busy host
BOOT_POLLS_MAX = 500
NVM_DONE = 2
CLOCKS_PER_BYTE = 9
ADDRESS_BYTES = 3  # of the device and of the register, before every piece
# Switches of the analogue part, in the order of ST's driver.
_POWER_ON = ((0x0101, 0), (0x0102, 0), (0x010A, 1), (0x4002, 1), (0x4002, 0), (0x010A, 3), (0x0103, 1))
_POWER_UP_REST = ((0x400F, 0), (0x021A, 0x43), (0x021A, 3), (0x021A, 1), (0x021A, 0), (0x0219, 0), (0x021B, 0))


@dataclass(frozen=True, slots=True)
class Booted:
    """What a boot has found out. bus_hz: clocks a second that the bus really carries."""

    calibration: Calibration
    bus_hz: float


def boot(link: Link, firmware: Firmware, on_bus_speed: Callable[[float], None] | None = None) -> Booted:
    """From any state to a chip that waits for its settings; about 1 s at 1 MHz, 8 s at 100 kHz.

    on_bus_speed: given the clocks a second that the bus carries, as soon as TIMED_PIECES have shown it.
    Raises FirmwareError when the chip's checksum is not that of the image, SensorFaultError when it does not answer.
    """
    _reset(link)
    _open_firmware_access(link)
    bus_hz = _download(link, firmware.image, on_bus_speed)
    _run(link)
    link.put(PAGE, PAGE_UI)
    received = int.from_bytes(link.read(COMMAND, 4), "big")
    if received != CHECKSUM:
        raise FirmwareError(expected=CHECKSUM, received=received)
    link.command(MAILBOX_END - len(firmware.read_nvm), firmware.read_nvm, "reading calibration", 0, NVM_DONE)
    calibration = Calibration(link.read(REPLY, NVM_BYTES)[:CALIBRATION_BYTES], firmware.crosstalk)
    calibration.upload(link, zones=4)
    link.send(firmware.configuration, "uploading the first configuration")
    link.set_parameter(PIPE, bytes([1, 0, 1, 0]))
    link.set_parameter(SINGLE_RANGE, b"\x01\x00\x00\x00")
    return Booted(calibration, bus_hz)


def _puts(link: Link, writes: tuple[tuple[int, int], ...]) -> None:
    for register, value in writes:
        link.put(register, value)


def _reset(link: Link) -> None:
    _puts(link, ((PAGE, PAGE_HOST), (0x09, 0x04), (0x0F, 0x40), (0x0A, 0x03)))
    link.get(PAGE)
    _puts(link, ((0x0C, 0x01), *_POWER_ON, (0x0C, 0x00), (0x0F, 0x43)))
    link.sleep(0.001)
    _puts(link, ((0x0F, 0x40), (0x0A, 0x01)))
    link.sleep(0.100)
    link.put(PAGE, PAGE_HOST)
    link.poll(GO2_STATUS0, 0xFF, 0x01, "waking after reset")


def _open_firmware_access(link: Link) -> None:
    _puts(link, ((0x0E, 0x01), (PAGE, PAGE_UI), (PAGE, PAGE_BOOT), (0x06, 0x01)))
    link.poll(0x21, 0xFF, 0x04, "opening its firmware memory")
    link.put(PAGE, PAGE_HOST)
    link.get(PAGE)
    _puts(link, ((0x0C, 0x01), (PAGE, PAGE_HOST), *_POWER_ON, *_POWER_UP_REST, (PAGE, PAGE_HOST)))
    link.get(PAGE)
    link.put(PAGE, PAGE_BOOT)


def _download(link: Link, image: bytes, on_bus_speed: Callable[[float], None] | None) -> float:
    """Send the image; returns the clocks a second that the bus carried in its fastest piece.

    The fastest, because whatever else the host does at the time makes a piece slower and never faster.
    """
    clock = link.bus.clock
    fastest_ns = float("inf")  # of one byte
    sent = 0
    for page, start, end in WINDOWS:
        link.put(PAGE, page)
        for at in range(start, end, WRITE_CHUNK_BYTES):
            piece = image[at : min(at + WRITE_CHUNK_BYTES, end)]
            began_ns = clock.monotonic_ns()
            link.write(at - start, piece)
            wire_bytes = len(piece) + ADDRESS_BYTES
            fastest_ns = min(fastest_ns, max(clock.monotonic_ns() - began_ns, 1) / wire_bytes)
            sent += 1
            if sent == TIMED_PIECES and on_bus_speed is not None:
                on_bus_speed(CLOCKS_PER_BYTE * 1e9 / fastest_ns)
    _puts(link, ((PAGE, PAGE_BOOT), (PAGE, PAGE_BOOT), (0x06, 0x03)))
    link.sleep(0.005)
    return CLOCKS_PER_BYTE * 1e9 / fastest_ns


def _run(link: Link) -> None:
    link.put(PAGE, PAGE_HOST)
    link.get(PAGE)
    _puts(link, ((0x0C, 0x01), (PAGE, PAGE_HOST), (0x0114, 0), (0x0115, 0), (0x0116, 0x42), (0x0117, 0), (0x0B, 0)))
    link.get(PAGE)
    _puts(link, ((0x0C, 0x00), (0x0B, 0x01)))
    for _ in range(BOOT_POLLS_MAX):
        status = link.get(GO2_STATUS0)
        if status & 0x80 and link.get(GO2_STATUS1) & 0x01:
            return
        link.sleep(0.001)
        if status & 0x01:
            return
    raise SensorFaultError("the chip does not answer in time: starting its firmware")
