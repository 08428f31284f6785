"""What `probe` says about a bus, and how buses are opened by name."""

from dataclasses import dataclass, field

import pytest

from drivers.bus import VirtualClock
from drivers.probe import probe
from drivers.registry import BUS_KINDS, open_bus
from drivers.sim.bus import SimBus, SimChip
from drivers.sim.faults import Outage
from drivers.sim.vl53l8ch import SimVl53l8ch
from tests.unit.drivers.planes import STAIRS, PlaneView, Rig, Still


@dataclass
class Registers:
    """A chip of which only some registers matter."""

    address: int
    values: dict[int, int]
    address_bytes: int = 1
    pointer: int = field(default=0, init=False)

    def present_at(self, address: int) -> bool:
        return address == self.address

    def write(self, data: bytes) -> None:
        self.pointer = int.from_bytes(data[: self.address_bytes], "big")

    def read(self, count: int) -> bytes:
        return bytes(self.values.get(self.pointer + offset, 0) for offset in range(count))

    def power_cycle(self) -> None:
        self.pointer = 0


def sentences(*chips: SimChip) -> list[str]:
    clock = VirtualClock()
    return [finding.sentence for finding in probe(open_bus("sim", "test", clock, chips=chips))]


def test_both_sensors_in_words() -> None:
    bus = Rig().bus
    bus.attach(Registers(0x39, {0x92: 0x24}))
    findings = probe(bus)
    assert [finding.sentence for finding in findings] == [
        "0x29: VL53L8CX/CH, device id F0 revision 0C",
        "0x39: AS7341, id 24",
    ]
    assert all(finding.fit for finding in findings)


def test_empty_bus_names_what_is_missing() -> None:
    assert sentences() == [
        "0x29: nothing answers (expected: VL53L8CH)",
        "0x39: nothing answers (expected: AS7341)",
    ]


def test_strangers() -> None:
    found = sentences(
        Registers(0x29, {0: 0xF0, 1: 0x02}, address_bytes=2),
        Registers(0x39, {0x92: 0x50}),
        Registers(0x48, {}),
    )
    assert found == [
        "0x29: VL53L5CX or VL53L7CX, device id F0 revision 02: SQAL needs a VL53L8CH",
        "0x39: unexpected id 50, not an AS7341 (24)",
        "0x48: something answers that SQAL does not know",
    ]
    assert sentences(Registers(0x29, {0: 0x4E}, address_bytes=2))[0] == (
        "0x29: unexpected device id 4E revision 00, not a VL53L8 (F0, 0C)"
    )


def test_a_stuck_line_is_said_and_does_not_end_the_probe() -> None:
    bus = Rig().bus
    bus.faults.append(Outage(0x29, 0, 10**12, stuck_line=True))
    first, second = probe(bus)
    assert first.sentence == "0x29: SDA is held low"
    assert not first.fit
    assert second.address == 0x39


def test_probe_leaves_a_ranging_sensor_ranging() -> None:
    rig = Rig()
    rig.driver.start()
    rig.driver.read()
    probe(rig.bus)
    rig.driver.read()


def test_kinds_of_bus() -> None:
    assert BUS_KINDS == ("sim", "linux")


@pytest.mark.parametrize("bus_hz", [100_000, 400_000])
def test_open_sim_bus_with_its_speed(bus_hz: int) -> None:
    clock = VirtualClock()
    chip = SimVl53l8ch(clock, Still(PlaneView(STAIRS)))
    bus = open_bus("sim", "line1", clock, chips=[chip], bus_hz=bus_hz)
    assert isinstance(bus, SimBus)
    assert bus.chips == (chip,)
    bus.transfer(0x29, b"\x00\x00", 1000)
    assert clock.monotonic_ns() / 1e9 == pytest.approx(1005 * 9 / bus_hz)
