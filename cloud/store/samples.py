"""Samples as rows: which field of the contract goes into which column, encoded for binary COPY.

The table below is the one place that says so; `sql/queries/samples.sql` names the same columns in the same order, and a
test holds them together. Matrices are encoded here, from a table of cells: psycopg's own encoder of nested lists takes
longer than all the rest of a row.
"""

import struct
from collections.abc import Iterable
from dataclasses import dataclass
from itertools import chain
from operator import attrgetter
from typing import Any, NamedTuple

import msgspec

from contract.bounds import DISTANCE_MM_MAX, KCPS_MAX, REFLECTANCE_MAX, SIGMA_MAX, STATUS_MAX
from contract.sample import Sample

INT2_OID = 21
INT4_OID = 23
TEXT_OID = 25


class Column(NamedTuple):
    """A column of the stage: its PostgreSQL type there, and the path of its field in the contract, if it has one."""

    name: str
    type: str
    path: str | None = None


SCALARS = (
    Column("time", "timestamptz", "timestamp"),
    Column("sample_id", "text", "sample_id"),
    Column("device_id", "text", "device_id"),
    Column("lot_id", "int4", "lot_id"),
    Column("vl53l8ch_volume_mm3", "float8", "vl53l8ch.analysis.volume_mm3"),
    Column("vl53l8ch_surface_uniformity", "float8", "vl53l8ch.analysis.surface_uniformity"),
    Column("vl53l8ch_quality_score", "float8", "vl53l8ch.analysis.quality_score"),
    Column("vl53l8ch_grade", "text", "vl53l8ch.analysis.grade"),
    Column("as7341_freshness_index", "float8", "as7341.analysis.freshness_index"),
    Column("as7341_fat_quality_index", "float8", "as7341.analysis.fat_quality_index"),
    Column("as7341_oxidation_index", "float8", "as7341.analysis.oxidation_index"),
    Column("as7341_quality_score", "float8", "as7341.analysis.quality_score"),
    Column("fusion_final_score", "float8", "fusion.final_score"),
    Column("fusion_final_grade", "text", "fusion.final_grade"),
    Column("fusion_is_compliant", "bool", "fusion.is_compliant"),
    Column("boot_id", "uuid", "boot_id"),
    Column("seq", "int8", "seq"),
    Column("piece_id", "text", "piece_id"),
    Column("origin", "text", "origin"),
    Column("hist", "bool", "hist"),
    Column("schema_version", "int4", "schema"),
    Column("agent", "text", "agent"),
    Column("recipe", "text", "recipe"),
    Column("vl53l8ch_avg_distance_mm", "float8", "vl53l8ch.analysis.avg_distance_mm"),
    Column("vl53l8ch_std_distance_mm", "float8", "vl53l8ch.analysis.std_distance_mm"),
    Column("vl53l8ch_avg_reflectance", "float8", "vl53l8ch.analysis.avg_reflectance"),
    Column("vl53l8ch_volume_mm3_u", "float8", "vl53l8ch.analysis.volume_mm3_u"),
    Column("vl53l8ch_surface_uniformity_u", "float8", "vl53l8ch.analysis.surface_uniformity_u"),
    Column("vl53l8ch_quality_score_u", "float8", "vl53l8ch.analysis.quality_score_u"),
    Column("vl53l8ch_mass_g", "float8", "vl53l8ch.analysis.mass_g"),
    Column("vl53l8ch_mass_g_u", "float8", "vl53l8ch.analysis.mass_g_u"),
    Column("vl53l8ch_belt_distance_mm", "float8", "vl53l8ch.analysis.belt_distance_mm"),
    Column("as7341_ratio_red_nir", "float8", "as7341.analysis.ratio_red_nir"),
    Column("as7341_ratio_clear_nir", "float8", "as7341.analysis.ratio_clear_nir"),
    Column("as7341_freshness_index_u", "float8", "as7341.analysis.freshness_index_u"),
    Column("as7341_fat_quality_index_u", "float8", "as7341.analysis.fat_quality_index_u"),
    Column("as7341_oxidation_index_u", "float8", "as7341.analysis.oxidation_index_u"),
    Column("as7341_quality_score_u", "float8", "as7341.analysis.quality_score_u"),
    Column("as7341_gain", "float8", "as7341.analysis.gain"),
    Column("as7341_integration_ms", "float8", "as7341.analysis.integration_ms"),
    Column("as7341_led_ma", "float8", "as7341.analysis.led_ma"),
    Column("fusion_weight_tof", "float8", "fusion.weight_tof"),
    Column("fusion_weight_spectral", "float8", "fusion.weight_spectral"),
    Column("fusion_confidence_level", "float8", "fusion.confidence_level"),
    Column("fusion_final_score_u", "float8", "fusion.final_score_u"),
    Column("fusion_grade_probability", "float8", "fusion.grade_probability"),
    Column("location", "text", "location"),
    Column("lot_abattage", "text", "lot_abattage"),
    Column("eleveur", "text", "eleveur"),
    Column("provenance", "text", "provenance"),
    Column("firmware_version", "text", "firmware_version"),
    Column("temperature_c", "float8", "temperature_c"),
    Column("humidity_pct", "float8", "humidity_pct"),
)
DERIVED = (
    Column("site_code", "text"),
    Column("line", "text"),
    Column("clock_state", "text", "clock.state"),
    Column("clock_error_ms", "float8", "clock.error_ms"),
    Column("calibration_tof", "text", "calibration.tof"),
    Column("calibration_spectral", "text", "calibration.spectral"),
    Column("vl53l8ch_distance_matrix", "int2[]", "vl53l8ch.raw.distance_matrix"),
    Column("vl53l8ch_reflectance_matrix", "int2[]", "vl53l8ch.raw.reflectance_matrix"),
    Column("vl53l8ch_amplitude_matrix", "int2[]", "vl53l8ch.raw.amplitude_matrix"),
    Column("vl53l8ch_status_matrix", "int2[]", "vl53l8ch.raw.status_matrix"),
    Column("vl53l8ch_ambient_matrix", "int2[]", "vl53l8ch.raw.ambient_matrix"),
    Column("as7341_channels", "int4[]", "as7341.raw"),
    Column("reasons", "jsonb", "reasons"),
    Column("quality_flags", "text[]", "quality_flags"),
    Column("meta", "jsonb", "meta"),
    Column("cnh", "jsonb", "cnh"),
    Column("vl53l8ch_sigma_matrix", "int2[]", "vl53l8ch.raw.sigma_matrix"),
    Column("as7341_clear_halves", "int4[]", "as7341.raw.clear_halves"),
    Column("details", "jsonb"),
)
# What the analysis knows beyond the columns, by the names of the contract; one document for both sensors.
TOF_DETAILS = (
    "footprint_mm2", "length_mm", "width_mm", "thickness_mm", "roughness_mm", "frames", "travel", "anomalies",
)  # fmt: skip
SPECTRAL_DETAILS = (
    "lightness", "lightness_u", "a_star", "a_star_u", "b_star", "b_star_u", "delta_e", "delta_e_u", "haem_mm",
    "haem_mm_u", "methaem_fraction", "yellow_mm", "yellow_mm_u", "reflectance",
)  # fmt: skip
COLUMNS = (Column("n", "int4"), *SCALARS, *DERIVED)
TYPES = [column.type for column in COLUMNS]

