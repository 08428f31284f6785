"""What a live viewer reads: samples and alarms in the shapes that the customer's front ends expect; pure.

A sample becomes three messages (ToF, spectral, fusion), an alarm one. Front ends read everything from `payload`, whose
`timestamp` is when it was measured or raised; the `timestamp` beside `type` is when the message was sent.
`row_of` gives a sample as the row of `sqal_sensor_samples` that it will be, for viewers that come before it is stored.
"""

from datetime import UTC, datetime
from typing import Any

import msgspec

from cloud.hub import Bundle
from cloud.store.samples import CHANNELS, SPECTRAL_DETAILS, TOF_DETAILS, details
from contract.bounds import Severity
from contract.messages import Alarm, Health
from contract.sample import Fusion, Reason, Sample, Spectral, Tof

IN_DETAILS = frozenset({*TOF_DETAILS, *SPECTRAL_DETAILS})  # as the stored row has them


class SensorPayload(msgspec.Struct, frozen=True):
    """One sensor's part of a sample; `sensor_type` is the chip's name."""

    device_id: str
    site_code: str
    sample_id: str
    timestamp: datetime
    sensor_type: str
    data: Tof | Spectral
    hist: bool


class SensorData(msgspec.Struct, frozen=True, tag_field="type", tag="sensor_data"):
    """The first and second message of a sample."""

    timestamp: datetime
    payload: SensorPayload


class Verdict(msgspec.Struct, frozen=True):
    """Fusion with what led to it."""

    final_score: float
    final_grade: str
    is_compliant: bool
    weight_tof: float | None
    weight_spectral: float | None
    confidence_level: float | None
    final_score_u: float | None
    grade_probability: float | None
    reasons: list[Reason]
    quality_flags: list[str]


class ResultPayload(msgspec.Struct, frozen=True):
    """The verdict on a sample; `confidence` is the sender's, or else the probability of the grade."""

    device_id: str
    site_code: str
    sample_id: str
    timestamp: datetime
    lot_id: int | None
    piece_id: str | None
    recipe: str | None
    result: Verdict
    confidence: float | None
    hist: bool


class AnalysisResult(msgspec.Struct, frozen=True, tag_field="type", tag="analysis_result"):
    """The third message of a sample."""

    timestamp: datetime
    payload: ResultPayload


class AlertPayload(msgspec.Struct, frozen=True):
    """An alert as it stands now, with what is needed to say it in the reader's language.

    `id` is what acknowledging takes.
    """

    id: str
    severity: Severity
    title: str
    message: str
    source: str
    timestamp: datetime
    acknowledged: bool
    state: str
    alarm_id: str
    alert_id: int | None
    alert_type: str
    device_id: str | None
    site_code: str
    lot_id: int | None
    sample_id: str | None
    count: int
    data_context: dict[str, Any]


class Alert(msgspec.Struct, frozen=True, tag_field="type", tag="alert"):
    """An alert that was raised or changed its state."""

    timestamp: datetime
    payload: AlertPayload


class StatusPayload(msgspec.Struct, frozen=True):
    """Which links behind the live view stand: database (of this server), broker, and an ingester that stores."""

    database_connected: bool
    broker_connected: bool
    storing: bool


class SystemStatus(msgspec.Struct, frozen=True, tag_field="type", tag="system_status"):
    """Sent whenever a link is lost or comes back, and after the welcome where one is missing."""

    timestamp: datetime
    payload: StatusPayload


class DevicePayload(msgspec.Struct, frozen=True):
    """Whether a device is there: `online`, `stopped` (on purpose) or `lost`."""

    device_id: str
    site_code: str
    status: str


class DeviceStatus(msgspec.Struct, frozen=True, tag_field="type", tag="device_status"):
    """A device came, went or was lost."""

    timestamp: datetime
    payload: DevicePayload


def text_of(message: msgspec.Struct) -> str:
    """`message` as JSON text."""
    return msgspec.json.encode(message).decode()


def sample_bundle(sample: Sample, site_code: str, now: datetime) -> Bundle:
    """The three live messages of `sample`, encoded once for all viewers."""
    tof, spectral = (
        SensorData(
            timestamp=now,
            payload=SensorPayload(
                device_id=sample.device_id,
                site_code=site_code,
                sample_id=sample.sample_id,
                timestamp=sample.timestamp,
                sensor_type=chip,
                data=data,
                hist=sample.hist,
            ),
        )
        for chip, data in (("VL53L8CH", sample.vl53l8ch), ("AS7341", sample.as7341))
    )
    return Bundle(
        kind="sample",
        texts=(text_of(tof), text_of(spectral), text_of(_result(sample, site_code, now))),
        device_id=sample.device_id,
        site_code=site_code,
        grade=sample.fusion.final_grade,
    )


