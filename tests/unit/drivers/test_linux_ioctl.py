"""Two Linux buses with nothing faked above the kernel: real smbus2, real structures, ioctl answered by simulated chips.

Method: /dev/i2c-3 and /dev/i2c-5 are empty files of this test, and `ioctl` is a kernel that reads the very structures
which smbus2 hands over, checks what i2c-dev checks, and lets a simulated bus carry the transfer in its own time.
"""

import ctypes
import errno
import fcntl
import os
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import smbus2.smbus2
from smbus2 import i2c_msg

from drivers.as7341 import As7341
from drivers.bus import BusTimeoutError, NakError, TransferTooLongError, VirtualClock
from drivers.care import BusSpeed, care_for_tof
from drivers.linux_bus import LinuxBus
from drivers.sim.as7341 import SimAs7341
from drivers.sim.bus import SimBus
from drivers.sim.scene import WHITE_TILE, Scene
from drivers.sim.vl53l8ch import SimVl53l8ch
from drivers.steady import SteadyBus
from drivers.vl53l8ch import Vl53l8ch
from edge.probing import probe_world
from edge.world import World

I2C_TIMEOUT, I2C_SLAVE, I2C_FUNCS, I2C_RDWR, I2C_SMBUS = 0x0702, 0x0703, 0x0705, 0x0707, 0x0720
FUNC_I2C, FUNC_QUICK = 0x1, 0x10000
MESSAGES_MAX, MESSAGE_MAX = 42, 8192
READ = 0x0001

Refusal = Callable[[], None]


class Adapter:
    """One I2C controller with its chips. refusals: what it does with the next transfers instead of carrying them."""

    def __init__(self, bus: SimBus) -> None:
        self.bus = bus
        self.refusals: list[Refusal] = []
        self.timeout_10ms: int | None = None
        self.slave = 0
        self.longest = 0
        self.transfers = 0

    def rdwr(self, messages: list[i2c_msg]) -> None:
        if not 1 <= len(messages) <= MESSAGES_MAX or any(message.len > MESSAGE_MAX for message in messages):
            raise OSError(errno.EINVAL, "Invalid argument")
        if any(message.flags & READ for message in messages[:-1]):
            raise OSError(errno.EOPNOTSUPP, "Operation not supported")  # bcm2835: one read, and it comes last
        self.transfers += 1
        self.longest = max(self.longest, *(message.len for message in messages))
        if self.refusals:
            self.refusals.pop(0)()
        write = bytes(messages[0]) if not messages[0].flags & READ else b""
        read_len = messages[-1].len if messages[-1].flags & READ else 0
        try:
            data = self.bus.transfer(messages[0].addr, write, read_len)
        except NakError:
            raise OSError(errno.EREMOTEIO, "Remote I/O error") from None
        ctypes.memmove(messages[-1].buf, data, len(data))

    def quick(self) -> None:
        try:
            self.bus.transfer(self.slave)
        except NakError:
            raise OSError(errno.EREMOTEIO, "Remote I/O error") from None


class Kernel:
    """The ioctl system call, for file descriptors of the adapters; others go to the real one."""

    def __init__(self, adapters: dict[str, Adapter]) -> None:
        self._adapters = adapters
        self._real = fcntl.ioctl

    def ioctl(self, fd: int, request: int, argument: Any = 0) -> Any:
        adapter = self._adapters.get(Path(f"/proc/self/fd/{fd}").readlink().name)
        if adapter is None:
            return self._real(fd, request, argument)
        if request == I2C_FUNCS:
            argument.value = FUNC_I2C | FUNC_QUICK
        elif request == I2C_TIMEOUT:
            adapter.timeout_10ms = argument
        elif request == I2C_SLAVE:
            adapter.slave = argument
        elif request == I2C_SMBUS:
            adapter.quick()
        elif request == I2C_RDWR:
            adapter.rdwr([argument.msgs[place] for place in range(argument.nmsgs)])
        else:
            raise OSError(errno.ENOTTY, "Inappropriate ioctl for device")
        return 0


class Machine:
    """A Raspberry Pi with the ranging chip on i2c-3 and the spectral one on i2c-5."""

    def __init__(self, folder: Path, patch: pytest.MonkeyPatch, tof_hz: int = 1_000_000) -> None:
        self.clock = VirtualClock()
        scene = Scene(5)
        scene.stage = WHITE_TILE
        self.tof, self.spectral = (
            Adapter(SimBus(name, self.clock, bus_hz)) for name, bus_hz in (("tof", tof_hz), ("spectral", 400_000))
        )
        self.tof.bus.attach(SimVl53l8ch(self.clock, scene, 5))
        self.spectral.bus.attach(SimAs7341(self.clock, scene, seed=5))
        self.clock.sleep(0.001)  # since the supply came
        for name in ("i2c-3", "i2c-5"):
            (folder / name).touch()
        kernel = Kernel({"i2c-3": self.tof, "i2c-5": self.spectral})
        patch.setattr(smbus2.smbus2, "ioctl", kernel.ioctl)
        patch.setattr(fcntl, "ioctl", kernel.ioctl)
        self.tof_bus = LinuxBus(str(folder / "i2c-3"), self.clock)
        self.spectral_bus = LinuxBus(str(folder / "i2c-5"), self.clock)
        self.tof_bus.name, self.spectral_bus.name = "/dev/i2c-3", "/dev/i2c-5"

    def close(self) -> None:
        self.tof_bus.close()
        self.spectral_bus.close()


