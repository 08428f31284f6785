"""Figures of the AS7341: transfers, bytes, time on the wire and CPU a sample, beside Adafruit's library; bit flips."""

import random
import struct
import time
from collections.abc import Callable
from typing import Any

import adafruit_as7341

from bench.figures import Figure, median
from drivers.as7341 import As7341
from drivers.bus import NakError, VirtualClock
from drivers.errors import DriverError
from drivers.sim.as7341 import SimAs7341
from drivers.sim.bus import BITS_PER_BYTE, SimBus, Transfer
from drivers.sim.conveyor import Continuous
from drivers.sim.faults import BitFlips
from drivers.sim.scene import WHITE_TILE, Scene
from drivers.sim.stock import Stock

BUSES_HZ = (100_000, 400_000)
TRANSFERS_MAX, BYTES_MAX = 20, 160
VIEW_MS_MAX = 0.5
FLIP_SHARE = 0.02
HOUR_SAMPLES = 3600  # one a second


def run(quick: bool) -> list[Figure]:
    """All of them; some 20 s, a few when quick."""
    return figures(quick)


def figures(quick: bool) -> list[Figure]:
    """What bench.sensors asks for."""
    return [*_wire(), *_cpu(quick), *_flips(quick), _view(quick)]


class _Blinka:
    """What the library needs of a bus."""

    def __init__(self, bus: SimBus) -> None:
        self._bus = bus

    def try_lock(self) -> bool:
        return True

    def unlock(self) -> None:
        pass

    def writeto(self, address: int, buffer: bytearray, *, start: int = 0, end: int | None = None) -> None:
        try:
            self._bus.transfer(address, bytes(buffer[start:end]))
        except NakError as error:
            raise OSError(str(error)) from error

    def writeto_then_readfrom(
        self,
        address: int,
        out_buffer: bytearray,
        in_buffer: bytearray,
        *,
        out_start: int = 0,
        out_end: int | None = None,
        in_start: int = 0,
        in_end: int | None = None,
    ) -> None:
        stop = len(in_buffer) if in_end is None else in_end
        in_buffer[in_start:stop] = self._bus.transfer(address, bytes(out_buffer[out_start:out_end]), stop - in_start)


class _Rig:
    """A chip before a white tile; `ours` and `theirs` take a sample of ten and of eight channels."""

    def __init__(self, bus_hz: int = 400_000, *, double_read: bool = True) -> None:
        self.clock = VirtualClock()
        scene = Scene(1)
        scene.stage = WHITE_TILE
        self.bus = SimBus("bench", self.clock, bus_hz)
        self.bus.attach(SimAs7341(self.clock, scene, seed=1))
        self.driver = As7341(self.bus, double_read=double_read)

    def ours(self) -> Callable[[], object]:
        """Our driver at 128x and 50 ms."""
        self.driver.start()
        return self.driver.read

    def theirs(self) -> Callable[[], object]:
        """The library, at the same settings and on this clock."""
        self.clock.sleep(0.001)
        adafruit_as7341.sleep = self.clock.sleep
        adafruit_as7341.monotonic = lambda: self.clock.monotonic_ns() / 1e9
        library = adafruit_as7341.AS7341(_Blinka(self.bus))  # pyright: ignore[reportArgumentType]
        library.atime, library.astep, library.gain = 29, 599, adafruit_as7341.Gain.GAIN_128X

        def sample() -> object:
            library._low_channels_configured = False  # noqa: SLF001  # else its first half would be an old one
            return library.all_channels

        return sample

    def cost(self, sample: Callable[[], object]) -> tuple[int, int, float]:
        """Transfers, bytes and ms of simulated time of one sample."""
        sample()
        transfers, carried, start_ns = self.bus.transfers, self.bus.wire_bytes, self.clock.monotonic_ns()
        sample()
        spent_ms = (self.clock.monotonic_ns() - start_ns) / 1e6
        return self.bus.transfers - transfers, self.bus.wire_bytes - carried, spent_ms


def _wire() -> list[Figure]:
    found: list[Figure] = []
    for bus_hz in BUSES_HZ:
        name = f"AS7341 sample at {bus_hz // 1000} kHz"
        ours, once, theirs = _Rig(bus_hz), _Rig(bus_hz, double_read=False), _Rig(bus_hz)
        transfers, carried, spent_ms = ours.cost(ours.ours())
        single = once.cost(once.ours())
        other = theirs.cost(theirs.theirs())
        wire_ms = (carried + transfers) * BITS_PER_BYTE * 1e3 / bus_hz
        note = f"ten channels; read once {single[0]}; Adafruit's eight channels {other[0]}"
        found.append(
            Figure(f"{name}: transfers", transfers, "", f"≤ {TRANSFERS_MAX}", transfers <= TRANSFERS_MAX, note)
        )
        note = f"read once {single[1]}; Adafruit {other[1]}"
        found.append(Figure(f"{name}: bytes", carried, "B", f"≤ {BYTES_MAX}", carried <= BYTES_MAX, note))
        found.append(Figure(f"{name}: wire time", wire_ms, "ms", note="nine clocks a byte, and framing"))
        note = f"two integrations of 50 ms, two auto-zeros; Adafruit {other[2]:.1f} ms"
        found.append(Figure(f"{name}: duration", spent_ms, "ms", note=note))
    return found


