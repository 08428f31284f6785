"""Frames to messages: analyse, grade, and give the spool a sample, or an event that says why there is none.

A sample is a product that both sensors saw well. An empty belt makes nothing but an entry in `health`. A product that
passes through the edge of the picture is waited for; one that cannot be graded although it lies there makes one event
`ungraded` a piece, never a grade.

In timed mode a piece is measured several times; measurements belong to one piece until the belt was empty, something
was out of view, or the height picture changed by more than noise could.
"""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from contract.bounds import DISTANCE_MM_MAX, KCPS_MAX, REFLECTANCE_MAX, VOLUME_MM3_MAX
from contract.messages import Event
from contract.sample import (
    CalibrationIds,
    Fusion,
    Reason,
    Sample,
    Spectral,
    SpectralAnalysis,
    SpectralRaw,
    Tof,
    TofAnalysis,
    TofRaw,
    sample_id_for,
)
from drivers.frames import CHANNELS, SpectralFrame, TofFrame
from edge.calibration import Calibrations
from edge.identity import Identity
from edge.rows import Kind, Stamp
from edge.sampler import Measurement, Trouble
from edge.spool import Spool
from edge.watch import DIRTY, Watch
from quality import fusion, geometry, spectrum
from quality.recipe import Recipe

PASSING = frozenset({"out_of_view", "off_centre", "several_products"})  # what a moving belt puts right by itself
PASSING_MAX_NS = 10_000_000_000  # unless it does not: then the piece lies there ungraded
PIECE_CHANGE_MM = 5.0  # rms over the product; frames of one resting piece differ by some 1 mm

Matrix = list[list[int | None]]


@dataclass(slots=True)
class AssemblerCounters:
    """Totals since the start."""

    samples: int = 0
    ungraded: int = 0
    passing: int = 0
    empty: int = 0
    unseen: int = 0
    dropped: int = 0


