"""The REST API against real PostgreSQL: every endpoint, its shape, its figures."""

import uuid
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from tests.kit.fix_database import Database
from tests.kit.fix_ingest import value
from tests.kit.fix_serve import Served
from tests.kit.rows import COUNTS, put, put_samples, sample_row

SAMPLE_KEYS = {
    "time",
    "sample_id",
    "device_id",
    "lot_id",
    "vl53l8ch_distance_matrix",
    "vl53l8ch_reflectance_matrix",
    "vl53l8ch_amplitude_matrix",
    "vl53l8ch_volume_mm3",
    "vl53l8ch_surface_uniformity",
    "vl53l8ch_quality_score",
    "vl53l8ch_grade",
    "as7341_channels",
    "as7341_freshness_index",
    "as7341_fat_quality_index",
    "as7341_oxidation_index",
    "as7341_quality_score",
    "fusion_final_score",
    "fusion_final_grade",
    "fusion_is_compliant",
    "site_code",
}


def ago(**parts: float) -> datetime:
    return datetime.now(UTC).replace(microsecond=0) - timedelta(**parts)


async def ok(served: Served, path: str, **params: object) -> Any:
    answer = await served.get(path, **params)
    assert answer.status_code == 200, answer.text
    assert answer.headers["content-type"] == "application/json"
    return answer.json()


@pytest.fixture
def four_samples(store: Database) -> list[dict[str, Any]]:
    """A+ and REJECT at LL, B at LS, and an A at LL of 26 hours ago."""
    samples = [
        sample_row(ago(minutes=1), 0.95),
        sample_row(ago(minutes=2), 0.30),
        sample_row(ago(minutes=3), 0.65, device_id="ESP32_LS_01"),
        sample_row(ago(hours=26), 0.80),
    ]
    put_samples(store.dsn, samples)
    return samples


async def test_health_judges_by_the_age_of_the_newest_sample(served: Served, store: Database) -> None:
    before = await ok(served, "health")
    assert before["last_sample_age_seconds"] is None
    assert before["status"] == "degraded"
    assert before["database_connected"] is True
    put_samples(store.dsn, [sample_row(ago(hours=2))])
    assert (await ok(served, "health"))["status"] == "error"
    put_samples(store.dsn, [sample_row(ago(minutes=10))])
    put(store.dsn, "UPDATE sqal_devices SET last_seen = NOW() WHERE device_id = 'ESP32_LL_01'")
    found = await ok(served, "health")
    assert found["status"] == "degraded"
    assert found["active_devices"] == 1
    assert 600 <= found["last_sample_age_seconds"] < 660
    assert set(found) >= {"status", "timestamp", "active_devices", "last_sample_age_seconds", "database_connected"}


async def test_devices(served: Served) -> None:
    everything = await ok(served, "devices")
    assert everything["total"] == 3
    assert [each["device_id"] for each in everything["devices"]] == ["ESP32_LL_01", "ESP32_LS_01", "ESP32_MT_01"]
    assert [each["device_id"] for each in (await ok(served, "devices", site_code="MT"))["devices"]] == ["ESP32_MT_01"]
    assert (await ok(served, "devices", status="maintenance")) == {"devices": [], "total": 0}


async def test_one_device_with_its_last_24_hours(served: Served, four_samples: list[dict[str, Any]]) -> None:
    found = await ok(served, "devices/ESP32_LL_01")
    assert found["device"]["site_code"] == "LL"
    assert found["latest_sample"]["sample_id"] == four_samples[0]["sample_id"]
    assert found["stats_24h"] == {
        "total_samples": 2,
        "avg_quality_score": pytest.approx(0.625),
        "compliance_rate_pct": 50.0,
        "grade_distribution": {"A+": 1, "A": 0, "B": 0, "C": 0, "REJECT": 1},
    }
    assert sum(each["sample_count"] for each in found["hourly_stats"]) == 2


async def test_24_hours_are_24_hours_and_not_whole_hours(served: Served, store: Database) -> None:
    """Goal: the piece of an hour at the beginning is counted exactly. Method: samples on both sides of its edge."""
    moments = [ago(hours=23, minutes=59), ago(hours=24, minutes=1), ago(minutes=1)]
    put_samples(store.dsn, [sample_row(moment) for moment in moments])
    assert (await ok(served, "devices/ESP32_LL_01"))["stats_24h"]["total_samples"] == 2
    assert (await ok(served, "dashboard/overview"))["stats_24h"]["total_samples"] == 2


async def test_a_sample_is_the_flat_row_with_nested_matrices(served: Served, store: Database) -> None:
    at = ago(minutes=1)
    put_samples(store.dsn, [sample_row(at, sample_id="test-001")])
    latest = await ok(served, "samples/latest")
    assert set(latest) >= SAMPLE_KEYS
    assert latest["vl53l8ch_distance_matrix"] == [[100 + row] * 7 + [None] for row in range(8)]
    assert latest["as7341_channels"] == COUNTS
    assert latest["vl53l8ch_volume_mm3"] == 50000.5
    assert latest["fusion_final_score"] == 0.89
    assert latest["time"] == at.isoformat().replace("+00:00", "Z")
    assert latest["site_code"] == "LL"
    assert await ok(served, "samples/latest", device_id="ESP32_LL_01") == latest


