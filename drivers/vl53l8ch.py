"""The VL53L8CH on any bus: boots it, ranges as its settings say, hands out frames that can be believed.

An own driver: of depz-sensor-sdk only the files with the manufacturer's firmware are used (docs/decisions/0006). What a
newcomer gets wrong: a frame is no proof that the chip is well. One that lost its supply for a moment answers politely
with its identity in place of a status.

Every method may raise a BusError as it came from the bus. Threads may share a driver: the bus lock is held for every
sequence that must not be interrupted, and for none that only waits.
"""

from contextlib import contextmanager
from dataclasses import replace
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
from drivers.vl53l8ch_session import IDENTITY, RESTARTED, Session, shows_status, trouble
from drivers.vl53l8ch_settings import TofSettings

if TYPE_CHECKING:
    from collections.abc import Callable, Generator

CHIP = "VL53L8CH"
ADDRESS = 0x29
ADDRESSES = (0x08, 0x77)  # the rest is reserved (UM10204 section 3.1.12)
POLL_S = 0.001
READS_MAX = 4  # of one frame when every frame is read twice: until two agree


class Vl53l8ch:
    """One chip. settings: how it ranges from the next start on. counters: every kind of trouble so far.

    on_bus_speed: told the clocks a second that the bus carries early in every boot, under the lock of the bus.
    """

    def __init__(self, bus: Bus, address: int = ADDRESS, settings: TofSettings | None = None) -> None:
        self.settings = TofSettings() if settings is None else settings
        self.counters = TofCounters()
        self.on_bus_speed: Callable[[float], None] | None = None
        self._bus = bus
        self._link = Link(bus, address)
        self._booted: Booted | None = None
        self._crosstalk: bytes | None = None
        self._session: Session | None = None
        self._paused: Session | None = None
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

    @property
    def paused(self) -> bool:
        """Whether `resume` would let it range on."""
        return self._paused is not None

    @property
    def ready_ns(self) -> int | None:
        """Bus clock when the newest frame was seen to be there, None without one. In autonomous mode the laser is off

        from then until the next period begins.
        """
        session = self._session
        return None if session is None or not session.ready_ns else session.ready_ns

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
            self._session = self._paused = self._booted = None
            self.identify()
            self.counters.boots += 1
            booted = boot(self._link, firmware(), self.on_bus_speed)
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
            period_ns = round(1e9 * wanted.period_s)
            now_ns = self._bus.clock.monotonic_ns()
            self._session = Session(decoder, Judge(decoder, self.counters), period_ns, now_ns)

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
            self._paused = None
            if self._session is not None:
                self._halt()

    def pause(self) -> None:
        """Keep the laser off from the end of the current frame on, for a neighbour that sees it, until `resume`.

        The chip keeps all settings, so that both together cost under 200 bytes; but a frame that has begun is waited
        for, a period at most. Nothing happens when it is paused already. Raises SensorFaultError when it was not
        started, or does not stop: the next start boots it.
        """
        with self._exclusive():
            if self._paused is None:
                session = self._started()
                self._halt()
                if self._booted is None:
                    raise self._restarted()
                self._paused = session

    def resume(self) -> None:
        """Range on after a `pause`; the first frame is there a period later, and its number is 0 again.

        Raises SensorFaultError when it was not paused, or has lost its firmware meanwhile: the next start boots it.
        """
        with self._exclusive():
            session, self._paused = self._paused, None
            if session is None:
                raise SensorFaultError("the chip has not been paused")
            booted, self._booted = self._booted, None
            if trouble(self._status()) and trouble(self._status()):
                raise self._restarted()
            launch(self._link, session.decoder.size)
            session.resumed(self._bus.clock.monotonic_ns())
            self._booted, self._session = booted, session

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

    def _halt(self) -> None:
        """Stop; what shows no status has lost its firmware and ranges no more: the next start boots it."""
        self._session, booted, self._booted = None, self._booted, None
        if shows_status(self._status()) or shows_status(self._status()):  # a flipped bit must not cost a boot
            halt(self._link)
            self._booted = booted

    def _restarted(self) -> SensorFaultError:
        self.counters.faults += 1
        return SensorFaultError(RESTARTED)

    def _running(self) -> Booted:
        """The chip with its firmware running; boots it where that isn't known to be so."""
        self.identify()
        if self._booted is None or not firmware_runs(self._link):
            self.boot()
        assert self._booted is not None
        return self._booted

    def _started(self) -> Session:
        if self._session is None:
            raise SensorFaultError("the chip has not been started since it was made, stopped or found faulty")
        return self._session

    def _wait_until(self, at_ns: int) -> None:
        wait_ns = at_ns - self._bus.clock.monotonic_ns()
        if wait_ns > 0:
            self._bus.clock.sleep(wait_ns / 1e9)

    def _next(self, session: Session, at_first_poll: bool) -> TofFrame | None:
        """The frame that is there, None when there is none that was not read."""
        if not self._ready(session):
            return None
        ready_ns = self._bus.clock.monotonic_ns()
        session.ready(ready_ns, at_first_poll)
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

    def _ready(self, session: Session) -> bool:
        """Whether a frame is there that was not read; raises SensorFaultError when the status tells of trouble.

        Bad news is read twice before it is believed, because a flipped bit on the wire must not cost a restart; then
        the session is over until the next start, which boots.
        """
        status = self._status()
        if trouble(status) is not None:
            status = self._status()
            fault = trouble(status)
            if fault is not None:
                self._session = self._booted = None
                self.counters.faults += 1
                raise fault
        return session.is_new(status)

    def _status(self) -> bytes:
        self.counters.polls += 1
        return self._link.read(RESULTS, 4)
