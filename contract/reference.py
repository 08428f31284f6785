"""The field tables of docs/contract.md, made from the message types: `python -m contract.reference > docs/contract.md`.

A test compares the page with what this prints, so the page cannot lag behind the types.
"""

import inspect
import sys
from typing import Any

import msgspec.inspect as mi
from msgspec import NODEFAULT

from contract.messages import MESSAGES
from contract.packed import HEAD as HEADER
from contract.packed import LIGHT, MATRIX, NO_VALUE, PARTS
from contract.sample import SAMPLE_NAMESPACE, Wire

HEAD = """# The contract: every message, field by field

Made from `contract/` by `python -m contract.reference > docs/contract.md`; a test fails when the two differ.

Messages are JSON (UTF-8, at most 64 KiB) on MQTT 5. Unknown fields are ignored; a wrong or missing one rejects the
whole message with the path of the fault. `schema` is 1; a message of a newer schema is held, not rejected. Times are
RFC 3339 in UTC, a naive one is read as UTC. Scores and indices run from 0 to 1. A field that ends in `_u` is the
standard uncertainty of the field it is named after, in the same unit. No text may contain U+0000.

Topics are `sqal/v1/{site}/{line}/{device}/{class}[/{detail}]`, alarms `sqal/v1/{site}/_alarm/{id}`, ingesters
`sqal/v1/_host/{id}/state`; a segment is `[A-Za-z0-9][A-Za-z0-9_-]{0,99}`. A message is accepted only if topic, device
registry and payload agree on the device.

| Class | Direction | QoS | Retained | Expiry | Delivered |
|---|---|---|---|---|---|
| `sample` | up | 1 | no | none | spooled, stored exactly once, receipted |
| `event` | up | 1 | no | none | like `sample`, numbered with it |
| `raw` | up | 1 (0 allowed) | no | none | analysed in the cloud |
| `result` | up | 1 | yes | 15 min | for panels; not stored |
| `state` | up, and the will | 1 | yes | none | |
| `meta` | up | 1 | yes | none | |
| `health` | up | 0 | yes | 3 periods | |
| `receipt` | down | 1 | no | none | after COMMIT, never before |
| `error` | down | 1 | no | 1 h | |
| `cfg/desired`, `cfg/reported` | down, up | 1 | yes | none | |
| `cmd/{id}/{name}`, `res/{id}` | down, up | 1 | no | 60 s, 5 min | |
| `_alarm/{id}` | cloud to all | 1 | while active | none | at least once, with id |
| `_host/{id}/state` | ingest, and its will | 1 | yes | none | |

`(device_id, boot_id, seq)` names a sample or event for ever: `boot_id` is a UUIDv7 per start, `seq` counts samples and
events together from 1, and `sample_id` of our own devices is derived from the three. Other senders may leave boot_id
and seq out and choose any `sample_id` of up to 100 characters; it is then unique together with device and timestamp.
"""


PACKED = """## `raw`, packed

For microcontrollers whose MQTT packets are small, `raw` has a second form on the same topic, told apart by its first
byte (JSON begins with `{`). Little-endian, no text; the topic names the device.

| Bytes | Type | What |
|---|---|---|
| 0 | u8 | version, 1 |
| 1 | u8 | kind, below |
| 2 | u32 | boot: a number that differs at every start of the device |
| 6 | u32 | seq, from 1 |
| 10 | u32 | milliseconds since boot |
| 14 | u16 each | the values of the kind, in this order |

| Kind | Values | Bytes |
|---|---|---|
"""


def main() -> None:
    """Print the page."""
    sys.stdout.write(page())


def page() -> str:
    """docs/contract.md as it should be."""
    seen: list[type[Wire]] = []
    parts = [HEAD]
    for name, kind in MESSAGES.items():
        parts.append(_section(f"`{name}`: {kind.__name__}", kind, seen))
        if name == "raw":
            parts.append(_packed())
    parts.append("## Parts of messages\n")
    done: set[type[Wire]] = set(MESSAGES.values())
    for kind in seen:  # grows while parts name further parts
        if kind not in done:
            done.add(kind)
            parts.append(_section(kind.__name__, kind, seen, level="###"))
    return "\n".join(parts)


