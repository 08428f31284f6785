"""Goal: one command makes a device that the production broker lets in, and prints what the device really takes."""

from pathlib import Path

import psycopg
import pytest
from click.testing import CliRunner

from edge.settings import load
from sqal.cli import main
from tests.kit.fix_database import Database
from tests.kit.fix_pki import SecureBroker


@pytest.fixture
def arguments(store: Database, secure_broker: SecureBroker, monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """What every call needs here: the authority, the access list and the running broker."""
    monkeypatch.setenv("SQAL_DATABASE_URL", store.dsn)
    return [
        *("--broker-name", "localhost", "--broker-port", str(secure_broker.ports["devices"])),
        *("--pki", str(secure_broker.pki.folder), "--acl", str(secure_broker.folder / "broker" / "acl")),
        *("--broker-pid", str(secure_broker.process.pid)),
    ]


def test_a_new_device_is_let_in_and_speaks_in_its_subtree(
    secure_broker: SecureBroker, store: Database, arguments: list[str], tmp_path: Path
) -> None:
    done = CliRunner().invoke(main, ["device", "add", "PI_LL_02", "--site", "LL", *arguments])
    assert done.exit_code == 0, done.output
    printed = tmp_path / "edge.toml"
    printed.write_text(done.stdout)
    settings = load(printed, {}, {})
    assert (settings.device, settings.site, settings.broker_port) == ("PI_LL_02", "LL", secure_broker.ports["devices"])
    with psycopg.connect(store.dsn) as connection:
        row = connection.execute("SELECT site_code FROM sqal_devices WHERE device_id = 'PI_LL_02'").fetchone()
    assert row == ("LL",)
    peer = secure_broker.client("PI_LL_02")
    assert peer.connect() == "Success"
    assert peer.publish("sqal/v1/LL/line1/PI_LL_02/sample") in ("Success", "No matching subscribers")
    assert peer.publish("sqal/v1/LL/line1/ESP32_LL_01/sample") == "Not authorized"


def test_a_header_for_a_microcontroller(secure_broker: SecureBroker, arguments: list[str]) -> None:
    done = CliRunner().invoke(main, ["device", "add", "ESP32_LL_02", "--site", "LL", "--esp32", *arguments])
    assert done.exit_code == 0, done.output
    assert '#define SQAL_TOPIC_SAMPLE "sqal/v1/LL/line1/ESP32_LL_02/sample"' in done.stdout
    assert done.stdout.count("BEGIN CERTIFICATE") == 2
    assert done.stdout.count("PRIVATE KEY-----") == 2


def test_what_is_refused_leaves_nothing_behind(
    secure_broker: SecureBroker, store: Database, arguments: list[str]
) -> None:
    for name, site, words in (
        ("PI_XX_01", "XX", "there is no site XX"),
        ("ESP32_LL_01", "LL", "there is a device ESP32_LL_01 already"),
        ("sqal-serve", "LL", "sqal-serve has a certificate"),
    ):
        done = CliRunner().invoke(main, ["device", "add", name, "--site", site, *arguments])
        assert done.exit_code == 1, done.output
        assert words in done.output
    with psycopg.connect(store.dsn) as connection:
        found = connection.execute("SELECT COUNT(*) FROM sqal_devices").fetchone()
    assert found == (3,)
