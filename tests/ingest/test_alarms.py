"""Goal: an alert reaches everybody as a retained message while it is not cleared, and acknowledging it is told too."""

import asyncio
import uuid
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime, timedelta

import msgspec

from cloud.store.alerts import acknowledge_alert, shelve_alert
from cloud.store.queries import Queries
from cloud.store.session import open_session
from contract import decode, encode
from contract.messages import Alarm, Health
from messaging import Client, Subscription
from tests.kit.fix_broker import OwnBroker
from tests.kit.fix_database import Database
from tests.kit.fix_ingest import SQL, RunningIngest, TestDevice, ingest_settings, rows, value
from tests.kit.fix_messaging import DEADLINE_S
from tests.kit.samples import BOOT, as_bytes, sample

NewIngest = Callable[..., Awaitable[RunningIngest]]
NewDevice = Callable[..., Awaitable[TestDevice]]
BAD = {"final_score": 0.3, "final_grade": "REJECT", "is_compliant": False}


async def next_alarm(client: Client) -> tuple[bytes, Alarm | None]:
    (delivery,) = await client.next_batch(1)
    client.ack(delivery)
    return delivery.payload, decode(Alarm, delivery.payload) if delivery.payload else None


async def test_an_alarm_is_told_acknowledged_and_cleared(
    store: Database,
    mosquitto: OwnBroker,
    new_ingest: NewIngest,
    new_device: NewDevice,
    new_client: Callable[..., Awaitable[Client]],
) -> None:
    """One rejected piece, one alarm; acknowledged and followed by good pieces it is cleared: an empty message."""
    await new_ingest(ingest_settings(store.dsn, mosquitto.port))
    device = await new_device(mosquitto.port)
    panel = await new_client(mosquitto.port, "panel", subscriptions=[Subscription("sqal/v1/+/_alarm/+")])
    now = datetime.now(UTC)
    await device.send(as_bytes(sample(1, score=0.3, at=now, fusion=BAD)))
    _, alarm = await next_alarm(panel)
    assert alarm is not None
    assert (alarm.alert_type, alarm.state, alarm.count) == ("grade_reject", "unacknowledged", 1)
    assert (alarm.site_code, alarm.device_id, alarm.line) == ("LL", "ESP32_LL_01", "line1")
    assert alarm.message.startswith("Produit rejeté")
    queries = Queries(SQL / "queries")
    async with await open_session(store.dsn, queries) as session:
        for _ in range(2):
            async with session.transaction():
                done = await acknowledge_alert(session, queries, alert_id=alarm.alert_id or 0, acknowledged_by="Léa")
            assert done is not None
            assert (done[0], done[2]) == (alarm.alert_id, "Léa")
        async with session.transaction():
            assert await acknowledge_alert(session, queries, alert_id=10**6, acknowledged_by="Léa") is None
    assert rows(store.dsn, "SELECT state, acknowledged_by FROM sqal_alert_state WHERE alert_type = 'grade_reject'") == [
        ("acknowledged", "Léa")
    ]
    for seq in (2, 3, 4):
        await device.send(as_bytes(sample(seq, at=now + timedelta(milliseconds=seq))))
    await device.until(lambda each: len(each.stored) == 4)
    told = []
    while not told or told[-1][0]:
        told.append(await next_alarm(panel))
    assert [each.state for _, each in told if each is not None][-1] == "acknowledged"
    late = await new_client(mosquitto.port, "late", subscriptions=[Subscription("sqal/v1/+/_alarm/+")])
    await device.send(as_bytes(sample(5, score=0.5, at=now + timedelta(milliseconds=5))))
    _, fresh = await next_alarm(late)
    assert fresh is not None
    assert fresh.alert_type == "quality_low", "a cleared alarm must not be retained"


async def test_old_samples_make_records_and_no_sound(
    store: Database, mosquitto: OwnBroker, new_ingest: NewIngest, new_device: NewDevice
) -> None:
    await new_ingest(ingest_settings(store.dsn, mosquitto.port))
    device = await new_device(mosquitto.port)
    old = datetime.now(UTC) - timedelta(minutes=3)
    await device.send(as_bytes(sample(1, score=0.3, at=old, fusion=BAD)))
    await device.until(lambda each: each.stored == {(BOOT, 1)})
    assert value(store.dsn, "SELECT count(*) FROM sqal_alerts") == 2
    assert value(store.dsn, "SELECT count(*) FROM sqal_alert_state") == 0


async def alarm_of(client: Client, wanted: Callable[[Alarm | None], bool]) -> tuple[str, Alarm | None]:
    """The next message of an alarm that is `wanted`, with its topic."""
    async with asyncio.timeout(DEADLINE_S):
        while True:
            (delivery,) = await client.next_batch(1)
            client.ack(delivery)
            alarm = decode(Alarm, delivery.payload) if delivery.payload else None
            if wanted(alarm):
                return delivery.topic, alarm


