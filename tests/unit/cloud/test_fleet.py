"""What devices said last: remembered by device, refused where a topic and its message disagree, bounded."""

from datetime import UTC, datetime

import pytest

import cloud.fleet
from cloud.api.fleet import progress_of, sent_at
from cloud.fleet import Fleet
from contract.codec import encode
from contract.errors import ContractError
from contract.messages import CommandResult, ReportedConfiguration
from contract.topics import DeviceTopic

NOW = datetime(2026, 11, 23, 8, tzinfo=UTC)


def report(fleet: Fleet, device: str, revision: int) -> None:
    topic = DeviceTopic("LL", "line1", device, "cfg", ("reported",))
    fleet.take(topic, encode(ReportedConfiguration(revision=revision, settings={"rate_hz": 1.0})), NOW)


def answer(fleet: Fleet, request: str, status: int, *, device: str = "D1", topic: str | None = None) -> None:
    where = DeviceTopic("LL", "line1", device, "res", (topic or request,))
    fleet.take(where, encode(CommandResult(id=request, status=status)), NOW)


def test_the_newest_of_each_kind_is_kept_by_device_and_site() -> None:
    fleet = Fleet()
    report(fleet, "D2", 1)
    report(fleet, "D1", 1)
    report(fleet, "D1", 2)
    assert [(said.device_id, said.reported and said.reported.revision) for said in fleet.at(None)] == [
        ("D1", 2),
        ("D2", 1),
    ]
    assert fleet.at(["LS"]) == []
    assert fleet.said("D3") is None


def test_an_answer_belongs_to_its_device_and_its_topic() -> None:
    fleet = Fleet()
    answer(fleet, "a", 202)
    answer(fleet, "a", 200)
    assert [fleet.answer("D1", "a"), fleet.answer("D2", "a")] == [CommandResult(id="a", status=200), None]
    with pytest.raises(ContractError, match="its topic 'b'"):
        answer(fleet, "a", 200, topic="b")


def test_memory_is_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(cloud.fleet, "DEVICES_MAX", 2)
    monkeypatch.setattr(cloud.fleet, "ANSWERS_MAX", 2)
    fleet = Fleet()
    for name in ("D1", "D2", "D3"):
        report(fleet, name, 1)
        answer(fleet, f"to-{name}", 200)
    assert [said.device_id for said in fleet.at(None)] == ["D2", "D3"]
    assert fleet.answer("D1", "to-D1") is None
    assert fleet.answer("D1", "to-D3") is not None


def test_a_status_says_how_far_and_a_number_says_when() -> None:
    assert [progress_of(status) for status in (202, 200, 409, 503)] == ["begun", "done", "refused", "failed"]
    assert sent_at("0197f3a0-5c00-7000-8000-000000000000") == datetime(2025, 7, 10, 9, 17, 42, 272000, tzinfo=UTC)