Row = tuple[Any, ...]
Matrix = list[list[int | None]]
# Distance, reflectance, amplitude, status, ambient and sigma, each as a binary `smallint[]`; None: not sent.
Matrices = tuple[bytes | None, ...]

_scalars = attrgetter(*(column.path for column in SCALARS if column.path is not None))
CHANNELS = (
    "F1_415nm", "F2_445nm", "F3_480nm", "F4_515nm", "F5_555nm", "F6_590nm", "F7_630nm", "F8_680nm", "Clear", "NIR",
)  # fmt: skip
_channels = attrgetter(*CHANNELS)
_tof_details = attrgetter(*TOF_DETAILS)
_spectral_details = attrgetter(*SPECTRAL_DETAILS)
_NO_TOF_DETAILS: tuple[Any, ...] = (*[None] * (len(TOF_DETAILS) - 1), [])
_NO_SPECTRAL_DETAILS = (None,) * len(SPECTRAL_DETAILS)
_json = msgspec.json.Encoder()

# PostgreSQL's binary array: dimensions, has-nulls, element type, then (length, lower bound) for each dimension, then
# every element with its length before it; -1 is null.
MATRIX_HEAD = struct.pack(">iiIiiii", 2, 1, INT2_OID, 8, 1, 8, 1)
_CELL_MAX = max(DISTANCE_MM_MAX, KCPS_MAX, REFLECTANCE_MAX, STATUS_MAX, SIGMA_MAX)
CELL = struct.Struct(">ih")  # length and value
_CELLS: dict[int | None, bytes] = {value: CELL.pack(2, value) for value in range(_CELL_MAX + 1)}
_CELLS[None] = struct.pack(">i", -1)
_cell = _CELLS.__getitem__


class _Array:
    """Encodes arrays of one size without nulls: packs the elements with gaps, then lays heads and lengths over it.

    Both steps are single calls: three times as fast as any loop over the elements.
    """

    def __init__(self, head: bytes, element: str, count: int) -> None:
        length = struct.pack(">i", struct.calcsize(f">{element}"))
        empty = head + count * (length + bytes(struct.calcsize(f">{element}")))
        self._size = len(empty)
        self._frame = int.from_bytes(empty)
        self._pack = struct.Struct(f">{len(head)}x" + f"4x{element}" * count).pack

    def encode(self, elements: Iterable[int | None]) -> bytes:
        """Return the array. Raises struct.error where an element is None or does not fit; none may be negative."""
        return (int.from_bytes(self._pack(*elements)) | self._frame).to_bytes(self._size)


