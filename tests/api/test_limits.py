"""The limits of a running server: how often one address may ask, and how much it may send at once."""

import asyncio
from collections.abc import Iterator

import pytest

from cloud.app import BODY_BYTES_MAX
from cloud.quota import BURST_S
from tests.kit.fix_database import Database
from tests.kit.fix_serve import Serve

SLOW_HZ = 2.0


async def test_too_many_requests_of_one_address(new_server: Serve) -> None:
    served = await new_server(rate_max_hz=SLOW_HZ)
    answers = await asyncio.gather(*(served.http.get("/livez") for _ in range(60)))
    refused = [each for each in answers if each.status_code == 429]
    assert len(answers) - len(refused) >= SLOW_HZ * BURST_S
    assert refused[0].headers["retry-after"] == "1"
    assert refused[0].headers["content-type"] == "application/problem+json"
    assert "2 requests a second" in refused[0].json()["detail"]
    elsewhere = await served.http.get("/livez", headers={"X-Forwarded-For": "192.0.2.7"})
    assert elsewhere.status_code == 200, "a proxy on this machine names another address"


async def test_the_limit_stands_in_the_metrics(new_server: Serve, store: Database) -> None:
    served = await new_server(dsn=store.dsn)
    assert "sqal_requests_limited_total 0" in (await served.http.get("/metrics")).text


@pytest.mark.parametrize("path", ["/api/sqal/alerts", "/api/sqal/login", "/api/sqal/spc/gage-rr"])
@pytest.mark.parametrize("is_told", [True, False], ids=["with its length", "in chunks"])
async def test_bodies_too_large(new_server: Serve, store: Database, path: str, is_told: bool) -> None:
    served = await new_server(dsn=store.dsn)

    def chunks() -> Iterator[bytes]:
        for _ in range(BODY_BYTES_MAX // 1024 + 2):
            yield b" " * 1024

    async def as_it_comes():
        for chunk in chunks():
            yield chunk

    content = b"".join(chunks()) if is_told else as_it_comes()
    answer = await served.http.post(path, content=content, headers={"Content-Type": "application/json"})
    assert answer.status_code == 413, answer.text
    assert answer.headers["content-type"] == "application/problem+json"
