"""Both production drivers on one bus before one scene: they see the same piece, and it is the true one."""

import numpy as np

from drivers.as7341 import As7341
from drivers.bus import VirtualClock
from drivers.sim.as7341 import SimAs7341
from drivers.sim.bus import SimBus
from drivers.sim.scene import Scene
from drivers.sim.vl53l8ch import SimVl53l8ch
from drivers.vl53l8ch import Vl53l8ch

EDGES = np.tan(np.radians(np.linspace(-22.5, 22.5, 9)))
SOLID = np.outer(np.diff(EDGES), np.diff(EDGES))
RED, GREEN = 6, 4  # 630 nm, 555 nm


def test_volume_by_range_and_blood_by_colour() -> None:
    """Volume from 64 distances is within a tenth of the truth; red over green grows with blood, piece by piece."""
    clock = VirtualClock()
    scene = Scene(4)
    bus = SimBus("line", clock, 400_000)
    bus.attach(SimVl53l8ch(clock, scene, seed=4))
    bus.attach(SimAs7341(clock, scene, seed=4, unit_spread=0.05))
    tof, spectral = Vl53l8ch(bus), As7341(bus)
    tof.start(15)
    spectral.start()
    blood_per_scatter, redness = list[float](), list[float]()
    first = int(clock.monotonic_ns() / 4e9) + 1
    for piece in range(first, first + 10):
        clock.sleep(4.0 * piece + 0.3 - clock.monotonic_ns() / 1e9)
        frames = [tof.read() for _ in range(3)]
        counts = spectral.read().counts
        truth = scene.truth(clock.monotonic_ns() / 1e9)
        assert truth is not None
        assert truth.still
        assert truth.piece.number == piece
        z_mm = np.nan_to_num(frames[-1].distance_mm, nan=250.0)
        volume_mm3 = float((SOLID * (250.0**3 - z_mm**3) / 3.0).sum())
        assert abs(volume_mm3 / truth.piece.volume_mm3 - 1.0) < 0.10, truth.piece
        blood_per_scatter.append(truth.piece.pigments.blood / truth.piece.pigments.scatter_per_cm)
        redness.append(counts[RED] / counts[GREEN])
    assert np.corrcoef(np.sqrt(blood_per_scatter), redness)[0, 1] > 0.5