_FULL_MATRIX = _Array(MATRIX_HEAD, "h", 64)
_CHANNELS = _Array(struct.pack(">iiIii", 1, 0, INT4_OID, 10, 1), "i", 10)
_HALVES = _Array(struct.pack(">iiIii", 1, 0, INT4_OID, 2, 1), "i", 2)
_NO_TEXTS = struct.pack(">iiI", 0, 0, TEXT_OID)


@dataclass(frozen=True, slots=True)
class Place:
    """Where a device stands, as the registry says."""

    device_id: str
    site_code: str
    line: str


def sample_row(n: int, sample: Sample, place: Place, flags: list[str], matrices: Matrices | None = None) -> Row:
    """Return the row of a sample as COPY takes it; `n` is its place in the batch, `flags` all its quality flags.

    matrices: those of the sample, where they are encoded already.
    """
    more, clock, calibration = details(sample), sample.clock, sample.calibration
    distance, reflectance, amplitude, status, ambient, sigma = matrices or matrices_of(sample)
    return (
        n,
        *_scalars(sample),
        place.site_code,
        place.line,
        None if clock is None else clock.state,
        None if clock is None else clock.error_ms,
        None if calibration is None else calibration.tof,
        None if calibration is None else calibration.spectral,
        distance,
        reflectance,
        amplitude,
        status,
        ambient,
        channels(_channels(sample.as7341.raw)),
        jsonb(sample.reasons) if sample.reasons else None,
        texts(flags) if flags else _NO_TEXTS,
        None if sample.meta is None else jsonb(sample.meta),
        None if sample.cnh is None else jsonb(sample.cnh),
        sigma,
        halves(sample.as7341.raw.clear_halves),
        None if more is None else jsonb(more),
    )


def details(sample: Sample) -> dict[str, dict[str, Any]] | None:
    """What both analyses found beyond the columns, by sensor; None where that is nothing."""
    tof, light = _tof_details(sample.vl53l8ch.analysis), _spectral_details(sample.as7341.analysis)
    if tof == _NO_TOF_DETAILS and light == _NO_SPECTRAL_DETAILS:
        return None
    both = {"tof": zip(TOF_DETAILS, tof, strict=True), "spectral": zip(SPECTRAL_DETAILS, light, strict=True)}
    found = {name: {key: value for key, value in pairs if value not in (None, [])} for name, pairs in both.items()}
    return {name: values for name, values in found.items() if values}


def halves(counts: list[int] | None) -> bytes | None:
    """Encode two counts as a binary `integer[]`."""
    return None if counts is None else _HALVES.encode(counts)


def matrices_of(sample: Sample) -> Matrices:
    """The matrices of a sample."""
    tof = sample.vl53l8ch.raw
    every = (
        tof.distance_matrix,
        tof.reflectance_matrix,
        tof.amplitude_matrix,
        tof.status_matrix,
        tof.ambient_matrix,
        tof.sigma_matrix,
    )
    return tuple(matrix(each) if each else None for each in every)


def matrix(rows: Matrix) -> bytes:
    """Encode an 8 x 8 matrix of contract values as a binary `smallint[]`."""
    try:
        return _FULL_MATRIX.encode(chain.from_iterable(rows))
    except struct.error:  # a zone without target
        return matrix_of_cells(chain.from_iterable(rows))


def matrix_of_cells(cells: Iterable[int | None]) -> bytes:
    """Encode 64 contract values, None among them, row by row."""
    return MATRIX_HEAD + b"".join(map(_cell, cells))


def channels(counts: tuple[int, ...]) -> bytes:
    """Encode ten counts as a binary `integer[]`."""
    return _CHANNELS.encode(counts)


def texts(words: list[str]) -> bytes:
    """Encode words as a binary `text[]`."""
    encoded = [word.encode() for word in words]
    head = struct.pack(">iiIii", 1, 0, TEXT_OID, len(encoded), 1)
    return head + b"".join(struct.pack(">i", len(word)) + word for word in encoded)


def jsonb(value: object) -> bytes:
    """Encode a value as a binary `jsonb`."""
    return b"\x01" + _json.encode(value)


def rounded(sample: Sample) -> Sample:
    """Return the sample with the figures that grades and alerts look at rounded to 4 decimals, as they are stored."""
    fusion, spectral = sample.fusion, sample.as7341
    analysis = spectral.analysis
    final = round(fusion.final_score, 4)
    freshness, oxidation = round(analysis.freshness_index, 4), round(analysis.oxidation_index, 4)
    if final == fusion.final_score and freshness == analysis.freshness_index and oxidation == analysis.oxidation_index:
        return sample
    replace = msgspec.structs.replace
    index = replace(analysis, freshness_index=freshness, oxidation_index=oxidation)
    return replace(sample, fusion=replace(fusion, final_score=final), as7341=replace(spectral, analysis=index))
