"""Temperature and supply, where the machine tells, and nothing where it does not."""

from pathlib import Path

import pytest

from edge.health import temperature_c, throttled


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("0\n", []),
        ("1\n", ["under_voltage"]),
        ("50005\n", ["under_voltage", "throttled", "under_voltage_before", "throttled_before"]),
        ("80000", ["soft_temperature_limit_before"]),
        ("no number", []),
    ],
)
def test_what_the_firmware_says_of_the_supply(tmp_path: Path, text: str, expected: list[str]):
    path = tmp_path / "get_throttled"
    path.write_text(text)
    assert throttled(path) == expected


def test_a_machine_that_does_not_tell(tmp_path: Path):
    assert throttled(tmp_path / "absent") == []
    assert temperature_c(tmp_path / "absent") is None
    (tmp_path / "temp").write_text("48312\n")
    assert temperature_c(tmp_path / "temp") == 48.312
