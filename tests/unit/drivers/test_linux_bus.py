"""LinuxBus on a fake of the kernel's i2c-dev: limits, errno, retries."""

import errno
from collections.abc import Callable

import pytest
from smbus2 import i2c_msg

from drivers.bus import (
    MESSAGE_BYTES_MAX,
    ArbitrationError,
    Bus,
    BusError,
    BusTimeoutError,
    NakError,
    TransferTooLongError,
    VirtualClock,
)
from drivers.errors import BusUnavailableError
from drivers.linux_bus import ARBITRATION_RETRIES_MAX, LinuxBus, Smbus
from drivers.registry import open_bus
from drivers.vl53l8ch import Vl53l8ch
from tests.unit.drivers.planes import STAIRS, Rig

READ = 0x0001  # I2C_M_RD


class Kernel:
    """i2c-dev as a Raspberry Pi has it: checks what the kernel checks, and hands the transfer to `answer`."""

    def __init__(self, answer: Callable[[int, bytes, int], bytes] | None = None) -> None:
        self.answer = answer
        self.errors: list[int] = []
        self.quick_errors: list[int] = []
        self.calls: list[tuple[int, bytes, int]] = []
        self.closed = False

    def i2c_rdwr(self, *i2c_msgs: i2c_msg) -> None:
        assert 1 <= len(i2c_msgs) <= 42
        assert all(not message.flags & READ for message in i2c_msgs[:-1]), "one read, and it comes last"
        if any(message.len > 8192 for message in i2c_msgs):
            raise OSError(errno.EINVAL, "Invalid argument")
        if self.errors:
            raise OSError(self.errors.pop(0), "as the test wants it")
        write = bytes(i2c_msgs[0]) if not i2c_msgs[0].flags & READ else b""
        count = i2c_msgs[-1].len if i2c_msgs[-1].flags & READ else 0
        self.calls.append((i2c_msgs[0].addr, write, count))
        data = self.answer(i2c_msgs[0].addr, write, count) if self.answer else bytes(range(count % 256))
        for position, value in enumerate(data):
            i2c_msgs[-1].buf[position] = bytes([value])

    def write_quick(self, i2c_addr: int, force: bool | None = None) -> None:
        del force
        if self.quick_errors:
            raise OSError(self.quick_errors.pop(0), "as the test wants it")
        self.calls.append((i2c_addr, b"", 0))

    def close(self) -> None:
        self.closed = True


@pytest.fixture
def kernel() -> Kernel:
    return Kernel()


@pytest.fixture
def clock() -> VirtualClock:
    return VirtualClock()


@pytest.fixture
def bus(kernel: Kernel, clock: VirtualClock) -> LinuxBus:
    return LinuxBus(1, clock, opener=lambda _: kernel)


def test_is_a_bus(bus: LinuxBus, kernel: Kernel) -> None:
    as_seen_by_drivers: Bus = bus
    assert as_seen_by_drivers.name == "/dev/i2c-1"
    assert as_seen_by_drivers.transfer(0x29, b"\x00\x00", 4) == b"\x00\x01\x02\x03"
    assert as_seen_by_drivers.transfer(0x29, b"\x7f\xff\x02") == b""
    assert as_seen_by_drivers.transfer(0x39, read_len=2) == b"\x00\x01"
    assert as_seen_by_drivers.transfer(0x39) == b""
    assert kernel.calls == [(0x29, b"\x00\x00", 4), (0x29, b"\x7f\xff\x02", 0), (0x39, b"", 2), (0x39, b"", 0)]


def test_the_longest_messages_pass_and_longer_ones_never_reach_the_kernel(bus: LinuxBus, kernel: Kernel) -> None:
    bus.transfer(0x29, bytes(MESSAGE_BYTES_MAX))
    calls = len(kernel.calls)
    with pytest.raises(TransferTooLongError, match="8193 bytes"):
        bus.transfer(0x29, bytes(MESSAGE_BYTES_MAX + 1))
    with pytest.raises(TransferTooLongError, match="8193 bytes"):
        bus.transfer(0x29, b"\x00", MESSAGE_BYTES_MAX + 1)
    assert len(kernel.calls) == calls


