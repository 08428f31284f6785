"""Goal: an alert reaches everybody as a retained message while it is not cleared, and acknowledging it is told too."""

from collections.abc import Awaitable, Callable
from datetime import UTC, datetime, timedelta

from cloud.store.alerts import acknowledge_alert
from cloud.store.queries import Queries
from cloud.store.session import open_session
from contract import decode
from contract.messages import Alarm
from messaging import Client, Subscription
from tests.kit.fix_broker import OwnBroker
from tests.kit.fix_database import Database
from tests.kit.fix_ingest import SQL, RunningIngest, TestDevice, ingest_settings, rows, value
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
