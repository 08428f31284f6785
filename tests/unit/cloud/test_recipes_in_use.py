"""Goal: the recipe of a device is the latest activation that reaches it; an unusable one is a sentence, no end."""

import json

from cloud.recipes import recipe_values
from cloud.recipes_in_use import Activation, RecipesInUse
from quality.recipe import DEFAULT_RECIPE, AlertLimits, Recipe


def text_of(recipe: Recipe) -> str:
    return json.dumps(recipe_values(recipe))


STRICT = Recipe(name="strict", alerts=AlertLimits(score_low=0.8))


def test_without_any_activation_everybody_uses_the_default() -> None:
    found = RecipesInUse()
    assert found.of("d", "LL") is DEFAULT_RECIPE
    assert found.limits("d", "LL") == AlertLimits()


def test_the_latest_activation_that_reaches_a_device_counts_whatever_its_scope() -> None:
    found = RecipesInUse()
    site = Activation(1, "LL", None, "strict", 1, text_of(STRICT))
    everywhere = Activation(2, None, None, DEFAULT_RECIPE.name, DEFAULT_RECIPE.version, None)
    own = Activation(3, None, "a", "strict", 1, text_of(STRICT))
    found.put([site])
    assert [found.limits("a", code).score_low for code in ("LL", "LS")] == [0.8, 0.6]
    found.put([site, everywhere])
    assert found.limits("a", "LL").score_low == 0.6
    found.put([site, everywhere, own])
    assert [found.limits(name, "LL").score_low for name in ("a", "b")] == [0.8, 0.6]


def test_an_unusable_recipe_is_told_once_and_leaves_the_default_limits() -> None:
    found = RecipesInUse()
    broken = Activation(1, None, None, "broken", 2, json.dumps({"name": "broken", "weight_tof": 7}))
    gone = Activation(2, "LS", None, "gone", 1, None)
    assert len(found.put([broken, gone])) == 2
    assert found.put([broken, gone]) == []
    assert "broken@2 cannot be used: weight_tof" in str(found.of("d", "LL"))
    assert found.of("d", "LS") == "there is no recipe gone@1"
    assert found.limits("d", "LL") == AlertLimits()
