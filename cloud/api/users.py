"""Logging in and out, tickets, and for admins: users, tokens, the record.

A secret is shown once, in the answer that makes it. Failed logins make their name wait, whoever tries; a name that
nobody has takes as long as one that somebody has.
"""

from datetime import datetime
from typing import Annotated, Any, Literal

import anyio
import anyio.to_thread
import msgspec
from litestar import Request, Response, get, patch, post
from litestar.di import NamedDependency
from litestar.params import FromPath, JSONBody, PathParameter, QueryParameter
from msgspec import Meta

from cloud.access import (
    DEMO,
    SCOPES_OF,
    TOKEN_PREFIX,
    AccessScope,
    Role,
    digest_of,
    hash_password,
    new_secret,
    password_fits,
)
from cloud.api.access import COOKIE, Doorkeeper, Found
from cloud.api.guard import LOOPBACK_NAMES, host_name
from cloud.api.params import Before, text_without_nul
from cloud.api.problems import (
    BadRequestError,
    ConflictError,
    ForbiddenError,
    NotFoundError,
    TooManyRequestsError,
    UnauthorizedError,
)
from cloud.api.rights import ADMIN, ANY_SITE, PUBLIC, Rights
from cloud.store.reader import Row, Store
from contract.bounds import SEQ_MAX

SESSION_S = 12 * 3600.0  # a shift and a half; then one logs in again
TICKET_S = 30.0
HASHERS = anyio.CapacityLimiter(2)  # argon2 takes 64 MiB each; logins wait for one another
FOR_READERS: dict[str, Any] = {**ANY_SITE, "role": "viewer", "reads": True}
NO_STORE = {"Cache-Control": "no-store"}

Name = Annotated[str, Meta(pattern=r"^[A-Za-z0-9][A-Za-z0-9_.@-]{0,99}$(?!\n)")]
Site = Annotated[str, Meta(pattern=r"^[A-Za-z0-9]{1,2}$(?!\n)")]
Sites = Annotated[list[Site], Meta(min_length=1, max_length=100)]
Password = Annotated[str, Meta(min_length=1, max_length=200)]
TokenPath = Annotated[int, PathParameter(ge=1, le=SEQ_MAX)]
OutcomeFilter = Annotated[Literal["done", "denied"] | None, QueryParameter(name="outcome")]
AuditLimit = Annotated[int, QueryParameter(name="limit", ge=1, le=500)]


class Login(msgspec.Struct, frozen=True):
    """What a person types."""

    name: Annotated[str, Meta(min_length=1, max_length=100)]
    password: Password


class Me(msgspec.Struct, frozen=True):
    """Who the caller is; `sites` null is every site."""

    name: str
    role: Role
    sites: list[str] | None
    scopes: list[str]


class Ticket(msgspec.Struct, frozen=True):
    """Good for one WebSocket within `expires_in_s`: `?ticket=…`."""

    ticket: str
    expires_in_s: float = TICKET_S


class NewUser(msgspec.Struct, frozen=True):
    """A user to be; without a password only a login link lets it in."""

    name: Name
    role: Role
    password: Password | None = None
    sites: Sites | None = None


class UserChange(msgspec.Struct, frozen=True):
    """What to change; what is absent stays. `all_sites` lifts the limit to some."""

    role: Role | None = None
    password: Password | None = None
    sites: Sites | None = None
    all_sites: bool = False
    is_active: bool | None = None


class User(msgspec.Struct, frozen=True):
    """A user without secrets."""

    user_id: int
    name: str
    role: Role
    sites: list[str] | None
    is_active: bool
    has_password: bool
    created_at: datetime


class Users(msgspec.Struct, frozen=True):
    """All users."""

    users: list[User]


class NewToken(msgspec.Struct, frozen=True):
    """A token to be; scopes are those of the role unless given."""

    name: Name
    role: Role = "viewer"
    sites: Sites | None = None
    scopes: Annotated[list[AccessScope], Meta(min_length=1, max_length=3)] | None = None
    days: Annotated[float, Meta(gt=0, le=3660)] = 365.0


class Token(msgspec.Struct, frozen=True, kw_only=True):
    """A token; `secret` only in the answer that made it."""

    token_id: int
    name: str
    role: Role
    sites: list[str] | None
    scopes: list[str]
    created_by: str
    created_at: datetime
    expires_at: datetime
    revoked_at: datetime | None
    secret: str | msgspec.UnsetType = msgspec.UNSET


class Tokens(msgspec.Struct, frozen=True):
    """All tokens."""

    tokens: list[Token]


class AuditPage(msgspec.Struct, frozen=True):
    """A page of the record."""

    audit: list[dict[str, Any]]
    next: int | None


