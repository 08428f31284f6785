"""Goal: settings are read once, the environment wins, and a wrong key is named."""

from pathlib import Path

import pytest

from cloud.settings import Settings, SettingsError, load_settings


def test_without_anything_the_defaults_hold() -> None:
    assert load_settings(None, {}) == Settings()


def test_the_environment_wins_over_the_file(tmp_path: Path) -> None:
    file = tmp_path / "sqal.toml"
    file.write_text('[broker]\nhost = "b"\nport = 1\n[ingest]\nsites = ["LL"]\n[database]\nurl = "postgresql://a"\n')
    settings = load_settings(
        file,
        {"SQAL_BROKER_PORT": "1884", "SQAL_INGEST_SITES": "LS,MT", "DATABASE_URL": "postgresql://b", "HOME": "/"},
    )
    assert (settings.broker.host, settings.broker.port) == ("b", 1884)
    assert settings.ingest.sites == ["LS", "MT"]
    assert settings.database.url == "postgresql://b"


def test_our_own_variable_wins_over_database_url() -> None:
    settings = load_settings(None, {"DATABASE_URL": "postgresql://a", "SQAL_DATABASE_URL": "postgresql://b"})
    assert settings.database.url == "postgresql://b"


@pytest.mark.parametrize(
    ("toml", "environment", "words"),
    [
        ("[brokr]\n", {}, "brokr: there is no such key"),
        ("[broker]\nprot = 1\n", {}, "broker.prot: there is no such key"),
        ('[broker]\nport = "x"\n', {}, "broker.port: "),
        ("[broker]\nport = 70000\n", {}, "broker.port: "),
        ("broker = 1\n", {}, "broker: "),
        ("broker = [\n", {}, "no TOML"),
        ("", {"SQAL_BROKER_PROT": "1"}, "SQAL_BROKER_PROT"),
        ("", {"SQAL_BROKER_PORT": "many"}, "broker.port: "),
        ("broker = 1\n", {"SQAL_BROKER_PORT": "1"}, "broker must be a table"),
        ('[database]\nitm_column = "itm; DROP"\n', {}, "database.itm_column: "),
    ],
)
def test_a_wrong_key_is_named(tmp_path: Path, toml: str, environment: dict[str, str], words: str) -> None:
    file = tmp_path / "sqal.toml"
    file.write_text(toml)
    with pytest.raises(SettingsError, match=words):
        load_settings(file, environment)


def test_variables_of_the_devices_are_passed_over() -> None:
    assert load_settings(None, {"SQAL_EDGE_SITE": "LL"}) == Settings()


def test_a_file_that_is_not_there_is_a_sentence(tmp_path: Path) -> None:
    with pytest.raises(SettingsError, match="cannot be read: No such file"):
        load_settings(tmp_path / "none.toml", {})
