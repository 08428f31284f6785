"""The bounded hold of received messages: what waits for its taker, and what was taken but not acknowledged.

Mosquitto 2.0 sends thousands of messages past the Receive Maximum it was given, so the bound is kept here: `full` tells
the connection to stop reading its socket, and TCP does the rest.

PUBACKs leave in order of arrival (MQTT 5, 4.6) whatever the order of `ack`, and never across epochs.
"""

import asyncio
from collections import OrderedDict, deque
from collections.abc import Callable

from messaging.limits import HIGH_WATER_BYTES
from messaging.values import Counters, Delivery


class Inbox:
    """At most `high_water` deliveries and about `bytes_max` bytes of payload held; room is told to `on_room` at half.

    Held are: deliveries of the current epoch that are not acknowledged, taken or not, and waiting ones that need no
    acknowledgement (QoS 0, or received in an earlier epoch: they stay, for the broker may not send them again).
    """

    def __init__(self, *, high_water: int, counters: Counters, bytes_max: int = HIGH_WATER_BYTES) -> None:
        """Bound the hold by `high_water` ≥ 1 deliveries; one more may be held than `bytes_max` has room for."""
        assert high_water >= 1
        assert bytes_max >= 1
        self.high_water = high_water
        self.low_water = high_water // 2
        self.bytes_max = bytes_max
        self.held_bytes = 0
        self.on_room: Callable[[], None] = lambda: None
        self._counters = counters
        self._waiting: deque[Delivery] = deque()
        self._unacked: OrderedDict[int, bool] = OrderedDict()  # mid -> acknowledged by the taker, in order of arrival
        self._sizes: dict[int, int] = {}  # mid -> bytes of its payload
        self._unbound = 0  # waiting deliveries that need no acknowledgement
        self._epoch = 0
        self._arrived = asyncio.Event()
        self._end: BaseException | None = None

    @property
    def held(self) -> int:
        """How many deliveries are held."""
        return len(self._unacked) + self._unbound

    @property
    def full(self) -> bool:
        """Whether reading must stop."""
        return self.held >= self.high_water or self.held_bytes >= self.bytes_max

    @property
    def has_room(self) -> bool:
        """Whether reading may go on after it was stopped."""
        return self.held <= self.low_water and self.held_bytes <= self.bytes_max // 2

    def begin_epoch(self, epoch: int) -> None:
        """Forget what an earlier connection wanted acknowledged; packet ids begin anew."""
        self._epoch = epoch
        self._unacked.clear()
        self._sizes.clear()
        self._unbound = len(self._waiting)
        self.held_bytes = sum(len(each.payload) for each in self._waiting)

    def end_epoch(self) -> None:
        """Forget what the connection that just ended wanted acknowledged: nothing can be acknowledged now."""
        self.begin_epoch(0)

    def put(self, delivery: Delivery) -> None:
        """Hold a delivery that was just received in the current epoch."""
        assert delivery.epoch == self._epoch
        self.held_bytes += len(delivery.payload)
        if delivery.qos:
            self.held_bytes -= self._sizes.get(delivery.mid, 0)  # a broker that repeats itself
            self._sizes[delivery.mid] = len(delivery.payload)
            self._unacked[delivery.mid] = False
        else:
            self._unbound += 1
        self._waiting.append(delivery)
        self._counters.received_total += 1
        self._counters.redelivered_total += delivery.dup
        self._counters.held_max = max(self._counters.held_max, self.held)
        self._arrived.set()

    async def take(self, limit: int) -> list[Delivery]:
        """Wait for a delivery and return up to `limit` of those that wait, oldest first; raise what ended the inbox."""
        while not self._waiting:
            if self._end is not None:
                raise self._end
            self._arrived.clear()
            await self._arrived.wait()
        taken = [self._waiting.popleft() for _ in range(min(limit, len(self._waiting)))]
        unbound = [each for each in taken if not (each.qos and each.epoch == self._epoch)]
        self._unbound -= len(unbound)
        self.held_bytes -= sum(len(each.payload) for each in unbound)
        self._tell_room()
        return taken

    def ack(self, delivery: Delivery) -> list[int]:
        """Mark a delivery and return the packet ids that may now be acknowledged, in order of arrival.

        Empty for QoS 0, while an earlier delivery is open, and, counted, for one of an earlier epoch.
        """
        if delivery.qos == 0:
            return []
        if delivery.epoch != self._epoch:
            self._counters.stale_acks_total += 1
            return []
        if delivery.mid not in self._unacked:  # acknowledged twice: the first one did it
            return []
        self._unacked[delivery.mid] = True
        ready: list[int] = []
        while self._unacked and next(iter(self._unacked.values())):
            mid = self._unacked.popitem(last=False)[0]
            self.held_bytes -= self._sizes.pop(mid, 0)
            ready.append(mid)
        self._counters.acked_total += len(ready)
        self._tell_room()
        return ready

    def end(self, error: BaseException) -> None:
        """Let takers see `error` once they have taken what waits."""
        self._end = error
        self._arrived.set()

    def _tell_room(self) -> None:
        if self.has_room:
            self.on_room()
