"""Recipes as people hand them in and look at them: read strictly, compared field by field, named by label. Pure.

What `quality` ships as its default is a recipe like any other, and is there without being stored.
"""

import re
from collections.abc import Mapping
from typing import Any

import msgspec

from contract.bounds import INT_MAX
from quality.recipe import DEFAULT_RECIPE, Recipe

NAME = r"^[A-Za-z0-9][A-Za-z0-9._-]{0,79}$(?!\n)"
_LABEL = re.compile(r"([A-Za-z0-9][A-Za-z0-9._-]{0,79})@([1-9][0-9]{0,9})")


class RecipeError(Exception):
    """A recipe cannot be had as asked. `path`: the field at fault, `reason`: a sentence."""

    def __init__(self, path: str, reason: str) -> None:
        super().__init__(f"{path}: {reason}")
        self.path = path
        self.reason = reason


class Change(msgspec.Struct, frozen=True):
    """A field in which two recipes differ."""

    path: str
    before: Any
    after: Any


def parse_label(label: str) -> tuple[str, int]:
    """Name and version of a label such as `foie-gras@2`. Raises RecipeError."""
    found = _LABEL.fullmatch(label)
    if found is None or int(found[2]) > INT_MAX:
        raise RecipeError("recipe", f"{label[:100]!r} is no name@version such as {DEFAULT_RECIPE.label}")
    return found[1], int(found[2])


def read_recipe(values: Mapping[str, Any]) -> Recipe:
    """The recipe that `values` describe; a field left out has its default. Raises RecipeError, an unknown field too."""
    try:
        recipe = msgspec.convert(dict(values), Recipe)
    except msgspec.ValidationError as error:
        raise RecipeError(*_path_and_reason(str(error))) from None
    unknown = _unknown(values, msgspec.to_builtins(recipe))
    if unknown is not None:
        raise RecipeError(unknown, "a recipe has no such field")
    if re.match(NAME, recipe.name) is None:
        raise RecipeError("name", "must be letters, digits, '.', '_' and '-', at most 80, the first a letter or digit")
    return recipe


def recipe_values(recipe: Recipe) -> dict[str, Any]:
    """Every field of `recipe` as JSON values."""
    return msgspec.to_builtins(recipe)


def differences(before: Recipe, after: Recipe) -> list[Change]:
    """Every field in which the two differ, name and version aside, in the order of the fields."""
    old, new = (_flat(recipe_values(each)) for each in (before, after))
    names = [name for name in new if name not in ("name", "version")]
    return [Change(name, old[name], new[name]) for name in names if old[name] != new[name]]


def _flat(values: Mapping[str, Any], prefix: str = "") -> dict[str, Any]:
    flat: dict[str, Any] = {}
    for name, value in values.items():
        if isinstance(value, dict):
            flat |= _flat(value, f"{prefix}{name}.")  # pyright: ignore[reportUnknownArgumentType]  # of JSON
        else:
            flat[prefix + name] = value
    return flat


def _unknown(given: Mapping[str, Any], known: Mapping[str, Any], prefix: str = "") -> str | None:
    """The path of a field of `given` that is none of `known`."""
    for name, value in given.items():
        if name not in known:
            return f"{prefix}{name}"
        if isinstance(value, Mapping) and isinstance(known[name], Mapping):
            inner = _unknown(value, known[name], f"{prefix}{name}.")  # pyright: ignore[reportUnknownArgumentType]
            if inner is not None:
                return inner
    return None


def _path_and_reason(text: str) -> tuple[str, str]:
    """Of msgspec's sentence, or of ours inside it: the field's path without `$.`, and what is wrong."""
    reason, _, path = text.partition(" - at `$")
    where = path.rstrip("`").lstrip(".")
    named = re.match(r"([a-z_.0-9]+): (.+)", reason)
    if named is not None:  # `quality` names the field by itself
        return named[1], named[2]
    return where or "values", reason
