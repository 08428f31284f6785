"""Pieces on a moving belt, one after the other, out of a stream of height pictures.

Every picture is taken at a known travel of the belt, so that each reading has a place on the belt. Along the belt, in
steps of 5 mm, it is noted whether something lies there or not; a piece lies between two stretches of free belt.
When the last row of zones has left it, its frames are handed on, with the spectrum taken nearest to its middle.

What a newcomer gets wrong: pieces are told apart on the belt and not in time. Two of them may be in one picture, and a
belt that stops with a piece under the sensors adds nothing to it.
"""

from collections import deque
from dataclasses import dataclass, field
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from drivers.frames import SpectralFrame, TofFrame
from quality.calibration import TofCalibration
from quality.geometry import DETECTION_SIGMAS, NOISE_PER_SIGMA, VALID_STATUS
from quality.recipe import Recipe
from quality.scan import INNER

BIN_MM = 5.0
GAP_BINS = 2  # so much free belt, 10 mm, parts two pieces; a zone blurs the rims of both by about as much
PIECE_BINS = 4  # what is shorter than 20 mm is noise, or a crumb
LENGTH_MAX_MM = 400.0  # no piece is so long: it is a row of pieces without a gap
STEP_MIN_MM = 4.0  # of travel between two frames that are kept: a slow belt brings no news
LIGHT_FIRST_MM, LIGHT_LAST_MM = 40.0, 110.0  # from a piece's front, where spectra of it begin: pieces of 110 to 220 mm
LIGHT_EVERY_MM = 35.0  # of travel between two of them: one lies near the middle, however long the piece is
JUMP_MM = 600.0  # of travel between two frames: what was there has gone by unseen
MARGIN_MM = 30.0  # of belt beside a piece that is looked at with it
BLUR_MM = 14.0  # half a zone on the belt, and some
DRIFT_SHARE = 0.1  # of each picture in the running height of the belt
BELT_NEAR_MM = 3.0
BELT_ZONES_MIN = 8
BELT_FAR_MM = 6.0
SHIFTED_FLAT_MM = 2.0
MIDDLE = (slice(3, 5), slice(3, 5))
LIGHTS_KEPT = 16
LOOKS_KEPT = 320  # of at least 4 mm each: a piece of LENGTH_MAX_MM, the next one, and the view on either side

Cut = Literal["", "at_start", "too_long"]
Mask = NDArray[np.bool_]


@dataclass(frozen=True, slots=True)
class Look:
    """One height picture. travel_mm: of the belt when it was read. taken_ns: the agent's monotonic time."""

    frame: TofFrame
    travel_mm: float
    taken_ns: int


@dataclass(frozen=True, slots=True)
class Light:
    """One spectrum. travel_mm: of the belt in the middle of it. laser: whether the ranging chip's was on."""

    frame: SpectralFrame
    travel_mm: float
    laser: bool


@dataclass(frozen=True, slots=True)
class Passage:
    """A piece that has gone by. start_mm, end_mm: where it lies on the belt; left_mm, right_mm: with what is its own.

    lights: those taken of it, without the laser's light and nearest to its middle first. cut: why it is not whole, if
    it is not.
    """

    looks: list[Look]
    lights: list[Light]
    start_mm: float
    end_mm: float
    left_mm: float
    right_mm: float
    cut: Cut = ""

    @property
    def middle_mm(self) -> float:
        """Travel at which its middle was under the sensors."""
        return (self.start_mm + self.end_mm) / 2.0


@dataclass(slots=True)
class _Span:
    """A stretch of belt with something on it; end_mm grows while it is open. before_mm: end of the one before."""

    start_mm: float
    end_mm: float
    before_mm: float | None
    cut: Cut = ""


@dataclass(slots=True)
class _Profile:
    """What is known of the belt by bins: True something, False nothing; done: the first bin that may still change."""

    bins: dict[int, bool] = field(default_factory=dict[int, bool])
    done: int | None = None
    free_run: int = 0
    free_seen: int = 0


