"""The VL53L8CH on any bus: boots it, ranges as its settings say, hands out frames that can be believed.

An own driver: of depz-sensor-sdk only the files with the manufacturer's firmware are used (docs/decisions/0006). What a
newcomer gets wrong: a frame is no proof that the chip is well. One that lost its supply for a moment answers politely
with its identity in place of a status.

Every method may raise a BusError as it came from the bus. Threads may share a driver: the bus lock is held for every
sequence that must not be interrupted, and for none that only waits.
"""

from contextlib import contextmanager
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from drivers.bus import Bus, BusError, NakError
from drivers.errors import (
    DriverError,
    FrameCorruptError,
    NotFoundError,
    SensorFaultError,
    SettingError,
    StaleFrameError,
)
from drivers.frames import TofFrame
from drivers.vl53l8ch_boot import Booted, boot
from drivers.vl53l8ch_calibration import Calibration, CrosstalkTarget, calibrate_crosstalk, check_crosstalk
from drivers.vl53l8ch_configure import configure
from drivers.vl53l8ch_control import PowerMode, firmware_runs, halt, launch, move_address, set_power
from drivers.vl53l8ch_firmware import firmware
from drivers.vl53l8ch_frame import FrameDecoder
from drivers.vl53l8ch_judge import Judge, Reading, TofCounters
from drivers.vl53l8ch_registers import PAGE, PAGE_HOST, PAGE_UI, RESULTS, Link
from drivers.vl53l8ch_settings import TofSettings

if TYPE_CHECKING:
    from collections.abc import Generator

CHIP = "VL53L8CH"
ADDRESS = 0x29
IDENTITY = bytes([0xF0, 0x0C])  # device and revision; the VL53L8CX bears the same
ADDRESSES = (0x08, 0x77)  # the rest is reserved (UM10204 section 3.1.12)
POLL_S = 0.001
WAKE_EARLY_S = 0.002  # how long before a frame is due polling begins: more than a poll and the jitter of a sleep
WAKE_EARLY_SHARE_MAX = 0.25  # of a period, while the chip's rhythm is being searched for
NO_FRAME = 0xFF
READS_MAX = 4  # of one frame when every frame is read twice: until two agree


@dataclass(slots=True)
class _Session:
    """From one start to its stop. due_ns: when polling for the next frame begins."""

    decoder: FrameDecoder
    judge: Judge
    period_ns: int
    due_ns: int
    early_s: float = WAKE_EARLY_S
    last_stream: int = NO_FRAME


