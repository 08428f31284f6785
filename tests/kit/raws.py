"""A small device without analysis: real drivers on simulated chips in virtual time, and what it would send."""

from dataclasses import dataclass
from datetime import UTC, datetime

from contract.bounds import DISTANCE_MM_MAX, KCPS_MAX, REFLECTANCE_MAX
from contract.packed import Cells, Light, RawPart
from drivers.as7341 import As7341
from drivers.bus import VirtualClock
from drivers.frames import SpectralFrame, TofFrame
from drivers.sim import scene as sim
from drivers.sim.as7341 import SimAs7341
from drivers.sim.bus import SimBus
from drivers.sim.vl53l8ch import SimVl53l8ch
from drivers.vl53l8ch import Vl53l8ch
from edge.calibration import Calibrations
from edge.fields import integers
from edge.guided import Guide

STAGES = {"empty belt": sim.BELT_ONLY, "black cap": sim.BLACK_CAP, "white tile": sim.WHITE_TILE, "line": sim.LINE}
NOW = datetime(2026, 11, 23, tzinfo=UTC)
PERIOD_S = 1.0


@dataclass(frozen=True, slots=True)
class Look:
    """Both frames of a moment and what is sent of them."""

    tof: TofFrame
    spectral: SpectralFrame
    part: RawPart


class SmallDevice:
    """Started sensors over a belt; `look` measures what lies there `PERIOD_S` later."""

    def __init__(self, seed: int = 1, boot: int = 1) -> None:
        self.boot = boot
        self.seq = 0
        self.clock = VirtualClock()
        self.scene = sim.Scene(seed)
        buses = SimBus("tof", self.clock, 1_000_000), SimBus("spectral", self.clock, 400_000)
        buses[0].attach(SimVl53l8ch(self.clock, self.scene, seed))
        buses[1].attach(SimAs7341(self.clock, self.scene, seed=seed, unit_spread=0.05))
        self.tof, self.spectral = Vl53l8ch(buses[0]), As7341(buses[1])
        self.tof.start()
        self.spectral.start()

    def show(self, target: str) -> None:
        """Put one of STAGES under the sensors."""
        self.scene.stage = STAGES[target]

    def calibrations(self) -> Calibrations:
        """As a Raspberry Pi calibrates, through the same drivers."""
        guide = Guide(
            self.tof,
            self.spectral,
            show=self.show,
            white_reflectance=sim.TILE_REFLECTANCE,
            device_id="ESP32_LL_01",
            now=NOW,
            before=None,
        )
        found = guide.run("all").calibrations
        self.show("line")
        return found

    def look(self) -> Look:
        """Measure once."""
        self.clock.sleep(PERIOD_S)
        self.seq += 1
        tof, spectral = self.tof.read(), self.spectral.read()
        uptime_ms = self.clock.monotonic_ns() // 1_000_000
        return Look(tof, spectral, part_of(tof, spectral, self.boot, self.seq, uptime_ms))


def part_of(tof: TofFrame, spectral: SpectralFrame, boot: int, seq: int, uptime_ms: int) -> RawPart:
    """What is sent of two frames."""
    counts = [int(each) for each in spectral.counts]
    (clear, clear_after), (nir, nir_after) = spectral.clear_halves, spectral.nir_halves
    return RawPart(
        boot,
        seq,
        uptime_ms,
        distance=_cells(integers(tof.distance_mm, DISTANCE_MM_MAX)),
        reflectance=_cells(integers(2.0 * tof.reflectance_pct, REFLECTANCE_MAX)),
        amplitude=_cells(integers(tof.signal_kcps, KCPS_MAX)),
        light=Light(
            (*counts[:4], clear, nir),
            (*counts[4:8], clear_after, nir_after),
            gain=round(spectral.gain * 2) / 2,
            integration_ms=round(spectral.integration_ms, 2),
        ),
    )


def _cells(rows: list[list[int | None]]) -> Cells:
    return tuple(cell for row in rows for cell in row)
