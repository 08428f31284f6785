"""How the two chips of a line are looked after: their drivers' answers to the ladder of drivers.life.

The ranging chip is started at what the bus really carries: a line that measures once a second runs well on a slow bus,
but a person must be told why the chip makes fewer frames than it was asked for.
"""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from drivers.as7341 import ADDRESS as AS7341_ADDRESS
from drivers.as7341 import CHIP as AS7341
from drivers.as7341 import As7341
from drivers.bus import Bus
from drivers.errors import SettingError
from drivers.frames import SpectralFrame, TofFrame
from drivers.life import Care
from drivers.vl53l8ch import CHIP as VL53L8CH
from drivers.vl53l8ch import IDENTITY, Vl53l8ch
from drivers.vl53l8ch_settings import TofSettings

FRAMES_WAIT = 3  # periods of the ranging chip after which a frame is late …
FRAMES_WAIT_S = 0.1  # … and what a busy host may add
STUCK_COUNTS_MIN = 200  # in the dark, two spectra may well be equal; in the light noise sees to it that they are not
POWERED = 0x01  # PON of the AS7341's ENABLE, which is 0 after its supply was gone

SPEED_UP = "set dtparam=i2c_arm_baudrate=1000000"

Hook = Callable[[], None] | None


@dataclass(slots=True)
class BusSpeed:
    """What the start of the ranging chip has found out about its bus. hz: None before; words: None while it is well.

    on_slow: called when a boot finds the bus too slow, long before that boot is over.
    """

    hz: float | None = None
    words: str | None = None
    fitted: TofSettings | None = None  # what `words` speak of
    on_slow: Callable[[], None] | None = None

    def early(self, bus_name: str, bus_hz: float, wanted: TofSettings) -> None:
        """In the middle of a boot: tell of a bus that is too slow; that all is well is found at its end."""
        fitted = wanted.fitted(bus_hz)
        if fitted is not None and fitted != wanted:
            self.found(bus_name, bus_hz, wanted, fitted)
            if self.on_slow is not None:
                self.on_slow()

    def found(self, bus_name: str, bus_hz: float, wanted: TofSettings, fitted: TofSettings) -> None:
        """Take note of a bus that carries `fitted`; the same again, measured a little differently, keeps its words."""
        self.hz = bus_hz
        if fitted == wanted:
            self.words = self.fitted = None
        elif fitted != self.fitted:
            self.fitted = fitted
            self.words = slow_bus_words(bus_name, bus_hz, fitted.frequency_hz, wanted.frequency_hz)
            if fitted.frequency_hz == wanted.frequency_hz:
                self.words = once_words(bus_name, bus_hz)


def care_for_tof(chip: Vl53l8ch, bus: Bus, speed: BusSpeed, power_cycle: Hook = None) -> Care[TofFrame]:
    """The ladder's way with a VL53L8CH; `speed` is filled in at every start.

    One that lost its supply is on its first register page again, where its identity is in place of a status.
    """
    wanted = chip.settings

    chip.on_bus_speed = lambda bus_hz: speed.early(bus.name, bus_hz, wanted)

    def start() -> None:
        fitted: TofSettings | None = wanted
        try:
            chip.start(settings=wanted)
        except SettingError as error:
            fitted = None if chip.bus_hz is None else wanted.fitted(chip.bus_hz)
            if fitted is None or error.field not in ("frequency_hz", "double_read"):
                raise
            chip.start(settings=fitted)
        assert chip.bus_hz is not None  # it runs
        speed.found(bus.name, chip.bus_hz, wanted, fitted)

    def reload() -> None:
        chip.boot()
        start()

    def soft_reset() -> None:
        chip.stop()
        start()

    def read() -> TofFrame:
        return chip.read(FRAMES_WAIT / chip.settings.frequency_hz + FRAMES_WAIT_S)

    def lost_state() -> bool:
        return bus.transfer(chip.address, b"\x00\x00", len(IDENTITY)) == IDENTITY

    return Care(VL53L8CH, start, read, soft_reset, reload, lost_state, _tof_bytes, power_cycle)


def care_for_spectral(chip: As7341, bus: Bus, power_cycle: Hook = None) -> Care[SpectralFrame]:
    """The ladder's way with an AS7341, which has no firmware: a reload is a start."""

    def soft_reset() -> None:
        chip.stop()
        chip.start()

    def lost_state() -> bool:
        return not bus.transfer(AS7341_ADDRESS, b"\x80", 1)[0] & POWERED

    return Care(AS7341, chip.start, chip.read, soft_reset, chip.start, lost_state, _spectral_bytes, power_cycle)


def slow_bus_words(bus_name: str, bus_hz: float, most_hz: int, wanted_hz: int) -> str:
    """What a person must know, and do, about a bus that can't carry the frames that are wanted."""
    return f"{_runs_at(bus_name, bus_hz)}: {most_hz} Hz at most, {wanted_hz} Hz wanted; {SPEED_UP}"


def once_words(bus_name: str, bus_hz: float) -> str:
    """The same about a bus that can't carry every frame twice, as `double_read` wants it."""
    return f"{_runs_at(bus_name, bus_hz)}: frames are read once, twice is wanted (double_read); {SPEED_UP}"


def _runs_at(bus_name: str, bus_hz: float) -> str:
    return f"{bus_name.removeprefix('/dev/')} runs at {bus_hz / 1000:.0f} kHz"


def _tof_bytes(frame: TofFrame) -> bytes | None:
    seen = bool(np.isfinite(frame.distance_mm).any())
    return frame.distance_mm.tobytes() + frame.signal_kcps.tobytes() if seen else None


def _spectral_bytes(frame: SpectralFrame) -> bytes | None:
    lit = int(np.max(frame.counts)) >= STUCK_COUNTS_MIN
    return frame.counts.tobytes() if lit and not frame.saturated else None
