"""Detection thresholds of the simulated VL53L8CH: which frames are worth an interrupt.

With thresholds on, a frame that meets none of them is made and not shown: no interrupt, and the result registers stay
as they are. That the registers stay is the careful assumption; a driver that lives with it lives with the other too.
"""

import struct
from collections import defaultdict
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from drivers.sim.vl53l8ch_frame import Readings, to_zones
from drivers.sim.vl53l8ch_mailbox import Parameters
from drivers.sim.vl53l8ch_optics import Exposure

GLOBAL, ENTRIES, STATUSES, SWITCH = 0xB6E0, 0xB6E8, 0xB9F0, 0x5488
ENTRY_BYTES, ENTRIES_MAX, LAST = 12, 64, 128
SWITCH_ON = 0x04
AND = 2
# Measurement code -> field, factor to the unit of a threshold.
_MEASUREMENTS = {
    1: ("distance_mm", 4),
    2: ("signal_kcps", 2048),
    4: ("sigma_mm", 128),
    8: ("ambient_kcps", 2048),
    9: ("detected", 1),
    12: ("status", 1),
    13: ("spads", 256),
}
_PER_TARGET = {1, 2, 4, 12}


@dataclass(frozen=True, slots=True)
class Entry:
    """One condition as the host wrote it; zone in chip order."""

    low: int
    high: int
    measurement: int
    kind: int
    zone: int
    operation: int

    def met_by(self, value: int) -> bool:
        """Whether a value in the unit of the wire fulfils it."""
        return (
            self.low <= value <= self.high,
            value < self.low or value > self.high,
            value <= self.low,
            value > self.high,
            value == self.low,
            value != self.low,
        )[self.kind]


class Thresholds:
    """Those in force at the start of a session."""

    def __init__(self, parameters: Parameters) -> None:
        self.armed = parameters[GLOBAL : GLOBAL + 8][1] == 1 and parameters[SWITCH : SWITCH + 20][0x11] == SWITCH_ON
        self._accepted = set(parameters[STATUSES : STATUSES + 8])
        self._entries = _entries(parameters[ENTRIES : ENTRIES + ENTRIES_MAX * ENTRY_BYTES]) if self.armed else []

    def met(self, exposure: Exposure, readings: Readings) -> bool:
        """Whether a frame is worth an interrupt."""
        by_zone: defaultdict[int, list[bool]] = defaultdict(list)
        for entry in self._entries:
            met = self._met(entry, exposure, readings)
            if entry.operation != AND and met:
                return True
            if entry.operation == AND:
                by_zone[entry.zone].append(met)
        return any(all(conditions) for conditions in by_zone.values())

    def _met(self, entry: Entry, exposure: Exposure, readings: Readings) -> bool:
        status = int(_first(readings.status)[entry.zone])
        if entry.measurement in _PER_TARGET and entry.measurement != 12 and status not in self._accepted:
            return False
        name, factor = _MEASUREMENTS.get(entry.measurement, ("", 0))
        if not name or entry.kind > 5:
            return False
        values = getattr(readings if name in ("distance_mm", "status") else exposure, name)
        return entry.met_by(round(float(_first(values)[entry.zone]) * factor))


def _first(values: NDArray[np.generic]) -> NDArray[np.generic]:
    """The first target of every zone, chip order."""
    return to_zones(values if values.ndim == 2 else values[0])


def _entries(data: bytes) -> list[Entry]:
    found: list[Entry] = []
    for low, high, measurement, kind, zone, operation in struct.iter_unpack("<iiBBBB", data):
        found.append(Entry(low, high, measurement, kind, zone & ~LAST, operation))
        if zone & LAST:
            break
    return found
