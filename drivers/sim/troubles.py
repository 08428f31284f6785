"""Whole faults as data: what befalls a line, its sensors and their bus; each a frozen value that can be named.

A `Trouble` is begun on a `Rig` and gives an `Active` that lasts until it is ended. Nothing here knows when: that is
drivers.sim.timeline's business. Chance comes from the rig, so that one seed is one run.
"""

import random
from dataclasses import dataclass, field
from typing import Final, Protocol

from drivers.bus import BusTimeoutError, NakError
from drivers.sim.as7341 import ADDRESS as AS7341_ADDRESS
from drivers.sim.as7341 import Defect, SimAs7341
from drivers.sim.bus import SimBus, SimChip, Transfer
from drivers.sim.faults import STUCK_S, BitFlips
from drivers.sim.spoiled import Installation
from drivers.sim.vl53l8ch import ADDRESS as VL53L8_ADDRESS
from drivers.sim.vl53l8ch import SimVl53l8ch

TOF: Final = frozenset({VL53L8_ADDRESS})
SPECTRAL: Final = frozenset({AS7341_ADDRESS})
BOTH: Final = TOF | SPECTRAL
OLDER_CHIP = bytes([0xF0, 0x02])  # a VL53L5CX: the same package, address and device id, other firmware
TORN_WITHOUT_END = 1 << 30


@dataclass(frozen=True, slots=True)
class Rig:
    """What a trouble may lay hands on. buses: one, or that of the ranging chip and that of the spectral one."""

    buses: tuple[SimBus, ...]
    tof: SimVl53l8ch
    spectral: SimAs7341
    installation: Installation
    rng: random.Random

    def bus_of(self, chip: SimChip) -> SimBus:
        """The bus that `chip` is, or was, soldered to."""
        return self.buses[0] if chip is self.tof else self.buses[-1]

    def chips(self, addresses: frozenset[int]) -> list[SimChip]:
        """Those whose ordinary addresses are among `addresses`."""
        places: tuple[tuple[int, SimChip], ...] = ((VL53L8_ADDRESS, self.tof), (AS7341_ADDRESS, self.spectral))
        return [chip for address, chip in places if address in addresses]


class Active:
    """A trouble that lasts; a drivers.sim.bus.Fault. As it stands it does nothing."""

    def before(self, transfer: Transfer) -> None:
        """Raise a BusError to make the transfer fail before the chip sees it."""

    def after(self, transfer: Transfer, data: bytes) -> bytes:
        """What the controller receives in place of `data`."""
        del transfer
        return data

    def end(self) -> None:
        """Put everything back as it was before."""


class Trouble(Protocol):
    """One thing that can go wrong."""

    def begin(self, rig: Rig) -> Active:
        """Make it so, from now until the end of what is returned."""
        ...


@dataclass(frozen=True, slots=True)
class Naks:
    """A bad contact: `share` (0 to 1) of the transfers to `addresses` are refused; at most `most` of them if given."""

    addresses: frozenset[int] = BOTH
    share: float = 1.0
    most: int | None = None

    def begin(self, rig: Rig) -> Active:
        """From now on."""
        return _Refusing(self, rig.rng)


@dataclass(slots=True)
class _Refusing(Active):
    trouble: Naks
    rng: random.Random
    refused: int = 0

    def before(self, transfer: Transfer) -> None:
        trouble = self.trouble
        if transfer.address not in trouble.addresses or self.refused == trouble.most:
            return
        if trouble.share >= 1.0 or self.rng.random() < trouble.share:
            self.refused += 1
            raise NakError(transfer.address, "no acknowledge")


@dataclass(frozen=True, slots=True)
class StuckBus:
    """SDA is held low: nobody on the bus can say anything, and the controller finds out only after STUCK_S."""

    def begin(self, rig: Rig) -> Active:
        """From now on."""
        return _Stuck(rig.buses[0])


@dataclass(slots=True)
class _Stuck(Active):
    bus: SimBus

    def before(self, transfer: Transfer) -> None:
        self.bus.clock.sleep(STUCK_S)
        raise BusTimeoutError(transfer.address, "the controller timed out: a line is held low")


@dataclass(frozen=True, slots=True)
class Flips:
    """Noise on the wire: one bit of `share` of all reads from `addresses` arrives wrong."""

    addresses: frozenset[int] = BOTH
    share: float = 0.02

    def begin(self, rig: Rig) -> Active:
        """From now on."""
        return _Noisy([BitFlips(address, self.share, rig.rng) for address in sorted(self.addresses)])


@dataclass(slots=True)
class _Noisy(Active):
    flips: list[BitFlips]

    def after(self, transfer: Transfer, data: bytes) -> bytes:
        for flips in self.flips:
            data = flips.after(transfer, data)
        return data


@dataclass(slots=True)
class _Until(Active):
    """Something that was switched on and is switched off at the end."""

    undo: list["Undo"] = field(default_factory=list["Undo"])

    def end(self) -> None:
        for undo in self.undo:
            undo()


class Undo(Protocol):
    """Takes back what was done."""

    def __call__(self) -> None: ...


@dataclass(frozen=True, slots=True)
class TornReads:
    """Every frame of the ranging chip is read while it replaces it by the next."""

    def begin(self, rig: Rig) -> Active:
        """From now on."""
        rig.tof.torn = TORN_WITHOUT_END

        def undo() -> None:
            rig.tof.torn = 0

        return _Until([undo])


