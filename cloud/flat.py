"""The flat form: samples of the customer's ESP32 simulator, whose sensors are not split into `raw` and `analysis`.

`read_sample` takes either form and gives the contract's Sample. What the flat form says beyond it (histograms, metrics,
statistics: nine tenths of its 139 kB) is dropped here; matrices of floats are rounded; grades are read by what they
contain, because its firmware writes `REJET - ...`. Errors name the path as the sender wrote it.
"""

import re
from datetime import datetime
from typing import Annotated, Any, Literal

import msgspec
from msgspec import Meta, field
from msgspec.structs import force_setattr

from contract.bounds import (
    DISTANCE_MM_MAX,
    EIGHT,
    INT_MAX,
    KCPS_MAX,
    REFLECTANCE_MAX,
    STATUS_MAX,
    DeviceId,
    Grade,
    LongText,
    LotId,
    NonNegative,
    SampleId,
    ShortText,
    SiteCode,
    Unit,
    Version,
    Volume,
    as_utc,
)
from contract.codec import decode, encode
from contract.errors import ContractError
from contract.sample import Fusion, Sample, Spectral, SpectralAnalysis, SpectralRaw, Tof, TofAnalysis, TofRaw, Wire

PAYLOAD_BYTES_MAX = 1024 * 1024  # the flat form measures 139 kB; seven times that leaves room for longer histograms

_FlatDistance = Annotated[float, Meta(ge=0, le=DISTANCE_MM_MAX)] | None
_FlatReflectance = Annotated[float, Meta(ge=0, le=REFLECTANCE_MAX)] | None
_FlatKcps = Annotated[float, Meta(ge=0, le=KCPS_MAX)] | None
_FlatStatus = Annotated[float, Meta(ge=0, le=STATUS_MAX)] | None
_FlatCount = Annotated[float, Meta(ge=0, le=INT_MAX)]
_Numbers = list[list[float | None]]


class FlatTof(Wire, frozen=True):
    """`vl53l8ch` of the flat form; units as in the contract's TofRaw and TofAnalysis, numbers may have a fraction."""

    distance_matrix: Annotated[list[Annotated[list[_FlatDistance], EIGHT]], EIGHT]
    reflectance_matrix: Annotated[list[Annotated[list[_FlatReflectance], EIGHT]], EIGHT]
    amplitude_matrix: Annotated[list[Annotated[list[_FlatKcps], EIGHT]], EIGHT]
    volume_mm3: Volume
    surface_uniformity: Unit
    quality_score: Unit
    grade: str
    status_matrix: Annotated[list[Annotated[list[_FlatStatus], EIGHT]], Meta(max_length=8)] = field(
        default_factory=list[Any]
    )
    ambient_matrix: Annotated[list[Annotated[list[_FlatKcps], EIGHT]], Meta(max_length=8)] = field(
        default_factory=list[Any]
    )
    avg_distance_mm: NonNegative | None = None
    std_distance_mm: NonNegative | None = None
    avg_reflectance: NonNegative | None = None


class FlatChannels(Wire, frozen=True):
    """Ten channel counts; numbers may have a fraction."""

    F1_415nm: _FlatCount
    F2_445nm: _FlatCount
    F3_480nm: _FlatCount
    F4_515nm: _FlatCount
    F5_555nm: _FlatCount
    F6_590nm: _FlatCount
    F7_630nm: _FlatCount
    F8_680nm: _FlatCount
    Clear: _FlatCount
    NIR: _FlatCount


class FlatSpectral(Wire, frozen=True):
    """`as7341` of the flat form."""

    channels: FlatChannels
    freshness_index: Unit
    fat_quality_index: Unit
    oxidation_index: Unit
    quality_score: Unit
    ratio_red_nir: NonNegative | None = None
    ratio_clear_nir: NonNegative | None = None


class FlatFusion(Wire, frozen=True):
    """`fusion` of the flat form, which lacks `is_compliant`."""

    final_score: Unit
    final_grade: str
    is_compliant: bool | None = None
    weight_tof: Unit | None = None
    weight_spectral: Unit | None = None
    confidence_level: Unit | None = None


class FlatSample(Wire, frozen=True):
    """A sample in the flat form: what of it is kept."""

    sample_id: SampleId
    device_id: DeviceId
    timestamp: datetime
    vl53l8ch: FlatTof
    as7341: FlatSpectral
    fusion: FlatFusion
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

    def __post_init__(self) -> None:
        force_setattr(self, "timestamp", as_utc(self.timestamp))


class _Shape(msgspec.Struct):
    vl53l8ch: dict[str, msgspec.Raw]


