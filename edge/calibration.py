"""What the analysis must know about this device: measured here through the real drivers, kept in the state directory.

Three targets are shown one after the other: the empty belt gives the belt's plane, a black cap the dark counts, a
white tile of known reflectance the white ones. No number of a calibration is written down anywhere but in its file.
"""

import os
from datetime import datetime
from pathlib import Path

import msgspec
import numpy as np
from numpy.typing import NDArray

from drivers.as7341 import As7341
from drivers.frames import SpectralFrame, TofFrame
from drivers.vl53l8ch import Vl53l8ch
from edge.world import BLACK_CAP, EMPTY_BELT, WHITE_TILE, Show
from quality.calibration import SpectralCalibration, TofCalibration, calibrate_belt, calibrate_spectrum
from quality.errors import QualityError

FILE_NAME = "calibration.json"
TOF_FRAMES = 16  # at 15 Hz one second
SPECTRA = 5
SETTLE_FRAMES = 2  # frames that may still show what was there before
MIDDLE = slice(3, 5)


class CalibrationError(Exception):
    """There is no usable calibration; the sentence says what to do."""


class Calibrations(msgspec.Struct, frozen=True):
    """Both calibrations of a device and when they were measured (UTC).

    belt_signal_kcps: (8, 8), what the empty belt returned; None in files of older versions.
    """

    tof: TofCalibration
    spectral: SpectralCalibration
    measured_at: datetime
    belt_signal_kcps: list[list[float]] | None = None


def load(folder: Path) -> Calibrations | None:
    """The calibrations kept in `folder`, None when there are none. Raises CalibrationError for an unusable file."""
    path = folder / FILE_NAME
    try:
        return msgspec.json.decode(path.read_bytes(), type=Calibrations)
    except FileNotFoundError:
        return None
    except (msgspec.MsgspecError, UnicodeDecodeError) as error:
        raise CalibrationError(f"{path} is not a calibration: {error}; calibrate again") from None


def save(folder: Path, calibrations: Calibrations) -> None:
    """Keep `calibrations` in `folder`: after a power cut either the old or the new ones are there, whole."""
    path = folder / FILE_NAME
    fresh = path.with_suffix(".new")
    with fresh.open("wb") as file:
        file.write(msgspec.json.format(msgspec.json.encode(calibrations)))
        file.flush()
        os.fsync(file.fileno())
    fresh.rename(path)
    folder_handle = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(folder_handle)
    finally:
        os.close(folder_handle)


def measure(
    tof: Vl53l8ch, spectral: As7341, *, show: Show, white_reflectance: float, device_id: str, now: datetime
) -> Calibrations:
    """Show the targets, read the started sensors, compute. Leaves the lamp on.

    Raises CalibrationError when the frames cannot be right, DriverError or BusError when a sensor fails.
    """
    mark = now.strftime("%Y%m%dT%H%M%SZ")
    show(EMPTY_BELT)
    belt_frames = _frames(tof)
    belt = _distances(belt_frames)
    signal = np.nan_to_num(np.mean([frame.signal_kcps for frame in belt_frames], axis=0))
    show(BLACK_CAP)
    dark = _spectra(spectral)
    show(WHITE_TILE)
    tile_mm = float(np.nanmedian(_distances(_frames(tof))[:, MIDDLE, MIDDLE]))
    white = _spectra(spectral)
    try:
        belt_calibration = calibrate_belt(belt, calibration_id=f"{device_id}-tof-{mark}")
        spectral_calibration = calibrate_spectrum(
            np.array([frame.counts for frame in dark], dtype=np.float64),
            np.array([frame.counts for frame in white], dtype=np.float64),
            np.array([frame.clear_halves for frame in white], dtype=np.float64),
            calibration_id=f"{device_id}-spectral-{mark}",
            gain=white[0].gain,
            integration_ms=white[0].integration_ms,
            full_scale=white[0].full_scale,
            led_ma=white[0].led_ma,
            white_reflectance=white_reflectance,
            white_distance_mm=tile_mm if np.isfinite(tile_mm) else None,
        )
    except QualityError as error:
        raise CalibrationError(f"the calibration cannot be right: {error}") from None
    return Calibrations(
        tof=belt_calibration, spectral=spectral_calibration, measured_at=now, belt_signal_kcps=signal.tolist()
    )


def _frames(tof: Vl53l8ch) -> list[TofFrame]:
    for _ in range(SETTLE_FRAMES):
        tof.read()
    return [tof.read() for _ in range(TOF_FRAMES)]


def _distances(frames: list[TofFrame]) -> NDArray[np.float64]:
    return np.array([frame.distance_mm for frame in frames])


def _spectra(spectral: As7341) -> list[SpectralFrame]:
    spectral.read()  # what was there before may still be in it
    return [spectral.read() for _ in range(SPECTRA)]