@dataclass(frozen=True, slots=True)
class StuckFrames:
    """The ranging chip goes on showing the same frame, its stream count included."""

    def begin(self, rig: Rig) -> Active:
        """From now on."""
        rig.tof.stuck = True

        def undo() -> None:
            rig.tof.stuck = False

        return _Until([undo])


@dataclass(frozen=True, slots=True)
class LaserFault:
    """The laser's safety circuit has tripped: no light, and the safety byte says so at the next start."""

    code: int = 0x01

    def begin(self, rig: Rig) -> Active:
        """From now on."""
        rig.tof.laser_fault, rig.tof.stuck = self.code, True

        def undo() -> None:
            rig.tof.laser_fault, rig.tof.stuck = 0, False

        return _Until([undo])


@dataclass(frozen=True, slots=True)
class McuError:
    """The ranging chip's processor fails with `code`; with `again` it does so after every reboot too."""

    code: int = 0x82
    again: bool = False

    def begin(self, rig: Rig) -> Active:
        """Now."""
        rig.tof.mcu_fault = self.code
        return _FailingAgain(self, rig.tof)


@dataclass(slots=True)
class _FailingAgain(Active):
    trouble: McuError
    tof: SimVl53l8ch

    def before(self, transfer: Transfer) -> None:
        if self.trouble.again and transfer.address == VL53L8_ADDRESS:
            self.tof.mcu_fault = self.trouble.code

    def end(self) -> None:
        self.tof.mcu_fault = 0


@dataclass(frozen=True, slots=True)
class NeverValid:
    """The spectral chip takes its orders and never finishes an integration."""

    def begin(self, rig: Rig) -> Active:
        """From now on."""
        rig.spectral.defects.add(Defect.NEVER_VALID)
        return _Until([lambda: rig.spectral.defects.discard(Defect.NEVER_VALID)])


@dataclass(frozen=True, slots=True)
class Absent:
    """No supply, or the connector is off: nobody answers at `addresses`. Comes back as after power-on.

    A short one is a brown-out: gone, and back with nothing of what it was told.
    """

    addresses: frozenset[int] = BOTH

    def begin(self, rig: Rig) -> Active:
        """From now on."""
        gone = [(rig.bus_of(chip), chip) for chip in rig.chips(self.addresses)]
        for bus, chip in gone:
            bus.detach(chip)
        return _Until([lambda bus=bus, chip=chip: _return(bus, chip) for bus, chip in gone])


def _return(bus: SimBus, chip: SimChip) -> None:
    bus.attach(chip)
    chip.power_cycle()


@dataclass(frozen=True, slots=True)
class WrongId:
    """A chip of the family that SQAL can't use in place of each of `addresses`: its identity registers say so."""

    addresses: frozenset[int] = TOF

    def begin(self, rig: Rig) -> Active:
        """From now on; exchanging a chip takes its supply away."""
        undo: list[Undo] = []
        if self.addresses & TOF:
            right, rig.tof.identity = rig.tof.identity, OLDER_CHIP
            rig.tof.power_cycle()
            undo.append(lambda: _restore_identity(rig.tof, right))
        if self.addresses & SPECTRAL:
            rig.spectral.defects.add(Defect.WRONG_IDENTITY)
            rig.spectral.power_cycle()
            undo.append(lambda: _restore_spectral(rig.spectral))
        return _Until(undo)


def _restore_identity(tof: SimVl53l8ch, identity: bytes) -> None:
    tof.identity = identity
    tof.power_cycle()


def _restore_spectral(spectral: SimAs7341) -> None:
    spectral.defects.discard(Defect.WRONG_IDENTITY)
    spectral.power_cycle()


@dataclass(frozen=True, slots=True)
class Swapped:
    """Something else altogether sits at each of `addresses`: a memory chip, say, full of 0xFF."""

    addresses: frozenset[int] = TOF

    def begin(self, rig: Rig) -> Active:
        """From now on."""
        undo: list[Undo] = []
        for chip in rig.chips(self.addresses):
            bus = rig.bus_of(chip)
            stranger = Stranger(VL53L8_ADDRESS if chip is rig.tof else AS7341_ADDRESS)
            bus.detach(chip)
            bus.attach(stranger)
            undo.append(lambda bus=bus, chip=chip, stranger=stranger: _swap_back(bus, chip, stranger))
        return _Until(undo)


def _swap_back(bus: SimBus, chip: SimChip, stranger: "Stranger") -> None:
    bus.detach(stranger)
    _return(bus, chip)


@dataclass(frozen=True, slots=True)
class Stranger:
    """A SimChip that takes everything and answers 0xFF."""

    address: int

    def present_at(self, address: int) -> bool:
        """At its address."""
        return address == self.address

    def write(self, data: bytes) -> None:
        """Take it."""

    def read(self, count: int) -> bytes:
        """Empty memory."""
        return b"\xff" * count

    def power_cycle(self) -> None:
        """Nothing to lose."""


@dataclass(frozen=True, slots=True)
class SlowBus:
    """The buses run at `bus_hz`: a Raspberry Pi set up anew, its device tree unchanged; supply off meanwhile."""

    bus_hz: int = 100_000

    def begin(self, rig: Rig) -> Active:
        """From now on."""
        before = [(bus, bus.bus_hz) for bus in rig.buses]
        for bus in rig.buses:
            bus.bus_hz = min(self.bus_hz, bus.bus_hz)
        rig.tof.power_cycle()
        rig.spectral.power_cycle()

        def undo() -> None:
            for bus, bus_hz in before:
                bus.bus_hz = bus_hz
            rig.tof.power_cycle()
            rig.spectral.power_cycle()

        return _Until([undo])
