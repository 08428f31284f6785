"""The command that switches the sensors' supply: run as it stands, and never silently in vain."""

import sys
from pathlib import Path

import pytest

from drivers.bus import VirtualClock
from drivers.errors import SensorFaultError
from edge.power import SETTLE_S, power_cycle
from edge.settings import SettingsError, load


def test_the_command_is_run_without_a_shell(tmp_path: Path) -> None:
    """Goal: quotes hold words together, and nothing is expanded. Method: a program that writes down what it got."""
    clock, out = VirtualClock(), tmp_path / "said"
    program = "import sys; open(sys.argv[1], 'w').write(repr(sys.argv[2:]))"
    power_cycle(f'{sys.executable} -c "{program}" {out} "a b" $HOME ;', clock)()
    assert out.read_text() == "['a b', '$HOME', ';']"
    assert clock.monotonic_ns() == round(SETTLE_S * 1e9)


@pytest.mark.parametrize(
    ("command", "words"),
    [
        ("/nowhere/gpioset 17=0", "cannot be run"),
        (f"{sys.executable} -c \"import sys; sys.exit('no such line')\"", "status 1: no such line"),
    ],
)
def test_a_command_that_fails_is_told(command: str, words: str) -> None:
    with pytest.raises(SensorFaultError, match=words):
        power_cycle(command, VirtualClock())()


@pytest.mark.parametrize("command", ["", "  ", "gpioset 'x"])
def test_a_command_that_is_none_is_refused_at_once(command: str) -> None:
    with pytest.raises(SettingsError, match="power_command"):
        load(None, {}, {"device": "d", "site": "LL", "state_dir": "x", "power_command": command})
