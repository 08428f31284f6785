"""Shared answers: one query for many, no older than a receipt or a second, never for other rights."""

import asyncio
from collections.abc import Callable
from typing import Any

import pytest

from cloud.access import Principal
from cloud.api.answers import AGE_MAX_S, KEPT_MAX, Answers
from cloud.clock import SystemClock

PATH = "/api/sqal/samples/latest"
ANNE = Principal(name="user:anne", role="viewer")


class HandClock(SystemClock):
    now_s = 0.0

    def monotonic(self) -> float:
        return self.now_s


class World:
    """An application that counts its answers and gives them when told to; the layer under test around it."""

    def __init__(self) -> None:
        self.calls, self.version, self.status = 0, 0, 200
        self.go = asyncio.Event()
        self.go.set()
        self.clock = HandClock()
        self.answers = Answers(self.app, lambda: self.version, self.clock)

    async def app(self, _scope: Any, _receive: Any, send: Any) -> None:
        self.calls += 1
        body = f"{self.calls}".encode()
        await self.go.wait()
        headers = [(b"content-length", b"1"), (b"etag", b'W/"%d"' % self.version)]
        await send({"type": "http.response.start", "status": self.status, "headers": headers})
        await send({"type": "http.response.body", "body": body, "more_body": False})

    async def ask(self, *, who: Principal | None = ANNE, path: str = PATH, query: bytes = b"", method: str = "GET",
                  **headers: str) -> tuple[int, str]:  # fmt: skip
        sent: list[Any] = []

        async def send(message: Any) -> None:
            sent.append(message)

        raw = [(name.replace("_", "-").encode(), value.encode()) for name, value in headers.items()]
        scope: Any = {"type": "http", "path": path, "method": method, "query_string": query, "headers": raw}
        scope |= {"user": who, "auth": None}
        await self.answers(scope, None, send)  # pyright: ignore[reportArgumentType]
        return sent[0]["status"], sent[1]["body"].decode()


async def until(holds: Callable[[], bool]) -> None:
    while not holds():  # noqa: ASYNC110  # others of this loop have their turn; no time passes
        await asyncio.sleep(0)


async def test_equal_requests_that_meet_make_one_query() -> None:
    world = World()
    world.go.clear()
    asked = [asyncio.create_task(world.ask()) for _ in range(50)]
    await until(lambda: world.answers.counters.shared == 49)
    world.go.set()
    assert await asyncio.gather(*asked) == [(200, "1")] * 50
    assert world.calls == 1


async def test_an_answer_serves_until_something_is_stored_or_a_second_has_passed() -> None:
    world = World()
    assert [await world.ask() for _ in range(3)] == [(200, "1")] * 3
    world.version += 1
    assert await world.ask() == (200, "2")
    world.clock.now_s += AGE_MAX_S - 0.01
    assert await world.ask() == (200, "2")
    world.clock.now_s += 0.01
    assert await world.ask() == (200, "3")
    await world.ask(method="POST", path="/api/sqal/alerts")  # a change made here
    assert await world.ask() == (200, "5")


async def test_a_request_after_a_receipt_does_not_join_a_query_that_began_before_it() -> None:
    world = World()
    world.go.clear()
    before = asyncio.create_task(world.ask())
    await until(lambda: world.calls == 1)
    world.version += 1
    after = asyncio.create_task(world.ask())
    await until(lambda: world.calls == 2)
    world.go.set()
    assert (await before, await after) == ((200, "1"), (200, "2"))
    assert await world.ask() == (200, "2")


@pytest.mark.parametrize(
    "other",
    [
        {"who": Principal(name="user:bob", role="viewer", sites=frozenset({"LL"}))},
        {"who": Principal(name="user:bob", role="viewer", scopes=frozenset({"ingest"}))},
        {"who": Principal(name="user:bob", role="operator")},
        {"who": None},
        {"query": b"device_id=x"},
        {"origin": "http://localhost:3000"},
        {"accept_encoding": "gzip"},
    ],
)
async def test_who_or_what_differs_gets_an_answer_of_its_own(other: dict[str, Any]) -> None:
    world = World()
    await world.ask()
    assert await world.ask(**other) == (200, "2")
    assert await world.ask() == (200, "1")


async def test_refusals_are_made_for_each_caller() -> None:
    world = World()
    world.status = 403
    assert [await world.ask() for _ in range(2)] == [(403, "1"), (403, "2")]
    world.go.clear()
    asked = [asyncio.create_task(world.ask()) for _ in range(3)]
    await until(lambda: world.answers.counters.shared == 2)
    world.go.set()
    assert {status for status, _ in await asyncio.gather(*asked)} == {403}
    assert world.calls == 5
    world.status = 200
    assert (await world.ask())[0] == 200


async def test_who_has_the_answer_gets_no_body() -> None:
    world = World()
    await world.ask()
    assert await world.ask(if_none_match='W/"0"') == (304, "")
    assert await world.ask(if_none_match='W/"9"') == (200, "1")
    assert world.calls == 1


async def test_what_is_kept_is_bounded() -> None:
    world = World()
    for n in range(KEPT_MAX + 10):
        await world.ask(query=b"device_id=%d" % n)
    assert len(world.answers._made) == KEPT_MAX
    await world.ask(query=b"x" * 2_000)
    await world.ask(query=b"x" * 2_000)
    assert world.calls == KEPT_MAX + 12
