"""Records a session of the sensors, bus traffic and timing, to a capture file (docs/captures.md)."""

from datetime import datetime
from pathlib import Path

from drivers.bus import Bus
from drivers.capture import CaptureWriter, Header, RecordingBus
from drivers.errors import SettingError
from edge.probing import probe_world, self_test_world
from edge.settings import Settings
from edge.world import World, open_world

PERIOD_S = 1.0  # between two looks of `measure`: what an agent does by default


def record(settings: Settings, out: Path, *, session: str, seconds: float, scene: str, now: datetime) -> int:
    """Run `session` ("probe", "selftest" or "measure") and write what the bus carried to `out`; returns how much.

    seconds: of the bus clock, of `measure`. Raises what the sensors raise; what came until then is in the file.
    """
    if settings.bus == "replay":
        raise SettingError("bus", "replay", "which has been recorded already; use sim or linux")
    header = Header(
        chips="VL53L8CH, AS7341",
        origin="simulated" if settings.bus == "sim" else "hardware",
        session=session,
        scene=scene or ("simulated line" if settings.bus == "sim" else ""),
        faults=settings.faults or "",
        made=now.date().isoformat(),
    )
    writer = CaptureWriter(out, header)

    def wrap(bus: Bus) -> Bus:
        return RecordingBus(bus, writer)

    try:
        world = open_world(settings, wrap=wrap, faults_at_once=True)
        if session == "probe":
            probe_world(world)
        elif session == "selftest":
            self_test_world(world)
        else:
            measure(world, seconds)
    finally:
        writer.close()
    return writer.records


def measure(world: World, seconds: float) -> None:
    """Start both sensors, read them once a PERIOD_S for `seconds` of the bus clock, stop them, close the buses."""
    try:
        clock = world.bus.clock
        world.tof.start()
        world.spectral.start()
        end_ns = clock.monotonic_ns() + round(seconds * 1e9)
        while clock.monotonic_ns() < end_ns:
            began_ns = clock.monotonic_ns()
            world.tof.read()
            world.spectral.read()
            clock.sleep(max(0.0, PERIOD_S - (clock.monotonic_ns() - began_ns) / 1e9))
        world.spectral.stop()
        world.tof.stop()
    finally:
        world.close()
