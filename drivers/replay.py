"""A bus that plays a capture: what was asked then must be asked again, what was answered then is answered again.

Strict on purpose. A driver that asks for something else, or in another order, is told at which transfer: either the
change is meant, then the capture is made anew (docs/captures.md says how), or it is a defect. Time is the recording's.
"""

import threading
from collections.abc import Sequence

from drivers.bus import (
    ArbitrationError,
    BusError,
    BusTimeoutError,
    Clock,
    NakError,
    TransferTooLongError,
    VirtualClock,
)
from drivers.capture import Record, digest_of

_ERRORS: dict[str, type[BusError]] = {
    each.__name__: each for each in (BusError, NakError, BusTimeoutError, ArbitrationError, TransferTooLongError)
}


class ReplayError(BusError):
    """What is asked is not what was recorded. number: of the transfer, from 1 on."""

    def __init__(self, address: int, number: int, reason: str) -> None:
        super().__init__(address, f"the replay does not go on at transfer {number}: {reason}")
        self.number = number


class Script:
    """The transfers of a capture, which all of its buses ask for in one order. `played` counts, `done` at the end."""

    def __init__(self, records: Sequence[Record]) -> None:
        self.clock = ReplayClock()
        self.played = 0
        self._records = records

    @property
    def done(self) -> bool:
        """Whether nothing is left over."""
        return self.played == len(self._records)

    def play(self, bus: int, address: int, write: bytes, read_len: int) -> bytes:
        """As recorded. Raises the recorded BusError, or ReplayError."""
        number = self.played + 1
        if self.done:
            raise ReplayError(address, number, "the recording ends here")
        record = self._records[self.played]
        asked = (address, digest_of(write), read_len, bus)
        if asked != (record.address, record.write, record.read_len, record.bus):
            raise ReplayError(address, number, f"{_words(*asked)} is asked, recorded is {_of(record)}")
        self.played = number
        self.clock.reach(record.start_ns, record.took_ns)
        if record.error:
            raise _ERRORS.get(record.error, BusError)(address, record.reason)
        return record.data


class ReplayBus:
    """One bus of a `script`, by its place in the header; implements drivers.bus.Bus."""

    def __init__(self, name: str, script: Script, place: int = 0) -> None:
        self.name = name
        self.clock: Clock = script.clock
        self.lock = threading.RLock()
        self._script = script
        self._place = place

    def transfer(self, address: int, write: bytes = b"", read_len: int = 0) -> bytes:
        """As recorded. Raises the recorded BusError, or ReplayError."""
        with self.lock:
            return self._script.play(self._place, address, write, read_len)

    def close(self) -> None:
        """Nothing to release."""


class ReplayClock(VirtualClock):
    """Passes with sleep, and to the recorded moment of every transfer."""

    def reach(self, start_ns: int, took_ns: int) -> None:
        """Be at the end of a transfer that began at `start_ns` of the recording, or now if that is later."""
        ahead_ns = max(0, start_ns - self.monotonic_ns())
        self.sleep((ahead_ns + took_ns) / 1e9)


def _of(record: Record) -> str:
    return _words(record.address, record.write, record.read_len, record.bus)


def _words(address: int, write: str, read_len: int, bus: int) -> str:
    parts = [f"write {write if len(write) <= 32 else write[:32] + '…'}"] if write else []
    parts += [f"read {read_len} bytes"] if read_len else []
    parts += [f"on bus {bus}"] if bus else []
    return f"0x{address:02X} {' then '.join(parts) or 'address only'}"
