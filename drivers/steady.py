"""A bus that asks once more when nobody acknowledged: a bad contact refuses one transfer, not three in a row.

A refused transfer did nothing to the chip, so that sending it again is always right. Everything else passes as it is: a
time limit that was reached says that the bus is held, and bits that arrived wrong look like any others.
"""

from drivers.bus import Bus, NakError

RETRIES_MAX = 2
RETRY_WAIT_S = 0.0005  # longer than a bounce of a contact that is pressed, shorter than anything that matters


class SteadyBus:
    """`bus`, with refused transfers sent again; implements drivers.bus.Bus. retried: how often; refused: in vain."""

    def __init__(self, bus: Bus) -> None:
        self.name = bus.name
        self.clock = bus.clock
        self.lock = bus.lock
        self.retried = 0
        self.refused = 0
        self._bus = bus

    def transfer(self, address: int, write: bytes = b"", read_len: int = 0) -> bytes:
        """As drivers.bus.Bus says; a probe (nothing to write or read) is never repeated: its answer is the refusal."""
        if not write and not read_len:
            return self._bus.transfer(address)
        with self.lock:
            for _ in range(RETRIES_MAX):
                try:
                    return self._bus.transfer(address, write, read_len)
                except NakError:
                    self.retried += 1
                    self.clock.sleep(RETRY_WAIT_S)
            try:
                return self._bus.transfer(address, write, read_len)
            except NakError:
                self.refused += 1
                raise

    def close(self) -> None:
        """Close the bus beneath."""
        self._bus.close()
