"""Checkpoints of the ledger: a signed note (C2SP signed-note and tlog-checkpoint) that says size and root.

    sqal.example/ledger          origin: whose ledger
    128                          number of entries
    q83v…=                       root, base64
    time 2026-03-02T08:00:00Z    when it was made

    — sqal.example/ledger 2fJk…  one line for each signature: name, base64(key id ‖ Ed25519 signature)

The key id is the first 4 bytes of SHA-256(name ‖ 0A ‖ 01 ‖ public key). A public key is written as C2SP writes it:
`name+key id in hexadecimal+base64(01 ‖ public key)`. Signing needs an Ed25519 function, verification too: both are
given, so that devices carry no cryptography library for what only a server does.
"""

import base64
import binascii
import hashlib
import re
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from datetime import datetime

from contract.chain import HASH_BYTES, ChainError

ED25519 = b"\x01"
NOTE_BYTES_MAX = 4_096
ORIGIN = re.compile(r"[A-Za-z0-9][A-Za-z0-9._/-]{0,199}")
_NUMBER = re.compile(r"0|[1-9][0-9]{0,15}")
_TIME = re.compile(r"time (\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(?:\.\d{1,6})?Z)")

Sign = Callable[[bytes], bytes]
Check = Callable[[bytes, bytes, bytes], bool]  # public key, signature, message


@dataclass(frozen=True, slots=True)
class PublicKey:
    """A name and its Ed25519 key, 32 bytes."""

    name: str
    key: bytes

    @property
    def key_id(self) -> bytes:
        """Four bytes that tell keys of one name apart."""
        return hashlib.sha256(self.name.encode() + b"\n" + ED25519 + self.key).digest()[:4]

    def __str__(self) -> str:
        return f"{self.name}+{self.key_id.hex()}+{base64.b64encode(ED25519 + self.key).decode()}"


@dataclass(frozen=True, slots=True)
class Checkpoint:
    """What a note says, and the bytes that were signed. time: UTC."""

    origin: str
    size: int
    root: bytes
    time: datetime
    body: bytes
    signatures: tuple[tuple[str, bytes, bytes], ...] = ()  # name, key id, signature


def parse_key(text: str) -> PublicKey:
    """The public key that `text` is. Raises ChainError."""
    name, _, rest = text.strip().partition("+")
    key_id, _, encoded = rest.partition("+")
    raw = _base64(encoded, "public key")
    if not ORIGIN.fullmatch(name) or raw[:1] != ED25519 or len(raw) != 33:
        raise ChainError("a public key is name+key id+base64 of 01 and 32 bytes")
    key = PublicKey(name, raw[1:])
    if key.key_id.hex() != key_id:
        raise ChainError(f"the key id of {name} is {key.key_id.hex()}, not {key_id[:16]}")
    return key


def checkpoint_body(origin: str, size: int, root: bytes, time: datetime) -> bytes:
    """The bytes that are signed; `time` is UTC. Raises ChainError."""
    if not ORIGIN.fullmatch(origin):
        raise ChainError(f"{origin!r} cannot name a ledger")
    if size < 0 or len(root) != HASH_BYTES:
        raise ChainError("a checkpoint has a size of at least 0 and a root of 32 bytes")
    moment = time.isoformat().replace("+00:00", "Z")
    return f"{origin}\n{size}\n{base64.b64encode(root).decode()}\ntime {moment}\n".encode()


def signed_note(body: bytes, signers: Iterable[tuple[PublicKey, Sign]]) -> str:
    """`body` with a line for each signer."""
    lines = [f"\u2014 {key.name} {base64.b64encode(key.key_id + sign(body)).decode()}\n" for key, sign in signers]
    return body.decode() + "\n" + "".join(lines)


def parse_note(note: str) -> Checkpoint:
    """What a note says; no signature is checked. Raises ChainError for anything that is not written exactly so."""
    if len(note) > NOTE_BYTES_MAX:
        raise ChainError(f"a note of {len(note)} characters, at most {NOTE_BYTES_MAX} are read")
    text, gap, tail = note.partition("\n\n")
    lines = text.split("\n")
    if not gap or len(lines) != 4 or not tail.endswith("\n"):
        raise ChainError("a checkpoint is origin, size, root and time, an empty line, and signatures")
    origin, size, root, time = lines
    said = _TIME.fullmatch(time)
    if not ORIGIN.fullmatch(origin) or not _NUMBER.fullmatch(size) or said is None:
        raise ChainError("origin, size or time of the checkpoint cannot be read")
    try:
        moment = datetime.fromisoformat(said[1])
    except ValueError as error:
        raise ChainError(f"{said[1]} is no time") from error
    body = (text + "\n").encode()
    found = Checkpoint(
        origin, int(size), _base64(root, "root"), moment, body, tuple(map(_signature, tail[:-1].split("\n")))
    )
    if checkpoint_body(origin, found.size, found.root, moment) != body:
        raise ChainError("the checkpoint is not written in the one way that it can be")
    return found


def _signature(line: str) -> tuple[str, bytes, bytes]:
    dash, _, rest = line.partition(" ")
    name, _, encoded = rest.partition(" ")
    raw = _base64(encoded, "signature")
    if dash != "\u2014" or len(raw) != 68:
        raise ChainError("a line of signature is a dash, a name and base64 of 68 bytes")
    return name, raw[:4], raw[4:]


def verify_note(note: str, keys: Iterable[PublicKey], check: Check) -> Checkpoint:
    """The checkpoint, once a key of `keys` signed it. Raises ChainError, also for a wrong signature of a known key."""
    checkpoint = parse_note(note)
    known = {(key.name, key.key_id): key for key in keys}
    is_signed = False
    for name, key_id, signature in checkpoint.signatures:
        key = known.get((name, key_id))
        if key is None:
            continue
        if key.name != checkpoint.origin:
            raise ChainError(f"the key is for {key.name}, the checkpoint is of {checkpoint.origin}")
        if not check(key.key, signature, checkpoint.body):
            raise ChainError(f"the signature of {name} (key {key_id.hex()}) is wrong")
        is_signed = True
    if not is_signed:
        raise ChainError("no signature is of a key that is trusted")
    return checkpoint


def _base64(text: str, what: str) -> bytes:
    try:
        raw = base64.b64decode(text, validate=True)
    except (binascii.Error, ValueError) as error:
        raise ChainError(f"the {what} is no base64") from error
    if base64.b64encode(raw).decode() != text:
        raise ChainError(f"the {what} is not written in the one way that base64 can be")
    return raw
