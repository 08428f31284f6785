"""From MQTT to viewers: what devices and ingest say goes to the hub as it comes, with or without a database.

One client of the broker for all viewers; its session is clean, for a viewer has no use for what happened while nobody
looked. A backlog sample (`hist`) never replaces a newer one of its device. What is no message of the contract is
counted here and nothing else: ingest keeps the evidence.
"""

import random
from dataclasses import dataclass

import structlog
from msgspec.structs import replace

from cloud.broker import password, tls_context
from cloud.clock import Clock
from cloud.fleet import Fleet
from cloud.hub import Filters, Hub, passes
from cloud.links import Links
from cloud.live import (
    DevicePayload,
    StatusPayload,
    alarm_bundle,
    device_bundle,
    health_bundle,
    sample_bundle,
    status_bundle,
)
from cloud.pending import Pending
from cloud.replay import Memory
from cloud.settings import BrokerSettings
from contract.codec import decode
from contract.errors import ContractError
from contract.messages import Alarm, ErrorNotice, Health, HostState, Receipt, State
from contract.sample import Sample
from contract.topics import ALL_ALARMS, ALL_HOSTS, AlarmTopic, DeviceTopic, HostTopic, parse, subscription
from messaging.client import Client
from messaging.values import Delivery, StateChange, Subscription

DEVICES_MAX = 10_000  # whose newest sample is remembered; past that the one remembered longest goes
BATCH_MAX = 100

_log = structlog.get_logger("sqal.relay")


@dataclass(frozen=True, slots=True)
class Latest:
    """The newest sample of a device, as it came."""

    sample: Sample
    site_code: str

    def passes(self, filters: Filters) -> bool:
        """Whether a viewer with `filters` wants it."""
        sample = self.sample
        return passes(filters, sample.device_id, self.site_code, sample.fusion.final_grade)


@dataclass(slots=True)
class Counters:
    """Totals since start."""

    relayed: int = 0
    unreadable: int = 0  # no message of the contract, or not from the device of its topic
    outdated: int = 0  # backlog that is older than what is shown, or a repetition
    stored: int = 0  # receipts and alarms: signs that REST would answer differently now


