"""When what goes wrong: troubles on a timeline of the bus's own time, by name, alone or all of them one after another.

A `Player` sits on every simulated bus and acts just before a transfer, because between two transfers nobody can tell.
What a newcomer gets wrong: the times are those of the bus. In a simulation faster than life they come sooner.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

from drivers.sim.bus import Transfer
from drivers.sim.troubles import (
    BOTH,
    SPECTRAL,
    TOF,
    Absent,
    Active,
    Flips,
    LaserFault,
    McuError,
    Naks,
    NeverValid,
    Rig,
    SlowBus,
    StuckBus,
    StuckFrames,
    Swapped,
    TornReads,
    Trouble,
    WrongId,
)
from drivers.sim.troubles_light import DeadLamp, DirtyWindow, Glare

BROWN_OUT_S = 0.3  # a dip of the supply: shorter than anybody notices, long enough to forget everything
PLAY_S = 12.0  # of a fault in the theatre: three rungs of the ladder and what follows them
PAUSE_S = 18.0  # … and of good health after it: the longest wait for the next attempt, and some samples
LEAD_S = 30.0  # a first start downloads firmware and calibrates


@dataclass(frozen=True, slots=True)
class Preset:
    """A fault with a name. words: what a person would say has happened. for_s: when it ends by itself, if it does."""

    name: str
    words: str
    trouble: Trouble
    for_s: float | None = None


_ALL: Final = (
    Preset("nak", "a bad contact: one transfer in fifty is refused", Naks(share=0.02)),
    Preset("nak-burst", "a knock on the connector: forty transfers are refused", Naks(most=40)),
    Preset("stuck-bus", "SDA is held low: nobody on the bus can speak", StuckBus()),
    Preset("bit-flips", "noise on the wire: a bit is wrong in 2 % of all reads", Flips(share=0.02)),
    Preset("torn-reads", "frames are read while the chip replaces them", TornReads()),
    Preset("brown-out", "the supply of both sensors dips for 0.3 s", Absent(BOTH), BROWN_OUT_S),
    Preset("brown-out-tof", "the supply of the VL53L8CH dips for 0.3 s", Absent(TOF), BROWN_OUT_S),
    Preset("brown-out-spectral", "the supply of the AS7341 dips for 0.3 s", Absent(SPECTRAL), BROWN_OUT_S),
    Preset("absent-tof", "the VL53L8CH is unplugged", Absent(TOF)),
    Preset("absent-spectral", "the AS7341 is unplugged", Absent(SPECTRAL)),
    Preset("absent", "both sensors are without supply", Absent(BOTH)),
    Preset("swapped-tof", "something else sits in place of the VL53L8CH", Swapped(TOF)),
    Preset("swapped-spectral", "something else sits in place of the AS7341", Swapped(SPECTRAL)),
    Preset("wrong-id-tof", "a VL53L5CX sits in place of the VL53L8CH", WrongId(TOF)),
    Preset("wrong-id-spectral", "the AS7341's identity register is wrong", WrongId(SPECTRAL)),
    Preset("slow-bus", "the bus runs at 100 kHz", SlowBus()),
    Preset("laser-fault", "the laser's safety circuit has tripped", LaserFault()),
    Preset("mcu-error", "the VL53L8CH's processor fails once", McuError()),
    Preset("mcu-dead", "the VL53L8CH's processor fails again and again", McuError(again=True)),
    Preset("stuck-stream", "the VL53L8CH shows the same frame for ever", StuckFrames()),
    Preset("avalid-never", "the AS7341 never finishes a measurement", NeverValid()),
    Preset("saturation", "glare: the AS7341 is blinded", Glare()),
    Preset("dead-led", "the lamp is dead", DeadLamp()),
    Preset("dirty-window", "fat on the windows", DirtyWindow()),
)
PRESETS: Final = {preset.name: preset for preset in _ALL}
THEATRE = "theatre"


@dataclass(frozen=True, slots=True)
class Step:
    """A preset from `start_s` to `end_s` of the bus clock, counted from where its timeline begins; None: for ever."""

    start_s: float
    end_s: float | None
    preset: Preset


@dataclass(frozen=True, slots=True)
class Timeline:
    """Steps in order of their start. every_s: after so long it begins again, None when it doesn't."""

    steps: tuple[Step, ...]
    every_s: float | None = None


