"""A whole device in virtual time: simulated chips, faults, real drivers, sampler and assembler; what it would send."""

import random
import uuid
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime

from contract.messages import Event, SamplingMode
from contract.sample import Sample
from drivers.as7341 import As7341
from drivers.bus import VirtualClock
from drivers.sim import scene as sim
from drivers.sim.as7341 import SimAs7341
from drivers.sim.bus import SimBus
from drivers.sim.conveyor import Continuous, Motion
from drivers.sim.spoiled import Installation
from drivers.sim.stock import Stock
from drivers.sim.timeline import Player, Timeline
from drivers.sim.troubles import Rig
from drivers.sim.vl53l8ch import SimVl53l8ch
from drivers.steady import SteadyBus
from drivers.vl53l8ch import Vl53l8ch
from edge.assemble import Assembler
from edge.feed import Meanwhile
from edge.guided import Guide
from edge.identity import Identity
from edge.rows import Kind, Stamp
from edge.sampler import Measurement, Sampler, Trouble
from edge.travel import TimedTravel, Travel
from edge.world import BELT_LIGHT, BELT_TOF, SimTravel, WaitingOn
from quality.recipe import DEFAULT_RECIPE

PERIOD_S = 1.0
STAGES = {"empty belt": sim.BELT_ONLY, "black cap": sim.BLACK_CAP, "white tile": sim.WHITE_TILE, "line": sim.LINE}
NOW = datetime(2026, 11, 23, tzinfo=UTC)


class ListSpool:
    """Keeps what is appended, with its number and time."""

    boot_id = uuid.UUID(int=7)

    def __init__(self) -> None:
        self.messages: list[tuple[int, Sample | Event]] = []

    def append(self, kind: Kind, taken_ns: int, build: Callable[[Stamp], Sample | Event]) -> None:
        del kind
        stamp = Stamp(boot_id=self.boot_id, seq=len(self.messages) + 1, timestamp=NOW, clock=None)
        self.messages.append((taken_ns, build(stamp)))


@dataclass
class Seen:
    """at_s: since the fault began."""

    at_s: float
    measurement: Measurement


@dataclass
class Told:
    """As above."""

    at_s: float
    trouble: Trouble


