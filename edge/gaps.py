"""The dark between two bursts of the ranging chip's laser, in which the parts of a spectrum are taken.

In autonomous mode the chip's laser is on for the four integrations of a frame, whose end makes the frame ready, and off
until the next period begins: 26 ms of 67 at 15 frames a second and 10 ms an integration. The spectral chip's 20 ms fit
into that, and its auto-zero of 15 ms, which looks at no light, may lie in the burst before.

What a newcomer gets wrong: nobody tells when the laser goes on. The rhythm is that of the frames; the earliest moment
at which one was seen to be ready is the truest, because everything that can go wrong makes it later.
"""

from drivers.frames import SpectralFrame, TofFrame
from drivers.vl53l8ch import Vl53l8ch
from drivers.vl53l8ch_settings import INTEGRATIONS, SETUP_MS, RangingMode

GUARD_NS = 1_000_000  # from the end of a burst to the integration, for the auto-zero's own length
EDGE_NS = 500_000  # by so much the rhythm may be known wrongly
CREEP_NS = 200_000  # a picture: by so much the chip's own clock may run slow


class DarkGaps:
    """For the bus's thread. Tell it of every picture; `known` is False until then, and in continuous mode for ever."""

    def __init__(self, chip: Vl53l8ch) -> None:
        self._chip = chip
        self._anchor_ns: float | None = None  # when picture 0 was ready, or would have been
        self._last_id = 0

    @property
    def known(self) -> bool:
        """Whether it can be said when the laser is off."""
        return self._anchor_ns is not None

    @property
    def period_ns(self) -> float:
        """From picture to picture."""
        return 1e9 / self._chip.settings.frequency_hz

    @property
    def length_ns(self) -> float:
        """For how long the laser is off."""
        settings = self._chip.settings
        return self.period_ns - (settings.integration_ms * INTEGRATIONS[settings.zones] + SETUP_MS) * 1e6

    def note(self, frame: TofFrame | None) -> None:
        """A picture was read; None: there was none, and the rhythm may be another now."""
        ready_ns = self._chip.ready_ns
        if frame is None or ready_ns is None or self._chip.settings.mode is not RangingMode.AUTONOMOUS:
            self._anchor_ns = None
            return
        base_ns = ready_ns - frame.frame_id * self.period_ns
        if self._anchor_ns is None or frame.frame_id <= self._last_id:
            self._anchor_ns = base_ns
        else:
            self._anchor_ns = min(base_ns, self._anchor_ns + (frame.frame_id - self._last_id) * CREEP_NS)
        self._last_id = frame.frame_id

    def next_ns(self, from_ns: int) -> int:
        """The first moment at or after `from_ns` at which light may be let in."""
        assert self._anchor_ns is not None
        since_ns = from_ns - self._anchor_ns - GUARD_NS
        return round(from_ns + (-since_ns) % self.period_ns)

    def hold(self, frame: SpectralFrame) -> bool:
        """Whether all of the frame's integrations lay in the dark."""
        if self._anchor_ns is None:
            return False
        half_ns = frame.integration_ms * 5e5
        for middle_ns in frame.windows_ns:
            into_ns = (middle_ns - half_ns + EDGE_NS - self._anchor_ns) % self.period_ns
            if into_ns + 2 * half_ns > self.length_ns + EDGE_NS:
                return False
        return bool(frame.windows_ns)
