"""The simulated bus: time on the wire, limits, faults."""

import random

import pytest

from drivers.bus import MESSAGE_BYTES_MAX, Bus, BusError, BusTimeoutError, NakError, TransferTooLongError, VirtualClock
from drivers.sim.bus import SimBus, SimChip
from drivers.sim.faults import BitFlips, NakBurst, Outage


class Memory:
    """A chip of 256 registers with one address byte."""

    def __init__(self) -> None:
        self.registers = bytearray(256)
        self.pointer = 0

    def present_at(self, address: int) -> bool:
        return address == 0x50

    def write(self, data: bytes) -> None:
        self.pointer = data[0]
        self.registers[self.pointer : self.pointer + len(data) - 1] = data[1:]

    def read(self, count: int) -> bytes:
        data = bytes((self.registers * 64)[self.pointer : self.pointer + count])
        self.pointer += count
        return data

    def power_cycle(self) -> None:
        self.registers = bytearray(256)


@pytest.fixture
def clock() -> VirtualClock:
    return VirtualClock()


@pytest.fixture
def bus(clock: VirtualClock) -> SimBus:
    bus = SimBus("sim", clock, bus_hz=400_000)
    chip: SimChip = Memory()
    bus.attach(chip)
    return bus


def test_is_a_bus(bus: SimBus) -> None:
    as_seen_by_drivers: Bus = bus
    as_seen_by_drivers.transfer(0x50, b"\x10\x01\x02")
    assert as_seen_by_drivers.transfer(0x50, b"\x10", 2) == b"\x01\x02"
    assert as_seen_by_drivers.transfer(0x50) == b""


def test_read_of_a_frame_takes_nine_clocks_a_byte(bus: SimBus, clock: VirtualClock) -> None:
    bus.transfer(0x50, b"\x00\x00", 1444)
    assert clock.monotonic_ns() / 1e9 == pytest.approx((1444 + 5) * 9 / 400_000, rel=1e-6)


def test_small_transfers_pay_together(bus: SimBus, clock: VirtualClock) -> None:
    """Goal: nothing is forgiven. Method: a thousand transfers that are each shorter than the slack."""
    for _ in range(1000):
        bus.transfer(0x50, b"\x00", 1)
    assert clock.monotonic_ns() / 1e9 == pytest.approx(1000 * (1 + 1 + 1 + 1 + 1) * 9 / 400_000, abs=0.001)
    assert bus.transfers == 1000


def test_message_limit_is_that_of_linux(bus: SimBus) -> None:
    bus.transfer(0x50, bytes(MESSAGE_BYTES_MAX))
    with pytest.raises(TransferTooLongError):
        bus.transfer(0x50, bytes(MESSAGE_BYTES_MAX + 1))
    with pytest.raises(TransferTooLongError):
        bus.transfer(0x50, b"\x00", MESSAGE_BYTES_MAX + 1)


def test_nobody_there(bus: SimBus) -> None:
    with pytest.raises(NakError, match="0x51"):
        bus.transfer(0x51)


def test_closed_bus_fails(bus: SimBus) -> None:
    bus.close()
    with pytest.raises(BusError, match="closed"):
        bus.transfer(0x50)


def test_speed_must_be_positive(clock: VirtualClock) -> None:
    with pytest.raises(ValueError, match="bus_hz is 0"):
        SimBus("sim", clock, bus_hz=0)


def test_nak_burst_passes(bus: SimBus) -> None:
    bus.faults.append(NakBurst(0x50, 2))
    for _ in range(2):
        with pytest.raises(NakError):
            bus.transfer(0x50)
    bus.transfer(0x50)


@pytest.mark.parametrize(("stuck_line", "kind"), [(False, NakError), (True, BusTimeoutError)])
def test_outage_has_a_beginning_and_an_end(
    bus: SimBus, clock: VirtualClock, stuck_line: bool, kind: type[BusError]
) -> None:
    bus.faults.append(Outage(0x50, 1_000_000_000, 2_000_000_000, stuck_line))
    bus.transfer(0x50)
    clock.sleep(1.0)
    with pytest.raises(kind):
        bus.transfer(0x50)
    clock.sleep(1.0)
    bus.transfer(0x50)


def test_bit_flips_change_one_bit_and_are_counted(bus: SimBus) -> None:
    rng = random.Random(7)  # noqa: S311 - a seeded fault, no secret
    flips = BitFlips(0x50, 1.0, rng, read_len_min=8)
    bus.faults.append(flips)
    assert bus.transfer(0x50, b"\x00", 4) == bytes(4)
    data = bus.transfer(0x50, b"\x00", 64)
    assert int.from_bytes(data, "big").bit_count() == 1
    assert flips.flipped == 1


def test_detached_chip_is_gone(bus: SimBus) -> None:
    (chip,) = bus.chips
    bus.detach(chip)
    with pytest.raises(NakError):
        bus.transfer(0x50)
