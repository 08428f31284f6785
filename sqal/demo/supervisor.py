"""Keeps parts running: starts them in order, starts again what dies, stops them all within a few seconds.

Everything happens on the main thread: a child's death signal follows the thread that started it.
"""

import signal
import time
from collections.abc import Callable
from dataclasses import dataclass, field

from sqal.parts.child import Child, PartError

RESTART_DELAYS_S = (0.2, 0.5, 1.0, 2.0, 4.0)  # by the number of deaths in a row; a minute of life forgives all
FORGIVEN_AFTER_S = 60.0
STOP_S = 4.0  # all parts together; the demo promises five seconds


@dataclass(slots=True)
class Part:
    """One supervised process. `start` begins it and returns when it is up; parts of a higher `stage` stop first."""

    name: str
    stage: int
    start: Callable[[], Child]
    child: Child | None = None
    deaths: int = 0
    started_at: float = 0.0
    restart_at: float | None = None


@dataclass(slots=True)
class Supervisor:
    """The parts of a line and their lives; `say` tells a person what happens."""

    say: Callable[[str], None]
    parts: dict[str, Part] = field(default_factory=dict[str, Part])
    monotonic: Callable[[], float] = time.monotonic

    def run(self, name: str, stage: int, start: Callable[[], Child]) -> None:
        """Start a part and keep it. Raises PartError when it does not come up at first."""
        part = Part(name, stage, start)
        self.parts[name] = part
        part.child = part.start()
        part.started_at = self.monotonic()

    def tend(self) -> None:
        """Look at every part once; start again what has died, later and later while it keeps dying."""
        now = self.monotonic()
        for part in sorted(self.parts.values(), key=lambda each: each.stage):
            if part.restart_at is not None:
                if now >= part.restart_at:
                    self._restart(part)
            elif part.child is None or not part.child.running:
                self._mourn(part, now)

    def child(self, name: str) -> Child:
        """The running process of a part. Raises PartError while there is none."""
        child = self.parts[name].child
        if child is None or not child.running:
            raise PartError(f"{name} is not running")
        return child

    def stop(self) -> None:
        """Stop all parts, those of the highest stage first, each stage together; within STOP_S, by force at the end."""
        deadline = self.monotonic() + STOP_S
        for stage in sorted({part.stage for part in self.parts.values()}, reverse=True):
            children = [part.child for part in self.parts.values() if part.stage == stage and part.child is not None]
            stop_together(children, deadline_s=max(0.3, deadline - self.monotonic()))
        self.parts.clear()

    def _mourn(self, part: Part, now: float) -> None:
        part.deaths = 1 if now - part.started_at > FORGIVEN_AFTER_S else part.deaths + 1
        delay_s = RESTART_DELAYS_S[min(part.deaths, len(RESTART_DELAYS_S)) - 1]
        part.restart_at = now + delay_s
        code = None if part.child is None else part.child.process.returncode
        log = "" if part.child is None else f"; its log is {part.child.log}"
        self.say(f"{part.name} ended ({_how(code)}), starting it again in {delay_s:g} s{log}")

    def _restart(self, part: Part) -> None:
        part.restart_at = None
        part.started_at = self.monotonic()
        try:
            part.child = part.start()
        except PartError as error:
            part.child = None
            self.say(f"{part.name}: {error}")


def stop_together(children: list[Child], *, deadline_s: float) -> None:
    """Ask all `children` to end, wait for all of them for at most `deadline_s`, then kill the rest."""
    living = [child for child in children if child.running]
    for child in living:
        child.ask_to_stop()
    deadline = time.monotonic() + deadline_s
    for child in living:
        if not child.wait(max(0.0, deadline - time.monotonic())):
            child.kill()


def _how(code: int | None) -> str:
    if code is None:
        return "it could not be started"
    return f"by {signal.Signals(-code).name}" if code < 0 else f"with code {code}"
