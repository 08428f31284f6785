"""The FIFO of a simulated AS7341: 128 entries of two bytes, filled by every integration as FIFO_MAP says.

Full is full: what comes then is lost and said in FIFO_OV, what was there stays. A read of the high byte takes an entry
out.
"""

from collections import deque

DEPTH = 128
THRESHOLDS = (1, 4, 8, 16)  # CFG8 bits 7 and 6


class Fifo:
    """Entries as they wait."""

    def __init__(self) -> None:
        self.overflowed = False
        self._entries: deque[bytes] = deque()

    @property
    def level(self) -> int:
        """Entries that wait, 0 to 128."""
        return len(self._entries)

    def clear(self) -> None:
        """Forget all entries and that some were lost."""
        self._entries.clear()
        self.overflowed = False

    def fill(self, fifo_map: int, results: bytes) -> None:
        """Take what `fifo_map` selects of a result: bit 0 ASTATUS, bits 1 to 6 the converters."""
        chosen = [results[:1] + b"\x00"] if fifo_map & 1 else []
        chosen += [results[1 + 2 * adc : 3 + 2 * adc] for adc in range(6) if fifo_map >> (adc + 1) & 1]
        for entry in chosen:
            if len(self._entries) < DEPTH:
                self._entries.append(entry)
            else:
                self.overflowed = True

    def low(self) -> int:
        """The low byte of the oldest entry, 0 when there is none."""
        return self._entries[0][0] if self._entries else 0

    def take_high(self) -> int:
        """The high byte of the oldest entry, which is gone then."""
        return self._entries.popleft()[1] if self._entries else 0