def _result(sample: Sample, site_code: str, now: datetime) -> AnalysisResult:
    fusion = sample.fusion
    confidence = fusion.grade_probability if fusion.confidence_level is None else fusion.confidence_level
    return AnalysisResult(
        timestamp=now,
        payload=ResultPayload(
            device_id=sample.device_id,
            site_code=site_code,
            sample_id=sample.sample_id,
            timestamp=sample.timestamp,
            lot_id=sample.lot_id,
            piece_id=sample.piece_id,
            recipe=sample.recipe,
            result=_verdict(fusion, sample),
            confidence=confidence,
            hist=sample.hist,
        ),
    )


def _verdict(fusion: Fusion, sample: Sample) -> Verdict:
    return Verdict(
        final_score=fusion.final_score,
        final_grade=fusion.final_grade,
        is_compliant=fusion.is_compliant,
        weight_tof=fusion.weight_tof,
        weight_spectral=fusion.weight_spectral,
        confidence_level=fusion.confidence_level,
        final_score_u=fusion.final_score_u,
        grade_probability=fusion.grade_probability,
        reasons=sample.reasons,
        quality_flags=sample.quality_flags,
    )


def alarm_bundle(alarm: Alarm, now: datetime) -> Bundle:
    """The live message of `alarm` in its present state."""
    alert = Alert(
        timestamp=now,
        payload=AlertPayload(
            id=alarm.id if alarm.alert_id is None else str(alarm.alert_id),
            severity=alarm.severity,
            title=alarm.alert_type,
            message=alarm.message,
            source=alarm.device_id or alarm.site_code,
            timestamp=alarm.last_at,
            acknowledged=alarm.state in ("acknowledged", "cleared"),
            state=alarm.state,
            alarm_id=alarm.id,
            alert_id=alarm.alert_id,
            alert_type=alarm.alert_type,
            device_id=alarm.device_id,
            site_code=alarm.site_code,
            lot_id=alarm.lot_id,
            sample_id=alarm.sample_id,
            count=alarm.count,
            data_context=alarm.params,
        ),
    )
    return Bundle(kind="alert", texts=(text_of(alert),), device_id=alarm.device_id, site_code=alarm.site_code)


def status_bundle(status: StatusPayload, now: datetime) -> Bundle:
    """The live message of `status`, for everybody."""
    return Bundle(kind="status", texts=(status_text(status, now),))


def status_text(status: StatusPayload, now: datetime) -> str:
    """`status` as a message."""
    return text_of(SystemStatus(timestamp=now, payload=status))


def device_bundle(device: DevicePayload, now: datetime) -> Bundle:
    """The live message that `device` came, went or was lost."""
    texts = (text_of(DeviceStatus(timestamp=now, payload=device)),)
    return Bundle(kind="status", texts=texts, device_id=device.device_id, site_code=device.site_code)


def health_bundle(health: Health, site_code: str, now: datetime) -> Bundle:
    """The live message of a device's `health`."""
    texts = (frame_text("device_health", now, payload={"site_code": site_code, **msgspec.to_builtins(health)}),)
    return Bundle(kind="status", texts=texts, device_id=health.device_id, site_code=site_code)


def welcome_text(message: str, now: datetime) -> str:
    """The first message on either WebSocket."""
    return frame_text("connection_established", now, message=message)


def frame_text(kind: str, now: datetime, **fields: Any) -> str:
    """A message of type `kind` at `now` (aware) with `fields` beside type and timestamp."""
    assert now.tzinfo is UTC, "timestamps are UTC"
    return msgspec.json.encode({"type": kind, "timestamp": now, **fields}).decode()


def row_of(sample: Sample, site_code: str) -> dict[str, Any]:
    """`sample` under the column names of `sqal_sensor_samples`; columns that only the store fills are absent."""
    tof, spectral, fusion = sample.vl53l8ch, sample.as7341, sample.fusion
    measured = {
        f"{chip}_{name}": value
        for chip, part in (("vl53l8ch", tof.analysis), ("as7341", spectral.analysis), ("fusion", fusion))
        for name, value in msgspec.structs.asdict(part).items()
        if name not in IN_DETAILS
    }
    return measured | {
        "time": sample.timestamp,
        "sample_id": sample.sample_id,
        "device_id": sample.device_id,
        "lot_id": sample.lot_id,
        "vl53l8ch_distance_matrix": tof.raw.distance_matrix,
        "vl53l8ch_reflectance_matrix": tof.raw.reflectance_matrix,
        "vl53l8ch_amplitude_matrix": tof.raw.amplitude_matrix,
        "as7341_channels": {name: getattr(spectral.raw, name) for name in CHANNELS},
        "details": details(sample),
        "site_code": site_code,
        "line": sample.line,
        "piece_id": sample.piece_id,
        "hist": sample.hist,
        "reasons": sample.reasons,
        "quality_flags": sample.quality_flags,
        "recipe": sample.recipe,
    }
