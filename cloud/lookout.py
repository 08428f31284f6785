"""The lookout: what no sample can say, because it is about samples that do not come. Pure; told of time and messages.

A device is silent when its `health` is, for some periods, or when the broker said that it is lost; one that stopped on
purpose is not, and one that never sends health (a simple sensor) is never judged. Only the active ingester of a shard
watches, in the session that holds the shard's lock, so nothing is judged twice. A verdict is told once, when it
changes: what a restart forgot is judged again, and the life cycle of the alert knows that it is open already.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime

from cloud.alerts import Observation, Occurrence
from cloud.settings import AlertSettings
from cloud.store.samples import Place
from contract import ContractError, TopicError, decode
from contract.bounds import Severity
from contract.messages import Health, State
from contract.topics import DeviceTopic, TopicClass, parse, subscription
from messaging import Subscription
from quality.texts import Language

DEFAULT_PERIOD_S = 10.0  # of health, until a device has said its own
UNJUDGED_LAG_S = 30.0  # lag that was seen longer ago says nothing about now

WORDS: dict[str, tuple[Severity, str, str]] = {
    "device_silent": ("critical", "Appareil muet depuis {value} s", "Device silent for {value} s"),
    "clock": (
        "warning",
        "Horloge de l'appareil non fiable ({value})",
        "Clock of the device not to be trusted ({value})",
    ),
    "ingest_lag": (
        "warning",
        "Enregistrement en retard de {value} s (limite {limit} s)",
        "Storage is {value} s late (limit {limit} s)",
    ),
    "notification_dead": (
        "critical",
        "Notification abandonnée : canal {channel}, {reason}",
        "Notification given up: channel {channel}, {reason}",
    ),
}


@dataclass(frozen=True, slots=True)
class Verdict:
    """Whether a rule of the watch is broken now; device None: it is about the site."""

    alert_type: str
    device_id: str | None
    site_code: str
    line: str
    is_broken: bool
    parameters: Mapping[str, float | str] = field(default_factory=dict[str, "float | str"])


@dataclass(slots=True)
class Heard:
    """What one device was last heard to say; times are monotonic seconds."""

    health_s: float | None = None
    lost_s: float | None = None
    is_stopped: bool = False
    period_s: float = DEFAULT_PERIOD_S
    clock: str | None = None


class Watch:
    """What was heard of the devices of a shard."""

    def __init__(self, limits: AlertSettings) -> None:
        self._limits = limits
        self._devices: dict[str, Heard] = {}
        self._lags: dict[str, tuple[float, float]] = {}  # by site: least lag of the last batch, when that was
        self._told: dict[tuple[str, str | None, str], bool] = {}
        self.unreadable_total = 0

    @property
    def devices(self) -> int:
        """How many devices were heard."""
        return len(self._devices)

    def hear(self, topic: str, payload: bytes, now_s: float) -> None:
        """Take in `health` and `state` of a device; all else is passed over."""
        try:
            address = parse(topic)
            if not isinstance(address, DeviceTopic) or not payload:
                return
            heard = self._devices.setdefault(address.device, Heard())
            if address.kind == "health":
                self._hear_health(heard, decode(Health, payload), now_s)
            elif address.kind == "state":
                self._hear_state(heard, decode(State, payload), now_s)
        except (ContractError, TopicError):
            self.unreadable_total += 1

    def _hear_health(self, heard: Heard, health: Health, now_s: float) -> None:
        heard.health_s = now_s
        heard.period_s = health.period_s or DEFAULT_PERIOD_S
        heard.clock = None if health.clock is None else self._clock_fault(health)

    def _clock_fault(self, health: Health) -> str:
        assert health.clock is not None
        if health.clock.state == "unset":
            return "unset"
        error_ms = health.clock.error_ms
        return f"{error_ms:.0f} ms" if error_ms is not None and error_ms > self._limits.clock_error_ms else ""

    def _hear_state(self, heard: Heard, state: State, now_s: float) -> None:
        heard.is_stopped = state.state == "stopped"
        heard.lost_s = (heard.lost_s or now_s) if state.state == "lost" else None

    def note_lag(self, site_code: str, lag_s: float, now_s: float) -> None:
        """Note how late the quickest live sample of a site was that a batch has stored."""
        self._lags[site_code] = (lag_s, now_s)

    def verdicts(self, registry: Mapping[str, Place], now_s: float) -> Iterator[Verdict]:
        """Judge devices and sites by what was heard."""
        for device_id, heard in self._devices.items():
            place = registry.get(device_id)
            if place is None or not place.site_code:
                continue
            yield from self._of_device(device_id, place, heard, now_s)
        for site_code, (lag_s, at_s) in self._lags.items():
            if now_s - at_s <= UNJUDGED_LAG_S:
                is_late = lag_s > self._limits.lag_s
                values: dict[str, float | str] = {"value": round(lag_s, 1), "limit": self._limits.lag_s}
                yield Verdict("ingest_lag", None, site_code, "", is_late, values)

    def _of_device(self, device_id: str, place: Place, heard: Heard, now_s: float) -> Iterator[Verdict]:
        since_s = heard.lost_s if heard.health_s is None else heard.health_s
        if since_s is not None:
            silent_s = now_s - since_s
            is_silent = not heard.is_stopped and silent_s > self._limits.silent_periods * heard.period_s
            values: dict[str, float | str] = {"value": round(silent_s)}
            yield Verdict("device_silent", device_id, place.site_code, place.line, is_silent, values)
        if heard.clock is not None:
            yield Verdict("clock", device_id, place.site_code, place.line, bool(heard.clock), {"value": heard.clock})

    def news(self, verdicts: Iterable[Verdict]) -> list[Verdict]:
        """Of `verdicts`, those that say something else than the last time."""
        return [each for each in verdicts if self._told.get(_key(each)) != each.is_broken]

    def told(self, verdicts: Iterable[Verdict]) -> None:
        """What `verdicts` say is in the database."""
        self._told.update({_key(each): each.is_broken for each in verdicts})


def observations(verdicts: Sequence[Verdict], *, now: datetime, language: Language) -> list[Observation]:
    """Return what verdicts mean for alerts: each judges its own rule only, and a good one returns it at once."""
    return [
        Observation(
            device_id=each.device_id,
            site_code=each.site_code,
            line=each.line or "line1",
            at=now,
            lot_id=None,
            sample_id=None,
            occurrences=[occurrence(each.alert_type, each.parameters, language)] if each.is_broken else [],
            judged=frozenset({each.alert_type}),
            returns_at_once=True,
        )
        for each in verdicts
    ]


def occurrence(alert_type: str, parameters: Mapping[str, float | str], language: Language) -> Occurrence:
    """A broken rule of the watch, in words."""
    severity, french, english = WORDS[alert_type]
    return Occurrence(
        alert_type, severity, (french if language == "fr" else english).format(**parameters), dict(parameters)
    )


def watch_subscriptions(sites: list[str]) -> list[Subscription]:
    """What has to be heard of the devices of some sites, `["*"]` for all."""
    of = ["+"] if "*" in sites else sites
    kinds: tuple[TopicClass, ...] = ("health", "state")
    return [Subscription(subscription(kind, site=site), retain_as_published=False) for site in of for kind in kinds]


def _key(verdict: Verdict) -> tuple[str, str | None, str]:
    return verdict.alert_type, verdict.device_id, verdict.site_code
