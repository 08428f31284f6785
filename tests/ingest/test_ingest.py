"""Goal: what a device sends is in the database exactly once, and only what is there is receipted.

Method: real Mosquitto, real PostgreSQL, devices that count their receipts.
"""

import uuid
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime, timedelta

from tests.kit.fix_broker import OwnBroker
from tests.kit.fix_database import Database
from tests.kit.fix_ingest import RunningIngest, TestDevice, ingest_settings, rows, value
from tests.kit.samples import BOOT, START, as_bytes, event, sample

NewIngest = Callable[..., Awaitable[RunningIngest]]
NewDevice = Callable[..., Awaitable[TestDevice]]


def numbers(count: int, boot: uuid.UUID = BOOT) -> set[tuple[uuid.UUID, int]]:
    return {(boot, seq) for seq in range(1, count + 1)}


async def test_a_thousand_samples_become_rows_and_receipts(
    store: Database, mosquitto: OwnBroker, new_ingest: NewIngest, new_device: NewDevice
) -> None:
    ingest = await new_ingest(ingest_settings(store.dsn, mosquitto.port))
    device = await new_device(mosquitto.port)
    await device.send_all([as_bytes(sample(seq)) for seq in range(1, 1001)])
    await device.until(lambda each: each.stored == numbers(1000))
    assert value(store.dsn, "SELECT count(*) FROM sqal_sensor_samples") == 1000
    assert value(store.dsn, "SELECT sum(sample_count) FROM sqal_hourly_stats") == 1000
    assert value(store.dsn, "SELECT highest_seq FROM sqal_device_boots") == 1000
    assert value(store.dsn, "SELECT last_seen IS NOT NULL FROM sqal_devices WHERE device_id = 'ESP32_LL_01'")
    assert device.rejected == set()
    assert device.errors == []
    assert ingest.counters.accepted_total == 1000


async def test_a_row_says_what_the_message_said(
    store: Database, mosquitto: OwnBroker, new_ingest: NewIngest, new_device: NewDevice
) -> None:
    await new_ingest(ingest_settings(store.dsn, mosquitto.port))
    device = await new_device(mosquitto.port)
    message = sample(1, lot_id=99, meta={"operator": "é"}, quality_flags=["dim"], calibration={"tof": "t1"})
    message["vl53l8ch"]["analysis"]["volume_mm3_u"] = 12.5
    message["fusion"]["final_score"] = 0.7
    await device.send(as_bytes(message))
    await device.until(lambda each: each.stored == numbers(1))
    query = """SELECT time, lot_id, site_code, line, vl53l8ch_amplitude_matrix, as7341_channels ->> 'NIR', meta,
        quality_flags, vl53l8ch_volume_mm3_u, calibration_tof, boot_id, seq FROM sqal_sensor_samples_json"""
    assert rows(store.dsn, query) == [
        (
            START + timedelta(seconds=1),
            None,
            "LL",
            "line1",
            [[80] * 7 + [None]] * 8,
            "3000",
            {"operator": "é"},
            ["dim", "fusion_differs", "unknown_lot"],
            12.5,
            "t1",
            BOOT,
            1,
        )
    ]


async def test_a_sample_without_number_is_stored_and_not_receipted(
    store: Database, mosquitto: OwnBroker, new_ingest: NewIngest, new_device: NewDevice
) -> None:
    await new_ingest(ingest_settings(store.dsn, mosquitto.port))
    device = await new_device(mosquitto.port)
    plain = sample(1, sample_id="MG-261122-2154-188")
    del plain["boot_id"], plain["seq"]
    for payload in (plain, plain, sample(2)):
        await device.send(as_bytes(payload))
    await device.until(lambda each: bool(each.stored))
    assert device.stored == {(BOOT, 2)}
    assert value(store.dsn, "SELECT count(*) FROM sqal_sensor_samples WHERE boot_id IS NULL") == 1


