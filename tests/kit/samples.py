"""Messages for tests, as a device would send them."""

import copy
import json
import uuid
from datetime import UTC, datetime, timedelta
from typing import Any

from contract import sample_id_for

BOOT = uuid.UUID("01890000-0000-7000-8000-000000000001")
START = datetime(2026, 3, 2, 8, 0, tzinfo=UTC)

_BASE: dict[str, Any] = {
    "vl53l8ch": {
        "raw": {
            "distance_matrix": [[100 + row + column for column in range(8)] for row in range(8)],
            "reflectance_matrix": [[120] * 8 for _ in range(8)],
            "amplitude_matrix": [[80] * 7 + [None] for _ in range(8)],
        },
        "analysis": {"volume_mm3": 50000.0, "surface_uniformity": 0.85, "quality_score": 0.88, "grade": "A"},
    },
    "as7341": {
        "raw": {
            "F1_415nm": 1200,
            "F2_445nm": 1500,
            "F3_480nm": 1800,
            "F4_515nm": 2000,
            "F5_555nm": 2200,
            "F6_590nm": 1900,
            "F7_630nm": 1600,
            "F8_680nm": 1400,
            "Clear": 15000,
            "NIR": 3000,
        },
        "analysis": {
            "freshness_index": 0.92,
            "fat_quality_index": 0.88,
            "oxidation_index": 0.15,
            "quality_score": 0.90,
        },
    },
    "fusion": {"final_score": 0.89, "final_grade": "A", "is_compliant": True},
}


def sample(
    seq: int,
    *,
    device: str = "ESP32_LL_01",
    boot: uuid.UUID = BOOT,
    at: datetime | None = None,
    score: float | None = None,
    **changes: Any,
) -> dict[str, Any]:
    """The `seq`-th sample of a boot as JSON values; `score` sets both sensors' and the final score."""
    message = copy.deepcopy(_BASE)
    if score is not None:
        message["vl53l8ch"]["analysis"]["quality_score"] = score
        message["as7341"]["analysis"]["quality_score"] = score
        message["fusion"]["final_score"] = score
    moment = at if at is not None else START + timedelta(seconds=seq)
    message |= {
        "sample_id": sample_id_for(device, boot, seq),
        "device_id": device,
        "timestamp": moment.isoformat(),
        "boot_id": str(boot),
        "seq": seq,
    }
    return message | changes


def event(
    seq: int, kind: str, *, device: str = "ESP32_LL_01", boot: uuid.UUID = BOOT, **changes: Any
) -> dict[str, Any]:
    """The `seq`-th message of a boot, an event, as JSON values."""
    at = START + timedelta(seconds=seq)
    message = {"device_id": device, "boot_id": str(boot), "seq": seq, "timestamp": at.isoformat(), "kind": kind}
    return message | changes


def as_bytes(message: dict[str, Any]) -> bytes:
    """A message as it travels."""
    return json.dumps(message).encode()


def flat_sample(**changes: Any) -> dict[str, Any]:
    """A sample as the customer's ESP32 simulator sends it, histograms and all: well over 100 kB."""
    channels = _BASE["as7341"]["raw"] | {"F1_415nm": 412.0, "F3_480nm": 1800.5}
    message: dict[str, Any] = {
        "type": "sensor_data",
        "sample_id": "MG-261122-2154-188",
        "device_id": "ESP32_LL_01",
        "timestamp": "2026-11-22T21:54:11.123456Z",
        "firmware_version": "3.1.0",
        "vl53l8ch": {
            "distance_matrix": [[17.4 + row + column / 8 for column in range(8)] for row in range(8)],
            "reflectance_matrix": [[38.25] * 8 for _ in range(8)],
            "amplitude_matrix": [[0.49] * 8 for _ in range(8)],
            "ambient_matrix": [[223.5001] * 8 for _ in range(8)],
            "status_matrix": [[5] * 8 for _ in range(8)],
            "volume_mm3": 312_000.77,
            "surface_uniformity": 0.81,
            "quality_score": 0.86,
            "grade": "A",
            "stats": {"min": 17.4, "max": 99.0},
            "defects": [{"x": 1, "y": 2, "kind": "hole"}],
            "score_breakdown": {"volume": 0.9},
        },
        "as7341": {
            "channels": channels,
            "freshness_index": 0.9,
            "fat_quality_index": 0.8,
            "oxidation_index": 0.1,
            "quality_score": 0.88,
            "grade": "A",
            "gain": "256X",
            "integration_time": 100,
            "spectral_ratios": {"r": 1.0},
            "quality_metrics": {},
            "quality_js": {},
        },
        "fusion": {
            "final_score": 0.868,
            "final_grade": "A",
            "tof_score": 0.86,
            "spectral_score": 0.88,
            "fusion_mode": "weighted",
            "metrics": {},
            "foie_gras_metrics": {},
        },
        "vl53l8ch_raw": {"histograms": [[round(0.1 * n + zone, 3) for n in range(144)] for zone in range(128)]},
        "as7341_raw": {"integration": 1},
        "meta": {"batch": 7},
        "location": "Landes",
        "lot_abattage": "AB-1",
        "eleveur": "Dupont",
        "provenance": "Sud-Ouest",
    }
    return message | changes
