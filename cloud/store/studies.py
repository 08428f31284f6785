"""Calibrations and challenge tests in the database: what events report, and what is due without any event."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

import msgspec
from psycopg.rows import dict_row
from psycopg.types.json import Jsonb

from cloud.alerts import Observation
from cloud.judge import EventFact
from cloud.rules import observation_of_device
from cloud.store.queries import Queries
from cloud.store.session import Connection
from cloud.studies import day, read_report
from contract.studies import CalibrationRecord, CalibrationReport, ChallengeRecord
from quality.texts import Language


async def write_report(connection: Connection, queries: Queries, fact: EventFact) -> None:
    """Store what a new event reports; nothing for the many that report nothing."""
    report = read_report(fact.event)
    if isinstance(report, CalibrationReport):
        for record in report.calibrations:
            await connection.execute(queries["calibration_add"], _calibration_row(fact, record))
    elif isinstance(report, ChallengeRecord):
        await connection.execute(queries["challenge_add"], _challenge_row(fact, report))


async def due(connection: Connection, queries: Queries, *, now: datetime, language: Language) -> list[Observation]:
    """What time alone has brought about or ended: calibrations that ran out, challenge tests that were not made."""
    cursor = connection.cursor(row_factory=dict_row)
    await cursor.execute(queries["studies_due"], {"now": now})
    return [_observation(row, now, language) for row in await cursor.fetchall()]


def _observation(row: Mapping[str, Any], now: datetime, language: Language) -> Observation:
    alert_type: str = row["alert_type"]
    broken: dict[str, dict[str, float | str]] = {}
    if row["is_due"]:
        about = "sensor" if alert_type == "calibration_expired" else "reference"
        broken = {alert_type: {about: row["subject"], "since": day(row["since"])}}
    ended = frozenset[str]() if row["is_due"] else frozenset({alert_type})
    return observation_of_device(
        row["device_id"], row["site_code"], row["line"], now, broken=broken, ended=ended, language=language
    )


def _origin(fact: EventFact) -> dict[str, Any]:
    event, place = fact.event, fact.place
    return {
        "device_id": event.device_id,
        "boot_id": event.boot_id,
        "seq": event.seq,
        "site_code": place.site_code,
        "line": place.line,
    }


def _calibration_row(fact: EventFact, record: CalibrationRecord) -> dict[str, Any]:
    return {
        **_origin(fact),
        "calibration_id": record.calibration_id,
        "sensor": record.sensor,
        "procedure": record.procedure,
        "measured_at": record.measured_at,
        "valid_until": record.valid_until,
        "values": Jsonb(record.values),
        "based_on": record.based_on,
        "drift": Jsonb(_builtins(record.drift)),
        "conditions": Jsonb(record.conditions),
        "made_by": record.made_by,
    }


def _challenge_row(fact: EventFact, record: ChallengeRecord) -> dict[str, Any]:
    return {
        **_origin(fact),
        "reference_id": record.reference,
        "taken_at": record.taken_at,
        "passed": record.passed,
        "readings": record.readings,
        "lines": Jsonb(_builtins(record.lines)),
        "refused": record.refused,
        "made_by": record.made_by,
        "request": record.request,
        "calibration_tof": record.tof,
        "calibration_spectral": record.spectral,
    }


def _builtins(structs: Sequence[msgspec.Struct]) -> list[dict[str, Any]]:
    return [msgspec.to_builtins(each) for each in structs]
