"""The VL53L8CH on any bus: boots it, ranges at 8 x 8 zones, hands out frames that can be believed.

Boot, configuration, start and stop are those of depz-sensor-sdk, which carries ST's firmware and register sequences
for this chip; polling, decoding and judging of frames are ours. Its ULD takes a transport and a sleep function, so
nothing of it is patched. What a newcomer gets wrong: a frame is no proof that the chip is well. One that lost its
supply for a moment answers politely with its identity in place of a status.
"""

from typing import Any, Protocol

from depz_sensor_sdk.vl53l8 import uld

from drivers.bus import Bus, NakError
from drivers.errors import FirmwareError, FrameCorruptError, NotFoundError, SensorFaultError, StaleFrameError
from drivers.frames import TofFrame
from drivers.vl53l8ch_frame import FRAME_BYTES, decode

CHIP = "VL53L8CH"
ADDRESS = 0x29
IDENTITY = bytes([0xF0, 0x0C])  # device and revision; the VL53L8CX bears the same
FREQUENCY_HZ_MAX = 15  # at 8 x 8 zones (UM3109 section 2.1)
WRITE_CHUNK_BYTES = 4096  # half of what Linux carries in one message: the download stays interruptible
POLL_S = 0.001
WAKE_EARLY_S = 0.002  # how long before a frame is due polling begins: more than a poll and the jitter of a sleep
WAKE_EARLY_SHARE_MAX = 0.25  # of a period, while the chip's rhythm is being searched for
NO_FRAME = 0xFF
FRAMES_AHEAD_TOLERANCE = 1.25  # the chip's oscillator against the host's, with much to spare
CHECKSUM_REGISTER = 0x2FFC


class _Uld(Protocol):
    """What this driver uses of the ULD, which is not typed itself."""

    data_read_size: int
    fw_checksum: int

    def is_alive(self) -> tuple[int, int]: ...
    def init(self) -> None: ...
    def set_resolution(self, resolution: int) -> None: ...
    def set_ranging_frequency_hz(self, hz: int) -> None: ...
    def set_ranging_mode(self, mode: int) -> None: ...
    def start_ranging(self) -> None: ...
    def stop_ranging(self) -> None: ...


class _Transport:
    """The ULD's platform on our bus and its clock."""

    def __init__(self, bus: Bus, address: int) -> None:
        self._bus = bus
        self._address = address

    def rd_multi(self, register: int, size: int) -> bytes:
        """Read a block, in one transaction."""
        return self._bus.transfer(self._address, register.to_bytes(2, "big"), size)

    def wr_multi(self, register: int, data: bytes) -> None:
        """Write a block, in pieces that the bus carries, each with its own address."""
        for start in range(0, len(data), WRITE_CHUNK_BYTES):
            piece = bytes(data[start : start + WRITE_CHUNK_BYTES])
            self._bus.transfer(self._address, (register + start).to_bytes(2, "big") + piece)

    def sleep_ms(self, duration_ms: int) -> None:
        """Wait on the bus clock."""
        self._bus.clock.sleep(duration_ms / 1000)


