"""The uplink on a bad line: links that fall silent, a second client with our id, a certificate that is renewed.

Method: real Mosquitto, the first time behind a proxy that swallows everything; the rest as in production.
"""

import asyncio
import ssl
from collections.abc import Awaitable, Callable
from pathlib import Path

import pytest

from contract.codec import decode
from contract.messages import Event
from edge.settings import Settings
from edge.spool import Spool
from edge.tls import client_context
from edge.uplink import KEEPALIVE_S, Uplink
from messaging import Client, Subscription
from tests.kit.fix_broker import OwnBroker
from tests.kit.fix_chaos import ChaosProxy
from tests.kit.fix_messaging import States
from tests.kit.fix_pki import SecureBroker
from tests.kit.fix_spool import DEADLINE_S, DEVICE, HandClock, put
from tests.kit.fix_uplink import running_uplink

UNRECEIPTED = 200  # nobody answers here: more than these hundreds would wait for receipts, and be right to
POLL_S = 0.01

NewSpool = Callable[..., Spool]
NewClient = Callable[..., Awaitable[Client]]


async def hear(client: Client, seqs: set[int]) -> None:
    """Until events with all `seqs` have come."""
    heard: set[int] = set()
    async with asyncio.timeout(DEADLINE_S):
        while not seqs <= heard:
            for delivery in await client.next_batch(10):
                heard.add(decode(Event, delivery.payload).seq or 0)
                client.ack(delivery)


async def test_a_link_that_falls_silent_is_left_within_one_and_a_half_keep_alives(
    new_spool: NewSpool,
    mosquitto: OwnBroker,
    tmp_path: Path,
    new_client: NewClient,
    new_chaos: Callable[[int], Awaitable[ChaosProxy]],
) -> None:
    """Half-open: nothing is closed, nothing comes. Then what was written into the hole arrives by another link."""
    clock = HandClock()
    spool = new_spool(clock=clock)
    proxy = await new_chaos(mosquitto.port)
    cloud = await new_client(mosquitto.port, "cloud", subscriptions=[Subscription("sqal/v1/LL/+/+/event")])
    states = States()
    loop = asyncio.get_running_loop()
    async with running_uplink(spool, clock, tmp_path, port=proxy.port) as uplink:
        heard = uplink.client._on_state
        assert heard is not None
        uplink.client._on_state = lambda change: (heard(change), states(change))
        await asyncio.to_thread(put, spool, clock)
        await hear(cloud, {1})
        proxy.black_hole = True
        began_s = loop.time()
        await asyncio.to_thread(put, spool, clock)
        lost = await states.until(lambda change: not change.connected)
        noticed_s = loop.time() - began_s
        assert "the link is dead" in lost.reason
        assert noticed_s < 1.5 * KEEPALIVE_S + KEEPALIVE_S / 8 + 1.0  # looked at eight times in one; a busy machine
        await proxy.cut()
        proxy.black_hole = False
        await cloud.publish("sqal/v1/_host/ingest-0/state", HOST_ONLINE, retain=True)
        await hear(cloud, {2})


HOST_ONLINE = b'{"host":"ingest-0","online":true,"session":"00000000-0000-0000-0000-000000000001"}'


async def test_a_second_client_with_our_id_is_noticed_and_told(
    new_spool: NewSpool, clock: HandClock, mosquitto: OwnBroker, tmp_path: Path, new_client: NewClient
) -> None:
    told: list[str] = []
    noticed = asyncio.Event()

    def listen(uplink: Uplink) -> None:
        uplink.on_taken_over = lambda reason: (told.append(reason), noticed.set())

    spool = new_spool()
    async with running_uplink(
        spool,
        clock,
        tmp_path,
        port=mosquitto.port,
        prepare=listen,
    ) as uplink:
        other = await new_client(mosquitto.port, f"sqal-edge-{DEVICE}")
        async with asyncio.timeout(DEADLINE_S):
            await noticed.wait()
        assert told
        assert uplink.client.counters.connections_lost_total >= 1
        assert other.counters.connects_total >= 1


async def test_a_renewed_certificate_is_taken_up_and_no_message_is_lost(
    new_spool: NewSpool, clock: HandClock, secure_broker: SecureBroker, tmp_path: Path, new_client: NewClient
) -> None:
    """The old certificate is revoked before the new one is there: only the new one can have opened the second link."""
    broker, pki = secure_broker, secure_broker.pki.folder
    context = ssl.create_default_context(cafile=pki / "services.crt")
    context.load_cert_chain(pki / "sqal-ingest.crt", pki / "sqal-ingest.key")
    cloud = await new_client(
        broker.ports["services"], "sqal-ingest", tls=context, subscriptions=[Subscription("sqal/v1/LL/+/+/event")]
    )
    await cloud.publish("sqal/v1/_host/ingest-0/state", HOST_ONLINE, retain=True)
    spool = new_spool()
    files = {
        "broker_ca_file": pki / "services.crt",
        "broker_cert_file": pki / f"{DEVICE}.crt",
        "broker_key_file": pki / f"{DEVICE}.key",
    }
    async with running_uplink(spool, clock, tmp_path, port=broker.ports["devices"], **files) as uplink:
        await asyncio.to_thread(put, spool, clock)
        await hear(cloud, {1})
        await asyncio.to_thread(broker.pki.revoke, DEVICE)
        broker.reload()
        issuing = asyncio.create_task(asyncio.to_thread(broker.pki.issue, DEVICE, "devices"))
        seqs: set[int] = set()
        async with asyncio.timeout(DEADLINE_S):
            while uplink.client.counters.connects_total < 2 or not uplink.client.connected:
                if len(seqs) < UNRECEIPTED:
                    seqs.add((await asyncio.to_thread(put, spool, clock)).seq)
                else:
                    await asyncio.sleep(POLL_S)
        await issuing
        seqs.add((await asyncio.to_thread(put, spool, clock)).seq)
        await hear(cloud, seqs)


def test_half_a_renewal_is_no_certificate(secure_broker: SecureBroker, tmp_path: Path) -> None:
    """The new certificate with the old key: refused with the file's name, not used."""
    pki = secure_broker.pki.folder
    old_key = (pki / f"{DEVICE}.key").read_bytes()
    secure_broker.pki.renew(DEVICE)
    (tmp_path / "old.key").write_bytes(old_key)
    settings = Settings(
        device=DEVICE,
        site="LL",
        state_dir=tmp_path,
        broker_ca_file=pki / "services.crt",
        broker_cert_file=pki / f"{DEVICE}.crt",
        broker_key_file=tmp_path / "old.key",
    )
    with pytest.raises(Exception, match="broker_cert_file"):
        client_context(settings)
