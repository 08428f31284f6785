"""What a line refuses before it starts anything: a sentence each, and nothing left behind."""

from pathlib import Path

import pytest

from sqal.demo import line as line_module
from sqal.demo.line import Line
from sqal.demo.plan import Plan, free_port
from sqal.parts.child import PartError


def test_a_full_disk_is_a_sentence_that_names_folder_and_need(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(line_module, "DISK_FREE_BYTES_MIN", 1 << 60)
    line = Line(Plan(data=tmp_path / "data", port=free_port()))
    with pytest.raises(PartError, match=r"disk that holds .*data is full: the demo needs \d+ MiB, \d+ are free"):
        line.start()
    assert sorted(path.name for path in (tmp_path / "data").iterdir()) == ["lock"]


def test_a_folder_that_cannot_be_made_is_a_sentence(tmp_path: Path):
    (tmp_path / "file").write_text("in the way")
    line = Line(Plan(data=tmp_path / "file" / "data", port=free_port()))
    with pytest.raises(PartError, match="cannot be used: Not a directory"):
        line.start()


def test_a_refused_line_lets_go_of_its_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(line_module, "DISK_FREE_BYTES_MIN", 1 << 60)
    for _ in range(2):
        with pytest.raises(PartError, match="is full"):
            Line(Plan(data=tmp_path / "data", port=free_port())).start()