class Assembler:
    """Takes measurements in the bus's thread. lot_id may be changed between two measurements.

    belt_empty_since_ns: the agent's monotonic time since when no product is in view, None while one is.
    """

    def __init__(
        self,
        *,
        spool: Spool,
        identity: Identity,
        calibrations: Calibrations,
        recipe: Recipe,
        agent: str,
        lot_id: int | None,
        location: str | None,
        on_trouble: Callable[[Trouble], None] | None = None,
    ) -> None:
        self.counters = AssemblerCounters()
        self.lot_id = lot_id
        self.belt_empty_since_ns: int | None = None
        self.calibration_ids = CalibrationIds(tof=calibrations.tof.id, spectral=calibrations.spectral.id)
        self._spool = spool
        self._identity = identity
        self._calibrations = calibrations
        self._recipe = recipe
        self._agent = agent
        self._location = location
        belt = calibrations.belt_signal_kcps
        self._watch = Watch(None if belt is None else np.array(belt))
        self._on_trouble = on_trouble
        self._pieces = 0
        self._height: NDArray[np.float64] | None = None  # of the piece in view, mm above the belt
        self._told = False  # whether the piece in view has got its `ungraded`
        self._passing_since_ns: int | None = None

    def take(self, measurement: Measurement) -> None:
        """Make of a measurement what it is; never waits for the disk."""
        frame = measurement.tof
        if frame is None:
            self.counters.unseen += 1  # without heights nobody knows whether there is a product: the fault is told
            return
        tof = geometry.analyse_tof(
            frame.distance_mm,
            sigma_mm=frame.sigma_mm,
            reflectance_pct=frame.reflectance_pct,
            status=frame.status,
            signal_kcps=frame.signal_kcps,
            calibration=self._calibrations.tof,
            recipe=self._recipe,
        )
        spectral = measurement.spectral
        light = None if spectral is None else self._analyse_light(spectral, tof)
        self._watch_installation(measurement.taken_ns, frame, tof, light)
        if spectral is None or light is None:
            verdict = fusion.Ungraded("spectral_fault" if tof.product_present else "no_product")
        else:
            verdict = fusion.fuse(tof, light, self._recipe)
            if self._watch.refused and isinstance(verdict, fusion.FusionResult):
                verdict = fusion.Ungraded(DIRTY)
        if isinstance(verdict, fusion.Ungraded):
            self._without_grade(measurement.taken_ns, verdict.reason, tof)
            return
        assert spectral is not None
        assert light is not None
        self._in_view(tof)
        window = (DIRTY,) if self._watch.flagged else ()
        self._append_sample(measurement.taken_ns, _Look(frame, tof, spectral, light, verdict, window))

    def _watch_installation(
        self, taken_ns: int, frame: TofFrame, tof: geometry.TofAnalysis, light: spectrum.SpectralAnalysis | None
    ) -> None:
        for trouble in self._watch.look(taken_ns, frame, tof, light):
            if self._on_trouble is not None:
                self._on_trouble(trouble)

    def _analyse_light(self, frame: SpectralFrame, tof: geometry.TofAnalysis) -> spectrum.SpectralAnalysis:
        return spectrum.analyse_spectrum(
            frame.counts,
            clear_halves=frame.clear_halves,
            nir_halves=frame.nir_halves,
            gain=frame.gain,
            integration_ms=frame.integration_ms,
            full_scale=frame.full_scale,
            saturated=frame.saturated,
            calibration=self._calibrations.spectral,
            recipe=self._recipe,
            brightness_per_mm2=tof.brightness_per_mm2 if tof.product_present else None,
        )

    # --- pieces

    def _without_grade(self, taken_ns: int, reason: str, tof: geometry.TofAnalysis) -> None:
        if reason == "no_product":
            self.counters.empty += 1
            self.belt_empty_since_ns = self.belt_empty_since_ns or taken_ns
            self._leave()
            return
        if reason in PASSING:
            self.counters.passing += 1
            self.belt_empty_since_ns = None
            if self._passing_since_ns is None:
                self._passing_since_ns, self._told = taken_ns, False
            since_ns = self._passing_since_ns
            if taken_ns - since_ns < PASSING_MAX_NS:
                self._height = None  # whatever comes to rest next is another piece
                return
        else:
            self._in_view(tof)
        if not self._told:
            self._told = True
            self._append_ungraded(taken_ns, reason)

    def _in_view(self, tof: geometry.TofAnalysis) -> None:
        """A product lies under the sensors: the one that was there, or the next."""
        self.belt_empty_since_ns = None
        self._passing_since_ns = None
        before, self._height = self._height, tof.height_mm
        if before is not None:
            area = tof.product
            change = tof.height_mm[area] - before[area]
            if area.any() and float(np.sqrt(np.mean(change**2))) <= PIECE_CHANGE_MM:
                return
        self._pieces += 1
        self._told = False

    def _leave(self) -> None:
        self._height = None
        self._passing_since_ns = None
        self._told = False

    @property
    def _piece_id(self) -> str:
        return f"{self._spool.boot_id.hex[-8:]}-{self._pieces}"

    # --- messages

    def _append_sample(self, taken_ns: int, look: "_Look") -> None:
        def build(stamp: Stamp) -> Sample:
            return Sample(
                sample_id=sample_id_for(self._identity.device_id, stamp.boot_id, stamp.seq),
                device_id=self._identity.device_id,
                timestamp=stamp.timestamp,
                vl53l8ch=Tof(raw=tof_raw(look.frame), analysis=self._tof_analysis(look.tof)),
                as7341=Spectral(
                    raw=SpectralRaw(**dict(zip(CHANNELS, look.spectral.counts.tolist(), strict=True))),
                    analysis=spectral_analysis(look.light, look.spectral),
                ),
                fusion=fusion_of(look.verdict),
                lot_id=self.lot_id,
                site_code=self._identity.site,
                location=self._location,
                line=self._identity.line,
                boot_id=stamp.boot_id,
                seq=stamp.seq,
                piece_id=self._piece_id,
                clock=stamp.clock,
                agent=self._agent,
                recipe=look.verdict.recipe,
                calibration=self.calibration_ids,
                reasons=[Reason(code=each.code, params=dict(each.parameters)) for each in look.verdict.reasons],
                quality_flags=[*look.tof.flags, *look.light.flags, *look.window_flags],
                origin="edge",
            )

        self._spool.append(Kind.SAMPLE, taken_ns, build)
        self.counters.samples += 1

    def _append_ungraded(self, taken_ns: int, reason: str) -> None:
        def build(stamp: Stamp) -> Event:
            return self._identity.event(
                stamp,
                "ungraded",
                severity="critical",
                reason=Reason(code=reason),
                lot_id=self.lot_id,
                piece_id=self._piece_id if reason not in PASSING else None,
            )

        self._spool.append(Kind.EVENT, taken_ns, build)
        self.counters.ungraded += 1

    def _tof_analysis(self, tof: geometry.TofAnalysis) -> TofAnalysis:
        return TofAnalysis(
            volume_mm3=min(tof.volume_mm3, VOLUME_MM3_MAX),
            volume_mm3_u=tof.volume_mm3_u,
            surface_uniformity=tof.surface_uniformity,
            surface_uniformity_u=tof.surface_uniformity_u,
            quality_score=tof.quality_score,
            quality_score_u=tof.quality_score_u,
            grade=tof.grade,
            avg_distance_mm=tof.avg_distance_mm,
            std_distance_mm=tof.std_distance_mm,
            avg_reflectance=tof.avg_reflectance,
            mass_g=tof.mass_g,
            mass_g_u=tof.mass_g_u,
            belt_distance_mm=self._calibrations.tof.belt_plane[0] - tof.belt_shift_mm,
        )


