"""The whole agent as a process: simulated bus, real drivers, real broker; killed, started again, stopped."""

import asyncio
import json
import signal
import subprocess
import sys
import time
import uuid
from collections.abc import Awaitable, Callable, Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from contract.codec import decode, encode
from contract.messages import Command, CommandResult, Event, HostState, Receipt, SeqRange, State
from contract.sample import Sample
from contract.topics import DeviceTopic, host_topic, parse
from edge.spool_check import examine
from messaging import Client, Subscription
from tests.kit.fix_broker import OwnBroker

ROOT = Path(__file__).parents[2]
DEADLINE_S = 40.0
STOP_MAX_S = 3.0


@pytest.fixture
def start_agent(tmp_path: Path, mosquitto: OwnBroker) -> Iterator[Callable[[], "subprocess.Popen[bytes]"]]:
    started: list[subprocess.Popen[bytes]] = []

    def start() -> "subprocess.Popen[bytes]":
        options = {
            "bus": "sim",
            "device": "ESP32_LL_01",
            "site": "LL",
            "broker": f"127.0.0.1:{mosquitto.port}",
            "state-dir": str(tmp_path / "state"),
            "speed": "20",
            "seed": "3",
            "lot": "7",
        }
        words = [word for key, value in options.items() for word in (f"--{key}", value)]
        with (tmp_path / "agent.log").open("ab") as log:
            command = [sys.executable, "-m", "sqal", "edge", "run", *words]
            started.append(subprocess.Popen(command, cwd=ROOT, stderr=log))
        return started[-1]

    yield start
    for process in started:
        process.kill()
        process.wait()


async def take(client: Client, samples: list[Sample], events: list[Event], states: list[State]) -> None:
    """Take what came; receipt every sample and event."""
    for delivery in await client.next_batch(100):
        topic = parse(delivery.topic)
        assert isinstance(topic, DeviceTopic)
        message: Sample | Event | None = None
        if topic.kind == "sample":
            message = decode(Sample, delivery.payload)
            samples.append(message)
        elif topic.kind == "event":
            message = decode(Event, delivery.payload)
            events.append(message)
        elif topic.kind == "state":
            states.append(decode(State, delivery.payload))
        client.ack(delivery)
        if message is not None and message.boot_id is not None and message.seq is not None:
            stored = [SeqRange(boot_id=message.boot_id, first_seq=message.seq, last_seq=message.seq)]
            receipt = encode(Receipt(device_id=message.device_id, stored=stored))
            await client.submit(f"sqal/v1/LL/line1/{message.device_id}/receipt", receipt)


async def test_samples_flow_a_kill_loses_nothing_and_a_stop_is_clean(
    start_agent: Callable[[], "subprocess.Popen[bytes]"],
    mosquitto: OwnBroker,
    tmp_path: Path,
    new_client: Callable[..., Awaitable[Client]],
) -> None:
    client = await new_client(mosquitto.port, "cloud", subscriptions=[Subscription("sqal/v1/LL/+/+/+")])
    host = HostState(host="ingest-0", online=True, session=uuid.uuid4())
    await client.publish(host_topic("ingest-0"), encode(host), retain=True)
    samples: list[Sample] = []
    events: list[Event] = []
    states: list[State] = []
    first = await asyncio.to_thread(start_agent)
    async with asyncio.timeout(DEADLINE_S):
        while len(samples) < 60:
            await take(client, samples, events, states)
    first.kill()
    second = await asyncio.to_thread(start_agent)
    async with asyncio.timeout(DEADLINE_S):
        while len({sample.boot_id for sample in samples}) < 2 or len(samples) < 100:
            await take(client, samples, events, states)
    began = time.monotonic()
    second.send_signal(signal.SIGTERM)
    assert await asyncio.to_thread(second.wait, STOP_MAX_S) == 0
    assert time.monotonic() - began <= STOP_MAX_S
    async with asyncio.timeout(DEADLINE_S):
        while states[-1].state != "stopped":
            await take(client, samples, events, states)
    assert [state.state for state in states] == ["online", "lost", "online", "stopped"]
    once = {(event.boot_id, event.seq): event for event in events}  # a receipt not yet written down: it is sent again
    kinds = [event.kind for event in once.values() if event.kind != "ungraded"]
    assert kinds == ["restart", "calibration", "restart"]
    report = examine(tmp_path / "state" / "spool.db")
    assert report.faults == []
    check_numbers(samples, events)
    check_samples(samples)


def check_numbers(samples: list[Sample], events: list[Event]) -> None:
    """Each boot's numbers run from 1 without a hole."""
    numbers: dict[uuid.UUID | None, set[int | None]] = {}
    for message in (*samples, *events):
        numbers.setdefault(message.boot_id, set()).add(message.seq)
    for seqs in numbers.values():
        assert seqs == set(range(1, len(seqs) + 1))