class Relay:
    """Reads the broker and feeds the hub. `run` it as a task while its client is open."""

    def __init__(self, hub: Hub, clock: Clock) -> None:
        self.hub = hub
        self.pending = Pending()
        self.fleet = Fleet()
        self.links = Links(self._announce)
        self.counters = Counters()
        self.memory = Memory()
        self._clock = clock
        self._latest: dict[str, Latest] = {}
        self._alarms: dict[str, Alarm] = {}

    async def run(self, client: Client) -> None:
        """Relay what `client` receives, until cancelled. The client acknowledges by itself: viewers may miss some."""
        while True:
            for delivery in await client.next_batch(BATCH_MAX):
                self.take(delivery)

    def on_state(self, change: StateChange) -> None:
        """The connection to the broker came or went."""
        self.links.set_broker(connected=change.connected)

    def newest(self, filters: Filters, sites: frozenset[str] | None = None) -> Latest | None:
        """The newest sample at `sites` (None: all) that passes `filters`, of those remembered since start."""
        found = [
            each
            for each in self._latest.values()
            if (sites is None or each.site_code in sites) and each.passes(filters)
        ]
        return max(found, key=lambda each: each.sample.timestamp, default=None)

    def take(self, delivery: Delivery) -> None:
        """Relay one message, or count why not."""
        try:
            topic = parse(delivery.topic)
            if isinstance(topic, AlarmTopic):
                self.counters.stored += 1
                self._take_alarm(topic, delivery)
            elif isinstance(topic, HostTopic):
                online = bool(delivery.payload) and decode(HostState, delivery.payload).online
                self.links.set_host(topic.host, online=online)
            elif delivery.payload:
                self._take_device(topic, delivery.payload)
        except ContractError as error:
            self.counters.unreadable += 1
            _log.debug("unreadable", topic=delivery.topic, error=str(error))

    def _take_device(self, topic: DeviceTopic, payload: bytes) -> None:
        now = self._clock.now()
        self.fleet.take(topic, payload, now)
        if topic.kind == "sample":
            self._take_sample(topic, decode(Sample, payload))
        elif topic.kind == "state":
            state = decode(State, payload)
            self.hub.publish(device_bundle(DevicePayload(topic.device, topic.site, state.state), now))
        elif topic.kind == "health":
            health = decode(Health, payload)
            self.hub.publish(health_bundle(health, topic.site, now))
        elif topic.kind == "receipt":
            receipt = decode(Receipt, payload)
            self._check(topic, receipt.device_id)
            self.counters.stored += 1
            self.pending.take_receipt(receipt)
        elif topic.kind == "error":
            self.pending.take_error(topic.device, decode(ErrorNotice, payload))

    def _take_sample(self, topic: DeviceTopic, sample: Sample) -> None:
        self._check(topic, sample.device_id)
        if sample.site_code is not None and sample.site_code != topic.site:
            raise ContractError("$.site_code", f"says {sample.site_code!r}, its topic {topic.site!r}")
        known = self._latest.get(sample.device_id)
        if known is not None and _is_outdated(sample, known.sample):
            self.counters.outdated += 1
            return
        if known is None and len(self._latest) >= DEVICES_MAX:
            del self._latest[next(iter(self._latest))]
        self._latest[sample.device_id] = Latest(sample, topic.site)
        self.counters.relayed += 1
        now = self._clock.now()
        bundle = sample_bundle(sample, topic.site, now)
        self.memory.keep(now, (sample.device_id, sample.sample_id), bundle)
        self.hub.publish(bundle)

    def _take_alarm(self, topic: AlarmTopic, delivery: Delivery) -> None:
        """Relay an alarm that is new or changed; those that the broker kept for us are known to viewers from REST."""
        if not delivery.payload:  # how an alarm's end is told
            ended = self._alarms.pop(topic.alarm_id, None)
            if ended is not None:
                self.hub.publish(alarm_bundle(replace(ended, state="cleared"), self._clock.now()))
            return
        alarm = decode(Alarm, delivery.payload)
        if alarm.id != topic.alarm_id or alarm.site_code != topic.site:
            raise ContractError("$.id", "differs from its topic")
        known = self._alarms.get(alarm.id)
        if alarm.state == "cleared":
            self._alarms.pop(alarm.id, None)
        else:
            self._alarms[alarm.id] = alarm
        if known != alarm and not (delivery.retain and known is None):
            self.hub.publish(alarm_bundle(alarm, self._clock.now()))

    def _check(self, topic: DeviceTopic, device_id: str) -> None:
        if device_id != topic.device:
            raise ContractError("$.device_id", f"says {device_id!r}, its topic {topic.device!r}")

    def _announce(self, status: StatusPayload) -> None:
        _log.info("links", database=status.database_connected, broker=status.broker_connected, storing=status.storing)
        self.hub.publish(status_bundle(status, self._clock.now()))


def _is_outdated(sample: Sample, shown: Sample) -> bool:
    """Whether `sample` must not replace `shown`: backlog that is older, or the same once more.

    A live sample is never outdated by its time: a clock that ran ahead and was set right would blind the view.
    """
    if sample.sample_id == shown.sample_id and sample.timestamp == shown.timestamp:
        return True
    return sample.hist and sample.timestamp <= shown.timestamp


def relay_client(broker: BrokerSettings, relay: Relay, rng: random.Random) -> Client:
    """The broker's client of this server: clean session, an id of its own, everything that viewers and senders need.

    Raises SettingsError for a certificate or password that cannot be read.
    """
    kinds = [subscription("sample"), subscription("state"), subscription("health"), subscription("receipt")]
    kinds += [subscription("meta"), subscription("cfg", "reported"), subscription("res", "+")]
    kinds += [subscription("error"), ALL_ALARMS, ALL_HOSTS]
    return Client(
        host=broker.host,
        port=broker.port,
        client_id=f"sqal-serve-{rng.getrandbits(64):016x}",
        rng=rng,
        # "as published" would make a live alarm look like one that the broker had kept
        subscriptions=[Subscription(each, retain_as_published=False) for each in kinds],
        clean_start=True,
        session_expiry_s=0,
        keepalive_s=broker.keep_alive_s,
        tls=tls_context(broker),
        username=broker.username,
        password=password(broker),
        ack_on_take=True,
        on_state=relay.on_state,
    )
