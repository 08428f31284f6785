"""The self-test of an AS7341: identity, memory, multiplexer, timing, darkness, lamp, gain steps, mains flicker.

The light that is there is part of the test: the lamp must make a difference, so something must lie under the sensor,
an empty belt will do. A sensor that was running is started again as it was.
"""

from collections.abc import Callable

from drivers import as7341_registers as reg
from drivers.as7341 import AUTO_ZERO_S, As7341
from drivers.as7341_settings import GAINS, Settings
from drivers.bus import BusError
from drivers.errors import DriverError, SensorFaultError
from drivers.selftest import SelfTest, Step

LAMP_COUNTS_MIN = 50  # what the lamp must add to Clear: far above noise, far below what a belt as dark as ours returns
DARK_TABLE = bytes(20)  # no diode at all
DARK_COUNTS_MAX = 8  # at 512x and 98 ms at most 5 (DS000718), and some noise
DARK_STEPS = (58, 599)  # 98.4 ms
RATIO_BOUNDS = (1.7, 2.3)  # from one gain step to the next: 2, and up to 10 % of tolerance
STILL_SHARE_MAX = 0.15  # what comes back at one gain, before and after
RATIO_COUNTS_MIN = 100  # with less light a ratio says nothing
LATE_SHARE_MAX = 0.10


def self_test(sensor: As7341) -> SelfTest:
    """Test a sensor from its identity to its lamp, some 2 s. Raises nothing that a sensor or bus can cause."""
    before = sensor.settings
    steps: list[Step] = []
    for name, look in _STEPS:
        try:
            steps.append(Step(name, True, look(sensor)))
        except (DriverError, BusError) as error:
            steps.append(Step(name, False, str(error)))
            break
    try:
        _restore(sensor, before)
    except (DriverError, BusError) as error:
        if all(step.ok for step in steps):
            steps.append(Step("return", False, f"the chip does not go back to its work: {error}"))
    return SelfTest(tuple(steps))


def _restore(sensor: As7341, before: Settings | None) -> None:
    if before is None:
        sensor.stop()
    else:
        sensor.start(before.gain, before.atime, before.astep, before.led_ma)


def _identity(sensor: As7341) -> str:
    sensor.start()
    return "an AS7341 answers at 0x39 and takes its settings"


def _multiplexer(sensor: As7341) -> str:
    for table in (reg.FIRST_HALF, reg.SECOND_HALF):
        returned = sensor.chain(table)
        if returned != table:
            raise SensorFaultError(f"its multiplexer holds {returned.hex()} for {table.hex()}")
    return "its multiplexer keeps both tables"


def _timing(sensor: As7341) -> str:
    before = sensor.counters.polls
    frame = sensor.read()
    late_ms = sensor.counters.polls - before  # a poll a millisecond
    expected_ms = 2 * (frame.integration_ms + AUTO_ZERO_S * 1000.0)
    if late_ms > LATE_SHARE_MAX * expected_ms:
        raise SensorFaultError(f"a frame comes {late_ms} ms later than the {expected_ms:.0f} ms that it should take")
    return f"a frame of all ten channels takes {expected_ms:.0f} ms, as it should"


def _darkness(sensor: As7341) -> str:
    sensor.start(512, *DARK_STEPS)
    counts = sensor.measure_half(DARK_TABLE).counts
    if max(counts) > DARK_COUNTS_MAX:
        raise SensorFaultError(f"its converters count up to {max(counts)} with no diode connected: replace the sensor")
    return f"without a diode its converters count {max(counts)} at most"


def _lamp(sensor: As7341) -> str:
    sensor.start()
    lit, dark = sensor.measure_half(reg.FIRST_HALF), sensor.measure_half(reg.FIRST_HALF, lamp=False)
    gained = lit.counts[4] - dark.counts[4]
    if lit.digital or lit.analogue:
        raise SensorFaultError("too much light at the usual settings: is there sun or a strange lamp on the sensor?")
    if gained < LAMP_COUNTS_MIN:
        raise SensorFaultError(
            f"the lamp adds {max(gained, 0)} counts, must be {LAMP_COUNTS_MIN} at least: is it connected, and is "
            "something under the sensor?"
        )
    return f"the lamp adds {gained} counts to the {dark.counts[4]} of the hall"


def _gains(sensor: As7341) -> str:
    brightest: list[int] = []
    for gain in (32, 64, 32):
        sensor.start(gain)
        brightest.append(max(sensor.read().counts.tolist()))
    before, doubled, after = brightest
    if min(before, after) < RATIO_COUNTS_MIN:
        return f"there is too little light to compare gains: {min(before, after)} counts"
    if abs(after / before - 1.0) > STILL_SHARE_MAX:
        return "the light changes while gains are compared: is the belt running?"
    ratio = 2.0 * doubled / (before + after)
    low, high = RATIO_BOUNDS
    if not low <= ratio <= high:
        expected = GAINS[64][1] / GAINS[32][1]
        raise SensorFaultError(f"twice the gain gives {ratio:.2f} times the counts, must be about {expected:g}")
    return f"twice the gain gives {ratio:.2f} times the counts"


def _flicker(sensor: As7341) -> str:
    flicker = sensor.detect_flicker()
    if flicker.saturated:
        return "there is too much light in the hall to hear flicker in it"
    if flicker.hz is None:
        return "the light of the hall does not flicker at 100 or 120 Hz"
    return f"the light of the hall flickers at {flicker.hz} Hz; 50 ms of integration evens it out"


_STEPS: tuple[tuple[str, Callable[[As7341], str]], ...] = (
    ("identity", _identity),
    ("multiplexer", _multiplexer),
    ("timing", _timing),
    ("darkness", _darkness),
    ("lamp", _lamp),
    ("gains", _gains),
    ("flicker", _flicker),
)
