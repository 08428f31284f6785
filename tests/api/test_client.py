"""Goal: a program that uses `sqal.client` gets typed refusals, and every live sample once, across lost connections.

Method: a real server and broker; a proxy between client and server that is cut while samples go on.
"""

import asyncio
from collections.abc import Awaitable, Callable
from contextlib import aclosing
from datetime import UTC, datetime, timedelta

import pytest

from sqal.client import ApiError, SqalClient, UnreachableError
from tests.api.test_realtime import WAIT_S, Devices, devices  # noqa: F401  # a fixture
from tests.kit.fix_chaos import ChaosProxy
from tests.kit.fix_closed import Closed
from tests.kit.fix_database import Database
from tests.kit.fix_serve import Served
from tests.kit.ports import free_port
from tests.kit.rows import put_samples, sample_row


async def test_rest(served: Served, store: Database) -> None:
    async with SqalClient(str(served.http.base_url)) as sqal:
        assert await sqal.latest() is None
        now = datetime.now(UTC)
        put_samples(store.dsn, [sample_row(now, sample_id="s")])
        assert (await sqal.latest(device_id="ESP32_LL_01") or {})["sample_id"] == "s"
        rows = await sqal.samples(now - timedelta(hours=1), now + timedelta(hours=1))
        assert [row["sample_id"] for row in rows] == ["s"]
        assert (await sqal.overview())["stats_24h"]["total_samples"] == 1
        assert (await sqal.health())["database_connected"]
        assert [each["device_id"] for each in await sqal.devices(site_code="LS")] == ["ESP32_LS_01"]
        body = {"device_id": "ESP32_LL_01", "alert_type": "x", "severity": "info", "message": "m"}
        number = (await sqal.post("/api/sqal/alerts", body))["alert_id"]
        assert (await sqal.acknowledge(number, by="anne"))["success"]
        assert [each["alert_id"] for each in await sqal.alerts(is_acknowledged=True)] == [number]
        with pytest.raises(ApiError) as refused:
            await sqal.get("/api/sqal/samples", limit=0)
        assert (refused.value.status, refused.value.errors[0][0]) == (400, "limit")


async def test_who_we_are(closed: Closed) -> None:
    base = str(closed.served.http.base_url)
    async with SqalClient(base, token=closed.tokens["viewer"]) as sqal:
        assert (await sqal.get("/api/sqal/me"))["name"] == "token:viewer"
    async with SqalClient(base) as nobody:
        with pytest.raises(ApiError, match="401"):
            await nobody.overview()
        with pytest.raises(ApiError, match="401"):
            await anext(nobody.live())
    async with SqalClient(f"http://localhost:{free_port()}") as sqal:
        with pytest.raises(UnreachableError):
            await sqal.health()


async def test_every_sample_once_across_cut_connections(
    served: Served,
    devices: Devices,  # noqa: F811
    new_chaos: Callable[[int], Awaitable[ChaosProxy]],
) -> None:
    proxy = await new_chaos(served.port)
    seen: list[str] = []
    before = datetime.now(UTC).isoformat()
    sent = [await devices.send()]
    async with (
        asyncio.timeout(3 * WAIT_S),
        SqalClient(f"http://localhost:{proxy.port}") as sqal,
        aclosing(sqal.live(device_id="ESP32_LL_01", since=before)) as stream,
    ):
        sent.append(await devices.send())
        async for message in stream:
            if message.kind == "verdict":
                seen.append(str(message.payload["sample_id"]))
            if len(seen) == 2:
                break
        for _ in range(3):
            await proxy.cut()
            sent += [await devices.send() for _ in range(4)]  # while the client is away
            await devices.send("ESP32_LS_01")  # not asked for
            async for message in stream:
                if message.kind == "verdict":
                    seen.append(str(message.payload["sample_id"]))
                if seen[-1:] == sent[-1:]:
                    break
    assert seen == sent, "in order, each once, none left out"
