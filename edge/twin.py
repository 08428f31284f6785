"""The device twin: what the cloud wants the device to be set to, applied whole or not at all, kept, and reported.

A revision is taken once. Where one of its keys cannot be had nothing of it is applied, and the report says which key
and why. What has been applied is on disk before it is reported: after a power cut the device is what it said it was.
"""

from collections.abc import Callable, Collection
from pathlib import Path
from typing import Any

import msgspec
import structlog

from contract.bounds import LotId
from contract.messages import DesiredConfiguration, ReportedConfiguration, SamplingMode
from edge.files import durable_text
from quality.recipe import Recipe

FILE_NAME = "twin.json"
log = structlog.get_logger("twin")


class Kept(msgspec.Struct, frozen=True):
    """What of the twin outlives a restart. revision 0: nothing was ever desired."""

    revision: int = 0
    lot_id: LotId | None = None
    rate_hz: float | None = None
    mode: SamplingMode | None = None


class Twin:
    """Lot, rate and mode can be set; a recipe is confirmed when it is the one in use.

    set_lot, set_rate, set_mode are told of a change. modes: those that this device can do.
    lot_id, rate_hz: what holds until the cloud has said otherwise. Raises OSError where `folder` cannot be read.
    """

    def __init__(
        self,
        folder: Path,
        *,
        lot_id: int | None,
        rate_hz: float,
        recipe: Recipe,
        set_lot: Callable[[int], None],
        set_rate: Callable[[float], None],
        mode: SamplingMode = "timed",
        modes: Collection[SamplingMode] = ("free", "timed"),
        set_mode: Callable[[SamplingMode], None] | None = None,
    ) -> None:
        self._path = folder / FILE_NAME
        self._kept = self._load()
        self._recipe = recipe.label
        self._default_lot_id = lot_id
        self._default_rate_hz = rate_hz
        self._set_lot = set_lot
        self._set_rate = set_rate
        self._default_mode: SamplingMode = mode
        self._modes = tuple(modes)
        self._set_mode = set_mode

    @property
    def revision(self) -> int:
        """Of the newest configuration that was taken, refused ones included."""
        return self._kept.revision

    @property
    def lot_id(self) -> int | None:
        """The lot that pieces belong to."""
        return self._default_lot_id if self._kept.lot_id is None else self._kept.lot_id

    @property
    def rate_hz(self) -> float:
        """Measurements a second."""
        return self._default_rate_hz if self._kept.rate_hz is None else self._kept.rate_hz

    @property
    def mode(self) -> SamplingMode:
        """How pieces are sampled."""
        return self._default_mode if self._kept.mode is None else self._kept.mode

    def apply(self, desired: DesiredConfiguration) -> ReportedConfiguration | None:
        """Apply `desired`, or nothing of it; None for a revision that is not newer than the last.

        Raises OSError where it could not be kept; then nothing has changed and the revision can be sent again.
        """
        if desired.revision <= self._kept.revision:
            return None
        errors = self._errors(desired)
        kept = msgspec.structs.replace(self._kept, revision=desired.revision)
        if not errors:
            kept = msgspec.structs.replace(
                kept,
                lot_id=kept.lot_id if desired.lot_id is None else desired.lot_id,
                rate_hz=kept.rate_hz if desired.rate_hz is None else desired.rate_hz,
                mode=kept.mode if desired.mode is None else desired.mode,
            )
        durable_text(self._path, msgspec.json.encode(kept).decode())
        self._kept = kept
        if not errors and desired.lot_id is not None:
            self._set_lot(desired.lot_id)
        if not errors and desired.rate_hz is not None:
            self._set_rate(desired.rate_hz)
        if not errors and desired.mode is not None and self._set_mode is not None:
            self._set_mode(desired.mode)
        return self.report(errors)

    def report(self, errors: dict[str, str]) -> ReportedConfiguration:
        """What holds now."""
        settings: dict[str, Any] = {
            "lot_id": self.lot_id,
            "rate_hz": self.rate_hz,
            "mode": self.mode,
            "recipe": self._recipe,
        }
        return ReportedConfiguration(revision=self._kept.revision, settings=settings, errors=errors)

    def _errors(self, desired: DesiredConfiguration) -> dict[str, str]:
        errors: dict[str, str] = {}
        if desired.recipe is not None and desired.recipe != self._recipe:
            errors["recipe"] = f"this device has only {self._recipe}"
        if desired.mode is not None and desired.mode not in self._modes:
            errors["mode"] = f"this device can do {', '.join(self._modes)}"
        if desired.limits:
            errors["limits"] = "limits belong to the recipe; this device takes none of its own"
        return errors

    def _load(self) -> Kept:
        try:
            return msgspec.json.decode(self._path.read_bytes(), type=Kept)
        except FileNotFoundError:
            return Kept()
        except (msgspec.MsgspecError, UnicodeDecodeError) as error:
            aside = self._path.with_name(f"{FILE_NAME}.damaged")
            self._path.replace(aside)
            log.critical("twin.damaged", reason=str(error), set_aside_as=aside.name)
            return Kept()
