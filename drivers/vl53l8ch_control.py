"""Start, stop and power of a VL53L8CH: the handshakes with its processor, without memory of their own.

Whoever calls holds the bus lock, because these turn the register page and turn it back.
"""

from enum import Enum, unique

from drivers.errors import SensorFaultError
from drivers.vl53l8ch_registers import (
    BOOT_CONTROL,
    COMMAND,
    FRAME_INFO,
    FRAME_INFO_BYTES,
    GO2_STATUS0,
    GO2_STATUS1,
    I2C_ADDRESS,
    MODULE_FLAGS,
    MODULE_FLAGS_BYTES,
    PAGE,
    PAGE_HOST,
    PAGE_UI,
    POWER,
    Link,
)

AWAKE, ASLEEP, RANGING = 0x04, 0x02, 0x05
BOOT_NORMAL, BOOT_DEEP_SLEEP = 0x40, 0x43
RUNNING, EVENT = 0x01, 0x80
STOPPED_BY_ITSELF = 0x4FF
STOP_KEY, STOP_REQUEST = 0x15, 0x14
STOPPED = (0x84, 0x85)
STOP_POLLS_MAX, STOP_POLL_S = 1000, 0.005  # 5 s: a stop waits for the current frame, which may take 1 s
MODULE_L8 = 2


@unique
class PowerMode(Enum):
    """SLEEP keeps the firmware, DEEP_SLEEP (1.6 mW and less) loses it: waking takes a whole boot."""

    WAKE = "wake"
    SLEEP = "sleep"
    DEEP_SLEEP = "deep sleep"


def launch(link: Link, frame_bytes: int) -> None:
    """Start a configured chip; raises SensorFaultError when its frames or its laser aren't as they must be."""
    _at_host_page(link, POWER, RANGING)
    link.send(b"\x00\x03\x00\x00", "starting to range")
    announced = int.from_bytes(link.parameter(FRAME_INFO, FRAME_INFO_BYTES)[8:12], "little")
    if announced != frame_bytes:
        raise SensorFaultError(f"the chip announces frames of {announced} bytes, must be {frame_bytes}")
    flags = module_flags(link)
    if flags[6] != 0:
        raise SensorFaultError("the laser safety check failed", flags[6])


def module_flags(link: Link) -> bytes:
    """Byte 1 is the type of the module, byte 6 is not 0 after a fault of the laser."""
    return bytes(link.parameter(MODULE_FLAGS, MODULE_FLAGS_BYTES))


def halt(link: Link) -> None:
    """Stop after the current frame. Raises SensorFaultError when the chip goes on."""
    by_itself = int.from_bytes(link.read(COMMAND, 4), "little") == STOPPED_BY_ITSELF
    link.put(PAGE, PAGE_HOST)
    try:
        if not by_itself:
            link.put(STOP_KEY, 0x16)
            link.put(STOP_REQUEST, 0x01)
            _await_stop(link)
        link.put(STOP_REQUEST, 0x00)
        link.put(STOP_KEY, 0x00)
        link.put(POWER, AWAKE)
    finally:
        link.put(PAGE, PAGE_UI)


def _await_stop(link: Link) -> None:
    for _ in range(STOP_POLLS_MAX):
        if link.get(GO2_STATUS0) & EVENT:
            if link.get(GO2_STATUS1) not in STOPPED:
                continue
            return
        link.sleep(STOP_POLL_S)
    raise SensorFaultError("the chip does not stop")


def firmware_runs(link: Link) -> bool:
    """Whether an earlier boot is still in force: after a dip of the supply the chip shows that it is awake, no more."""
    link.put(PAGE, PAGE_HOST)
    status = link.get(GO2_STATUS0)
    link.put(PAGE, PAGE_UI)
    return status & (EVENT | RUNNING) == EVENT | RUNNING


def move_address(link: Link, address: int) -> None:
    """Let the chip answer at another 7-bit address until its power goes; `link` follows."""
    link.put(PAGE, PAGE_HOST)
    link.put(I2C_ADDRESS, address)
    link.address = address
    link.put(PAGE, PAGE_UI)


def set_power(link: Link, mode: PowerMode) -> None:
    """Put a chip that isn't ranging to sleep or wake it; raises SensorFaultError when it doesn't follow."""
    link.put(PAGE, PAGE_HOST)
    try:
        if mode is PowerMode.WAKE:
            link.put(POWER, AWAKE)
            link.put(BOOT_CONTROL, BOOT_NORMAL)
            link.poll(GO2_STATUS0, RUNNING, RUNNING, "waking")
            return
        link.put(POWER, ASLEEP)
        link.poll(GO2_STATUS0, RUNNING, 0, "falling asleep")
        if mode is PowerMode.DEEP_SLEEP:
            link.put(BOOT_CONTROL, BOOT_DEEP_SLEEP)
    finally:
        link.put(PAGE, PAGE_UI)


def _at_host_page(link: Link, register: int, value: int) -> None:
    link.put(PAGE, PAGE_HOST)
    link.put(register, value)
    link.put(PAGE, PAGE_UI)
