"""Puts together what a small device sends in several packed messages, by device, boot and seq. Pure.

What does not become whole within WINDOW_S, or is the oldest of more than WAITING_MAX of one device, is given back as
incomplete: a part is never held for ever, and no device can push out another's.
"""

from collections import OrderedDict
from dataclasses import dataclass, field
from typing import Generic, TypeVar

from contract.packed import RawPart, merged

WINDOW_S = 10.0  # the parts of one measurement leave a device within milliseconds; a bad radio makes seconds of it
WAITING_MAX = 16  # numbers of one device

T = TypeVar("T")


@dataclass(slots=True)
class Waiting(Generic[T]):
    """What has come of one number; `carriers` is what it came in."""

    part: RawPart
    since_s: float
    carriers: list[T] = field(default_factory=list[T])


class Pairing(Generic[T]):
    """T is whatever brings the parts. Times are monotonic seconds."""

    def __init__(self) -> None:
        self._devices: dict[str, OrderedDict[tuple[int, int], Waiting[T]]] = {}

    def __len__(self) -> int:
        return sum(len(numbers) for numbers in self._devices.values())

    def take(self, device: str, part: RawPart, carrier: T, now_s: float) -> Waiting[T] | None:
        """What is whole now, None while something is missing. Raises ContractError for a contradiction."""
        numbers = self._devices.setdefault(device, OrderedDict())
        key = (part.boot, part.seq)
        known = numbers.get(key)
        if known is None:
            known = numbers[key] = Waiting(part, now_s)
        else:
            known.part = merged(known.part, part)
        known.carriers.append(carrier)
        return None if known.part.missing else self._remove(device, key)

    def given_up(self, now_s: float) -> list[tuple[str, Waiting[T]]]:
        """What waits no longer, and of which device; to be asked now and then."""
        found: list[tuple[str, Waiting[T]]] = []
        for device, numbers in list(self._devices.items()):
            late = [key for key, each in numbers.items() if now_s - each.since_s >= WINDOW_S]
            late += [key for key in numbers if key not in late][: max(0, len(numbers) - len(late) - WAITING_MAX)]
            found += [(device, self._remove(device, key)) for key in late]
        return found

    def _remove(self, device: str, key: tuple[int, int]) -> Waiting[T]:
        numbers = self._devices[device]
        waiting = numbers.pop(key)
        if not numbers:
            del self._devices[device]
        return waiting
