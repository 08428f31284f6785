"""Judge a message by itself: a fact to store, or a refusal with its reason. Pure; knows no database and no clock.

Topic, registry and payload must agree on the device. What the sender cannot help is *held*: the device keeps it until
it is known, stands at the site it says, or we read its schema. All else that is refused is refused for good.
"""

import uuid
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import lru_cache
from typing import Literal, NamedTuple

from cloud.quick import read_sample
from cloud.store.samples import Matrices, Place, rounded
from cloud.studies import read_report
from contract import ContractError, NewerSchemaError, Sample, TopicError, decode, peek
from contract.bounds import MESSAGE_BYTES_MAX, SEQ_MAX
from contract.messages import Event
from contract.topics import DeviceTopic, parse

FUSION_TOLERANCE = 0.01  # a sender's score this far from ours is stored as sent, and flagged
WEIGHT_TOF, WEIGHT_SPECTRAL = 0.6, 0.4
TOPICS_CACHED = 4_096

RefusalCode = Literal[
    "bad_topic",
    "oversized",
    "not_json",
    "invalid",
    "future_timestamp",
    "device_mismatch",
    "unknown_device",
    "wrong_site",
    "newer_schema",
    "rate_limited",
    "sample_id_conflict",
    "event_conflict",
    "data_error",
    "raw_incomplete",
    "no_calibration",
    "not_computable",
]
HELD = frozenset({"unknown_device", "wrong_site", "newer_schema", "rate_limited"})


class SampleFact(NamedTuple):
    """A sample to store, with the flags that the sender and we gave it.

    matrices: in the database's form; `sample.vl53l8ch.raw` may hold them as text only (see cloud.quick).
    """

    address: DeviceTopic
    place: Place
    sample: Sample
    flags: list[str]
    matrices: Matrices | None = None


class EventFact(NamedTuple):
    """An event to store."""

    address: DeviceTopic
    place: Place
    event: Event


@dataclass(frozen=True, slots=True)
class Refusal:
    """Why a message was not accepted. `address` is whom to tell, None when the topic names nobody."""

    code: RefusalCode
    path: str | None
    detail: str
    address: DeviceTopic | None
    boot_id: uuid.UUID | None = None
    seq: int | None = None

    @property
    def is_held(self) -> bool:
        """Whether the device keeps the message, to send it again later."""
        return self.code in HELD


Fact = SampleFact | EventFact
Verdict = Fact | Refusal


def judge(topic: str, payload: bytes, *, registry: Mapping[str, Place], now: datetime, future_s_max: float) -> Verdict:
    """Return what a message on `topic` is. `now` is UTC; a timestamp more than `future_s_max` after it is refused."""
    try:
        address = address_of(topic)
    except TopicError as error:
        return Refusal("bad_topic", error.path, error.reason, None, *_number(payload))
    place = registry.get(address.device)
    if place is None:
        return _refuse("unknown_device", "topic", f"no device {address.device!r} is registered", address, payload)
    if address.site != place.site_code:
        detail = f"device {address.device!r} stands at site {place.site_code!r}, not {address.site!r}"
        return _refuse("wrong_site", "topic", detail, address, payload)
    found = _read(payload, address)
    if isinstance(found, Refusal):
        return found
    latest = now + timedelta(seconds=future_s_max)
    if isinstance(found, Event):
        return _agree(found, place, address, latest) or EventFact(address, place, found)
    sample, matrices = found
    return _agree(sample, place, address, latest) or _fact(sample, matrices, place, address)


def _read(payload: bytes, address: DeviceTopic) -> tuple[Sample, Matrices] | Event | Refusal:
    if len(payload) > MESSAGE_BYTES_MAX:
        detail = f"{len(payload)} bytes, at most {MESSAGE_BYTES_MAX} are accepted"
        return _refuse("oversized", "$", detail, address, payload)
    try:
        if address.kind == "sample":
            return read_sample(payload)
        return _reported(decode(Event, payload))
    except NewerSchemaError as error:
        return _refuse("newer_schema", error.path, error.reason, address, payload)
    except ContractError as error:
        code = "not_json" if error.reason.startswith("not JSON") else "invalid"
        return _refuse(code, error.path, error.reason, address, payload)


def _reported(event: Event) -> Event:
    """The event, whose report can be computed with. Raises ContractError."""
    read_report(event)
    return event


def _agree(message: Sample | Event, place: Place, address: DeviceTopic, latest: datetime) -> Refusal | None:
    """Return why a well-formed message contradicts what is known, or None."""
    number = (message.boot_id, message.seq)
    if message.device_id != address.device:
        detail = f"says {message.device_id!r}, its topic {address.device!r}"
        return Refusal("device_mismatch", "$.device_id", detail, address, *number)
    if message.site_code is not None and message.site_code != place.site_code:
        detail = f"says {message.site_code!r}, the device stands at {place.site_code!r}"
        return Refusal("wrong_site", "$.site_code", detail, address, *number)
    if message.timestamp > latest:
        detail = f"{message.timestamp.isoformat()} lies too far in the future"
        return Refusal("future_timestamp", "$.timestamp", detail, address, *number)
    return None


def _fact(sample: Sample, matrices: Matrices, place: Place, address: DeviceTopic) -> SampleFact:
    flags = sample.quality_flags
    if fusion_differs(sample):
        flags = [*flags, "fusion_differs"]
    return SampleFact(address, place, rounded(sample), flags, matrices)


def fusion_differs(sample: Sample) -> bool:
    """Tell whether the sender's final score is not 60 % ToF and 40 % spectral of its own scores."""
    ours = WEIGHT_TOF * sample.vl53l8ch.analysis.quality_score + WEIGHT_SPECTRAL * sample.as7341.analysis.quality_score
    return abs(sample.fusion.final_score - ours) > FUSION_TOLERANCE + 1e-9


@lru_cache(TOPICS_CACHED)
def address_of(topic: str) -> DeviceTopic:
    """Return the device topic of a sample or an event. Raises TopicError for any other."""
    found = parse(topic)
    if not isinstance(found, DeviceTopic) or found.kind not in ("sample", "event"):
        raise TopicError(topic, "is not where samples and events go")
    return found


def _refuse(code: RefusalCode, path: str, detail: str, address: DeviceTopic, payload: bytes) -> Refusal:
    return Refusal(code, path, detail, address, *_number(payload))


def _number(payload: bytes) -> tuple[uuid.UUID | None, int | None]:
    """Return boot and number of a message that cannot be read, where these at least can."""
    found = peek(payload)
    if found.boot_id is None or found.seq is None or not 1 <= found.seq <= SEQ_MAX:
        return None, None
    return found.boot_id, found.seq
