"""Frames to messages: analyse, grade, and give the spool a sample, or an event that says why there is none.

A sample is a product that both sensors saw well. An empty belt makes nothing but an entry in `health`. A product that
passes through the edge of the picture is waited for; one that cannot be graded although it lies there makes one event
`ungraded` a piece, never a grade.

In timed mode a piece is measured several times; measurements belong to one piece until the belt was empty, something
was out of view, or the height picture changed by more than noise could.
"""

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from contract.sample import CalibrationIds
from drivers.frames import TofFrame
from edge.calibration import Calibrations
from edge.fields import as_sent
from edge.identity import Identity
from edge.pieces import BeltPieces
from edge.recorder import AssemblerCounters, Found, Recorder
from edge.sampler import Measurement, Trouble
from edge.spool import Spool
from edge.watch import DIRTY, Watch
from quality import fusion, geometry, spectrum
from quality.recipe import Recipe

PASSING = frozenset({"out_of_view", "off_centre", "several_products"})  # what a moving belt puts right by itself
PASSING_MAX_NS = 10_000_000_000  # unless it does not: then the piece lies there ungraded
PIECE_CHANGE_MM = 5.0  # rms over the product; frames of one resting piece differ by some 1 mm


class Assembler:
    """Takes measurements in the bus's thread. lot_id may be changed at any time: the next piece belongs to it.

    take: a single look, in timed and free-running mode; `belt` takes the stream of the belt-triggered one.
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
        self.lot_id = lot_id
        self.recorder = Recorder(
            spool=spool, identity=identity, calibrations=calibrations, recipe=recipe, agent=agent, location=location
        )
        belt = calibrations.belt_signal_kcps
        self._watch = Watch(None if belt is None else np.array(belt))
        self.belt = BeltPieces(self.recorder, self._watch, lot_id=lambda: self.lot_id, tell=self._tell)
        self._belt_empty_since_ns: int | None = None
        self._piece_lot_id = lot_id  # of the piece in view: no piece belongs to two lots
        self._piece_id = ""
        self._calibrations = calibrations
        self._recipe = recipe
        self._on_trouble = on_trouble
        self._height: NDArray[np.float64] | None = None  # of the piece in view, mm above the belt
        self._told = False  # whether the piece in view has got its `ungraded`
        self._passing_since_ns: int | None = None

    @property
    def counters(self) -> AssemblerCounters:
        """Of both modes together."""
        return self.recorder.counters

    @property
    def calibration_ids(self) -> CalibrationIds:
        """Those that samples cite."""
        return self.recorder.calibration_ids

    @property
    def belt_empty_since_ns(self) -> int | None:
        """The agent's monotonic time since when no product is in view, None while one is."""
        return self.belt.empty_since_ns if self.belt.running else self._belt_empty_since_ns

    def take(self, measurement: Measurement) -> None:
        """Make of a measurement what it is; never waits for the disk."""
        frame = measurement.tof
        self.belt.running = False
        if frame is None:
            self.counters.unseen += 1  # without heights nobody knows whether there is a product: the fault is told
            return
        frame = as_sent(frame)
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
        light = None if spectral is None else self.recorder.analyse_light(spectral, tof, laser=measurement.laser)
        self._watch_installation(measurement.taken_ns, frame, tof, light)
        if spectral is None or light is None:
            verdict = fusion.Ungraded("spectral_fault" if tof.product_present else "no_product")
        else:
            verdict = fusion.fuse(tof, light, self._recipe)
            if self._watch.refused and (isinstance(verdict, fusion.FusionResult) or tof.product_present):
                verdict = fusion.Ungraded(DIRTY)  # what lies there, and where, cannot be said through such a window
        if isinstance(verdict, fusion.Ungraded):
            self._without_grade(measurement.taken_ns, verdict.reason, tof)
            return
        assert spectral is not None
        assert light is not None
        self._in_view(tof)
        window = (DIRTY,) if self._watch.flagged else ()
        found = Found(frame, tof, spectral, light, verdict, flags=window, laser=measurement.laser)
        self.recorder.sample(measurement.taken_ns, found, piece_id=self._piece_id, lot_id=self._piece_lot_id)

    def _watch_installation(
        self, taken_ns: int, frame: TofFrame, tof: geometry.TofAnalysis, light: spectrum.SpectralAnalysis | None
    ) -> None:
        for trouble in self._watch.look(taken_ns, frame, tof, light):
            self._tell(trouble)

    def _tell(self, trouble: Trouble) -> None:
        if self._on_trouble is not None:
            self._on_trouble(trouble)

    # --- pieces

    def _without_grade(self, taken_ns: int, reason: str, tof: geometry.TofAnalysis) -> None:
        if reason == "no_product":
            self.counters.empty += 1
            self._belt_empty_since_ns = self._belt_empty_since_ns or taken_ns
            self._leave()
            return
        if reason in PASSING:
            self.counters.passing += 1
            self._belt_empty_since_ns = None
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
            piece_id = self._piece_id if reason not in PASSING else None
            self.recorder.ungraded(taken_ns, reason, piece_id=piece_id, lot_id=self._piece_lot_id)

    def _in_view(self, tof: geometry.TofAnalysis) -> None:
        """A product lies under the sensors: the one that was there, or the next."""
        self._belt_empty_since_ns = None
        self._passing_since_ns = None
        before, self._height = self._height, tof.height_mm
        if before is not None:
            area = tof.product
            change = tof.height_mm[area] - before[area]
            if area.any() and float(np.sqrt(np.mean(change**2))) <= PIECE_CHANGE_MM:
                return
        self._piece_id = self.recorder.next_piece()
        self._piece_lot_id = self.lot_id
        self._told = False

    def _leave(self) -> None:
        self._height = None
        self._passing_since_ns = None
        self._told = False
