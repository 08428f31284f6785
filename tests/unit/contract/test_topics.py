"""Topics: what is built can be parsed, and nothing outside the tree is."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from contract import TopicError
from contract.topics import (
    CLASSES,
    DETAILS,
    AlarmTopic,
    DeviceTopic,
    HostTopic,
    alarm_topic,
    device_topic,
    host_topic,
    parse,
    subscription,
)

segment = st.from_regex(r"[A-Za-z0-9][A-Za-z0-9_-]{0,20}", fullmatch=True)


@given(site=segment, line=segment, device=segment, kind=st.sampled_from(sorted(CLASSES)), data=st.data())
def test_device_topics_round_trip(site: str, line: str, device: str, kind: str, data: st.DataObject):
    least, most = DETAILS.get(kind, (0, 0))
    detail = data.draw(st.lists(segment, min_size=least, max_size=most))
    topic = device_topic(site, line, device, kind, *detail)  # pyright: ignore[reportArgumentType]
    assert parse(topic) == DeviceTopic(site, line, device, kind, tuple(detail))  # pyright: ignore[reportArgumentType]


@given(segment, segment)
def test_system_topics_round_trip(site: str, name: str):
    assert parse(alarm_topic(site, name)) == AlarmTopic(site, name)
    assert parse(host_topic(name)) == HostTopic(name)


@pytest.mark.parametrize(
    "topic",
    [
        "",
        "sqal/v1",
        "sqal/v2/LL/line1/D/sample",
        "/sqal/v1/LL/line1/D/sample",
        "sqal/v1/LL/line1/D",
        "sqal/v1/LL/line1/D/nothing",
        "sqal/v1/LL/line1/D/sample/more",
        "sqal/v1/LL/line1/D/cfg",
        "sqal/v1/LL/line1/D/cmd/1",
        "sqal/v1/_x/line1/D/sample",
        "sqal/v1/LL/line1/D D/sample",
        "sqal/v1/LL//D/sample",
        "sqal/v1/LL/line1/+/sample",
        "sqal/v1/LL/line1/é/sample",
        "sqal/v1/_host/a/b/state",
        "sqal/v1/LL/line1/" + "x" * 101 + "/sample",
    ],
)
def test_whatever_is_outside_the_tree_is_refused(topic: str):
    with pytest.raises(TopicError):
        parse(topic)


@given(st.text(max_size=60))
def test_noise_is_refused_as_a_topic_error(noise: str):
    with pytest.raises(TopicError):
        parse(noise)


def test_a_bad_segment_never_gets_into_a_topic():
    for bad in ("", "a/b", "+", "#", "_x", "a\n"):
        with pytest.raises(TopicError):
            device_topic("LL", "line1", bad, "sample")
        with pytest.raises(TopicError):
            alarm_topic(bad, "x")
        with pytest.raises(TopicError):
            host_topic(bad)


def test_subscriptions_name_one_class():
    assert subscription("sample") == "sqal/v1/+/+/+/sample"
    assert subscription("cfg", "reported", device="D") == "sqal/v1/+/+/D/cfg/reported"
