"""The configuration that is written is one that the agent takes, and what a person changed stays."""

import configparser
import shutil
import subprocess
from pathlib import Path

import pytest

from edge.installing import CONFIG, UNIT, install
from edge.settings import load


def test_the_written_configuration_is_read_by_the_agent(tmp_path: Path) -> None:
    first = install(
        tmp_path, device="PI_LL_01", site="LL", broker_host="mqtt.example.com", command="/opt/sqal/bin/sqal"
    )
    assert [each.written for each in first] == [True, True]
    config = tmp_path / CONFIG.relative_to("/")
    settings = load(config, {}, {})
    assert (settings.device, settings.site, settings.bus, settings.broker_port) == ("PI_LL_01", "LL", "linux", 8883)
    assert config.stat().st_mode & 0o007 == 0
    config.write_text(config.read_text().replace("rate_hz = 1.0", "rate_hz = 5.0"))
    again = install(tmp_path, device="OTHER", site="LS", broker_host="x", command="sqal")
    assert [each.written for each in again] == [True, False]
    assert load(config, {}, {}).rate_hz == 5.0


def test_the_unit_has_few_rights_and_is_watched(tmp_path: Path) -> None:
    install(tmp_path, device="PI_LL_01", site="LL", broker_host="x", command="/opt/sqal/bin/sqal")
    unit = configparser.ConfigParser(strict=False)  # systemd adds up repeated keys
    unit.optionxform = str  # type: ignore[method-assign,assignment]
    unit.read(tmp_path / UNIT.relative_to("/"))
    service = unit["Service"]
    assert service["Type"] == "notify"
    assert service["User"] == "sqal"
    assert service["ExecStart"] == f"/opt/sqal/bin/sqal edge run --config {CONFIG}"
    assert service["ProtectSystem"] == "strict"
    assert service["CapabilityBoundingSet"] == ""
    assert service["DeviceAllow"] == "char-i2c rw"
    assert int(service["WatchdogSec"]) > 0


def test_systemd_itself_finds_no_fault_with_the_unit_and_little_exposure(tmp_path: Path) -> None:
    """systemd reads every key (verify), and counts what the agent could still reach: below 2.5 of 10."""
    analyse = shutil.which("systemd-analyze")
    if analyse is None:
        pytest.fail("the program systemd-analyze is not installed: apt-get install systemd")
    install(tmp_path, device="PI_LL_01", site="LL", broker_host="x", command="/bin/true")
    unit = str(tmp_path / UNIT.relative_to("/"))
    verified = subprocess.run([analyse, "verify", unit], capture_output=True, text=True, check=False, timeout=60)
    assert "Unknown key" not in verified.stderr
    assert UNIT.name not in verified.stderr, verified.stderr
    command = [analyse, "security", "--offline=true", "--threshold=25", unit]
    exposed = subprocess.run(command, capture_output=True, text=True, check=False, timeout=60)
    assert exposed.returncode == 0, exposed.stdout[-400:] + exposed.stderr
