"""Channels in the database, for the command line; the API uses the same statements through its pool."""

from collections.abc import Callable
from datetime import datetime
from typing import Any

import psycopg
from psycopg.rows import dict_row

from cloud.store.queries import Queries
from contract import encode
from contract.messages import Alarm

TEST_SITE = "ZZ"  # no site of anybody: a test is about the channel


def trial_payload(now: datetime) -> bytes:
    """The alarm that a test of a channel sends."""
    alarm = Alarm(
        id="00000000-0000-0000-0000-000000000000",
        state="unacknowledged",
        alert_type="test",
        severity="info",
        message="Essai du canal SQAL / test of this SQAL channel",
        first_at=now,
        last_at=now,
        count=1,
        site_code=TEST_SITE,
    )
    return encode(alarm)


class Channels:
    """The channels of one database. Every call is a connection of its own. Raises psycopg.Error."""

    def __init__(self, dsn: str, queries: Queries) -> None:
        self._dsn = dsn
        self._queries = queries

    def all(self) -> list[dict[str, Any]]:
        """Every channel by name."""
        return self._run("channels", {})

    def put(self, name: str, **values: Any) -> None:
        """Make or replace a channel; `values` as columns."""
        self._run("put_channel", {"name": name, **values})

    def remove(self, name: str) -> bool:
        """Forget a channel and its log; whether there was one."""
        with psycopg.connect(self._dsn, autocommit=True) as connection:
            return connection.execute(self._queries["delete_channel"], {"name": name}).rowcount == 1

    def test(self, name: str, now: datetime) -> int | None:
        """Hand a test message to the ingester; its number, None without such a channel."""
        values = {"name": name, "site_code": TEST_SITE, "payload": trial_payload(now)}
        found = self._run("put_test_notification", values)
        return int(found[0]["notification_id"]) if found else None

    def wait(self, number: int, *, pause: Callable[[], None], turns: int) -> dict[str, Any]:
        """Look up to `turns` times, with a pause between, whether a message has met its fate; how it stands."""
        found = self._run("notification", {"notification_id": number})[0]
        for _ in range(turns):
            if found["state"] != "waiting":
                break
            pause()
            found = self._run("notification", {"notification_id": number})[0]
        return found

    def _run(self, name: str, values: dict[str, Any]) -> list[dict[str, Any]]:
        with psycopg.connect(self._dsn, autocommit=True) as connection:
            cursor = connection.cursor(row_factory=dict_row)
            return cursor.execute(self._queries[name], values).fetchall()