async def test_the_newest_of_samples_with_one_id_and_its_namesakes(served: Served, store: Database) -> None:
    older = ago(minutes=5)
    rows = [
        sample_row(ago(minutes=1), sample_id="MG/1", device_id="ESP32_LS_01"),
        sample_row(older, sample_id="MG/1"),
    ]
    put_samples(store.dsn, rows)
    found = await ok(served, "samples/MG%2F1")
    assert found["device_id"] == "ESP32_LS_01"
    assert found["others"] == [{"time": older.isoformat().replace("+00:00", "Z"), "device_id": "ESP32_LL_01"}]


async def test_samples_of_a_period(served: Served, four_samples: list[dict[str, Any]]) -> None:
    found = await ok(served, "samples")
    assert found["count"] == 3
    assert [each["sample_id"] for each in found["samples"]] == [each["sample_id"] for each in four_samples[:3]]
    assert set(found["period"]) == {"start", "end"}
    assert (await ok(served, "samples", limit=1))["count"] == 1
    assert (await ok(served, "samples", device_id="ESP32_LS_01"))["count"] == 1
    assert (await ok(served, "samples", start_time=ago(hours=48).isoformat()))["count"] == 4
    end = ago(hours=1).isoformat()
    assert (await ok(served, "samples", start_time=ago(hours=48).isoformat(), end_time=end))["count"] == 1


async def test_a_time_without_zone_is_utc_and_an_unescaped_plus_is_forgiven(served: Served, store: Database) -> None:
    put_samples(store.dsn, [sample_row(ago(minutes=30))])
    for start in (ago(hours=1).replace(tzinfo=None).isoformat(), ago(hours=1).isoformat().replace("+", " ")):
        assert (await ok(served, "samples", start_time=start))["count"] == 1
    today = f"{ago(hours=1):%Y-%m-%d}"
    assert (await ok(served, "samples", start_time=today))["period"]["start"] == f"{today}T00:00:00Z"


async def test_hourly_stats(served: Served, four_samples: list[dict[str, Any]]) -> None:
    found = await ok(served, "stats/hourly")
    assert sum(each["sample_count"] for each in found["stats"]) == 4
    assert found["count"] == len(found["stats"])
    assert found["truncated"] is False
    assert set(found["stats"][0]) >= {
        "bucket",
        "device_id",
        "sample_count",
        "avg_quality_score",
        "count_a_plus",
        "compliance_rate_pct",
    }
    assert (await ok(served, "stats/hourly", limit=1))["truncated"] is True
    lonely = await ok(served, "stats/hourly", device_id="ESP32_LS_01")
    assert [each["avg_quality_score"] for each in lonely["stats"]] == [0.65]


async def test_site_stats(served: Served, four_samples: list[dict[str, Any]]) -> None:
    found = await ok(served, "stats/sites")
    assert found["total_samples"] == 4
    assert found["avg_quality_score"] == pytest.approx(0.675)
    assert found["compliance_rate_pct"] == 75.0
    assert found["grade_distribution"] == {"A+": 1, "A": 1, "B": 1, "C": 0, "REJECT": 1}
    assert [each["device_id"] for each in found["top_devices"]] == ["ESP32_LL_01", "ESP32_LS_01"]
    assert {each["site_code"] for each in found["sites"]} == {"LL", "LS"}
    assert (await ok(served, "stats/sites", site_code="LS"))["total_samples"] == 1


async def test_grade_distribution(served: Served, four_samples: list[dict[str, Any]]) -> None:
    found = await ok(served, "stats/grade-distribution")
    assert found["distribution"] == {"A+": 1, "A": 1, "B": 1, "C": 0, "REJECT": 1}
    assert found["total"] == 4
    assert found["percentages"] == {"A+": 25.0, "A": 25.0, "B": 25.0, "C": 0.0, "REJECT": 25.0}


async def test_overview(served: Served, four_samples: list[dict[str, Any]]) -> None:
    found = await ok(served, "dashboard/overview")
    assert found["stats_24h"]["total_samples"] == 3
    assert found["grade_distribution_7d"]["A"] == 1
    assert (found["total_devices"], found["active_devices"]) == (3, 0)
    assert (found["active_alerts"], found["critical_alerts"]) == (0, 0)


