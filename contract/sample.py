"""A sample: one product seen by both sensors, measured, analysed and graded; one atomic fact in one flat message.

The fields of the customer's `SensorDataMessage` have its names and nesting. Everything below `--- ours` is optional, so
that senders who know only the customer's form stay welcome. Units are in the names; indices and scores run from 0 to 1;
a field ending in `_u` is the standard uncertainty of the field before it, in the same unit.
"""

import uuid
from datetime import datetime
from typing import Annotated, Any, Literal

from msgspec import Meta, Struct
from msgspec.structs import force_setattr

from contract.bounds import (
    SCHEMA,
    Count,
    DeviceId,
    DistanceMatrix,
    Grade,
    KcpsMatrix,
    Line,
    LongText,
    LotId,
    NonNegative,
    OptionalKcpsMatrix,
    OptionalSigmaMatrix,
    OptionalStatusMatrix,
    ReflectanceMatrix,
    SampleId,
    Schema,
    Seq,
    ShortText,
    SiteCode,
    Unit,
    Version,
    Volume,
    as_utc,
)

SAMPLE_NAMESPACE = uuid.UUID("8f4a9e0c-5d0b-5c86-9f0e-6b1f6c1c2a11")  # made for SQAL; never change it

Origin = Literal["edge", "raw", "ws"]


