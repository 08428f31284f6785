"""Messages to channels: what the database says is due is sent, tried again with patience, and given up loudly.

The message was written in the transaction of its alert, so none is lost; an attempt whose answer is lost is repeated
under the same number, so a receiver sees each at least once. Only the active ingester of a shard sends. A channel that
is dead after `attempts_max` raises an alert of its own, which the other channels hear of.
"""

import asyncio
import random
import uuid
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

import structlog

from cloud.channels import ChannelError, Note, Sender
from cloud.lookout import Verdict, observations
from cloud.settings import NotifySettings
from cloud.store.alerts import apply_observations
from cloud.store.queries import Queries
from cloud.store.session import Connection
from quality.texts import Language

log = structlog.get_logger("notify")

POLL_S = 1.0
AT_ONCE = 10  # messages under way; one slow channel costs the others at most its time limit
RETRY_S_MAX = 3_600.0
ERROR_MAX = 500

Use = Callable[[Callable[[Connection], Awaitable[Any]]], Awaitable[Any]]


@dataclass(frozen=True, slots=True)
class Due:
    """A message that has to be sent now."""

    note: Note
    alarm_id: uuid.UUID | None
    site_code: str
    attempts: int


@dataclass(frozen=True, slots=True)
class Outcome:
    """How an attempt ended: error None where it was sent."""

    due: Due
    error: str | None


class Notifier:
    """Sends what is due, for as long as this ingester is the active one."""

    def __init__(
        self,
        sender: Sender,
        queries: Queries,
        use: Use,
        *,
        settings: NotifySettings,
        sites: list[str],
        language: Language,
        now: Callable[[], datetime],
        new_id: Callable[[], uuid.UUID],
        rng: random.Random,
    ) -> None:
        self._sender = sender
        self._queries = queries
        self._use = use
        self._settings = settings
        self._sites = None if "*" in sites else sites
        self._language: Language = language
        self._now = now
        self._new_id = new_id
        self._rng = rng
        self.sent_total = 0
        self.failed_total = 0
        self.dead_total = 0

    async def run(self) -> None:
        """Send for ever."""
        while True:
            due: list[Due] = await self._use(self._due)
            if not due:
                await asyncio.sleep(POLL_S)
                continue
            outcomes = await asyncio.gather(*(self._attempt(each) for each in due))
            await self._use(lambda session, outcomes=outcomes: self._settle(session, outcomes))

    async def _due(self, session: Connection) -> list[Due]:
        values = {"now": self._now(), "site_codes": self._sites, "limit": AT_ONCE}
        cursor = await session.execute(self._queries["select_due_notifications"], values)
        return [
            Due(Note(number, name, kind, target, bytes(payload)), alarm_id, site_code, attempts)
            for number, alarm_id, site_code, payload, attempts, name, kind, target in await cursor.fetchall()
        ]

    async def _attempt(self, due: Due) -> Outcome:
        try:
            await self._sender.send(due.note, self._now())
        except ChannelError as error:
            return Outcome(due, str(error)[:ERROR_MAX])
        return Outcome(due, None)

    async def _settle(self, session: Connection, outcomes: Sequence[Outcome]) -> None:
        async with session.transaction():
            for outcome in outcomes:
                await self._settle_one(session, outcome)

    async def _settle_one(self, session: Connection, outcome: Outcome) -> None:
        due, note = outcome.due, outcome.due.note
        if outcome.error is None:
            state = "sent"
            self.sent_total += 1
        else:
            self.failed_total += 1
            is_test = due.alarm_id is None  # a person waits for it: no use in trying for hours
            state = "dead" if is_test or due.attempts + 1 >= self._settings.attempts_max else "waiting"
            log.warning("not notified", channel=note.channel, number=note.number, why=outcome.error, state=state)
        values = {
            "notification_id": note.number,
            "state": state,
            "next_at": self._now() + timedelta(seconds=self._wait_s(due.attempts)),
            "error": outcome.error,
        }
        await session.execute(self._queries["settle_notification"], values)
        if state == "dead" and due.alarm_id is not None:
            self.dead_total += 1
            await self._tell_death(session, due, outcome.error or "")

    def _wait_s(self, attempts: int) -> float:
        longest = min(RETRY_S_MAX, self._settings.retry_s * 2**attempts)
        return longest * self._rng.uniform(0.5, 1.0)

    async def _tell_death(self, session: Connection, due: Due, why: str) -> None:
        parameters = {"channel": due.note.channel, "reason": why[:200]}
        verdict = Verdict("notification_dead", None, due.site_code, "", is_broken=True, parameters=parameters)
        seen = observations([verdict], now=self._now(), language=self._language)
        await apply_observations(session, self._queries, live=seen, old=[], new_id=self._new_id)