async def hashed(password: str) -> str:
    """The hash of `password`, off the event loop. Raises BadRequestError."""
    try:
        return await anyio.to_thread.run_sync(hash_password, password, limiter=HASHERS)
    except ValueError as error:
        raise BadRequestError("password", str(error)) from error


@post("/login", summary="Log in", tags=["access"], opt=PUBLIC, status_code=200)
async def login(request: Request[Any, Any, Any], store: NamedDependency[Store], data: JSONBody[Login]) -> Response[Me]:
    """Begin a session, a cookie that only our own page can use. Raises UnauthorizedError, TooManyRequestsError."""
    for field in ("name", "password"):
        text_without_nul(getattr(data, field), field)
    waiting = await store.row("login_wait", name=data.name)
    if waiting is not None and waiting["wait_s"] > 0:
        raise TooManyRequestsError("too many failed logins; wait before the next", retry_after_s=waiting["wait_s"])
    await store.run("login_failed", name=data.name)  # before the check: tries side by side wait for one another too
    user = await store.row("select_user", name=data.name)
    stored = user["password_hash"] if user is not None and user["is_active"] else None
    if not await anyio.to_thread.run_sync(password_fits, data.password, stored, limiter=HASHERS):
        raise UnauthorizedError("name or password is wrong")
    assert user is not None, "nobody has no password"
    await store.run("login_succeeded", name=data.name)
    me = Me(f"user:{user['name']}", user["role"], user["sites"], list(SCOPES_OF[user["role"]]))
    return Response(me, headers=NO_STORE | await session_headers(request, store, user["user_id"]), status_code=200)


@get("/login/{link:str}", include_in_schema=False, opt=PUBLIC)
async def login_by_link(
    request: Request[Any, Any, Any], store: NamedDependency[Store], link: FromPath[str]
) -> Response[bytes]:
    """Enter by a link that works once. Raises UnauthorizedError."""
    user = await store.row("use_login_link", digest=digest_of(link))
    if user is None and "text/html" in request.headers.get("accept", ""):  # a person: the page says it in words
        return Response(b"", status_code=303, headers={"Location": "/login?link=used"} | NO_STORE)
    if user is None:
        raise UnauthorizedError("this login link was used already, or it is too old: ask for a new one")
    headers = await session_headers(request, store, user["user_id"])
    return Response(b"", status_code=303, headers={"Location": "/", "Referrer-Policy": "no-referrer"} | headers)


async def session_headers(request: Request[Any, Any, Any], store: Store, user_id: int) -> dict[str, str]:
    """Make a session and the header that gives its cookie to the browser."""
    secret = new_secret()
    values = {"digest": digest_of(secret), "kind": "session", "user_id": user_id, "token_id": None}
    await store.run("insert_pass", **values, lasts_s=SESSION_S)
    return {"Set-Cookie": _cookie(request, secret, SESSION_S)}


def _cookie(request: Request[Any, Any, Any], secret: str, lasts_s: float) -> str:
    is_local = host_name(request.headers.get("host", "")) in LOOPBACK_NAMES
    secure = "" if is_local else "; Secure"
    return f"{COOKIE}={secret}; Path=/; Max-Age={lasts_s:.0f}; HttpOnly; SameSite=Strict{secure}"


@post("/logout", summary="Log out", tags=["access"], opt=PUBLIC, status_code=204)
async def logout(
    request: Request[Any, Any, Any], store: NamedDependency[Store], doorkeeper: NamedDependency[Doorkeeper]
) -> Response[None]:
    """End the session of the caller; without one nothing happens."""
    found: Found = request.scope["auth"]
    if found.credential is not None and found.credential.kind == "session":
        await store.run("delete_pass", digest=found.credential.digest)
        doorkeeper.forget(found.credential.digest)
    return Response(None, status_code=204, headers={"Set-Cookie": _cookie(request, "", 0)})


@get("/me", summary="Who you are", tags=["access"], opt=ANY_SITE)
async def me(rights: NamedDependency[Rights]) -> Me:
    """Name, role, sites and scopes of the caller."""
    who = rights.principal
    scopes = SCOPES_OF[who.role] if who.scopes is None else sorted(who.scopes)
    return Me(who.name, who.role, rights.sites, list(scopes))


