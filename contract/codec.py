"""Bytes to message and back. Whatever is not a message raises ContractError, and nothing else does.

`decode` reads and validates in one pass. A message of a newer schema raises NewerSchemaError even where it would not
validate: it is not the sender's fault. `peek` finds out whom to tell when the rest is unreadable.
"""

import re
import uuid
from typing import TypeVar

import msgspec

from contract.bounds import MESSAGE_BYTES_MAX, SCHEMA
from contract.errors import ContractError, NewerSchemaError
from contract.sample import Wire

Message = TypeVar("Message", bound=Wire)

# PostgreSQL text cannot hold U+0000, so no message may: an odd run of backslashes before u0000 writes one.
_NUL_ESCAPE = re.compile(rb"(?<!\\)(?:\\\\)*\\u0000")
_AT = re.compile(r" - at `(.+)`$")

_encoder = msgspec.json.Encoder()
_decoders: dict[type[Wire], msgspec.json.Decoder[Wire]] = {}


class Peek(msgspec.Struct, frozen=True):
    """What could be read of a message that is not one; each part is None where it is absent or of the wrong type."""

    device_id: str | None = None
    boot_id: uuid.UUID | None = None
    seq: int | None = None
    schema: int | None = None


def encode(message: Wire) -> bytes:
    """`message` as JSON."""
    return _encoder.encode(message)


def decode(kind: type[Message], payload: bytes, *, bytes_max: int = MESSAGE_BYTES_MAX) -> Message:
    """The message of type `kind` that `payload` holds. Raises ContractError, NewerSchemaError."""
    if len(payload) > bytes_max:
        raise ContractError("$", f"{len(payload)} bytes, at most {bytes_max} are accepted")
    if b"\\u0000" in payload and _NUL_ESCAPE.search(payload):  # the plain search costs a fortieth of the other
        raise ContractError("$", "holds the character U+0000, which no text may contain")
    try:
        message = _decoder(kind).decode(payload)
    except msgspec.ValidationError as error:
        _raise_if_newer(peek(payload).schema)
        raise _contract_error(str(error)) from None
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise ContractError("$", f"not JSON: {error}") from None
    except RecursionError:
        raise ContractError("$", "nested too deeply") from None
    _raise_if_newer(getattr(message, "schema", None))
    return message


def peek(payload: bytes) -> Peek:
    """Whatever identifies the sender in `payload`; empty when it is no JSON object."""
    try:
        found = msgspec.json.decode(payload, type=dict[str, msgspec.Raw])
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
        return Peek()
    boot_text = _as(str, found.get("boot_id"))
    try:
        boot_id = uuid.UUID(boot_text) if boot_text else None
    except ValueError:
        boot_id = None
    return Peek(
        device_id=_as(str, found.get("device_id")),
        boot_id=boot_id,
        seq=_as(int, found.get("seq")),
        schema=_as(int, found.get("schema")),
    )


Value = TypeVar("Value", str, int)


def _as(kind: type[Value], raw: msgspec.Raw | None) -> Value | None:
    if raw is None:
        return None
    try:
        return msgspec.json.decode(raw, type=kind)
    except (msgspec.MsgspecError, UnicodeDecodeError):
        return None


def _decoder(kind: type[Message]) -> msgspec.json.Decoder[Message]:
    decoder = _decoders.get(kind)
    if decoder is None:
        decoder = _decoders[kind] = msgspec.json.Decoder(kind)  # pyright: ignore[reportAssignmentType]  # keyed by kind
    return decoder  # pyright: ignore[reportReturnType]


def _raise_if_newer(schema: int | None) -> None:
    if schema is not None and schema > SCHEMA:
        raise NewerSchemaError(schema, SCHEMA)


def _contract_error(text: str) -> ContractError:
    at = _AT.search(text)
    path = at.group(1) if at else "$"
    reason = text[: at.start()] if at else text
    missing = re.search(r"missing required field `(.+)`", reason)
    if missing:
        return ContractError(f"{path}.{missing.group(1)}", "required, but missing")
    return ContractError(path, reason)
