"""Faults in time, and the bus that asks again."""

import itertools
import random

import pytest

from drivers.bus import BusTimeoutError, NakError, VirtualClock
from drivers.sim.as7341 import SimAs7341
from drivers.sim.bus import SimBus
from drivers.sim.scene import Scene
from drivers.sim.spoiled import Installation
from drivers.sim.timeline import NOTHING, PRESETS, THEATRE, Player, Step, Timeline, always, names, played
from drivers.sim.troubles import Rig
from drivers.sim.vl53l8ch import SimVl53l8ch
from drivers.steady import SteadyBus


class Bench:
    def __init__(self) -> None:
        self.clock = VirtualClock()
        place = Installation(Scene(1))
        self.bus = SimBus("bench", self.clock)
        tof, spectral = SimVl53l8ch(self.clock, place), SimAs7341(self.clock, place)
        self.bus.attach(tof)
        self.bus.attach(spectral)
        self.rig = Rig((self.bus,), tof, spectral, place, random.Random(1))  # noqa: S311
        self.said: list[tuple[float, str, bool]] = []

    def play(self, timeline: Timeline, lead_s: float = 0.0) -> Player:
        player = Player(self.rig, timeline, lead_s)
        player.on_change = lambda preset, on: self.said.append(
            (round(self.clock.monotonic_ns() / 1e9, 1), preset.name, on)
        )
        return player

    def ask(self) -> None:
        self.clock.sleep(0.001)
        self.bus.transfer(0x39, b"\x92", 1)


@pytest.fixture
def bench() -> Bench:
    bench = Bench()
    bench.clock.sleep(1.0)
    return bench


def test_a_fault_lasts_from_its_start_to_its_end(bench: Bench) -> None:
    player = bench.play(Timeline((Step(2.0, 4.0, PRESETS["absent-spectral"]),)))
    bench.ask()
    bench.clock.sleep(2.5)
    with pytest.raises(NakError):
        bench.ask()
    assert [preset.name for preset in player.on] == ["absent-spectral"]
    bench.clock.sleep(2.0)
    with pytest.raises(NakError):
        bench.ask()  # it has only just got its supply
    bench.ask()
    assert [(name, on) for _, name, on in bench.said] == [("absent-spectral", True), ("absent-spectral", False)]


def test_what_came_and_went_between_two_transfers_has_happened(bench: Bench) -> None:
    bench.bus.transfer(0x39, b"\xaa\x05")
    bench.play(Timeline((Step(1.0, 1.3, PRESETS["brown-out-spectral"]),)))
    bench.clock.sleep(5.0)
    with pytest.raises(NakError):
        bench.ask()
    bench.clock.sleep(0.01)
    assert bench.bus.transfer(0x39, b"\xaa", 1) == b"\x09", "back at its reset value"


def test_the_theatre_plays_every_preset_in_turn_with_pauses_and_begins_again(bench: Bench) -> None:
    timeline = played(THEATRE)
    bench.play(timeline, lead_s=10.0)
    assert timeline.every_s is not None
    while bench.clock.monotonic_ns() / 1e9 < 11.0 + timeline.every_s + 20.0:
        bench.clock.sleep(1.0)
        try:
            bench.ask()
        except (NakError, BusTimeoutError):
            continue
    on = [name for _, name, began in bench.said if began]
    assert on == [*PRESETS, next(iter(PRESETS))]
    states = [began for _, _, began in bench.said]
    assert all(before != after for before, after in itertools.pairwise(states)), "never two at once"


def test_names() -> None:
    assert names() == [*PRESETS, "theatre"]
    with pytest.raises(ValueError, match="there is no fault 'gremlins'; there are nak, "):
        always("gremlins")


def test_one_seed_is_one_run() -> None:
    def run() -> list[bool]:
        bench = Bench()
        bench.clock.sleep(1.0)
        bench.play(always("nak"))
        refused: list[bool] = []
        for _ in range(200):
            try:
                bench.ask()
                refused.append(False)
            except NakError:
                refused.append(True)
        return refused

    assert run() == run()
    assert 0 < sum(run()) < 20


def test_a_refused_transfer_is_sent_again_twice_and_a_probe_never(bench: Bench) -> None:
    steady = SteadyBus(bench.bus)
    player = bench.play(Timeline((Step(0.0, None, PRESETS["absent-spectral"]),)))
    before = bench.bus.transfers
    with pytest.raises(NakError):
        steady.transfer(0x39, b"\x92", 1)
    assert bench.bus.transfers - before == 3
    assert (steady.retried, steady.refused) == (2, 1)
    with pytest.raises(NakError):
        steady.transfer(0x39)
    assert bench.bus.transfers - before == 4
    assert player.on


def test_a_time_limit_is_not_waited_for_again(bench: Bench) -> None:
    steady = SteadyBus(bench.bus)
    bench.play(always("stuck-bus"))
    with pytest.raises(BusTimeoutError):
        steady.transfer(0x39, b"\x92", 1)
    assert steady.retried == 0


def test_a_fault_is_played_when_asked_for_and_ends_by_itself_or_by_word(bench: Bench) -> None:
    player = bench.play(NOTHING)
    bench.ask()
    player.play("absent-spectral", 3.0)
    with pytest.raises(NakError):
        bench.ask()
    bench.clock.sleep(4.0)
    with pytest.raises(NakError):
        bench.ask()  # it has only just got its supply
    bench.ask()
    player.play("absent-spectral", 300.0)
    player.calm()
    assert player.on == []
    assert [(name, on) for _, name, on in bench.said] == [("absent-spectral", True), ("absent-spectral", False)] * 2
    with pytest.raises(ValueError, match="there is no fault 'fire'"):
        player.play("fire")
