"""Settings: three sources, one value, and an error that names the key."""

from pathlib import Path

import pytest

from edge.settings import Settings, SettingsError, load

WHO = {"device": "D1", "site": "LL", "state_dir": "/nowhere"}


def test_command_line_over_environment_over_file(tmp_path: Path) -> None:
    path = tmp_path / "edge.toml"
    path.write_text('device = "D1"\nsite = "LL"\nstate_dir = "s"\nrate_hz = 2\nspeed = 3\nseed = 4\nbus = "sim"\n')
    settings = load(path, {"SQAL_EDGE_SPEED": "5", "SQAL_EDGE_SEED": "6", "OTHER": "x"}, {"seed": 7, "line": None})
    assert (settings.rate_hz, settings.speed, settings.seed, settings.line) == (2.0, 5.0, 7, "line1")
    assert settings.state_dir == Path("s")


@pytest.mark.parametrize(
    ("values", "key"),
    [
        ({"devise": "D1"}, "devise"),
        ({"rate_hz": 99.0}, "rate_hz"),
        ({"site": "LONG"}, "site"),
        ({"bus": "linux", "speed": 2.0}, "combination"),
    ],
)
def test_a_fault_is_named(values: dict[str, object], key: str) -> None:
    with pytest.raises(SettingsError) as caught:
        load(None, {}, WHO | values)
    assert caught.value.key == key


def test_an_unknown_key_in_the_environment_is_an_error() -> None:
    with pytest.raises(SettingsError, match="there is no such setting") as caught:
        load(None, {"SQAL_EDGE_RATE_HERZ": "1"}, WHO)
    assert caught.value.key == "rate_herz"


def test_what_is_required_is_named() -> None:
    with pytest.raises(SettingsError, match="site: is required"):
        load(None, {}, {"device": "D1"})


def test_a_file_that_is_not_toml_is_a_sentence(tmp_path: Path) -> None:
    path = tmp_path / "edge.toml"
    path.write_text("= = =")
    with pytest.raises(SettingsError, match="is not TOML"):
        load(path, {}, {})


def test_settings_are_frozen() -> None:
    with pytest.raises(AttributeError):
        load(None, {}, WHO).rate_hz = 3.0  # type: ignore[misc]
    assert Settings.__struct_config__.forbid_unknown_fields
