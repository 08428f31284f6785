"""Gives the spool what was found: a sample, or an event that says why there is none. Both modes of sampling write here.

What a newcomer gets wrong: a message is built when the spool has numbered it, not when it is handed in; `build` must
hold everything it needs.
"""

from collections.abc import Callable
from dataclasses import dataclass

from contract.bounds import Severity
from contract.messages import Event
from contract.sample import CalibrationIds, Reason, Sample, Spectral, SpectralRaw, Tof, sample_id_for
from drivers.frames import CHANNELS, SpectralFrame, TofFrame
from edge.calibration import Calibrations
from edge.fields import fusion_of, spectral_analysis, tof_analysis, tof_raw
from edge.identity import Identity
from edge.rows import Kind, Stamp
from edge.spool import Spool
from quality import fusion, geometry, spectrum
from quality.recipe import Recipe
from quality.scan import ScanAnalysis

NIR_LASER = "nir_laser"  # the NIR channel saw the ranging chip's laser


@dataclass(slots=True)
class AssemblerCounters:
    """Totals since the start. pieces: those that were told apart; broken: passes that were not
    whole; shown: gauge bodies and reference pieces, which make no samples."""

    samples: int = 0
    ungraded: int = 0
    passing: int = 0
    empty: int = 0
    unseen: int = 0
    dropped: int = 0
    pieces: int = 0
    broken: int = 0
    shown: int = 0


@dataclass(frozen=True, slots=True)
class Found:
    """What was seen and what was made of it. flags: beyond those of the analyses. laser: it shone on the spectrum.

    scan: of the whole pass, None for a single picture; travel: how the belt's was known then.
    """

    frame: TofFrame
    tof: geometry.TofAnalysis
    spectral: SpectralFrame
    light: spectrum.SpectralAnalysis
    verdict: fusion.FusionResult
    flags: tuple[str, ...] = ()
    laser: bool = False
    scan: ScanAnalysis | None = None
    travel: str | None = None


class Recorder:
    """For the bus's thread; never waits for the disk."""

    def __init__(
        self,
        *,
        spool: Spool,
        identity: Identity,
        calibrations: Calibrations,
        recipe: Recipe,
        agent: str,
        location: str | None,
    ) -> None:
        self.counters = AssemblerCounters()
        self.calibration_ids = CalibrationIds(tof=calibrations.tof.id, spectral=calibrations.spectral.id)
        self.calibrations = calibrations
        self.recipe = recipe
        self.on_found: Callable[[Found], bool] | None = None  # whether it takes the piece, which then is no sample
        self.stale: tuple[str, ...] = ()  # flags of calibrations that hold no more
        self._spool = spool
        self._identity = identity
        self._agent = agent
        self._location = location

    def next_piece(self) -> str:
        """The id of a piece that was not there before."""
        self.counters.pieces += 1
        return f"{self._spool.boot_id.hex[-8:]}-{self.counters.pieces}"

    def analyse_light(
        self, frame: SpectralFrame, tof: geometry.TofAnalysis, *, laser: bool = False
    ) -> spectrum.SpectralAnalysis:
        """What the light says of a surface that lies as `tof` found it. laser: the ranging chip's shone on it."""
        return spectrum.analyse_spectrum(
            frame.counts,
            clear_halves=frame.clear_halves,
            nir_halves=frame.nir_halves,
            gain=frame.gain,
            integration_ms=frame.integration_ms,
            full_scale=frame.full_scale,
            saturated=frame.saturated,
            calibration=self.calibrations.spectral,
            recipe=self.recipe,
            ranging=laser,
            brightness_per_mm2=tof.brightness_per_mm2 if tof.product_present else None,
        )

    def sample(self, taken_ns: int, found: Found, *, piece_id: str, lot_id: int | None) -> None:
        """Keep a graded piece, unless somebody takes it who shows gauge bodies or reference pieces."""
        if self.on_found is not None and self.on_found(found):
            self.counters.shown += 1
            return
        flags = [*found.tof.flags, *found.light.flags, *found.flags, *self.stale]
        if found.laser:
            flags.append(NIR_LASER)

        def build(stamp: Stamp) -> Sample:
            return Sample(
                sample_id=sample_id_for(self._identity.device_id, stamp.boot_id, stamp.seq),
                device_id=self._identity.device_id,
                timestamp=stamp.timestamp,
                vl53l8ch=Tof(
                    raw=tof_raw(found.frame),
                    analysis=tof_analysis(found.tof, self.calibrations.tof, found.scan, found.travel),
                ),
                as7341=Spectral(
                    raw=SpectralRaw(
                        **dict(zip(CHANNELS, found.spectral.counts.tolist(), strict=True)),
                        clear_halves=list(found.spectral.clear_halves),
                    ),
                    analysis=spectral_analysis(found.light, found.spectral, laser=found.laser),
                ),
                fusion=fusion_of(found.verdict),
                lot_id=lot_id,
                site_code=self._identity.site,
                location=self._location,
                line=self._identity.line,
                boot_id=stamp.boot_id,
                seq=stamp.seq,
                piece_id=piece_id,
                clock=stamp.clock,
                agent=self._agent,
                recipe=found.verdict.recipe,
                calibration=self.calibration_ids,
                reasons=[Reason(code=each.code, params=dict(each.parameters)) for each in found.verdict.reasons],
                quality_flags=list(dict.fromkeys(flags)),
                origin="edge",
            )

        self._spool.append(Kind.SAMPLE, taken_ns, build)
        self.counters.samples += 1

    def ungraded(
        self,
        taken_ns: int,
        reason: str,
        *,
        piece_id: str | None,
        lot_id: int | None,
        severity: Severity = "critical",
    ) -> None:
        """Keep that something lay there and got no grade."""

        def build(stamp: Stamp) -> Event:
            return self._identity.event(
                stamp,
                "ungraded",
                severity=severity,
                reason=Reason(code=reason),
                lot_id=lot_id,
                piece_id=piece_id,
            )

        self._spool.append(Kind.EVENT, taken_ns, build)
        self.counters.ungraded += 1