async def test_what_comes_again_is_receipted_again_and_stored_once(
    store: Database, mosquitto: OwnBroker, new_ingest: NewIngest, new_device: NewDevice
) -> None:
    ingest = await new_ingest(ingest_settings(store.dsn, mosquitto.port))
    device = await new_device(mosquitto.port)
    payloads = [as_bytes(sample(seq, score=0.5)) for seq in range(1, 21)]
    again = [as_bytes(sample(seq, score=0.5, hist=True)) for seq in range(1, 21)]
    await device.send_all(payloads + payloads)
    await device.until(lambda each: each.stored == numbers(20))
    device.stored.clear()
    await device.send_all(again)
    await device.until(lambda each: each.stored == numbers(20))
    assert value(store.dsn, "SELECT count(*) FROM sqal_sensor_samples") == 20
    told = "SELECT sum(COALESCE((data_context ->> 'occurrences')::INTEGER, 1)) FROM sqal_alerts WHERE alert_type = %s"
    assert value(store.dsn, told, "quality_low") == 20
    assert ingest.counters.duplicates_total == 40
    assert value(store.dsn, "SELECT count(*) FROM sqal_dead_letters") == 0


async def test_the_same_number_with_other_content_is_a_conflict(
    store: Database, mosquitto: OwnBroker, new_ingest: NewIngest, new_device: NewDevice
) -> None:
    await new_ingest(ingest_settings(store.dsn, mosquitto.port))
    device = await new_device(mosquitto.port)
    other = await new_device(mosquitto.port, "ESP32_LS_01", "LS")
    await device.send(as_bytes(sample(1)))
    await device.until(lambda each: each.stored == numbers(1))
    await device.send(as_bytes(sample(1, temperature_c=3.5)))
    await device.until(lambda each: each.rejected == numbers(1) and bool(each.errors))
    theirs = sample(1, device="ESP32_LS_01", sample_id=sample(1)["sample_id"])
    await other.send(as_bytes(theirs))
    await other.until(lambda each: bool(each.errors))
    assert device.errors[0].code == other.errors[0].code == "sample_id_conflict"
    assert not device.errors[0].held
    assert other.rejected == numbers(1)
    assert value(store.dsn, "SELECT count(*) FROM sqal_sensor_samples") == 1
    assert value(store.dsn, "SELECT count(*) FROM sqal_dead_letters WHERE reason = 'sample_id_conflict'") == 2


async def test_events_and_gaps_share_the_numbers_of_samples(
    store: Database, mosquitto: OwnBroker, new_ingest: NewIngest, new_device: NewDevice
) -> None:
    await new_ingest(ingest_settings(store.dsn, mosquitto.port))
    device = await new_device(mosquitto.port)
    gap = {"boot_id": str(BOOT), "first_seq": 2, "last_seq": 40, "reason": "spool_full"}
    messages = [event(41, "gap", gap=gap), event(42, "restart"), event(42, "restart")]
    for message in messages:
        await device.send(as_bytes(message), "event")
    await device.send(as_bytes(event(42, "restart", severity="critical")), "event")
    await device.until(lambda each: bool(each.errors))
    assert device.stored == {(BOOT, 41), (BOOT, 42)}
    assert device.errors[0].code == "event_conflict"
    assert rows(store.dsn, "SELECT seq, kind FROM sqal_events ORDER BY seq") == [(41, "gap"), (42, "restart")]
    assert rows(store.dsn, "SELECT first_seq, last_seq, reason FROM sqal_gaps") == [(2, 40, "spool_full")]


async def test_an_alert_opens_counts_returns_and_is_told(
    store: Database, mosquitto: OwnBroker, new_ingest: NewIngest, new_device: NewDevice
) -> None:
    """Two rejected pieces are one alarm; the rejection speaks for the critical score, too; good pieces return it."""
    await new_ingest(ingest_settings(store.dsn, mosquitto.port))
    device = await new_device(mosquitto.port)
    now = datetime.now(UTC)
    bad = {"final_score": 0.3, "final_grade": "REJECT", "is_compliant": False}
    messages = [sample(seq, score=0.3, at=now + timedelta(milliseconds=seq), fusion=bad) for seq in (1, 2)]
    messages += [sample(seq, at=now + timedelta(milliseconds=seq)) for seq in (3, 4, 5)]
    for message in messages:
        await device.send(as_bytes(message))
    await device.until(lambda each: each.stored == numbers(5))
    query = "SELECT alert_type, state, occurrences, is_notified FROM sqal_alert_state ORDER BY alert_type"
    assert rows(store.dsn, query) == [
        ("grade_reject", "returned_unacknowledged", 2, True),
        ("quality_critical", "returned_unacknowledged", 2, False),
    ]
    history = rows(store.dsn, "SELECT alert_type, message, alarm_id IS NOT NULL FROM sqal_alerts ORDER BY alert_id")
    assert len(history) == 2
    assert ("grade_reject", "Produit rejeté : score 0,30", True) in history