class BeltScanner:
    """For one thread. Give it every picture with its travel, and the spectra that it asks for."""

    def __init__(self, calibration: TofCalibration, recipe: Recipe) -> None:
        self._calibration = calibration
        self._recipe = recipe
        tangents = calibration.tangents[0]
        belt = float(calibration.belt_plane[0])
        self._inner = tangents[0, INNER].tolist()
        self._inner_reach_mm = belt * max(abs(t) for t in self._inner) + BLUR_MM
        self._reach_mm = belt * float(np.abs(tangents).max()) + BLUR_MM
        self._belt_mm = belt
        self._shift_mm = 0.0
        self._profile = _Profile()
        self._open: _Span | None = None
        self._closed: deque[_Span] = deque()
        self._last_end_mm: float | None = None
        self._whole_from_mm = -np.inf  # place on the belt before which things were not seen coming
        self._looks: deque[Look] = deque(maxlen=LOOKS_KEPT)
        self._lights: deque[Light] = deque(maxlen=LIGHTS_KEPT)
        self._light_mm = -np.inf
        self._under = False
        self._newest_mm = -np.inf

    @property
    def occupied(self) -> bool:
        """Whether something lies in view."""
        return self._open is not None or bool(self._closed) or self._under

    @property
    def newest(self) -> Look | None:
        """The last picture that was kept."""
        return self._looks[-1] if self._looks else None

    def wants_light(self) -> bool:
        """Whether a spectrum should be taken now: the middle of a piece comes under the spectral sensor."""
        span = self._open
        if span is None or not self._under or self._newest_mm - self._light_mm < LIGHT_EVERY_MM:
            return False
        return LIGHT_FIRST_MM <= self._newest_mm - span.start_mm <= LIGHT_LAST_MM

    def light(self, frame: SpectralFrame, travel_mm: float, *, laser: bool) -> None:
        """A spectrum that was asked for, or not."""
        self._lights.append(Light(frame, travel_mm, laser))

    def asked(self, travel_mm: float) -> None:
        """A spectrum is being taken, whatever comes of it."""
        self._light_mm = travel_mm

    def look(self, frame: TofFrame, travel_mm: float, taken_ns: int) -> list[Passage]:
        """Take a picture; what has gone by with it, in order."""
        passages: list[Passage] = []
        if self._looks and not -1.0 <= travel_mm - self._newest_mm <= JUMP_MM:
            passages += self._start_anew()
        raised = self._raised(frame)
        self._under = bool(raised[MIDDLE].all())
        if self._looks and travel_mm - self._looks[-1].travel_mm < STEP_MIN_MM:
            return passages
        self._newest_mm = travel_mm
        self._looks.append(Look(frame, travel_mm, taken_ns))
        self._note(frame, travel_mm, raised)
        self._follow(travel_mm)
        while self._closed and travel_mm >= self._closed[0].end_mm + self._reach_mm:
            passages.append(self._passage(self._closed.popleft()))
        self._forget(travel_mm)
        return passages

    # --- pictures to bins

    def _raised(self, frame: TofFrame) -> Mask:
        """Zones that see something on the belt; a lone one is noise."""
        calibration = self._calibration
        z = calibration.zone_offset_mm + calibration.range_slope * frame.distance_mm
        height = (calibration.belt_mm - z) * calibration.plane_rate
        measured = np.isfinite(height) & VALID_STATUS[frame.status]
        height = np.where(measured, height, 0.0)
        self._track(height, measured)
        threshold = np.maximum(self._recipe.tof.height_min_mm, DETECTION_SIGMAS * NOISE_PER_SIGMA * frame.sigma_mm)
        raised: Mask = measured & (height - self._shift_mm > threshold)
        near = np.zeros((10, 10), dtype=bool)
        near[1:-1, 1:-1] = raised
        return raised & (near[:-2, 1:-1] | near[2:, 1:-1] | near[1:-1, :-2] | near[1:-1, 2:])

    def _track(self, height: NDArray[np.float64], measured: Mask) -> None:
        """Follow the belt's height, which drifts with the sensor's temperature."""
        free = height[measured & (np.abs(height - self._shift_mm) < BELT_NEAR_MM)]
        if free.size >= BELT_ZONES_MIN:
            self._shift_mm += DRIFT_SHARE * (float(np.median(free)) - self._shift_mm)
        elif measured.any() and float(np.ptp(np.quantile(height[measured], (0.1, 0.9)))) < SHIFTED_FLAT_MM:
            middle = float(np.median(height[measured]))
            if abs(middle) <= BELT_FAR_MM:
                self._shift_mm = middle

    def _note(self, frame: TofFrame, travel_mm: float, raised: Mask) -> None:
        bins, done = self._profile.bins, self._profile.done
        for column, tangent in enumerate(self._inner, start=INNER.start):
            rows = raised[:, column]
            if rows.any():
                places = travel_mm - tangent * frame.distance_mm[rows, column]
                low, high = int(places.min() // BIN_MM), int(places.max() // BIN_MM)
                for each in range(low, high + 1):
                    bins[each] = True
            else:
                bins.setdefault(int((travel_mm - tangent * self._belt_mm) // BIN_MM), False)
        if done is None:
            self._profile.done = min(bins)
            self._whole_from_mm = travel_mm + self._inner_reach_mm

    # --- bins to spans

    def _follow(self, travel_mm: float) -> None:
        """Go on to the last bin that no inner column will see again."""
        profile = self._profile
        assert profile.done is not None
        end = int((travel_mm - self._inner_reach_mm) // BIN_MM)
        for each in range(profile.done, end):
            seen = profile.bins.pop(each, None)
            if seen is True:
                self._something(each)
            elif seen is False:
                self._nothing(each)
        profile.done = max(profile.done, end)

    def _something(self, each: int) -> None:
        here_mm = each * BIN_MM
        self._profile.free_run = 0
        span = self._open
        if span is None:
            cut: Cut = "" if here_mm >= self._whole_from_mm else "at_start"
            self._open = _Span(here_mm, here_mm + BIN_MM, self._last_end_mm, cut)
            return
        span.end_mm = here_mm + BIN_MM
        if span.end_mm - span.start_mm > LENGTH_MAX_MM:
            span.cut = "too_long"

    def _nothing(self, each: int) -> None:
        profile, span = self._profile, self._open
        profile.free_run += 1
        if profile.free_run < GAP_BINS:
            return
        if span is None or each * BIN_MM + BIN_MM < span.end_mm + GAP_BINS * BIN_MM:
            return
        self._open = None
        self._last_end_mm = span.end_mm
        length_mm = span.end_mm - span.start_mm
        if length_mm >= PIECE_BINS * BIN_MM:
            self._closed.append(span)

    # --- spans to passages

    def _passage(self, span: _Span) -> Passage:
        after = self._closed[0].start_mm if self._closed else self._open.start_mm if self._open is not None else None
        left, right = span.start_mm - MARGIN_MM, span.end_mm + MARGIN_MM
        if span.before_mm is not None:
            left = max(left, (span.before_mm + span.start_mm) / 2.0)
        if after is not None:
            right = min(right, (after + span.end_mm) / 2.0)
        first, last = span.start_mm - self._reach_mm - BLUR_MM, span.end_mm + self._reach_mm + BLUR_MM
        looks = [look for look in self._looks if first <= look.travel_mm <= last]
        middle = (span.start_mm + span.end_mm) / 2.0
        lights = sorted(
            (light for light in self._lights if span.start_mm <= light.travel_mm <= span.end_mm),
            key=lambda light: (light.laser, abs(light.travel_mm - middle)),
        )
        return Passage(looks, lights, span.start_mm, span.end_mm, left, right, span.cut)

    def _forget(self, travel_mm: float) -> None:
        oldest = min((span.start_mm for span in (*self._closed, *([self._open] if self._open else []))),
                     default=travel_mm)  # fmt: skip
        oldest = max(oldest, travel_mm - LENGTH_MAX_MM - 2 * self._reach_mm)
        while self._looks[0].travel_mm < oldest - 2 * self._reach_mm:
            self._looks.popleft()

    def _start_anew(self) -> list[Passage]:
        """The belt's travel does not go on from where it was: end what was there, begin as if just started."""
        if self._open is not None:
            self._open.cut = "at_start"
            self._closed.append(self._open)
        ended = [self._passage(span) for span in self._closed]
        self._closed.clear()
        self._looks.clear()
        self._lights.clear()
        self._profile, self._open, self._last_end_mm = _Profile(), None, None
        self._light_mm = -np.inf
        return ended
