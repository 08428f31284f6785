"""Our own certificate authority for the broker: who is a device, who a service, and who is not any more.

Two roots: devices and services. The broker's listener for devices trusts the first only and takes the client id from
the certificate, so no device can be another; the listener for services trusts the second. Keys are P-256, which an
ESP32 computes. A revocation list has to be there from the start, or the broker would not look for one.

PkiError: it can't be done as asked; one sentence.
"""

import json
import os
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from ipaddress import ip_address
from pathlib import Path
from typing import Any, Literal

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

Root = Literal["devices", "services"]

ROOT_DAYS = 3650
LEAF_DAYS = 730
CRL_DAYS = 3650  # an expired list shuts everybody out; it is written anew at each revocation
CLOCK_SLACK = timedelta(days=1)  # a device whose clock is a little behind must not refuse a fresh certificate
INDEX = "index.json"


class PkiError(Exception):
    """It can't be done as asked; one sentence for a person."""


@dataclass(frozen=True, slots=True)
class Issued:
    """Where a certificate and its key lie."""

    certificate: Path
    key: Path


class Pki:
    """The authority in one folder, readable by its owner only."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def init(self, broker_names: Iterable[str]) -> None:
        """Make both roots, empty revocation lists, and the broker's own certificate. Raises PkiError."""
        if (self.folder / INDEX).exists():
            raise PkiError(f"{self.folder} holds an authority already; a new one would shut out every device")
        self.folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        self._save_index({})
        for root in ("devices", "services"):
            key = ec.generate_private_key(ec.SECP256R1())
            name = _name(f"SQAL {root}")
            builder = _builder(name, name, key.public_key(), ROOT_DAYS)
            builder = builder.add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
            builder = builder.add_extension(_key_usage(is_root=True), critical=True)
            self._write(root, builder.sign(key, hashes.SHA256()), key)
            self._write_list(root)
        self.issue("broker", "services", names=broker_names)

    def issue(self, name: str, root: Root, *, names: Iterable[str] = (), days: float = LEAF_DAYS) -> Issued:
        """A new key and certificate for `name`. Raises PkiError where it has one that is neither revoked nor over."""
        index = self._index()
        now = datetime.now(UTC)
        for entry in index.values():
            is_good = entry["revoked_at"] is None and datetime.fromisoformat(entry["ends_at"]) > now
            if entry["name"] == name and is_good:
                raise PkiError(f"{name} has a certificate until {entry['ends_at']}: renew or revoke it")
        return self._issue(name, root, names=names, days=days)

    def renew(self, name: str) -> Issued:
        """A new key and certificate for `name`; the one before stays good until it ends or is revoked."""
        return self._issue(name, self._last(name)["root"], names=self._last(name)["names"])

    def revoke(self, name: str) -> int:
        """Revoke every certificate of `name` and write the list; how many they were. Raises PkiError."""
        index, now = self._index(), datetime.now(UTC).isoformat()
        found = [entry for entry in index.values() if entry["name"] == name and entry["revoked_at"] is None]
        if not found:
            raise PkiError(f"{name} has no certificate that could be revoked")
        for entry in found:
            entry["revoked_at"] = now
        self._save_index(index)
        self._write_list(found[0]["root"])
        return len(found)

    def list(self) -> list[dict[str, Any]]:
        """Every certificate ever issued: name, root, ends_at, revoked_at, names."""
        return list(self._index().values())

    def _issue(self, name: str, root: Root, *, names: Iterable[str], days: float = LEAF_DAYS) -> Issued:
        root_key = serialization.load_pem_private_key((self.folder / f"{root}.key").read_bytes(), password=None)
        root_certificate = x509.load_pem_x509_certificate((self.folder / f"{root}.crt").read_bytes())
        assert isinstance(root_key, ec.EllipticCurvePrivateKey), "made by init"
        key = ec.generate_private_key(ec.SECP256R1())
        builder = _builder(_name(name), root_certificate.subject, key.public_key(), days)
        builder = builder.add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
        builder = builder.add_extension(_key_usage(is_root=False), critical=True)
        names = list(names)
        usage = ExtendedKeyUsageOID.SERVER_AUTH if names else ExtendedKeyUsageOID.CLIENT_AUTH
        builder = builder.add_extension(x509.ExtendedKeyUsage([usage]), critical=False)
        if names:
            builder = builder.add_extension(x509.SubjectAlternativeName([_alt(each) for each in names]), critical=False)
        certificate = builder.sign(root_key, hashes.SHA256())
        index = self._index()
        index[str(certificate.serial_number)] = {
            "name": name,
            "root": root,
            "names": names,
            "ends_at": certificate.not_valid_after_utc.isoformat(),
            "revoked_at": None,
        }
        self._save_index(index)
        return self._write(name, certificate, key)

    def _last(self, name: str) -> dict[str, Any]:
        found = [entry for entry in self._index().values() if entry["name"] == name and entry["revoked_at"] is None]
        if not found:
            raise PkiError(f"{name} has no certificate that could be renewed")
        return found[-1]

    def _write(self, name: str, certificate: x509.Certificate, key: ec.EllipticCurvePrivateKey) -> Issued:
        issued = Issued(self.folder / f"{name}.crt", self.folder / f"{name}.key")
        pem = serialization.Encoding.PEM
        _replace(issued.certificate, certificate.public_bytes(pem))
        secret = key.private_bytes(pem, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
        _replace(issued.key, secret)
        return issued

    def _write_list(self, root: Root) -> None:
        key = serialization.load_pem_private_key((self.folder / f"{root}.key").read_bytes(), password=None)
        assert isinstance(key, ec.EllipticCurvePrivateKey), "made by init"
        now = datetime.now(UTC)
        issuer = x509.load_pem_x509_certificate((self.folder / f"{root}.crt").read_bytes()).subject
        builder = x509.CertificateRevocationListBuilder(issuer, now - CLOCK_SLACK, now + timedelta(days=CRL_DAYS))
        for serial, entry in self._index().items():
            if entry["root"] == root and entry["revoked_at"] is not None:
                revoked = x509.RevokedCertificateBuilder(int(serial), datetime.fromisoformat(entry["revoked_at"]))
                builder = builder.add_revoked_certificate(revoked.build())
        _replace(
            self.folder / f"{root}.crl", builder.sign(key, hashes.SHA256()).public_bytes(serialization.Encoding.PEM)
        )

    def _index(self) -> dict[str, dict[str, Any]]:
        try:
            return json.loads((self.folder / INDEX).read_text(encoding="utf-8"))
        except FileNotFoundError:
            raise PkiError(f"{self.folder} holds no authority: run `sqal pki init`") from None

    def _save_index(self, index: dict[str, dict[str, Any]]) -> None:
        _replace(self.folder / INDEX, json.dumps(index, indent=1).encode())


def _replace(path: Path, content: bytes) -> None:
    """Write a file that only its owner reads, whole or not at all."""
    draft = path.with_name(path.name + ".new")
    draft.unlink(missing_ok=True)
    with os.fdopen(os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb") as file:
        file.write(content)
        file.flush()
        os.fsync(file.fileno())
    draft.replace(path)


def _name(common_name: str) -> x509.Name:
    return x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, common_name)])


def _alt(name: str) -> x509.GeneralName:
    try:
        return x509.IPAddress(ip_address(name))
    except ValueError:
        return x509.DNSName(name)


def _builder(
    subject: x509.Name, issuer: x509.Name, key: ec.EllipticCurvePublicKey, days: float
) -> x509.CertificateBuilder:
    now = datetime.now(UTC)
    builder = x509.CertificateBuilder(issuer, subject, key, x509.random_serial_number())
    return builder.not_valid_before(now - CLOCK_SLACK).not_valid_after(now + timedelta(days=days))


def _key_usage(*, is_root: bool) -> x509.KeyUsage:
    return x509.KeyUsage(
        digital_signature=not is_root,
        content_commitment=False,
        key_encipherment=False,
        data_encipherment=False,
        key_agreement=False,
        key_cert_sign=is_root,
        crl_sign=is_root,
        encipher_only=False,
        decipher_only=False,
    )
