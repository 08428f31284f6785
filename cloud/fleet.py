"""What devices last said of themselves, as the broker keeps it: state, health, birth, configuration, and answers.

Every server hears all of it by itself, from retained messages and as it comes, so none of it is asked of a database.
Bounded: past DEVICES_MAX the device heard of first goes, past ANSWERS_MAX the oldest answer.
"""

from datetime import datetime

import msgspec
from msgspec.structs import replace

from contract.codec import decode
from contract.errors import ContractError
from contract.messages import BirthCertificate, CommandResult, Health, ReportedConfiguration, State
from contract.topics import DeviceTopic

DEVICES_MAX = 10_000
ANSWERS_MAX = 1_000


class Said(msgspec.Struct, frozen=True):
    """One device in its own words; what it has not said is None. heard_at: the newest of them, by our clock."""

    device_id: str
    site_code: str
    heard_at: datetime
    state: str | None = None
    health: Health | None = None
    birth: BirthCertificate | None = None
    reported: ReportedConfiguration | None = None


class Answer(msgspec.Struct, frozen=True):
    """The newest answer of a device to a command."""

    device_id: str
    result: CommandResult


class Fleet:
    """Belongs to one event loop."""

    def __init__(self) -> None:
        self._said: dict[str, Said] = {}
        self._answers: dict[str, Answer] = {}

    def take(self, topic: DeviceTopic, payload: bytes, now: datetime) -> None:
        """Remember a message, if it is of a kind that is remembered. Raises ContractError."""
        match topic.kind:
            case "state":
                state = decode(State, payload)
                _check(topic, state.device_id)
                self._keep(topic, now, state=state.state)
            case "health":
                health = decode(Health, payload)
                _check(topic, health.device_id)
                self._keep(topic, now, health=health)
            case "meta":
                birth = decode(BirthCertificate, payload)
                _check(topic, birth.device_id)
                self._keep(topic, now, birth=birth)
            case "cfg" if topic.detail == ("reported",):
                self._keep(topic, now, reported=decode(ReportedConfiguration, payload))
            case "res":
                self._take_answer(topic, decode(CommandResult, payload))
            case _:
                pass

    def said(self, device_id: str) -> Said | None:
        """What a device has said, None where nothing was heard of it."""
        return self._said.get(device_id)

    def at(self, sites: list[str] | None) -> list[Said]:
        """All devices at `sites` (None: everywhere) by id."""
        found = [each for each in self._said.values() if sites is None or each.site_code in sites]
        return sorted(found, key=lambda each: each.device_id)

    def answer(self, device_id: str, request: str) -> CommandResult | None:
        """What the device has answered to a command so far."""
        answer = self._answers.get(request)
        return answer.result if answer is not None and answer.device_id == device_id else None

    def _take_answer(self, topic: DeviceTopic, result: CommandResult) -> None:
        if topic.detail != (result.id,):
            raise ContractError("$.id", f"says {result.id!r}, its topic {topic.detail[0]!r}")
        self._answers.pop(result.id, None)
        if len(self._answers) >= ANSWERS_MAX:
            del self._answers[next(iter(self._answers))]
        self._answers[result.id] = Answer(topic.device, result)

    def _keep(self, topic: DeviceTopic, now: datetime, **news: object) -> None:
        known = self._said.get(topic.device)
        if known is None and len(self._said) >= DEVICES_MAX:
            del self._said[next(iter(self._said))]
        before = known or Said(topic.device, topic.site, now)
        self._said[topic.device] = replace(before, site_code=topic.site, heard_at=now, **news)


def _check(topic: DeviceTopic, device_id: str) -> None:
    if device_id != topic.device:
        raise ContractError("$.device_id", f"says {device_id!r}, its topic {topic.device!r}")
