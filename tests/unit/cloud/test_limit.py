"""An address that asks too often is told when to come back; nobody else notices."""

from typing import Any

import pytest

from cloud.api.limit import Limit, network_of
from cloud.clock import SystemClock
from cloud.quota import BURST_S

RATE_HZ = 10.0
BURST = int(RATE_HZ * BURST_S)


class HandClock(SystemClock):
    now_s = 0.0

    def monotonic(self) -> float:
        return self.now_s


async def ask(limit: Limit, address: str, kind: str = "http") -> Any:
    sent: list[Any] = []

    async def send(message: Any) -> None:
        sent.append(message)

    scope: Any = {"type": kind, "client": (address, 1), "headers": []}
    await limit(scope, None, send)  # pyright: ignore[reportArgumentType]
    return sent[0]


async def app(_scope: Any, _receive: Any, send: Any) -> None:
    await send({"type": "http.response.start", "status": 200, "headers": []})


@pytest.mark.parametrize("kind", ["http", "websocket"])
async def test_a_flood_is_refused_until_time_has_passed_and_others_are_served(kind: str) -> None:
    clock = HandClock()
    limit = Limit(app, RATE_HZ, clock)
    assert [(await ask(limit, "1.2.3.4", kind))["status"] for _ in range(BURST)] == [200] * BURST
    refused = await ask(limit, "1.2.3.4", kind)
    assert refused["status"] == 429
    assert dict(refused["headers"])[b"retry-after"] == b"1"
    assert limit.counters.limited == 1
    assert (await ask(limit, "1.2.3.5", kind))["status"] == 200
    clock.now_s += 1.0
    statuses = [(await ask(limit, "1.2.3.4", kind))["status"] for _ in range(12)]
    assert statuses == [200] * 10 + [429] * 2


async def test_a_slow_rate_says_a_longer_wait() -> None:
    limit = Limit(app, 0.4, HandClock())
    answers = [await ask(limit, "1.2.3.4") for _ in range(3)]
    assert [each["status"] for each in answers] == [200, 200, 429]
    assert dict(answers[2]["headers"])[b"retry-after"] == b"3"


async def test_no_limit() -> None:
    limit = Limit(app, 0, HandClock())
    assert {(await ask(limit, "1.2.3.4"))["status"] for _ in range(5_000)} == {200}


@pytest.mark.parametrize(
    ("address", "expected"),
    [
        ("1.2.3.4", "1.2.3.4"),
        ("2001:db8::1", "2001:db8::/64"),
        ("2001:db8::ffff:1", "2001:db8::/64"),
        ("2001:db8:0:1::1", "2001:db8:0:1::/64"),
        ("::ffff:1.2.3.4", "1.2.3.4"),
        ("", ""),
        ("not:an:address", "not:an:address"),
    ],
)
def test_what_counts_as_one_address(address: str, expected: str) -> None:
    assert network_of(address) == expected