def _cpu(quick: bool) -> list[Figure]:
    """Process time of a whole sample without the model: what the bus's own side takes is measured and left out."""
    rounds = 30 if quick else 300
    medians: dict[str, float] = {}
    for name in ("ours", "theirs"):
        rig = _Rig()
        sample = rig.ours() if name == "ours" else rig.theirs()
        sample()
        replay = _Tape.of(rig, sample)
        medians[name] = median([replay.timed(sample) for _ in range(rounds)])
    ours, theirs = medians["ours"] * 1e6, medians["theirs"] * 1e6
    note = f"Adafruit {theirs:.0f} us in the same run; the chip's answers are played back"
    return [Figure("AS7341 CPU a sample", ours, "us", "below Adafruit's", ours < theirs, note)]


class _Tape:
    """Answers of one sample, played back in a loop in place of the chip."""

    def __init__(self, answers: list[bytes]) -> None:
        self._answers, self._place = answers, 0

    @classmethod
    def of(cls, rig: _Rig, sample: Callable[[], object]) -> "_Tape":
        """Record one sample, then stand in for the bus."""
        answers: list[bytes] = []
        live = rig.bus.transfer

        def record(address: int, write: bytes = b"", read_len: int = 0) -> bytes:
            data = live(address, write, read_len)
            answers.append(data)
            return data

        bus: Any = rig.bus  # its method is covered by another for this measurement
        bus.transfer = record
        sample()
        tape = cls(answers)
        bus.transfer = tape.play
        return tape

    def play(self, address: int, write: bytes = b"", read_len: int = 0) -> bytes:
        """The next answer."""
        del address, write, read_len
        answer = self._answers[self._place % len(self._answers)]
        self._place += 1
        return answer

    def timed(self, sample: Callable[[], object]) -> float:
        """Seconds of process time of one sample."""
        started = time.process_time()
        sample()
        return time.process_time() - started


class _Witness:
    """Knows what the chip said before the wire bent it."""

    def __init__(self) -> None:
        self.bursts: list[tuple[int, ...]] = []

    def before(self, transfer: Transfer) -> None:
        del transfer

    def after(self, transfer: Transfer, data: bytes) -> bytes:
        if transfer.write == b"\x94":
            self.bursts = [*self.bursts[-1:], struct.unpack("<B6H", data)[1:]]
        return data

    def bands(self) -> list[int]:
        return [*self.bursts[0][:4], *self.bursts[1][:4]]


def _flips(quick: bool) -> list[Figure]:
    """An hour of samples, one a second, with a flipped bit in 2 % of all reads."""
    samples = 300 if quick else HOUR_SAMPLES
    found: list[Figure] = []
    for double_read in (True, False):
        rig, witness = _Rig(double_read=double_read), _Witness()
        rig.driver.start()
        rig.bus.faults = [witness, BitFlips(0x39, FLIP_SHARE, random.Random(4))]
        refused = wrong = 0
        for _ in range(samples):
            try:
                frame = rig.driver.read()
            except DriverError:
                refused += 1
                continue
            wrong += frame.counts[:8].tolist() != witness.bands()
        name = f"AS7341 flipped bits, read {'twice' if double_read else 'once'}: wrong samples"
        note = f"{wrong} of {samples}, {refused} refused"
        share = 100.0 * wrong / samples
        target = ("0", wrong == 0) if double_read else (None, None)
        found.append(Figure(name, share, "%", *target, note))
    return found


def _view(quick: bool) -> Figure:
    """What a look at a running belt with two marked pieces at each place costs."""
    scene = Scene(3, motion=Continuous(), stock=Stock(3, per_place=(2,), marked=True))
    scene.tof(0.0)
    spent: list[float] = []
    for step in range(50 if quick else 500):
        started = time.perf_counter()
        scene.tof(0.002 * (step + 1))
        spent.append(time.perf_counter() - started)
    value = median(spent) * 1e3
    note = "two marked pieces a place, belt running"
    return Figure("world: one ToF view", value, "ms", f"≤ {VIEW_MS_MAX}", value <= VIEW_MS_MAX, note)
