"""Time is three things: monotonic for schedules and order, wall for people, and how far wall can be trusted.

A Raspberry Pi has no clock of its own: it boots in the past and steps when the network tells it the time. So wall time
is believed only once the kernel says that it is disciplined (or a setting says that this machine's clock is right), and
never when it lies before this software was written. Belief is kept once won: a synchronised clock that loses its
server drifts by milliseconds an hour and is far better than none.
"""

import ctypes
import threading
import time
from datetime import UTC, datetime
from pathlib import Path
from typing import Protocol

from contract.sample import ClockQuality

NOT_BEFORE_NS = int(datetime(2026, 11, 1, tzinfo=UTC).timestamp()) * 1_000_000_000  # this code did not exist before
STEP_NS = 500_000_000  # a wall clock that moves by half a second against monotonic time has been set, not slewed
CHECK_EVERY_NS = 1_000_000_000
TIMESYNCD_FLAG = Path("/run/systemd/timesync/synchronized")  # systemd-timesyncd makes it at the first synchronisation
BOOT_ID = Path("/proc/sys/kernel/random/boot_id")
TIME_ERROR = 5  # adjtimex(2): the clock is not synchronised
TIMEX_BYTES = 256  # struct timex is 208 bytes on 64-bit Linux; the tail is padding
UNSET = ClockQuality(state="unset")
SYNCED = ClockQuality(state="synced")


class EdgeClock(Protocol):
    """Monotonic and wall time as the agent sees them."""

    def monotonic_ns(self) -> int:
        """Nanoseconds since an arbitrary start; never steps back, counts through suspend."""
        ...

    def wall_ns(self, monotonic_ns: int) -> int | None:
        """Nanoseconds since 1970 at the moment `monotonic_ns`; None while wall time is not to be believed."""
        ...

    def guess_ns(self) -> int:
        """Wall time as it stands, believed or not: for names of files and boots only."""
        ...

    def machine_boot(self) -> str:
        """Which start of the machine this is: monotonic times compare within one and not across two."""
        ...


class SystemClock:
    """The machine's clocks. trusted: believe wall time without asking the kernel (a machine known to be set)."""

    def __init__(self, *, trusted: bool = False) -> None:
        self._believed = trusted
        self._checked_ns = -CHECK_EVERY_NS
        self._lock = threading.Lock()

    def monotonic_ns(self) -> int:
        """Nanoseconds since the machine started, suspend included."""
        return time.clock_gettime_ns(time.CLOCK_BOOTTIME)

    def guess_ns(self) -> int:
        """The machine's wall clock as it stands."""
        return time.time_ns()

    def machine_boot(self) -> str:
        """The kernel's own id of this start."""
        return BOOT_ID.read_text().strip()

    def wall_ns(self, monotonic_ns: int) -> int | None:
        """Wall time at `monotonic_ns`, which may lie in the past; None until the clock is believed."""
        now_ns, wall_ns = self.monotonic_ns(), time.time_ns()
        with self._lock:
            if not self._believed and now_ns - self._checked_ns >= CHECK_EVERY_NS:
                self._checked_ns = now_ns
                self._believed = kernel_synchronised()
            believed = self._believed
        return wall_ns - (now_ns - monotonic_ns) if believed and wall_ns >= NOT_BEFORE_NS else None


class StepWatch:
    """Notices when somebody sets the wall clock while the agent runs."""

    def __init__(self, clock: EdgeClock) -> None:
        self._clock = clock
        self._offset_ns: int | None = None

    def step_ns(self) -> int:
        """By how much wall time was stepped since the last call, 0 when it was not; positive is forward."""
        now_ns = self._clock.monotonic_ns()
        wall_ns = self._clock.wall_ns(now_ns)
        if wall_ns is None:
            return 0
        offset_ns, before_ns = wall_ns - now_ns, self._offset_ns
        self._offset_ns = offset_ns
        if before_ns is None or abs(offset_ns - before_ns) < STEP_NS:
            return 0
        return offset_ns - before_ns


def kernel_synchronised() -> bool:
    """Whether the kernel or systemd-timesyncd says that the wall clock follows a reference."""
    if TIMESYNCD_FLAG.exists():
        return True
    adjtimex = getattr(ctypes.CDLL(None), "adjtimex", None)
    if adjtimex is None:  # not Linux: nobody vouches for the clock
        return False
    request = ctypes.create_string_buffer(TIMEX_BYTES)  # modes 0: only read
    state = adjtimex(request)
    return 0 <= state < TIME_ERROR
