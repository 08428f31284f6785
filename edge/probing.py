"""What is on the bus, and whether both sensors really deliver: for the person who has just wired them."""

from dataclasses import dataclass
from typing import Protocol

from drivers.bus import BusError
from drivers.errors import DriverError
from drivers.probe import AS7341_ADDRESS, VL53L8_ADDRESS, probe
from edge.settings import Settings
from edge.world import open_world


@dataclass(frozen=True, slots=True)
class Checked:
    """One address of the bus. healthy: a sensor that SQAL uses, started, and a frame of it was read."""

    address: int
    chip: str | None
    healthy: bool
    sentence: str


class _Sensor(Protocol):
    def start(self) -> None: ...
    def read(self) -> object: ...
    def stop(self) -> None: ...


def probe_world(settings: Settings) -> list[Checked]:
    """Look at every address, then start each fitting sensor and read one frame. Raises BusUnavailableError."""
    world = open_world(settings)
    sensors: dict[int, _Sensor] = {VL53L8_ADDRESS: world.tof, AS7341_ADDRESS: world.spectral}
    found: list[Checked] = []
    try:
        for each in probe(world.bus):
            sensor = sensors.get(each.address) if each.fit else None
            trouble = None if sensor is None else _try(sensor)
            healthy = sensor is not None and trouble is None
            sentence = each.sentence if sensor is None else f"{each.sentence}; {trouble or 'a frame was read: healthy'}"
            found.append(Checked(each.address, each.chip, healthy, sentence))
    finally:
        world.bus.close()
    return found


def _try(sensor: _Sensor) -> str | None:
    try:
        sensor.start()
        sensor.read()
        sensor.stop()
    except (DriverError, BusError) as error:
        return f"but it fails: {error}"
    return None
