"""Goal: `sqal channel` does what it says, on a real database, and names what is wrong."""

from pathlib import Path

import psycopg
import pytest
from click.testing import CliRunner, Result

from sqal.commands.channel import channel
from tests.kit.fix_database import Database
from tests.kit.fix_ingest import rows, value

SETTLED = """CREATE OR REPLACE FUNCTION settled() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN
        NEW.state := 'STATE'; NEW.last_error := 'no route'; RETURN NEW; END $$;
    CREATE OR REPLACE TRIGGER settled BEFORE INSERT ON sqal_notifications FOR EACH ROW EXECUTE FUNCTION settled()"""


@pytest.fixture
def secret(tmp_path: Path) -> Path:
    file = tmp_path / "secret"
    file.write_text("0123456789abcdef0123456789abcdef\n")
    return file


def run(store: Database, secret: Path | None, *words: str) -> Result:
    environment = {"SQAL_DATABASE_URL": store.dsn, "SQAL_NOTIFY_SECRET_FILE": None if secret is None else str(secret)}
    return CliRunner().invoke(channel, list(words), env=environment)


def test_a_channel_is_made_changed_listed_and_forgotten(store: Database, secret: Path) -> None:
    made = run(store, secret, "put", "chef", "email", "chef@usine.example", "--from", "critical", "--site", "LL")
    assert made.exit_code == 0, made.output
    assert run(store, secret, "put", "panneau", "mqtt", "usine/alertes", "--off").exit_code == 0
    listed = run(store, secret, "list").output.splitlines()
    assert [" ".join(line.split()) for line in listed] == [
        "chef email from critical LL chef@usine.example",
        "panneau mqtt from warning every site usine/alertes (off)",
    ]
    assert run(store, secret, "put", "chef", "email", "nuit@usine.example").exit_code == 0
    query = "SELECT target, min_severity, sites FROM sqal_channels WHERE name = 'chef'"
    assert rows(store.dsn, query) == [("nuit@usine.example", "warning", None)]
    assert run(store, secret, "remove", "chef").output == "chef is forgotten\n"
    gone = run(store, secret, "remove", "chef")
    assert (gone.exit_code, gone.output) == (1, "Error: there is no channel 'chef'\n")


def test_what_cannot_be_is_refused_with_its_reason(store: Database, secret: Path) -> None:
    refused = run(store, secret, "put", "chef", "email", "nobody")
    assert (refused.exit_code, refused.output) == (1, "Error: 'nobody' is no e-mail address\n")
    assert value(store.dsn, "SELECT count(*) FROM sqal_channels") == 0
    assert run(store, secret, "put", "chef", "pigeon", "north").exit_code == 2
    assert "there is no channel 'none'" in run(store, secret, "test", "none").output


def test_the_key_of_a_webhook_is_its_own_and_needs_a_secret(store: Database, secret: Path) -> None:
    keys = {run(store, secret, "key", name).output for name in ("a", "b")}
    assert len(keys) == 2
    without = run(store, None, "key", "a")
    assert without.exit_code == 1
    assert "notify.secret_file is not set" in without.output


def test_a_test_says_what_became_of_the_message(store: Database, secret: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Nobody sends here: what an ingester would note is noted by hand, by a trigger."""
    monkeypatch.setattr("sqal.commands.channel.POLL_S", 0.01)
    monkeypatch.setattr("sqal.commands.channel.TEST_S", 0.05)
    run(store, secret, "put", "panneau", "mqtt", "usine/alertes")
    waits = run(store, secret, "test", "panneau")
    assert (waits.exit_code, "still waits" in waits.output) == (1, True)
    for state, code, words in (("sent", 0, "was sent"), ("dead", 1, "was not sent: no route")):
        with psycopg.connect(store.dsn) as connection:
            connection.execute(SETTLED.replace("STATE", state).encode())
        told = run(store, secret, "test", "panneau")
        assert (told.exit_code, words in told.output) == (code, True), told.output
