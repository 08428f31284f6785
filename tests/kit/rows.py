"""Rows for tests that read: written with the customer's own columns, through the view that takes JSON."""

import uuid
from collections.abc import Iterable
from datetime import datetime
from typing import Any

import psycopg
from psycopg.types.json import Jsonb

CHANNELS = ("F1_415nm", "F2_445nm", "F3_480nm", "F4_515nm", "F5_555nm", "F6_590nm", "F7_630nm", "F8_680nm")
COUNTS = {name: 1000 + n for n, name in enumerate((*CHANNELS, "Clear", "NIR"))}
GRADE_OF_SCORE = ((0.90, "A+"), (0.75, "A"), (0.60, "B"), (0.45, "C"))
INSERT_SAMPLE = """
INSERT INTO sqal_sensor_samples_json (time, sample_id, device_id, lot_id, vl53l8ch_distance_matrix,
    vl53l8ch_reflectance_matrix, vl53l8ch_amplitude_matrix, vl53l8ch_volume_mm3, vl53l8ch_surface_uniformity,
    vl53l8ch_quality_score, vl53l8ch_grade, as7341_channels, as7341_freshness_index, as7341_fat_quality_index,
    as7341_oxidation_index, as7341_quality_score, fusion_final_score, fusion_final_grade, fusion_is_compliant)
VALUES (%(time)s, %(sample_id)s, %(device_id)s, %(lot_id)s, %(matrix)s, %(matrix)s, %(matrix)s, 50000.5, 0.85, %(score)s,
    %(grade)s, %(channels)s, 0.92, 0.88, 0.15, %(score)s, %(score)s, %(grade)s, %(compliant)s)"""


def grade_of(score: float) -> str:
    return next((grade for least, grade in GRADE_OF_SCORE if score >= least), "REJECT")


def sample_row(at: datetime, score: float = 0.89, **changes: Any) -> dict[str, Any]:
    """Values of one sample; its grade follows from `score`."""
    grade = grade_of(score)
    return {
        "time": at,
        "sample_id": str(uuid.uuid4()),
        "device_id": "ESP32_LL_01",
        "lot_id": None,
        "matrix": Jsonb([[100 + row] * 7 + [None] for row in range(8)]),
        "channels": Jsonb(COUNTS),
        "score": score,
        "grade": grade,
        "compliant": grade != "REJECT",
        **changes,
    }


def put_samples(dsn: str, samples: Iterable[dict[str, Any]]) -> None:
    with psycopg.connect(dsn) as connection, connection.cursor() as cursor:
        cursor.executemany(INSERT_SAMPLE, list(samples))


def put(dsn: str, statement: str, **values: Any) -> None:
    with psycopg.connect(dsn) as connection:
        connection.execute(statement.encode(), values)