def names() -> list[str]:
    """What may be asked for."""
    return [*PRESETS, THEATRE]


def always(name: str) -> Timeline:
    """A preset from the first moment on, for a look at a bus that is broken. Raises ValueError for an unknown name."""
    preset = _preset(name)
    return Timeline((Step(0.0, preset.for_s, preset),))


def played(name: str) -> Timeline:
    """A preset again and again with pauses, or all of them (THEATRE). Raises ValueError for an unknown name."""
    presets = _ALL if name == THEATRE else (_preset(name),)
    turn_s = PLAY_S + PAUSE_S
    steps = tuple(
        Step(place * turn_s, place * turn_s + (preset.for_s or PLAY_S), preset) for place, preset in enumerate(presets)
    )
    return Timeline(steps, len(presets) * turn_s)


def _preset(name: str) -> Preset:
    preset = PRESETS.get(name)
    if preset is None:
        raise ValueError(f"there is no fault {name!r}; there are {', '.join(names())}")
    return preset


NOTHING: Final = Timeline(())  # for a player that only plays what it is asked for


class Player:
    """Plays `timeline` on the buses of `rig`, from `lead_s` after its making on. on_change: a preset begins or ends."""

    def __init__(self, rig: Rig, timeline: Timeline, lead_s: float = 0.0) -> None:
        self.on_change: Callable[[Preset, bool], None] | None = None
        self._rig = rig
        self._timeline = timeline
        self._begin_s = rig.buses[0].clock.monotonic_ns() / 1e9 + lead_s
        self._next = 0  # step that is to begin next
        self._active: list[tuple[float, Preset, Active]] = []
        for bus in rig.buses:
            bus.faults.append(self)

    @property
    def on(self) -> list[Preset]:
        """What is wrong now."""
        return [preset for _, preset, _ in self._active]

    def play(self, name: str, for_s: float = PLAY_S) -> Preset:
        """Begin a preset now, beside the timeline, for `for_s` of the bus clock or as long as it lasts by itself.

        Between two transfers, on the bus's own thread. Raises ValueError for an unknown name.
        """
        preset = _preset(name)
        end_s = self._rig.buses[0].clock.monotonic_ns() / 1e9 - self._begin_s + (preset.for_s or for_s)
        self._active.append((end_s, preset, preset.trouble.begin(self._rig)))
        self._tell(preset, True)
        return preset

    def calm(self) -> None:
        """End what is on now; the timeline goes on. On the bus's own thread."""
        self._end(float("inf"))

    def before(self, transfer: Transfer) -> None:
        """Begin and end what is due, then let what is on have its way."""
        self._advance(transfer.at_ns / 1e9 - self._begin_s)
        for _, _, active in tuple(self._active):
            active.before(transfer)

    def after(self, transfer: Transfer, data: bytes) -> bytes:
        """As what is on wants it."""
        for _, _, active in tuple(self._active):
            data = active.after(transfer, data)
        return data

    def _advance(self, now_s: float) -> None:
        """In order of time: what ended before something else began has ended before it begins."""
        while True:
            step, start_s = self._step()
            ends_s = min((end_s for end_s, _, _ in self._active), default=float("inf"))
            if ends_s <= min(now_s, start_s):
                self._end(ends_s)
            elif step is not None and start_s <= now_s:
                self._next += 1
                end_s = float("inf") if step.end_s is None else start_s + step.end_s - step.start_s
                self._active.append((end_s, step.preset, step.preset.trouble.begin(self._rig)))
                self._tell(step.preset, True)
            else:
                return

    def _step(self) -> tuple[Step | None, float]:
        steps, every_s = self._timeline.steps, self._timeline.every_s
        if not steps:
            return None, float("inf")
        turn, place = divmod(self._next, len(steps))
        if turn and every_s is None:
            return None, float("inf")
        return steps[place], steps[place].start_s + turn * (every_s or 0.0)

    def _end(self, at_s: float) -> None:
        for entry in [entry for entry in self._active if entry[0] <= at_s]:
            self._active.remove(entry)
            entry[2].end()
            self._tell(entry[1], False)

    def _tell(self, preset: Preset, on: bool) -> None:
        if self.on_change is not None:
            self.on_change(preset, on)