class Vl53l8ch:
    """One chip. Not for two threads at a time. Every method may raise a BusError as it came from the bus.

    frames_missed: frames that the chip made and nobody read, since the start; at a caller slower than the chip this
    is ordinary. polls: status reads, for the curious.
    """

    def __init__(self, bus: Bus, address: int = ADDRESS) -> None:
        self.address = address
        self.frames_missed = 0
        self.polls = 0
        self._clock = bus.clock
        self._transport = _Transport(bus, address)
        self._uld: _Uld | None = None
        self._period_ns = 0
        self._due_ns = 0
        self._early_s = WAKE_EARLY_S
        self._last: TofFrame | None = None
        self._doubted: TofFrame | None = None
        self._last_stream = NO_FRAME

    def identify(self) -> None:
        """Make sure that the chip is there; raises NotFoundError with what was found instead."""
        try:
            self._transport.wr_multi(0x7FFF, b"\x00")
            received = self._transport.rd_multi(0x0000, 2)
            self._transport.wr_multi(0x7FFF, b"\x02")
        except NakError as error:
            raise NotFoundError(CHIP, self.address, "nothing answers") from error
        if received != IDENTITY:
            reason = f"its identity is {received.hex(' ').upper()}, must be {IDENTITY.hex(' ').upper()}"
            raise NotFoundError(CHIP, self.address, reason, received)

    def start(self, frequency_hz: int = FREQUENCY_HZ_MAX) -> None:
        """Boot the chip with its firmware (about 1 s at 1 MHz, 8 s at 100 kHz) and range continuously at 8 x 8.

        Raises ValueError, NotFoundError, FirmwareError or SensorFaultError.
        """
        if not 1 <= frequency_hz <= FREQUENCY_HZ_MAX:
            raise ValueError(f"frequency_hz is {frequency_hz}, must be 1 to {FREQUENCY_HZ_MAX}")
        self.identify()
        chip: Any = uld.VL53L8CX(self._transport, variant="ch")
        self._uld = chip
        try:
            self._boot(chip, frequency_hz)
        except uld.Vl53l8cxError as error:
            raise self._translate(error, chip.fw_checksum) from error
        if chip.data_read_size != FRAME_BYTES:
            raise SensorFaultError(f"the chip announces frames of {chip.data_read_size} bytes, must be {FRAME_BYTES}")
        self.frames_missed = 0
        self._period_ns = round(1e9 / frequency_hz)
        self._last = self._doubted = None
        self._last_stream = NO_FRAME
        self._due_ns = self._clock.monotonic_ns()

    def read(self, timeout_s: float = 1.0) -> TofFrame:
        """The next frame that was not read yet; waits for it, without polling before it can be there.

        Raises StaleFrameError, SensorFaultError or FrameCorruptError. After the last one the next frame may be good.
        """
        uld_chip = self._started()
        began_ns = self._clock.monotonic_ns()
        deadline_ns = began_ns + round(timeout_s * 1e9)
        self._wait_until(min(self._due_ns, deadline_ns))
        at_first_poll = True
        while not self._ready():
            at_first_poll = False
            now_ns = self._clock.monotonic_ns()
            if now_ns >= deadline_ns:
                last_id = None if self._last is None else self._last.frame_id
                raise StaleFrameError((now_ns - began_ns) / 1e9, last_id)
            self._clock.sleep(POLL_S)
        ready_ns = self._clock.monotonic_ns()
        self._due_ns = ready_ns + self._period_ns - self._early_ns(at_first_poll)
        raw = self._transport.rd_multi(0, uld_chip.data_read_size)
        return self._judge(decode(raw, self._clock.monotonic_ns()), raw)

    def stop(self) -> None:
        """Stop ranging after the current frame; the chip keeps its firmware. Nothing happens when it isn't ranging."""
        if self._uld is None:
            return
        chip, self._uld = self._uld, None
        chip.stop_ranging()

    def _boot(self, chip: _Uld, frequency_hz: int) -> None:
        chip.init()
        chip.set_resolution(uld.RESOLUTION_8X8)
        chip.set_ranging_frequency_hz(frequency_hz)
        chip.set_ranging_mode(uld.RANGING_MODE_CONTINUOUS)
        chip.start_ranging()

    def _translate(self, error: Any, checksum: int) -> FirmwareError | SensorFaultError:
        if error.code == uld.STATUS_FW_CHECKSUM_FAIL:
            received = int.from_bytes(self._transport.rd_multi(CHECKSUM_REGISTER, 4), "big")
            return FirmwareError(expected=checksum, received=received)
        if error.code == uld.STATUS_LASER_SAFETY:
            return SensorFaultError("the laser safety check failed", error.code)
        if error.code == uld.STATUS_TIMEOUT_ERROR:
            return SensorFaultError(f"the chip does not answer in time: {error}", error.code)
        return SensorFaultError(str(error), error.code)

    def _started(self) -> _Uld:
        if self._uld is None:
            raise SensorFaultError("the chip has not been started since it was made, stopped or found faulty")
        return self._uld

    def _wait_until(self, at_ns: int) -> None:
        wait_ns = at_ns - self._clock.monotonic_ns()
        if wait_ns > 0:
            self._clock.sleep(wait_ns / 1e9)

    def _early_ns(self, at_first_poll: bool) -> int:
        """How much less than a period to wait after this frame.

        A frame that was there at the first poll may have been there for long: look earlier and earlier, until a poll
        comes before the frame does.
        """
        most_s = self._period_ns / 1e9 * WAKE_EARLY_SHARE_MAX
        self._early_s = min(2 * self._early_s, most_s) if at_first_poll else min(WAKE_EARLY_S, most_s)
        return round(self._early_s * 1e9)

    def _ready(self) -> bool:
        """Whether a frame is there that was not read; raises SensorFaultError when the status tells of trouble.

        Bad news is read twice before it is believed, because a flipped bit on the wire must not cost a restart; then
        the session is over until the next start.
        """
        status = self._status()
        if _trouble(status) is not None:
            status = self._status()
            fault = _trouble(status)
            if fault is not None:
                self._uld = None
                raise fault
        stream, five, state, flags = status
        complete = stream != NO_FRAME and five == 0x05 and state & 0x05 == 0x05 and bool(flags & 0x10)
        return complete and stream != self._last_stream

    def _status(self) -> bytes:
        self.polls += 1
        return self._transport.rd_multi(0, 4)

    def _judge(self, frame: TofFrame, raw: bytes) -> TofFrame:
        """Hold the frame's number against the last one and the time that has passed.

        A number that cannot be is refused once; when the next frame carries on from there, it was the count that had
        jumped (the host slept, say) and not a bit that had flipped, and counting goes on.
        """
        self._last_stream = raw[0]
        last, doubted = self._last, self._doubted
        if last is not None:
            if not self._follows(frame, last):
                self._doubted = frame
                if doubted is None or not self._follows(frame, doubted):
                    expected = f"{last.frame_id + 1} to {last.frame_id + self._advance_max(last, frame)}"
                    raise FrameCorruptError("frame number", expected=expected, received=frame.frame_id, raw=raw)
            self.frames_missed += max(0, frame.frame_id - last.frame_id - 1)
        self._last, self._doubted = frame, None
        return frame

    def _follows(self, later: TofFrame, earlier: TofFrame) -> bool:
        return 1 <= later.frame_id - earlier.frame_id <= self._advance_max(earlier, later)

    def _advance_max(self, earlier: TofFrame, later: TofFrame) -> int:
        """By how much the frame number can have grown between two frames."""
        elapsed_ns = later.captured_ns - earlier.captured_ns
        return int(elapsed_ns / self._period_ns * FRAMES_AHEAD_TOLERANCE) + 2


def _trouble(status: bytes) -> SensorFaultError | None:
    if status[:2] == IDENTITY:
        return SensorFaultError("the chip has restarted and lost its firmware: its supply broke down")
    if status[3] & 0x80:
        return SensorFaultError("the chip reports an error", status[2])
    return None
