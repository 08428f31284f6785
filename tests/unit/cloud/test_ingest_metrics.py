"""Goal: every counter of the ingester is shown, under a name and with its meaning; strangers' requests harm nothing."""

import re
from dataclasses import fields
from pathlib import Path

import pytest

from cloud.counters import IngestCounters
from cloud.ingest_metrics import COUNTERS, GAUGES, _answer, serve_metrics, text_of
from tests.kit.ports import free_port

SHOWN_OTHERWISE = {"batches_total", "commit_seconds_total", "rows_total"}  # count and sums of the histograms


def test_every_total_is_shown() -> None:
    totals = {each.name for each in fields(IngestCounters) if each.name.endswith("_total")}
    assert totals - SHOWN_OTHERWISE == set(COUNTERS)


def test_batches_fall_into_buckets() -> None:
    counters = IngestCounters(accepted_total=7)
    for rows, seconds in ((1, 0.004), (200, 0.03), (9_999, 60.0)):
        counters.note_batch(rows, seconds)
    text = text_of(counters, dict.fromkeys(GAUGES, 2.0))
    lines = text.splitlines()
    assert "sqal_ingest_accepted_total 7" in lines
    assert 'sqal_ingest_batch_rows_bucket{le="1"} 1' in lines
    assert 'sqal_ingest_batch_rows_bucket{le="300"} 2' in lines
    assert 'sqal_ingest_commit_seconds_bucket{le="+Inf"} 3' in lines
    assert "sqal_ingest_batch_rows_sum 10200.000000" in lines
    assert "# TYPE sqal_ingest_held_messages gauge" in lines
    assert "# TYPE sqal_ingest_notifications_sent_total counter" in lines
    assert all(line.startswith("#") or line.rpartition(" ")[2].replace(".", "").isdigit() for line in lines)


@pytest.mark.parametrize(
    ("line", "status"),
    [
        (b"GET /metrics HTTP/1.1", b"200"),
        (b"GET /livez HTTP/1.1", b"200"),
        (b"GET /readyz?x=1 HTTP/1.1", b"503"),
        (b"POST /metrics HTTP/1.1", b"405"),
        (b"GET /../etc/passwd HTTP/1.1", b"404"),
        (b"\xff\xfe", b"405"),
        (b"", b"405"),
    ],
)
def test_requests(line: bytes, status: bytes) -> None:
    assert _answer(line, IngestCounters(), {"storing": 0.0}).split(b" ")[1] == status


async def test_a_taken_port_stops_nobody() -> None:
    port = free_port()
    async with serve_metrics(port, IngestCounters(), dict), serve_metrics(port, IngestCounters(), dict):
        pass


def test_every_metric_of_the_rules_exists() -> None:
    rules = Path(__file__).parents[3] / "docs" / "monitoring" / "prometheus-rules-ingest.yml"
    text = text_of(IngestCounters(), dict.fromkeys(GAUGES, 0.0))
    names = set(re.findall(r"\bsqal_ingest_[a-z_]+[a-z]\b", rules.read_text()))
    assert names
    assert all(name in text for name in names)


def test_every_metric_is_described_where_operators_look() -> None:
    page = (Path(__file__).parents[3] / "docs" / "operations.md").read_text()
    assert [name for name in (*COUNTERS, *GAUGES) if f"`{name}`" not in page] == []
