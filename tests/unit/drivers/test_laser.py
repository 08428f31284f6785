"""The ranging chip's laser in its neighbour's near infrared, and how it is kept out of it."""

import pytest

from drivers.as7341 import As7341
from drivers.bus import VirtualClock
from drivers.errors import SensorFaultError
from drivers.sim.as7341 import SimAs7341
from drivers.sim.bus import SimBus
from drivers.sim.scene import WHITE_TILE, Scene
from drivers.sim.vl53l8ch import SimVl53l8ch
from drivers.vl53l8ch import Vl53l8ch
from drivers.vl53l8ch_settings import Measurement, RangingMode, Threshold, TofSettings, Window
from tests.unit.drivers.planes import Rig

NIR, CLEAR = 9, 8


class Site:
    """Both chips before a white tile, the laser of the one in the field of the other."""

    def __init__(self, settings: TofSettings | None = None, bus_hz: int = 1_000_000) -> None:
        self.clock = VirtualClock()
        scene = Scene(7)
        scene.stage = WHITE_TILE
        self.chip = SimVl53l8ch(self.clock, scene, 7)
        scene.laser = self.chip
        self.bus = SimBus("tof", self.clock, bus_hz)
        self.bus.attach(self.chip)
        spectral_bus = SimBus("spectral", self.clock, 400_000)
        spectral_bus.attach(SimAs7341(self.clock, scene, seed=7))
        self.tof = Vl53l8ch(self.bus, settings=settings)
        self.spectral = As7341(spectral_bus)
        self.spectral.start(gain=64)
        self.tof.start()

    @property
    def now_s(self) -> float:
        return self.clock.monotonic_ns() / 1e9


def test_the_laser_is_seen_in_the_near_infrared_and_not_while_paused() -> None:
    """Goal: the trouble is real, and a pause ends it. Method: one white tile, a spectrum with and without a pause."""
    site = Site()
    site.tof.read()
    lit = site.spectral.read().counts
    site.tof.pause()
    dark = site.spectral.read().counts
    site.tof.resume()
    again = site.spectral.read().counts
    assert lit[NIR] > 1.1 * dark[NIR]
    assert lit[:CLEAR] == pytest.approx(dark[:CLEAR], rel=0.03)
    assert again[NIR] == pytest.approx(lit[NIR], rel=0.03)
    site.tof.stop()
    assert site.spectral.read().counts[NIR] == pytest.approx(dark[NIR], rel=0.03)


def test_in_autonomous_mode_the_laser_is_on_for_its_integrations_only() -> None:
    site = Site(TofSettings(frequency_hz=5, mode=RangingMode.AUTONOMOUS, integration_ms=10))
    began_s = site.now_s
    site.tof.read()
    site.clock.sleep(1.0)
    assert site.chip.laser_share(began_s + 0.3, began_s + 1.1) == pytest.approx(0.2)
    instants = [site.chip.laser_share(began_s + 0.001 * step, began_s + 0.001 * step) for step in range(200)]
    assert set(instants) == {0.0, 1.0}
    assert sum(instants) == pytest.approx(40, abs=1)


def test_what_was_seen_is_told_afterwards() -> None:
    """A neighbour asks about the past: sessions that have ended, the gap between them, and before the first."""
    site = Site()
    began_s = site.now_s
    site.tof.pause()
    paused_s = site.now_s
    site.clock.sleep(1.0)
    site.tof.resume()
    site.clock.sleep(1.0)
    share = site.chip.laser_share
    assert share(0.0, 0.1) == 0.0
    assert share(began_s - 0.0005, paused_s) > 0.8
    assert share(paused_s, paused_s + 1.0) == 0.0
    assert share(paused_s, paused_s + 2.0) == pytest.approx(0.5, abs=0.01)


def test_without_supply_and_after_a_laser_fault_there_is_no_light() -> None:
    site = Site()
    site.chip.supply = False
    site.clock.sleep(1.0)
    assert site.chip.laser_share(site.now_s - 0.9, site.now_s) == 0.0
    site.chip.supply = True
    site.chip.power_cycle()
    site.chip.laser_fault = 1
    with pytest.raises(SensorFaultError, match="laser safety"):
        site.tof.start()
    assert site.chip.laser_share(site.now_s - 0.0001, site.now_s) == 0.0


def test_autostop_ends_the_light() -> None:
    near = Threshold(0, 0, Measurement.DISTANCE_MM, Window.AT_MOST_LOW, 4000.0)
    rig = Rig(settings=TofSettings(thresholds=(near,), autostop=True))
    rig.driver.start()
    rig.driver.read()
    rig.clock.sleep(1.0)
    assert rig.chip.laser_share(rig.now_s - 0.9, rig.now_s) == 0.0


@pytest.mark.parametrize("bus_hz", [100_000, 1_000_000])
def test_a_pause_and_a_resume_are_cheap(bus_hz: int) -> None:
    """Fewer bytes than a sixth of a frame; in time, the frame that has begun, and one period to the next."""
    site = Site(TofSettings(frequency_hz=5), bus_hz)
    site.tof.read()
    bytes_before, before_s = site.bus.wire_bytes, site.now_s
    site.tof.pause()
    paused_s = site.now_s
    site.tof.resume()
    resumed_s = site.now_s
    assert site.bus.wire_bytes - bytes_before < 400
    assert paused_s - before_s < 0.2 + 0.02
    assert resumed_s - paused_s < 0.03
    assert site.tof.read().frame_id == 0
    assert site.now_s - resumed_s < 0.2 + 0.2


def test_a_resumed_chip_has_kept_its_settings_and_is_still_judged() -> None:
    site = Site(TofSettings(zones=4, frequency_hz=30))
    before = site.tof.read()
    site.tof.pause()
    site.tof.pause()
    assert site.tof.paused
    with pytest.raises(SensorFaultError, match="not been started"):
        site.tof.read()
    site.tof.resume()
    assert not site.tof.paused
    after = site.tof.read()
    assert after.distance_mm.shape == (4, 4)
    assert after.distance_mm == pytest.approx(before.distance_mm, abs=8)
    assert site.tof.counters.boots == 1
    assert site.tof.frames_missed == 0


def test_a_pause_needs_a_chip_that_ranges_and_a_resume_one_that_is_paused() -> None:
    rig = Rig()
    with pytest.raises(SensorFaultError, match="not been started"):
        rig.driver.pause()
    with pytest.raises(SensorFaultError, match="not been paused"):
        rig.driver.resume()
    rig.driver.start()
    rig.driver.pause()
    rig.driver.stop()
    with pytest.raises(SensorFaultError, match="not been paused"):
        rig.driver.resume()


def test_a_supply_that_dips_during_a_pause_is_noticed() -> None:
    rig = Rig()
    rig.driver.start()
    rig.driver.read()
    rig.driver.pause()
    rig.chip.power_cycle()
    with pytest.raises(SensorFaultError, match="lost its firmware"):
        rig.driver.resume()
    rig.driver.start()
    rig.driver.read()
    assert rig.driver.counters.boots == 2
