"""Figures of the VL53L8CH: bytes and time on the wire, CPU per frame, simulated seconds per second, flipped bits."""

import time
from collections.abc import Callable
from typing import Any

from depz_sensor_sdk.vl53l8 import cnh as depz_cnh
from depz_sensor_sdk.vl53l8 import uld

from bench.figures import Figure, median
from bench.sensors_flips import Outcome, study
from drivers.bus import Bus, VirtualClock
from drivers.sim.bus import SimBus
from drivers.sim.scene import Scene
from drivers.sim.vl53l8ch import SimVl53l8ch
from drivers.vl53l8ch import Vl53l8ch
from drivers.vl53l8ch_cnh import CnhSettings
from drivers.vl53l8ch_settings import EVERYTHING, USUAL, Output, TofSettings

BUSES_HZ = (100_000, 400_000, 1_000_000)
SELECTIONS: dict[str, TofSettings] = {
    "distance and status": TofSettings(outputs=frozenset()),
    "… and sigma": TofSettings(outputs=frozenset({Output.SIGMA})),
    "usual": TofSettings(outputs=USUAL),
    "everything": TofSettings(outputs=EVERYTHING),
    "usual, 4 targets": TofSettings(outputs=USUAL, targets=4),
    "usual, CNH 16 x 18": TofSettings(outputs=USUAL, cnh=CnhSettings.tiled(4, 4, bins=18)),
}
DEPZ_FRAME_BYTES = 1444
POLL_BYTES_MAX = 60  # addresses, and some polls for the frame, on top of the smallest possible frame
PARSE_US_MAX, CNH_PARSE_US_MAX, SPEED_MIN = 50.0, 100.0, 100.0
HOUR_S = 3600.0


def run(quick: bool) -> list[Figure]:
    """All of them; some 90 s, a few when quick."""
    return [*_init(), *_frames(), *_cpu(quick), _speed(quick), *_flips(quick)]


def _rig(bus_hz: int = 1_000_000, settings: TofSettings | None = None) -> tuple[VirtualClock, SimBus, Vl53l8ch]:
    clock = VirtualClock()
    bus = SimBus("bench", clock, bus_hz)
    bus.attach(SimVl53l8ch(clock, Scene(1), 1))
    return clock, bus, Vl53l8ch(bus, settings=settings)


class _Platform:
    """The transport of depz's ULD."""

    def __init__(self, bus: Bus) -> None:
        self._bus = bus

    def rd_multi(self, register: int, size: int) -> bytes:
        return self._bus.transfer(0x29, register.to_bytes(2, "big"), size)

    def wr_multi(self, register: int, data: bytes) -> None:
        for start in range(0, len(data), 4096):
            self._bus.transfer(0x29, (register + start).to_bytes(2, "big") + data[start : start + 4096])

    def sleep_ms(self, duration_ms: int) -> None:
        self._bus.clock.sleep(duration_ms / 1000)


def _uld(bus: Bus) -> Any:
    return uld.VL53L8CX(_Platform(bus), variant="ch")


def _init() -> list[Figure]:
    """From power-on to ranging, ours and depz's, at 8 x 8 zones and 5 Hz."""
    figures: list[Figure] = []
    for bus_hz in BUSES_HZ:
        clock, bus, driver = _rig(bus_hz)
        driver.start(5)
        own_s, own_bytes = clock.monotonic_ns() / 1e9, bus.wire_bytes
        clock, bus, _ = _rig(bus_hz)
        chip = _uld(bus)
        chip.init()
        chip.set_resolution(uld.RESOLUTION_8X8)
        chip.set_ranging_frequency_hz(5)
        chip.set_ranging_mode(uld.RANGING_MODE_CONTINUOUS)
        chip.start_ranging()
        depz_s = clock.monotonic_ns() / 1e9
        if bus_hz == BUSES_HZ[0]:
            note = f"power-on to ranging, addresses included; depz {bus.wire_bytes} bytes"
            figures.append(Figure("ToF init", own_bytes, "bytes", note=note))
        name = f"ToF init at {bus_hz // 1000} kHz"
        note = f"depz {depz_s:.2f} s, {depz_s - own_s:.2f} s of it needless waits"
        figures.append(Figure(name, own_s, "s", note=note))
    return figures


def _smallest_bytes(settings: TofSettings) -> int:
    """What the selected outputs need: 24 bytes of frame, and each block with its header."""
    cells, targets = settings.zones**2, settings.targets
    width = {Output.AMBIENT: 4, Output.SPADS: 4, Output.SIGNAL: 4, Output.SIGMA: 2, Output.REFLECTANCE: 1}
    blocks = [0, 12, 4, cells, 2 * cells * targets, cells * targets]
    blocks += [
        width[each] * cells * (1 if each in (Output.AMBIENT, Output.SPADS) else targets) for each in settings.outputs
    ]
    if settings.cnh is not None:
        blocks.append(settings.cnh.memory_bytes)
    return 24 + sum(4 + size for size in blocks)


def _frames() -> list[Figure]:
    figures: list[Figure] = []
    for name, settings in SELECTIONS.items():
        carried = _carried_bytes(settings)
        smallest = _smallest_bytes(settings)
        most = smallest + POLL_BYTES_MAX
        times = ", ".join(f"{settings.wire_s(bus_hz) * 1000:.1f} ms at {bus_hz // 1000} kHz" for bus_hz in BUSES_HZ)
        note = f"frame {settings.frame_bytes}, smallest possible {smallest}, depz {DEPZ_FRAME_BYTES}; {times}"
        figures.append(Figure(f"ToF bytes a frame, {name}", carried, "bytes", f"<= {most}", carried <= most, note))
    return figures


