"""What the ledger hashes of a sample, read back: names of the columns in their order, and their values.

Record 2 is record 1 with three more columns behind; a record says which it is by how many columns it has. Whoever adds
a column to samples decides here where it belongs, a test asks: in a new version of the record, among the personal ones,
or among those left out and why.

The bytes are PostgreSQL's binary form of a row (`record_send` over the columns of the view `sqal_ledger_records`): an
i32 count of columns, then for each the i32 number of its type, an i32 length (-1: null) and the value, big-endian.
Times are i64 microseconds since 2000-01-01T00:00Z; decimals are text. Arrays are passed over: who needs them has them.
"""

import struct
from collections.abc import Callable, Iterator, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

from contract.chain import ChainError

# fmt: off
_RECORD_1 = (
    "time", "sample_id", "device_id", "lot_id", "vl53l8ch_distance_matrix", "vl53l8ch_reflectance_matrix",
    "vl53l8ch_amplitude_matrix", "vl53l8ch_volume_mm3", "vl53l8ch_surface_uniformity", "vl53l8ch_quality_score",
    "vl53l8ch_grade", "as7341_channels", "as7341_freshness_index", "as7341_fat_quality_index",
    "as7341_oxidation_index", "as7341_quality_score", "fusion_final_score", "fusion_final_grade",
    "fusion_is_compliant", "site_code", "line", "ingested_at", "boot_id", "seq", "piece_id", "origin", "hist",
    "schema_version", "clock_state", "clock_error_ms", "agent", "recipe", "calibration_tof", "calibration_spectral",
    "reasons", "quality_flags", "vl53l8ch_status_matrix", "vl53l8ch_ambient_matrix", "vl53l8ch_avg_distance_mm",
    "vl53l8ch_std_distance_mm", "vl53l8ch_avg_reflectance", "vl53l8ch_volume_mm3_u",
    "vl53l8ch_surface_uniformity_u", "vl53l8ch_quality_score_u", "vl53l8ch_mass_g", "vl53l8ch_mass_g_u",
    "vl53l8ch_belt_distance_mm", "as7341_ratio_red_nir", "as7341_ratio_clear_nir", "as7341_freshness_index_u",
    "as7341_fat_quality_index_u", "as7341_oxidation_index_u", "as7341_quality_score_u", "as7341_gain",
    "as7341_integration_ms", "as7341_led_ma", "fusion_weight_tof", "fusion_weight_spectral",
    "fusion_confidence_level", "fusion_final_score_u", "fusion_grade_probability", "cnh", "firmware_version",
    "temperature_c", "humidity_pct",
)
COLUMNS = {1: _RECORD_1, 2: (*_RECORD_1, "vl53l8ch_sigma_matrix", "as7341_clear_halves", "details")}
_AS_TEXT = {  # decimals and short texts: the record holds their text
    "sample_id", "device_id", "vl53l8ch_volume_mm3", "vl53l8ch_surface_uniformity", "vl53l8ch_quality_score",
    "vl53l8ch_grade", "as7341_freshness_index", "as7341_fat_quality_index", "as7341_oxidation_index",
    "as7341_quality_score", "fusion_final_score", "fusion_final_grade", "site_code", "line", "piece_id", "origin",
    "clock_state", "agent", "recipe", "calibration_tof", "calibration_spectral", "firmware_version", "location",
    "lot_abattage", "eleveur", "provenance",
}
# fmt: on
PERSONAL = ("location", "lot_abattage", "eleveur", "provenance", "meta")  # committed to with a salt that can be erased
LEFT_OUT: dict[str, str] = {}  # columns of samples that no record covers, each with its reason
EPOCH = datetime(2000, 1, 1, tzinfo=UTC)

_COLUMN = struct.Struct(">Ii")


def record_sql(columns: Sequence[str]) -> str:
    """The SQL expression of a record over `columns` of samples, without the help of any view in the database."""
    values = (f"{name}::TEXT" if name in _AS_TEXT else name for name in columns)
    return f"record_send(ROW({', '.join(values)}))"


def personal_sql() -> str:
    """The SQL expression of the personal part of a sample; null where there is none."""
    return f"CASE WHEN num_nonnulls({', '.join(PERSONAL)}) > 0 THEN {record_sql(PERSONAL)} END"


def decode_record(data: bytes) -> dict[str, Any]:
    """Column values by name; arrays and JSON are left out. Raises ChainError."""
    try:
        values = dict(zip(_columns(data), _values(data), strict=True))
    except (struct.error, UnicodeDecodeError, OverflowError, ValueError) as error:
        raise ChainError(f"the record of a sample cannot be read: {error}") from error
    return {name: value for name, value in values.items() if value is not ...}


def _columns(data: bytes) -> tuple[str, ...]:
    (count,) = struct.unpack_from(">i", data)
    for columns in COLUMNS.values():
        if len(columns) == count:
            return columns
    raise ChainError(f"no record of a sample has {count} columns")


def _values(data: bytes) -> Iterator[Any]:
    (count,) = struct.unpack_from(">i", data)
    at = 4
    for _ in range(count):
        kind, size = _COLUMN.unpack_from(data, at)
        at += _COLUMN.size
        if size < 0:
            yield None
            continue
        if at + size > len(data):
            raise ChainError("the record of a sample breaks off")
        yield _value(kind, data[at : at + size])
        at += size
    if at != len(data):
        raise ChainError("the record of a sample is longer than its columns")


def _value(kind: int, raw: bytes) -> Any:
    read = _READERS.get(kind)
    return ... if read is None else read(raw)


# By the number of PostgreSQL's type: bool, bigint, integer, text, double precision, timestamptz, uuid.
_READERS: dict[int, Callable[[bytes], Any]] = {
    16: lambda raw: raw == b"\x01",
    20: lambda raw: int.from_bytes(raw, signed=True),
    23: lambda raw: int.from_bytes(raw, signed=True),
    25: lambda raw: raw.decode(),
    701: lambda raw: struct.unpack(">d", raw)[0],
    1184: lambda raw: EPOCH + timedelta(microseconds=int.from_bytes(raw, signed=True)),
    2950: lambda raw: UUID(bytes=raw),
}
