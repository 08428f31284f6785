"""The calibration of a device that only measures, from the raw messages it sends while it is shown the targets."""

from collections.abc import Sequence
from datetime import datetime

import numpy as np

from cloud.raw_analysis import DeviceCalibrations, counts_of, floats, full_scale_of
from contract.messages import Raw
from quality.calibration import calibrate_belt, calibrate_spectrum
from quality.errors import QualityError

MESSAGES = 8  # of each target; medians of fewer are moved by one bad frame
MIDDLE = slice(3, 5)


def calibrated(
    belt: Sequence[Raw], dark: Sequence[Raw], white: Sequence[Raw], *, white_reflectance: float, now: datetime
) -> DeviceCalibrations:
    """What the messages of the empty belt, the black cap and the white tile say. Raises QualityError."""
    part = white[0].as7341
    if part.gain is None or part.integration_ms is None:
        raise QualityError("gain", "and integration_ms must be in the messages of a calibration")
    if any((each.as7341.gain, each.as7341.integration_ms) != (part.gain, part.integration_ms) for each in dark):
        raise QualityError("gain", "and integration_ms must be the same for black cap and white tile")
    mark, device = now.strftime("%Y%m%dT%H%M%SZ"), white[0].device_id
    tile = np.array([floats(each.vl53l8ch.raw.distance_matrix)[MIDDLE, MIDDLE] for each in white])
    seen = tile[np.isfinite(tile)]
    dark_counts, white_counts = ([counts_of(each.as7341) for each in some] for some in (dark, white))
    return DeviceCalibrations(
        tof=calibrate_belt(
            np.array([floats(each.vl53l8ch.raw.distance_matrix) for each in belt]),
            calibration_id=f"{device}-tof-{mark}",
        ),
        spectral=calibrate_spectrum(
            np.array(dark_counts, dtype=np.float64),
            np.array(white_counts, dtype=np.float64),
            np.array(
                [
                    each.as7341.clear_halves or each.as7341.raw.clear_halves or [each.as7341.raw.Clear] * 2
                    for each in white
                ],
                dtype=np.float64,
            ),
            calibration_id=f"{device}-spectral-{mark}",
            gain=part.gain,
            integration_ms=part.integration_ms,
            full_scale=full_scale_of(part.integration_ms),
            led_ma=round(part.led_ma or 0),
            white_reflectance=white_reflectance,
            white_distance_mm=float(np.median(seen)) if seen.size else None,
        ),
        measured_at=now,
    )
