"""Faults of the light: glare, a dead lamp, dirt on the windows; as those of drivers.sim.troubles."""

from dataclasses import dataclass, replace

from drivers.sim.spoiled import Installation
from drivers.sim.troubles import Active, Rig, Undo


@dataclass(frozen=True, slots=True)
class Glare:
    """Light from outside on the spectral sensor, enough to saturate it: the shroud is open, a welder works nearby."""

    uw_cm2: float = 20_000.0

    def begin(self, rig: Rig) -> Active:
        """From now on."""
        return _Changed(rig.installation, glare_uw_cm2=self.uw_cm2)


@dataclass(frozen=True, slots=True)
class DeadLamp:
    """The lamp gives `share` of its light."""

    share: float = 0.0

    def begin(self, rig: Rig) -> Active:
        """From now on."""
        return _Changed(rig.installation, lamp=self.share)


@dataclass(frozen=True, slots=True)
class DirtyWindow:
    """Fat on the windows: `transmission` passes, and it throws light of the laser back, `film_kcps` per SPAD.

    The ranging chip's own crosstalk changes from its next start on, its dimming at once.
    """

    transmission: float = 0.6
    film_kcps: float = 200.0

    def begin(self, rig: Rig) -> Active:
        """From now on."""
        clean = rig.tof.optics
        rig.tof.optics = replace(clean, film_kcps=self.film_kcps)

        def undo() -> None:
            rig.tof.optics = clean

        changed = _Changed(rig.installation, transmission=self.transmission)
        changed.also = undo
        return changed


class _Changed(Active):
    """The installation, other than it was."""

    def __init__(
        self,
        installation: Installation,
        *,
        transmission: float | None = None,
        lamp: float | None = None,
        glare_uw_cm2: float | None = None,
    ) -> None:
        self.also: Undo | None = None
        self._installation = installation
        self._before = (installation.transmission, installation.lamp, installation.glare_uw_cm2)
        if transmission is not None:
            installation.transmission = transmission
        if lamp is not None:
            installation.lamp = lamp
        if glare_uw_cm2 is not None:
            installation.glare_uw_cm2 = glare_uw_cm2

    def end(self) -> None:
        place = self._installation
        place.transmission, place.lamp, place.glare_uw_cm2 = self._before
        if self.also is not None:
            self.also()
