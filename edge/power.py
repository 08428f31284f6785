"""Switches the supply of the sensors off and on with a command of the installation: the last rung of their ladder.

The command is the operator's, from the settings file, and is run as it stands, without a shell: `gpioset` on a
Raspberry Pi, `uhubctl` where the sensors hang on a USB hub. Nothing that arrives over the network reaches it.
"""

import shlex
import subprocess
from collections.abc import Callable

from drivers.bus import Clock
from drivers.errors import SensorFaultError

COMMAND_S = 10.0  # a relay needs a second; what takes longer than this hangs, and the sensors with it
SETTLE_S = 0.05  # the chips answer 1 ms after their supply is there; a regulator and its capacitors take longer


def power_cycle(command: str, clock: Clock) -> Callable[[], None]:
    """What runs `command`; it raises SensorFaultError when that fails or hangs."""
    arguments = shlex.split(command)

    def run() -> None:
        try:
            done = subprocess.run(  # the operator's own words, and no shell
                arguments, stdin=subprocess.DEVNULL, capture_output=True, timeout=COMMAND_S, check=False
            )
        except subprocess.TimeoutExpired:
            raise SensorFaultError(f"the power command did not end within {COMMAND_S:.0f} s") from None
        except OSError as error:
            raise SensorFaultError(f"the power command cannot be run: {error.strerror}") from None
        if done.returncode != 0:
            said = done.stderr.decode(errors="replace").strip()[:200]
            raise SensorFaultError(f"the power command ended with status {done.returncode}: {said or 'no words'}")
        clock.sleep(SETTLE_S)

    return run
