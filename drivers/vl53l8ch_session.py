"""What a driver of a VL53L8CH remembers from one start to its stop, and how it reads the four status bytes."""

from dataclasses import dataclass

from drivers.errors import SensorFaultError
from drivers.vl53l8ch_frame import FrameDecoder
from drivers.vl53l8ch_judge import Judge

IDENTITY = bytes([0xF0, 0x0C])  # device and revision; the VL53L8CX bears the same
WAKE_EARLY_S = 0.002  # how long before a frame is due polling begins: more than a poll and the jitter of a sleep
WAKE_EARLY_SHARE_MAX = 0.25  # of a period, while the chip's rhythm is being searched for
NO_FRAME = 0xFF
STATUS_MARK = 0x05
RESTARTED = "the chip has restarted and lost its firmware: its supply broke down"


@dataclass(slots=True)
class Session:
    """From one start to its stop. due_ns: when polling for the next frame begins. ready_ns: when the last was there."""

    decoder: FrameDecoder
    judge: Judge
    period_ns: int
    due_ns: int
    early_s: float = WAKE_EARLY_S
    last_stream: int = NO_FRAME
    ready_ns: int = 0

    def resumed(self, now_ns: int) -> None:
        """The chip ranges anew: it counts its frames from the first again."""
        self.judge.restarted()
        self.due_ns, self.early_s, self.last_stream = now_ns, WAKE_EARLY_S, NO_FRAME

    def ready(self, ready_ns: int, at_first_poll: bool) -> None:
        """A frame is there; say when to look for the next one.

        One that was there at the first poll may have been there for long: look earlier and earlier, until a poll comes
        before the frame does.
        """
        most_s = self.period_ns / 1e9 * WAKE_EARLY_SHARE_MAX
        self.early_s = min(2 * self.early_s, most_s) if at_first_poll else min(WAKE_EARLY_S, most_s)
        self.ready_ns = ready_ns
        self.due_ns = ready_ns + self.period_ns - round(self.early_s * 1e9)

    def is_new(self, status: bytes) -> bool:
        """Whether the status tells of a frame that was not read."""
        stream, _, state, flags = status
        complete = shows_status(status) and stream != NO_FRAME and state & 0x05 == 0x05 and bool(flags & 0x10)
        return complete and stream != self.last_stream


def shows_status(status: bytes) -> bool:
    """Whether these are the status bytes of a chip that has been started, and not what another page shows there."""
    return status[1] == STATUS_MARK


def trouble(status: bytes) -> SensorFaultError | None:
    """What the status tells of, None when all is well."""
    if status[:2] == IDENTITY:
        return SensorFaultError(RESTARTED)
    if status[3] & 0x80:
        return SensorFaultError("the chip reports an error", status[2])
    return None
