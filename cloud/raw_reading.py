"""What a delivery on a `raw` topic is: a message, a part of one, or a refusal with its reason. Pure."""

import uuid
from collections.abc import Mapping

from cloud.judge import Refusal, RefusalCode
from cloud.store.samples import Place
from contract.bounds import MESSAGE_BYTES_MAX, SEQ_MAX
from contract.codec import decode, peek
from contract.errors import ContractError, NewerSchemaError, TopicError
from contract.messages import Raw
from contract.packed import RawPart, boot_id_of, is_packed, unpack
from contract.topics import DeviceTopic, parse

Reading = Raw | RawPart | Refusal


def raw_topic(topic: str) -> DeviceTopic:
    """The device that wrote to `topic`. Raises TopicError for any but a raw topic."""
    found = parse(topic)
    if not isinstance(found, DeviceTopic) or found.kind != "raw":
        raise TopicError(topic, "is not where raw messages go")
    return found


def read(topic: DeviceTopic, payload: bytes, registry: Mapping[str, Place]) -> Reading:
    """What `payload` says, and whether topic, registry and payload agree on the device."""
    place = registry.get(topic.device)
    if place is None:
        return refusal("unknown_device", "topic", f"no device {topic.device!r} is registered", topic)
    if topic.site != place.site_code:
        detail = f"device {topic.device!r} stands at site {place.site_code!r}, not {topic.site!r}"
        return refusal("wrong_site", "topic", detail, topic)
    found = _decoded(topic, payload)
    return _agreed(found, topic, place) if isinstance(found, Raw) else found


def _decoded(topic: DeviceTopic, payload: bytes) -> Reading:
    if len(payload) > MESSAGE_BYTES_MAX:
        return refusal("oversized", "$", f"{len(payload)} bytes, at most {MESSAGE_BYTES_MAX} are accepted", topic)
    try:
        if is_packed(payload):
            return unpack(payload)
        return decode(Raw, payload)
    except NewerSchemaError as error:
        return refusal("newer_schema", error.path, error.reason, topic)
    except ContractError as error:
        code: RefusalCode = "not_json" if error.reason.startswith("not JSON") else "invalid"
        known = peek(payload)
        return refusal(code, error.path, error.reason, topic, (known.boot_id, known.seq))


def _agreed(message: Raw, topic: DeviceTopic, place: Place) -> Raw | Refusal:
    number = (message.boot_id, message.seq)
    if message.device_id != topic.device:
        detail = f"says {message.device_id!r}, its topic {topic.device!r}"
        return refusal("device_mismatch", "$.device_id", detail, topic, number)
    if message.site_code is not None and message.site_code != place.site_code:
        detail = f"says {message.site_code!r}, the device stands at {place.site_code!r}"
        return refusal("wrong_site", "$.site_code", detail, topic, number)
    if message.timestamp is None and message.uptime_ms is None:
        detail = "timestamp or uptime_ms is required: nobody could tell when it was measured"
        return refusal("invalid", "$.uptime_ms", detail, topic, number)
    return message


def incomplete(topic: DeviceTopic, part: RawPart) -> Refusal:
    """Why a number whose other parts never came is given up."""
    detail = f"boot {part.boot} seq {part.seq}: {', '.join(part.missing)} did not come"
    number = (boot_id_of(topic.device, part.boot), part.seq)
    return refusal("raw_incomplete", f"$.{part.missing[0]}", detail, topic, number)


def refusal(
    code: RefusalCode,
    path: str | None,
    detail: str,
    topic: DeviceTopic,
    number: tuple[uuid.UUID | None, int | None] = (None, None),
) -> Refusal:
    """A refusal that tells this device; with boot and seq only where both are known."""
    boot_id, seq = number
    if boot_id is None or seq is None or not 1 <= seq <= SEQ_MAX:
        boot_id = seq = None
    return Refusal(code, path, detail, topic, boot_id, seq)