def _packed() -> str:
    words = {
        "distance": "distance mm, 64 zones",
        "reflectance": "reflectance (half percents), 64 zones",
        "amplitude": "amplitude (kcps per SPAD), 64 zones",
        "light": "F1 F2 F3 F4 Clear NIR, F5 F6 F7 F8 Clear NIR, gain in halves, integration in 10 µs",
    }
    rows: list[str] = []
    for kind, names in PARTS.items():
        size = HEADER.size + sum(LIGHT.size if name == "light" else MATRIX.size for name in names)
        rows.append(f"| {kind.value} {kind.name} | {'; '.join(words[name] for name in names)} | {size} |")
    tail = (
        f"\nMatrices are row-major in scene orientation; {NO_VALUE} is a zone without a target. What is sent in several"
        " messages is put\ntogether by boot and seq. The boot's id in samples is `uuid5({namespace}, "
        '"{device}/boot/{boot}")`.\n'
    )
    return PACKED + "\n".join(rows) + "\n" + tail.replace("{namespace}", str(SAMPLE_NAMESPACE))


def _section(title: str, kind: type[Wire], seen: list[type[Wire]], level: str = "##") -> str:
    info = mi.type_info(kind)
    assert isinstance(info, mi.StructType)
    rows = [
        f"{level} {title}\n",
        inspect.cleandoc(kind.__doc__ or ""),
        "",
        "| Field | Type | Required |",
        "|---|---|---|",
    ]
    rows += [
        f"| `{field.encode_name}` | {_words(field.type, seen)} | {'yes' if field.required else _default(field)} |"
        for field in info.fields
    ]
    return "\n".join(rows) + "\n"


def _default(field: mi.Field) -> str:
    if field.default is NODEFAULT or field.default is None:
        return "no"
    return f"no ({str(field.default).lower() if isinstance(field.default, bool) else field.default})"


def _words(kind: mi.Type, seen: list[type[Wire]]) -> str:
    match kind:
        case mi.Metadata():
            words = _words(kind.type, seen)
        case mi.StructType():
            assert issubclass(kind.cls, Wire)
            seen.append(kind.cls)
            words = f"[{kind.cls.__name__}](#{kind.cls.__name__.lower()})"
        case mi.UnionType():
            parts = [_words(part, seen) for part in kind.types if not isinstance(part, mi.NoneType)]
            parts += ["null"] if len(parts) < len(kind.types) else []
            words = " or ".join(parts)
        case mi.LiteralType():
            words = " ".join(f"`{value}`" for value in kind.values)
        case mi.ListType():
            words = f"list of {_words(kind.item_type, seen)}{_bounds(kind, ('min_length', 'max_length'), 'items')}"
        case mi.DictType():
            words = f"object of {_words(kind.value_type, seen)}"
        case _:
            words = _scalar(kind)
    return words


def _scalar(kind: mi.Type) -> str:
    names: list[tuple[type[mi.Type], str]] = [
        (mi.IntType, "integer"),
        (mi.FloatType, "number"),
        (mi.StrType, "text"),
        (mi.BoolType, "true or false"),
        (mi.DateTimeType, "RFC 3339 time"),
        (mi.UUIDType, "UUID"),
        (mi.AnyType, "any value"),
    ]
    name = next(word for cls, word in names if isinstance(kind, cls))
    pattern = getattr(kind, "pattern", None)
    if pattern:
        return f"{name} `{pattern.removesuffix('(?!' + chr(92) + 'n)')}`"
    return name + _bounds(kind, ("ge", "le"), "") + _bounds(kind, ("min_length", "max_length"), "characters")


def _bounds(kind: Any, names: tuple[str, str], unit: str) -> str:
    low, high = getattr(kind, names[0], None), getattr(kind, names[1], None)
    if low is None and high is None:
        return ""
    if high is None:
        return f", at least {low} {unit}".rstrip()
    if low == high:
        return f", {low} {unit}".rstrip()
    return f", {low or 0} to {high} {unit}".rstrip()


if __name__ == "__main__":
    main()
