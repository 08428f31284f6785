"""The ledger's private keys: a file with one key a line, the active one first; all of them sign.

A line is `PRIVATE+KEY+name+key id+base64(01 ‖ seed)`, as other tools of transparency logs write it. While two keys are
in the file every checkpoint carries both signatures: who trusts only the old one can follow to the new one.

Errors:

    Exception
    └── KeyFileError   one sentence: which file and what is wrong with it
"""

import base64
import os
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey

from contract.checkpoint import PublicKey

PREFIX = "PRIVATE+KEY+"
KEYS_MAX = 4


class KeyFileError(Exception):
    """The key file cannot be used; one sentence for a person."""


@dataclass(frozen=True, slots=True)
class Signer:
    """A private key and its name."""

    public: PublicKey
    private: Ed25519PrivateKey

    @property
    def line(self) -> str:
        """As it stands in the file."""
        seed = base64.b64encode(b"\x01" + self.private.private_bytes_raw()).decode()
        return f"{PREFIX}{self.public.name}+{self.public.key_id.hex()}+{seed}"


def new_signer(name: str) -> Signer:
    """A new key from the system's randomness."""
    return _signer(name, Ed25519PrivateKey.generate())


def _signer(name: str, private: Ed25519PrivateKey) -> Signer:
    return Signer(PublicKey(name, private.public_key().public_bytes_raw()), private)


def check_signature(key: bytes, signature: bytes, message: bytes) -> bool:
    """Whether `signature` over `message` is of the Ed25519 public key `key`."""
    try:
        Ed25519PublicKey.from_public_bytes(key).verify(signature, message)
    except (InvalidSignature, ValueError):
        return False
    return True


def read_keys(path: Path) -> list[Signer]:
    """The keys of a file, the active one first. Raises KeyFileError."""
    try:
        lines = path.read_text(encoding="utf-8").split()
    except (OSError, UnicodeDecodeError) as error:
        raise KeyFileError(f"the ledger's key file {path} cannot be read: {error}") from error
    if not 1 <= len(lines) <= KEYS_MAX:
        raise KeyFileError(f"the ledger's key file {path} holds {len(lines)} keys, 1 to {KEYS_MAX} are possible")
    return [_parse(line, path) for line in lines]


def _parse(line: str, path: Path) -> Signer:
    name, _, rest = line.removeprefix(PREFIX).partition("+")
    key_id, _, seed = rest.partition("+")
    try:
        raw = base64.b64decode(seed, validate=True)
        signer = _signer(name, Ed25519PrivateKey.from_private_bytes(raw[1:]))
    except ValueError as error:
        raise KeyFileError(f"the ledger's key file {path} holds a line that is no key") from error
    if not line.startswith(PREFIX) or raw[:1] != b"\x01" or signer.public.key_id.hex() != key_id:
        raise KeyFileError(f"the ledger's key file {path} holds a line that is no key")
    return signer


def create_keys(path: Path, name: str) -> Signer:
    """Write a new key where there is no file yet. Raises KeyFileError."""
    signer = new_signer(name)
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        handle = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    except FileExistsError:
        raise KeyFileError(f"{path} is there already: a key is never overwritten") from None
    except OSError as error:
        raise KeyFileError(f"the ledger's key file {path} cannot be written: {error}") from error
    with os.fdopen(handle, "w") as file:
        file.write(signer.line + "\n")
        file.flush()
        os.fsync(file.fileno())
    return signer


def rotate_keys(path: Path) -> Signer:
    """Put a new key before the present ones; from now on all sign. Raises KeyFileError."""
    signers = read_keys(path)
    if len(signers) == KEYS_MAX:
        raise KeyFileError(f"{path} holds {KEYS_MAX} keys already: retire one first")
    fresh = new_signer(signers[0].public.name)
    write_durably(path, "".join(f"{each.line}\n" for each in (fresh, *signers)))
    return fresh


def retire_keys(path: Path) -> Sequence[Signer]:
    """Keep only the active key; the others. Raises KeyFileError."""
    active, *others = read_keys(path)
    write_durably(path, f"{active.line}\n")
    return others


def write_durably(path: Path, text: str, *, mode: int = 0o600) -> None:
    """Replace a file in one step that survives a power cut. Raises OSError."""
    path.parent.mkdir(parents=True, exist_ok=True)
    beside = path.with_name(path.name + ".new")
    handle = os.open(beside, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, mode)
    with os.fdopen(handle, "w", encoding="utf-8") as file:
        file.write(text)
        file.flush()
        os.fsync(file.fileno())
    beside.replace(path)
    folder = os.open(path.parent, os.O_RDONLY)
    try:
        os.fsync(folder)
    finally:
        os.close(folder)
