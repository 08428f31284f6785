"""The device twin: what the cloud wants the device to be set to, applied as far as this device can, and reported."""

from collections.abc import Callable
from typing import Any

from contract.messages import DesiredConfiguration, ReportedConfiguration
from quality.recipe import Recipe


class Twin:
    """Lot and rate can be set; a recipe is confirmed when it is the one in use. set_lot, set_rate apply at once."""

    def __init__(
        self,
        *,
        lot_id: int | None,
        rate_hz: float,
        recipe: Recipe,
        set_lot: Callable[[int], None],
        set_rate: Callable[[float], None],
    ) -> None:
        self._revision = 0
        self._settings: dict[str, Any] = {"lot_id": lot_id, "rate_hz": rate_hz, "recipe": recipe.label}
        self._set_lot = set_lot
        self._set_rate = set_rate

    def apply(self, desired: DesiredConfiguration) -> ReportedConfiguration | None:
        """Apply what can be; None for a revision that is not newer than the last."""
        if desired.revision <= self._revision:
            return None
        self._revision = desired.revision
        errors: dict[str, str] = {}
        if desired.lot_id is not None:
            self._settings["lot_id"] = desired.lot_id
            self._set_lot(desired.lot_id)
        if desired.rate_hz is not None:
            self._settings["rate_hz"] = desired.rate_hz
            self._set_rate(desired.rate_hz)
        if desired.recipe is not None and desired.recipe != self._settings["recipe"]:
            errors["recipe"] = f"this device has only {self._settings['recipe']}"
        if desired.limits:
            errors["limits"] = "limits belong to the recipe; this device takes none of its own"
        return ReportedConfiguration(revision=desired.revision, settings=dict(self._settings), errors=errors)
