"""Commands: each carried out once, answered, refused in words."""

import asyncio
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from contract.codec import encode
from contract.errors import ContractError
from contract.messages import Command, CommandResult
from contract.topics import DeviceTopic
from edge.commands import ANSWERS_MAX, CommandError, Commands

NOW = datetime(2026, 11, 23, 8, 0, tzinfo=UTC)


class Device:
    """Commands under test, and what came of them."""

    def __init__(self, *, now: datetime | None = NOW) -> None:
        self.answers: list[CommandResult] = []
        self.done: list[Mapping[str, Any]] = []
        self.gate = asyncio.Event()
        self.gate.set()
        self.commands = Commands({"measure": self.measure, "break": self.fail}, now=lambda: now, answer=self.hear)

    async def measure(self, args: Mapping[str, Any]) -> dict[str, Any]:
        await self.gate.wait()
        self.done.append(args)
        return {"times": len(self.done)}

    async def fail(self, _args: Mapping[str, Any]) -> dict[str, Any]:
        raise CommandError(500, "it is broken")

    async def hear(self, result: CommandResult) -> None:
        self.answers.append(result)

    async def give(self, name: str, command_id: str = "c1", expires_s: float = 60.0, topic_id: str = "") -> None:
        payload = encode(Command(id=command_id, expires_at=NOW + timedelta(seconds=expires_s), args={"n": 1}))
        topic = DeviceTopic("LL", "line1", "D1", "cmd", (topic_id or command_id, name))
        await self.commands.take(topic, payload)
        for _ in range(5):
            await asyncio.sleep(0)

    @property
    def statuses(self) -> list[int]:
        return [each.status for each in self.answers]


async def test_done_once_however_often_it_is_asked_for() -> None:
    device = Device()
    await device.give("measure")
    await device.give("measure")
    assert device.statuses == [202, 200, 200]
    assert device.answers[1] == device.answers[2]
    assert len(device.done) == 1


async def test_a_repeated_request_while_it_is_under_way() -> None:
    device = Device()
    device.gate.clear()
    await device.give("measure")
    await device.give("measure")
    assert device.statuses == [202, 202]
    device.gate.set()
    for _ in range(5):
        await asyncio.sleep(0)
    assert device.statuses == [202, 202, 200]


@pytest.mark.parametrize(
    ("name", "expires_s", "now", "status"),
    [("measure", 0.0, NOW, 410), ("nonsense", 60.0, NOW, 404), ("measure", 60.0, None, 503), ("break", 60.0, NOW, 500)],
)
async def test_refused_in_words(name: str, expires_s: float, now: datetime | None, status: int) -> None:
    device = Device(now=now)
    await device.give(name, expires_s=expires_s)
    assert device.statuses[-1] == status
    assert device.answers[-1].message
    assert not device.done


async def test_topic_and_payload_must_agree() -> None:
    with pytest.raises(ContractError, match=r"the topic says 'other'"):
        await Device().give("measure", topic_id="other")


async def test_waiting_and_memory_are_bounded() -> None:
    device = Device()
    device.gate.clear()
    for number in range(10):
        await device.give("measure", f"w{number}")
    assert device.statuses.count(429) == 2
    await device.commands.close()
    device.gate.set()
    for number in range(ANSWERS_MAX + 5):
        await device.give("measure", f"m{number}")
    assert len(device.commands._answered) == ANSWERS_MAX
