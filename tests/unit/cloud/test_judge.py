"""Goal: one message alone is judged rightly; the many ways to be wrong are proven through the broker as well."""

from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cloud.judge import EventFact, Refusal, SampleFact, Verdict, judge
from cloud.store.samples import Place
from tests.kit.samples import as_bytes, event, sample

REGISTRY = {"ESP32_LL_01": Place("ESP32_LL_01", "LL", "line1")}
NOW = datetime(2026, 3, 2, 12, 0, tzinfo=UTC)
TOPIC = "sqal/v1/LL/line1/ESP32_LL_01/sample"


def judged(payload: bytes, topic: str = TOPIC) -> Verdict:
    return judge(topic, payload, registry=REGISTRY, now=NOW, future_s_max=86_400)


def test_a_sample_and_an_event_are_facts() -> None:
    assert isinstance(judged(as_bytes(sample(1))), SampleFact)
    assert isinstance(judged(as_bytes(event(1, "restart")), TOPIC.replace("sample", "event")), EventFact)


def test_the_class_of_the_topic_decides_what_is_read() -> None:
    verdict = judged(as_bytes(event(1, "restart")))
    assert isinstance(verdict, Refusal)
    assert verdict.code == "invalid"


@pytest.mark.parametrize(
    ("final", "flags"), [(0.888, []), (0.898, []), (0.8981, ["fusion_differs"]), (0.5, ["fusion_differs"])]
)
def test_a_fusion_that_differs_is_flagged_and_kept(final: float, flags: list[str]) -> None:
    message = sample(1)
    message["fusion"]["final_score"] = final
    verdict = judged(as_bytes(message))
    assert isinstance(verdict, SampleFact)
    assert verdict.flags == flags
    assert verdict.sample.fusion.final_score == final


def test_scores_are_rounded_before_anything_looks_at_them() -> None:
    message = sample(1, score=0.59996)
    message["as7341"]["analysis"] |= {"freshness_index": 0.499951, "oxidation_index": 0.700049}
    verdict = judged(as_bytes(message))
    assert isinstance(verdict, SampleFact)
    analysis = verdict.sample.as7341.analysis
    assert (verdict.sample.fusion.final_score, analysis.freshness_index, analysis.oxidation_index) == (0.6, 0.5, 0.7)


def test_a_day_ahead_is_the_limit() -> None:
    last = datetime(2026, 3, 3, 12, 0, tzinfo=UTC)
    assert isinstance(judged(as_bytes(sample(1, at=last))), SampleFact)
    assert isinstance(judged(as_bytes(sample(1, at=last.replace(microsecond=1)))), Refusal)


def test_long_past_is_welcome() -> None:
    assert isinstance(judged(as_bytes(sample(1, at=datetime(1970, 1, 1, tzinfo=UTC)))), SampleFact)


@given(st.binary(max_size=300), st.text(max_size=60))
def test_nothing_escapes(payload: bytes, topic: str) -> None:
    assert isinstance(judged(payload), Refusal)
    assert isinstance(judged(payload, topic), Refusal)
