"""What a real VL53L8CH was seen to do, byte by byte: driver and simulated chip are held against the same list.

The recordings themselves are not kept here. What they showed is written down as the order of the boot's writes, the
status words of the mailbox and the handshake registers; every number was seen on silicon.
"""

from dataclasses import dataclass, field

import pytest

from drivers.bus import Clock
from drivers.sim.bus import SimBus, Transfer
from drivers.sim.vl53l8ch_ranging import stream_count
from drivers.vl53l8ch import Vl53l8ch
from drivers.vl53l8ch_settings import TofSettings
from tests.unit.drivers.planes import Rig

# register=value of every single write of the boot up to the checksum; "/a b" is a block of b bytes at register a.
BOOT = """
7FFF=00 7FFF=02 7FFF=00 0009=04 000F=40 000A=03 000C=01
0101=00 0102=00 010A=01 4002=01 4002=00 010A=03 0103=01 000C=00 000F=43 000F=40 000A=01 7FFF=00
000E=01 7FFF=02 7FFF=01 0006=01 7FFF=00 000C=01 7FFF=00
0101=00 0102=00 010A=01 4002=01 4002=00 010A=03 0103=01
400F=00 021A=43 021A=03 021A=01 021A=00 0219=00 021B=00 7FFF=00 7FFF=01
7FFF=09 /0000 8000 7FFF=0A /0000 8000 7FFF=0B /0000 5000 7FFF=01 7FFF=01 0006=03
7FFF=00 000C=01 7FFF=00 0114=00 0115=00 0116=42 0117=00 000B=00 000C=00 000B=01 7FFF=02
"""


@dataclass
class Listener:
    """Sits on a bus and writes down what went by."""

    seen: list[tuple[bytes, bytes]] = field(default_factory=list[tuple[bytes, bytes]])

    def before(self, transfer: Transfer) -> None:
        """Let it pass."""

    def after(self, transfer: Transfer, data: bytes) -> bytes:
        self.seen.append((transfer.write, data))
        return data


@pytest.fixture
def rig() -> Rig:
    return Rig()


@pytest.fixture
def listener(rig: Rig) -> Listener:
    listener = Listener()
    rig.bus.faults.append(listener)
    return listener


def boot_writes(listener: Listener) -> list[str]:
    """Writes up to the first of the mailbox, the pieces of each firmware window joined, in the notation of BOOT."""
    words: list[str] = []
    block = 0
    for write, _ in listener.seen:
        register, data = int.from_bytes(write[:2], "big"), write[2:]
        if 0x2C00 <= register < 0x3000 and data:
            break
        if len(data) > 1:
            block += len(data)
            continue
        if block:
            words += ["/0000", f"{block:04X}"]
            block = 0
        if data:
            words.append(f"{register:04X}={data[0]:02X}")
    return words


def test_the_boot_writes_what_was_written_to_silicon_in_that_order(rig: Rig, listener: Listener) -> None:
    rig.driver.boot()
    assert boot_writes(listener) == BOOT.split()


def test_a_real_chip_and_the_simulated_one_give_the_same_handshake(rig: Rig) -> None:
    rig.driver.boot()
    assert host_registers(rig) == (0x81, 0x9C)
    rig.driver.start()
    rig.driver.read()
    rig.driver.stop()
    # What the stop handshake shows is gone once the host clears it; ask while it stands.
    rig.driver.start()
    rig.clock.sleep(0.3)
    for write in (b"\x7f\xff\x00", b"\x00\x15\x16", b"\x00\x14\x01"):
        rig.bus.transfer(0x29, write)
    rig.clock.sleep(0.2)
    assert host_registers(rig) in ((0x91, 0x85), (0xB1, 0x85))


def host_registers(rig: Rig) -> tuple[int, int]:
    rig.bus.transfer(0x29, b"\x7f\xff\x00")
    status0, status1 = rig.bus.transfer(0x29, b"\x00\x06", 2)
    rig.bus.transfer(0x29, b"\x7f\xff\x02")
    return status0, status1


def status_words(listener: Listener) -> dict[bytes, set[bytes]]:
    """Tag and opcode of every mailbox message -> the status words that were read after it."""
    found: dict[bytes, set[bytes]] = {}
    command = b""
    for write, data in listener.seen:
        register = int.from_bytes(write[:2], "big")
        if len(write) > 6 and register + len(write) - 2 == 0x3000:
            command = write[-4:-2] if len(write) > 6 else b""
        elif register == 0x2FFC and len(write) == 6:
            command = write[2:4]
        elif register == 0x2C00 and len(write) == 2 and command:
            found.setdefault(command, set()).add(data)
    return found


def test_the_mailbox_answers_as_silicon_did(rig: Rig, listener: Listener) -> None:
    """Tag echo, 3 for done, size of the reply; the reply to a read of n bytes is n + 8 long."""
    rig.driver.start(settings=TofSettings())
    rig.driver.read()
    found = status_words(listener)
    assert found[b"\x02\x02"] == {bytes.fromhex("020301ec")}, "factory data"
    assert found[b"\x05\x01"] == {bytes.fromhex("05030000")}, "parameters"
    assert found[b"\x00\x03"] == {bytes.fromhex("00030014")}, "start"
    assert {status[:2] for status in found[b"\x00\x02"]} == {b"\x00\x03"}
    assert bytes.fromhex("00030014") in found[b"\x00\x02"], "12 bytes, of the frame's size"
    assert bytes.fromhex("00030010") in found[b"\x00\x02"], "8 bytes, of the module's flags"
    assert {status[:2] for status in found[b"\x03\x01"]} == {b"\x03\x03"}, "offset calibration"
    assert rig.bus.transfer(0x29, b"\x2f\xfc", 4) == bytes.fromhex("00020008"), "left over from the last read"


def test_stream_counts_are_those_of_a_session() -> None:
    assert [stream_count(number) for number in (0, 1, 30, 31, 32, 33, 62, 63, 64)] == [
        *(0x03, 0x07, 0x7B, 0x7F, 0x83, 0x87, 0xFB, 0x7F, 0x83),
    ]
    assert 0xFF not in {stream_count(number) for number in range(1000)}


@pytest.mark.parametrize(("bus_hz", "took_s"), [(100_000, 8.2), (400_000, 2.2), (1_000_000, 1.0)])
def test_a_boot_takes_what_was_measured(bus_hz: int, took_s: float) -> None:
    """But for the manufacturer's 10 ms after each of nine polls, which ours leaves out."""
    rig = Rig(bus_hz=bus_hz)
    clock: Clock = rig.clock
    bus: SimBus = rig.bus
    before = bus.wire_bytes
    Vl53l8ch(bus).boot()
    assert clock.monotonic_ns() / 1e9 + 0.09 == pytest.approx(took_s, rel=0.06)
    assert bus.wire_bytes - before == pytest.approx(89_248, rel=0.01)
