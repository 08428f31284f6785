"""Finding out who calls, before a handler runs: token, session cookie, ticket, or the demo's openness.

A cookie counts only where our own page sent it: browsers add cookies to what strangers' pages do, but say the page's
origin. A decision is remembered CACHE_S, so that the database is not asked for each request; connections that stay
open are asked again every RECHECK_S. Together that is the 60 s in which a revoked token is out. Where the database is
away, what was decided stays as it is: nobody new gets in, nobody known is thrown out, until its own expiry.
"""

import ipaddress
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from http.cookies import CookieError, SimpleCookie
from typing import Literal
from urllib.parse import parse_qs

from cloud.access import DEMO, Principal, digest_of, principal_of
from cloud.clock import Clock
from cloud.store.reader import DATABASE_AWAY, Store

CACHE_S = 30.0
RECHECK_S = 30.0
CACHED_MAX = 10_000
COOKIE = "sqal_session"
SAFE_METHODS = frozenset({"GET", "HEAD", "OPTIONS"})
FORWARDING = frozenset({"forwarded", "via", "x-forwarded-for", "x-forwarded-host", "x-forwarded-proto", "x-real-ip"})

CredentialKind = Literal["token", "session", "ticket"]


@dataclass(frozen=True, slots=True)
class Credential:
    """What a caller showed: its kind and the digest of its secret."""

    kind: CredentialKind
    digest: bytes


@dataclass(frozen=True, slots=True)
class Found:
    """Who calls, and what was shown."""

    principal: Principal | None
    credential: Credential | None


def credential_of(headers: Mapping[str, str], query: bytes, *, method: str | None) -> Credential | None:
    """What a caller shows; `method` is None for a WebSocket. The first of header, query, cookie counts."""
    scheme, _, secret = headers.get("authorization", "").partition(" ")
    if scheme.lower() == "bearer" and secret.strip():
        return Credential("token", digest_of(secret.strip()))
    asked = parse_qs(query.decode("latin-1"), max_num_fields=100) if query.count(b"&") < 100 else {}
    if asked.get("ticket") and method is None:
        return Credential("ticket", digest_of(asked["ticket"][0]))
    if asked.get("token"):
        return Credential("token", digest_of(asked["token"][0]))
    session = _cookie(headers.get("cookie", ""))
    if session and _is_from_our_page(headers, method):
        return Credential("session", digest_of(session))
    return None


def _cookie(text: str) -> str | None:
    try:
        morsel = SimpleCookie(text).get(COOKIE)
    except CookieError:
        return None
    return None if morsel is None else morsel.value


def _is_from_our_page(headers: Mapping[str, str], method: str | None) -> bool:
    origin, host = headers.get("origin"), headers.get("host", "").lower()
    if origin is not None:
        return origin.lower() in (f"http://{host}", f"https://{host}")
    site = headers.get("sec-fetch-site")
    if method is None:
        return site in (None, "same-origin")
    return site in ("same-origin", "none") or (site is None and method in SAFE_METHODS)


def is_open(headers: Iterable[str], client: str | None) -> bool:
    """Whether a caller at the address `client` is a person at this very machine, as far as a demo must know."""
    return _is_loopback(client) and FORWARDING.isdisjoint(headers)


def _is_loopback(client: str | None) -> bool:
    try:
        return client is not None and ipaddress.ip_address(client).is_loopback
    except ValueError:
        return False


class Doorkeeper:
    """Knows who a credential is. `demo`: callers of this machine without one are the demo's operator."""

    def __init__(self, store: Store, clock: Clock, *, demo: bool = False) -> None:
        self.demo = demo
        self._store = store
        self._clock = clock
        self._known: dict[Credential, tuple[Principal | None, float]] = {}

    async def find(self, headers: Mapping[str, str], query: bytes, *, method: str | None, client: str | None) -> Found:
        """Who calls; nobody where nothing valid is shown. Raises DATABASE_AWAY errors where that can't be known."""
        credential = credential_of(headers, query, method=method)
        principal = None
        may_be_open = self.demo and is_open(headers, client)
        if credential is not None:
            try:
                principal = await self._look_up(credential)
            except DATABASE_AWAY:
                if not may_be_open:
                    raise
        if principal is None and may_be_open:
            return Found(DEMO, None)
        return Found(principal, credential)

    async def still(self, found: Found) -> bool:
        """Whether a caller that was let in may stay; True while the database is away and nothing has expired."""
        principal = found.principal
        if principal is None or principal is DEMO:
            return principal is DEMO
        if principal.expires_at is not None and principal.expires_at <= self._clock.now():
            return False
        assert found.credential is not None, "whoever is known showed something"
        try:
            if found.credential.kind == "ticket":
                values = {"user_id": principal.user_id, "token_id": principal.token_id}
                row = await self._store.row("access_of_owner", **values)
                now = None if row is None else principal_of(row)
            else:
                now = await self._look_up(found.credential)
        except DATABASE_AWAY:
            return True
        return now is not None and (now.role, now.sites, now.scopes) == (
            principal.role,
            principal.sites,
            principal.scopes,
        )

    def forget(self, digest: bytes) -> None:
        """A session has ended here: do not remember it. Other processes forget it within CACHE_S."""
        self._known.pop(Credential("session", digest), None)

    async def _look_up(self, credential: Credential) -> Principal | None:
        now_s = self._clock.monotonic()
        principal, known_at = self._known.get(credential, (None, -CACHE_S))
        if now_s - known_at < CACHE_S:
            is_past = principal is not None and principal.expires_at and principal.expires_at <= self._clock.now()
            return None if is_past else principal
        row = await self._store.row(f"access_of_{credential.kind}", digest=credential.digest)
        principal = None if row is None else principal_of(row)
        if credential.kind != "ticket":  # good for once
            if len(self._known) >= CACHED_MAX:
                del self._known[next(iter(self._known))]
            self._known[credential] = (principal, now_s)
        return principal
