"""From a raw message to the sample that a Raspberry Pi would have made of it: the same functions, the same recipe.

Pure: neither broker nor database. What a raw message lacks is said here: no sigma comes with it (RAW_SIGMA_MM stands
for it) and, in JSON, perhaps no settings of the light (then those of the calibration hold, which it was told to use).
"""

from collections import OrderedDict
from dataclasses import dataclass
from datetime import datetime
from typing import NamedTuple

import msgspec
import numpy as np
from numpy.typing import NDArray

from cloud.store.samples import Place
from contract.messages import Event, Raw, RawSpectralPart
from contract.sample import CalibrationIds, ClockQuality, Reason, Sample, Spectral, Tof, sample_id_for
from quality import fusion, geometry, spectrum
from quality.calibration import SpectralCalibration, TofCalibration
from quality.pieces import Pieces
from quality.recipe import Recipe
from quality.wording import fusion_words, reason_words, spectral_words, tof_words

RAW_SIGMA_MM = 1.3  # what the chip reports 0.25 m above a light target; more would excuse roughness as noise
STATUS_VALID, STATUS_NONE = 5, 255  # UM3109 table 4
STEP_MS = 0.00278  # of the AS7341's integration (DS000504, ASTEP): full scale is the number of steps
FULL_SCALE_MAX = 65_535
CHANNELS = (
    *("F1_415nm", "F2_445nm", "F3_480nm", "F4_515nm", "F5_555nm", "F6_590nm", "F7_630nm", "F8_680nm"),
    *("Clear", "NIR"),
)
DEVICES_MAX = 1_000  # whose piece in view is remembered; past that the one heard longest ago begins anew

Counts = NDArray[np.int64]


class DeviceCalibrations(msgspec.Struct, frozen=True):
    """Both calibrations of a device: what `sqal edge calibrate` keeps in its file, and `sqal cloud calibrate` makes."""

    tof: TofCalibration
    spectral: SpectralCalibration
    measured_at: datetime


class Moment(NamedTuple):
    """When a raw message was measured; `at_ms` on the device's own clock, for what belongs together."""

    timestamp: datetime
    clock: ClockQuality | None
    at_ms: int


@dataclass(frozen=True, slots=True)
class _Light:
    """Counts and the settings they were taken with."""

    counts: Counts
    halves: tuple[int, int]
    gain: float
    integration_ms: float
    full_scale: int