@dataclass
class Device:
    """A device on seed 3, calibrated; `play` puts a fault on it. Times are seconds of the bus clock.

    motion: of the belt; with one that never stops use `run_belt`; gated: then set so that the laser leaves gaps.
    """

    stage: sim.Stage = sim.LINE
    bus_hz: int = 1_000_000
    power_hook: bool = False
    motion: Motion | None = None
    stock: Stock | None = None
    gated: bool = True
    travel_by: str = "encoder"
    seen: list[Seen] = field(default_factory=list[Seen])
    told: list[Told] = field(default_factory=list[Told])

    def __post_init__(self) -> None:
        self.clock = VirtualClock()
        self.world = sim.Scene(3, motion=self.motion, stock=self.stock)
        self.installation = Installation(self.world)
        self.bus = SimBus("i2c-1", self.clock, self.bus_hz)
        self.tof = SimVl53l8ch(self.clock, self.installation, 3)
        self.spectral = SimAs7341(self.clock, self.installation, seed=3, unit_spread=0.05)
        self.bus.attach(self.tof)
        self.bus.attach(self.spectral)
        self.rig = Rig((self.bus,), self.tof, self.spectral, self.installation, random.Random(5))  # noqa: S311
        steady = SteadyBus(self.bus)
        self.steady = steady
        self.world.laser = self.tof
        self.meanwhile = Meanwhile(self.clock)
        waiting, belt = WaitingOn(steady, self.meanwhile), isinstance(self.motion, Continuous) and self.gated
        self.tof_driver = Vl53l8ch(steady, settings=BELT_TOF if belt else None)
        self.spectral_driver = As7341(waiting, usual=BELT_LIGHT if belt else None, bracketed=belt)
        self.began_s = 0.0
        self.switched = 0
        self.spool = ListSpool()
        self.sampler = Sampler(
            bus=steady,
            tof=self.tof_driver,
            spectral=self.spectral_driver,
            clock=self,  # pyright: ignore[reportArgumentType]  # only its monotonic time is used
            rate_hz=1 / PERIOD_S,
            prepare=None,
            power_cycle=self._switch if self.power_hook else None,
            on_measurement=self._measured,
            on_trouble=self._troubled,
            on_failure=self._failed,
        )
        self.tof_driver.start()
        self.spectral_driver.start()
        self.guide = Guide(
            self.tof_driver,
            self.spectral_driver,
            show=self._show,
            white_reflectance=sim.TILE_REFLECTANCE,
            device_id="ESP32_LL_01",
            now=NOW,
            before=None,
        )
        self.calibrations, self.records = self.guide.run("all")
        self.world.stage = self.stage
        travel: Travel = SimTravel(self.world.encoder, self.clock)
        if self.travel_by == "pictures":
            travel = TimedTravel(self.clock, 180.0)
        self.travel = travel
        self._assemble()

    def restart(self) -> None:
        """The agent and both chips begin anew, with the calibration that is kept; what was told is forgotten."""
        self.tof.power_cycle()
        self.spectral.power_cycle()
        self._assemble()
        self.told.clear()
        self.spool.messages.clear()

    def _assemble(self) -> None:
        self.assembler = Assembler(
            spool=self.spool,  # pyright: ignore[reportArgumentType]  # append and boot_id are all it needs
            identity=Identity("ESP32_LL_01", "LL", "line1", session=uuid.UUID(int=9)),
            calibrations=self.calibrations,
            recipe=DEFAULT_RECIPE,
            agent="test",
            lot_id=None,
            location=None,
            on_trouble=self._troubled,
        )
        self.assembler.belt.travel, self.assembler.belt.learn = self.travel.kind, self.travel.learn
        self.sampler.feed_with(travel=self.travel, meanwhile=self.meanwhile, taker=self.assembler.belt)

    def monotonic_ns(self) -> int:
        """The agent's time is the bus's."""
        return self.clock.monotonic_ns()

    def run(self, seconds: float) -> None:
        """Tick once a period; a tick that takes longer delays the next."""
        end_ns = self.clock.monotonic_ns() + round(seconds * 1e9)
        while self.clock.monotonic_ns() < end_ns:
            began_ns = self.clock.monotonic_ns()
            self.sampler.tick()
            took_s = (self.clock.monotonic_ns() - began_ns) / 1e9
            self.clock.sleep(max(0.0, PERIOD_S - took_s))

    def run_belt(self, seconds: float, mode: SamplingMode = "belt") -> None:
        """Take every picture of a running belt."""
        end_ns = self.clock.monotonic_ns() + round(seconds * 1e9)
        self.sampler.mode = mode
        while self.clock.monotonic_ns() < end_ns:
            self.sampler.step()

    def play(self, timeline: Timeline) -> Player:
        """From now on; what was seen and told before is forgotten."""
        self.seen.clear()
        self.told.clear()
        self.spool.messages.clear()
        self.began_s = self.clock.monotonic_ns() / 1e9
        return Player(self.rig, timeline)

    def faults_told(self, chip: str) -> list[Told]:
        """Reports of a failing or hampered chip."""
        return [
            told for told in self.told if told.trouble.chip == chip and (told.trouble.failed or told.trouble.hampered)
        ]

    def samples(self, after_s: float = 0.0) -> list[Sample]:
        """What was graded, measured later than `after_s` since the fault began."""
        start_ns = (self.began_s + after_s) * 1e9
        return [message for at, message in self.spool.messages if isinstance(message, Sample) and at >= start_ns]

    def events(self) -> list[Event]:
        """What the assembler had to say."""
        return [message for _, message in self.spool.messages if isinstance(message, Event)]

    def _show(self, target: str) -> None:
        self.world.stage = STAGES[target]

    def _measured(self, measurement: Measurement) -> None:
        self.seen.append(Seen(self.clock.monotonic_ns() / 1e9 - self.began_s, measurement))
        self.assembler.take(measurement)

    def _troubled(self, trouble: Trouble) -> None:
        self.told.append(Told(self.clock.monotonic_ns() / 1e9 - self.began_s, trouble))

    def _failed(self, error: Exception) -> None:
        raise error

    def _switch(self) -> None:
        self.switched += 1
        for chip in (self.tof, self.spectral):
            chip.power_cycle()
        self.clock.sleep(0.1)