@dataclass(frozen=True, slots=True)
class _Look:
    """What was seen and what was made of it."""

    frame: TofFrame
    tof: geometry.TofAnalysis
    spectral: SpectralFrame
    light: spectrum.SpectralAnalysis
    verdict: fusion.FusionResult
    window_flags: tuple[str, ...]


def tof_raw(frame: TofFrame) -> TofRaw:
    """A ranging frame in the integers of the contract; null where there was no valid target."""
    return TofRaw(
        distance_matrix=integers(frame.distance_mm, DISTANCE_MM_MAX),
        reflectance_matrix=integers(2.0 * frame.reflectance_pct, REFLECTANCE_MAX),
        amplitude_matrix=integers(frame.signal_kcps, KCPS_MAX),
        status_matrix=frame.status.tolist(),
        ambient_matrix=integers(frame.ambient_kcps, KCPS_MAX),
    )


def integers(values: NDArray[np.float64], most: int) -> Matrix:
    """`values` rounded and held within 0 to `most`, as rows; null for NaN."""
    seen = np.isfinite(values)
    rounded = np.clip(np.rint(np.where(seen, values, 0.0)), 0, most).astype(np.int64)
    rows: Matrix = rounded.tolist()
    for row, column in np.argwhere(~seen):
        rows[row][column] = None
    return rows


def spectral_analysis(light: spectrum.SpectralAnalysis, frame: SpectralFrame) -> SpectralAnalysis:
    """The analysis of a spectrum in the contract's words."""
    return SpectralAnalysis(
        freshness_index=light.freshness_index,
        freshness_index_u=light.freshness_index_u,
        fat_quality_index=light.fat_quality_index,
        fat_quality_index_u=light.fat_quality_index_u,
        oxidation_index=light.oxidation_index,
        oxidation_index_u=light.oxidation_index_u,
        quality_score=light.quality_score,
        quality_score_u=light.quality_score_u,
        ratio_red_nir=light.ratio_red_nir,
        ratio_clear_nir=light.ratio_clear_nir,
        gain=frame.gain,
        integration_ms=frame.integration_ms,
        led_ma=float(frame.led_ma),
    )


def fusion_of(verdict: fusion.FusionResult) -> Fusion:
    """The verdict in the contract's words."""
    return Fusion(
        final_score=verdict.final_score,
        final_score_u=verdict.final_score_u,
        final_grade=verdict.final_grade,
        is_compliant=verdict.is_compliant,
        weight_tof=verdict.weight_tof,
        weight_spectral=verdict.weight_spectral,
        confidence_level=verdict.confidence_level,
        grade_probability=verdict.grade_probability,
    )
