"""Guided calibration, one target at a time: words for the person, numbers for the analysis, a record for the auditor.

Every procedure compares the beginning of what it measured with the end: what drifts is refused, as is an object on the
belt, a saturated white, and a dark that is brighter than the white. What was measured replaces only its own part of the
calibrations and says which one it was based on.
"""

from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Literal, NamedTuple

import msgspec
import numpy as np
from numpy.typing import NDArray

from contract.studies import CalibrationRecord, Drift
from drivers.as7341 import As7341
from drivers.frames import SpectralFrame
from drivers.vl53l8ch import Vl53l8ch
from edge.calibration import (
    MIDDLE,
    CalibrationError,
    Calibrations,
    distances_of,
    frames_of,
    spectra_of,
)
from edge.feed import pause, resume
from edge.world import BLACK_CAP, EMPTY_BELT, WHITE_TILE, Show
from quality.calibration import CLEAR, SpectralCalibration, TofCalibration, calibrate_belt, calibrate_spectrum
from quality.errors import QualityError
from quality.gauge import gauge_factor, joint_factor

Procedure = Literal["belt", "dark", "white", "all"]
PROCEDURES: tuple[Procedure, ...] = ("belt", "dark", "white", "all")
WORDS = {
    "belt": "Stop the belt, take everything off it, and leave the light of the hall as it is in work.",
    "dark": "Put the black cap over the spectral sensor.",
    "white": "Lay the white tile flat under the sensors, its white face up; wipe it before.",
    "all": "Three targets are asked for in turn: the empty belt, the black cap, the white tile.",
    "gauge": "Let the gauge body pass five times or more; it must be of the product's own kind.",
}
VALID = {"tof": timedelta(days=90), "spectral": timedelta(days=30)}
BELT_DRIFT_MM = 1.0  # between the halves of a procedure
COUNT_DRIFT = 0.02  # of a channel, between the first and the last spectrum
BELT_MOVED_MM, WHITE_CHANGED = 5.0, 0.10  # since the calibration before: more is told to a person
DARK_CLEAR_MAX = 0.05  # of full scale; a cap lets less through


class Outcome(NamedTuple):
    """What holds now, and the records of what was measured."""

    calibrations: Calibrations
    records: list[CalibrationRecord]


