"""The hub: who gets what, in which order, what a slow viewer is told, and that nobody waits for anybody."""

import asyncio
import json

import pytest

from cloud.hub import Bundle, Filters, Hub, HubFullError, Viewer, ViewerStalledError
from contract.bounds import GRADES, Grade


def sample(n: int, *, device: str = "D1", site: str = "LL", grade: Grade = "A") -> Bundle:
    return Bundle("sample", (f"tof {n}", f"spectral {n}", f"fusion {n}"), device, site, grade)


def alert(n: int, *, device: str | None = "D1", site: str = "LL") -> Bundle:
    return Bundle("alert", (f"alert {n}",), device, site)


async def everything(viewer: Viewer) -> list[str]:
    """All that waits for `viewer`."""
    texts: list[str] = []
    while viewer.has_something:
        texts += await viewer.take()
    return texts


async def test_each_viewer_gets_all_in_order() -> None:
    hub = Hub()
    viewers = [hub.join(Filters()) for _ in range(3)]
    for n in range(2):
        hub.publish(sample(n))
    for viewer in viewers:
        texts = await everything(viewer)
        assert texts == ["tof 0", "spectral 0", "fusion 0", "tof 1", "spectral 1", "fusion 1"]
    assert (hub.counters.published, hub.counters.delivered, hub.counters.missed) == (6, 18, 0)


async def test_a_message_is_encoded_once_for_all() -> None:
    hub = Hub()
    first, second = hub.join(Filters()), hub.join(Filters())
    hub.publish(sample(1))
    assert [id(text) for text in await first.take()] == [id(text) for text in await second.take()]


@pytest.mark.parametrize(
    ("filters", "bundle", "passes"),
    [
        (Filters(), sample(1), True),
        (Filters(device_id="D1"), sample(1), True),
        (Filters(device_id="D2"), sample(1), False),
        (Filters(site_code="LL"), sample(1), True),
        (Filters(site_code="LS"), sample(1), False),
        (Filters(site_code="LL", device_id="D2"), sample(1), False),
        (Filters(site_code="LS"), alert(1), False),
        (Filters(device_id="D2"), alert(1), False),
        (Filters(device_id="D2"), alert(1, device=None), True),
        (Filters(min_grade="A+"), alert(1), True),
        (Filters(site_code="LS", device_id="D2", min_grade="A+"), Bundle("status", ("links",)), True),
    ],
)
def test_filters(filters: Filters, bundle: Bundle, passes: bool) -> None:
    assert bundle.passes(filters) is passes


def test_a_least_grade_lets_the_better_ones_pass() -> None:
    for least, wanted in enumerate(GRADES):
        passing = [grade for grade in GRADES if sample(1, grade=grade).passes(Filters(min_grade=wanted))]
        assert passing == list(GRADES[: least + 1])


async def test_a_slow_viewer_is_told_what_it_missed_and_nobody_else_is_touched() -> None:
    hub = Hub(backlog_max=3)
    slow, quick = hub.join(Filters()), hub.join(Filters())
    seen: list[str] = []
    for n in range(5):
        hub.publish(alert(n) if n == 1 else sample(n))
        seen += await everything(quick)
    assert len(seen) == 13
    assert "gap" not in "".join(seen)
    gap, *rest = await everything(slow)
    assert json.loads(gap) == {"type": "gap", "missed": 4, "missed_alerts": 1}
    assert rest == [f"{part} {n}" for n in (2, 3, 4) for part in ("tof", "spectral", "fusion")]
    assert hub.counters.missed == 4


async def test_each_gap_is_told_once_and_counts_add_up() -> None:
    hub = Hub(backlog_max=1)
    viewer = hub.join(Filters())
    told = 0
    for _ in range(4):
        for n in range(3):
            hub.publish(sample(n))
        told += json.loads((await viewer.take())[0])["missed"]
        assert len(await viewer.take()) == 3
    assert told == hub.counters.missed == hub.counters.published - hub.counters.delivered


async def test_a_viewer_that_takes_nothing_is_put_out() -> None:
    hub = Hub()
    viewer = hub.join(Filters())
    sent: list[str] = []

    async def send(text: str) -> None:
        sent.append(text)
        if len(sent) == 2:
            await asyncio.Event().wait()

    hub.publish(sample(1))
    with pytest.raises(ViewerStalledError):
        await viewer.pump(send, stall_s=0.01)
    assert sent == ["tof 1", "spectral 1"]
    assert hub.counters.evicted == 1


async def test_who_left_gets_nothing_and_is_forgotten() -> None:
    hub = Hub()
    viewer = hub.join(Filters())
    hub.leave(viewer)
    hub.leave(viewer)
    hub.publish(sample(1))
    assert await everything(viewer) == []
    assert len(hub) == 0


async def test_a_full_hub_refuses() -> None:
    hub = Hub(viewers_max=1)
    viewer = hub.join(Filters())
    with pytest.raises(HubFullError, match="1 viewers"):
        hub.join(Filters())
    hub.leave(viewer)
    hub.join(Filters())


async def test_an_answer_goes_to_one_viewer_and_an_empty_one_to_nobody() -> None:
    hub = Hub()
    first, second = hub.join(Filters()), hub.join(Filters())
    first.post("pong")
    first.post("")
    assert await everything(first) == ["pong"]
    assert await everything(second) == []


async def test_who_wants_the_latest_gets_the_newest_of_each_device() -> None:
    hub = Hub(backlog_max=3)
    viewer = hub.join(Filters())
    viewer.coalesces = True
    for n in range(5):
        hub.publish(sample(n))
    hub.publish(alert(1))
    assert await viewer.take() == ("tof 4", "spectral 4", "fusion 4")
    hub.publish(sample(5))
    assert len(await viewer.take()) == 1
    assert await viewer.take() == ("tof 5", "spectral 5", "fusion 5")
    assert (hub.counters.coalesced, hub.counters.missed) == (12, 0)
    assert not viewer.has_something


async def test_rights_are_stronger_than_filters() -> None:
    hub = Hub()
    viewer = hub.join(Filters(site_code="LL"), sites=frozenset({"LS"}))
    hub.publish(sample(1))
    assert await everything(viewer) == []
    assert viewer.sites_shown == []