ALARMS = [Subscription("sqal/v1/+/_alarm/+")]


async def test_what_the_broker_keeps_is_made_to_agree_with_the_database(
    store: Database,
    mosquitto: OwnBroker,
    new_ingest: NewIngest,
    new_device: NewDevice,
    new_client: Callable[..., Awaitable[Client]],
) -> None:
    """A retained alarm that nobody knows is ended; a broker that lost all of them is told the open ones again."""
    stranger = await new_client(mosquitto.port, "stranger")
    unknown = f"sqal/v1/LL/_alarm/{uuid.uuid4()}"
    await stranger.publish(unknown, b"{}", retain=True)
    await stranger.publish("sqal/v1/LL/_alarm/not-ours", b"{}", retain=True)
    panel = await new_client(mosquitto.port, "panel", subscriptions=[Subscription(unknown)])
    await panel.next_batch(1)
    await new_ingest(ingest_settings(store.dsn, mosquitto.port))
    async with asyncio.timeout(DEADLINE_S):
        assert (await panel.next_batch(1))[0].payload == b""
    device = await new_device(mosquitto.port)
    await device.send(as_bytes(sample(1, score=0.3, at=datetime.now(UTC), fusion=BAD)))
    await device.until(lambda each: len(each.stored) == 1)
    mosquitto.kill()  # without a word: what it had retained is gone
    mosquitto.start()
    late = await new_client(mosquitto.port, "late", subscriptions=ALARMS)
    _, alarm = await alarm_of(late, lambda each: each is not None)
    assert alarm is not None
    assert (alarm.alert_type, alarm.state) == ("grade_reject", "unacknowledged")


async def test_a_shelf_ends_by_itself_and_two_ingesters_watch_once(
    store: Database,
    mosquitto: OwnBroker,
    new_ingest: NewIngest,
    new_device: NewDevice,
    new_client: Callable[..., Awaitable[Client]],
) -> None:
    """The active ingester takes the alert off its shelf; the stand-by, which hears as little, does nothing."""
    settings = ingest_settings(store.dsn, mosquitto.port)
    await new_ingest(settings)
    await new_ingest(settings, wait=False)
    device = await new_device(mosquitto.port)
    panel = await new_client(mosquitto.port, "panel", subscriptions=ALARMS)
    await device.send(as_bytes(sample(1, score=0.5, at=datetime.now(UTC))))
    _, alarm = await alarm_of(panel, lambda each: each is not None)
    assert alarm is not None
    queries = Queries(SQL / "queries")
    until = datetime.now(UTC) + timedelta(seconds=0.5)
    async with await open_session(store.dsn, queries) as session:
        async with session.transaction():
            shelved = await shelve_alert(
                session, queries, alert_id=alarm.alert_id or 0, by="Léa", reason="bac changé", until=until
            )
        assert shelved is not None
        assert shelved.state == "shelved"
    _, rung = await alarm_of(panel, lambda each: each is not None and each.state == "unacknowledged")
    assert rung is not None
    assert rung.id == alarm.id
    actions = "SELECT action, actor, comment FROM sqal_alert_actions ORDER BY action_id"
    assert rows(store.dsn, actions) == [("shelve", "Léa", "bac changé"), ("expire", "system", None)]


async def test_a_device_that_falls_silent_is_one_alert_that_returns_with_its_health(
    store: Database,
    mosquitto: OwnBroker,
    new_ingest: NewIngest,
    new_device: NewDevice,
    new_client: Callable[..., Awaitable[Client]],
) -> None:
    settings = ingest_settings(store.dsn, mosquitto.port)
    await new_ingest(settings)
    await new_ingest(settings, wait=False)
    device = await new_device(mosquitto.port)
    panel = await new_client(mosquitto.port, "panel", subscriptions=ALARMS)
    health = Health(
        device_id="ESP32_LL_01",
        boot_id=BOOT,
        timestamp=datetime.now(UTC),
        period_s=0.2,
        uptime_s=1,
        spool_rows=0,
        spool_bytes=0,
    )
    await device.send(encode(health), "health")
    _, silent = await alarm_of(panel, lambda each: each is not None and each.alert_type == "device_silent")
    assert silent is not None
    assert (silent.device_id, silent.state, silent.count) == ("ESP32_LL_01", "unacknowledged", 1)
    await device.send(encode(msgspec.structs.replace(health, period_s=600)), "health")
    _, back = await alarm_of(panel, lambda each: each is not None and each.id == silent.id and each != silent)
    assert back is not None
    assert back.state == "returned_unacknowledged"
    assert value(store.dsn, "SELECT count(*) FROM sqal_alerts WHERE alert_type = 'device_silent'") == 1
