"""Users and tokens from the command line: the way in where nobody can log in yet. Everything done is on record."""

import getpass
from typing import Any

import psycopg
from psycopg.rows import dict_row

from cloud.access import SCOPES_OF, TOKEN_PREFIX, digest_of, hash_password, new_secret
from cloud.store.queries import Queries

LINK_S = 24 * 3600.0  # a demo that runs over night can still be entered in the morning


class AccessError(Exception):
    """It can't be done as asked; one sentence for a person."""


class Access:
    """The users and tokens of one database. Raises psycopg.OperationalError where it cannot be reached."""

    def __init__(self, dsn: str, queries: Queries) -> None:
        self._dsn = dsn
        self._queries = queries

    def users(self) -> list[dict[str, Any]]:
        """All users, without secrets."""
        return self._rows("list_users")

    def add_user(self, name: str, role: str, *, password: str | None = None, sites: list[str] | None = None) -> None:
        """Add a user. Raises AccessError where the name is taken or the password too short."""
        row = self._row("insert_user", name=name, role=role, sites=sites, password_hash=_hash(password))
        if row is None:
            raise AccessError(f"there is a user {name!r} already")
        self._record("user add", name)

    def change_user(self, name: str, **changes: Any) -> None:
        """Change role, sites, password or is_active of a user; its sessions end. Raises AccessError."""
        values: dict[str, Any] = {"role": None, "sites": None, "all_sites": False, "is_active": None, **changes}
        password_hash = _hash(values.pop("password", None))
        row = self._row("update_user", name=name, password_hash=password_hash, **values)
        if row is None:
            raise AccessError(f"there is no user {name!r}")
        self._run("end_sessions", user_id=row["user_id"])
        self._record("user change", name)

    def login_link(self, name: str, base_url: str) -> str:
        """A link that logs `name` in once, within a day. Raises AccessError."""
        user = self._row("select_user", name=name)
        if user is None or not user["is_active"]:
            raise AccessError(f"there is no active user {name!r}")
        secret = new_secret()
        values = {"digest": digest_of(secret), "kind": "link", "user_id": user["user_id"], "token_id": None}
        self._run("insert_pass", **values, lasts_s=LINK_S)
        self._record("user link", name)
        return f"{base_url.rstrip('/')}/api/sqal/login/{secret}"

    def tokens(self) -> list[dict[str, Any]]:
        """All tokens, without secrets."""
        return self._rows("list_tokens")

    def add_token(
        self, name: str, role: str, *, sites: list[str] | None, scopes: list[str] | None, days: float
    ) -> tuple[int, str]:
        """A new token's number and secret. Raises AccessError for a scope that the role lacks."""
        allowed = SCOPES_OF[role]
        if scopes is not None and not set(scopes) <= set(allowed):
            raise AccessError(f"the role {role} has the scopes {', '.join(allowed)} only")
        secret = new_secret(TOKEN_PREFIX)
        values = {"name": name, "role": role, "sites": sites, "scopes": list(scopes or allowed)}
        row = self._row("insert_token", **values, digest=digest_of(secret), created_by="cli", lasts_s=days * 86_400)
        assert row is not None, "an INSERT that returns"
        self._record("token add", f"{row['token_id']} {name}")
        return row["token_id"], secret

    def revoke_token(self, token_id: int) -> None:
        """End a token for good. Raises AccessError."""
        if self._row("revoke_token", token_id=token_id) is None:
            raise AccessError(f"there is no token {token_id}")
        self._record("token revoke", str(token_id))

    def _record(self, action: str, target: str) -> None:
        values = {"status": None, "address": None, "request_id": None, "detail": None}
        actor = f"cli:{getpass.getuser()}"
        self._run("insert_audit", actor=actor, outcome="done", action=action, target=target, **values)

    def _rows(self, name: str, /, **values: Any) -> list[dict[str, Any]]:
        with psycopg.connect(self._dsn) as connection, connection.cursor(row_factory=dict_row) as cursor:
            return cursor.execute(self._queries[name], values).fetchall()

    def _row(self, name: str, /, **values: Any) -> dict[str, Any] | None:
        with psycopg.connect(self._dsn) as connection, connection.cursor(row_factory=dict_row) as cursor:
            return cursor.execute(self._queries[name], values).fetchone()

    def _run(self, name: str, /, **values: Any) -> None:
        with psycopg.connect(self._dsn) as connection:
            connection.execute(self._queries[name], values)


def _hash(password: str | None) -> str | None:
    try:
        return None if password is None else hash_password(password)
    except ValueError as error:
        raise AccessError(str(error)) from error