def check_samples(received: list[Sample]) -> None:
    samples = list({sample.sample_id: sample for sample in received}.values())
    assert len({sample.fusion.final_grade for sample in samples}) >= 3
    assert {sample.lot_id for sample in samples} == {7}
    assert len({sample.piece_id for sample in samples}) >= len(samples) // 5
    assert all(sample.calibration and sample.calibration.tof for sample in samples)


def test_a_second_agent_says_who_holds_the_spool(
    start_agent: Callable[[], "subprocess.Popen[bytes]"], tmp_path: Path, mosquitto: OwnBroker
) -> None:
    first = start_agent()
    deadline = time.monotonic() + DEADLINE_S
    while not (tmp_path / "state" / "spool.db").exists():
        assert time.monotonic() < deadline
        assert first.poll() is None
    second = start_agent()
    assert second.wait(DEADLINE_S) == 1
    assert f"another agent (process {first.pid})" in (tmp_path / "agent.log").read_text()


def sqal(*words: str) -> "subprocess.CompletedProcess[str]":
    command = [sys.executable, "-m", "sqal", "edge", *words]
    return subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False, timeout=DEADLINE_S)


def test_probe_tells_what_is_on_the_bus() -> None:
    done = sqal("probe", "--bus", "sim", "--speed", "20", "--json")
    found = json.loads(done.stdout)
    assert done.returncode == 0
    assert found["healthy"] is True
    assert [each["chip"] for each in found["findings"] if each["healthy"]] == ["VL53L8CH", "AS7341"]


def test_probe_without_a_bus_is_a_sentence() -> None:
    done = sqal("probe", "--bus", "linux", "--i2c-bus", "250")
    assert done.returncode == 1
    assert "Traceback" not in done.stderr
    assert "/dev/i2c-250" in done.stderr


@pytest.mark.parametrize(
    ("words", "sentence"),
    [
        (["--site", "LL"], "setting device: is required"),
        (["--device", "D 1", "--site", "LL", "--state-dir", "x"], "setting device:"),
        (["--device", "D1", "--site", "LL", "--state-dir", "x", "--rate-hz", "99"], "setting rate_hz:"),
        (["--device", "D1", "--site", "LL", "--state-dir", "x", "--broker", "nowhere"], "is not host:port"),
        (["--device", "D1", "--site", "LL", "--state-dir", "x", "--bus", "linux", "--speed", "2"], "simulated bus"),
    ],
)
def test_bad_settings_are_named(words: list[str], sentence: str) -> None:
    done = sqal("run", *words)
    assert done.returncode == 2
    assert sentence in done.stderr
    assert "Traceback" not in done.stderr


async def test_commands_and_twin_reach_the_sensors_and_outlive_a_kill(
    start_agent: Callable[[], "subprocess.Popen[bytes]"],
    mosquitto: OwnBroker,
    new_client: Callable[..., Awaitable[Client]],
) -> None:
    """Goal: every command works on the whole agent, a lot never splits a piece, the twin survives SIGKILL."""
    client = await new_client(mosquitto.port, "cloud", subscriptions=[Subscription("sqal/v1/LL/#")])
    first = await asyncio.to_thread(start_agent)
    samples: list[Sample] = []
    results: list[CommandResult] = []

    async def hear(wanted: Callable[[], bool]) -> None:
        async with asyncio.timeout(DEADLINE_S):
            while not wanted():
                for delivery in await client.next_batch(100):
                    topic = parse(delivery.topic)
                    assert isinstance(topic, DeviceTopic)
                    if topic.kind == "sample":
                        samples.append(decode(Sample, delivery.payload))
                    elif topic.kind == "res":
                        results.append(decode(CommandResult, delivery.payload))
                    client.ack(delivery)

    async def command(name: str, **args: object) -> CommandResult:
        command_id = f"c-{name}"
        order = Command(id=command_id, expires_at=datetime.now(UTC) + timedelta(seconds=60), args=args)
        await client.publish(f"sqal/v1/LL/line1/ESP32_LL_01/cmd/{command_id}/{name}", encode(order))
        await hear(lambda: any(each.id == command_id and each.status != 202 for each in results))
        return next(each for each in results if each.id == command_id and each.status != 202)

    await hear(lambda: len(samples) >= 10)
    assert (await command("self-test")).status == 200
    challenge = await command("challenge-test")
    assert (challenge.status, challenge.result["passed"]) == (200, True), challenge
    assert (await command("restart-sensor", chip="AS7341")).status == 200
    assert (await command("set-lot", lot_id=8)).result == {"revision": 1, "lot_id": 8}
    await hear(lambda: samples[-1].lot_id == 8)
    lots: dict[str | None, set[int | None]] = {}
    for sample in samples:
        lots.setdefault(sample.piece_id, set()).add(sample.lot_id)
    assert all(len(each) == 1 for each in lots.values())
    assert (await command("calibrate")).status == 200
    first.kill()
    await asyncio.to_thread(first.wait)
    seen = len(samples)
    await asyncio.to_thread(start_agent)
    await hear(lambda: len(samples) > seen + 5)
    assert {sample.lot_id for sample in samples[seen + 1 :]} == {8}