@pytest.fixture
def machine(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Machine]:
    made = Machine(tmp_path, monkeypatch)
    yield made
    made.close()


def refuse(code: int) -> Refusal:
    def raise_it() -> None:
        raise OSError(code, os.strerror(code))

    return raise_it


def test_both_sensors_measure_through_two_buses_of_linux(machine: Machine) -> None:
    """The kernel's limits hold for the whole firmware and every frame; its wait for a held bus is half a second."""
    tof, spectral = Vl53l8ch(machine.tof_bus), As7341(machine.spectral_bus)
    tof.start()
    spectral.start()
    assert tof.read().distance_mm.shape == (8, 8)
    assert spectral.read().counts[8] > 1000
    assert machine.tof.longest <= MESSAGE_MAX
    assert machine.tof.timeout_10ms == machine.spectral.timeout_10ms == 50
    assert machine.tof.bus.wire_bytes > 86_016
    assert machine.spectral.bus.wire_bytes < 2_000


def test_the_longest_message_passes_and_a_longer_one_does_not_get_to_the_kernel(machine: Machine) -> None:
    machine.tof_bus.transfer(0x29, b"\x7f\xff\x02")
    before = machine.tof.transfers
    assert len(machine.tof_bus.transfer(0x29, b"\x00\x00", MESSAGE_MAX)) == MESSAGE_MAX
    machine.tof_bus.transfer(0x29, b"\x2c\x04" + bytes(MESSAGE_MAX - 2))
    assert machine.tof.transfers == before + 2
    for write, read_len in ((bytes(MESSAGE_MAX + 1), 0), (b"\x00\x00", MESSAGE_MAX + 1)):
        with pytest.raises(TransferTooLongError, match="8193 bytes in one message, Linux carries 8192"):
            machine.tof_bus.transfer(0x29, write, read_len)
    assert machine.tof.transfers == before + 2


def test_what_the_kernel_says_becomes_an_error_of_this_bus_only_and_retries_are_counted(machine: Machine) -> None:
    steady = SteadyBus(machine.tof_bus)
    machine.tof.refusals = [refuse(errno.EAGAIN), refuse(errno.EREMOTEIO), refuse(errno.EAGAIN)]
    assert steady.transfer(0x29, b"\x7f\xff", 1) == b"\x00"
    assert (machine.tof_bus.retries, steady.retried, steady.refused) == (2, 1, 0)
    machine.tof.refusals = [refuse(errno.EREMOTEIO)] * 3
    with pytest.raises(NakError, match="0x29"):
        steady.transfer(0x29, b"\x7f\xff", 1)
    assert (machine.tof_bus.retries, steady.retried, steady.refused) == (2, 3, 1)
    machine.tof.refusals = [refuse(errno.ETIMEDOUT)]
    with pytest.raises(BusTimeoutError, match="held low"):
        steady.transfer(0x29, b"\x7f\xff", 1)
    assert machine.spectral_bus.retries == 0
    assert machine.spectral_bus.transfer(0x39, b"\x92", 1) == b"\x24"


def test_a_bus_that_hangs_does_not_hold_the_other(machine: Machine) -> None:
    """Goal: each bus has a lock of its own. Method: one transfer hangs in the kernel; see who gets through."""
    hanging, released, second = threading.Event(), threading.Event(), threading.Event()

    def hang() -> None:
        hanging.set()
        assert released.wait(30.0)

    def ask_again() -> None:
        machine.tof_bus.transfer(0x29, b"\x7f\xff", 1)
        second.set()

    machine.tof.refusals = [hang]
    first = threading.Thread(target=machine.tof_bus.transfer, args=(0x29, b"\x7f\xff", 1))
    other = threading.Thread(target=ask_again)
    first.start()
    assert hanging.wait(30.0)
    other.start()
    assert machine.spectral_bus.transfer(0x39, b"\x92", 1) == b"\x24"
    assert machine.tof.transfers == 1, "the second transfer waits for the lock of its bus"
    assert not second.is_set()
    released.set()
    first.join(30.0)
    other.join(30.0)
    assert second.is_set()
    assert machine.tof.transfers == 2


@pytest.mark.parametrize(
    ("tof_hz", "words"),
    [
        (100_000, "i2c-3 runs at 100 kHz: 9 Hz at most, 15 Hz wanted; set dtparam=i2c_arm_baudrate=1000000"),
        (400_000, None),
        (1_000_000, None),
    ],
)
def test_the_speed_of_a_bus_is_measured_and_said(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, tof_hz: int, words: str | None
) -> None:
    machine = Machine(tmp_path, monkeypatch, tof_hz)
    speed = BusSpeed()
    tof = Vl53l8ch(machine.tof_bus)
    care_for_tof(tof, machine.tof_bus, speed).start()
    assert speed.words == words
    assert speed.hz == pytest.approx(tof_hz, rel=0.05)
    assert tof.read().frame_id >= 0
    machine.close()


def test_a_probe_of_two_real_buses_reads_well(machine: Machine) -> None:
    tof, spectral = SteadyBus(machine.tof_bus), SteadyBus(machine.spectral_bus)
    report = probe_world(World(tof, spectral, Vl53l8ch(tof), As7341(spectral)))
    assert report.healthy, list(report.lines())
    assert [line.split()[:2] for line in report.lines()] == [["i2c-3", "ok"], ["i2c-3", "ok"], ["i2c-5", "ok"]]