class Guide:
    """Measures through started sensors. show: has a target put under them. before: what held until now, if anything.

    Every call raises CalibrationError with the reason where the conditions were wrong, DriverError or BusError.
    """

    def __init__(
        self,
        tof: Vl53l8ch,
        spectral: As7341,
        *,
        show: Show,
        white_reflectance: float,
        device_id: str,
        now: datetime,
        before: Calibrations | None,
    ) -> None:
        self._tof = tof
        self._spectral = spectral
        self._show = show
        self._white_reflectance = white_reflectance
        self._device_id = device_id
        self._now = now
        self._before = before

    def run(self, procedure: Procedure) -> Outcome:
        """Carry one procedure out."""
        try:
            if procedure == "all":
                return self._all()
            if self._before is None:
                raise CalibrationError(f"there is nothing that a {procedure} alone could complete: calibrate all first")
            return self._belt(self._before) if procedure == "belt" else self._light(self._before, procedure)
        except QualityError as error:
            raise CalibrationError(f"the calibration cannot be right: {error}") from None

    def _all(self) -> Outcome:
        tof, signal = self._measure_belt(None if self._before is None else self._before.tof)
        dark = self._measure_light(BLACK_CAP)
        tile_mm, white = self._measure_white()
        spectral = self._spectral_of(dark, white, tile_mm)
        found = Calibrations(tof=tof, spectral=spectral, measured_at=self._now, belt_signal_kcps=signal)
        records = [self._record(tof, "all"), self._record(spectral, "all")]
        return Outcome(found, records)

    def _belt(self, before: Calibrations) -> Outcome:
        tof, signal = self._measure_belt(before.tof)
        found = msgspec.structs.replace(before, tof=tof, belt_signal_kcps=signal, tof_measured_at=self._now)
        return Outcome(found, [self._record(tof, "belt")])

    def _light(self, before: Calibrations, procedure: Literal["dark", "white"]) -> Outcome:
        old = before.spectral
        if procedure == "dark":
            frames = self._measure_light(BLACK_CAP)
            counts = np.median([frame.counts for frame in frames], axis=0)
            _refuse_bright(counts, frames[0], old)
            spectral = replace(old, id=self._id("spectral"), dark_counts=tuple(counts.tolist()))
        else:
            tile_mm, white = self._measure_white()
            spectral = self._spectral_of(None, white, tile_mm)
        found = msgspec.structs.replace(before, spectral=spectral, spectral_measured_at=self._now)
        return Outcome(found, [self._record(spectral, procedure)])

    # --- targets

    def _measure_belt(self, old: TofCalibration | None) -> tuple[TofCalibration, list[list[float]]]:
        self._show(EMPTY_BELT)
        frames = frames_of(self._tof)
        distances = distances_of(frames)
        half = len(frames) // 2
        moved = float(abs(np.nanmedian(distances[:half]) - np.nanmedian(distances[half:])))
        if moved > BELT_DRIFT_MM:
            raise CalibrationError(f"the belt's distance drifts: {moved:.1f} mm while it was measured")
        signal = np.nan_to_num(np.mean([frame.signal_kcps for frame in frames], axis=0))
        found = calibrate_belt(distances, calibration_id=self._id("tof"))
        if old is not None:
            found = replace(found, volume_factor=old.volume_factor, volume_factor_u=old.volume_factor_u)
        return found, signal.tolist()

    def _measure_light(self, target: str) -> list[SpectralFrame]:
        self._show(target)
        dark = pause(self._tof)  # the laser lies inside the NIR channel
        try:
            frames = spectra_of(self._spectral)
        finally:
            if dark:
                resume(self._tof)
        if any(frame.saturated for frame in frames):
            raise CalibrationError(f"the {target} saturates the spectral sensor: choose a lower gain, or shade it")
        first, last = frames[0].counts.astype(np.float64), frames[-1].counts.astype(np.float64)
        drift = float(np.max(np.abs(last - first) / np.maximum(first, 200.0)))
        if drift > COUNT_DRIFT:
            raise CalibrationError(
                f"the light of the {target} drifts by {drift:.0%} while it is measured: let it settle"
            )
        return frames

    def _measure_white(self) -> tuple[float | None, list[SpectralFrame]]:
        self._show(WHITE_TILE)
        distances = distances_of(frames_of(self._tof))[:, MIDDLE, MIDDLE]
        tile_mm = float(np.nanmedian(distances)) if np.isfinite(distances).any() else None
        return tile_mm, self._measure_light(WHITE_TILE)

    def _spectral_of(
        self, dark: list[SpectralFrame] | None, white: list[SpectralFrame], tile_mm: float | None
    ) -> SpectralCalibration:
        old = None if self._before is None else self._before.spectral
        assert dark is not None or old is not None
        dark_counts = (
            np.tile(np.array(old.dark_counts if old else ()), (len(white), 1))
            if dark is None
            else np.array([frame.counts for frame in dark], dtype=np.float64)
        )
        return calibrate_spectrum(
            dark_counts,
            np.array([frame.counts for frame in white], dtype=np.float64),
            np.array([frame.clear_halves for frame in white], dtype=np.float64),
            calibration_id=self._id("spectral"),
            gain=white[0].gain,
            integration_ms=white[0].integration_ms,
            full_scale=white[0].full_scale,
            led_ma=white[0].led_ma,
            white_reflectance=self._white_reflectance,
            white_distance_mm=tile_mm,
        )

    # --- records

    def _id(self, sensor: str) -> str:
        return f"{self._device_id}-{sensor}-{self._now:%Y%m%dT%H%M%SZ}"

    def _record(self, found: TofCalibration | SpectralCalibration, procedure: Procedure) -> CalibrationRecord:
        old = None if self._before is None else self._before.part(found)
        return record_of(found, procedure, old=old, now=self._now)


