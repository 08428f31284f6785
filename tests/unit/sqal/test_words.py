"""The page has words, in both languages, for everything that devices say of their sensors."""

import re
from pathlib import Path

import pytest

from drivers.sim.timeline import PRESETS
from edge.pieces import CUT_REASONS, FRAMES_MISSED
from edge.watch import DIRTY
from quality.texts import SENSOR_CODES, UNGRADED_CODES

TEXTS = Path(__file__).parents[3] / "dashboard" / "src" / "i18n"


def table(language: str, name: str) -> set[str]:
    found = re.search(rf"\n    {name}: {{\n(.*?)\n    }},", (TEXTS / f"{language}-sensors.ts").read_text(), re.DOTALL)
    assert found is not None
    return {key.strip("'") for key in re.findall(r"^ +('?[\w-]+'?): ", found.group(1), re.MULTILINE)}


@pytest.mark.parametrize("language", ["fr", "en"])
def test_the_page_knows_every_cause_and_every_play(language: str) -> None:
    assert table(language, "causes") == table(language, "advice") == SENSOR_CODES
    assert table(language, "plays") == set(PRESETS)


@pytest.mark.parametrize("language", ["fr", "en"])
def test_the_page_knows_every_reason_why_a_piece_is_not_graded(language: str) -> None:
    """Goal: nobody reads a code such as frames_missed in place of words."""
    known = set(re.findall(r"^      (\w+): '", (TEXTS / f"{language}.ts").read_text(), re.MULTILINE))
    assert {*CUT_REASONS.values(), FRAMES_MISSED, DIRTY} <= UNGRADED_CODES <= known
