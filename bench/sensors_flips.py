"""What becomes of flipped bits: a line runs, one bit of 2 % of all reads is flipped, and every frame is accounted for.

The chip has no checksum, so some flips cannot be known by anybody who reads a frame once. `knowable` says which could
have been: written a second time, on plain integers, and sharing nothing with the driver but the data sheet.
"""

import random
import struct
from collections import Counter
from dataclasses import dataclass, field

import numpy as np

from drivers.bus import BusError, VirtualClock
from drivers.errors import DriverError, FrameCorruptError
from drivers.frames import TofFrame
from drivers.sim.bus import SimBus, Transfer
from drivers.sim.scene import Scene
from drivers.sim.vl53l8ch import SimVl53l8ch
from drivers.vl53l8ch import Vl53l8ch
from drivers.vl53l8ch_frame import FrameDecoder
from drivers.vl53l8ch_settings import TofSettings

FLIP_SHARE = 0.02
NAMES = {
    0x54D0: ("ambient", "I"),
    0x55D0: ("spads", "I"),
    0xDB84: ("detected", "B"),
    0xDBC4: ("signal", "I"),
    0xDEC4: ("sigma", "H"),
    0xDF44: ("distance", "h"),
    0xE044: ("reflectance", "B"),
    0xE084: ("status", "B"),
    0x54B4: ("meta", "B"),
}


class WitnessedFlips:
    """Flips one bit of `share` of all reads, and remembers what was flipped. reads: frames since the last look."""

    def __init__(self, rng: random.Random, share: float, frame_bytes: int) -> None:
        self.reads: list[tuple[bytes, bytes]] = []
        self.flipped = 0
        self._rng = rng
        self._share = share
        self._frame_bytes = frame_bytes

    def before(self, transfer: Transfer) -> None:
        """Let every transfer through."""

    def after(self, transfer: Transfer, data: bytes) -> bytes:
        """Flip now and then."""
        received = data
        if data and self._rng.random() < self._share:
            self.flipped += 1
            bit = self._rng.randrange(8 * len(data))
            received = (int.from_bytes(data, "little") ^ 1 << bit).to_bytes(len(data), "little")
        if transfer.read_len == self._frame_bytes:
            self.reads.append((data, received))
        return received


@dataclass(slots=True)
class Outcome:
    """frames: handed out. hit: frame reads with a flipped bit. refused: of these, by what was found wrong. harmless:
    of these, handed out with every value right. unknowable: handed out wrong, by field, where no check can know.
    missed: handed out wrong where a check could have known. lost: intact frames that were refused. worst_mm: largest
    error of a distance handed out.
    """

    frames: int = 0
    hit: int = 0
    refused: Counter[str] = field(default_factory=Counter)
    harmless: int = 0
    unknowable: Counter[str] = field(default_factory=Counter)
    missed: list[str] = field(default_factory=list)
    lost: int = 0
    restarts: int = 0
    worst_mm: float = 0.0

    @property
    def unknowable_share(self) -> float:
        """Of all frames that were hit."""
        return self.unknowable.total() / max(self.hit, 1)


def study(seconds: float, settings: TofSettings, seed: int = 1) -> Outcome:
    """Run a line for so many virtual seconds."""
    clock = VirtualClock()
    bus = SimBus("bench", clock)
    bus.attach(SimVl53l8ch(clock, Scene(seed), seed))
    driver = Vl53l8ch(bus, settings=settings)
    driver.start()
    flips = WitnessedFlips(random.Random(seed), FLIP_SHARE, settings.frame_bytes)
    bus.faults.append(flips)
    outcome = Outcome()
    decoder = FrameDecoder(settings)
    end_ns = clock.monotonic_ns() + round(seconds * 1e9)
    last: TofFrame | None = None
    while clock.monotonic_ns() < end_ns:
        flips.reads.clear()
        frame, wrong = _read(driver, outcome)
        _account(outcome, decoder, flips.reads, (frame, wrong, last))
        last = frame or last
        if not driver.ranging:
            outcome.restarts += 1
            _restart(driver)
    return outcome


def _read(driver: Vl53l8ch, outcome: Outcome) -> tuple[TofFrame | None, str]:
    try:
        frame = driver.read()
    except FrameCorruptError as error:
        return None, error.field
    except (DriverError, BusError) as error:
        return None, type(error).__name__
    outcome.frames += 1
    return frame, ""


def _restart(driver: Vl53l8ch) -> None:
    for _ in range(20):
        try:
            driver.start()
        except (DriverError, BusError):
            continue
        return
    raise RuntimeError("the chip did not come back in 20 starts")


