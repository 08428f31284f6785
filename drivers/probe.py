"""What is on the bus, in words: for the person who has just wired two sensors and wants to know whether they answer.

Known chips are identified at their addresses, every other address is only asked whether somebody acknowledges. Nothing
here changes what a chip does, except that a VL53L8 is left on its ordinary register page.
"""

from collections import Counter
from collections.abc import Callable, Collection
from dataclasses import dataclass

from drivers.bus import Bus, BusError, BusTimeoutError, NakError

FIRST_ADDRESS, LAST_ADDRESS = 0x08, 0x77  # the rest is reserved (UM10204 section 3.1.12)
VL53L8_ADDRESS, AS7341_ADDRESS = 0x29, 0x39
VL53L8_REVISIONS = {0x0C: "VL53L8CX/CH", 0x02: "VL53L5CX or VL53L7CX", 0x01: "VL53L5CX, first cut"}
AS7341_ID_REGISTER, AS7341_PART = 0x92, 0x09  # part number in bits 7 to 2 (DS000504 section 10)


@dataclass(frozen=True, slots=True)
class Finding:
    """One address of the bus. chip: its name, None when it isn't known; fit: it is one that SQAL can use.

    sentence: all of it for a reader, address first. stuck: the controller gave up waiting for the bus.
    """

    address: int
    chip: str | None
    fit: bool
    sentence: str
    stuck: bool = False


def probe(bus: Bus, expected: Collection[int] = (VL53L8_ADDRESS, AS7341_ADDRESS)) -> list[Finding]:
    """Look at every address; those `expected` are always among the findings. Raises no BusError.

    Those come first: where both run into the controller's time limit the bus is stuck and nothing else is asked, for
    every further address would take half a second to say the same.
    """
    found = {address: _look(bus, address, _CHIPS[address], address in expected) for address in _CHIPS}
    stuck = all(finding is not None and finding.stuck for finding in found.values())
    findings: list[Finding] = []
    for address in range(FIRST_ADDRESS, LAST_ADDRESS + 1):
        if address in found:
            finding = found[address]
        elif stuck:
            continue
        else:
            finding = _look(bus, address, None, False)
        if finding is not None:
            findings.append(finding)
    return findings


def wrong_readings(bus: Bus, address: int, count: int = 200) -> int:
    """How many of `count` readings of a sensor's identity, a constant, differ from the most frequent one.

    address: of one of the two known chips. Leaves a VL53L8 on its ordinary page. Raises BusError.
    """
    with bus.lock:
        if address == AS7341_ADDRESS:
            readings = [bus.transfer(address, bytes([AS7341_ID_REGISTER]), 1) for _ in range(count)]
        else:
            bus.transfer(address, b"\x7f\xff\x00")
            readings = [bus.transfer(address, b"\x00\x00", 2) for _ in range(count)]
            bus.transfer(address, b"\x7f\xff\x02")
    return count - Counter(readings).most_common(1)[0][1]


def _look(bus: Bus, address: int, identify: Callable[[Bus], Finding] | None, expected: bool) -> Finding | None:
    try:
        bus.transfer(address)
        if identify is None:
            return Finding(address, None, False, f"0x{address:02X}: something answers that SQAL does not know")
        return identify(bus)
    except NakError:
        if not expected:
            return None
        return Finding(address, None, False, f"0x{address:02X}: nothing answers (expected: {_EXPECTED[address]})")
    except BusTimeoutError as error:
        return Finding(address, None, False, f"0x{address:02X}: {error.reason}", stuck=True)
    except BusError as error:
        return Finding(address, None, False, f"0x{address:02X}: {error.reason}")


def _identify_vl53l8(bus: Bus) -> Finding:
    with bus.lock:
        bus.transfer(VL53L8_ADDRESS, b"\x7f\xff\x00")
        device, revision = bus.transfer(VL53L8_ADDRESS, b"\x00\x00", 2)
        bus.transfer(VL53L8_ADDRESS, b"\x7f\xff\x02")
    ids = f"device id {device:02X} revision {revision:02X}"
    chip = VL53L8_REVISIONS.get(revision) if device == 0xF0 else None
    fit = chip == VL53L8_REVISIONS[0x0C]
    if chip is None:
        sentence = f"0x29: unexpected {ids}, not a VL53L8 (F0, 0C)"
    elif fit:
        sentence = f"0x29: {chip}, {ids}"
    else:
        sentence = f"0x29: {chip}, {ids}: SQAL needs a VL53L8CH"
    return Finding(VL53L8_ADDRESS, chip, fit, sentence)


def _identify_as7341(bus: Bus) -> Finding:
    value = bus.transfer(AS7341_ADDRESS, bytes([AS7341_ID_REGISTER]), 1)[0]
    if value >> 2 != AS7341_PART:
        sentence = f"0x39: unexpected id {value:02X}, not an AS7341 (24)"
        return Finding(AS7341_ADDRESS, None, False, sentence)
    return Finding(AS7341_ADDRESS, "AS7341", True, f"0x39: AS7341, id {value:02X}")


_CHIPS = {VL53L8_ADDRESS: _identify_vl53l8, AS7341_ADDRESS: _identify_as7341}
_EXPECTED = {VL53L8_ADDRESS: "VL53L8CH", AS7341_ADDRESS: "AS7341"}
