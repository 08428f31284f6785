"""The topic tree: every topic is built and parsed here and nowhere else.

    sqal/v1/{site}/{line}/{device}/{class}[/{detail}…]   one device's subtree
    sqal/v1/{site}/_alarm/{id}                           an alert and its state
    sqal/v1/_host/{id}/state                             whether an ingester stores
    sqal/v1/_ledger/checkpoint                           the newest signed checkpoint

A segment is `[A-Za-z0-9][A-Za-z0-9_-]{0,99}`; one that begins with `_` is the system's.
"""

import re
from dataclasses import dataclass
from typing import Literal, get_args

from contract.errors import TopicError

ROOT = "sqal/v1"
SEGMENT = re.compile(r"[A-Za-z0-9][A-Za-z0-9_-]{0,99}")

TopicClass = Literal[
    "sample",
    "raw",
    "result",
    "event",
    "state",
    "meta",
    "health",
    "receipt",
    "error",
    "cfg",
    "cmd",
    "res",
]
CLASSES = frozenset(get_args(TopicClass))
DETAILS: dict[str, tuple[int, int]] = {"cfg": (1, 1), "cmd": (2, 2), "res": (1, 1)}  # least and most detail segments


@dataclass(frozen=True, slots=True)
class DeviceTopic:
    """A topic in a device's subtree; `detail` is `("desired",)`, `("reported",)`, `(id, name)`, `(id,)` or empty."""

    site: str
    line: str
    device: str
    kind: TopicClass
    detail: tuple[str, ...] = ()

    def __str__(self) -> str:
        return "/".join((ROOT, self.site, self.line, self.device, self.kind, *self.detail))


@dataclass(frozen=True, slots=True)
class AlarmTopic:
    """Where an alert of a site lives while it is not cleared."""

    site: str
    alarm_id: str

    def __str__(self) -> str:
        return f"{ROOT}/{self.site}/_alarm/{self.alarm_id}"


@dataclass(frozen=True, slots=True)
class HostTopic:
    """Where an ingester says that it stores."""

    host: str

    def __str__(self) -> str:
        return f"{ROOT}/_host/{self.host}/state"


LEDGER_CHECKPOINT = f"{ROOT}/_ledger/checkpoint"
ALL_ALARMS = f"{ROOT}/+/_alarm/+"
ALL_HOSTS = f"{ROOT}/_host/+/state"


def device_topic(site: str, line: str, device: str, kind: TopicClass, *detail: str) -> str:
    """The topic of one class of one device. Raises TopicError for a segment that may not stand in a topic."""
    for segment in (site, line, device, *detail):
        _check(segment, str(DeviceTopic(site, line, device, kind, detail)))
    return str(DeviceTopic(site, line, device, kind, detail))


def alarm_topic(site: str, alarm_id: str) -> str:
    """The topic of an alert. Raises TopicError."""
    topic = str(AlarmTopic(site, alarm_id))
    _check(site, topic)
    _check(alarm_id, topic)
    return topic


def host_topic(host: str) -> str:
    """The topic of an ingester's state. Raises TopicError."""
    _check(host, str(HostTopic(host)))
    return str(HostTopic(host))


def subscription(kind: TopicClass, *detail: str, site: str = "+", line: str = "+", device: str = "+") -> str:
    """A topic filter for one class over all devices, or those of a site, line or device."""
    return "/".join((ROOT, site, line, device, kind, *detail))


def parse(topic: str) -> DeviceTopic | AlarmTopic | HostTopic:
    """What `topic` names. Raises TopicError for anything outside the tree."""
    if not topic.startswith(f"{ROOT}/"):
        raise TopicError(topic, f"does not begin with {ROOT}/")
    parts = topic.removeprefix(f"{ROOT}/").split("/")
    if parts[0] == "_host" and len(parts) == 3 and parts[2] == "state":
        _check(parts[1], topic)
        return HostTopic(parts[1])
    if len(parts) == 3 and parts[1] == "_alarm":
        _check(parts[0], topic)
        _check(parts[2], topic)
        return AlarmTopic(parts[0], parts[2])
    return _device(parts, topic)


def _device(parts: list[str], topic: str) -> DeviceTopic:
    if len(parts) < 4:
        raise TopicError(topic, "is too short for a device's topic")
    site, line, device, kind, *detail = parts
    if kind not in CLASSES:
        raise TopicError(topic, f"has no class {kind!r}")
    least, most = DETAILS.get(kind, (0, 0))
    if not least <= len(detail) <= most:
        raise TopicError(topic, f"class {kind!r} takes {least} detail segments, not {len(detail)}")
    for segment in (site, line, device, *detail):
        _check(segment, topic)
    return DeviceTopic(site, line, device, kind, tuple(detail))  # pyright: ignore[reportArgumentType]  # in CLASSES


def _check(segment: str, topic: str) -> None:
    if not SEGMENT.fullmatch(segment):
        raise TopicError(topic, f"segment {segment!r} is not [A-Za-z0-9][A-Za-z0-9_-]{{0,99}}")
