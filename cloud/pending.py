"""Messages that this server published for somebody and whose fate is not known yet.

Ingest says what became of a message by a `receipt` (ranges of numbers stored, or rejected for good) and an `error`
notice (why). Either may come first: a rejection waits REASON_WAIT_S for its reason.
"""

import asyncio
import uuid
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Literal

from contract.messages import ErrorNotice, Receipt, SeqRange

REASON_WAIT_S = 1.0

Key = tuple[str, uuid.UUID]  # device and boot


@dataclass(frozen=True, slots=True)
class Fate:
    """What became of a message; `reason` and `path` where it was not stored."""

    outcome: Literal["stored", "rejected", "held", "unknown"]
    reason: str = ""
    path: str | None = None


class Pending:
    """Who waits for which number. Belongs to one event loop; bounded by what its users have in flight."""

    def __init__(self, *, reason_wait_s: float = REASON_WAIT_S) -> None:
        self._waiting: dict[Key, dict[int, asyncio.Future[Fate]]] = {}
        self._reason_wait_s = reason_wait_s

    def __len__(self) -> int:
        return sum(len(numbers) for numbers in self._waiting.values())

    def expect(self, device_id: str, boot_id: uuid.UUID, seq: int) -> asyncio.Future[Fate]:
        """A future of the fate of message `seq`. Call it before publishing, and `forget` it at the end."""
        fate: asyncio.Future[Fate] = asyncio.get_running_loop().create_future()
        self._waiting.setdefault((device_id, boot_id), {})[seq] = fate
        return fate

    def forget(self, device_id: str, boot_id: uuid.UUID, seq: int) -> None:
        """Wait no longer for message `seq`; twice is harmless."""
        numbers = self._waiting.get((device_id, boot_id), {})
        numbers.pop(seq, None)
        if not numbers:
            self._waiting.pop((device_id, boot_id), None)

    def take_receipt(self, receipt: Receipt) -> None:
        """Tell those whose numbers `receipt` names."""
        for fate in self._named(receipt.device_id, receipt.stored):
            _settle(fate, Fate("stored"))
        loop = asyncio.get_running_loop()
        for fate in self._named(receipt.device_id, receipt.rejected):
            loop.call_later(self._reason_wait_s, _settle, fate, Fate("rejected", "rejected for good, see dead letters"))

    def take_error(self, device_id: str, notice: ErrorNotice) -> None:
        """Tell the one whose number `notice` names; notices without a number concern nobody here."""
        if notice.boot_id is None or notice.seq is None:
            return
        fate = self._waiting.get((device_id, notice.boot_id), {}).get(notice.seq)
        if fate is not None:
            _settle(fate, Fate("held" if notice.held else "rejected", notice.reason, notice.path))

    def _named(self, device_id: str, ranges: Iterable[SeqRange]) -> list[asyncio.Future[Fate]]:
        named: list[asyncio.Future[Fate]] = []
        for each in ranges:
            numbers = self._waiting.get((device_id, each.boot_id), {})
            named += [fate for seq, fate in numbers.items() if each.first_seq <= seq <= each.last_seq]
        return named


def _settle(fate: asyncio.Future[Fate], how: Fate) -> None:
    if not fate.done():
        fate.set_result(how)