_shape_decoder = msgspec.json.Decoder(_Shape)
_REJECT = re.compile(r"\brej", re.IGNORECASE)  # REJECT, REJET, à rejeter
# A letter alone: "B - BON" is B although BON has a B, "N/A" is no A.
_LETTER = re.compile(r"(?<![A-Za-z/+])(A\+|A|B|C)(?![A-Za-z/+])")


def read_sample(payload: bytes) -> Sample:
    """The sample in `payload`, which is in the mission's form or the flat one. Raises ContractError, NewerSchemaError.

    `payload` may have up to PAYLOAD_BYTES_MAX bytes: unknown keys are dropped before the sample travels on.
    """
    if not is_flat(payload):
        return decode(Sample, payload, bytes_max=PAYLOAD_BYTES_MAX)
    sample = from_flat(decode(FlatSample, payload, bytes_max=PAYLOAD_BYTES_MAX))
    return decode(Sample, encode(sample))  # so that nothing travels that a receiver would refuse


def is_flat(payload: bytes) -> bool:
    """Whether `payload` has a `vl53l8ch` object that holds its matrices itself."""
    try:
        shape = _shape_decoder.decode(payload)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
        return False  # the contract's decoder says what is wrong with it
    return "raw" not in shape.vl53l8ch and "distance_matrix" in shape.vl53l8ch


def from_flat(flat: FlatSample) -> Sample:
    """`flat` in the contract's form. Raises ContractError where a grade names none of the five."""
    grade = _grade(flat.fusion.final_grade, "$.fusion.final_grade")
    compliant = flat.fusion.is_compliant
    return Sample(
        sample_id=flat.sample_id,
        device_id=flat.device_id,
        timestamp=flat.timestamp,
        vl53l8ch=_tof(flat.vl53l8ch),
        as7341=_spectral(flat.as7341),
        fusion=Fusion(
            final_score=flat.fusion.final_score,
            final_grade=grade,
            is_compliant=grade != "REJECT" if compliant is None else compliant,
            weight_tof=flat.fusion.weight_tof,
            weight_spectral=flat.fusion.weight_spectral,
            confidence_level=flat.fusion.confidence_level,
        ),
        lot_id=flat.lot_id,
        site_code=flat.site_code,
        location=flat.location,
        lot_abattage=flat.lot_abattage,
        eleveur=flat.eleveur,
        provenance=flat.provenance,
        meta=flat.meta,
        firmware_version=flat.firmware_version,
        temperature_c=flat.temperature_c,
        humidity_pct=flat.humidity_pct,
    )


def _tof(flat: FlatTof) -> Tof:
    for name in ("status_matrix", "ambient_matrix"):
        if len(getattr(flat, name)) not in (0, 8):
            raise ContractError(f"$.vl53l8ch.{name}", "must be 8 x 8 or empty")
    return Tof(
        raw=TofRaw(
            distance_matrix=_rounded(flat.distance_matrix),
            reflectance_matrix=_rounded(flat.reflectance_matrix),
            amplitude_matrix=_rounded(flat.amplitude_matrix),
            status_matrix=_rounded(flat.status_matrix),
            ambient_matrix=_rounded(flat.ambient_matrix),
        ),
        analysis=TofAnalysis(
            volume_mm3=flat.volume_mm3,
            surface_uniformity=flat.surface_uniformity,
            quality_score=flat.quality_score,
            grade=_grade(flat.grade, "$.vl53l8ch.grade"),
            avg_distance_mm=flat.avg_distance_mm,
            std_distance_mm=flat.std_distance_mm,
            avg_reflectance=flat.avg_reflectance,
        ),
    )


def _spectral(flat: FlatSpectral) -> Spectral:
    counts = {name: round(count) for name, count in msgspec.structs.asdict(flat.channels).items()}
    return Spectral(
        raw=SpectralRaw(**counts),
        analysis=SpectralAnalysis(
            freshness_index=flat.freshness_index,
            fat_quality_index=flat.fat_quality_index,
            oxidation_index=flat.oxidation_index,
            quality_score=flat.quality_score,
            ratio_red_nir=flat.ratio_red_nir,
            ratio_clear_nir=flat.ratio_clear_nir,
        ),
    )


def _rounded(matrix: _Numbers) -> list[list[int | None]]:
    return [[None if number is None else round(number) for number in row] for row in matrix]


_BY_LETTER: dict[str, Literal["A+", "A", "B", "C"]] = {"A+": "A+", "A": "A", "B": "B", "C": "C"}


def _grade(text: str, path: str) -> Grade:
    if _REJECT.search(text):
        return "REJECT"
    letter = _LETTER.search(text)
    if letter is None:
        raise ContractError(path, f"{text[:40]!r} names none of the grades A+, A, B, C, REJECT")
    return _BY_LETTER[letter.group(1)]
