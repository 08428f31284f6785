"""What can be wrong with a sensor, each kind with its evidence; trouble on the wire itself is in drivers.bus.

    DriverError
    ├── BusUnavailableError   the bus could not be opened: no such device, no permission
    ├── NotFoundError         nothing, or something else, answers at the chip's address
    ├── FirmwareError         the chip does not run the firmware that was sent to it
    ├── SensorFaultError      the chip reports a fault, lost its state, or does not do what it was told
    ├── StaleFrameError       no new frame within the time allowed
    ├── FrameCorruptError     a frame came that cannot be true
    └── SettingError          the chip or the bus can't carry what was asked for; a ValueError too

A BusError passes through a driver as it is: who handles sensors catches both.
"""


class DriverError(Exception):
    """A sensor did not deliver."""


class BusUnavailableError(DriverError):
    """The bus could not be opened."""


class NotFoundError(DriverError):
    """The chip that was asked for is not at its address.

    address: 7-bit. received: the identity bytes that were read, empty when nothing answered.
    """

    def __init__(self, chip: str, address: int, reason: str, received: bytes = b"") -> None:
        super().__init__(f"no {chip} at 0x{address:02X}: {reason}")
        self.chip = chip
        self.address = address
        self.received = received


class FirmwareError(DriverError):
    """The chip's own checksum of its firmware is not that of the image that was sent."""

    def __init__(self, *, expected: int, received: int) -> None:
        super().__init__(f"the firmware checksum is 0x{received:08X}, must be 0x{expected:08X}")
        self.expected = expected
        self.received = received


class SensorFaultError(DriverError):
    """The chip reports a fault, lost its state, or does not follow. code: the chip's own number, None without one."""

    def __init__(self, reason: str, code: int | None = None) -> None:
        super().__init__(reason if code is None else f"{reason} (code 0x{code:02X})")
        self.reason = reason
        self.code = code


class StaleFrameError(DriverError):
    """No new frame within the time allowed. waited_s: how long; frame_id: of the last frame, None before the first."""

    def __init__(self, waited_s: float, frame_id: int | None) -> None:
        last = "none has come yet" if frame_id is None else f"the last was number {frame_id}"
        super().__init__(f"no new frame for {waited_s:.3f} s; {last}")
        self.waited_s = waited_s
        self.frame_id = frame_id


class FrameCorruptError(DriverError):
    """The chip answered, but the answer contradicts itself or physics.

    field: what is wrong. expected: what would have been right, in words or as a value. raw: all bytes of the answer.
    """

    def __init__(self, field: str, *, expected: object, received: object, raw: bytes) -> None:
        super().__init__(f"{field} is {received}, must be {expected}")
        self.field = field
        self.expected = expected
        self.received = received
        self.raw = raw


class SettingError(DriverError, ValueError):
    """The chip, or the bus under it, can't carry a setting; nothing was sent.

    field: which one. nearest: the value of that field that would work, None when no single value would.
    """

    def __init__(self, field: str, received: object, reason: str, nearest: object = None) -> None:
        hint = "" if nearest is None else f"; the nearest that works is {nearest}"
        super().__init__(f"{field} is {received}, {reason}{hint}")
        self.field = field
        self.received = received
        self.reason = reason
        self.nearest = nearest
