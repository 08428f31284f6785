"""Goal: the watch tells what does not come: health, a sure clock, storage in time; once a change."""

import uuid
from datetime import UTC, datetime

from cloud.alerts import WATCHED
from cloud.lookout import WORDS, Verdict, Watch, observations
from cloud.settings import AlertSettings
from cloud.store.samples import Place
from contract import encode
from contract.messages import Health, State
from contract.sample import ClockQuality
from contract.topics import device_topic

NOW = datetime(2026, 3, 2, 8, 0, tzinfo=UTC)
DEVICE = "ESP32_LL_01"
REGISTRY = {DEVICE: Place(DEVICE, "LL", "line1")}
BOOT = uuid.uuid4()


def health(clock: ClockQuality | None = None) -> bytes:
    made = Health(
        device_id=DEVICE, boot_id=BOOT, timestamp=NOW, period_s=10, uptime_s=1, spool_rows=0, spool_bytes=0, clock=clock
    )
    return encode(made)


def state(word: str) -> bytes:
    return encode(State(device_id=DEVICE, session=BOOT, state=word))  # pyright: ignore  # a Literal


def topic(kind: str) -> str:
    return device_topic("LL", "line1", DEVICE, kind)  # pyright: ignore  # a Literal


def broken(watch: Watch, now_s: float) -> dict[str, bool]:
    return {each.alert_type: each.is_broken for each in watch.verdicts(REGISTRY, now_s)}


def test_a_device_is_silent_after_three_periods_of_its_health_and_heard_again_with_the_next() -> None:
    watch = Watch(AlertSettings())
    assert broken(watch, 0) == {}
    watch.hear(topic("health"), health(), 100)
    assert broken(watch, 130) == {"device_silent": False}
    assert broken(watch, 130.1) == {"device_silent": True}
    watch.hear(topic("health"), health(), 140)
    assert broken(watch, 141) == {"device_silent": False}


def test_who_stopped_on_purpose_is_not_silent_and_who_was_lost_before_we_came_is() -> None:
    watch = Watch(AlertSettings())
    watch.hear(topic("health"), health(), 0)
    watch.hear(topic("state"), state("stopped"), 1)
    assert broken(watch, 1_000) == {"device_silent": False}
    later = Watch(AlertSettings())
    later.hear(topic("state"), state("lost"), 0)
    assert broken(later, 29) == {"device_silent": False}
    assert broken(later, 31) == {"device_silent": True}
    later.hear(topic("state"), state("online"), 32)
    assert broken(later, 33) == {}


def test_a_clock_that_is_unset_or_far_out_is_told() -> None:
    watch = Watch(AlertSettings(clock_error_ms=500))
    for clock, is_bad in (
        (ClockQuality(state="unset"), True),
        (ClockQuality(state="synced", error_ms=20), False),
        (ClockQuality(state="synced", error_ms=900), True),
    ):
        watch.hear(topic("health"), health(clock), 0)
        assert broken(watch, 1)["clock"] is is_bad


def test_a_site_that_is_stored_late_is_told_while_it_is_news() -> None:
    watch = Watch(AlertSettings(lag_s=10))
    watch.note_lag("LL", 12, 0)
    assert broken(watch, 5) == {"ingest_lag": True}
    watch.note_lag("LL", 0.1, 6)
    assert broken(watch, 7) == {"ingest_lag": False}
    assert broken(watch, 60) == {}


def test_a_verdict_is_news_once_and_a_message_that_cannot_be_read_is_counted() -> None:
    watch = Watch(AlertSettings())
    watch.hear(topic("health"), health(), 0)
    first = watch.news(watch.verdicts(REGISTRY, 1))
    assert [each.is_broken for each in first] == [False]  # an alert of an earlier run may be open
    watch.told(first)
    assert watch.news(watch.verdicts(REGISTRY, 2)) == []
    assert len(watch.news(watch.verdicts(REGISTRY, 99))) == 1
    watch.hear(topic("health"), b"{", 0)
    watch.hear("sqal/v1/LL/_alarm/no id", b"{}", 0)
    assert watch.unreadable_total == 2


def test_every_alert_of_the_watch_has_words_and_is_none_of_the_samples() -> None:
    assert set(WORDS) == WATCHED
    verdicts = [
        Verdict(
            name,
            DEVICE,
            "LL",
            "line1",
            is_broken=True,
            parameters={"value": 1, "limit": 2, "channel": "c", "reason": "r"},
        )
        for name in sorted(WORDS)
    ]
    for language in ("fr", "en"):
        for seen in observations(verdicts, now=NOW, language=language):
            assert "{" not in seen.occurrences[0].message
            assert seen.judges(seen.occurrences[0].alert_type)
            assert not seen.judges("quality_low")
