"""What can go wrong on the wire: put these into `SimBus.faults`. Time is the bus clock, chance is the caller's.

These are the pieces; drivers.sim.troubles composes them, and what happens inside of chips and before their windows, to
whole faults that can be named and put on a timeline.
"""

import random
from dataclasses import dataclass

from drivers.bus import BusTimeoutError, NakError
from drivers.sim.bus import Transfer

STUCK_S = 0.5  # how long a controller waits for a line that is held low before it gives up


@dataclass(slots=True)
class NakBurst:
    """The chip at `address` refuses its next `count` transfers."""

    address: int
    count: int

    def before(self, transfer: Transfer) -> None:
        """Refuse while there is something left of the burst."""
        if transfer.address == self.address and self.count > 0:
            self.count -= 1
            raise NakError(transfer.address, "no acknowledge")

    def after(self, transfer: Transfer, data: bytes) -> bytes:
        """Leave the data alone."""
        del transfer
        return data


@dataclass(frozen=True, slots=True)
class Outage:
    """Nobody answers at `address` from `start_ns` (included) to `end_ns` (not included): a loose connector.

    With `stuck_line` the controller times out instead, as when SDA is held low.
    """

    address: int
    start_ns: int
    end_ns: int
    stuck_line: bool = False

    def before(self, transfer: Transfer) -> None:
        """Fail what falls into the outage."""
        if transfer.address != self.address or not self.start_ns <= transfer.at_ns < self.end_ns:
            return
        if self.stuck_line:
            raise BusTimeoutError(transfer.address, "SDA is held low")
        raise NakError(transfer.address, "no acknowledge")

    def after(self, transfer: Transfer, data: bytes) -> bytes:
        """Leave the data alone."""
        del transfer
        return data


class BitFlips:
    """One random bit of a read of at least `read_len_min` bytes is flipped with `probability` (0 to 1)."""

    def __init__(self, address: int, probability: float, rng: random.Random, read_len_min: int = 1) -> None:
        self.flipped = 0
        self._address = address
        self._probability = probability
        self._rng = rng
        self._read_len_min = read_len_min

    def before(self, transfer: Transfer) -> None:
        """Let every transfer through."""

    def after(self, transfer: Transfer, data: bytes) -> bytes:
        """Flip a bit now and then."""
        if transfer.address != self._address or len(data) < max(1, self._read_len_min):
            return data
        if self._rng.random() >= self._probability:
            return data
        self.flipped += 1
        bit = self._rng.randrange(8 * len(data))
        return (int.from_bytes(data, "little") ^ (1 << bit)).to_bytes(len(data), "little")
