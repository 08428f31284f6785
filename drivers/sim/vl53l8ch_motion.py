"""The motion indicator of the simulated VL53L8CH: light from a window of distances, beside what it was before.

How the firmware computes is not published. Taken here: each group's light is sorted into bins, each bin is compared
with its running mean, and the mean square of the differences in units of the noise is the intensity, so that a scene
that stands still gives about 1 and the manufacturer's threshold of 44 lies far above. Frames that nobody reads change
nothing.
"""

import struct
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from drivers.sim.vl53l8ch_cnh import CONFIGURATION, CONFIGURATION_BYTES, chip_order, in_bins, noise_kcps
from drivers.sim.vl53l8ch_mailbox import Parameters
from drivers.sim.vl53l8ch_optics import Exposure, Grid

PLACES = 32  # for groups in the block
FRACTION = 1 << 16
OFFSET_SCALE = 2048.0
AMBIENT_FLOOR_KCPS = 0.5  # electronics make some noise in the dark, too


@dataclass(frozen=True, slots=True)
class MotionConfiguration:
    """The 156 bytes that the host wrote. groups: chip zone numbers of each. edges: of the bins, in native bins."""

    groups: tuple[NDArray[np.intp], ...]
    edges: Grid
    threshold: float
    accumulations: int

    @classmethod
    def parse(cls, data: bytes, zones: int) -> "MotionConfiguration | None":
        """From the configuration block, for `zones` zones in all; None where it is one for histograms."""
        offset, threshold = struct.unpack_from("<iI", data)
        span, features, count, accumulations = data[18:22]
        if data[25] or not count or not features:
            return None
        members = np.frombuffer(data, np.int8, 64, 28)[:zones]
        groups = tuple(np.flatnonzero(members == number) for number in range(min(count, PLACES)))
        steps: Grid = np.arange(features + 1, dtype=np.float64)
        edges = offset / OFFSET_SCALE + steps * max(span, 1)
        return cls(groups, edges, threshold / FRACTION, max(accumulations, 1))


class MotionModel:
    """Fills motion blocks; remembers one session."""

    def __init__(self, configuration: MotionConfiguration) -> None:
        self._setup = configuration
        self._mean: Grid | None = None

    @classmethod
    def of(cls, parameters: Parameters, zones: int) -> "MotionModel | None":
        """As configured; None where no motion is looked for."""
        block = parameters[CONFIGURATION : CONFIGURATION + CONFIGURATION_BYTES]
        configuration = MotionConfiguration.parse(block, zones)
        return None if configuration is None else cls(configuration)

    def payload(self, exposure: Exposure, rng: np.random.Generator) -> bytes:
        """One block in host order."""
        setup = self._setup
        light, noise = self._light(exposure)
        seen = light + noise * rng.standard_normal(light.shape)
        before = seen if self._mean is None else self._mean
        weight = 1.0 if self._mean is None else 1.0 / setup.accumulations
        self._mean = before + weight * (seen - before)
        intensity = np.mean(((seen - before) / noise) ** 2, axis=1)
        places = np.zeros(PLACES)
        places[: len(intensity)] = intensity
        moving = int((intensity > setup.threshold).sum())
        fixed = np.minimum(np.rint(places * FRACTION), 2.0**32 - 1).astype("<u4")
        head = struct.pack("<2I4B", int(fixed.max()), 0, 0, moving, len(setup.groups), 0)
        return head + fixed.tobytes()

    def _light(self, exposure: Exposure) -> tuple[Grid, Grid]:
        """Light of every group by bins, and its noise, (groups, bins) each."""
        zones = exposure.ambient_kcps.size
        distance = chip_order(exposure.rays.distance_mm).reshape(zones, -1)
        signal = chip_order(exposure.rays.signal_kcps).reshape(zones, -1)
        ambient = chip_order(exposure.ambient_kcps[:, :, None]).ravel() + AMBIENT_FLOOR_KCPS
        by_zone = in_bins(np.nan_to_num(distance), signal, self._setup.edges)
        groups = self._setup.groups
        bins = by_zone.shape[1]
        light = np.array([by_zone[group].mean(axis=0) if len(group) else np.zeros(bins) for group in groups])
        level = np.array([ambient[group].mean() if len(group) else AMBIENT_FLOOR_KCPS for group in groups])
        members = np.array([max(len(group), 1) for group in groups])[:, None]
        span = float(self._setup.edges[1] - self._setup.edges[0])
        return light, noise_kcps(level[:, None] + light, span, members)
