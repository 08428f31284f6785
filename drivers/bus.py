"""What every bus offers to every driver: one synchronous transfer, one clock, a small tree of errors.

A transfer is one I2C transaction: an optional write, then (after a repeated start) an optional read. A bus serves one
thread at a time and holds its own lock for the length of a transfer; a driver that needs several transfers in a row
without another driver in between takes `bus.lock`. The thing a newcomer gets wrong: time. Drivers never call
`time.sleep`; they wait on `bus.clock`, which a simulation may run faster than life.

    BusError
    ├── NakError            nobody acknowledged the address or a byte
    ├── BusTimeoutError     the controller gave up: a line held low, a clock stretched too long
    ├── ArbitrationError    another controller, or a glitch that looks like one
    └── TransferTooLongError  the request is larger than the bus carries in one message
"""

import threading
import time
from typing import Protocol

MESSAGE_BYTES_MAX = 8192  # Linux i2c-dev refuses a longer message with EINVAL (drivers/i2c/i2c-dev.c)


class BusError(Exception):
    """A transfer failed; the chip's state is what it was before, or unknown.

    `address` is the 7-bit address that was asked for.
    """

    def __init__(self, address: int, reason: str) -> None:
        super().__init__(f"0x{address:02X}: {reason}")
        self.address = address
        self.reason = reason


class NakError(BusError):
    """Nobody acknowledged: no chip at this address, or the chip refused a byte."""


class BusTimeoutError(BusError):
    """The controller gave up waiting: a line is held low or a clock is stretched for too long."""


class ArbitrationError(BusError):
    """The controller lost the bus in the middle of a transfer."""


class TransferTooLongError(BusError):
    """More than MESSAGE_BYTES_MAX bytes in one message."""


class Clock(Protocol):
    """Monotonic time as drivers and the sampler see it."""

    def monotonic_ns(self) -> int:
        """Nanoseconds since an arbitrary start; never steps back."""
        ...

    def sleep(self, seconds: float) -> None:
        """Let at least `seconds` (>= 0) of this clock's time pass."""
        ...


class Bus(Protocol):
    """One I2C bus."""

    name: str
    clock: Clock
    lock: threading.RLock

    def transfer(self, address: int, write: bytes = b"", read_len: int = 0) -> bytes:
        """Write `write`, then read `read_len` bytes, in one transaction with the chip at the 7-bit `address`.

        An empty write with `read_len` 0 is a probe: it returns b"" if a chip acknowledges its address.
        Raises a BusError.
        """
        ...

    def close(self) -> None:
        """Release what the bus holds; further transfers fail."""
        ...


class RealClock:
    """The machine's monotonic clock, optionally faster: at `speed` 20 a sleep of 1 s takes 50 ms of life."""

    def __init__(self, speed: float = 1.0) -> None:
        if speed <= 0:
            raise ValueError(f"speed is {speed}, must be above 0")
        self._speed = speed
        self._start_ns = time.monotonic_ns()

    def monotonic_ns(self) -> int:
        """Nanoseconds of this clock since it was made."""
        return int((time.monotonic_ns() - self._start_ns) * self._speed)

    def sleep(self, seconds: float) -> None:
        """Block for `seconds` of this clock's time."""
        time.sleep(seconds / self._speed)


class VirtualClock:
    """Time that passes only when somebody sleeps: an hour of a line in seconds, the same every run."""

    def __init__(self, start_ns: int = 0) -> None:
        self._now_ns = start_ns

    def monotonic_ns(self) -> int:
        """Nanoseconds slept so far."""
        return self._now_ns

    def sleep(self, seconds: float) -> None:
        """Move time on by `seconds`."""
        self._now_ns += round(seconds * 1e9)
