"""What the analysis must know about this device: measured here through the real drivers, kept in the state directory.

The empty belt gives the belt's plane, a black cap the dark counts, a white tile of known reflectance the white ones, a
gauge body the volume's factor (edge.guided). No number of a calibration is written down anywhere but in its file.
"""

import os
from datetime import datetime
from pathlib import Path

import msgspec
import numpy as np
from numpy.typing import NDArray

from contract.studies import CalibrationRecord, CalibrationReport
from drivers.as7341 import As7341
from drivers.frames import SpectralFrame, TofFrame
from drivers.vl53l8ch import Vl53l8ch
from edge.files import durable_text
from quality.calibration import SpectralCalibration, TofCalibration

FILE_NAME = "calibration.json"
REPORT_NAME = "calibration-report.json"
TOF_FRAMES = 16  # at 15 Hz one second
SPECTRA = 5
SETTLE_FRAMES = 2  # frames that may still show what was there before
MIDDLE = slice(3, 5)


class CalibrationError(Exception):
    """There is no usable calibration; the sentence says what to do."""


class Calibrations(msgspec.Struct, frozen=True):
    """Both calibrations of a device and when they were measured (UTC).

    belt_signal_kcps: (8, 8), what the empty belt returned; None in files of older versions. tof_measured_at,
    spectral_measured_at: where one of them was measured later than both.
    """

    tof: TofCalibration
    spectral: SpectralCalibration
    measured_at: datetime
    belt_signal_kcps: list[list[float]] | None = None
    tof_measured_at: datetime | None = None
    spectral_measured_at: datetime | None = None

    def part(self, like: TofCalibration | SpectralCalibration) -> TofCalibration | SpectralCalibration:
        """The calibration of the same sensor."""
        return self.tof if isinstance(like, TofCalibration) else self.spectral


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


def leave_report(folder: Path, records: list[CalibrationRecord]) -> None:
    """Leave the records of a calibration for the agent, which tells them when it starts."""
    durable_text(folder / REPORT_NAME, msgspec.json.encode(CalibrationReport(calibrations=records)).decode())


def take_report(folder: Path) -> CalibrationReport | None:
    """What was left, once its event is in the spool to be removed by `drop_report`; None for nothing."""
    try:
        return msgspec.json.decode((folder / REPORT_NAME).read_bytes(), type=CalibrationReport)
    except FileNotFoundError:
        return None
    except (msgspec.MsgspecError, UnicodeDecodeError) as error:
        raise CalibrationError(f"{folder / REPORT_NAME} is no report of a calibration: {error}; remove it") from None


def drop_report(folder: Path) -> None:
    """It has been told."""
    (folder / REPORT_NAME).unlink(missing_ok=True)


def frames_of(tof: Vl53l8ch) -> list[TofFrame]:
    """A second of frames, without those that may still show what was there before."""
    for _ in range(SETTLE_FRAMES):
        tof.read()
    return [tof.read() for _ in range(TOF_FRAMES)]


def distances_of(frames: list[TofFrame]) -> NDArray[np.float64]:
    """(n, 8, 8) mm."""
    return np.array([frame.distance_mm for frame in frames])


def spectra_of(spectral: As7341) -> list[SpectralFrame]:
    """Some spectra, without the first."""
    spectral.read()  # what was there before may still be in it
    return [spectral.read() for _ in range(SPECTRA)]
