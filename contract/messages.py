"""Every message beside the sample: events, device state, receipts, twin, commands, alarms.

Times are RFC 3339 UTC. `session` ties a birth to its will: both carry the id of the connection that made them.
"""

import uuid
from datetime import datetime
from typing import Annotated, Any, Literal

from msgspec import Meta, field
from msgspec.structs import force_setattr

from contract.bounds import (
    SCHEMA,
    Count,
    DeviceId,
    Grade,
    Line,
    LongText,
    LotId,
    NonNegative,
    SampleId,
    Schema,
    Seq,
    Severity,
    ShortText,
    SiteCode,
    Total,
    Unit,
    as_utc,
)
from contract.sample import CalibrationIds, ClockQuality, Reason, Sample, SpectralRaw, TofRaw, Wire

EventKind = Literal[
    "gap",
    "ungraded",
    "calibration",
    "challenge",
    "sensor_fault",
    "sensor_recovered",
    "restart",
    "clock_step",
    "cfg_applied",
    "taken_over",
    "simulated_fault",
]
SamplingMode = Literal["free", "timed", "belt"]
AlarmState = Literal["unacknowledged", "acknowledged", "returned_unacknowledged", "cleared", "shelved"]
UPTIME_MS_MAX = 100 * 366 * 86_400_000  # a century: more is no uptime
Halves = Annotated[list[Count], Meta(min_length=2, max_length=2)]
HttpStatus = Annotated[int, Meta(ge=100, le=599)]


class Gap(Wire, frozen=True):
    """Numbers that will never arrive: `first_seq` to `last_seq` of `boot_id`, both included."""

    boot_id: uuid.UUID
    first_seq: Seq
    last_seq: Seq
    reason: ShortText

    def __post_init__(self) -> None:
        if self.last_seq < self.first_seq:
            raise ValueError(f"last_seq {self.last_seq} lies before first_seq {self.first_seq}")


class Event(Wire, frozen=True):
    """Something that happened at a device; numbered with its samples, delivered like them. `gap` only for kind gap."""

    device_id: DeviceId
    timestamp: datetime
    boot_id: uuid.UUID
    seq: Seq
    kind: EventKind
    severity: Severity = "info"
    site_code: SiteCode | None = None
    line: Line | None = None
    piece_id: ShortText | None = None
    lot_id: LotId | None = None
    reason: Reason | None = None
    gap: Gap | None = None
    data: dict[str, Any] = {}
    hist: bool = False
    clock: ClockQuality | None = None
    schema: Schema = SCHEMA

    def __post_init__(self) -> None:
        force_setattr(self, "timestamp", as_utc(self.timestamp))
        if (self.kind == "gap") != (self.gap is not None):
            raise ValueError("an event of kind gap, and no other, carries gap")


class RawTofPart(Wire, frozen=True):
    """The ToF matrices of a raw message."""

    raw: TofRaw


class RawSpectralPart(Wire, frozen=True):
    """The channel counts of a raw message and how they were taken; without settings, as the calibration was.

    gain: real factor, 0.5 to 512. integration_ms: of one half. clear_halves, nir_halves: first and second half, whose
    means are Clear and NIR.
    """

    raw: SpectralRaw
    gain: Annotated[float, Meta(ge=0.5, le=512.0)] | None = None
    integration_ms: Annotated[float, Meta(ge=0.01)] | None = None
    led_ma: NonNegative | None = None
    clear_halves: Halves | None = None
    nir_halves: Halves | None = None


class Raw(Wire, frozen=True):
    """What a device that only measures sends: a sample without `analysis` and `fusion`, in JSON or packed.

    uptime_ms: since its boot, of the measurement; a device without clock sends it instead of `timestamp`.
    """

    device_id: DeviceId
    boot_id: uuid.UUID
    seq: Seq
    vl53l8ch: RawTofPart
    as7341: RawSpectralPart
    timestamp: datetime | None = None
    uptime_ms: Annotated[int, Meta(ge=0, le=UPTIME_MS_MAX)] | None = None
    site_code: SiteCode | None = None
    lot_id: LotId | None = None
    piece_id: ShortText | None = None
    schema: Schema = SCHEMA

    def __post_init__(self) -> None:
        if self.timestamp is not None:
            force_setattr(self, "timestamp", as_utc(self.timestamp))


class Result(Wire, frozen=True):
    """The verdict in at most 512 bytes, for panels, PLCs and flows; retained for 15 minutes, not stored."""

    device_id: DeviceId
    sample_id: SampleId
    timestamp: datetime
    final_score: Unit
    final_grade: Grade
    is_compliant: bool
    site_code: SiteCode | None = None
    lot_id: LotId | None = None
    piece_id: ShortText | None = None
    reasons: list[Reason] = []
    schema: Schema = SCHEMA


class State(Wire, frozen=True):
    """Whether a device is there. `lost` is the will, said by the broker with the session of its birth."""

    device_id: DeviceId
    session: uuid.UUID
    state: Literal["online", "stopped", "lost"]
    boot_id: uuid.UUID | None = None
    timestamp: datetime | None = None
    schema: Schema = SCHEMA


class SensorInfo(Wire, frozen=True):
    """One chip as the agent found it."""

    chip: ShortText
    address: ShortText
    healthy: bool
    detail: LongText = ""


