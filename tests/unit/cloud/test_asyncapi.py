"""The AsyncAPI document: it is one, names every message of the contract, and real messages fit what it says."""

import json
import re
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import jsonschema_rs
import pytest

from cloud.api.asyncapi import CALLS, FRAMES, ROOMS, TOPICS, document, page_of
from cloud.live import StatusPayload, frame_text, sample_bundle, status_bundle
from contract.codec import decode
from contract.messages import MESSAGES
from contract.sample import Sample
from contract.topics import ROOT, parse

REPOSITORY = Path(__file__).parents[3]
GOLDEN = sorted((REPOSITORY / "contract" / "golden").glob("*.json"))
SPECIFICATION = REPOSITORY / "dashboard" / "node_modules" / "@asyncapi" / "specs" / "schemas" / "3.0.0.json"
NOW = datetime(2026, 3, 1, tzinfo=UTC)


def fits(name: str, message: Any) -> None:
    """Hold `message` against what the document says of the message `name`. Raises ValidationError."""
    made = document()
    payload = made["components"]["messages"][name]["payload"]
    jsonschema_rs.validator_for({**payload, "components": made["components"]}).validate(message)


def test_it_is_asyncapi_3() -> None:
    """Goal: any AsyncAPI tool reads it. Method: the specification's own schema, as npm brings it with the page."""
    assert SPECIFICATION.is_file(), "run `make page`"
    schema = json.loads(SPECIFICATION.read_text(encoding="utf-8"))
    validator = jsonschema_rs.validator_for(schema)
    validator.validate(json.loads(json.dumps(document())))
    with pytest.raises(jsonschema_rs.ValidationError):
        validator.validate({**document(), "channels": {"x": {"address": 1}}})


def test_every_reference_leads_somewhere() -> None:
    made = document()
    for reference in re.findall(r'"\$ref": "#/([^"]+)"', json.dumps(made)):
        found: Any = made
        for step in reference.split("/"):
            found = found[step]


def test_every_message_has_its_topic_and_every_topic_is_one() -> None:
    assert set(TOPICS) == set(MESSAGES)
    for topic in TOPICS.values():
        parse(re.sub(r"{[a-z]+}", "x1", f"{ROOT}/{topic.address}"))


@pytest.mark.parametrize("path", GOLDEN, ids=lambda path: path.stem)
def test_golden_messages_fit(path: Path) -> None:
    name = path.stem.partition(".")[0]
    kind = name if name in MESSAGES else name.partition("-")[0]
    fits(kind, json.loads(path.read_bytes()))
    with pytest.raises(jsonschema_rs.ValidationError):
        fits(kind, [])


def test_live_messages_fit() -> None:
    golden = REPOSITORY / "contract" / "golden" / "sample.v1.json"
    bundle = sample_bundle(decode(Sample, golden.read_bytes()), "LL", NOW)
    for text in (*bundle.texts, *status_bundle(StatusPayload(True, False, True), NOW).texts):
        message = json.loads(text)
        fits(message["type"], message)
    fits("ws_error", json.loads(frame_text("error", NOW, error="e", path="$.x")))
    with pytest.raises(jsonschema_rs.ValidationError):
        fits("ws_error", json.loads(frame_text("error", NOW, path="$.x")))


def test_every_frame_is_said_somewhere() -> None:
    said = {name for room in ROOMS.values() for name in (*room.sends, *room.takes)}
    assert set(FRAMES) | set(CALLS) <= said
    assert said <= set(document()["components"]["messages"])


def test_the_page_holds_all_of_it_and_nothing_from_elsewhere() -> None:
    text = page_of(document())
    assert "://" not in text.replace("https://json-schema.org", "")
    assert "<script" not in text
    for name, channel in document()["channels"].items():
        assert f'id="{name}"' in text
        assert channel["address"] in text
    for link in re.findall(r'href="#([^"]+)"', text):
        assert f'id="{link}"' in text
