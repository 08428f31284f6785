"""What a viewer missed while it was away, so that coming back leaves no hole.

A live message is relayed before it is stored, so neither side alone suffices: the database has what was stored since
the cursor (and OVERLAP before it), the relay's memory has what came by and may not be stored yet. A viewer gets both,
each sample once, and drops what it has already. What is more than ROWS_MAX is told as not replayed, never silently
left out.
"""

from collections import deque
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

import msgspec

from cloud.hub import Bundle

OVERLAP = timedelta(seconds=5)  # clocks of server and database, and how long a commit may take
REMEMBERED_MAX = 1_000  # samples whose texts the relay keeps: 10 s of the customer's 100 samples/s, some 5 MB
ROWS_MAX = 2_000  # a minute or so of a line; whoever was away for longer asks REST

AWAY_MAX = timedelta(minutes=15)  # past that a viewer begins anew

RAW = frozenset({"distance_matrix", "reflectance_matrix", "amplitude_matrix", "status_matrix", "ambient_matrix"})


@dataclass(frozen=True, slots=True)
class Remembered:
    """A sample that came by: when, which, and what viewers were sent."""

    at: datetime
    key: tuple[str, str]  # device and sample id
    bundle: Bundle


class Memory:
    """The samples that came by last."""

    def __init__(self) -> None:
        self._kept: deque[Remembered] = deque(maxlen=REMEMBERED_MAX)

    def keep(self, at: datetime, key: tuple[str, str], bundle: Bundle) -> None:
        """Remember a sample; the oldest makes room."""
        self._kept.append(Remembered(at, key, bundle))

    def since(self, start: datetime) -> list[Remembered]:
        """What came by since `start`, oldest first."""
        return [each for each in self._kept if each.at >= start]


def texts_of_row(row: dict[str, Any], now: datetime) -> tuple[str, str, str]:
    """The three live messages of a stored sample, in the shapes of cloud/live.py."""
    tof: dict[str, dict[str, Any]] = {"raw": {}, "analysis": {}}
    spectral: dict[str, dict[str, Any]] = {"raw": row["as7341_channels"], "analysis": {}}
    result: dict[str, Any] = {"reasons": row["reasons"] or [], "quality_flags": row["quality_flags"]}
    for name, value in row.items():
        chip, _, field = name.partition("_")
        if chip == "vl53l8ch":
            tof["raw" if field in RAW else "analysis"][field] = value
        elif chip == "as7341" and field != "channels":
            spectral["analysis"][field] = value
        elif chip == "fusion":
            result[field] = value
    found: dict[str, dict[str, Any]] = row["details"] or {}
    tof["analysis"] |= found.get("tof", {})
    spectral["analysis"] |= found.get("spectral", {})
    about = {name: row[name] for name in ("device_id", "site_code", "sample_id", "hist")} | {"timestamp": row["time"]}
    verdict = about | {"lot_id": row["lot_id"], "piece_id": row["piece_id"], "recipe": row["recipe"], "result": result}
    confidence = row["fusion_confidence_level"]
    verdict["confidence"] = row["fusion_grade_probability"] if confidence is None else confidence
    return (
        _text("sensor_data", now, about | {"sensor_type": "VL53L8CH", "data": tof}),
        _text("sensor_data", now, about | {"sensor_type": "AS7341", "data": spectral}),
        _text("analysis_result", now, verdict),
    )


def _text(kind: str, now: datetime, payload: dict[str, Any]) -> str:
    return msgspec.json.encode({"type": kind, "timestamp": now, "payload": payload, "replayed": True}).decode()


def merged(rows: Iterable[dict[str, Any]], remembered: Iterable[Remembered], now: datetime) -> list[tuple[str, ...]]:
    """The messages of stored and remembered samples, each once, in the order they were measured or came by."""
    found: dict[tuple[str, str], tuple[str, ...]] = {
        (row["device_id"], row["sample_id"]): texts_of_row(row, now) for row in rows
    }
    for each in remembered:
        found.setdefault(each.key, each.bundle.texts)
    return list(found.values())
