"""Names to buses: "sim" and "linux" are what a command line or a settings file may say."""

from collections.abc import Iterable
from typing import Literal, get_args

from drivers.bus import Bus, Clock
from drivers.linux_bus import LinuxBus
from drivers.sim.bus import SimBus, SimChip

BusKind = Literal["sim", "linux"]
BUS_KINDS: tuple[str, ...] = get_args(BusKind)


def open_bus(
    kind: BusKind,
    name: str,
    clock: Clock,
    *,
    chips: Iterable[SimChip] = (),
    bus_hz: int = 1_000_000,
) -> Bus:
    """Open a bus.

    name: the device ("/dev/i2c-1") of a Linux bus, any word for a simulated one. chips and bus_hz are for a simulated
    bus; the clock rate of a real one is set in the device tree. Raises BusUnavailableError.
    """
    if kind == "linux":
        return LinuxBus(name, clock)
    bus = SimBus(name, clock, bus_hz)
    for chip in chips:
        bus.attach(chip)
    return bus