class BirthCertificate(Wire, frozen=True):
    """`meta`: what a device is, sent at every connect and retained."""

    device_id: DeviceId
    session: uuid.UUID
    boot_id: uuid.UUID
    timestamp: datetime
    agent: ShortText
    sensors: list[SensorInfo] = []
    calibration: CalibrationIds | None = None
    recipe: ShortText | None = None
    capabilities: list[ShortText] = []
    clock: ClockQuality | None = None
    site_code: SiteCode | None = None
    line: Line | None = None
    schema: Schema = SCHEMA


class Health(Wire, frozen=True):
    """How a device is doing; a device is silent when this is silent for three periods.

    spool_rows, spool_bytes: not yet receipted. belt_empty_since: start of the present emptiness, absent while a piece
    is in view. throttled: what slows the processor, such as under_voltage; with `_before`, what did since it started.
    counters: totals since boot by name.
    """

    device_id: DeviceId
    boot_id: uuid.UUID
    timestamp: datetime
    period_s: NonNegative
    uptime_s: NonNegative
    spool_rows: Total
    spool_bytes: Total
    disk_free_bytes: Total | None = None
    temperature_c: float | None = None
    throttled: list[ShortText] = []
    belt_empty_since: datetime | None = None
    clock: ClockQuality | None = None
    counters: dict[str, int] = {}
    schema: Schema = SCHEMA


class SeqRange(Wire, frozen=True):
    """`first_seq` to `last_seq` of one boot, both included."""

    boot_id: uuid.UUID
    first_seq: Seq
    last_seq: Seq


class Receipt(Wire, frozen=True):
    """Ingest's word to a device: `stored` is committed in the database, `rejected` is kept as dead letters for good."""

    device_id: DeviceId
    stored: list[SeqRange] = []
    rejected: list[SeqRange] = []
    schema: Schema = SCHEMA


class ErrorNotice(Wire, frozen=True):
    """Why a message of this device was not accepted. `held` says that it was neither stored nor receipted: keep it."""

    code: ShortText
    reason: LongText
    timestamp: datetime
    path: LongText | None = None
    held: bool = False
    boot_id: uuid.UUID | None = None
    seq: Seq | None = None
    dead_letter_id: Seq | None = None
    schema: Schema = SCHEMA


class DesiredConfiguration(Wire, frozen=True):
    """`cfg/desired`: what a device shall be set to; absent keys stay as they are. rate_hz 0.1 to 15.

    mode: `timed` measures rate_hz times a second, `free` as fast as the sensors can, `belt` once for each piece.

    recipe: the label such as `foie-gras@2`. recipe_values: that recipe whole, the fields of `quality.recipe.Recipe`; a
    device keeps what it has been given, so that a later desire may name it alone.
    """

    revision: Seq
    recipe: ShortText | None = None
    recipe_values: dict[str, Any] | None = None
    rate_hz: Annotated[float, Meta(ge=0.1, le=15.0)] | None = None
    mode: SamplingMode | None = None
    lot_id: LotId | None = None
    limits: dict[str, float] | None = None
    schema: Schema = SCHEMA


class ReportedConfiguration(Wire, frozen=True):
    """`cfg/reported`: what a device is set to, and for each refused key the reason."""

    revision: Seq
    settings: dict[str, Any]
    errors: dict[str, str] = {}
    schema: Schema = SCHEMA


class Command(Wire, frozen=True):
    """A request to a device, not carried out after `expires_at`; the command's name is in the topic."""

    id: ShortText
    expires_at: datetime
    args: dict[str, Any] = {}
    issued_by: LongText | None = None
    schema: Schema = SCHEMA


class CommandResult(Wire, frozen=True):
    """A device's answer, with the meaning of HTTP status codes: 202 begun, 200 done, 4xx refused, 5xx failed."""

    id: ShortText
    status: HttpStatus
    message: LongText = ""
    result: dict[str, Any] = {}
    schema: Schema = SCHEMA


class Alarm(Wire, frozen=True):
    """An alert and its ISA-18.2 state; one per device, rule and lot, with count and last occurrence."""

    id: ShortText
    state: AlarmState
    alert_type: ShortText
    severity: Severity
    message: LongText
    first_at: datetime
    last_at: datetime
    count: Seq
    site_code: SiteCode
    device_id: DeviceId | None = None
    line: Line | None = None
    lot_id: LotId | None = None
    sample_id: SampleId | None = None
    alert_id: Seq | None = None
    params: dict[str, Any] = {}
    schema: Schema = SCHEMA


class HostState(Wire, frozen=True):
    """Whether an ingester stores: `sites` it serves, `["*"]` for all."""

    host: ShortText
    online: bool
    session: uuid.UUID
    sites: list[ShortText] = field(default_factory=lambda: ["*"])
    timestamp: datetime | None = None
    schema: Schema = SCHEMA


MESSAGES: dict[str, type[Wire]] = {
    "sample": Sample,
    "raw": Raw,
    "result": Result,
    "event": Event,
    "state": State,
    "meta": BirthCertificate,
    "health": Health,
    "receipt": Receipt,
    "error": ErrorNotice,
    "cfg-desired": DesiredConfiguration,
    "cfg-reported": ReportedConfiguration,
    "cmd": Command,
    "res": CommandResult,
    "alarm": Alarm,
    "host": HostState,
}
"""Every message by its topic class; the reference page and the golden files go through all of them."""
