"""Which recipe is in use on which device. Pure; the store says what was activated.

Of the activations that reach a device (everywhere, its site, itself) the latest counts. A recipe that cannot be used
is a sentence in its place: analysis refuses with it, alerts keep the limits of the default recipe.
"""

import json
from collections.abc import Iterable
from functools import lru_cache
from typing import NamedTuple

from cloud.recipes import RecipeError, read_recipe
from quality.recipe import DEFAULT_RECIPE, AlertLimits, Recipe

REMEMBERED_MAX = 256  # a plant has a dozen versions in use at most


class Activation(NamedTuple):
    """The latest activation of one scope; `values` is the stored recipe as JSON, None where none is stored."""

    number: int
    site_code: str | None
    device_id: str | None
    name: str
    version: int
    values: str | None


class RecipesInUse:
    """The recipe of every device, as last told by `put`; before that the default one."""

    def __init__(self) -> None:
        self._activations: frozenset[Activation] = frozenset()
        self._scopes: dict[tuple[str | None, str | None], Activation] = {}

    def put(self, activations: Iterable[Activation]) -> list[str]:
        """Take what is active now in place of what was; sentences about recipes that became unusable by it."""
        known, self._activations = self._activations, frozenset(activations)
        self._scopes = {(each.site_code, each.device_id): each for each in self._activations}
        fresh = [_recipe_of(each) for each in self._activations - known]
        return sorted({each for each in fresh if isinstance(each, str)})

    def of(self, device_id: str, site_code: str) -> Recipe | str:
        """The recipe of a device, or why the one that was activated cannot be used."""
        scopes = ((None, None), (site_code, None), (None, device_id), (site_code, device_id))
        found = [self._scopes[scope] for scope in scopes if scope in self._scopes]
        return _recipe_of(max(found)) if found else DEFAULT_RECIPE

    def limits(self, device_id: str, site_code: str) -> AlertLimits:
        """The alert limits of a device; those of the default recipe where its own cannot be used."""
        if not self._scopes:
            return DEFAULT_RECIPE.alerts
        recipe = self.of(device_id, site_code)
        return DEFAULT_RECIPE.alerts if isinstance(recipe, str) else recipe.alerts


@lru_cache(REMEMBERED_MAX)
def _recipe_of(activation: Activation) -> Recipe | str:
    label = f"{activation.name}@{activation.version}"
    if label == DEFAULT_RECIPE.label:
        return DEFAULT_RECIPE
    if activation.values is None:
        return f"there is no recipe {label}"
    try:
        return read_recipe(json.loads(activation.values))
    except RecipeError as error:
        return f"the recipe {label} cannot be used: {error}"
