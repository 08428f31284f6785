"""Commands from the cloud: checked, carried out once, answered; one at a time.

A command names itself twice, in its topic and in its payload, and says until when it holds. The answer to one that has
been carried out is kept, so that a repeated request gets the same answer and nothing happens twice.
"""

import asyncio
from collections import OrderedDict
from collections.abc import Awaitable, Callable, Mapping
from datetime import datetime
from typing import Any

import structlog

from contract.codec import decode
from contract.errors import ContractError
from contract.messages import Command, CommandResult
from contract.topics import DeviceTopic

ANSWERS_MAX = 100  # remembered; a command older than that has long expired
WAITING_MAX = 8  # commands that wait for the one under way
REFUSED, GONE, UNKNOWN, BUSY, FAILED, NOT_YET = 400, 410, 404, 429, 500, 503

Errand = Callable[[Mapping[str, Any]], Awaitable[dict[str, Any]]]
log = structlog.get_logger("commands")


class CommandError(Exception):
    """A command cannot be carried out. status: as in HTTP, 4xx the request's fault, 5xx the device's."""

    def __init__(self, status: int, reason: str) -> None:
        super().__init__(reason)
        self.status = status
        self.reason = reason


class Commands:
    """Takes commands and answers them. errands: what each name does; what it returns is the answer's result.

    now: wall time, None while it is not known. answer: sends a result for a command's id.
    """

    def __init__(
        self,
        errands: Mapping[str, Errand],
        *,
        now: Callable[[], datetime | None],
        answer: Callable[[CommandResult], Awaitable[None]],
    ) -> None:
        self._errands = dict(errands)
        self._now = now
        self._answer = answer
        self._answered: OrderedDict[str, CommandResult] = OrderedDict()
        self._turn = asyncio.Lock()
        self._tasks: dict[str, asyncio.Task[None]] = {}

    async def take(self, topic: DeviceTopic, payload: bytes) -> None:
        """Begin a command, or say why not; returns before it is done. Raises ContractError for what is no command."""
        command_id, name = topic.detail
        command = decode(Command, payload)
        if command.id != command_id:
            raise ContractError("$.id", f"the topic says {command_id!r}")
        known = self._answered.get(command_id)
        if known is not None:
            await self._answer(known)
            return
        if command_id in self._tasks:
            await self._answer(CommandResult(id=command_id, status=202, message="under way"))
            return
        try:
            errand = self._checked(name, command)
        except CommandError as error:
            await self._settle(CommandResult(id=command_id, status=error.status, message=error.reason))
            return
        task = asyncio.create_task(self._carry_out(command, name, errand), name=f"command.{name}")
        self._tasks[command_id] = task
        task.add_done_callback(lambda _: self._tasks.pop(command_id, None))

    async def close(self) -> None:
        """Give up what is under way."""
        tasks = list(self._tasks.values())
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    def _checked(self, name: str, command: Command) -> Errand:
        errand = self._errands.get(name)
        if errand is None:
            raise CommandError(UNKNOWN, f"there is no command {name!r}; there are {', '.join(sorted(self._errands))}")
        now = self._now()
        if now is None:
            raise CommandError(NOT_YET, "the time is not known yet: whether the command still holds cannot be told")
        if now >= command.expires_at:
            raise CommandError(GONE, f"it expired at {command.expires_at.isoformat()}, now is {now.isoformat()}")
        if len(self._tasks) >= WAITING_MAX:
            raise CommandError(BUSY, f"{WAITING_MAX} commands are waiting already")
        return errand

    async def _carry_out(self, command: Command, name: str, errand: Errand) -> None:
        await self._answer(CommandResult(id=command.id, status=202, message="begun"))
        async with self._turn:
            try:
                result = await errand(command.args)
            except CommandError as error:
                log.warning("command.failed", name=name, id=command.id, reason=error.reason)
                done = CommandResult(id=command.id, status=error.status, message=error.reason[:500])
            else:
                log.info("command.done", name=name, id=command.id, by=command.issued_by)
                done = CommandResult(id=command.id, status=200, result=result)
            await self._settle(done)

    async def _settle(self, result: CommandResult) -> None:
        self._answered[result.id] = result
        while len(self._answered) > ANSWERS_MAX:
            self._answered.popitem(last=False)
        await self._answer(result)
