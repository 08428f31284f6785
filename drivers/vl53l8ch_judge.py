"""Whether a frame can follow the one before it: number, temperature, and quantities that contradict each other.

A frame that is well-formed may still be wrong, as nothing protects its bits. What cannot be is refused once; when the
next frame says the same again it was the world that had changed, not a bit, and is believed from then on. So a check
that silicon turns out to break costs one frame and not the sensor.
"""

from collections import Counter
from dataclasses import dataclass, field, replace

from drivers.errors import FrameCorruptError
from drivers.frames import TofFrame
from drivers.vl53l8ch_frame import FrameDecoder

FRAMES_AHEAD_TOLERANCE = 1.25  # the chip's oscillator against the host's, with much to spare
TEMPERATURE_STEP_MAX_C = 4  # from one reading to the next; warming up from cold takes minutes
TEMPERATURE_STEP_NS = 10_000_000_000  # … where one reading follows the other within ten seconds


@dataclass(slots=True)
class TofCounters:
    """Everything that has happened since the driver was made.

    frames: handed out. missed: made by the chip and read by nobody. duplicates: read twice. corrupt: refused frames by
    what was wrong. stale: reads without a new frame. faults: told by the chip, or seen in its state. bus_errors:
    transfers that failed. disagreements: double reads that differed. boots: downloads of the firmware. polls: status
    reads.
    """

    frames: int = 0
    missed: int = 0
    duplicates: int = 0
    corrupt: Counter[str] = field(default_factory=Counter[str])
    stale: int = 0
    faults: int = 0
    bus_errors: int = 0
    disagreements: int = 0
    boots: int = 0
    polls: int = 0


@dataclass(frozen=True, slots=True)
class Reading:
    """A frame as it was read. asked_ns: bus clock when its reading began, at the earliest when it was complete."""

    frame: TofFrame
    raw: bytes
    asked_ns: int


class Judge:
    """Remembers the last frame of one ranging session."""

    def __init__(self, decoder: FrameDecoder, counters: TofCounters) -> None:
        self._last: Reading | None = None
        self._doubted: Reading | None = None
        self._decoder = decoder
        self._counters = counters
        self._period_ns = 1e9 * decoder.settings.period_s
        self._event_driven = bool(decoder.settings.thresholds)

    @property
    def last(self) -> TofFrame | None:
        """The last frame that was believed."""
        return None if self._last is None else self._last.frame

    def restarted(self) -> None:
        """The chip counts its frames from the first again; what it showed last still holds."""
        if self._last is not None:
            self._last = replace(self._last, frame=replace(self._last.frame, frame_id=-1))
        self._doubted = None

    def is_duplicate(self, frame: TofFrame) -> bool:
        """Whether this frame was handed out already: a bit of the status had flipped, or the chip is stuck."""
        return self._last is not None and frame.frame_id == self._last.frame.frame_id

    def accept(self, reading: Reading) -> None:
        """Take the frame and count those missed before it; raises FrameCorruptError when it is doubted."""
        last, doubted = self._last, self._doubted
        doubt = self._doubt(reading, last)
        if doubt is not None and (doubted is None or self._doubt(reading, doubted) is not None):
            self._doubted = reading
            raise doubt
        if last is not None and not self._event_driven:
            self._counters.missed += max(0, reading.frame.frame_id - last.frame.frame_id - 1)
        self._last, self._doubted = reading, None

    def _doubt(self, reading: Reading, earlier: Reading | None) -> FrameCorruptError | None:
        frame, raw = reading.frame, reading.raw
        if earlier is None:
            return self._contradiction(reading, None)
        before = earlier.frame
        elapsed_ns = frame.captured_ns - earlier.asked_ns
        most = int(elapsed_ns / self._period_ns * FRAMES_AHEAD_TOLERANCE) + 2
        if not 1 <= frame.frame_id - before.frame_id <= most:
            expected = f"{before.frame_id + 1} to {before.frame_id + most}"
            return FrameCorruptError("frame number", expected=expected, received=frame.frame_id, raw=raw)
        step_c = abs(frame.temperature_c - before.temperature_c)
        if step_c > TEMPERATURE_STEP_MAX_C and elapsed_ns < TEMPERATURE_STEP_NS:
            expected = f"within {TEMPERATURE_STEP_MAX_C} C of {before.temperature_c}"
            return FrameCorruptError("temperature", expected=expected, received=frame.temperature_c, raw=raw)
        return self._contradiction(reading, earlier)

    def _contradiction(self, reading: Reading, earlier: Reading | None) -> FrameCorruptError | None:
        wrong = self._decoder.contradictions(reading.frame, reading.raw)
        if wrong is None:
            return None
        before = None if earlier is None else self._decoder.contradictions(earlier.frame, earlier.raw)
        fresh = wrong if before is None else wrong & ~before
        if not fresh.any():
            return None
        row, column = (int(index[0]) for index in fresh.nonzero())
        expected = "distance, signal, reflectance, sigma and status that agree"
        return FrameCorruptError("zone", expected=expected, received=f"row {row} column {column}", raw=reading.raw)
