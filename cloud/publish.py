"""What ingest says: receipts, error notices, and whether anybody stores (`_host`)."""

import asyncio
import uuid
from collections.abc import Callable, Sequence
from datetime import datetime

import structlog

from cloud.commit import Refused, Settled, Stored
from cloud.judge import SampleFact
from cloud.receipts import receipts
from cloud.settings import Settings
from contract import encode
from contract.messages import ErrorNotice, HostState
from contract.sample import Wire
from contract.topics import DeviceTopic, TopicClass, device_topic, host_topic
from messaging import Client, MessagingError, Properties

log = structlog.get_logger("ingest")

ERROR_EXPIRY_S = 3_600
REASON_MAX = 500  # of ErrorNotice.reason and .path
GOODBYE_S = 0.5
JSON = Properties(content_type="application/json")
NOTICE = Properties(content_type="application/json", expiry_s=ERROR_EXPIRY_S)

Number = tuple[uuid.UUID, int]


class Publisher:
    """The outgoing half of ingest, on a connection of its own."""

    def __init__(self, client: Client, *, settings: Settings, session: uuid.UUID, now: Callable[[], datetime]) -> None:
        """Speak through `client`, whose will carries the same `session`."""
        self._client = client
        self._settings = settings
        self._session = session
        self._now = now
        self._online = False
        self._changed = asyncio.Event()

    async def tell(self, settled: Sequence[Settled]) -> int:
        """Send receipts and error notices for a committed batch; return how many could not be sent.

        The broker's answers are not awaited: a device that misses a receipt sends again and gets another.
        """
        try:
            for address, receipt in _receipts(settled):
                await self._send(address, "receipt", receipt)
            for each in settled:
                if isinstance(each, Refused) and each.refusal.address is not None:
                    await self._send(each.refusal.address, "error", self._notice(each), NOTICE)
        except MessagingError as error:
            log.warning("receipts could not be sent", why=str(error))
            return 1
        return 0

    def set_online(self, *, online: bool) -> None:
        """Note whether anybody stores; also called at every connect, when it has to be said again."""
        self._online = online
        self._changed.set()

    async def keep_host_state(self) -> None:
        """Say whether anybody stores whenever it changes, for ever."""
        while True:
            await self._changed.wait()
            self._changed.clear()
            await self._client.wait_connected()
            try:
                await self._say_host_state(online=self._online)
            except MessagingError as error:
                log.info("the state of this ingester could not be said", why=str(error))  # said at the next connect

    async def say_goodbye(self) -> None:
        """Say that nobody stores from now on."""
        try:
            async with asyncio.timeout(GOODBYE_S):
                await self._say_host_state(online=False)
        except (MessagingError, TimeoutError) as error:
            log.info("left without a goodbye", why=str(error))

    async def _say_host_state(self, *, online: bool) -> None:
        ingest = self._settings.ingest
        state = host_state(ingest.shard, self._session, ingest.sites, online=online, now=self._now())
        await self._client.publish(host_topic(ingest.shard), encode(state), retain=True, properties=JSON)

    async def _send(self, address: DeviceTopic, kind: TopicClass, message: Wire, properties: Properties = JSON) -> None:
        topic = device_topic(address.site, address.line, address.device, kind)
        await self._client.submit(topic, encode(message), properties=properties)

    def _notice(self, refused: Refused) -> ErrorNotice:
        refusal = refused.refusal
        return ErrorNotice(
            code=refusal.code,
            reason=refusal.detail[:REASON_MAX],
            timestamp=self._now(),
            path=None if refusal.path is None else refusal.path[:REASON_MAX],
            held=refusal.is_held,
            boot_id=refusal.boot_id,
            seq=refusal.seq,
            dead_letter_id=refused.dead_letter_id,
        )


def host_state(shard: str, session: uuid.UUID, sites: list[str], *, online: bool, now: datetime | None) -> HostState:
    """Return the message that says whether an ingester stores the sites of a shard."""
    return HostState(host=shard, online=online, session=session, sites=sites, timestamp=now)


def _receipts(settled: Sequence[Settled]) -> list[tuple[DeviceTopic, Wire]]:
    """Return the receipts of a batch: by the topic that a device wrote to, for there it listens."""
    stored: dict[tuple[str, str, str], list[Number]] = {}
    rejected: dict[tuple[str, str, str], list[Number]] = {}
    for each in settled:
        if isinstance(each, Stored):
            message = each.fact.sample if isinstance(each.fact, SampleFact) else each.fact.event
            _note(stored, each.fact.address, message.boot_id, message.seq)
        elif not each.refusal.is_held and each.refusal.address is not None:
            _note(rejected, each.refusal.address, each.refusal.boot_id, each.refusal.seq)
    made: list[tuple[DeviceTopic, Wire]] = []
    for key in sorted(stored.keys() | rejected.keys()):
        site, line, device = key
        address = DeviceTopic(site, line, device, "receipt")
        parts = receipts(device, stored=stored.get(key, ()), rejected=rejected.get(key, ()))
        made.extend((address, receipt) for receipt in parts)
    return made


def _note(
    numbers: dict[tuple[str, str, str], list[Number]], address: DeviceTopic, boot_id: uuid.UUID | None, seq: int | None
) -> None:
    if boot_id is not None and seq is not None:
        numbers.setdefault((address.site, address.line, address.device), []).append((boot_id, seq))
