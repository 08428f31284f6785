"""From numbers to receipts: what a device may forget. Pure."""

import uuid
from collections.abc import Iterable

from contract.messages import Receipt, SeqRange

RANGES_MAX = 500  # in one receipt: some 50 KiB, below the largest message


def ranges(numbers: Iterable[tuple[uuid.UUID, int]]) -> list[SeqRange]:
    """Return the shortest list of ranges that covers exactly these numbers, in order of boot and number."""
    by_boot: dict[int, tuple[uuid.UUID, set[int]]] = {}  # by number: UUIDs themselves hash and compare slowly
    for boot_id, seq in numbers:
        known = by_boot.get(boot_id.int)
        if known is None:
            known = by_boot[boot_id.int] = (boot_id, set())
        known[1].add(seq)
    found: list[SeqRange] = []
    for _, (boot_id, seqs) in sorted(by_boot.items()):
        first = last = 0
        for seq in sorted(seqs):
            if seq == last + 1 and first:
                last = seq
                continue
            if first:
                found.append(SeqRange(boot_id=boot_id, first_seq=first, last_seq=last))
            first = last = seq
        found.append(SeqRange(boot_id=boot_id, first_seq=first, last_seq=last))
    return found


def receipts(
    device_id: str, *, stored: Iterable[tuple[uuid.UUID, int]], rejected: Iterable[tuple[uuid.UUID, int]]
) -> list[Receipt]:
    """Return the receipts that tell a device what is stored and what is rejected for good; none for no numbers."""
    parts = [("stored", each) for each in ranges(stored)] + [("rejected", each) for each in ranges(rejected)]
    made: list[Receipt] = []
    for start in range(0, len(parts), RANGES_MAX):
        part = parts[start : start + RANGES_MAX]
        made.append(
            Receipt(
                device_id=device_id,
                stored=[each for kind, each in part if kind == "stored"],
                rejected=[each for kind, each in part if kind == "rejected"],
            )
        )
    return made
