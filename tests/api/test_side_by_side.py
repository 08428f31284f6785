"""Goal: two servers side by side are one to the world: logins, tickets and live messages of either serve both.

Method: two `sqal` servers on one database and one broker, as behind a reverse proxy that sends each request anywhere.
"""

import asyncio
import json
import time

import websockets

from messaging import Client
from tests.api.test_access import PASSWORD
from tests.api.test_realtime import WAIT_S, Devices, ids_until, said
from tests.kit.fix_broker import OwnBroker
from tests.kit.fix_closed import access_to
from tests.kit.fix_database import Database, OwnPostgres
from tests.kit.fix_messaging import rng
from tests.kit.fix_serve import Serve, Served


async def until_linked(server: Served) -> None:
    """Wait until a server has its broker and its database."""
    async with asyncio.timeout(WAIT_S):
        while (await server.http.get("/readyz")).status_code != 200:  # noqa: ASYNC110  # an answer of a server, no event of ours
            await asyncio.sleep(0.01)


async def test_what_one_begins_the_other_goes_on_with(store: Database, mosquitto: OwnBroker, new_server: Serve) -> None:
    access = access_to(store.dsn)
    access.add_user("anne", "admin", password=PASSWORD)
    one, two = [await new_server(dsn=store.dsn, broker_port=mosquitto.port, demo=False) for _ in range(2)]
    answer = await one.http.post("/api/sqal/login", json={"name": "anne", "password": PASSWORD})
    cookie = {"Cookie": answer.headers["set-cookie"].partition(";")[0]}
    assert (await two.http.get("/api/sqal/me", headers=cookie)).json()["name"] == "user:anne"
    own = cookie | {"Origin": f"http://localhost:{two.port}"}
    ticket = (await two.http.post("/api/sqal/tickets", headers=own)).json()["ticket"]
    async with websockets.connect(f"{one.ws}/ws/realtime/?ticket={ticket}") as socket:
        assert json.loads(await socket.recv())["type"] == "connection_established"
    link = access.login_link("anne", "http://localhost")
    path = link.removeprefix("http://localhost")
    assert (await one.http.get(path)).status_code == 303
    assert (await two.http.get(path)).status_code == 401, "a link works once, whichever server it is shown to"
    headers = cookie | {"Origin": f"http://localhost:{one.port}"}
    assert (await one.http.post("/api/sqal/logout", headers=headers)).status_code == 204


async def test_viewers_of_either_get_every_sample(store: Database, mosquitto: OwnBroker, new_server: Serve) -> None:
    one, two = [await new_server(dsn=store.dsn, broker_port=mosquitto.port) for _ in range(2)]
    await asyncio.gather(until_linked(one), until_linked(two))
    async with (
        Client(host="127.0.0.1", port=mosquitto.port, client_id="devices", rng=rng()) as client,
        websockets.connect(f"{one.ws}/ws/realtime/") as first,
        websockets.connect(f"{two.ws}/ws/realtime/") as second,
    ):
        await client.wait_connected()
        for socket in (first, second):
            await said(socket, "connection_established")
            await socket.send('{"type":"heartbeat"}')
            await said(socket, "heartbeat_ack")
        devices = Devices(client)
        sent = [await devices.send() for _ in range(5)]
        assert await asyncio.gather(ids_until(first, sent[-1]), ids_until(second, sent[-1])) == [sent, sent]


async def test_a_lost_database_is_a_503_within_two_seconds(
    own_postgres: OwnPostgres, mosquitto: OwnBroker, new_server: Serve, migrate_into: object
) -> None:
    assert callable(migrate_into)
    migrate_into(own_postgres.dsn)
    server = await new_server(dsn=own_postgres.dsn, broker_port=mosquitto.port)
    await until_linked(server)
    own_postgres.kill()
    async with websockets.connect(f"{server.ws}/ws/realtime/") as socket:
        for path in ("samples/latest", "devices", "dashboard/overview", "stats/sites"):
            began = time.monotonic()
            answer = await server.get(path)
            took_s = time.monotonic() - began
            assert answer.status_code == 503, path
            assert answer.headers["content-type"] == "application/problem+json"
            assert int(answer.headers["retry-after"]) > 0
            assert took_s < 4, f"{path}: {took_s:.1f} s; the wait for a connection is two, the rest a busy machine's"
        status = await said(socket, "system_status")
        assert status["payload"]["database_connected"] is False
