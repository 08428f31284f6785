"""One sample a piece: what a passage of the belt was, analysed, graded, or told why it cannot be.

The whole pass gives volume, extent and surface; the picture that lay under the light when the spectrum was taken gives
how far away the lit surface was. A passage that is not whole, or in which two pieces touch, becomes one event
`ungraded`; nothing that lay on the belt goes by without one or the other.
"""

from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, replace

import numpy as np

from contract.bounds import Severity
from drivers.frames import SpectralFrame, TofFrame
from edge.belt import BeltScanner, Light, Look, Passage
from edge.fields import as_sent
from edge.recorder import Found, Recorder
from edge.sampler import Trouble
from edge.watch import DIRTY, Watch
from quality import fusion, geometry, spectrum
from quality.passes import Stack, bridged, isolated, scan_pass
from quality.piece import piece_of
from quality.scan import FRAMES_MIN, TRAVEL_RELATIVE_U, ScanAnalysis, estimate_speed

CUT_REASONS = {"at_start": "cut_at_start", "too_long": "several_products"}
FRAMES_MISSED = "frames_missed"  # more of the pass than may be bridged
BRIDGED_U = 0.004  # of the volume, for each picture that was made up between two others
PICTURES_U = 0.015  # of the travel's scale where it was found in the pictures
UNEVEN = 0.15  # a speed that differs by more from what the belt was thought to run at: it did not run evenly
LOTS_KEPT = 16


@dataclass(slots=True)
class _Judged:
    """What was made of a passage."""

    scan: ScanAnalysis
    look: Look
    picture: geometry.TofAnalysis
    piece: geometry.TofAnalysis
    flags: tuple[str, ...]