async def test_a_lot_beside_its_itm(served: Served, store: Database) -> None:
    put(
        store.dsn,
        "INSERT INTO lots_gavage (id, code_lot, site_code, debut_lot, itm_moyen) "
        "VALUES (123, 'LL-123', 'LL', '2026-01-01', 14.5), (7, 'LL-7', 'LL', '2026-01-01', NULL)",
    )
    put_samples(store.dsn, [sample_row(ago(minutes=n), 0.95 if n else 0.2, lot_id=123) for n in range(60)])
    found = await ok(served, "integration/lot/123")
    assert (found["lot_id"], found["total_samples"], len(found["samples"])) == (123, 60, 50)
    assert found["itm"] == 14.5
    assert found["lot"]["code_lot"] == "LL-123"
    assert found["grade_distribution"]["REJECT"] == 1
    empty = await ok(served, "integration/lot/7")
    assert (empty["total_samples"], empty["avg_quality_score"], empty["itm"]) == (0, None, None)
    lots = await ok(served, "integration/lots-aggregated")
    assert lots["total_lots"] == 1
    only = lots["lots"][0]
    assert (only["lot_id"], only["nb_echantillons"], only["grade_majoritaire"], only["itm"]) == (123, 60, "A+", 14.5)
    assert only["score_qualite_moyen"] == pytest.approx((59 * 0.95 + 0.2) / 60)


async def test_an_alert_is_raised_listed_and_acknowledged_once(served: Served, store: Database) -> None:
    body = {
        "device_id": "ESP32_LL_01",
        "sample_id": "s-1",
        "alert_type": "belt_dirty",
        "severity": "warning",
        "message": "Tapis sale",
        "data_context": {"zone": 3},
    }
    raised = await served.http.post("/api/sqal/alerts", json=body)
    assert raised.status_code == 201, raised.text
    alert_id = raised.json()["alert_id"]
    (row,) = await ok(served, "alerts")
    assert (row["alert_id"], row["message"], row["data_context"]) == (alert_id, "Tapis sale", {"zone": 3})
    assert (row["site_code"], row["is_acknowledged"]) == ("LL", False)
    overview = await ok(served, "dashboard/overview")
    assert (overview["active_alerts"], overview["critical_alerts"]) == (1, 0)

    path = f"/api/sqal/alerts/{alert_id}/acknowledge"
    first = await served.http.post(path, params={"acknowledged_by": "Anne"})
    again = await served.http.post(path, params={"acknowledged_by": "Bruno"})
    assert first.status_code == again.status_code == 200
    assert first.json() == again.json()
    assert first.json()["success"] is True
    assert first.json()["acknowledged_by"] == "Anne"
    assert value(store.dsn, "SELECT state FROM sqal_alert_state") == "acknowledged"
    assert value(store.dsn, "SELECT count(*) FROM sqal_outbox") == 2
    assert await ok(served, "alerts", is_acknowledged="false") == []
    assert len(await ok(served, "alerts", is_acknowledged="true", severity="warning")) == 1
    assert await ok(served, "alerts", severity="critical") == []


async def test_dead_letters_in_pages(served: Served, store: Database) -> None:
    payloads = [b'{"not": "json', b"\xff\xfe", "é".encode() * 4000]
    for n, payload in enumerate(payloads):
        put(
            store.dsn,
            "INSERT INTO sqal_dead_letters (digest, reason, detail, topic, device_id, payload, payload_bytes) "
            "VALUES (%(digest)s, 'not_json', 'x', 't', 'ESP32_LL_01', %(payload)s, %(size)s)",
            digest=bytes([n]),
            payload=payload,
            size=len(payload),
        )
    page = await ok(served, "dead-letters", limit=2)
    assert page["counts"] == [{"reason": "not_json", "letters": 3, "occurrences": 3}]
    cut, binary = page["dead_letters"]
    assert cut["payload_is_cut"] is True
    assert cut["payload_text"] == "é" * 2048
    assert binary["payload_base64"] == "//4="
    last = await ok(served, "dead-letters", limit=2, before=page["next"])
    assert [each["payload_text"] for each in last["dead_letters"]] == ['{"not": "json']
    assert last["next"] is None
    whole = await ok(served, f"dead-letters/{cut['dead_letter_id']}")
    assert whole["payload_text"] == "é" * 4000


async def test_gaps_and_events_in_pages(served: Served, store: Database) -> None:
    boot = uuid.UUID(int=7)
    for seq in range(1, 6):
        put(
            store.dsn,
            "INSERT INTO sqal_gaps (device_id, boot_id, first_seq, last_seq, reason, time, site_code) "
            "VALUES ('ESP32_LL_01', %(boot)s, %(seq)s, %(seq)s, 'spool_full', %(at)s, 'LL')",
            boot=boot,
            seq=seq,
            at=ago(minutes=1),
        )
        put(
            store.dsn,
            "INSERT INTO sqal_events (time, device_id, boot_id, seq, kind) "
            "VALUES (%(at)s, 'ESP32_LL_01', %(boot)s, %(seq)s, 'restart')",
            boot=boot,
            seq=seq,
            at=ago(minutes=1),
        )
    for path, key, name in (("gaps", "gaps", "first_seq"), ("events", "events", "seq")):
        seen: list[int] = []
        before: dict[str, str] = {}
        while True:
            page = await ok(served, path, limit=2, **before)
            seen += [each[name] for each in page[key]]
            if page["next"] is None:
                break
            before = {"before": page["next"]}
        assert seen == [5, 4, 3, 2, 1]
    assert (await ok(served, "gaps", site_code="LS"))["gaps"] == []
    assert len((await ok(served, "events", kind="restart"))["events"]) == 5