@pytest.mark.parametrize(
    ("code", "kind", "words"),
    [
        (errno.ENXIO, NakError, "0x29: no acknowledge"),
        (errno.EREMOTEIO, NakError, "0x29: no acknowledge"),
        (errno.ETIMEDOUT, BusTimeoutError, "timed out"),
        (errno.EIO, BusError, "I/O error"),
        (errno.EINVAL, BusError, "refuses"),
        (errno.EBUSY, BusError, "kernel driver owns"),
        (errno.ENOMEM, BusError, "the transfer failed"),
    ],
)
def test_errno_becomes_a_bus_error(bus: LinuxBus, kernel: Kernel, code: int, kind: type[BusError], words: str) -> None:
    kernel.errors = [code]
    with pytest.raises(kind, match=words) as caught:
        bus.transfer(0x29, b"\x00")
    assert type(caught.value) is kind
    assert bus.retries == 0


def test_lost_arbitration_is_tried_again_and_counted(bus: LinuxBus, kernel: Kernel, clock: VirtualClock) -> None:
    kernel.errors = [errno.EAGAIN] * 2
    assert bus.transfer(0x29, b"\x00", 1) == b"\x00"
    assert bus.retries == 2
    assert clock.monotonic_ns() == 2_000_000


def test_lost_arbitration_for_good(bus: LinuxBus, kernel: Kernel) -> None:
    kernel.errors = [errno.EAGAIN] * (ARBITRATION_RETRIES_MAX + 1)
    with pytest.raises(ArbitrationError):
        bus.transfer(0x29, b"\x00")
    assert bus.retries == ARBITRATION_RETRIES_MAX


def test_controller_without_quick_write_is_asked_for_a_byte(bus: LinuxBus, kernel: Kernel) -> None:
    kernel.quick_errors = [errno.EOPNOTSUPP]
    assert bus.transfer(0x39) == b""
    assert kernel.calls == [(0x39, b"", 1)]


def test_probe_of_an_empty_address(bus: LinuxBus, kernel: Kernel) -> None:
    kernel.quick_errors = [errno.EREMOTEIO]
    with pytest.raises(NakError):
        bus.transfer(0x39)


def test_closed_bus_fails(bus: LinuxBus, kernel: Kernel) -> None:
    bus.close()
    bus.close()
    assert kernel.closed
    with pytest.raises(BusError, match="closed"):
        bus.transfer(0x29)


@pytest.mark.parametrize(
    ("error", "words"),
    [
        (FileNotFoundError(errno.ENOENT, "No such file"), "/dev/i2c-7 does not exist"),
        (PermissionError(errno.EACCES, "Permission denied"), "group i2c"),
        (OSError(errno.EMFILE, "Too many open files"), "cannot be opened: Too many open files"),
    ],
)
def test_a_device_that_cannot_be_opened(clock: VirtualClock, error: OSError, words: str) -> None:
    def opener(path: str | int) -> Smbus:
        raise error

    with pytest.raises(BusUnavailableError, match=words):
        LinuxBus("/dev/i2c-7", clock, opener)


def test_there_is_no_such_bus_here(clock: VirtualClock) -> None:
    """The real opener of smbus2, up to the point where the machine says no."""
    with pytest.raises(BusUnavailableError, match="does not exist"):
        open_bus("linux", "/dev/i2c-9999", clock)


def test_the_sensor_works_through_it(clock: VirtualClock) -> None:
    """Goal: nothing that the driver asks for is refused by Linux. Method: the simulated chip behind the fake kernel."""
    rig = Rig()
    bus = LinuxBus("/dev/i2c-1", rig.clock, opener=lambda _: Kernel(rig.bus.transfer))
    driver = Vl53l8ch(bus)
    driver.start()
    assert driver.read().distance_mm == pytest.approx(STAIRS, abs=6)
