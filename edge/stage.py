"""The stage of the demo: faults on request. Only on the simulated bus, and only where the settings say so."""

from collections.abc import Awaitable, Callable, Mapping
from typing import TYPE_CHECKING, Any

from edge.commands import REFUSED, CommandError

if TYPE_CHECKING:
    from drivers.sim.timeline import Player

FOR_S, FOR_S_MAX = 12.0, 300.0

InBus = Callable[[Callable[[], Any]], Awaitable[Any]]


class Stage:
    """in_bus: runs a call in the bus's thread, between two transfers."""

    def __init__(self, player: "Player", in_bus: InBus) -> None:
        self._player = player
        self._in_bus = in_bus

    async def play(self, args: Mapping[str, Any]) -> dict[str, Any]:
        """`fault`: a name of drivers.sim.timeline, for `for_s` (12; at most 300) s of bus time; `none` ends all."""
        fault, for_s = args.get("fault"), args.get("for_s", FOR_S)
        if not isinstance(for_s, int | float) or isinstance(for_s, bool) or not 1 <= for_s <= FOR_S_MAX:
            raise CommandError(REFUSED, f"for_s: a number from 1 to {FOR_S_MAX:g}")
        if fault == "none":
            await self._in_bus(self._player.calm)
            return {"fault": "none"}
        try:
            preset = await self._in_bus(lambda: self._player.play(str(fault), float(for_s)))
        except ValueError as error:
            raise CommandError(REFUSED, f"fault: {error}") from None
        return {"fault": preset.name, "words": preset.words, "for_s": preset.for_s or for_s}
