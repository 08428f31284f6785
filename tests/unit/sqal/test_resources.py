"""The files that travel with the code are found, and a missing one is named."""

import pytest

from sqal.resources import resource_path


def test_shipped_files_are_found() -> None:
    assert resource_path("broker/mosquitto.conf").is_file()
    assert resource_path("sql").is_dir()


def test_a_missing_file_is_named() -> None:
    with pytest.raises(FileNotFoundError, match=r"no_such\.file is in neither of"):
        resource_path("no_such.file")
