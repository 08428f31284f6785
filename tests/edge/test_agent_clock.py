"""P7: a whole agent whose wall clock begins in 1970, is set, and is stepped by an hour each way, loses and misorders
nothing.

Method: libfaketime stands between the agent and its wall clock and reads the offset from a file; monotonic time is
untouched, as on a Raspberry Pi without a clock of its own. A cloud of a few lines stores and sends receipts.
"""

import asyncio
import importlib.util
import os
import subprocess
import sys
import uuid
from collections.abc import Awaitable, Callable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from itertools import pairwise
from pathlib import Path

import pytest

from contract.codec import encode
from contract.messages import Event, HostState, State
from contract.sample import Sample
from contract.topics import host_topic
from edge.spool_check import UnreadableSpoolError, examine
from messaging import Client, Subscription
from tests.edge.test_agent import check_numbers, take
from tests.kit.fix_broker import OwnBroker

ROOT = Path(__file__).parents[2]
DEADLINE_S = 100.0
HOUR = timedelta(hours=1)
SLACK = timedelta(seconds=5)


@dataclass(frozen=True, slots=True)
class Clock:
    """The wall clock that the agent sees."""

    file: Path
    process: "subprocess.Popen[bytes]"

    def set(self, words: str) -> None:
        """In faketime's words; the file is whole at every moment."""
        write_clock(self.file, words)


def write_clock(file: Path, words: str) -> None:
    part = file.with_suffix(".part")
    part.write_text(words)
    part.rename(file)


@pytest.fixture
def agent_of_1970(tmp_path: Path, mosquitto: OwnBroker) -> Iterator[Clock]:
    found = importlib.util.find_spec("libfaketime")
    assert found is not None
    assert found.submodule_search_locations
    library = Path(found.submodule_search_locations[0]) / "vendor" / "libfaketime" / "src" / "libfaketime.so.1"
    if not library.exists():
        pytest.fail(f"the wall clock cannot be stepped: {library.name} is not in the package for this machine")
    file = tmp_path / "clock"
    write_clock(file, "@1970-01-01 00:00:10")
    environment = os.environ | {
        "LD_PRELOAD": str(library),
        "FAKETIME_TIMESTAMP_FILE": str(file),
        "FAKETIME_NO_CACHE": "1",
        "FAKETIME_DONT_FAKE_MONOTONIC": "1",
    }
    words = [
        "--bus", "sim", "--device", "ESP32_LL_01", "--site", "LL", "--broker", f"127.0.0.1:{mosquitto.port}",
        "--state-dir", str(tmp_path / "state"), "--speed", "20", "--seed", "3", "--lot", "7",
    ]  # fmt: skip
    with (tmp_path / "agent.log").open("ab") as log:
        process = subprocess.Popen(
            [sys.executable, "-m", "sqal", "edge", "run", *words], cwd=ROOT, env=environment, stderr=log
        )
    yield Clock(file, process)
    process.kill()
    process.wait()


class Cloud:
    """What has arrived and been receipted."""

    def __init__(self, client: Client) -> None:
        self.samples: list[Sample] = []
        self.events: list[Event] = []
        self.states: list[State] = []
        self._client = client

    async def more(self, count: int) -> list[Sample]:
        """Until `count` further samples that were not there before have come."""
        before, had = {sample.seq for sample in self.samples}, len(self.samples)
        async with asyncio.timeout(DEADLINE_S):
            while len({sample.seq for sample in self.samples} - before) < count:
                await take(self._client, self.samples, self.events, self.states)
        return self.samples[had:]

    async def event(self, kind: str, count: int) -> None:
        """Until there have been `count` events of a kind."""
        async with asyncio.timeout(DEADLINE_S):
            while len({event.seq for event in self.events if event.kind == kind}) < count:
                await take(self._client, self.samples, self.events, self.states)


@pytest.mark.timeout(400)
async def test_a_start_in_1970_and_steps_of_an_hour_lose_and_misorder_nothing(
    agent_of_1970: Clock, mosquitto: OwnBroker, tmp_path: Path, new_client: Callable[..., Awaitable[Client]]
) -> None:
    client = await new_client(mosquitto.port, "cloud", subscriptions=[Subscription("sqal/v1/LL/+/+/+")])
    host = HostState(host="ingest-0", online=True, session=uuid.uuid4())
    await client.publish(host_topic("ingest-0"), encode(host), retain=True)
    cloud = Cloud(client)
    began = datetime.now(UTC)
    await until_timeless(tmp_path / "state" / "spool.db", 25, agent_of_1970.process)
    agent_of_1970.set("+0")
    first = await cloud.more(25)
    assert all(began - SLACK <= sample.timestamp <= datetime.now(UTC) + SLACK for sample in first)
    agent_of_1970.set("+3600")
    await cloud.event("clock_step", 1)
    ahead = (await cloud.more(10))[-5:]
    assert all(began + HOUR - SLACK <= sample.timestamp <= datetime.now(UTC) + HOUR + SLACK for sample in ahead)
    agent_of_1970.set("+0")
    await cloud.event("clock_step", 2)
    back = (await cloud.more(10))[-5:]
    assert all(began - SLACK <= sample.timestamp <= datetime.now(UTC) + SLACK for sample in back)
    check_numbers(cloud.samples, cloud.events)
    check_order(cloud)
    assert examine(tmp_path / "state" / "spool.db").faults == []


async def until_timeless(path: Path, rows: int, process: "subprocess.Popen[bytes]") -> None:
    """Until the spool holds `rows` messages without a time: none of them is sent before it has one."""
    async with asyncio.timeout(DEADLINE_S):
        while await asyncio.to_thread(timeless, path) < rows:
            assert process.poll() is None


def timeless(path: Path) -> int:
    """How many messages wait for a time in the spool at `path`."""
    try:
        return examine(path).timeless
    except UnreadableSpoolError:
        return 0  # the agent is just making it


def check_order(cloud: Cloud) -> None:
    """By number, time goes forward but for the one step back; nothing came in two forms or from 1970."""
    forms: dict[int | None, set[bytes]] = {}
    for message in (*cloud.samples, *cloud.events):
        assert message.timestamp.year >= 2026
        forms.setdefault(message.seq, set()).add(encode(message).replace(b',"hist":true', b""))
    assert all(len(each) == 1 for each in forms.values())
    times = [sample.timestamp for sample in sorted(cloud.samples, key=lambda sample: sample.seq or 0)]
    backward = [later - earlier for earlier, later in pairwise(times) if later < earlier]
    assert len(backward) == 1
    assert abs(backward[0] + HOUR) < timedelta(minutes=1)
