"""The packed form of a `raw` message, for microcontrollers whose MQTT packets are small: little-endian, no text.

    u8 version (1) | u8 kind | u32 boot | u32 seq | u32 milliseconds since boot | values, u16 each

One matrix fits a packet of 256 bytes, everything one of 512; what is sent apart is put together again by boot and seq.
The first byte tells the forms apart: JSON begins with `{`, this one with its version. It names no device: the topic
does. What a newcomer gets wrong: `boot` is not a UUID here but a number that must differ at every start of the device,
kept in its flash; `boot_id_of` makes the contract's boot id of it.
"""

import struct
import uuid
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from enum import IntEnum

from contract.bounds import DISTANCE_MM_MAX, KCPS_MAX, REFLECTANCE_MAX
from contract.errors import ContractError, NewerSchemaError
from contract.messages import Raw, RawSpectralPart, RawTofPart
from contract.sample import SAMPLE_NAMESPACE, SpectralRaw, TofRaw

VERSION = 1
HEAD = struct.Struct("<BBIII")
MATRIX = struct.Struct("<64H")
LIGHT = struct.Struct("<14H")
NO_VALUE = 0xFFFF  # a zone without a target
U32_MAX = 2**32 - 1
GAIN_STEP = 0.5  # the AS7341's smallest gain; the field counts in it
INTEGRATION_STEP_MS = 0.01

Cells = tuple[int | None, ...]  # 64, row-major


class Kind(IntEnum):
    """What follows the head, in this order: matrices of 8 x 8 zones, then the light."""

    DISTANCE = 1
    REFLECTANCE = 2
    AMPLITUDE = 3
    TOF = 4
    LIGHT = 5
    WHOLE = 6


PARTS: dict[Kind, tuple[str, ...]] = {
    Kind.DISTANCE: ("distance",),
    Kind.REFLECTANCE: ("reflectance",),
    Kind.AMPLITUDE: ("amplitude",),
    Kind.TOF: ("distance", "reflectance", "amplitude"),
    Kind.LIGHT: ("light",),
    Kind.WHOLE: ("distance", "reflectance", "amplitude", "light"),
}
MOST = {"distance": DISTANCE_MM_MAX, "reflectance": REFLECTANCE_MAX, "amplitude": KCPS_MAX}


@dataclass(frozen=True, slots=True)
class Light:
    """Twelve counts as the AS7341 gives them, two halves of six, and the settings they were taken with.

    first: F1 to F4, Clear, NIR. second: F5 to F8, Clear, NIR. gain: 0.5 to 512. integration_ms: of one half.
    """

    first: tuple[int, ...]
    second: tuple[int, ...]
    gain: float
    integration_ms: float


@dataclass(frozen=True, slots=True)
class RawPart:
    """What one packed message says; `distance` in mm, `reflectance` in half percents, `amplitude` in kcps per SPAD."""

    boot: int
    seq: int
    uptime_ms: int
    distance: Cells | None = None
    reflectance: Cells | None = None
    amplitude: Cells | None = None
    light: Light | None = None

    @property
    def missing(self) -> list[str]:
        """The names of what other messages of the same number have to bring."""
        return [name for name in PARTS[Kind.WHOLE] if getattr(self, name) is None]


def is_packed(payload: bytes) -> bool:
    """Whether `payload` is in this form rather than in JSON."""
    return not payload.lstrip(b" \t\r\n").startswith(b"{")


def pack(part: RawPart, kind: Kind) -> bytes:
    """`part` as a message of `kind`. Raises ContractError where it lacks a value or one does not fit."""
    try:
        body = [HEAD.pack(VERSION, kind, part.boot, part.seq, part.uptime_ms)]
        for name in PARTS[kind]:
            value = getattr(part, name)
            if value is None:
                raise ContractError(f"$.{name}", f"required by kind {kind.name}, but missing")
            body.append(LIGHT.pack(*_light_words(value)) if name == "light" else MATRIX.pack(*_matrix_words(value)))
    except struct.error as error:
        raise ContractError("$", f"does not fit its field: {error}") from None
    packed = b"".join(body)
    unpack(packed)  # nothing leaves that a receiver would refuse
    return packed