def _account(
    outcome: Outcome,
    decoder: FrameDecoder,
    reads: list[tuple[bytes, bytes]],
    result: tuple[TofFrame | None, str, TofFrame | None],
) -> None:
    frame, wrong, last = result
    hits = [(sent, received) for sent, received in reads if sent != received]
    outcome.hit += len(hits)
    if frame is None:
        if hits:
            outcome.refused[wrong] += len(hits)
        elif reads:
            outcome.lost += 1
        return
    truth = next(sent for sent, _ in reads if int.from_bytes(sent[8:12], "big") == frame.frame_id)
    right = decoder.decode(truth, 0)
    if equal(frame, right):
        outcome.harmless += len(hits)
        return
    received = hits[-1][1]
    outcome.worst_mm = max(outcome.worst_mm, float(np.nanmax(np.abs(frame.distance_mm - right.distance_mm), initial=0)))
    if knowable(truth, received, None if last is None else last.temperature_c):
        outcome.missed.append(f"frame {frame.frame_id}: {field_of(truth, received)}")
    outcome.unknowable[field_of(truth, received)] += 1


def equal(one: TofFrame, other: TofFrame) -> bool:
    """Whether two frames say the same, their times apart."""
    names = ("distance_mm", "sigma_mm", "signal_kcps", "ambient_kcps", "reflectance_pct", "spads", "status")
    same = (one.frame_id, one.temperature_c) == (other.frame_id, other.temperature_c)
    return same and all(np.array_equal(getattr(one, name), getattr(other, name), equal_nan=True) for name in names)


def _host(raw: bytes) -> bytes:
    return b"".join(raw[at : at + 4][::-1] for at in range(0, len(raw), 4))


def parse(raw: bytes) -> dict[str, tuple[int, ...]]:
    """Fields of a frame by a walk over its blocks, raw integers in the order of zones; "walk" are the headers met."""
    host = _host(raw)
    found: dict[str, tuple[int, ...]] = {}
    headers: list[int] = []
    at = 12
    while at + 12 < len(host):
        word = struct.unpack_from("<I", host, at)[0]
        headers.append(word)
        kind, size = word & 15, word >> 4 & 0xFFF
        length = kind * size if 1 < kind < 13 else size
        name, code = NAMES.get(word >> 16, ("", "B"))
        if name and at + 4 + length <= len(host):
            found[name] = struct.unpack_from(f"<{length // struct.calcsize(code)}{code}", host, at + 4)
        at += 4 + length
    found["walk"] = (*headers, *struct.unpack_from("<2I", host, len(host) - 12))
    found["ids"] = (*struct.unpack_from("<I", host, 8), *struct.unpack_from("<I", host, len(host) - 4))
    return found


def field_of(sent: bytes, received: bytes) -> str:
    """Which field a single flipped bit hit."""
    before, after = parse(sent), parse(received)
    return next((name for name in before if before[name] != after.get(name)), "other")


def knowable(sent: bytes, received: bytes, temperature_before_c: int | None) -> bool:
    """Whether the received bytes contradict the protocol, physics or themselves."""
    right, seen = parse(sent), parse(received)
    if seen["walk"] != right["walk"] or seen["ids"][0] != seen["ids"][1] or seen["ids"] != right["ids"]:
        return True
    if received[1] != 5 or received[2] & 5 != 5 or received[3] & 0x90 != 0x10:
        return True
    temperature_c = struct.unpack("b", bytes([seen["meta"][8]]))[0]
    if temperature_before_c is not None and abs(temperature_c - temperature_before_c) > 4:
        return True
    return any(_zone_contradicts(seen, zone) for zone in range(len(seen["status"])))


def _zone_contradicts(seen: dict[str, tuple[int, ...]], zone: int) -> bool:
    status = seen["status"][zone]
    beyond = any(seen[name][zone] > limit for name, limit in _LIMITS.items() if name in seen)
    if beyond or seen["detected"][zone] > 1:
        return True
    if seen["detected"][zone] == 0:
        return status in (5, 6, 9, 10)
    return _target_contradicts(seen, zone) if status in (5, 6, 9, 10) else 13 < status < 255


def _target_contradicts(seen: dict[str, tuple[int, ...]], zone: int) -> bool:
    distance_mm = seen["distance"][zone] / 4
    if not -100 <= distance_mm <= 4500:
        return True
    if "sigma" in seen and not 0.25 <= seen["sigma"][zone] / 128 <= 100:
        return True
    if not {"signal", "reflectance"} <= seen.keys():
        return False
    distance_mm = min(max(distance_mm, 0.0), 4000.0)
    follows_pct = seen["signal"][zone] / 2048 * distance_mm**2 * 100 / 2.06e8
    reported_pct = seen["reflectance"][zone] / 2
    return not min(follows_pct / 1.5, 127.5) - 2 <= reported_pct <= follows_pct * 1.5 + 2


_LIMITS = {"ambient": 10_000 * 2048, "spads": 16 * 256, "signal": 1_000_000 * 2048}