def _carried_bytes(settings: TofSettings) -> float:
    """Bytes on the wire per frame in steady state, polls and addresses included."""
    _, bus, driver = _rig(settings=settings)
    driver.start()
    for _ in range(30):
        driver.read()
    before = bus.wire_bytes
    for _ in range(60):
        driver.read()
    return (bus.wire_bytes - before) / 60


def _cpu(quick: bool) -> list[Figure]:
    rounds = 15 if quick else 60
    figures: list[Figure] = []
    limits = {"usual": PARSE_US_MAX, "everything": PARSE_US_MAX, "usual, CNH 16 x 18": CNH_PARSE_US_MAX}
    for name, limit_us in limits.items():
        settings = SELECTIONS[name]
        _, bus, driver = _rig(settings=settings)
        driver.start()
        driver.read()
        raw = bus.transfer(driver.address, b"\0\0", settings.frame_bytes)
        own_us, depz_us = _race(_own_parser(driver, raw), _depz_parser(settings, raw), rounds)
        note = f"decode, convert and check; depz decodes the same in {depz_us:.0f} us, {depz_us / own_us:.1f}x"
        figures.append(Figure(f"ToF CPU a frame, {name}", own_us, "us", f"<= {limit_us:.0f}", own_us <= limit_us, note))
    return figures


def _own_parser(driver: Vl53l8ch, raw: bytes) -> Callable[[], object]:
    decoder = driver.decoder()

    def parse() -> object:
        frame = decoder.decode(raw, 0)
        decoder.contradictions(frame, raw)
        return frame

    return parse


def _depz_parser(settings: TofSettings, raw: bytes) -> Callable[[], object]:
    chip = _uld(_rig()[1])
    chip.data_read_size = len(raw)
    config = depz_cnh.CnhConfig()
    if settings.cnh is None:
        return lambda: chip.parse_frame(raw)
    config.nb_of_aggregates, config.feature_length = settings.cnh.aggregates, settings.cnh.bins
    return lambda: depz_cnh.decode(config, chip.parse_frame(raw)["cnh_raw"])


def _race(own: Callable[[], object], other: Callable[[], object], rounds: int) -> tuple[float, float]:
    """Fastest of many short rounds of either, taken in turns: what the machine does beside it stays out, in us."""
    best = [float("inf"), float("inf")]
    for _ in range(rounds):
        for place, call in enumerate((own, other)):
            began = time.perf_counter()
            for _ in range(50):
                call()
            best[place] = min(best[place], (time.perf_counter() - began) / 50 * 1e6)
    return best[0], best[1]


def _speed(quick: bool) -> Figure:
    """Chip, driver and scene of one device: belt with stops, 8 x 8 zones, 15 Hz."""
    seconds, speeds = (10.0, []) if quick else (60.0, [])
    for _ in range(5):
        clock, _, driver = _rig()
        driver.start()
        began, until_ns = time.perf_counter(), clock.monotonic_ns() + round(seconds * 1e9)
        while clock.monotonic_ns() < until_ns:
            driver.read()
        speeds.append(seconds / (time.perf_counter() - began))
    note = f"median of five; chip, driver, bus and moving scene at 15 Hz; fastest {max(speeds):.0f}x"
    speed = median(speeds)
    return Figure("ToF simulated time", speed, "s/s", f">= {SPEED_MIN:.0f}", speed >= SPEED_MIN, note)


def _flips(quick: bool) -> list[Figure]:
    seconds = 120.0 if quick else HOUR_S
    once, twice = study(seconds, TofSettings()), study(seconds, TofSettings(double_read=True))
    return [
        _missed("read once", once, seconds),
        Figure("ToF flips that no check can know", 100 * once.unknowable_share, "%", note=_unknowable_note(once)),
        _missed("read twice", twice, seconds),
        Figure(
            "ToF wrong frames handed out, read twice",
            twice.unknowable.total(),
            "frames",
            "0",
            twice.unknowable.total() == 0,
            f"of {twice.hit} hit; {twice.frames} frames handed out",
        ),
    ]


def _missed(name: str, outcome: Outcome, seconds: float) -> Figure:
    refused = ", ".join(f"{field} {count}" for field, count in outcome.refused.most_common(6))
    note = (
        f"{seconds:.0f} s, 2 % of all reads with a flipped bit: {outcome.frames} frames out, {outcome.hit} hit, "
        f"{outcome.refused.total()} refused ({refused}), {outcome.harmless} harmless, {outcome.lost} intact ones lost, "
        f"{outcome.restarts} restarts"
    )
    return Figure(f"ToF knowable flips missed, {name}", len(outcome.missed), "frames", "0", not outcome.missed, note)


def _unknowable_note(outcome: Outcome) -> str:
    fields = ", ".join(f"{name} {count}" for name, count in outcome.unknowable.most_common())
    frames = 100 * outcome.unknowable.total() / max(outcome.frames, 1)
    worst = f"distance wrong by {outcome.worst_mm:.0f} mm at most"
    return f"of frames hit, {frames:.2f} % of all; bits of {fields}; {worst}"