class Wire(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """Base of everything that travels: frozen, unknown fields ignored, defaults left out."""


class TofRaw(Wire, frozen=True):
    """What the VL53L8CH reported, 8 x 8, row-major, scene orientation; null where a zone saw no target.

    distance: mm, 0 to 4000. reflectance: half percents, 0 to 255. amplitude (signal) and ambient: kcps per SPAD, 0 to
    4095. status: target status of UM3109 table 4, 0 to 255. sigma: the chip's standard deviation of the distance, in
    its own unit of 1/128 mm. status, ambient and sigma may be empty; without sigma no analysis can be repeated exactly.
    """

    distance_matrix: DistanceMatrix
    reflectance_matrix: ReflectanceMatrix
    amplitude_matrix: KcpsMatrix
    status_matrix: OptionalStatusMatrix = []
    ambient_matrix: OptionalKcpsMatrix = []
    sigma_matrix: OptionalSigmaMatrix = []

    def __post_init__(self) -> None:
        for name in ("status_matrix", "ambient_matrix", "sigma_matrix"):
            if len(getattr(self, name)) not in (0, 8):
                raise ValueError(f"{name} must be 8 x 8 or empty")


class Anomaly(Wire, frozen=True):
    """A spot that does not belong on the surface. along_mm, across_mm: from the middle of the piece, belt directions.

    peak: mm above (+) or below (-) the smooth surface; for patches the natural logarithm of their brightness over that
    of their surroundings. severity: 0 just visible to 1 gross.
    """

    kind: Literal["dent", "bump", "foreign_body", "bright_patch", "dark_patch"]
    along_mm: float
    across_mm: float
    area_mm2: NonNegative
    peak: float
    severity: Unit


class TofAnalysis(Wire, frozen=True):
    """Geometry of the piece. `mass_g` is an estimate: volume times the recipe's density.

    length_mm, width_mm, thickness_mm: extents of the piece along and across its long axis, and upwards. frames: height
    pictures that the figures rest on. travel: how the belt's travel between them was known; absent for a single one.
    """

    volume_mm3: Volume
    surface_uniformity: Unit
    quality_score: Unit
    grade: Grade
    avg_distance_mm: NonNegative | None = None
    std_distance_mm: NonNegative | None = None
    avg_reflectance: NonNegative | None = None
    # --- ours
    volume_mm3_u: NonNegative | None = None
    surface_uniformity_u: NonNegative | None = None
    quality_score_u: NonNegative | None = None
    mass_g: NonNegative | None = None
    mass_g_u: NonNegative | None = None
    belt_distance_mm: NonNegative | None = None
    footprint_mm2: NonNegative | None = None
    length_mm: NonNegative | None = None
    width_mm: NonNegative | None = None
    thickness_mm: NonNegative | None = None
    roughness_mm: NonNegative | None = None
    frames: Count | None = None
    travel: Literal["encoder", "pictures"] | None = None
    anomalies: Annotated[list[Anomaly], Meta(max_length=16)] = []


class Tof(Wire, frozen=True):
    """The VL53L8CH's part of a sample."""

    raw: TofRaw
    analysis: TofAnalysis


class SpectralRaw(Wire, frozen=True):
    """Ten raw counts of the AS7341. clear_halves: Clear in the first and second half of the measurement."""

    F1_415nm: Count
    F2_445nm: Count
    F3_480nm: Count
    F4_515nm: Count
    F5_555nm: Count
    F6_590nm: Count
    F7_630nm: Count
    F8_680nm: Count
    Clear: Count
    NIR: Count
    # --- ours
    clear_halves: Annotated[list[Count], Meta(min_length=2, max_length=2)] | None = None


class SpectralAnalysis(Wire, frozen=True):
    """Indices of light. `fat_quality_index` is an estimate from lightness and scatter, not a fat content.

    lightness, a_star, b_star: CIELAB estimate, D65, 10 degrees; delta_e: CIE 1976 difference from the colour of the
    recipe's reference. haem_mm, yellow_mm: pigment per scattering, mmol/L at the scattering that the recipe assumes.
    reflectance: of F1 to F8 against the white standard, at the level of the piece's own surface.
    """

    freshness_index: Unit
    fat_quality_index: Unit
    oxidation_index: Unit
    quality_score: Unit
    ratio_red_nir: NonNegative | None = None
    ratio_clear_nir: NonNegative | None = None
    # --- ours
    freshness_index_u: NonNegative | None = None
    fat_quality_index_u: NonNegative | None = None
    oxidation_index_u: NonNegative | None = None
    quality_score_u: NonNegative | None = None
    gain: NonNegative | None = None
    integration_ms: NonNegative | None = None
    led_ma: NonNegative | None = None
    lightness: float | None = None
    lightness_u: NonNegative | None = None
    a_star: float | None = None
    a_star_u: NonNegative | None = None
    b_star: float | None = None
    b_star_u: NonNegative | None = None
    delta_e: NonNegative | None = None
    delta_e_u: NonNegative | None = None
    haem_mm: float | None = None
    haem_mm_u: NonNegative | None = None
    methaem_fraction: Unit | None = None
    yellow_mm: float | None = None
    yellow_mm_u: NonNegative | None = None
    reflectance: Annotated[list[NonNegative], Meta(min_length=8, max_length=8)] | None = None


class Spectral(Wire, frozen=True):
    """The AS7341's part of a sample."""

    raw: SpectralRaw
    analysis: SpectralAnalysis


class Fusion(Wire, frozen=True):
    """The verdict: 60 % ToF and 40 % spectral by default; compliant means not REJECT."""

    final_score: Unit
    final_grade: Grade
    is_compliant: bool
    weight_tof: Unit | None = None
    weight_spectral: Unit | None = None
    confidence_level: Unit | None = None
    # --- ours
    final_score_u: NonNegative | None = None
    grade_probability: Unit | None = None


class Reason(Wire, frozen=True):
    """Why the grade is what it is: a code and its parameters; words are made where the reader's language is known."""

    code: ShortText
    params: dict[str, float | str | bool | None] = {}


class ClockQuality(Wire, frozen=True):
    """How far the sender's wall clock can be trusted; `error_ms` bounds its error where that is known."""

    state: Literal["synced", "unset"]
    error_ms: NonNegative | None = None


class CalibrationIds(Wire, frozen=True):
    """Which calibrations the analysis used."""

    tof: ShortText | None = None
    spectral: ShortText | None = None


class Sample(Wire, frozen=True):
    """One graded measurement. `(device_id, boot_id, seq)` names it for ever; `timestamp` is UTC, fixed once sent."""

    sample_id: SampleId
    device_id: DeviceId
    timestamp: datetime
    vl53l8ch: Tof
    as7341: Spectral
    fusion: Fusion
    lot_id: LotId | None = None
    site_code: SiteCode | None = None
    location: LongText | None = None
    lot_abattage: ShortText | None = None
    eleveur: LongText | None = None
    provenance: LongText | None = None
    meta: dict[str, Any] | None = None
    firmware_version: Version | None = None
    temperature_c: float | None = None
    humidity_pct: float | None = None
    # --- ours
    schema: Schema = SCHEMA
    line: Line | None = None
    boot_id: uuid.UUID | None = None
    seq: Seq | None = None
    piece_id: ShortText | None = None
    hist: bool = False
    clock: ClockQuality | None = None
    agent: ShortText | None = None
    recipe: ShortText | None = None
    calibration: CalibrationIds | None = None
    reasons: list[Reason] = []
    quality_flags: list[ShortText] = []
    cnh: dict[str, Any] | None = None
    origin: Origin | None = None

    def __post_init__(self) -> None:
        force_setattr(self, "timestamp", as_utc(self.timestamp))
        if (self.boot_id is None) != (self.seq is None):
            raise ValueError("boot_id and seq come together or not at all")


def sample_id_for(device_id: str, boot_id: uuid.UUID, seq: int) -> str:
    """The id of the `seq`-th message of a boot: a message that is sent again is the same row."""
    return str(uuid.uuid5(SAMPLE_NAMESPACE, f"{device_id}/{boot_id}/{seq}"))
