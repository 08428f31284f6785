"""An I2C bus of Linux, through i2c-dev: the one file that opens /dev/i2c-*.

One transfer is one I2C_RDWR call of at most two messages, a write and then a read: the bcm2835 controller of the
Raspberry Pi takes a single read per call, and it must be the last. Which errno means what follows
Documentation/i2c/fault-codes.rst of the kernel; bcm2835 says EREMOTEIO where others say ENXIO.
"""

import errno
import fcntl
import threading
from collections.abc import Callable
from typing import Protocol

from smbus2 import SMBus, i2c_msg

from drivers.bus import (
    MESSAGE_BYTES_MAX,
    ArbitrationError,
    BusError,
    BusTimeoutError,
    Clock,
    NakError,
    TransferTooLongError,
)
from drivers.errors import BusUnavailableError

ARBITRATION_RETRIES_MAX = 3  # a lost arbitration did nothing to the chip; more than three in a row is no accident
ARBITRATION_WAIT_S = 0.001
# The kernel waits 1 s for a bus that is held; a piece of the firmware takes 0.37 s at 100 kHz.
I2C_TIMEOUT, TIMEOUT_S = 0x0702, 0.5  # the ioctl of Documentation/i2c/dev-interface.rst, in units of 10 ms

_NAK = {errno.ENXIO, errno.EREMOTEIO}
_TIMEOUT = {errno.ETIMEDOUT, errno.ETIME}
_NO_QUICK_WRITE = {errno.EOPNOTSUPP, errno.ENOSYS}
_WORDS = {
    errno.EBUSY: "a kernel driver owns this address: unload it or its device tree overlay",
    errno.EIO: "the controller reports an I/O error",
    errno.EINVAL: "the controller refuses such a transfer",
}


class Smbus(Protocol):
    """What this bus uses of smbus2.SMBus."""

    def i2c_rdwr(self, *i2c_msgs: i2c_msg) -> None: ...
    def write_quick(self, i2c_addr: int, force: bool | None = None) -> None: ...
    def close(self) -> None: ...


class LinuxBus:
    """The bus `path_or_number` ("/dev/i2c-1" or 1); implements drivers.bus.Bus.

    `opener` opens the device; another than smbus2's is for tests. `retries` counts transfers sent again after a lost
    arbitration. Raises BusUnavailableError when the device can't be opened.
    """

    def __init__(self, path_or_number: str | int, clock: Clock, opener: Callable[[str | int], Smbus] = SMBus) -> None:
        self.name = f"/dev/i2c-{path_or_number}" if isinstance(path_or_number, int) else path_or_number
        self.clock = clock
        self.lock = threading.RLock()
        self.retries = 0
        try:
            self._smbus: Smbus | None = opener(path_or_number)
            handle = getattr(self._smbus, "fd", None)
            if handle is not None:
                fcntl.ioctl(handle, I2C_TIMEOUT, round(TIMEOUT_S * 100))
        except OSError as error:
            raise BusUnavailableError(_unavailable(self.name, error)) from error

    def transfer(self, address: int, write: bytes = b"", read_len: int = 0) -> bytes:
        """Write `write`, then read `read_len` bytes, in one transaction; raises a BusError as drivers.bus.Bus says."""
        longest = max(len(write), read_len)
        if longest > MESSAGE_BYTES_MAX:
            raise TransferTooLongError(address, f"{longest} bytes in one message, Linux carries {MESSAGE_BYTES_MAX}")
        with self.lock:
            for _ in range(ARBITRATION_RETRIES_MAX):
                try:
                    return self._once(address, write, read_len)
                except ArbitrationError:
                    self.retries += 1
                    self.clock.sleep(ARBITRATION_WAIT_S)
            return self._once(address, write, read_len)

    def close(self) -> None:
        """Close the device; further transfers fail."""
        with self.lock:
            if self._smbus is not None:
                self._smbus.close()
                self._smbus = None

    def _once(self, address: int, write: bytes, read_len: int) -> bytes:
        if self._smbus is None:
            raise BusError(address, f"bus {self.name} is closed")
        try:
            if not write and not read_len:
                self._probe(self._smbus, address)
                return b""
            messages = [i2c_msg.write(address, write)] if write else []
            if read_len:
                messages.append(i2c_msg.read(address, read_len))
            self._smbus.i2c_rdwr(*messages)
        except OSError as error:
            raise _bus_error(address, error) from error
        return bytes(messages[-1]) if read_len else b""

    def _probe(self, smbus: Smbus, address: int) -> None:
        """Send the address alone; a controller that can't is asked to read one byte instead."""
        try:
            smbus.write_quick(address)
        except OSError as error:
            if error.errno not in _NO_QUICK_WRITE:
                raise
            smbus.i2c_rdwr(i2c_msg.read(address, 1))


def _bus_error(address: int, error: OSError) -> BusError:
    if error.errno in _NAK:
        return NakError(address, "no acknowledge")
    if error.errno in _TIMEOUT:
        return BusTimeoutError(address, "the controller timed out: a line is held low, or a clock stretched too long")
    if error.errno == errno.EAGAIN:
        return ArbitrationError(address, "the controller lost the bus")
    return BusError(address, _WORDS.get(error.errno or 0, f"the transfer failed: {error.strerror}"))


def _unavailable(name: str, error: OSError) -> str:
    if isinstance(error, FileNotFoundError):
        return f"{name} does not exist: switch I2C on (raspi-config, or dtparam=i2c_arm=on) and load i2c-dev"
    if isinstance(error, PermissionError):
        return f"no permission for {name}: add this user to the group i2c"
    return f"{name} cannot be opened: {error.strerror}"