def gauge(
    before: Calibrations, volumes_mm3: NDArray[np.float64], *, true_mm3: float, true_mm3_u: float, device_id: str,
    now: datetime, others: Sequence[tuple[float, float]] = (),
) -> Outcome:  # fmt: skip
    """Take the volumes that passes of a gauge body gave, and make the factor that corrects them.

    others: factor and uncertainty of bodies of the set that passed before; the mean of all is kept, and the conditions
    of the record say what this body alone gave. Raises CalibrationError for too few, scattering, impossible or
    contradicting ones.
    """
    old = before.tof
    try:
        own = gauge_factor(volumes_mm3 / old.volume_factor, true_mm3=true_mm3, true_mm3_u=true_mm3_u)
        factor, factor_u = joint_factor([*others, own])
    except QualityError as error:
        raise CalibrationError(f"the gauge body tells nothing: {error}") from None
    tof = replace(old, id=f"{device_id}-tof-{now:%Y%m%dT%H%M%SZ}", volume_factor=factor, volume_factor_u=factor_u)
    found = msgspec.structs.replace(before, tof=tof)
    record = record_of(tof, "gauge", old=old, now=now)
    conditions: dict[str, float | str | bool | None] = {"bodies": len(others) + 1.0}
    conditions |= {"body_factor": own[0], "body_factor_u": own[1]}
    return Outcome(found, [msgspec.structs.replace(record, conditions=conditions)])


def record_of(
    found: TofCalibration | SpectralCalibration,
    procedure: Literal["belt", "gauge", "dark", "white", "all"],
    *,
    old: TofCalibration | SpectralCalibration | None,
    now: datetime,
) -> CalibrationRecord:
    """The record of a calibration, with what moved since the one before."""
    sensor: Literal["tof", "spectral"] = "tof" if isinstance(found, TofCalibration) else "spectral"
    return CalibrationRecord(
        calibration_id=found.id,
        sensor=sensor,
        procedure=procedure,
        measured_at=now,
        values=msgspec.to_builtins(found),
        valid_until=now + VALID[sensor],
        based_on=None if old is None else old.id,
        drift=_drift(old, found),
        made_by="edge",
    )


def expired(calibrations: Calibrations, now: datetime) -> list[str]:
    """The sensors whose calibration holds no more."""
    since = {
        "tof": calibrations.tof_measured_at or calibrations.measured_at,
        "spectral": calibrations.spectral_measured_at or calibrations.measured_at,
    }
    return [sensor for sensor, at in since.items() if now - at > VALID[sensor]]


def _drift(
    old: TofCalibration | SpectralCalibration | None, found: TofCalibration | SpectralCalibration
) -> list[Drift]:
    if isinstance(old, TofCalibration) and isinstance(found, TofCalibration):
        before, after = old.belt_plane[0], found.belt_plane[0]
        return [Drift(figure="belt_mm", before=before, after=after, limit=BELT_MOVED_MM)]
    if isinstance(old, SpectralCalibration) and isinstance(found, SpectralCalibration):
        before, after = old.white_counts[CLEAR], found.white_counts[CLEAR]
        return [Drift(figure="white_clear", before=before, after=after, limit=WHITE_CHANGED * before)]
    return []


def _refuse_bright(counts: NDArray[np.float64], frame: SpectralFrame, old: SpectralCalibration) -> None:
    if float(counts[CLEAR]) > DARK_CLEAR_MAX * frame.full_scale:
        share = float(counts[CLEAR]) / max(1.0, old.white_counts[CLEAR])
        raise CalibrationError(f"that is not dark: {share:.0%} of the white (dark and white swapped, or no cap?)")
