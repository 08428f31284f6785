"""A simulated I2C bus: hands transfers to simulated chips and charges the time that the wire would need.

The chips are models at register level; everything above the bus is the production code. What a newcomer gets wrong:
wire time is real here. A transfer keeps the bus busy for nine clocks a byte, so a slow bus is as slow as in life. The
bus may run up to `slack_s` ahead of its clock before it sleeps, because thousands of sleeps of some microseconds would
each take longer than asked for; nothing is forgiven, the debt is paid with the next transfers.
"""

import threading
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

from drivers.bus import MESSAGE_BYTES_MAX, BusError, Clock, NakError, TransferTooLongError

BITS_PER_BYTE = 9  # eight and the acknowledge (UM10204 section 3.1.5)
FRAMING_CLOCKS = 9  # start, repeated start and stop together, rounded up to the time of one byte
SLACK_S = 0.001  # as long as the shortest sleep that an ordinary kernel keeps to within some 10 %


class SimChip(Protocol):
    """A chip on a simulated bus, seen from its pins."""

    def present_at(self, address: int) -> bool:
        """Whether the chip acknowledges this 7-bit address now."""
        ...

    def write(self, data: bytes) -> None:
        """Take the bytes that follow the address byte, at least one. Raises NakError when the chip refuses them."""
        ...

    def read(self, count: int) -> bytes:
        """Exactly `count` bytes (>= 1) from where the register pointer stands."""
        ...

    def power_cycle(self) -> None:
        """Lose all volatile state, as after a dip of the supply."""
        ...


@dataclass(frozen=True, slots=True)
class Transfer:
    """What the controller asked for, as a fault sees it. at_ns: bus clock at the start."""

    at_ns: int
    address: int
    write: bytes
    read_len: int


class Fault(Protocol):
    """Something that goes wrong on the wire; see drivers.sim.faults for those that exist."""

    def before(self, transfer: Transfer) -> None:
        """Raise a BusError to make the transfer fail before the chip sees it."""
        ...

    def after(self, transfer: Transfer, data: bytes) -> bytes:
        """What the controller receives in place of `data`, of the same length."""
        ...


class SimBus:
    """One simulated bus at `bus_hz` clocks a second; implements drivers.bus.Bus.

    `transfers` and `wire_bytes` (address bytes included) count what was carried, failed transfers too.
    """

    def __init__(self, name: str, clock: Clock, bus_hz: int = 1_000_000, slack_s: float = SLACK_S) -> None:
        self.name = name
        self.clock = clock
        self.lock = threading.RLock()
        self.faults: list[Fault] = []
        self.transfers = 0
        self.wire_bytes = 0
        self.bus_hz = bus_hz
        self._slack_ns = slack_s * 1e9
        self._free_at_ns = 0.0
        self._chips: list[SimChip] = []
        self._closed = False

    @property
    def bus_hz(self) -> int:
        """Clocks a second; may be changed at any time. Raises ValueError when set to 0 or less."""
        return self._bus_hz

    @bus_hz.setter
    def bus_hz(self, bus_hz: int) -> None:
        if bus_hz <= 0:
            raise ValueError(f"bus_hz is {bus_hz}, must be above 0")
        self._bus_hz = bus_hz
        self._byte_ns = BITS_PER_BYTE * 1e9 / bus_hz
        self._framing_ns = FRAMING_CLOCKS * 1e9 / bus_hz

    @property
    def chips(self) -> Sequence[SimChip]:
        """The chips on this bus, in the order in which they were attached."""
        return tuple(self._chips)

    def attach(self, chip: SimChip) -> None:
        """Solder a chip to the bus."""
        self._chips.append(chip)

    def detach(self, chip: SimChip) -> None:
        """Take a chip off the bus; raises ValueError when it isn't there."""
        self._chips.remove(chip)

    def transfer(self, address: int, write: bytes = b"", read_len: int = 0) -> bytes:
        """Write `write`, then read `read_len` bytes, in one transaction; raises a BusError as drivers.bus.Bus says."""
        if max(len(write), read_len) > MESSAGE_BYTES_MAX:
            longest = max(len(write), read_len)
            raise TransferTooLongError(address, f"{longest} bytes in one message, the bus carries {MESSAGE_BYTES_MAX}")
        with self.lock:
            if self._closed:
                raise BusError(address, f"bus {self.name} is closed")
            self.transfers += 1
            transfer = Transfer(self.clock.monotonic_ns(), address, write, read_len)
            try:
                data = self._carry(transfer)
            except BusError:
                self._charge(1)
                raise
            messages = max(1, bool(write) + bool(read_len))
            self._charge(messages + len(write) + read_len)
            return data

    def close(self) -> None:
        """Fail every further transfer."""
        self._closed = True

    def _carry(self, transfer: Transfer) -> bytes:
        for fault in self.faults:
            fault.before(transfer)
        chip = self._chip_at(transfer.address)
        if transfer.write:
            chip.write(transfer.write)
        data = chip.read(transfer.read_len) if transfer.read_len else b""
        for fault in self.faults:
            data = fault.after(transfer, data)
        return data

    def _chip_at(self, address: int) -> SimChip:
        for chip in self._chips:
            if chip.present_at(address):
                return chip
        raise NakError(address, "no acknowledge")

    def _charge(self, byte_count: int) -> None:
        self.wire_bytes += byte_count
        now_ns = self.clock.monotonic_ns()
        self._free_at_ns = max(self._free_at_ns, now_ns) + byte_count * self._byte_ns + self._framing_ns
        ahead_ns = self._free_at_ns - now_ns
        if ahead_ns >= self._slack_ns:
            self.clock.sleep(ahead_ns / 1e9)