class Vl53l8ch:
    """One chip. settings: how it ranges from the next start on. counters: every kind of trouble so far."""

    def __init__(self, bus: Bus, address: int = ADDRESS, settings: TofSettings | None = None) -> None:
        self.settings = TofSettings() if settings is None else settings
        self.counters = TofCounters()
        self._bus = bus
        self._link = Link(bus, address)
        self._booted: Booted | None = None
        self._crosstalk: bytes | None = None
        self._session: _Session | None = None
        self._missed_before = 0

    @property
    def address(self) -> int:
        """The 7-bit address at which the chip is addressed."""
        return self._link.address

    @property
    def frames_missed(self) -> int:
        """Frames that the chip made since the start and nobody read; ordinary where the caller is slower."""
        return self.counters.missed - self._missed_before

    @property
    def polls(self) -> int:
        """Status reads so far, for the curious."""
        return self.counters.polls

    @property
    def bus_hz(self) -> float | None:
        """Clocks a second that the bus carried during the download, None before the first boot."""
        return None if self._booted is None else self._booted.bus_hz

    @property
    def ranging(self) -> bool:
        """Whether frames may be read."""
        return self._session is not None

    def identify(self) -> None:
        """Make sure that the chip is there; raises NotFoundError with what was found instead."""
        with self._exclusive():
            try:
                self._link.put(PAGE, PAGE_HOST)
                received = self._link.read(0x0000, 2)
                self._link.put(PAGE, PAGE_UI)
            except NakError as error:
                raise NotFoundError(CHIP, self.address, "nothing answers") from error
        if received != IDENTITY:
            reason = f"its identity is {received.hex(' ').upper()}, must be {IDENTITY.hex(' ').upper()}"
            raise NotFoundError(CHIP, self.address, reason, received)

    def boot(self) -> None:
        """Download the firmware (1 s at 1 MHz, 8 s at 100 kHz), whatever state the chip is in; the bus is busy with it.

        Raises NotFoundError, FirmwareError, FirmwareFilesError or SensorFaultError.
        """
        with self._exclusive():
            self._session = self._booted = None
            self.identify()
            self.counters.boots += 1
            booted = boot(self._link, firmware())
            if self._crosstalk is not None:
                booted = replace(booted, calibration=replace(booted.calibration, crosstalk=self._crosstalk))
            self._booted = booted

    def start(self, frequency_hz: int | None = None, settings: TofSettings | None = None) -> None:
        """Range with `settings`, or with those in place; `frequency_hz` overrides theirs. Boots the chip if need be.

        Raises SettingError (a ValueError) when the chip or the bus can't carry that, with nothing sent that would
        change the chip's way; NotFoundError, FirmwareError or SensorFaultError.
        """
        wanted = self.settings if settings is None else settings
        if frequency_hz is not None:
            wanted = replace(wanted, frequency_hz=frequency_hz)
        with self._exclusive():
            if self._booted is not None:  # while the chip ranges on, if it does
                wanted.check_bus(self._booted.bus_hz, self._bus.name)
            self.stop()
            booted = self._running()
            wanted.check_bus(booted.bus_hz, self._bus.name)
            decoder = FrameDecoder(wanted)
            self._booted = None  # until all of it has gone well, the next start boots
            configure(self._link, wanted, booted.calibration, decoder)
            launch(self._link, decoder.size)
            self._booted, self.settings = booted, wanted
            self._missed_before = self.counters.missed
            period_ns = round(1e9 / wanted.frequency_hz)
            now_ns = self._bus.clock.monotonic_ns()
            self._session = _Session(decoder, Judge(decoder, self.counters), period_ns, now_ns)

    def read(self, timeout_s: float = 1.0) -> TofFrame:
        """The next frame that was not read yet; waits for it, without polling before it can be there.

        Raises StaleFrameError (with thresholds armed: nothing met them), SensorFaultError or FrameCorruptError. After
        the last one the next frame may be good.
        """
        clock = self._bus.clock
        began_ns = clock.monotonic_ns()
        deadline_ns = began_ns + round(timeout_s * 1e9)
        self._wait_until(min(self._started().due_ns, deadline_ns))
        at_first_poll = True
        while True:
            with self._exclusive():
                session = self._started()
                frame = self._next(session, at_first_poll)
                if frame is not None:
                    self.counters.frames += 1
                    return frame
            at_first_poll = False
            now_ns = clock.monotonic_ns()
            if now_ns >= deadline_ns:
                self.counters.stale += 1
                last = session.judge.last
                raise StaleFrameError((now_ns - began_ns) / 1e9, None if last is None else last.frame_id)
            clock.sleep(POLL_S)

    def stop(self) -> None:
        """Stop ranging after the current frame; the chip keeps its firmware. Nothing happens when it isn't ranging."""
        with self._exclusive():
            if self._session is None:
                return
            self._session, booted, self._booted = None, self._booted, None
            halt(self._link)
            self._booted = booted

    def power(self, mode: PowerMode) -> None:
        """Put the chip to sleep, or wake it; stops it first. After a deep sleep the next start boots it."""
        with self._exclusive():
            self.stop()
            if mode is PowerMode.DEEP_SLEEP:
                self._booted = None
            set_power(self._link, mode)

    def move_to(self, address: int) -> None:
        """Give the chip another 7-bit address, until its power goes.

        For several sensors on one bus: hold the LPn pin of all others low, move one, release the next. Raises
        SettingError, or NotFoundError when the chip doesn't answer there.
        """
        low, high = ADDRESSES
        if not low <= address <= high:
            raise SettingError("address", f"0x{address:02X}", f"must be 0x{low:02X} to 0x{high:02X}")
        with self._exclusive():
            self.identify()
            before = self.address
            if address == before:
                return
            try:
                self._bus.transfer(address)
            except NakError:
                move_address(self._link, address)
                self.identify()
                return
        raise SettingError("address", f"0x{address:02X}", "but another chip answers there already")

    def calibrate_crosstalk(self, target: CrosstalkTarget | None = None) -> bytes:
        """Measure the light that the window throws back, before a target as described; stops the chip.

        Returns 776 bytes to be kept and given to `use_crosstalk` after every making of this driver; they are in force
        from the next start on. Raises NoCrosstalkError when there is no window worth it, or SensorFaultError.
        """
        with self._exclusive():
            self.stop()
            booted = self._running()
            self._booted = None
            wanted = CrosstalkTarget() if target is None else target
            try:
                found = calibrate_crosstalk(self._link, wanted, firmware(), booted.calibration.factory)
            except DriverError:
                self.counters.faults += 1
                raise
            self._crosstalk = found.crosstalk
            self._booted = replace(booted, calibration=found)
            return found.crosstalk

    def use_crosstalk(self, crosstalk: bytes) -> None:
        """Put an earlier crosstalk calibration in force from the next start on; raises SettingError."""
        check_crosstalk(crosstalk)
        with self._bus.lock:
            self._crosstalk = crosstalk
            if self._booted is not None:
                calibration = replace(self._booted.calibration, crosstalk=crosstalk)
                self._booted = replace(self._booted, calibration=calibration)

    def calibration(self) -> Calibration:
        """The chip's own data; boots it if need be."""
        with self._exclusive():
            return self._running().calibration

    def decoder(self) -> FrameDecoder:
        """How frames of the running session are read; raises SensorFaultError when there is none."""
        return self._started().decoder

    def link(self) -> Link:
        """The chip's registers, for the self-test and for tools; whoever uses it holds the bus lock."""
        return self._link

    @contextmanager
    def _exclusive(self) -> "Generator[None]":
        with self._bus.lock:
            try:
                yield
            except BusError:
                self.counters.bus_errors += 1
                raise

    def _running(self) -> Booted:
        """The chip with its firmware running; boots it where that isn't known to be so."""
        self.identify()
        if self._booted is None or not firmware_runs(self._link):
            self.boot()
        assert self._booted is not None
        return self._booted

    def _started(self) -> _Session:
        if self._session is None:
            raise SensorFaultError("the chip has not been started since it was made, stopped or found faulty")
        return self._session

    def _wait_until(self, at_ns: int) -> None:
        wait_ns = at_ns - self._bus.clock.monotonic_ns()
        if wait_ns > 0:
            self._bus.clock.sleep(wait_ns / 1e9)

    def _next(self, session: _Session, at_first_poll: bool) -> TofFrame | None:
        """The frame that is there, None when there is none that was not read."""
        if not self._ready(session):
            return None
        ready_ns = self._bus.clock.monotonic_ns()
        session.due_ns = ready_ns + session.period_ns - _early_ns(session, at_first_poll)
        try:
            asked_ns = self._bus.clock.monotonic_ns()
            raw = self._fetch(session.decoder)
            session.last_stream = raw[0]
            frame = session.decoder.decode(raw, self._bus.clock.monotonic_ns())
            if session.judge.is_duplicate(frame):
                self.counters.duplicates += 1
                return None
            session.judge.accept(Reading(frame, raw, asked_ns))
        except FrameCorruptError as error:
            self.counters.corrupt[error.field] += 1
            raise
        return frame

    def _fetch(self, decoder: FrameDecoder) -> bytes:
        """The bytes of the current frame; read until two readings agree where the settings ask for that."""
        raw = self._link.read(RESULTS, decoder.size)
        if not decoder.settings.double_read:
            return raw
        readings = [raw]
        while len(readings) < READS_MAX:
            raw = self._link.read(RESULTS, decoder.size)
            if raw in readings:
                return raw
            self.counters.disagreements += 1
            readings.append(raw)
        raise FrameCorruptError("frame", expected="two equal readings", received=f"{READS_MAX} that differ", raw=raw)

    def _ready(self, session: _Session) -> bool:
        """Whether a frame is there that was not read; raises SensorFaultError when the status tells of trouble.

        Bad news is read twice before it is believed, because a flipped bit on the wire must not cost a restart; then
        the session is over until the next start, which boots.
        """
        status = self._status()
        if _trouble(status) is not None:
            status = self._status()
            fault = _trouble(status)
            if fault is not None:
                self._session = self._booted = None
                self.counters.faults += 1
                raise fault
        stream, five, state, flags = status
        complete = stream != NO_FRAME and five == 0x05 and state & 0x05 == 0x05 and bool(flags & 0x10)
        return complete and stream != session.last_stream

    def _status(self) -> bytes:
        self.counters.polls += 1
        return self._link.read(RESULTS, 4)


def _early_ns(session: _Session, at_first_poll: bool) -> int:
    """How much less than a period to wait after this frame.

    A frame that was there at the first poll may have been there for long: look earlier and earlier, until a poll comes
    before the frame does.
    """
    most_s = session.period_ns / 1e9 * WAKE_EARLY_SHARE_MAX
    session.early_s = min(2 * session.early_s, most_s) if at_first_poll else min(WAKE_EARLY_S, most_s)
    return round(session.early_s * 1e9)


def _trouble(status: bytes) -> SensorFaultError | None:
    if status[:2] == IDENTITY:
        return SensorFaultError("the chip has restarted and lost its firmware: its supply broke down")
    if status[3] & 0x80:
        return SensorFaultError("the chip reports an error", status[2])
    return None
