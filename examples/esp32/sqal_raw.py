"""Raw messages of SQAL, packed: the part of the example that needs no chip, no network and no MicroPython.

Runs on MicroPython and CPython alike; the tests hold it to the contract's own encoder, byte for byte. Only struct is
imported. Layout: docs/contract.md, "raw, packed".
"""

# ruff: noqa: ANN001, ANN201, ANN202, ANN204, B905, PLR0917, UP031  # MicroPython knows no types, and no strict zip

import struct

VERSION = 1
DISTANCE, REFLECTANCE, AMPLITUDE, TOF, LIGHT, WHOLE = 1, 2, 3, 4, 5, 6
NO_VALUE = 0xFFFF
UPTIME_MAX_MS = 0xFFFFFFFF  # 49 days; restart before, so that the number of the boot changes
DISTANCE_MAX_MM, REFLECTANCE_MAX, KCPS_MAX = 4000, 255, 4095
VALID_STATUS = (5, 6, 9, 10)  # UM3109: valid, wrap-around unchecked, merged pulse, new target


def topic(site, line, device):
    """Where raw messages of a device go."""
    return "sqal/v1/%s/%s/%s/raw" % (site, line, device)


def pack_whole(boot, seq, uptime_ms, distance, reflectance, amplitude, light):
    """Everything in one message of 426 bytes: needs a packet buffer of 512."""
    return _head(WHOLE, boot, seq, uptime_ms) + matrices(distance, reflectance, amplitude) + pack_light(light)


def pack_parts(boot, seq, uptime_ms, distance, reflectance, amplitude, light):
    """The same in four messages of at most 142 bytes each, for a packet buffer of 256: send all of them."""
    parts = ((DISTANCE, distance, DISTANCE_MAX_MM), (REFLECTANCE, reflectance, REFLECTANCE_MAX))
    parts += ((AMPLITUDE, amplitude, KCPS_MAX),)
    found = [_head(kind, boot, seq, uptime_ms) + matrix(cells, most) for kind, cells, most in parts]
    found.append(_head(LIGHT, boot, seq, uptime_ms) + pack_light(light))
    return found


def matrices(distance, reflectance, amplitude):
    """Three matrices as they follow each other."""
    return matrix(distance, DISTANCE_MAX_MM) + matrix(reflectance, REFLECTANCE_MAX) + matrix(amplitude, KCPS_MAX)


def matrix(cells, most):
    """64 numbers, row by row in scene orientation; None where a zone saw nothing. Values are held within 0 to most."""
    if len(cells) != 64:
        raise ValueError("a matrix has 64 cells, not %d" % len(cells))
    return struct.pack("<64H", *[NO_VALUE if cell is None else _held(cell, most) for cell in cells])


def pack_light(light):
    """light: (first six counts, second six counts, gain, integration ms); sixes end in Clear and NIR."""
    first, second, gain, integration_ms = light
    if len(first) != 6 or len(second) != 6:
        raise ValueError("each half has six counts: four channels, Clear, NIR")
    settings = (_held(gain * 2, 1024), _held(integration_ms * 100, 0xFFFF))
    return struct.pack(
        "<14H", *[_held(count, 0xFFFF) for count in first], *[_held(c, 0xFFFF) for c in second], *settings
    )


def scene(cells, mirrored_columns=True):
    """What the VL53L8CH gives, zone by zone, in scene orientation: its lens turns left and right (UM3109)."""
    if not mirrored_columns:
        return list(cells)
    return [cells[8 * row + 7 - column] for row in range(8) for column in range(8)]


def seen(values, status):
    """None for every zone whose status says that there was no valid target."""
    return [value if state in VALID_STATUS else None for value, state in zip(values, status)]


class Backlog:
    """Messages that are not acknowledged, oldest first, at most `most`; what is pushed out is counted."""

    def __init__(self, most):
        self.most = most
        self.dropped = 0
        self._waiting = []

    def __len__(self):
        return len(self._waiting)

    def put(self, message):
        """Keep a message; the oldest gives way."""
        if len(self._waiting) >= self.most:
            self._waiting.pop(0)
            self.dropped += 1
        self._waiting.append(message)

    def oldest(self):
        """The message to send next, None when there is none."""
        return self._waiting[0] if self._waiting else None

    def sent(self):
        """The oldest is acknowledged."""
        self._waiting.pop(0)


def _head(kind, boot, seq, uptime_ms):
    if not 1 <= seq <= 0xFFFFFFFF:
        raise ValueError("seq begins at 1 and ends at 2**32 - 1; restart with another boot")
    return struct.pack("<BBIII", VERSION, kind, boot & 0xFFFFFFFF, seq, uptime_ms)


def _held(value, most):
    return max(0, min(most, int(value + 0.5)))
