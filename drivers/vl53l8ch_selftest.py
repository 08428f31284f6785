"""The self-test of a VL53L8CH: each step a sentence for the person beside the line, in the order that finds trouble.

It boots the chip anew, so that what it says holds from the supply up, and leaves it ranging if it was.
"""

from collections.abc import Callable

import numpy as np

from drivers.bus import BusError
from drivers.care import slow_bus_words
from drivers.errors import DriverError, SensorFaultError, SettingError
from drivers.frames import TofFrame
from drivers.selftest import SelfTest, Step
from drivers.vl53l8ch import Vl53l8ch
from drivers.vl53l8ch_control import MODULE_L8, module_flags
from drivers.vl53l8ch_registers import FREQUENCY, FREQUENCY_BYTES

SIGNAL_GRID_BOUNDS = (500_000, 20_000_000)  # factory grid; 3.0e6 to 5.1e6 on a real chip
FRAMES = 10
RATE_TOLERANCE = 0.1
TEMPERATURE_BOUNDS_C = (-30, 85)  # of the part
NOISE_MM_MAX = 15.0  # half of the zones must repeat themselves this well before a still scene


def self_test(chip: Vl53l8ch) -> SelfTest:
    """Test a chip from its identity to its frames, some 3 s at 1 MHz. Raises nothing that a sensor or bus can cause."""
    was_ranging, settings = chip.ranging, chip.settings
    steps: list[Step] = []
    for name, look in _STEPS:
        try:
            steps.append(Step(name, True, look(chip)))
        except (DriverError, BusError) as error:
            steps.append(Step(name, False, str(error)))
            return SelfTest(tuple(steps))
    try:
        chip.stop()
        if was_ranging:
            chip.start(settings=settings)
    except (DriverError, BusError) as error:
        steps.append(Step("return", False, f"the chip does not go back to its work: {error}"))
    return SelfTest(tuple(steps))


def _identity(chip: Vl53l8ch) -> str:
    chip.identify()
    return f"a VL53L8 answers at 0x{chip.address:02X}"


def _firmware(chip: Vl53l8ch) -> str:
    chip.boot()
    bus_hz = chip.bus_hz or 0.0
    return f"its firmware runs and its checksum is right; the bus carries {bus_hz / 1000:.0f} kHz"


def _factory_data(chip: Vl53l8ch) -> str:
    offsets_mm = chip.calibration().range_offsets_mm()
    low, high = SIGNAL_GRID_BOUNDS
    grid = chip.calibration().signal_grid()
    if grid.min() < low or grid.max() > high:
        raise SensorFaultError(f"its factory data is not plausible: signals from {grid.min():.3g} to {grid.max():.3g}")
    return f"its factory data is plausible: range offsets {offsets_mm.min():.0f} to {offsets_mm.max():.0f} mm"


def _memory(chip: Vl53l8ch) -> str:
    link = chip.link()
    with link.bus.lock:
        before = link.parameter(FREQUENCY, FREQUENCY_BYTES)
        pattern = bytes(value ^ 0x0F for value in before)
        link.set_parameter(FREQUENCY, pattern)
        echoed = link.parameter(FREQUENCY, FREQUENCY_BYTES)
        link.set_parameter(FREQUENCY, before)
    if echoed != pattern:
        raise SensorFaultError(f"its parameter memory returns {echoed.hex()} for {pattern.hex()}")
    return "its parameter memory keeps what is written"


def _module(chip: Vl53l8ch) -> str:
    link = chip.link()
    with link.bus.lock:
        flags = module_flags(link)
    if flags[6]:
        raise SensorFaultError("the laser safety check failed: replace the sensor", flags[6])
    if flags[1] != MODULE_L8:
        raise SensorFaultError(f"it calls itself a module of type {flags[1]}, must be {MODULE_L8} (VL53L8)")
    return "it is a module of the right type, its laser is safe"


def _start(chip: Vl53l8ch) -> None:
    try:
        chip.start(settings=chip.settings)
    except SettingError as error:
        if error.field != "frequency_hz" or not isinstance(error.nearest, int):
            raise
        name, wanted_hz = chip.link().bus.name, chip.settings.frequency_hz
        raise SensorFaultError(slow_bus_words(name, chip.bus_hz or 0.0, error.nearest, wanted_hz)) from error


def _frames(chip: Vl53l8ch) -> str:
    _start(chip)
    settings = chip.settings
    if settings.thresholds or settings.sync_pin:
        return "it ranges; frames come on events only and were not waited for"
    patience_s = 3.0 / settings.frequency_hz + 1.0
    frames = [chip.read(patience_s) for _ in range(FRAMES)]
    span_s = (frames[-1].captured_ns - frames[0].captured_ns) / 1e9
    rate_hz = (frames[-1].frame_id - frames[0].frame_id) / span_s
    if abs(rate_hz / settings.frequency_hz - 1.0) > RATE_TOLERANCE:
        raise SensorFaultError(f"frames come at {rate_hz:.1f} Hz, must be {settings.frequency_hz}")
    low_c, high_c = TEMPERATURE_BOUNDS_C
    if not low_c <= frames[-1].temperature_c <= high_c:
        raise SensorFaultError(f"its silicon is at {frames[-1].temperature_c} C, must be {low_c} to {high_c}")
    return f"frames come at {rate_hz:.1f} Hz, silicon at {frames[-1].temperature_c} C; {_view(frames)}"


def _view(frames: list[TofFrame]) -> str:
    """What it sees, which is no fault of the chip, but the person beside it should know."""
    distances = np.array([frame.distance_mm for frame in frames])
    seen = ~np.isnan(distances).any(axis=0)
    zones = seen.size
    if not seen.any():
        return f"none of {zones} zones sees anything: is the window covered, or the view empty?"
    noise_mm = float(np.median(distances[:, seen].std(axis=0)))
    still = "" if noise_mm <= NOISE_MM_MAX else f", restless by {noise_mm:.0f} mm: is the belt running?"
    return f"{int(seen.sum())} of {zones} zones see something, at {np.median(distances[:, seen]):.0f} mm{still}"


_STEPS: tuple[tuple[str, Callable[[Vl53l8ch], str]], ...] = (
    ("identity", _identity),
    ("firmware", _firmware),
    ("factory data", _factory_data),
    ("memory", _memory),
    ("module", _module),
    ("frames", _frames),
)
