"""Virtual time, network and broker for the simulation: an event loop whose clock jumps, a client without a socket."""

import asyncio
import random
import selectors
from collections import deque
from collections.abc import Callable
from typing import Any, Self

from messaging import Delivery, NotConnectedError, PublishResult, StateChange
from messaging.values import Counters

LATENCY_S = (0.001, 0.3)


class JumpingSelector(selectors.SelectSelector):
    """Nothing ever arrives from outside: waiting is done at once, and the clock says that it has been."""

    def __init__(self) -> None:
        super().__init__()
        self.now_s = 0.0

    def select(self, timeout: float | None = None) -> list[Any]:
        assert timeout is not None, "everybody waits for nothing"
        self.now_s += max(timeout, 0.0)
        return []


class VirtualLoop(asyncio.SelectorEventLoop):
    """An event loop on virtual time: the same program, the same order, every time."""

    def __init__(self) -> None:
        self._jumping = JumpingSelector()
        super().__init__(self._jumping)

    def time(self) -> float:
        return self._jumping.now_s


class SimBroker:
    """A broker that forgets everything when it is killed, and says that it took what it took."""

    def __init__(self, chance: random.Random) -> None:
        self.chance = chance
        self.cloud: deque[tuple[str, bytes]] = deque()  # the ingester's session
        self.client: SimClient | None = None  # the device, while it is connected
        self.session: deque[tuple[str, bytes]] = deque()  # the device's, also while it is away
        self.retained: dict[str, bytes] = {}
        self.is_up = True
        self.has_session = False

    def kill(self) -> None:
        """SIGKILL: sessions, queues and retained messages are gone."""
        self.is_up = self.has_session = False
        self.cloud.clear()
        self.session.clear()
        self.retained.clear()
        self.cut()

    def cut(self) -> None:
        """The device's connection ends; nobody knows what of it arrived."""
        if self.client is not None:
            self.client.lose()

    def publish(self, topic: str, payload: bytes, *, retain: bool) -> None:
        """From the device's side or from the cloud's: to whoever takes the topic."""
        if retain:
            self.retained[topic] = payload
        if topic.rsplit("/", 1)[-1] in {"sample", "event"}:
            self.cloud.append((topic, payload))
        elif topic.endswith("/receipt") or "/_host/" in topic:
            self.session.append((topic, payload))
            if self.client is not None:
                self.client.arrived.set()


class SimClient:
    """Stands where `messaging.Client` stands; connects to the broker of its class by itself."""

    broker: SimBroker

    def __init__(self, *, on_state: Callable[[StateChange], None], **_: object) -> None:
        self.counters = Counters()
        self.connected = self.dead = False
        self.arrived = asyncio.Event()
        self._on_state = on_state
        self._unanswered: set[asyncio.Future[PublishResult]] = set()
        self._task: asyncio.Task[None] | None = None
        self._epoch = 0

    async def __aenter__(self) -> Self:
        self._task = asyncio.create_task(self._keep_connected())
        return self

    async def __aexit__(self, *_: object) -> None:
        assert self._task is not None
        self._task.cancel()
        self.lose()

    async def _keep_connected(self) -> None:
        while True:
            await asyncio.sleep(self.broker.chance.uniform(0.05, 2.0))
            if not self.connected and not self.dead and self.broker.is_up:
                broker, self._epoch = self.broker, self._epoch + 1
                present, broker.has_session, broker.client, self.connected = broker.has_session, True, self, True
                self._on_state(StateChange(True, self._epoch, present, 0, "connected"))
                broker.session.extend(broker.retained.items())
                self.arrived.set()

    def lose(self) -> None:
        """The connection is gone."""
        if not self.connected:
            return
        self.connected, self.broker.client = False, None
        for answer in self._unanswered:
            if not answer.done():
                answer.set_exception(NotConnectedError("the connection was lost"))
                answer.exception()
        self._unanswered.clear()
        if not self.dead:
            self._on_state(StateChange(False, self._epoch, False, None, "the connection was lost"))

    async def submit(self, topic: str, payload: bytes, **options: Any) -> "asyncio.Future[PublishResult]":
        await asyncio.sleep(0)
        if not self.connected:
            raise NotConnectedError("no connection")
        loop = asyncio.get_running_loop()
        answer: asyncio.Future[PublishResult] = loop.create_future()
        self._unanswered.add(answer)
        epoch, chance = self._epoch, self.broker.chance
        taken = chance.random() < 0.98  # else the connection ends before it arrives: seen as no answer

        def arrive() -> None:
            if taken and self.connected and self._epoch == epoch:
                self.broker.publish(topic, payload, retain=bool(options.get("retain")))
                loop.call_later(chance.uniform(*LATENCY_S), settle)

        def settle() -> None:
            if not answer.done():
                answer.set_result(PublishResult(0, "", epoch))
            self._unanswered.discard(answer)

        loop.call_later(0.01, arrive)  # in order: TCP does not reorder
        return answer

    async def next_batch(self, limit: int) -> list[Delivery]:
        while not (self.connected and self.broker.session):
            self.arrived.clear()
            await self.arrived.wait()
        batch: list[Delivery] = []
        while self.broker.session and len(batch) < limit:
            topic, payload = self.broker.session.popleft()
            batch.append(Delivery(topic, payload, 1, False, False, self._epoch, 1))
        return batch

    def ack(self, _delivery: Delivery) -> None:
        """Taken is taken."""