class Analyst:
    """Makes samples and events of raw messages, device by device in order of arrival. agent: who analysed."""

    def __init__(self, agent: str) -> None:
        self._agent = agent
        self._devices: OrderedDict[tuple[str, object], tuple[Pieces, list[str]]] = OrderedDict()

    def analyse(
        self, raw: Raw, place: Place, found: DeviceCalibrations, recipe: Recipe, moment: Moment
    ) -> Sample | Event | None:
        """What `raw` is; None for an empty belt, a product that passes, or one already told of. Raises QualityError."""
        tof = _tof_of(raw, found.tof, recipe)
        lit = _light_of(raw.as7341, found.spectral)
        light = spectrum.analyse_spectrum(
            lit.counts,
            clear_halves=lit.halves,
            gain=lit.gain,
            integration_ms=lit.integration_ms,
            full_scale=lit.full_scale,
            saturated=bool(lit.counts.max() >= lit.full_scale),
            calibration=found.spectral,
            recipe=recipe,
            brightness_per_mm2=tof.brightness_per_mm2 if tof.product_present else None,
        )
        verdict = fusion.fuse(tof, light, recipe)
        refusal = verdict.reason if isinstance(verdict, fusion.Ungraded) else None
        piece_id, tell = self._piece_of(raw, moment, tof, refusal)
        if isinstance(verdict, fusion.Ungraded):
            return _ungraded(raw, place, moment, verdict.reason, piece_id) if tell else None
        return Sample(
            sample_id=sample_id_for(raw.device_id, raw.boot_id, raw.seq),
            device_id=raw.device_id,
            timestamp=moment.timestamp,
            vl53l8ch=Tof(raw=raw.vl53l8ch.raw, analysis=tof_words(tof, found.tof.belt_plane[0] - tof.belt_shift_mm)),
            as7341=Spectral(
                raw=raw.as7341.raw,
                analysis=spectral_words(
                    light, gain=lit.gain, integration_ms=lit.integration_ms, led_ma=raw.as7341.led_ma
                ),
            ),
            fusion=fusion_words(verdict),
            lot_id=raw.lot_id,
            site_code=place.site_code,
            line=place.line,
            boot_id=raw.boot_id,
            seq=raw.seq,
            piece_id=piece_id,
            clock=moment.clock,
            agent=self._agent,
            recipe=verdict.recipe,
            calibration=CalibrationIds(tof=found.tof.id, spectral=found.spectral.id),
            reasons=reason_words(verdict),
            quality_flags=[*tof.flags, *light.flags],
            origin="raw",
        )

    def _piece_of(
        self, raw: Raw, moment: Moment, tof: geometry.TofAnalysis, refusal: str | None
    ) -> tuple[str | None, bool]:
        """The piece's id, and whether an `ungraded` must be told. A device that names its pieces sends one of each."""
        if raw.piece_id is not None:
            return raw.piece_id, refusal not in (None, "no_product")
        key = (raw.device_id, raw.boot_id)
        pieces, named = self._devices.setdefault(key, (Pieces(), [""]))
        self._devices.move_to_end(key)
        while len(self._devices) > DEVICES_MAX:
            self._devices.popitem(last=False)
        seen = pieces.look(moment.at_ms, tof, refusal)
        if seen.is_new or not named[0]:
            named[0] = f"{raw.boot_id.hex[-8:]}-{raw.seq}"  # by its first look: a worker that begins anew names no twin
        return named[0], seen.tell


def _ungraded(raw: Raw, place: Place, moment: Moment, reason: str, piece_id: str | None) -> Event:
    return Event(
        device_id=raw.device_id,
        timestamp=moment.timestamp,
        boot_id=raw.boot_id,
        seq=raw.seq,
        kind="ungraded",
        severity="critical",
        site_code=place.site_code,
        line=place.line,
        piece_id=piece_id,
        lot_id=raw.lot_id,
        reason=Reason(code=reason),
        clock=moment.clock,
    )


def _tof_of(raw: Raw, calibration: TofCalibration, recipe: Recipe) -> geometry.TofAnalysis:
    tof = raw.vl53l8ch.raw
    distance = floats(tof.distance_matrix)
    if tof.status_matrix:
        known = floats(tof.status_matrix)
        status = np.where(np.isfinite(known), known, STATUS_NONE).astype(np.uint8)
    else:
        status = np.where(np.isfinite(distance), STATUS_VALID, STATUS_NONE).astype(np.uint8)
    return geometry.analyse_tof(
        distance,
        sigma_mm=np.full((8, 8), RAW_SIGMA_MM),
        reflectance_pct=floats(tof.reflectance_matrix) / 2.0,
        status=status,
        calibration=calibration,
        recipe=recipe,
    )


def _light_of(part: RawSpectralPart, calibration: SpectralCalibration) -> _Light:
    counts = counts_of(part)
    gain = calibration.gain if part.gain is None else part.gain
    integration_ms = calibration.integration_ms if part.integration_ms is None else part.integration_ms
    first, second = part.clear_halves or part.raw.clear_halves or (int(counts[8]), int(counts[8]))
    return _Light(counts, (first, second), gain, integration_ms, full_scale_of(integration_ms))


def full_scale_of(integration_ms: float) -> int:
    """The count at which a channel of the AS7341 is full."""
    return max(1, min(FULL_SCALE_MAX, round(integration_ms / STEP_MS)))


def counts_of(part: RawSpectralPart) -> Counts:
    """The ten counts in the order of the contract."""
    return np.array([getattr(part.raw, name) for name in CHANNELS], dtype=np.int64)


def floats(rows: list[list[int | None]]) -> NDArray[np.float64]:
    """A matrix of the contract, NaN for null."""
    return np.array(rows, dtype=np.float64)