@post("/tickets", summary="A ticket for one WebSocket", tags=["access"], opt=FOR_READERS)
async def new_ticket(store: NamedDependency[Store], rights: NamedDependency[Rights]) -> Ticket:
    """A ticket for a browser of another origin: it opens one WebSocket as you, within 30 s, and never shows a token."""
    who = rights.principal
    if who is DEMO:
        raise ForbiddenError("the demo is open to this machine: there is nobody to make a ticket for")
    secret = new_secret()
    values = {"digest": digest_of(secret), "kind": "ticket", "user_id": who.user_id, "token_id": who.token_id}
    await store.run("insert_pass", **values, lasts_s=TICKET_S)
    return Ticket(secret)


@get("/users", summary="All users", tags=["access"], opt=ADMIN)
async def users(store: NamedDependency[Store], rights: NamedDependency[Rights]) -> Users:
    """All users, without secrets. Raises ForbiddenError for admins of some sites."""
    _every_site(rights)
    return Users([User(**row) for row in await store.rows("list_users")])


@post("/users", summary="Add a user", tags=["access"], opt=ADMIN)
async def add_user(store: NamedDependency[Store], rights: NamedDependency[Rights], data: JSONBody[NewUser]) -> User:
    """Add a user. Raises ConflictError where the name is taken."""
    _every_site(rights)
    values = {"name": data.name, "role": data.role, "sites": data.sites}
    text_without_nul(data.password, "password")
    row = await store.row(
        "insert_user", **values, password_hash=None if data.password is None else await hashed(data.password)
    )
    if row is None:
        raise ConflictError(f"there is a user {data.name!r} already")
    return User(**row)


@patch("/users/{name:str}", summary="Change a user", tags=["access"], opt=ADMIN)
async def change_user(
    store: NamedDependency[Store], rights: NamedDependency[Rights], name: FromPath[str], data: JSONBody[UserChange]
) -> User:
    """Change a user; its sessions end, it logs in again. Raises NotFoundError."""
    _every_site(rights)
    text_without_nul(name, "name")
    password_hash = None if data.password is None else await hashed(data.password)
    values: Row = msgspec.structs.asdict(data)
    del values["password"]
    row = await store.row("update_user", **values, name=name, password_hash=password_hash)
    if row is None:
        raise NotFoundError(f"there is no user {name[:100]!r}")
    await store.run("end_sessions", user_id=row["user_id"])
    return User(**row)


@get("/tokens", summary="All tokens", tags=["access"], opt=ADMIN)
async def tokens(store: NamedDependency[Store], rights: NamedDependency[Rights]) -> Tokens:
    """All tokens, without secrets."""
    _every_site(rights)
    return Tokens([Token(**row) for row in await store.rows("list_tokens")])


@post("/tokens", summary="Make a token", tags=["access"], opt=ADMIN)
async def add_token(store: NamedDependency[Store], rights: NamedDependency[Rights], data: JSONBody[NewToken]) -> Token:
    """Make a token for a program. `secret` is shown this once. Raises BadRequestError."""
    _every_site(rights)
    allowed = SCOPES_OF[data.role]
    scopes = list(allowed) if data.scopes is None else sorted(set(data.scopes))
    if not set(scopes) <= set(allowed):
        raise BadRequestError("scopes", f"the role {data.role} has {', '.join(allowed)} only")
    secret = new_secret(TOKEN_PREFIX)
    values = {"name": data.name, "digest": digest_of(secret), "role": data.role, "sites": data.sites, "scopes": scopes}
    row = await store.row("insert_token", **values, created_by=rights.principal.name, lasts_s=data.days * 86_400)
    assert row is not None, "an INSERT that returns"
    return Token(**row, secret=secret)


@post("/tokens/{token_id:int}/revoke", summary="End a token", tags=["access"], opt=ADMIN, status_code=200)
async def revoke_token(store: NamedDependency[Store], rights: NamedDependency[Rights], token_id: TokenPath) -> Token:
    """End a token for good; what it holds open ends within 60 s. Raises NotFoundError."""
    _every_site(rights)
    row = await store.row("revoke_token", token_id=token_id)
    if row is None:
        raise NotFoundError(f"there is no token {token_id}")
    return Token(**row)


@get("/audit", summary="What was done and denied", tags=["access"], opt=ADMIN)
async def audit(
    store: NamedDependency[Store],
    rights: NamedDependency[Rights],
    before: Before = None,
    outcome: OutcomeFilter = None,
    limit: AuditLimit = 100,
) -> AuditPage:
    """The record, newest first."""
    _every_site(rights)
    rows = await store.rows("api_audit", before=before, outcome=outcome, limit=limit)
    return AuditPage(rows, rows[-1]["audit_id"] if len(rows) == limit else None)


def _every_site(rights: Rights) -> None:
    """Users and tokens belong to no site: who administers some may not make itself rights at others."""
    if rights.sites is not None:
        raise ForbiddenError("this concerns every site, and you have rights at some only")
