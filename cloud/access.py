"""Who may do what: principals, roles, scopes and sites as values, and how secrets are made and compared; no I/O.

A principal has a role (what it may do at all), scopes (a token may be narrower than its role) and sites (None: every
site). Nothing here trusts a request: cloud/api/access.py finds out who it is.
"""

import hashlib
import secrets
from datetime import datetime
from typing import Any, Literal, get_args

import msgspec
from argon2 import PasswordHasher
from argon2.exceptions import InvalidHashError, VerificationError

Role = Literal["viewer", "operator", "admin"]
AccessScope = Literal["read", "write", "ingest"]

ROLES: tuple[Role, ...] = get_args(Role)
SCOPES_OF: dict[str, tuple[AccessScope, ...]] = {
    "viewer": ("read",),
    "operator": ("read", "write", "ingest"),
    "admin": ("read", "write", "ingest"),
}
SECRET_BYTES = 32
TOKEN_PREFIX = "sqal_"  # noqa: S105  # lets secret scanners find a token that somebody committed
PASSWORD_LENGTH_MIN = 10
PASSWORD_LENGTH_MAX = 200  # argon2 takes more, but a login body need not

_hasher = PasswordHasher()  # argon2id with the parameters of RFC 9106, low-memory profile
_NOBODYS_HASH = _hasher.hash(secrets.token_urlsafe(SECRET_BYTES))


class Principal(msgspec.Struct, frozen=True, kw_only=True):
    """Somebody who is known: `name` as in the audit record, such as `user:anne`."""

    name: str
    role: Role
    sites: frozenset[str] | None = None
    scopes: frozenset[str] | None = None
    token_id: int | None = None
    user_id: int | None = None
    expires_at: datetime | None = None

    def lacks(self, role: Role, scope: AccessScope) -> str | None:
        """Why this principal may not do what asks for `role` and `scope`, or None where it may."""
        if ROLES.index(self.role) < ROLES.index(role):
            return f"this needs the role {role}, {self.name} is {self.role}"
        if self.scopes is not None and scope not in self.scopes:
            return f"this needs the scope {scope}, {self.name} has {', '.join(sorted(self.scopes)) or 'none'}"
        return None

    def may_see(self, site: str | None) -> bool:
        """Whether what stands at `site` concerns this principal; what stands nowhere is for those of every site."""
        return self.sites is None or site in self.sites


DEMO = Principal(name="demo", role="operator")


def principal_of(row: dict[str, Any]) -> Principal:
    """The principal in a row of users and tokens."""
    return Principal(
        name=row["name"],
        role=row["role"],
        sites=None if row["sites"] is None else frozenset(row["sites"]),
        scopes=None if row["scopes"] is None else frozenset(row["scopes"]),
        token_id=row["token_id"],
        user_id=row["user_id"],
        expires_at=row["expires_at"],
    )


def new_secret(prefix: str = "") -> str:
    """A secret of 256 random bits as text; shown once, stored as its digest."""
    return prefix + secrets.token_urlsafe(SECRET_BYTES)


def digest_of(secret: str) -> bytes:
    """What is stored of a secret: SHA-256 suffices for 256 random bits."""
    return hashlib.sha256(secret.encode()).digest()


def hash_password(password: str) -> str:
    """The argon2id hash of `password`; some 50 ms. Raises ValueError, a sentence, for one that is too short or long."""
    if not PASSWORD_LENGTH_MIN <= len(password) <= PASSWORD_LENGTH_MAX:
        raise ValueError(f"a password has {PASSWORD_LENGTH_MIN} to {PASSWORD_LENGTH_MAX} characters")
    return _hasher.hash(password)


def password_fits(password: str, stored: str | None) -> bool:
    """Whether `password` is the one of the hash `stored`. Without a hash it takes as long and is False."""
    try:
        _hasher.verify(stored or _NOBODYS_HASH, password)
    except (VerificationError, InvalidHashError):
        return False
    return stored is not None
