"""Samples that arrive by WebSocket go on as MQTT like all others, and their senders learn what became of them.

A sample is numbered, gets site and line of its device, is published, and counts as stored when ingest's receipt says
so. What ingest would refuse because of the registry is refused here, before it travels.
"""

import asyncio
import random
import uuid
from collections import defaultdict
from typing import Literal

from msgspec.structs import replace

from cloud.clock import Clock
from cloud.ids import uuid7
from cloud.pending import Fate, Pending
from cloud.registry import Registry, RegistryAwayError
from cloud.store.samples import Place
from contract.bounds import MESSAGE_BYTES_MAX
from contract.codec import encode
from contract.errors import ContractError
from contract.sample import Sample
from contract.topics import device_topic
from messaging.client import Client
from messaging.errors import MessagingError
from messaging.values import Properties

RECEIPT_WAIT_S = 10.0  # a commit takes 50 ms; past this the sender is told that nobody knows yet
JSON = Properties(content_type="application/json")


class Boot:
    """One connection's numbering: a boot id, and for each device on it the numbers from 1."""

    def __init__(self, boot_id: uuid.UUID) -> None:
        self.boot_id = boot_id
        self._numbers: defaultdict[str, int] = defaultdict(int)

    def stamp(self, sample: Sample, place: Place) -> Sample:
        """`sample` with the next number of its device, where that stands, and that it came by WebSocket."""
        self._numbers[sample.device_id] += 1
        seq, site, line = self._numbers[sample.device_id], place.site_code, place.line
        return replace(sample, boot_id=self.boot_id, seq=seq, site_code=site, line=line, origin="ws")


class Gateway:
    """The way from `/ws/sensors/` to the broker and back."""

    def __init__(
        self, *, client: Client, pending: Pending, registry: Registry, clock: Clock, rng: random.Random
    ) -> None:
        self._client = client
        self._pending = pending
        self._registry = registry
        self._clock = clock
        self._rng = rng

    def new_boot(self) -> Boot:
        """The numbering of a new connection."""
        return Boot(uuid7(int(self._clock.now().timestamp() * 1000), self._rng))

    async def place_of(self, sample: Sample) -> Place:
        """Where the sample's device stands. Raises ContractError when the registry does not agree with the sample."""
        try:
            place = await self._registry.place_of(sample.device_id)
        except RegistryAwayError as error:
            raise ContractError("$.device_id", str(error)) from error
        if place is None:
            raise ContractError("$.device_id", f"no device {sample.device_id!r} is registered")
        if sample.site_code not in (None, place.site_code):
            detail = f"says {sample.site_code!r}, the device stands at {place.site_code!r}"
            raise ContractError("$.site_code", detail)
        return place

    async def deliver(self, sample: Sample, place: Place) -> Fate:
        """Publish a stamped sample and wait for what becomes of it."""
        payload = encode(sample)
        if len(payload) > MESSAGE_BYTES_MAX:
            detail = f"{len(payload)} bytes without what we drop, at most {MESSAGE_BYTES_MAX} travel"
            return Fate("rejected", detail, "$")
        assert sample.boot_id is not None, "stamped"
        assert sample.seq is not None, "stamped"
        fate = self._pending.expect(sample.device_id, sample.boot_id, sample.seq)
        step: Literal["unsent", "unanswered"] = "unsent"
        try:
            async with asyncio.timeout(RECEIPT_WAIT_S):
                await self._client.publish(_topic(sample, place), payload, properties=JSON)
                step = "unanswered"
                return await fate
        except TimeoutError:
            words = {
                "unsent": "the broker did not take it in time; send it again",
                "unanswered": "not stored yet: published, but there is no receipt so far; it is still in flight",
            }
            return Fate("unknown", words[step])
        except MessagingError as error:
            return Fate("unknown", f"not stored: the broker did not take it ({error}); send it again")
        finally:
            self._pending.forget(sample.device_id, sample.boot_id, sample.seq)


def _topic(sample: Sample, place: Place) -> str:
    return device_topic(place.site_code, place.line, sample.device_id, "sample")