def unpack(payload: bytes) -> RawPart:
    """The part that `payload` holds. Raises ContractError, NewerSchemaError."""
    if len(payload) < HEAD.size:
        raise ContractError("$", f"{len(payload)} bytes are too few for a packed message and no JSON")
    version, number, boot, seq, uptime_ms = HEAD.unpack_from(payload)
    if version != VERSION:
        if VERSION < version < ord(" "):  # what begins like text is no packed message of any version
            raise NewerSchemaError(version, VERSION)
        raise ContractError("$", f"begins with byte {version}: neither JSON nor packed version {VERSION}")
    try:
        kind = Kind(number)
    except ValueError:
        known = ", ".join(f"{each} ({each.name})" for each in Kind)
        raise ContractError("$.kind", f"{number} is none of {known}") from None
    if seq < 1:
        raise ContractError("$.seq", "must be at least 1")
    sizes = {name: LIGHT.size if name == "light" else MATRIX.size for name in PARTS[kind]}
    size = HEAD.size + sum(sizes.values())
    if len(payload) != size:
        raise ContractError("$", f"{len(payload)} bytes, kind {kind} ({kind.name}) has {size}")
    at, part = HEAD.size, RawPart(boot, seq, uptime_ms)
    for name, length in sizes.items():
        found = _light(LIGHT.unpack_from(payload, at)) if name == "light" else _cells(name, payload, at)
        part = replace(part, **{name: found})
        at += length
    return part


def merged(one: RawPart, other: RawPart) -> RawPart:
    """Both parts of one number as one; the earlier uptime counts. Raises ContractError where they contradict."""
    assert (one.boot, one.seq) == (other.boot, other.seq)
    found = replace(one, uptime_ms=min(one.uptime_ms, other.uptime_ms))
    for name in PARTS[Kind.WHOLE]:
        mine, theirs = getattr(one, name), getattr(other, name)
        if mine is not None and theirs is not None and mine != theirs:
            raise ContractError(f"$.{name}", f"boot {one.boot} seq {one.seq} was sent twice with different values")
        found = replace(found, **{name: theirs if mine is None else mine})
    return found


def raw_of(part: RawPart, device_id: str) -> Raw:
    """The message that a whole part stands for. Raises ContractError naming what is missing."""
    if part.missing:
        raise ContractError(f"$.{part.missing[0]}", "required, but missing")
    light = part.light
    assert light is not None
    clear, nir = (light.first[4], light.second[4]), (light.first[5], light.second[5])
    names = ("F1_415nm", "F2_445nm", "F3_480nm", "F4_515nm", "F5_555nm", "F6_590nm", "F7_630nm", "F8_680nm")
    counts = dict(zip(names, light.first[:4] + light.second[:4], strict=True))
    return Raw(
        device_id=device_id,
        boot_id=boot_id_of(device_id, part.boot),
        seq=part.seq,
        uptime_ms=part.uptime_ms,
        vl53l8ch=RawTofPart(
            raw=TofRaw(
                distance_matrix=_rows(part.distance),
                reflectance_matrix=_rows(part.reflectance),
                amplitude_matrix=_rows(part.amplitude),
            )
        ),
        as7341=RawSpectralPart(
            raw=SpectralRaw(**counts, Clear=(clear[0] + clear[1]) // 2, NIR=(nir[0] + nir[1]) // 2),
            gain=light.gain,
            integration_ms=light.integration_ms,
            clear_halves=list(clear),
            nir_halves=list(nir),
        ),
    )


def boot_id_of(device_id: str, boot: int) -> uuid.UUID:
    """The contract's id of the `boot`-th start of a device that counts its starts."""
    return uuid.uuid5(SAMPLE_NAMESPACE, f"{device_id}/boot/{boot}")


def _matrix_words(cells: Iterable[int | None]) -> Iterator[int]:
    return (NO_VALUE if each is None else each for each in cells)


def _light_words(light: Light) -> tuple[int, ...]:
    steps = (round(light.gain / GAIN_STEP), round(light.integration_ms / INTEGRATION_STEP_MS))
    return (*light.first, *light.second, *steps)


def _cells(name: str, payload: bytes, at: int) -> Cells:
    words = MATRIX.unpack_from(payload, at)
    for place, word in enumerate(words):
        if word != NO_VALUE and word > MOST[name]:
            row, column = divmod(place, 8)
            raise ContractError(f"$.{name}[{row}][{column}]", f"{word}, at most {MOST[name]}, or {NO_VALUE} for none")
    return tuple(None if word == NO_VALUE else word for word in words)


def _light(words: tuple[int, ...]) -> Light:
    gain_steps, integration_steps = words[12:]
    if gain_steps < 1:
        raise ContractError("$.light.gain", "must be at least 1, in steps of a half")
    if integration_steps < 1:
        raise ContractError("$.light.integration", "must be at least 1, in hundredths of a millisecond")
    integration_ms = round(integration_steps * INTEGRATION_STEP_MS, 2)
    return Light(words[:6], words[6:12], gain_steps * GAIN_STEP, integration_ms)


def _rows(cells: Cells | None) -> list[list[int | None]]:
    assert cells is not None
    return [list(cells[start : start + 8]) for start in range(0, 64, 8)]
