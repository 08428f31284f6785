"""What events of kind `calibration` and `challenge` say in their `data`: records that outlive the device.

The values of a calibration are those of `quality.calibration.TofCalibration` or `SpectralCalibration`, field by field,
as JSON: they are kept whole, so that a sample can be computed again with the very calibration it was made with.
"""

from datetime import datetime
from typing import Annotated, Any, Literal

from msgspec import Meta
from msgspec.structs import force_setattr

from contract.bounds import LongText, NonNegative, ShortText, as_utc
from contract.sample import Wire

RecordId = Annotated[str, Meta(min_length=1, max_length=100)]


class Drift(Wire, frozen=True):
    """A figure that moved since the calibration before: `limit` is how far it may; the unit is the figure's own."""

    figure: ShortText
    before: float
    after: float
    limit: NonNegative

    @property
    def is_beyond(self) -> bool:
        """Whether it moved further than it may."""
        return abs(self.after - self.before) > self.limit


class CalibrationRecord(Wire, frozen=True):
    """One calibration of one sensor as it was measured; `calibration_id` is what samples name it by, used once.

    values: the fields of TofCalibration (sensor `tof`) or SpectralCalibration (`spectral`), the id among them.
    based_on: the calibration that this one refines or replaces. conditions: what was seen while measuring (frames,
    noise, temperature). valid_until: none where it has no end of its own.
    """

    calibration_id: RecordId
    sensor: Literal["tof", "spectral"]
    procedure: Literal["belt", "gauge", "dark", "white", "dark_white", "all"]
    measured_at: datetime
    values: dict[str, Any]
    valid_until: datetime | None = None
    based_on: RecordId | None = None
    drift: Annotated[list[Drift], Meta(max_length=50)] = []
    conditions: dict[str, float | str | bool | None] = {}
    made_by: LongText | None = None

    def __post_init__(self) -> None:
        force_setattr(self, "measured_at", as_utc(self.measured_at))
        if self.valid_until is not None:
            force_setattr(self, "valid_until", as_utc(self.valid_until))
            if self.valid_until <= self.measured_at:
                raise ValueError("valid_until must lie after measured_at")
        if self.values.get("id") != self.calibration_id:
            raise ValueError("values.id must be the calibration_id")


class CalibrationReport(Wire, frozen=True):
    """`data` of an event of kind `calibration`: what a procedure has measured, one record for each sensor it concerns.

    refused: why a procedure gave no calibration; then there are no records.
    """

    calibrations: Annotated[list[CalibrationRecord], Meta(max_length=4)] = []
    refused: LongText | None = None


class ChallengeLine(Wire, frozen=True):
    """One figure of a challenge test; deviation = found - expected, in the figure's unit."""

    figure: RecordId
    expected: float
    tolerance: NonNegative
    found: float
    deviation: float
    passed: bool
    found_u: NonNegative | None = None


class ChallengeRecord(Wire, frozen=True):
    """`data` of an event of kind `challenge`: a reference piece was shown, and this is what came of it.

    reference: the id engraved on the piece. refused: why the test decides nothing; then `passed` is false and `lines`
    may be empty. request: the command that asked for the test, where one did.
    """

    reference: RecordId
    taken_at: datetime
    passed: bool
    readings: Annotated[int, Meta(ge=0, le=100_000)] = 0
    lines: Annotated[list[ChallengeLine], Meta(max_length=50)] = []
    refused: LongText | None = None
    made_by: LongText | None = None
    request: ShortText | None = None
    tof: ShortText | None = None
    spectral: ShortText | None = None

    def __post_init__(self) -> None:
        force_setattr(self, "taken_at", as_utc(self.taken_at))
        if self.passed and (self.refused is not None or not self.lines or not all(line.passed for line in self.lines)):
            raise ValueError("passed needs at least one line, and every line passed")
