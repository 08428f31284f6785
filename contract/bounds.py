"""Types with bounds that all messages share. Every bound is at most that of the database column it ends in.

Constants: distances 0 to 4000 mm (VL53L8CH ranging limit), reflectance in the chip's own unit of half a percent (u8),
signal and ambient in kcps per SPAD, cut at 4095 as the customer's clients do.
"""

from datetime import UTC, datetime
from typing import Annotated, Literal

from msgspec import Meta

SCHEMA = 1  # the newest schema this version reads and the one it writes
MESSAGE_BYTES_MAX = 64 * 1024
SEQ_MAX = 2**63 - 1  # bigint
INT_MAX = 2**31 - 1  # integer
VOLUME_MM3_MAX = 99_999_999.99  # numeric(10,2)
DISTANCE_MM_MAX = 4000
REFLECTANCE_MAX = 255
KCPS_MAX = 4095
STATUS_MAX = 255
SIGMA_MAX = 2**15 - 1  # smallint; in 128ths of a millimetre 256 mm, ten times what a valid zone has

Grade = Literal["A+", "A", "B", "C", "REJECT"]
GRADES: tuple[Grade, ...] = ("A+", "A", "B", "C", "REJECT")  # best first
Severity = Literal["info", "warning", "critical"]

Schema = Annotated[int, Meta(ge=1)]
Seq = Annotated[int, Meta(ge=1, le=SEQ_MAX)]
LotId = Annotated[int, Meta(ge=1, le=INT_MAX)]
Count = Annotated[int, Meta(ge=0, le=INT_MAX)]
Total = Annotated[int, Meta(ge=0, le=SEQ_MAX)]
Unit = Annotated[float, Meta(ge=0.0, le=1.0)]
NonNegative = Annotated[float, Meta(ge=0.0)]
Volume = Annotated[float, Meta(ge=0.0, le=VOLUME_MM3_MAX)]

# `$` alone would let a trailing newline pass in Python
DeviceId = Annotated[str, Meta(pattern=r"^[A-Za-z0-9][A-Za-z0-9_-]{0,99}$(?!\n)")]
Line = Annotated[str, Meta(pattern=r"^[A-Za-z0-9][A-Za-z0-9_-]{0,99}$(?!\n)")]
SiteCode = Annotated[str, Meta(pattern=r"^[A-Za-z0-9]{1,2}$(?!\n)")]  # varchar(2), a topic segment
SampleId = Annotated[str, Meta(min_length=1, max_length=100)]
ShortText = Annotated[str, Meta(max_length=100)]
LongText = Annotated[str, Meta(max_length=500)]
Version = Annotated[str, Meta(max_length=20)]

Distance = Annotated[int, Meta(ge=0, le=DISTANCE_MM_MAX)] | None
Reflectance = Annotated[int, Meta(ge=0, le=REFLECTANCE_MAX)] | None
Kcps = Annotated[int, Meta(ge=0, le=KCPS_MAX)] | None
Status = Annotated[int, Meta(ge=0, le=STATUS_MAX)] | None
Sigma = Annotated[int, Meta(ge=0, le=SIGMA_MAX)] | None
EIGHT = Meta(min_length=8, max_length=8)
DistanceMatrix = Annotated[list[Annotated[list[Distance], EIGHT]], EIGHT]
ReflectanceMatrix = Annotated[list[Annotated[list[Reflectance], EIGHT]], EIGHT]
KcpsMatrix = Annotated[list[Annotated[list[Kcps], EIGHT]], EIGHT]
StatusMatrix = Annotated[list[Annotated[list[Status], EIGHT]], EIGHT]
# Optional matrices: absent and empty mean the same
OptionalKcpsMatrix = Annotated[list[Annotated[list[Kcps], EIGHT]], Meta(max_length=8)]
OptionalStatusMatrix = Annotated[list[Annotated[list[Status], EIGHT]], Meta(max_length=8)]
OptionalSigmaMatrix = Annotated[list[Annotated[list[Sigma], EIGHT]], Meta(max_length=8)]


def as_utc(moment: datetime) -> datetime:
    """`moment` in UTC; a naive one is read as UTC. Raises ValueError outside the years 1 to 9999."""
    if moment.tzinfo is None:
        return moment.replace(tzinfo=UTC)
    try:
        return moment.astimezone(UTC)
    except OverflowError as error:
        raise ValueError("timestamp lies outside the years 1 to 9999") from error