class BeltPieces:
    """For the bus's thread: give it every picture and every spectrum of a running belt.

    empty_since_ns: the agent's monotonic time since when the belt is free. lot_id: the lot of what comes now. travel:
    how the belt's travel is known, `encoder` or `pictures`; learn: where it is the latter, told every speed found.
    """

    def __init__(
        self,
        recorder: Recorder,
        watch: Watch,
        *,
        lot_id: Callable[[], int | None],
        tell: Callable[[Trouble], None],
    ) -> None:
        self.running = False
        self.empty_since_ns: int | None = None
        self.travel = "encoder"
        self.learn: Callable[[float], None] | None = None
        self._recorder = recorder
        self._watch = watch
        self._lot_id = lot_id
        self._tell = tell
        self._lots: deque[tuple[float, int | None]] = deque(maxlen=LOTS_KEPT)  # since which place on the belt
        self._scanner = self._fresh()

    def begin(self) -> None:
        """Forget what was there: what lies under the sensors now was not seen coming."""
        self.running = True
        self._scanner = self._fresh()
        self._lots.clear()

    def picture(self, taken_ns: int, frame: TofFrame | None, travel_mm: float) -> bool:
        """Take a height picture, None where there was none; whether a spectrum is wanted now."""
        if not self.running:
            self.begin()
        if frame is None:
            self._recorder.counters.unseen += 1
            return False
        dirt = self._watch.glance(taken_ns, frame)
        if dirt is not None:
            self._tell(dirt)
        lot_id = self._lot_id()
        if not self._lots or self._lots[-1][1] != lot_id:
            self._lots.append((travel_mm, lot_id))
        for passage in self._scanner.look(as_sent(frame), travel_mm, taken_ns):
            self._passed(passage)
        if self._scanner.occupied:
            self.empty_since_ns = None
        else:
            self.empty_since_ns = self.empty_since_ns or taken_ns
            self._recorder.counters.empty += 1
        return self._scanner.wants_light()

    def asked(self, travel_mm: float) -> None:
        """A spectrum is being taken."""
        self._scanner.asked(travel_mm)

    def light(self, taken_ns: int, frame: SpectralFrame | None, travel_mm: float, *, laser: bool) -> None:
        """Take a spectrum, None where there was none."""
        if frame is None:
            return
        self._scanner.light(frame, travel_mm, laser=laser)
        if not self._scanner.occupied:
            self._watch_light(taken_ns, frame)

    # --- passages

    def _fresh(self) -> BeltScanner:
        return BeltScanner(self._recorder.calibrations.tof, self._recorder.recipe)

    def _passed(self, passage: Passage) -> None:
        piece_id, lot_id = self._recorder.next_piece(), self._lot_at(passage.start_mm)
        taken_ns = _nearest(passage.looks, passage.middle_mm).taken_ns if passage.looks else 0
        verdict = self._verdict(passage, taken_ns)
        if isinstance(verdict, str):
            self._recorder.counters.broken += verdict in (FRAMES_MISSED, *CUT_REASONS.values())
            severity: Severity = "warning" if verdict == CUT_REASONS["at_start"] else "critical"
            self._recorder.ungraded(taken_ns, verdict, piece_id=piece_id, lot_id=lot_id, severity=severity)
        else:
            self._recorder.sample(taken_ns, verdict, piece_id=piece_id, lot_id=lot_id)

    def _lot_at(self, place_mm: float) -> int | None:
        """The lot that held when the piece's front came under the sensors."""
        found = self._lots[0][1] if self._lots else self._lot_id()
        for since_mm, lot_id in self._lots:
            if since_mm <= place_mm:
                found = lot_id
        return found

    def _verdict(self, passage: Passage, taken_ns: int) -> Found | str:
        """A graded piece, or the reason why it is not."""
        if passage.cut:
            return CUT_REASONS[passage.cut]
        light = passage.lights[0] if passage.lights else None
        judged = self._judge(passage, passage.middle_mm if light is None else light.travel_mm)
        if isinstance(judged, str):
            return judged
        if light is None:
            return "spectral_fault"
        analysis = self._recorder.analyse_light(light.frame, judged.picture, laser=light.laser)
        for trouble in self._watch.look(taken_ns, judged.look.frame, judged.picture, analysis):
            self._tell(trouble)
        verdict = fusion.fuse(judged.piece, analysis, self._recorder.recipe)
        if isinstance(verdict, fusion.Ungraded):
            return verdict.reason
        if self._watch.refused:
            return DIRTY
        return self._found(judged, light, analysis, verdict)

    def _found(
        self, judged: _Judged, light: Light, analysis: spectrum.SpectralAnalysis, verdict: fusion.FusionResult
    ) -> Found:
        flags = (*judged.flags, *((DIRTY,) if self._watch.flagged else ()))
        return Found(
            judged.look.frame,
            judged.piece,
            light.frame,
            analysis,
            verdict,
            flags=flags,
            laser=light.laser,
            scan=judged.scan,
            travel=self.travel,
        )

    def _judge(self, passage: Passage, lit_mm: float) -> _Judged | str:
        """The pass and the picture at travel `lit_mm`, or why they tell nothing."""
        calibration, recipe = self._recorder.calibrations.tof, self._recorder.recipe
        if len(passage.looks) < FRAMES_MIN:
            return FRAMES_MISSED
        alone = isolated(_stack(passage.looks), passage.left_mm, passage.right_mm, calibration)
        whole = bridged(alone)
        if whole is None or len(whole.travel_mm) < FRAMES_MIN:
            return FRAMES_MISSED
        whole, relative_u, flags = self._scaled(whole, passage)
        scan = scan_pass(whole, calibration, recipe, travel_relative_u=relative_u)
        place = int(np.argmin(np.abs(alone.travel_mm - lit_mm)))
        picture = geometry.analyse_tof(
            alone.distance_mm[place],
            sigma_mm=alone.sigma_mm[place],
            reflectance_pct=alone.reflectance_pct[place],
            status=alone.status[place],
            calibration=calibration,
            recipe=recipe,
        )
        return _Judged(scan, passage.looks[place], picture, piece_of(scan, picture, recipe), flags)

    def _scaled(self, whole: Stack, passage: Passage) -> tuple[Stack, float, tuple[str, ...]]:
        """The pass with its travel as well as it is known, the relative uncertainty of that, and what to say of it."""
        flags = (FRAMES_MISSED,) if whole.bridged else ()
        relative_u = TRAVEL_RELATIVE_U + BRIDGED_U * whole.bridged
        if self.travel == "encoder":
            return whole, relative_u, flags
        nominal = _speed_of(passage.looks)
        speed = estimate_speed(
            whole.distance_mm,
            sigma_mm=whole.sigma_mm,
            status=whole.status,
            time_s=whole.travel_mm / nominal,
            calibration=self._recorder.calibrations.tof,
            recipe=self._recorder.recipe,
        )
        if speed is None or abs(speed.mm_s / nominal - 1.0) > UNEVEN:
            return whole, UNEVEN, (*flags, "belt_speed_unsure")
        if self.learn is not None:
            self.learn(speed.mm_s)
        factor = speed.mm_s / nominal
        scaled = replace(whole, travel_mm=whole.travel_mm * factor)
        return scaled, float(np.hypot(relative_u, PICTURES_U)), flags

    def _watch_light(self, taken_ns: int, frame: SpectralFrame) -> None:
        """Over the free belt nothing is graded, but glare, a dead lamp and a dirty window show."""
        look = self._scanner.newest
        if look is None:
            return
        tof = geometry.analyse_tof(
            look.frame.distance_mm,
            sigma_mm=look.frame.sigma_mm,
            reflectance_pct=look.frame.reflectance_pct,
            status=look.frame.status,
            calibration=self._recorder.calibrations.tof,
            recipe=self._recorder.recipe,
        )
        for trouble in self._watch.look(taken_ns, look.frame, tof, self._recorder.analyse_light(frame, tof)):
            self._tell(trouble)


def _nearest(looks: list[Look], travel_mm: float) -> Look:
    return min(looks, key=lambda look: abs(look.travel_mm - travel_mm))


def _stack(looks: list[Look]) -> Stack:
    frames = [look.frame for look in looks]
    return Stack(
        distance_mm=np.stack([frame.distance_mm for frame in frames]),
        sigma_mm=np.stack([frame.sigma_mm for frame in frames]),
        reflectance_pct=np.stack([frame.reflectance_pct for frame in frames]),
        status=np.stack([frame.status for frame in frames]),
        travel_mm=np.array([look.travel_mm for look in looks]),
    )


def _speed_of(looks: list[Look]) -> float:
    """Speed at which the belt was thought to run, mm/s."""
    first, last = looks[0], looks[-1]
    return max(
        1e-3, (last.travel_mm - first.travel_mm) / max(1e-9, (last.frame.captured_ns - first.frame.captured_ns) / 1e9)
    )
